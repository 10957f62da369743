/* A right law's histories pass, a wrong law's are refused: each mutation of the specification is
 * seen by the checker (verification of S1-S4, S9, S12 against docs/MODEL.md sections 3 to 6). */
#include "tests/unit/jepsen/maker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { STEPS = 400, RIGHT_SEEDS = 150, WRONG_SEEDS = 150 };

static enum check_kind kind_of(uint64_t seed, enum model_mutation mutation,
                               struct check_verdict *verdict)
{
    struct check_options options;
    struct maker maker;

    check_options_init(&options);
    options.reduce = false;
    if (seed % 4 == 3) { /* so that lists of children fill up */
        options.limits.session_children_max = 1;
    }
    maker_init_within(&maker, seed, mutation, &options.limits);
    maker.spread_ns = seed % 2 == 0 ? 0 : 200;
    maker_mix(&maker, STEPS);
    check_history(maker.history, &options, verdict);
    if (mutation == MODEL_MUTATION_NONE && verdict->kind != CHECK_OK) {
        check_print(maker.history, verdict, stderr);
    }
    maker_done(&maker);
    return verdict->kind;
}

static void test_right_law_passes(void **state)
{
    struct check_verdict verdict;
    uint64_t fenced = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= RIGHT_SEEDS; seed++) {
        assert_int_equal(kind_of(seed, MODEL_MUTATION_NONE, &verdict), CHECK_OK);
        fenced += verdict.counters.fenced;
    }
    assert_true(fenced > RIGHT_SEEDS);
}

static void test_each_wrong_law_is_refused(void **state)
{
    bool all = true;

    (void)state;
    for (int mutation = 1; mutation < MODEL_MUTATION_END; mutation++) {
        struct check_verdict verdict = {.kind = CHECK_OK};
        uint64_t seed = 1;

        while (seed <= WRONG_SEEDS &&
               kind_of(seed, (enum model_mutation)mutation, &verdict) != CHECK_VIOLATION) {
            seed++;
        }
        print_message("mutation %2d: seed %3u: %s %s\n", mutation, (unsigned)seed,
                      model_property_text(verdict.property), verdict.rule);
        all = all && seed <= WRONG_SEEDS;
    }
    assert_true(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_law_passes),
        cmocka_unit_test(test_each_wrong_law_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
