/* A node's clock: BOOTTIME plus an offset, as model.md section 3 (T1-T3) wants it. Pure.
 *
 * Knows no clock source: every call gets the BOOTTIME or the wall clock that it is to reason with.
 * Does not collect (node/collection.c) and does not persist (node/clock_file.c).
 *
 * Invariants
 *   C1  a clock moves by what a leader that serves says of its own: what merely stands in the log
 *       may be cut from it. No leader serves by a clock below T (node/lead.c, serve)
 *   C2  following only raises the offset; only a collection's verdict may void it, and only the
 *       leader's clock of another era replace it
 *   C3  a node without a clock gets one only from an answer to its own question, or makes the
 *       cluster's: at birth, or of what an operator states
 *   C4  clocks of different eras are not compared: the newer era's is the time
 *   C5  a node that has lost its clock remembers its era: an older one is not the time again
 */
#ifndef NODE_TIME_H
#define NODE_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a node's clock and its wall clock said at one moment, for when all clocks are lost (T3). */
struct node_time_kept {
    bool known;
    uint64_t clock;
    uint64_t wall_us;
};

struct node_time {
    bool has_clock;
    int64_t offset; /* clock = BOOTTIME + offset */
    uint64_t era;   /* term of the leader that made this clock, or the one that was lost; 0: none */
    struct node_time_kept kept; /* of that era */
};

/* Questions older than this are not answered in time: their answers make no clock (T2). */
enum { NODE_TIME_ANSWER_US = 100000 };
/* Clocks further apart than this do not agree (T2: "more than 1 s" and "within 1 s"). */
enum { NODE_TIME_ODD_US = 1000000 };
/* Wall clocks further apart than this do not agree (T3). */
enum { NODE_TIME_WALLS_US = 5000000 };
/* No clock is told or learned above this: the year 2255. All sums of times fit int64 below it. */
#define NODE_TIME_MAX_US (UINT64_C(1) << 53)

void node_time_init(struct node_time *time);
/* The clock now; 0 when there is none. */
uint64_t node_time_clock(const struct node_time *time, uint64_t boot_us);
/* A clock value of the current term's leader, received at `boot_us`, or T, of whoever begins to
 * serve then: raises, never makes. */
void node_time_follow(struct node_time *time, uint64_t value, uint64_t boot_us);
/* An answer to our own question, or the birth's T0, or what an operator states: makes a clock. */
void node_time_learn(struct node_time *time, uint64_t era, uint64_t value, uint64_t boot_us);
/* Notes what clock and wall clock say at one moment; without a clock what was kept stays. */
void node_time_keep(struct node_time *time, uint64_t boot_us, uint64_t wall_us);
/* This node's clock was wrong: it has none until it learns again, and nothing of it is kept. */
void node_time_void(struct node_time *time);

/* ---- the collection's verdict (T2) ---- */

/* What a node's wall clock says of the cluster's time (T3). */
enum node_time_wall {
    NODE_TIME_WALL_NONE,    /* nothing was kept */
    NODE_TIME_WALL_UNTRUE,  /* the kernel does not call its clock synchronised */
    NODE_TIME_WALL_OFFERED, /* the kept clock, and what the wall clock counted since */
};

struct node_time_offer {
    uint64_t node;
    bool has_clock;
    uint64_t era;   /* of its clock, or of the one that it has lost */
    uint64_t value; /* brought to one moment by the caller */
    enum node_time_wall wall;
    uint64_t wall_value; /* brought to the same moment */
};

enum node_time_verdict {
    NODE_TIME_AGREED,  /* `value` is the time */
    NODE_TIME_ODD_ONE, /* as before, and node `odd` jumped ahead: alert, it voids its clock */
    NODE_TIME_NONE,    /* nobody has a clock: a birth, or T3 */
};

struct node_time_finding {
    enum node_time_verdict verdict;
    uint64_t era;
    uint64_t value; /* the time; NONE: what the wall clocks say, when `by_walls` */
    bool by_walls;  /* NONE: they agree (T3) */
    uint64_t odd;   /* ODD_ONE: that node */
};

/* Of the newest era that anybody knows of the largest, unless two others of that era lie more than
 * 1 s below it and within 1 s of each other: then the larger of those. */
struct node_time_finding node_time_collect(const struct node_time_offer *offers, size_t count);

/* What the node would say of the time by its wall clock. */
enum node_time_wall node_time_wall_offer(const struct node_time *time, uint64_t wall_us,
                                         bool synchronised, uint64_t *ret_value);
/* T3: the largest offer, when a majority of all `members` that knew the newest era make one, all
 * within NODE_TIME_WALLS_US of one another, and nobody else of that era doubts its wall clock. */
bool node_time_by_walls(const struct node_time_offer *offers, size_t count, size_t members,
                        uint64_t *ret_value);

#endif
