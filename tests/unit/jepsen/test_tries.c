/* Tries of one operation: which of them stands for it, and whose secret is the newest (S9, S1). */
#include "tests/unit/jepsen/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static enum check_kind verdict_of(const struct history *history)
{
    struct check_options options;
    struct check_verdict verdict;

    check_options_init(&options);
    check_history(history, &options, &verdict);
    if (verdict.kind != CHECK_OK) {
        print_message("%s %s\n", model_property_text(verdict.property), verdict.rule);
    }
    return verdict.kind;
}

/* A later try may mint a secret anew; when its answer never came, the old one may be gone (S9). */
static void test_a_lost_retry_may_have_minted_again(void **state)
{
    union op_request request = {false};
    struct scene scene;

    (void)state;
    for (int retried = 0; retried < 2; retried++) {
        scene_init(&scene);
        maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
        scene_create(&scene, "alice", "A", 60, 60);
        struct op_token right = scene.token;
        if (retried) {
            maker_retry(&scene.maker, &scene.caller, OP_session_create, &scene.request);
            maker_lose(&scene.maker);
        }
        scene.token.secret[0] ^= 1;
        scene_validate(&scene);
        assert_int_equal(scene.maker.answer.outcome, OP_NOT_FOUND);
        uint32_t row = scene.maker.row;
        scene.token = right;
        scene_validate(&scene);
        struct history_answer gone = scene_answer(&scene);
        gone.outcome = OP_NOT_FOUND;
        gone.details = &scene.maker.answer.details;
        history_return(scene.maker.history, scene.maker.row, &gone);
        assert_true(scene.maker.row > row);
        assert_int_equal(verdict_of(scene.maker.history), retried ? CHECK_OK : CHECK_VIOLATION);
        scene_done(&scene);
    }
}

/* The same, where the session is a target of a task. */
static void test_a_lost_retry_of_a_target(void **state)
{
    union op_request request = {false};
    struct scene scene;

    (void)state;
    for (int retried = 0; retried < 2; retried++) {
        scene_init(&scene);
        maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
        scene_create(&scene, "alice", "A", 60, 60);
        struct op_token own = scene.token;
        scene_create(&scene, "alice", "A", 60, 60);
        if (retried) {
            maker_retry(&scene.maker, &scene.caller, OP_session_create, &scene.request);
            maker_lose(&scene.maker);
        }
        union op_request begin = {.task_begin = {.user = bytes_of_text("alice"),
                                                 .has_token = true,
                                                 .token = own,
                                                 .kind = bytes_of_text("work"),
                                                 .scope = OP_TASK_SCOPE_SESSION,
                                                 .ttl = 30000000,
                                                 .has_targets = true,
                                                 .targets_count = 1,
                                                 .targets[0].token = scene.token}};
        maker_call(&scene.maker, &scene.caller, OP_task_begin, &begin);
        assert_int_equal(scene.maker.answer.outcome, OP_OK);
        struct history_answer gone = scene_answer(&scene);
        gone.outcome = OP_NOT_FOUND;
        history_return(scene.maker.history, scene.maker.row, &gone);
        assert_int_equal(verdict_of(scene.maker.history), retried ? CHECK_OK : CHECK_VIOLATION);
        scene_done(&scene);
    }
}

/* A retry is the same operation, invoked when it was first sent: also behind the deadline (S6). */
static void test_a_retry_behind_the_deadline(void **state)
{
    union op_request request = {false};
    struct scene scene;

    (void)state;
    scene_init(&scene);
    maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
    scene_create(&scene, "alice", "A", 20, 20);
    scene_put(&scene, "k", "v");
    maker_wait(&scene.maker, 30000000);
    maker_retry(&scene.maker, &scene.caller, OP_state_put, &scene.request);
    assert_int_equal(scene.maker.answer.outcome, OP_OK);
    assert_int_equal(verdict_of(scene.maker.history), CHECK_OK);
    scene_done(&scene);
}

/* The newest row's answer is another: with `reply` where it is OK, COMPROMISED where ENDED. */
static void tell(struct scene *scene, enum op_outcome outcome, const union op_reply *reply)
{
    const struct op_details details = {.has_cause = outcome == OP_ENDED,
                                       .cause = OP_END_CAUSE_COMPROMISED};
    struct history_answer answer = scene_answer(scene);

    answer.outcome = outcome;
    answer.reply = outcome == OP_OK ? reply : NULL;
    answer.details = outcome == OP_OK ? NULL : &details;
    history_return(scene->maker.history, scene->maker.row, &answer);
}

/* The highest try's secret counts, in whatever order they were answered: none was when the last was
 * sent. */
static void test_the_highest_try_minted_last(void **state)
{
    static const uint8_t sent[] = {4, 2, 3};
    static const struct {
        uint8_t shown;
        enum op_outcome outcome;
        enum check_kind kind;
    } cases[] = {{4, OP_OK, CHECK_OK},
                 {4, OP_NOT_FOUND, CHECK_VIOLATION},
                 {0, OP_OK, CHECK_VIOLATION},
                 {2, OP_OK, CHECK_VIOLATION}};
    union op_request request = {false};
    struct scene scene;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        scene_init(&scene);
        maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
        scene_create(&scene, "alice", "A", 60, 60);
        union op_request create = scene.request;
        union op_reply made = scene.maker.answer.reply;
        scene_validate(&scene);
        union op_reply valid = scene.maker.answer.reply;
        maker_lose(&scene.maker); /* that secret is about to go */
        uint64_t sent_ns = 0;
        for (size_t t = 0; t < sizeof sent; t++) {
            maker_retry(&scene.maker, &scene.caller, OP_session_create, &create);
            struct event *event = &scene.maker.history->events[scene.maker.row];
            event->position = made.session_create.epoch;
            made.session_create.token.secret[31] = sent[t];
            tell(&scene, OP_OK, &made);
            event->attempt = sent[t];
            sent_ns = t == 0 ? event->call_ns : sent_ns;
            event->call_ns = sent_ns;
        }
        scene.token.secret[31] = cases[i].shown;
        scene_validate(&scene);
        tell(&scene, cases[i].outcome, &valid);
        assert_int_equal(verdict_of(scene.maker.history), cases[i].kind);
        scene_done(&scene);
    }
}

/* Whoever uses a number for another request is told so, and nothing of what had that number. */
static void test_a_reused_number_tells_nothing(void **state)
{
    union op_request request = {false};
    struct scene scene;

    (void)state;
    for (int lost = 0; lost < 2; lost++) {
        scene_init(&scene);
        maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
        scene_create(&scene, "alice", "A", 60, 60);
        scene_put(&scene, "k", "v");
        if (lost) {
            maker_lose(&scene.maker);
        }
        scene.request.state_put.value = bytes_of_text("w");
        maker_retry(&scene.maker, &scene.caller, OP_state_put, &scene.request);
        assert_int_equal(scene.maker.answer.outcome, OP_NUMBER_REUSED);
        scene_get(&scene, "k");
        assert_int_equal(scene.maker.answer.reply.state_get.value.size, 1);
        assert_int_equal(verdict_of(scene.maker.history), CHECK_OK);
        scene_done(&scene);
    }
}

/* A rotation whose answer never came may have been refused, where a REUSE may have come before. */
static void test_a_lost_rotation_after_a_reuse(void **state)
{
    static const struct {
        bool late; /* the second rotation: a REUSE may have come before it */
        bool lost; /* its answer */
        enum check_kind kind;
    } cases[] = {
        {true, true, CHECK_OK}, {true, false, CHECK_VIOLATION}, {false, true, CHECK_VIOLATION}};
    union op_request request = {false};
    struct scene scene;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        scene_init(&scene);
        maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
        scene_create(&scene, "alice", "A", 60, 60);
        struct op_token first = scene.token;
        union op_request rotate = {
            .session_rotate = {.user = bytes_of_text("alice"), .token = scene.token}};
        maker_call(&scene.maker, &scene.caller, OP_session_rotate, &rotate);
        struct op_token second = scene.maker.answer.reply.session_rotate.token;
        maker_wait(&scene.maker, cases[i].late ? scene.maker.limits.rotation_grace_us : 1000);
        scene.token = first;
        scene_validate(&scene);
        assert_int_equal(scene.maker.answer.outcome, OP_NOT_FOUND);
        rotate.session_rotate.token = second;
        maker_call(&scene.maker, &scene.caller, OP_session_rotate, &rotate);
        assert_int_equal(scene.maker.answer.outcome, OP_OK);
        uint64_t position = scene.maker.position, time = scene.maker.time;
        if (cases[i].lost) {
            maker_lose(&scene.maker);
            history_place(scene.maker.history, scene.maker.row, position, time);
        }
        scene.token = second;
        scene_put(&scene, "k", "v");
        tell(&scene, OP_ENDED, NULL);
        assert_int_equal(verdict_of(scene.maker.history), cases[i].kind);
        scene_done(&scene);
    }
}

/* The one who uses the secret that was rotated may be a try of long before, if it was given up. */
static void test_a_late_try_may_be_the_reuse(void **state)
{
    static const struct {
        enum op_outcome outcome; /* of the only other call that showed the first secret */
        uint16_t attempts;
        enum check_kind kind;
    } cases[] = {{OP_OK, 1, CHECK_VIOLATION},
                 {OP_NOT_READY, 1, CHECK_VIOLATION},
                 {OP_UNKNOWN, 1, CHECK_OK},
                 {OP_NOT_READY, 2, CHECK_OK},
                 {OP_OK, 2, CHECK_OK}};
    union op_request request = {false};
    struct scene scene;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        scene_init(&scene);
        maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
        scene_create(&scene, "alice", "A", 60, 60);
        union op_request rotate = {
            .session_rotate = {.user = bytes_of_text("alice"), .token = scene.token}};
        scene_validate(&scene);
        if (cases[i].outcome != OP_OK) {
            tell(&scene, cases[i].outcome, NULL);
        }
        scene.maker.history->events[scene.maker.row].attempt = cases[i].attempts;
        maker_call(&scene.maker, &scene.caller, OP_session_rotate, &rotate);
        scene.token = scene.maker.answer.reply.session_rotate.token;
        maker_wait(&scene.maker, scene.maker.limits.rotation_grace_us);
        scene_validate(&scene);
        tell(&scene, OP_ENDED, NULL);
        assert_int_equal(verdict_of(scene.maker.history), cases[i].kind);
        scene_done(&scene);
    }
}

/* A try that is not above those before it mints nothing. */
static void test_only_a_higher_try_mints(void **state)
{
    static const struct {
        uint8_t attempt;
        bool minted;
        enum check_kind kind;
    } cases[] = {{1, true, CHECK_VIOLATION},
                 {1, false, CHECK_OK},
                 {2, true, CHECK_VIOLATION},
                 {3, true, CHECK_OK}};
    union op_request request = {false};
    struct scene scene;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        scene_init(&scene);
        maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
        scene_create(&scene, "alice", "A", 60, 60);
        scene.maker.history->events[scene.maker.row].attempt = 2;
        union op_reply made = scene.maker.answer.reply;
        maker_retry(&scene.maker, &scene.caller, OP_session_create, &scene.request);
        made.session_create.has_token = cases[i].minted;
        made.session_create.token.secret[31] ^= 1;
        tell(&scene, OP_OK, &made);
        scene.maker.history->events[scene.maker.row].attempt = cases[i].attempt;
        scene.maker.history->events[scene.maker.row].superseded = !cases[i].minted;
        assert_int_equal(verdict_of(scene.maker.history), cases[i].kind);
        scene_done(&scene);
    }
}

/* A claim that is asked for again when its process has claimed the task once more mints nothing. */
static void test_an_outdone_claim_mints_nothing(void **state)
{
    union op_request request = {false};
    struct scene scene;

    (void)state;
    for (int minted = 0; minted < 2; minted++) {
        scene_init(&scene);
        maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
        scene_create(&scene, "alice", "A", 60, 60);
        scene_begin(&scene, OP_TASK_SCOPE_SESSION, 60);
        scene_claim(&scene, 30);
        union op_request claim = scene.request;
        union op_reply first = scene.maker.answer.reply;
        scene_claim(&scene, 30);
        assert_int_equal(scene.maker.answer.outcome, OP_OK);
        scene.caller.number--;
        maker_retry(&scene.maker, &scene.caller, OP_task_claim, &claim);
        first.task_claim.has_fence = minted;
        tell(&scene, OP_OK, &first);
        scene.maker.history->events[scene.maker.row].superseded = !minted;
        assert_int_equal(verdict_of(scene.maker.history), minted ? CHECK_VIOLATION : CHECK_OK);
        scene_done(&scene);
    }
}

/* A row tells of the last of its tries. One before that, of which nobody tells, may have minted a
 * secret that went away with its answer; the next to the first may not. */
static void test_a_try_between_may_have_minted(void **state)
{
    union op_request request = {false};
    union op_request cancel = {false};
    struct scene scene;

    (void)state;
    for (uint16_t attempt = 2; attempt <= 3; attempt++) {
        scene_init(&scene);
        maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
        scene_create(&scene, "alice", "A", 60, 60);
        scene_begin(&scene, OP_TASK_SCOPE_SESSION, 60);
        scene_claim(&scene, 30);
        union op_request claim = scene.request;
        union op_reply first = scene.maker.answer.reply;
        cancel.task_cancel.user = bytes_of_text("alice");
        cancel.task_cancel.task = first.task_claim.task;
        maker_call(&scene.maker, &scene.caller, OP_task_cancel, &cancel);
        assert_int_equal(scene.maker.answer.outcome, OP_OK);
        scene.caller.number--;
        maker_retry(&scene.maker, &scene.caller, OP_task_claim, &claim);
        first.task_claim.has_fence = false;
        tell(&scene, OP_OK, &first);
        scene.maker.history->events[scene.maker.row].superseded = true;
        scene.maker.history->events[scene.maker.row].attempt = attempt;
        scene.caller.number++;
        scene_task_put(&scene, scene.token.id, 1, "key", "late");
        assert_int_equal(scene.maker.answer.outcome, OP_FENCED);
        assert_int_equal(verdict_of(scene.maker.history), CHECK_OK);
        struct history_answer gone = scene_answer(&scene);
        gone.outcome = OP_NOT_FOUND;
        gone.reply = NULL;
        history_return(scene.maker.history, scene.maker.row, &gone);
        assert_int_equal(verdict_of(scene.maker.history),
                         attempt == 3 ? CHECK_OK : CHECK_VIOLATION);
        scene_done(&scene);
    }
}

/* Who alone ever asked for a session was told without its secret; or another try has it. */
static void test_superseded_by_nobody(void **state)
{
    union op_request request = {false};
    struct scene scene;

    (void)state;
    for (int tries = 1; tries <= 2; tries++) {
        scene_init(&scene);
        maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
        scene_create(&scene, "alice", "A", 60, 60);
        uint32_t first = scene.maker.row;
        struct history_answer answer = scene_answer(&scene);
        union op_reply reply = scene.maker.answer.reply;
        if (tries == 2) {
            maker_retry(&scene.maker, &scene.caller, OP_session_create, &scene.request);
        }
        reply.session_create.has_token = false;
        answer.reply = &reply;
        answer.superseded = true;
        history_return(scene.maker.history, first, &answer);
        assert_int_equal(verdict_of(scene.maker.history), tries == 1 ? CHECK_VIOLATION : CHECK_OK);
        scene_done(&scene);
    }
}

/* V1: only what was sent again after a try of unknown fate is a repetition; it is in the JSON. */
static void test_what_counts_as_retried(void **state)
{
    struct check_options options;
    struct check_verdict verdict;
    struct scene scene;
    char fault[80];

    (void)state;
    scene_init(&scene);
    scene_create(&scene, "alice", "A", 60, 60);
    scene_create(&scene, "bob", "A", 60, 60);
    scene.maker.history->events[0].attempt = 2;
    scene.maker.history->events[1].attempt = 2;
    scene.maker.history->events[1].again = true;
    FILE *file = tmpfile();
    assert_true(file != NULL && history_write(scene.maker.history, file));
    rewind(file);
    struct history *read = history_create();
    assert_true(history_read(read, file, fault, sizeof fault));
    fclose(file);
    check_options_init(&options);
    check_history(read, &options, &verdict);
    assert_int_equal(verdict.counters.retried, 1);
    history_destroy(read);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_lost_retry_may_have_minted_again),
        cmocka_unit_test(test_a_lost_retry_of_a_target),
        cmocka_unit_test(test_a_retry_behind_the_deadline),
        cmocka_unit_test(test_the_highest_try_minted_last),
        cmocka_unit_test(test_a_reused_number_tells_nothing),
        cmocka_unit_test(test_a_lost_rotation_after_a_reuse),
        cmocka_unit_test(test_a_late_try_may_be_the_reuse),
        cmocka_unit_test(test_only_a_higher_try_mints),
        cmocka_unit_test(test_an_outdone_claim_mints_nothing),
        cmocka_unit_test(test_a_try_between_may_have_minted),
        cmocka_unit_test(test_superseded_by_nobody),
        cmocka_unit_test(test_what_counts_as_retried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
