/* Derived values (docs/MODEL.md section 4): one for each session and label, none for two. */
#include "tests/unit/jepsen/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void derive(struct scene *s, const char *label, const char *value)
{
    memset(&s->request, 0, sizeof s->request);
    s->request.session_derive.user = bytes_of_text(s->user);
    s->request.session_derive.token = s->token;
    s->request.session_derive.label = bytes_of_text(label);
    maker_call(&s->maker, &s->caller, OP_session_derive, &s->request);

    struct history_answer answer = scene_answer(s);
    union op_reply reply = s->maker.answer.reply;
    assert_int_equal(answer.outcome, OP_OK);
    reply.session_derive.value = bytes_of_text(value);
    answer.reply = &reply;
    history_return(s->maker.history, s->maker.row, &answer);
}

/* The rule that is broken, or NULL. */
static void judge(struct scene *s, const char *rule, uint32_t operations)
{
    struct check_options options;
    struct check_verdict verdict;

    check_options_init(&options);
    check_history(s->maker.history, &options, &verdict);
    if (rule == NULL) {
        if (verdict.kind != CHECK_OK) {
            check_print(s->maker.history, &verdict, stderr);
        }
        assert_int_equal(verdict.kind, CHECK_OK);
    } else {
        assert_int_equal(verdict.kind, CHECK_VIOLATION);
        assert_int_equal(verdict.property, MODEL_S1);
        assert_non_null(strstr(verdict.rule, rule));
        assert_int_equal(verdict.op_count, operations);
    }
    scene_done(s);
}

static void each_session_and_label_has_its_own(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_create(&s, "alice", "A", 60, 60);
    derive(&s, "memory", "one");
    derive(&s, "cache", "two");
    derive(&s, "memory", "one");
    scene_create(&s, "alice", "A", 60, 60);
    derive(&s, "memory", "three");
    derive(&s, "cache", "four");
    judge(&s, NULL, 0);
}

static void a_value_that_changes_is_found(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_create(&s, "alice", "A", 60, 60);
    derive(&s, "memory", "one");
    derive(&s, "cache", "two");
    derive(&s, "memory", "three");
    judge(&s, "have two derived values", 2);
}

static void one_value_of_two_sessions_is_found(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_create(&s, "alice", "A", 60, 60);
    derive(&s, "memory", "one");
    derive(&s, "cache", "two");
    scene_create(&s, "bob", "A", 60, 60);
    derive(&s, "memory", "one");
    judge(&s, "belongs to two sessions or labels", 2);
}

static void one_value_of_two_labels_is_found(void **state)
{
    struct scene s;

    (void)state;
    scene_init(&s);
    scene_create(&s, "alice", "A", 60, 60);
    derive(&s, "memory", "one");
    derive(&s, "cache", "one");
    judge(&s, "belongs to two sessions or labels", 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_session_and_label_has_its_own),
        cmocka_unit_test(a_value_that_changes_is_found),
        cmocka_unit_test(one_value_of_two_sessions_is_found),
        cmocka_unit_test(one_value_of_two_labels_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
