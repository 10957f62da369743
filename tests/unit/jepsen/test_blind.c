/* The blind search agrees with brute force on every short history (S1). */
#include "jepsen/check/blind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { LETTERS = 12, SPANS = 6, RANDOM_ROUNDS = 20000, RANDOM_OPS = 5 };

/* What an operation may be: two writes, what reads may see, the ends of life; some unknown. */
static const struct blind_op letters[LETTERS] = {
    {.kind = BLIND_WRITE, .value = 1},
    {.kind = BLIND_WRITE, .value = 2},
    {.kind = BLIND_READ, .value = 0},
    {.kind = BLIND_READ, .value = 1},
    {.kind = BLIND_END},
    {.kind = BLIND_ENDED},
    {.kind = BLIND_REVOKE},
    {.kind = BLIND_EXPIRED},
    {.kind = BLIND_WRITE, .value = 1, .unknown = true},
    {.kind = BLIND_END, .unknown = true},
    {.kind = BLIND_REVOKE, .unknown = true},
    {.kind = BLIND_ALIVE},
};

static const uint64_t spans[SPANS][2] = {{1, 2}, {1, 4}, {1, 6}, {3, 4}, {3, 6}, {5, 6}};

/* Every order of every set that has all known operations. */
static bool brute(const struct blind_op *ops, uint32_t count, uint32_t done,
                  const struct blind_state *state)
{
    bool finished = true;

    for (uint32_t i = 0; i < count; i++) {
        finished = finished && (ops[i].unknown || (done & (1U << i)));
    }
    if (finished) {
        return true;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct blind_state next = *state;
        bool early = false;

        if (done & (1U << i)) {
            continue;
        }
        for (uint32_t j = 0; j < count; j++) {
            early = early ||
                    (!(done & (1U << j)) && !ops[j].unknown && ops[j].ret_ns < ops[i].call_ns);
        }
        if (!early && blind_step(&next, &ops[i]) && brute(ops, count, done | 1U << i, &next)) {
            return true;
        }
    }
    return false;
}

static int by_call(const void *a, const void *b)
{
    const struct blind_op *x = a, *y = b;

    return x->call_ns < y->call_ns ? -1 : x->call_ns > y->call_ns;
}

/* Returns whether it is good. */
static bool agree(struct blind_op *ops, uint32_t count)
{
    struct blind_state unborn = {.life = BLIND_UNBORN};
    bool good;

    qsort(ops, count, sizeof *ops, by_call);
    good = brute(ops, count, 0, &unborn);
    assert_int_equal(blind_search(ops, count, 100000), good ? BLIND_YES : BLIND_NO);
    return good;
}

static struct blind_op op_of(uint32_t letter, uint32_t span)
{
    struct blind_op op = letters[letter];

    op.call_ns = spans[span][0];
    op.ret_ns = op.unknown ? UINT64_MAX : spans[span][1];
    return op;
}

static void test_all_short_histories(void **state)
{
    uint32_t good = 0, bad = 0, each = LETTERS * SPANS;

    (void)state;
    for (uint32_t which = 0; which < each * each; which++) {
        struct blind_op ops[3] = {{.kind = BLIND_CREATE, .call_ns = 1, .ret_ns = 2}};

        ops[1] = op_of(which % each / SPANS, which % SPANS);
        ops[2] = op_of(which / each / SPANS, which / each % SPANS);
        good += agree(ops, 3);
        bad++;
    }
    assert_true(good > 100 && bad - good > 100);
}

static void test_random_histories(void **state)
{
    uint64_t random = 88172645463325252;
    uint32_t good = 0;

    (void)state;
    for (uint32_t round = 0; round < RANDOM_ROUNDS; round++) {
        struct blind_op ops[RANDOM_OPS + 1] = {{.kind = BLIND_CREATE, .call_ns = 0, .ret_ns = 1}};

        for (uint32_t i = 1; i <= RANDOM_OPS; i++) {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            ops[i] = op_of((uint32_t)(random >> 20) % LETTERS, (uint32_t)(random >> 40) % SPANS);
        }
        good += agree(ops, RANDOM_OPS + 1);
    }
    assert_true(good > 100 && RANDOM_ROUNDS - good > 100);
}

/* A duel: for a second everybody asks the same session, and nobody learns whether the revokes and
 * the writes of those seconds came through. One of the reads is wrong, or none. */
static void test_much_at_once(void **state)
{
    enum { ASKED = 90, LOST = 40, ALL = 1 + ASKED + LOST + 2 };
    struct blind_op ops[ALL] = {{.kind = BLIND_CREATE, .call_ns = 0, .ret_ns = 1}};

    (void)state;
    for (uint32_t wrong = 0; wrong < 2; wrong++) {
        for (uint32_t i = 1; i < ALL - 2; i++) {
            bool asked = i <= ASKED;

            ops[i] = (struct blind_op){.call_ns = i + 1, .ret_ns = 1000 + i};
            ops[i].kind = asked        ? i % 2 == 0 ? BLIND_ALIVE : BLIND_READ
                          : i % 2 == 0 ? BLIND_REVOKE
                                       : BLIND_WRITE;
            ops[i].unknown = !asked;
            ops[i].value = asked ? 0 : i;
        }
        ops[ALL - 2] = (struct blind_op){
            .kind = BLIND_READ, .value = wrong, .call_ns = 2000, .ret_ns = 2001};
        ops[ALL - 1] = (struct blind_op){.kind = BLIND_ENDED, .call_ns = 2002, .ret_ns = 2003};
        assert_int_equal(blind_search(ops, ALL, 5000), wrong ? BLIND_NO : BLIND_YES);
    }
}

/* Many writes at once and a read of none of them: too many orders to look at. */
static void test_gives_up_in_the_end(void **state)
{
    struct blind_op ops[40] = {{.kind = BLIND_CREATE, .call_ns = 0, .ret_ns = 1}};

    (void)state;
    for (uint32_t i = 1; i < 40; i++) {
        ops[i] = (struct blind_op){.kind = BLIND_WRITE, .value = i, .call_ns = 2, .ret_ns = 3};
    }
    ops[39] = (struct blind_op){.kind = BLIND_READ, .value = 100, .call_ns = 4, .ret_ns = 5};
    assert_int_equal(blind_search(ops, 40, 1000), BLIND_TOO_MANY_STEPS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_short_histories),
        cmocka_unit_test(test_random_histories),
        cmocka_unit_test(test_much_at_once),
        cmocka_unit_test(test_gives_up_in_the_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
