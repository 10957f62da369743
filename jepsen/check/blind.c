/* Wing-Gong-Lowe search over one session's operations. See blind.h. */
#include "jepsen/check/blind.h"

#include "base/assert.h"
#include "base/hash.h"
#include "jepsen/model/names.h"

#include <stdlib.h>
#include <string.h>

enum { SET_WORDS = (BLIND_OPS_MAX + 63) / 64 };

/* Where the search stood: which operations happened, and what the session was then. */
struct spot {
    uint64_t set[SET_WORDS];
    struct blind_state state;
};

struct frame {
    struct spot spot;
    uint32_t next; /* the operation to try next */
};

struct search {
    const struct blind_op *ops;
    uint32_t count;
    struct names *seen; /* spots, as byte strings */
    uint64_t steps_left;
    struct frame *frames; /* count + 1 of them */
};

static bool in(const uint64_t *set, uint32_t i)
{
    return (set[i / 64] >> (i % 64)) & 1;
}

static bool step_told(struct blind_state *state, const struct blind_op *op)
{
    if (op->kind == BLIND_ENDED) {
        if (state->told == 2 || (state->life != BLIND_LOGGED_OUT && state->life != BLIND_REVOKED)) {
            return false;
        }
        state->told = 1;
        return true;
    }
    /* A deadline passes unseen, so a revoked session may have expired before it was revoked. */
    if (state->told == 1 || state->life == BLIND_UNBORN || state->life == BLIND_LOGGED_OUT) {
        return false;
    }
    state->life = BLIND_DEAD;
    state->told = 2;
    return true;
}

static bool step_live(struct blind_state *state, const struct blind_op *op)
{
    if (state->life != BLIND_LIVE) {
        return op->unknown; /* refused, then: nobody was told */
    }
    if (op->kind == BLIND_WRITE) {
        state->values[op->key] = op->value;
    } else if (op->kind == BLIND_READ) {
        return state->values[op->key] == op->value;
    } else if (op->kind == BLIND_END) {
        state->life = BLIND_LOGGED_OUT;
    }
    return true;
}

bool blind_step(struct blind_state *state, const struct blind_op *op)
{
    switch (op->kind) {
    case BLIND_CREATE:
        if (state->life != BLIND_UNBORN) {
            return false;
        }
        state->life = BLIND_LIVE;
        return true;
    case BLIND_REVOKE:
        if (state->life == BLIND_LIVE) {
            state->life = BLIND_REVOKED;
        }
        return true;
    case BLIND_ENDED:
    case BLIND_EXPIRED:
        return step_told(state, op);
    case BLIND_ALIVE:
    case BLIND_WRITE:
    case BLIND_READ:
    case BLIND_END:
        break;
    }
    return step_live(state, op);
}

/* What has not happened and returned first: nothing that was invoked later can happen before it. */
static uint64_t first_return(const struct search *search, const struct spot *spot)
{
    uint64_t first = UINT64_MAX;

    for (uint32_t i = 0; i < search->count; i++) {
        if (!in(spot->set, i) && !search->ops[i].unknown && search->ops[i].ret_ns < first) {
            first = search->ops[i].ret_ns;
        }
    }
    return first;
}

/* Remembers a spot; false when the search was there before. */
static bool is_new(struct search *search, const struct spot *spot)
{
    uint32_t end = model_names_end(search->seen);

    return model_names_number(search->seen, bytes_of(spot, sizeof *spot)) == end;
}

/* The next spot behind `frame`, or false when there is none left. */
static bool advance(struct search *search, struct frame *frame, struct spot *ret_spot)
{
    uint64_t first = first_return(search, &frame->spot);

    for (; frame->next < search->count; frame->next++) {
        const struct blind_op *op = &search->ops[frame->next];

        if (op->call_ns > first) {
            return false; /* by call: so are all behind it */
        }
        if (in(frame->spot.set, frame->next)) {
            continue;
        }
        *ret_spot = frame->spot;
        ret_spot->set[frame->next / 64] |= 1ULL << (frame->next % 64);
        if (blind_step(&ret_spot->state, op) && is_new(search, ret_spot)) {
            frame->next++;
            return true;
        }
    }
    return false;
}

static enum blind_result run(struct search *search)
{
    uint32_t depth = 0;

    for (;;) {
        struct frame *frame = &search->frames[depth];
        struct spot spot;

        if (first_return(search, &frame->spot) == UINT64_MAX) {
            return BLIND_YES;
        }
        if (search->steps_left-- == 0) {
            return BLIND_TOO_MANY_STEPS;
        }
        if (advance(search, frame, &spot)) {
            search->frames[++depth] = (struct frame){.spot = spot, .next = 0};
        } else if (depth-- == 0) {
            return BLIND_NO;
        }
    }
}

enum blind_result blind_search(const struct blind_op *ops, uint32_t count, uint64_t steps_max)
{
    struct search search = {.ops = ops, .count = count, .steps_left = steps_max};
    enum blind_result result;

    ASSERT(count <= BLIND_OPS_MAX);
    search.seen = model_names_create();
    search.frames = calloc(count + 1, sizeof *search.frames);
    ASSERT(search.frames != NULL);
    result = run(&search);
    free(search.frames);
    model_names_destroy(search.seen);
    return result;
}
