/* crash-load FOLDER HISTORY SEED: a load on a cluster of cluster/local whose nodes somebody else
 * kills and pauses. Writes every call into HISTORY, for tenure-check, and reads everything back.
 *
 * Commands come in by standard input, one a line; each is answered by the same word when it holds:
 *   more N   so many further writes were acknowledged
 *   held N   while node N stands still: the others have written what reads at node N now ask for
 *   end      stops, reads everything back, writes the history
 * Exit status 1: the lines before it say what is not as it was acknowledged.
 */
#include "tests/cluster/load.h"

#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    ROAM_TIMEOUT_US = 60000000, /* longer than any fault: no outcome stays unknown */
    STAY_TIMEOUT_US = 2000000,
    END_US = 90000000,
};

/* ---- what the other files use ---- */

uint64_t load_now_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000;
}

uint64_t load_random(struct load *load, uint64_t below)
{
    load->random ^= load->random << 13;
    load->random ^= load->random >> 7;
    load->random ^= load->random << 17;
    return load->random % below;
}

void load_complain(struct load *load, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    fprintf(stderr, "crash-load: ");
    vfprintf(stderr, format, arguments);
    fprintf(stderr, "\n");
    va_end(arguments);
    load->failed = true;
}

size_t load_book_add(struct load *load, const struct load_book *book)
{
    if (load->book_count == load->book_capacity) {
        load->book_capacity = 2 * load->book_capacity + 64;
        load->books = realloc(load->books, load->book_capacity * sizeof(*load->books));
        if (load->books == NULL) {
            abort();
        }
    }
    load->books[load->book_count] = *book;
    return load->book_count++;
}

struct tenure_bytes load_value(char text[LOAD_VALUE], uint64_t value, bool refused)
{
    size_t dots = (size_t)(value * 3203 % (LOAD_VALUE - 48));
    int size = snprintf(text, LOAD_VALUE, "%s%" PRIu64, refused ? "refused " : "", value);
    memset(text + size, '.', dots);
    text[(size_t)size + dots] = '\0';
    return tenure_text(text);
}

void load_written(struct load *load, struct load_key *key, uint64_t value,
                  const struct tenure_result *result)
{
    switch (tenure_outcome_class(result->outcome)) {
    case TENURE_CLASS_DONE:
        load->counters.acknowledged++;
        key->written = value;
        key->maybe_count = 0; /* an earlier one was applied before it, or never will be */
        break;
    case TENURE_CLASS_REFUSED:
    case TENURE_CLASS_RETRY:
        load->counters.refused++;
        break;
    case TENURE_CLASS_UNKNOWN:
        load->counters.unknown++;
        if (key->maybe_count < LOAD_MAYBE) {
            key->maybe[key->maybe_count++] = value;
        }
        break;
    }
}

/* ---- the loop ---- */

static size_t gather(struct load *load, struct tenure_client *clients[])
{
    size_t count = 0;
    for (size_t i = 0; i < LOAD_ROAMERS; i++) {
        clients[count++] = load->roamers[i].client;
    }
    for (size_t i = 0; i < load->remote.count; i++) {
        clients[count++] = load->stayers[i].client;
    }
    return count;
}

void load_turn(struct load *load, uint64_t wait_us, int other_fd)
{
    struct tenure_client *clients[LOAD_ROAMERS + REMOTE_NODES_MAX];
    struct pollfd ready[LOAD_ROAMERS + REMOTE_NODES_MAX + 1] = {{.fd = other_fd, .events = POLLIN}};
    size_t count = gather(load, clients);
    for (size_t i = 0; i < count; i++) {
        tenure_process(clients[i], 0);
    }
    for (size_t i = 0; i < count; i++) {
        uint64_t due = tenure_timeout_us(clients[i]);
        wait_us = due < wait_us ? due : wait_us;
        ready[i + 1] = (struct pollfd){.fd = tenure_fd(clients[i]), .events = POLLIN};
    }
    (void)poll(ready, count + 1, wait_us > 1000000 ? 1000 : (int)((wait_us + 999) / 1000));
}

static uint32_t open_calls(const struct load *load)
{
    uint32_t open = 0;
    for (size_t i = 0; i < LOAD_ROAMERS; i++) {
        open += load->roamers[i].open;
    }
    for (size_t i = 0; i < load->remote.count; i++) {
        open += load->stayers[i].open;
    }
    return open;
}

/* ---- commands ---- */

struct control {
    char line[64];
    size_t size;
    bool ended;
    uint64_t wanted; /* acknowledged writes that `more` waits for; 0: it does not */
    struct held *held;
    bool told; /* that its reads are sent */
};

static void answer(const char *word)
{
    puts(word);
    fflush(stdout);
}

static void obey(struct load *load, struct control *control)
{
    unsigned number = 0;
    if (sscanf(control->line, "more %u", &number) == 1) {
        control->wanted = load->counters.acknowledged + number;
    } else if (sscanf(control->line, "held %u", &number) == 1 && number >= 1 &&
               number <= load->remote.count) {
        held_destroy(control->held);
        held_begin(load, &control->held, number - 1);
        control->told = false;
    } else if (strcmp(control->line, "end") == 0) {
        control->ended = true;
    } else {
        load_complain(load, "\"%s\" is no command", control->line);
        control->ended = true;
    }
}

/* One byte at a time: the commands are few, and none is left in a buffer that poll cannot see. */
static void read_command(struct load *load, struct control *control)
{
    char byte;
    if (read(STDIN_FILENO, &byte, 1) != 1) {
        fprintf(stderr, "crash-load: whoever gives commands is gone\n");
        exit(EXIT_FAILURE);
    } else if (byte == '\n') {
        control->line[control->size] = '\0';
        control->size = 0;
        obey(load, control);
    } else if (control->size < sizeof(control->line) - 1) {
        control->line[control->size++] = byte;
    }
}

static bool has_input(void)
{
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    return poll(&ready, 1, 0) > 0;
}

static void play(struct load *load)
{
    struct control control = {.size = 0};
    while (!control.ended) {
        uint64_t next = lanes_step(load), now = load_now_us();
        load_turn(load, next > now ? next - now : 0, STDIN_FILENO);
        while (!control.ended && has_input()) {
            read_command(load, &control);
        }
        if (control.wanted != 0 && load->counters.acknowledged >= control.wanted) {
            control.wanted = 0;
            answer("more");
        }
        if (control.held != NULL && !control.told && held_sent(control.held)) {
            control.told = true;
            answer("held");
        }
    }
    load->quiet = true;
    for (uint64_t until = load_now_us() + END_US; open_calls(load) > 0;) {
        if (load_now_us() > until) {
            load_complain(load, "%u calls do not end", open_calls(load));
            break;
        }
        (void)lanes_step(load);
        load_turn(load, 100000, -1);
    }
    held_destroy(control.held);
}

/* ---- life ---- */

static void begin(struct load *load, const char *folder, uint64_t seed)
{
    remote_read(&load->remote, folder);
    load->history = history_create();
    load->random = seed * UINT64_C(0x9e3779b97f4a7c15) | 1;
    for (size_t i = 0; i < LOAD_ROAMERS; i++) {
        recorder_init(&load->roamers[i], load->history, (uint32_t)i,
                      remote_client(&load->remote, "client", REMOTE_ALL, NULL, ROAM_TIMEOUT_US),
                      "demo", "local");
    }
    for (size_t i = 0; i < load->remote.count; i++) {
        recorder_init(&load->stayers[i], load->history, (uint32_t)(LOAD_ROAMERS + i),
                      remote_client(&load->remote, "client", i, NULL, STAY_TIMEOUT_US), "demo",
                      "local");
    }
    lanes_init(load);
}

static void end(struct load *load, const char *path)
{
    struct tenure_client *clients[LOAD_ROAMERS + REMOTE_NODES_MAX];
    size_t count = gather(load, clients);
    FILE *file = fopen(path, "we");
    if (file == NULL || !history_write(load->history, file) || fclose(file) != 0) {
        load_complain(load, "%s cannot be written", path);
    }
    for (size_t i = 0; i < count; i++) {
        tenure_close(clients[i]);
    }
    history_destroy(load->history);
    free(load->books);
}

static void print(const struct load_counters *counters)
{
    printf("acknowledged %" PRIu64 "\nrefused %" PRIu64 "\nunknown %" PRIu64 "\nfailed %" PRIu64
           "\nheld %" PRIu64 "\nheld_refused %" PRIu64 "\nsessions %" PRIu64 "\nread_back %" PRIu64
           "\nfirst_failed %s\n",
           counters->acknowledged, counters->refused, counters->unknown, counters->failed,
           counters->held, counters->held_refused, counters->sessions, counters->read_back,
           counters->first_failed[0] == '\0' ? "-" : counters->first_failed);
}

int main(int argc, char **argv)
{
    static struct load load;
    if (argc != 4) {
        fprintf(stderr, "usage: crash-load FOLDER HISTORY SEED\n");
        return 2;
    }
    begin(&load, argv[1], strtoull(argv[3], NULL, 10));
    play(&load);
    last_reads(&load);
    print(&load.counters);
    end(&load, argv[2]);
    return load.failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
