/* The simulator's command: seeds in, a verdict out. Plays nothing itself. */
#include "tests/sim/options.h"
#include "tests/sim/sums.h"

#include <inttypes.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <signal.h>
#include <sim_commit.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { EXIT_FAILED = 1, EXIT_USAGE = 2, EXIT_INVALID = 4 };

/* What was played so far. */
struct account {
    struct run_counters sum;
    uint64_t seeds;
    int worst; /* exit code */
};

static int list_faults(void)
{
    for (size_t i = 0; i < FAULTS; i++) {
        enum fault_kind kind = (enum fault_kind)i;
        const char *reason = fault_reason(kind);
        printf("%-16s %s%s\n", fault_name(kind),
               reason == NULL ? "on" : "off: ", reason == NULL ? "" : reason);
        if (reason != NULL) {
            printf("%-16s shown failing: sim --seeds 1..100 --on %s\n", "", fault_name(kind));
        }
    }
    return EXIT_SUCCESS;
}

/* The first of the seeds of this commit, changes to it or not: far from those of others. */
static uint64_t first_of_commit(uint64_t count)
{
    enum { APART = 1000000 };
    uint64_t hash = UINT64_C(0xcbf29ce484222325); /* FNV-1a */
    for (const char *at = SIM_COMMIT; *at != '\0' && strcmp(at, "-dirty") != 0; at++) {
        hash = (hash ^ (uint8_t)*at) * UINT64_C(0x100000001b3);
    }
    return (1 + hash % APART) * APART / (count / APART + 1);
}

/* A limit of processor time holds for this process and for those that it plays in, together. */
static void respect_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_CPU, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        sums_cpu_seconds() >= (double)limit.rlim_cur) {
        (void)raise(SIGXCPU);
    }
}

/* ---- one seed ---- */

static int conclude(const struct options *options, const struct run_setup *setup,
                    const struct run_result *result)
{
    if (options->traces) {
        printf("seed %" PRIu64 " trace %016" PRIx64 "\n", setup->seed, result->trace);
    }
    if (result->verdict == RUN_OK) {
        return EXIT_SUCCESS;
    }
    if (result->verdict == RUN_INVALID) {
        printf("INVALID seed %" PRIu64 ": nobody got an answer\n", setup->seed);
        return EXIT_INVALID;
    }
    printf("FAILED seed %" PRIu64 ": %s\n", setup->seed, result->failure);
    (void)fflush(stdout);
    if (options->shrink_seconds > 0 && setup->told == TOLD_NOTHING && setup->keep == NULL) {
        run_shrink(setup, result, options->shrink_seconds);
    }
    return EXIT_FAILED;
}

static int play_seed(const struct options *options, uint64_t seed, struct account *account)
{
    static struct run_result result;
    struct run_setup setup = options->setup;
    setup.seed = seed;
    setup.keep = options->has_keep ? &options->keep : NULL;
    if (options->here) {
        run_play(&setup, &result);
    } else {
        run_play_apart(&setup, &result);
    }
    sums_add(&account->sum, &result.counters);
    account->seeds++;
    int code = conclude(options, &setup, &result);
    if (code == EXIT_FAILED || account->worst == EXIT_SUCCESS) {
        account->worst = code;
    }
    (void)fflush(stdout);
    return code;
}

/* ---- many ---- */

static void play_range(const struct options *options, struct account *account)
{
    for (uint64_t seed = options->first; seed <= options->last; seed++) {
        respect_limit();
        if (play_seed(options, seed, account) == EXIT_FAILED && !options->keep_going) {
            return;
        }
    }
}

/* One line of the file: options, then a comment. Every seed of it is played. */
static bool play_line(const struct options *options, char *line, struct account *account)
{
    enum { WORDS_MAX = 32 };
    char *words[WORDS_MAX + 1] = {NULL};
    size_t count = 0;
    struct options of_line;
    options_init(&of_line);
    of_line.shrink_seconds = options->shrink_seconds;
    of_line.here = options->here;
    line[strcspn(line, "#")] = '\0';
    for (char *at = line; count < WORDS_MAX && *(at += strspn(at, " \t")) != '\0';) {
        words[count++] = at;
        at += strcspn(at, " \t");
        if (*at != '\0') {
            *at++ = '\0';
        }
    }
    bool good = true;
    for (size_t i = 0; i < count && good;) {
        int read = options_read(&of_line, words[i], words[i + 1]);
        good = read > 0;
        i += (size_t)read;
    }
    good = good && (count == 0 || of_line.has_seed);
    if (good && count > 0) {
        play_range(&of_line, account);
    }
    options_done(&of_line);
    return good;
}

/* The whole file, as text. False: it cannot be read, or is too long. */
static bool read_known(const char *path, char *ret_text, size_t capacity)
{
    FILE *file = fopen(path, "r");
    size_t size = file == NULL ? 0 : fread(ret_text, 1, capacity - 1, file);
    bool good = file != NULL && ferror(file) == 0 && size < capacity - 1;
    if (!good) {
        fprintf(stderr, "%s: cannot be read, or is too long\n", path);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    ret_text[size] = '\0';
    return good;
}

/* The file is closed before the first run: the end of a run's process, which shares its offset,
 * would have it read again. */
static bool play_known(const struct options *options, struct account *account)
{
    enum { TEXT_MAX = 256 * 1024 };
    static char text[TEXT_MAX];
    bool good = read_known(options->known, text, sizeof(text));
    char *line = text;
    for (unsigned number = 1; good && *line != '\0'; number++) {
        char *following = line + strcspn(line, "\n");
        if (*following != '\0') {
            *following++ = '\0';
        }
        good = play_line(options, line, account);
        if (!good) {
            fprintf(stderr, "%s:%u: is no line of seeds\n", options->known, number);
        }
        line = following;
    }
    return good;
}

static double seconds_since(const struct timespec *from)
{
    struct timespec to;
    (void)timespec_get(&to, TIME_UTC);
    return (double)(to.tv_sec - from->tv_sec) + (double)(to.tv_nsec - from->tv_nsec) / 1e9;
}

static int play_all(const struct options *options)
{
    static struct account account;
    struct timespec from;
    (void)timespec_get(&from, TIME_UTC);
    if (options->known == NULL) {
        printf("seed %" PRIu64 "..%" PRIu64 " commit %s\n", options->first, options->last,
               SIM_COMMIT);
        (void)fflush(stdout);
        play_range(options, &account);
    } else {
        printf("seeds of %s commit %s\n", options->known, SIM_COMMIT);
        (void)fflush(stdout);
        if (!play_known(options, &account)) {
            return EXIT_USAGE;
        }
    }
    sums_print(&account.sum, account.seeds, seconds_since(&from));
    if (account.worst == EXIT_SUCCESS && options->known == NULL && !options->has_keep &&
        !sums_exercised(&account.sum, account.seeds, &options->setup)) {
        account.worst = EXIT_INVALID;
    }
    printf("%s\n", account.worst == EXIT_SUCCESS  ? "OK"
                   : account.worst == EXIT_FAILED ? "FAILED"
                                                  : "INVALID");
    return account.worst;
}

/* Which seeds they are when the commit says so. */
static void choose_seeds(struct options *options)
{
    if (options->of_commit > 0) {
        uint64_t first = first_of_commit(options->of_commit);
        options->first = first + options->of_commit * (options->part - 1) / options->parts;
        options->last = first + options->of_commit * options->part / options->parts - 1;
    }
}

/* Nodes begin and end all the time: what is large comes as fresh zeros that nobody has to write. */
static void tune_memory(void)
{
#ifdef __GLIBC__
    (void)mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    (void)mallopt(M_TRIM_THRESHOLD, 256 * 1024 * 1024);
#endif
}

int main(int argc, char **argv)
{
    struct options options;
    int code = EXIT_USAGE;
    tune_memory();
    if (!options_of(argc, argv, &options)) {
        fputs(options_usage, stderr);
    } else if (options.help) {
        fputs(options_usage, stdout);
        code = EXIT_SUCCESS;
    } else if (options.list) {
        code = list_faults();
    } else {
        choose_seeds(&options);
        code = play_all(&options);
    }
    options_done(&options);
    return code;
}
