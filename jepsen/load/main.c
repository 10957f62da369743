/* jepsen-load: makes the calls of workloads against a cluster, and writes them as a history. Starts
 * no node and makes no fault but frozen workers of its own; judges nothing.
 *
 *   jepsen-load FOLDER WORKLOAD[,WORKLOAD] RATE SEED HISTORY-FOLDER
 *
 * FOLDER has client.yaml, ca/ca.pem and the certificates client, operator and worker-N. Runs until
 * the end of standard input, then lets open calls end, reads back what it remembers, and writes
 * HISTORY-FOLDER/load.jsonl and worker-N.jsonl. `--list` prints the workloads, `--least WORKLOADS`
 * what V1 asks of each minute of them.
 */
#include "jepsen/load/load.h"

#include "base/assert.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    LANES = 24,
    WORKER_LANES = 12,
    WORKERS = 4,
    FOLLOW_TIMEOUT_US = 120000000, /* longer than any fault: no outcome stays unknown */
    STAY_TIMEOUT_US = 500000,
    HASTY_TIMEOUT_US = 450000, /* longer than an election timeout, shorter than most elections */
    HASTY_PERCENT = 20,        /* of rounds: of those, what a fault meets often stays unknown */
    END_US = 40000000,
};

/* ---- the table: one file of jepsen/workload, one row ---- */

#define WORKLOAD(name) extern const struct workload workload_##name;
#include "jepsen/workload/all.def"
#undef WORKLOAD

const struct workload *load_workload_at(size_t i)
{
    static const struct workload *const all[] = {
#define WORKLOAD(name) &workload_##name,
#include "jepsen/workload/all.def"
#undef WORKLOAD
    };
    return i < sizeof all / sizeof all[0] ? all[i] : NULL;
}

const struct workload *load_workload(const char *name, size_t size)
{
    const struct workload *workload;
    for (size_t i = 0; (workload = load_workload_at(i)) != NULL; i++) {
        if (strlen(workload->name) == size && memcmp(workload->name, name, size) == 0) {
            return workload;
        }
    }
    return NULL;
}

/* Those of "A,B", or all for "mixed". Returns their number; 0: one is unknown. */
static size_t chosen(const char *names, const struct workload *ret_chosen[LOAD_LANES_MAX])
{
    size_t count = 0;
    if (strcmp(names, "mixed") == 0) {
        while (count < LOAD_LANES_MAX && load_workload_at(count) != NULL) {
            ret_chosen[count] = load_workload_at(count);
            count++;
        }
        return count;
    }
    while (count < LOAD_LANES_MAX) {
        size_t size = strcspn(names, ",");
        ret_chosen[count] = load_workload(names, size);
        if (ret_chosen[count] == NULL) {
            fprintf(stderr, "jepsen-load: there is no workload \"%.*s\"\n", (int)size, names);
            return 0;
        }
        count++;
        if (names[size] == '\0') {
            return count;
        }
        names += size + 1;
    }
    return 0;
}

/* ---- clients ---- */

uint64_t load_now_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000;
}

void load_turn(struct load *load, uint64_t wait_us, int other_fd)
{
    struct pollfd ready[LOAD_CLIENTS_MAX + 1] = {{.fd = other_fd, .events = POLLIN}};
    for (uint32_t i = 0; i < load->recorder_count; i++) {
        tenure_process(load->recorders[i].client, 0);
    }
    for (uint32_t i = 0; i < load->lane_count && !load->quiet; i++) {
        uint64_t now = load_now_us(), due = load->lanes[i].due_us;
        uint64_t left = due > now ? due - now : 0;
        wait_us = left < wait_us ? left : wait_us;
    }
    for (uint32_t i = 0; i < load->recorder_count; i++) {
        uint64_t due = tenure_timeout_us(load->recorders[i].client);
        wait_us = due < wait_us ? due : wait_us;
        ready[i + 1] = (struct pollfd){.fd = tenure_fd(load->recorders[i].client),
                                       .events = POLLIN};
    }
    (void)poll(ready, load->recorder_count + 1,
               wait_us > 1000000 ? 1000 : (int)((wait_us + 999) / 1000));
}

uint32_t load_open_calls(const struct load *load)
{
    uint32_t open = 0;
    for (uint32_t i = 0; i < load->recorder_count; i++) {
        open += load->recorders[i].open;
    }
    return open;
}

static void read_servers(struct load *load)
{
    char path[500], line[256];
    (void)snprintf(path, sizeof path, "%s/client.yaml", load->folder);
    FILE *file = fopen(path, "re");
    while (file != NULL && load->server_count < LOAD_NODES_MAX &&
           fgets(line, sizeof line, file) != NULL) {
        load->server_count += sscanf(line, "  - \"%63[^\"]\"", load->servers[load->server_count]) ==
                              1;
    }
    if (file == NULL || load->server_count == 0) {
        fprintf(stderr, "jepsen-load: %s names no servers\n", path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
}

/* `name`: ROLE/NAME, as its certificate has it. `only`: a server, counted from 0, or
 * LOAD_NODES_MAX. */
static struct recorder *add_client(struct load *load, const char *name, uint32_t only,
                                   uint64_t timeout_us)
{
    char ca[500], file[500], key[500], error[512];
    const char *servers[LOAD_NODES_MAX];
    bool stays = only < load->server_count;
    const char *certificate = strchr(name, '/') + 1;
    bool operates = strncmp(name, "operator/", 9) == 0;
    struct tenure_client *client = NULL;
    for (uint32_t i = 0; i < load->server_count; i++) {
        servers[i] = load->servers[stays ? only : i];
    }
    (void)snprintf(ca, sizeof ca, "%s/ca/ca.pem", load->folder);
    (void)snprintf(file, sizeof file, "%s/%s.pem", load->folder, certificate);
    (void)snprintf(key, sizeof key, "%s/%s.key", load->folder, certificate);
    const struct tenure_options options = {.servers = servers,
                                           .server_count = stays ? 1 : load->server_count,
                                           .ca = ca,
                                           .certificate = file,
                                           .key = key,
                                           .tenant = operates ? "demo" : NULL,
                                           .software = "jepsen",
                                           .timeout_us = timeout_us,
                                           .stay = stays};
    if (!tenure_open(&options, error, sizeof error, &client)) {
        fprintf(stderr, "jepsen-load: %s: %s\n", certificate, error);
        exit(EXIT_FAILURE);
    }
    struct recorder *recorder = &load->recorders[load->recorder_count];
    recorder_init(recorder, load->history, load->proc * 100 + load->recorder_count, client, "demo",
                  name);
    recorder->caller.role = operates ? OP_ROLE_OPERATOR : OP_ROLE_SERVICE;
    load->recorder_count++;
    return recorder;
}

static void open_clients(struct load *load, const char *name)
{
    for (uint32_t i = 0; i < LOAD_FOLLOWERS; i++) {
        (void)add_client(load, name, LOAD_NODES_MAX, FOLLOW_TIMEOUT_US);
    }
    for (uint32_t i = 0; i < load->server_count; i++) {
        (void)add_client(load, name, i, STAY_TIMEOUT_US);
    }
    for (uint32_t i = 0; i < LOAD_HASTY; i++) {
        (void)add_client(load, name, LOAD_NODES_MAX, HASTY_TIMEOUT_US * (i + 1));
    }
    if (load->self == 0) {
        load->operator_ = add_client(load, "operator/operator", LOAD_NODES_MAX, FOLLOW_TIMEOUT_US);
    }
}

/* ---- lanes ---- */

static void play_rounds(struct lane *lane)
{
    lane_pause(lane, lane_random(lane, LANE_SECOND));
    for (;;) {
        lane->count++;
        lane->hasty = lane_chance(lane, HASTY_PERCENT);
        lane_follow(lane);
        lane->workload->round(lane);
        lane_pause(lane, 1000);
    }
}

static void obey_orders(struct lane *lane)
{
    for (;;) {
        lane->idle = true;
        lane->due_us = LOAD_NEVER;
        ASSERT(swapcontext(&lane->context, &lane->caller) == 0);
        lane->count++;
        lane_follow(lane);
        lane->workload->work(lane, lane->order);
    }
}

static void make_lanes(struct load *load, const struct workload *const workloads[], size_t count,
                       uint64_t rate)
{
    size_t lanes = LANES > 2 * count ? LANES : 2 * count;
    for (size_t i = 0; i < lanes && load->self == 0; i++) {
        (void)load_lane(load, workloads[i % count], play_rounds);
    }
    for (size_t i = 0; i < WORKER_LANES && load->self != 0; i++) {
        (void)load_lane(load, workloads[0], obey_orders);
    }
    load->interval_us = lanes * LANE_SECOND / rate;
}

/* ---- life ---- */

static bool write_history(struct load *load, const char *folder)
{
    char path[600];
    if (load->self == 0) {
        (void)snprintf(path, sizeof path, "%s/load.jsonl", folder);
    } else {
        (void)snprintf(path, sizeof path, "%s/worker-%u.jsonl", folder, (unsigned)load->self);
    }
    FILE *file = fopen(path, "we");
    bool good = file != NULL && history_write(load->history, file);
    good = file != NULL && fclose(file) == 0 && good;
    if (!good) {
        fprintf(stderr, "jepsen-load: %s cannot be written\n", path);
    }
    return good;
}

static void play(struct load *load)
{
    bool ended = false;
    while (!ended) {
        struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
        (void)load_step(load);
        load_turn(load, 100000, STDIN_FILENO);
        if (poll(&ready, 1, 0) <= 0) {
            continue;
        }
        ended = load->self != 0 ? !workers_obey(load) : true;
    }
    load->quiet = true;
}

/* False: calls do not end, though no fault is left. */
static bool settle(struct load *load)
{
    for (uint64_t until = load_now_us() + END_US; load_open_calls(load) > 0;) {
        if (load_now_us() > until) {
            fprintf(stderr, "jepsen-load: L1: %u calls do not end\n",
                    (unsigned)load_open_calls(load));
            return false;
        }
        load_turn(load, 100000, -1);
    }
    return true;
}

static void print_least(const struct workload *const workloads[], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (workloads[i]->least[0] != '\0') {
            printf("%s\n", workloads[i]->least);
        }
    }
}

static int run(struct load *load, char **argv, const struct workload *const workloads[],
               size_t count)
{
    char name[32] = "service/client";
    const char *self = getenv("JEPSEN_WORKER");
    bool needs = false, good = true;
    load->self = self == NULL ? 0 : (uint32_t)strtoul(self, NULL, 10);
    load->proc = load->self + 1;
    if (load->self != 0) {
        (void)snprintf(name, sizeof name, "service/worker-%u", (unsigned)load->self);
    }
    for (size_t i = 0; i < count; i++) {
        needs = needs || workloads[i]->work != NULL;
    }
    if (load->self == 0 && needs) {
        workers_start(load, argv, WORKERS);
    }
    load->history = history_create();
    load->random = ((strtoull(argv[4], NULL, 10) + load->self) * UINT64_C(0x9e3779b97f4a7c15)) | 1;
    read_servers(load);
    open_clients(load, name);
    make_lanes(load, workloads, count, strtoull(argv[3], NULL, 10));
    play(load);
    good = workers_end(load);
    good = settle(load) && good;
    if (good) {
        last_reads(load);
    }
    good = write_history(load, argv[5]) && good;
    for (uint32_t i = 0; i < load->recorder_count; i++) {
        tenure_close(load->recorders[i].client);
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

int main(int argc, char **argv)
{
    static struct load load;
    const struct workload *workloads[LOAD_LANES_MAX];
    size_t count = 0;
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; load_workload_at(i) != NULL; i++) {
            printf("%-15s %s\n", load_workload_at(i)->name, load_workload_at(i)->help);
        }
        return 0;
    }
    if (argc == 3 && strcmp(argv[1], "--least") == 0 && (count = chosen(argv[2], workloads)) > 0) {
        print_least(workloads, count);
        return 0;
    }
    if (argc != 6 || strtoull(argv[3], NULL, 10) == 0 ||
        (count = chosen(argv[2], workloads)) == 0) {
        fprintf(stderr, "usage: jepsen-load FOLDER WORKLOAD[,WORKLOAD] RATE SEED HISTORIES\n"
                        "       jepsen-load --list | --least WORKLOADS\n");
        return 2;
    }
    (void)snprintf(load.folder, sizeof load.folder, "%s", argv[1]);
    return run(&load, argv, workloads, count);
}
