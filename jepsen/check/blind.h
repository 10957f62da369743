/* Inside jepsen/check: the blind search on one session, on operations that know no position.
 *
 * The session's machine is smaller than the specification: life, and what the keys hold. Deadlines
 * may pass at any moment, but only once.
 */
#ifndef JEPSEN_CHECK_BLIND_H
#define JEPSEN_CHECK_BLIND_H

#include <stdbool.h>
#include <stdint.h>

enum { BLIND_OPS_MAX = 200, BLIND_KEYS_MAX = 32 };

enum blind_kind {
    BLIND_CREATE,  /* succeeded */
    BLIND_ALIVE,   /* an answer that only a live session gives */
    BLIND_WRITE,   /* key := value, under life */
    BLIND_READ,    /* key is value (0: nobody wrote it), under life */
    BLIND_END,     /* succeeded */
    BLIND_REVOKE,  /* succeeded */
    BLIND_ENDED,   /* "it was ended or revoked" */
    BLIND_EXPIRED, /* "its deadline passed" */
};

struct blind_op {
    uint64_t call_ns, ret_ns;
    enum blind_kind kind;
    bool unknown; /* may have happened at any time after the call, or never */
    uint8_t key;  /* < BLIND_KEYS_MAX */
    uint32_t value;
    uint32_t row;
};

enum blind_life { BLIND_UNBORN, BLIND_LIVE, BLIND_LOGGED_OUT, BLIND_REVOKED, BLIND_DEAD };

struct blind_state {
    uint32_t life; /* enum blind_life */
    uint32_t told; /* 0; 1: ended was told; 2: expired was told */
    uint32_t values[BLIND_KEYS_MAX];
};

/* The machine: false when the operation cannot happen in that state. */
bool blind_step(struct blind_state *state, const struct blind_op *op);

enum blind_result { BLIND_YES, BLIND_NO, BLIND_TOO_MANY_STEPS };

/* Is there an order, true to real time, in which every known operation can happen? `ops` by
 * call_ns, at most BLIND_OPS_MAX. Wing and Gong 1993, Lowe 2017: depth first, with a memory of what
 * failed. */
enum blind_result blind_search(const struct blind_op *ops, uint32_t count, uint64_t steps_max);

#endif
