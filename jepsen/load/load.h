/* What the files of jepsen-load share: the process, its clients, its lanes.
 *
 *   main.c      options, the table of workloads, life and end
 *   lane.c      stacks, pace, calls
 *   story.c     what most workloads do, by lane.c's calls
 *   workers.c   the processes that can be frozen
 *   last.c      everything that was told is there, read once more
 */
#ifndef JEPSEN_LOAD_LOAD_H
#define JEPSEN_LOAD_LOAD_H

#include "jepsen/load/lane.h"
#include "jepsen/record/record.h"

#include <sys/types.h>
#include <ucontext.h>

enum {
    LOAD_NODES_MAX = 9,
    LOAD_FOLLOWERS = 4,
    LOAD_HASTY = 2,
    LOAD_LANES_MAX = 64,
    LOAD_WORKERS_MAX = 8,
    LOAD_ORDER = 128,
    LOAD_STACK = 512 * 1024,
    LOAD_REMEMBERED = 512,
    LOAD_CLIENTS_MAX = LOAD_FOLLOWERS + LOAD_NODES_MAX + LOAD_HASTY + 1,
};

#define LOAD_NEVER UINT64_MAX

struct load;

struct lane {
    struct load *load;
    const struct workload *workload;
    struct recorder *recorder;
    ucontext_t context, caller;
    uint8_t *stack;
    uint32_t index, count;
    uint64_t due_us;  /* when it goes on by itself; LOAD_NEVER: it waits for an answer */
    uint64_t next_us; /* its next call, at the pace of the run */
    uint32_t started; /* calls that nobody waits for */
    bool joining, idle, hasty;
    struct tenure_result result;
    const void *reply;
    char order[LOAD_ORDER];
    void (*body)(struct lane *lane);
};

struct worker {
    pid_t pid;
    int orders; /* a pipe's end */
    bool frozen;
};

struct load {
    char folder[400];
    char servers[LOAD_NODES_MAX][64];
    uint32_t server_count;
    struct history *history;
    uint32_t proc;
    uint64_t random;
    uint64_t interval_us; /* between two calls of a lane */
    struct recorder recorders[LOAD_CLIENTS_MAX];
    uint32_t recorder_count;
    struct recorder *operator_; /* NULL in workers */
    struct lane lanes[LOAD_LANES_MAX];
    uint32_t lane_count;
    struct worker workers[LOAD_WORKERS_MAX];
    uint32_t worker_count;
    struct lane_session remembered[LOAD_REMEMBERED];
    uint64_t remembered_count; /* ever; the newest are kept */
    uint64_t values;
    uint32_t self; /* of a worker, from 1; 0: it is none */
    bool quiet;    /* no lane begins anything */
};

uint64_t load_now_us(void);
/* Makes a lane that runs `body` once for all. */
struct lane *load_lane(struct load *load, const struct workload *workload,
                       void (*body)(struct lane *lane));
/* Goes on with the lanes that are due; returns when the next one is. */
uint64_t load_step(struct load *load);
/* Turns the clients once; waits at most so long, or until `other_fd` is readable. */
void load_turn(struct load *load, uint64_t wait_us, int other_fd);
uint32_t load_open_calls(const struct load *load);

/* NULL: there is none of that name. */
const struct workload *load_workload(const char *name, size_t size);
const struct workload *load_workload_at(size_t i);

/* workers.c */
void workers_start(struct load *load, char **argv, uint32_t count);
/* Thaws them, tells them to end, waits. False: one failed. */
bool workers_end(struct load *load);
/* In a worker: reads orders, gives them to lanes. False: there will be no more. */
bool workers_obey(struct load *load);

/* last.c */
/* Reads whatever sessions are remembered. */
void last_reads(struct load *load);

#endif
