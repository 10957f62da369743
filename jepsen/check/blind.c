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

static void take(const struct search *search, const struct spot *from, uint32_t which,
                 struct spot *ret_spot, bool *ret_can)
{
    *ret_spot = *from;
    ret_spot->set[which / 64] |= 1ULL << (which % 64);
    *ret_can = blind_step(&ret_spot->state, &search->ops[which]);
}

static bool same_state(const struct spot *a, const struct spot *b)
{
    return memcmp(&a->state, &b->state, sizeof a->state) == 0;
}

/* A write may change something later; so may a revoke of what is not yet there. */
static bool changes_later(const struct blind_state *state, const struct blind_op *op)
{
    return op->kind == BLIND_WRITE || (op->kind == BLIND_REVOKE && state->life == BLIND_UNBORN);
}

/* A known operation that can happen now and changes nothing, now or later, may as well happen now:
 * whatever order ends well with it later, ends well with it here. */
static bool take_idle(struct search *search, struct frame *frame, uint64_t first,
                      struct spot *ret_spot)
{
    for (uint32_t i = 0; i < search->count && search->ops[i].call_ns <= first; i++) {
        bool can = false;

        if (!in(frame->spot.set, i) && !search->ops[i].unknown &&
            !changes_later(&frame->spot.state, &search->ops[i])) {
            take(search, &frame->spot, i, ret_spot, &can);
        }
        if (can && same_state(ret_spot, &frame->spot)) {
            frame->next = search->count; /* no other way is looked at from here */
            return is_new(search, ret_spot);
        }
    }
    return false;
}

/* An unknown operation that need not be tried here: one that does the same and was called before it
 * is still free, and whatever ends well with this one ends well with that. */
static bool has_twin(const struct search *search, const struct spot *spot, uint32_t which)
{
    const struct blind_op *op = &search->ops[which];

    for (uint32_t i = 0; i < which; i++) {
        const struct blind_op *other = &search->ops[i];

        if (!in(spot->set, i) && other->unknown && other->kind == op->kind &&
            other->key == op->key && other->value == op->value) {
            return true;
        }
    }
    return false;
}

/* The next spot behind `frame`, or false when there is none left. */
static bool advance(struct search *search, struct frame *frame, struct spot *ret_spot)
{
    uint64_t first = first_return(search, &frame->spot);

    if (frame->next == 0 && take_idle(search, frame, first, ret_spot)) {
        return true;
    }
    for (; frame->next < search->count; frame->next++) {
        const struct blind_op *op = &search->ops[frame->next];
        bool can;

        if (op->call_ns > first) {
            return false; /* by call: so are all behind it */
        }
        if (in(frame->spot.set, frame->next) ||
            (op->unknown && has_twin(search, &frame->spot, frame->next))) {
            continue;
        }
        take(search, &frame->spot, frame->next, ret_spot, &can);
        if (op->unknown && same_state(ret_spot, &frame->spot)) {
            continue; /* as good as never */
        }
        if (can && is_new(search, ret_spot)) {
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

/* What nobody read may be any value, and a write of it that perhaps never happened did not. */
static uint32_t simplify(const struct blind_op *ops, uint32_t count, struct blind_op *ret_ops)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < count; i++) {
        bool seen = ops[i].kind != BLIND_WRITE;

        for (uint32_t k = 0; k < count && !seen; k++) {
            seen = ops[k].kind == BLIND_READ && ops[k].key == ops[i].key &&
                   ops[k].value == ops[i].value;
        }
        if (seen || !ops[i].unknown) {
            ret_ops[kept] = ops[i];
            ret_ops[kept++].value = seen ? ops[i].value : UINT32_MAX;
        }
    }
    return kept;
}

enum blind_result blind_search(const struct blind_op *ops, uint32_t count, uint64_t steps_max)
{
    struct blind_op simple[BLIND_OPS_MAX];
    struct search search = {.ops = simple, .steps_left = steps_max};
    enum blind_result result;

    ASSERT(count <= BLIND_OPS_MAX);
    count = search.count = simplify(ops, count, simple);
    search.seen = model_names_create();
    search.frames = calloc(count + 1, sizeof *search.frames);
    ASSERT(search.frames != NULL);
    result = run(&search);
    free(search.frames);
    model_names_destroy(search.seen);
    return result;
}
