/* What the files of crash-load share: the clients, what they know, and how a call is made.
 *
 *   load.c     the loop, the commands of standard input, the verdict
 *   lanes.c    the work: sessions, writes, reads, tasks, one call at a time in each lane
 *   held.c     reads that wait in front of a leader that stands still
 *   last.c     everything that was acknowledged, read once more
 */
#ifndef TESTS_CLUSTER_LOAD_H
#define TESTS_CLUSTER_LOAD_H

#include "jepsen/record/record.h"
#include "tests/cluster/remote.h"

enum {
    LOAD_ROAMERS = 4, /* clients that follow the leader */
    LOAD_LANES = 3,   /* of each of them */
    LOAD_READERS = 2, /* lanes of each client that stays with its node */
    LOAD_KEYS = 3,    /* of a session */
    LOAD_MAYBE = 4,   /* writes of a key of which nobody knows */
    LOAD_TOKEN = 256,
    LOAD_VALUE = 8192,
};

/* What is known of a key. Values are numbers; refused ones say so, and nobody may ever read one. */
struct load_key {
    uint64_t written; /* N of the newest acknowledged write; 0: none */
    uint64_t maybe[LOAD_MAYBE];
    size_t maybe_count;
};

enum load_life { LOAD_LIVE, LOAD_UNSURE, LOAD_DEAD };

/* One session, for the whole run. */
struct load_book {
    struct tenure_id id;
    char user[32];
    char token[LOAD_TOKEN];
    enum load_life life;
    uint32_t lane, series;
    struct load_key keys[LOAD_KEYS];
};

struct load;

struct load_lane {
    struct load *load;
    struct recorder *recorder;
    uint32_t index;
    uint64_t due_us; /* when it calls next; UINT64_MAX: a call is open */
    uint32_t turn;   /* calls in this session */
    uint32_t series; /* of the user */
    uint32_t sessions;
    size_t book; /* the present session; SIZE_MAX: none */
    /* its task: of this session, or of the one before */
    struct tenure_id task;
    char fence[LOAD_TOKEN];
    uint64_t operation;
    size_t task_book;
    bool has_task, has_fence;
    /* of the call that is open */
    unsigned action;
    size_t key;
    uint64_t value;
};

struct load_counters {
    uint64_t acknowledged;  /* writes */
    uint64_t refused;       /* writes that may not be there */
    uint64_t unknown;       /* writes of which nobody knows */
    uint64_t failed;        /* calls of all kinds that ended otherwise than they had to */
    char first_failed[160]; /* the first of them */
    uint64_t held;          /* reads sent to a node that stood still, and answered */
    uint64_t held_refused;  /* of them: told that it does not lead any more */
    uint64_t read_back;     /* keys */
    uint64_t sessions;      /* looked at in the end */
};

struct load {
    struct remote remote;
    struct history *history;
    uint64_t random;
    struct recorder roamers[LOAD_ROAMERS];
    struct recorder stayers[REMOTE_NODES_MAX];
    struct load_lane lanes[LOAD_ROAMERS * LOAD_LANES];
    struct load_lane readers[REMOTE_NODES_MAX * LOAD_READERS];
    struct load_book *books;
    size_t book_count, book_capacity;
    struct load_counters counters;
    uint64_t values; /* that were ever drawn */
    bool quiet;      /* no lane begins anything */
    bool failed;
};

uint64_t load_random(struct load *load, uint64_t below);
void load_complain(struct load *load, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
uint64_t load_now_us(void);
/* Adds a session; the index stays. */
size_t load_book_add(struct load *load, const struct load_book *book);
/* The text of a value: "N" or "refused N", and so many dots that snapshots become due. */
struct tenure_bytes load_value(char text[LOAD_VALUE], uint64_t value, bool refused);
/* A write of `key` has ended. */
void load_written(struct load *load, struct load_key *key, uint64_t value,
                  const struct tenure_result *result);

/* lanes.c */
void lanes_init(struct load *load);
/* Begins what is due; returns when the next lane is. */
uint64_t lanes_step(struct load *load);

/* held.c */
struct held;
/* While node `away` (from 0) stands still: the others write, then its client reads that. */
void held_begin(struct load *load, struct held **held, size_t away);
/* The reads are sent. */
bool held_sent(const struct held *held);
void held_destroy(struct held *held);

/* last.c */
/* Reads everything; complains of what is not as it was acknowledged. */
void last_reads(struct load *load);

/* load.c */
/* Turns all clients once. */
void load_turn(struct load *load, uint64_t wait_us, int other_fd);

#endif
