/* tenure-check: the verdict on histories. Exit code 0 for OK alone. */
#include "jepsen/check/check.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { EXIT_USAGE = 2 };

static const char usage[] =
    "usage: tenure-check [--OPTION VALUE]... FILE...\n"
    "\n"
    "Reads histories (JSON lines; \"-\" is standard input), all of one run, and says whether they\n"
    "keep what Tenure promises. Prints OK, VIOLATION, UNDECIDED or INVALID, counters, and for a\n"
    "violation the fewest rows that show it.\n"
    "\n"
    "  --least COUNTER=N  less than this is INVALID; COUNTER as it is printed\n"
    "  --limit NAME=N     a replicated limit of the cluster, where it is not the default\n"
    "  --epsilon-us N     round trip and clock slack of S5 and S6 (60000)\n"
    "  --learned-us N     how far a clock that was learned lies behind, for S5 (100000)\n"
    "  --stepped-us N     by how much boot clocks were moved in the run, for S5 (0)\n"
    "  --leaderless-us N  longest time without a leader, for S5 (3000000)\n"
    "  --drift-ppm N      of any clock (200)\n"
    "  --snapshots N      snapshots installed in the run: the counter of that name\n"
    "  --members N        changes of the list of members in it: the counter of that name\n"
    "  --blind-steps N    of the search in each session; 0 leaves it out (200000)\n"
    "\n"
    "Exit codes: 0 OK, 1 VIOLATION, 2 usage or unreadable, 3 UNDECIDED, 4 INVALID.\n";

static bool number_of(const char *text, uint64_t *ret_value)
{
    char *end;

    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return false;
    }
    *ret_value = strtoull(text, &end, 10);
    return *end == '\0';
}

/* NAME=N */
static bool pair_of(const char *text, char name[64], uint64_t *ret_value)
{
    const char *equals = strchr(text, '=');

    if (equals == NULL || (size_t)(equals - text) >= 64) {
        return false;
    }
    memcpy(name, text, (size_t)(equals - text));
    name[equals - text] = '\0';
    return number_of(equals + 1, ret_value);
}

static bool set_option(struct check_options *options, const char *option, const char *value)
{
    char name[64];
    uint64_t number;

    if (strcmp(option, "--least") == 0) {
        return pair_of(value, name, &number) && check_counter_set(&options->least, name, number);
    }
    if (strcmp(option, "--limit") == 0) {
        return pair_of(value, name, &number) &&
               op_limits_set(&options->limits, bytes_of_text(name), number);
    }
    if (!number_of(value, &number)) {
        return false;
    }
    if (strcmp(option, "--epsilon-us") == 0) {
        options->epsilon_ns = number * 1000;
    } else if (strcmp(option, "--learned-us") == 0) {
        options->learned_ns = number * 1000;
    } else if (strcmp(option, "--stepped-us") == 0) {
        options->stepped_us = number;
    } else if (strcmp(option, "--leaderless-us") == 0) {
        options->leaderless_ns = number * 1000;
    } else if (strcmp(option, "--drift-ppm") == 0) {
        options->drift_ppm = number;
    } else if (strcmp(option, "--snapshots") == 0) {
        options->snapshots = number;
    } else if (strcmp(option, "--members") == 0) {
        options->members = number;
    } else if (strcmp(option, "--blind-steps") == 0) {
        options->blind_steps = number;
    } else {
        return false;
    }
    return true;
}

static bool read_file(struct history *history, const char *path)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "r");
    char fault[200] = "cannot be opened";
    bool good = file != NULL && history_read(history, file, fault, sizeof fault);

    if (good && ferror(file)) {
        (void)snprintf(fault, sizeof fault, "cannot be read");
        good = false;
    }
    if (!good) {
        (void)fprintf(stderr, "tenure-check: %s: %s\n", path, fault);
    }
    if (file != NULL && file != stdin) {
        (void)fclose(file);
    }
    return good;
}

int main(int argc, char **argv)
{
    struct check_options options;
    struct check_verdict verdict;
    struct history *history;
    bool good = true;
    int at = 1;

    check_options_init(&options);
    for (; at < argc && strncmp(argv[at], "--", 2) == 0; at += 2) {
        if (at + 1 >= argc || !set_option(&options, argv[at], argv[at + 1])) {
            (void)fprintf(stderr, "tenure-check: %s: unknown, or its value is wrong\n%s", argv[at],
                          usage);
            return EXIT_USAGE;
        }
    }
    if (at >= argc) {
        (void)fputs(usage, stderr);
        return EXIT_USAGE;
    }
    history = history_create();
    for (; good && at < argc; at++) {
        good = read_file(history, argv[at]);
    }
    if (good) {
        check_history(history, &options, &verdict);
        check_print(history, &verdict, stdout);
    }
    history_destroy(history);
    return good ? (int)verdict.kind : EXIT_USAGE;
}
