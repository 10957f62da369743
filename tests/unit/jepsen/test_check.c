/* What is around the checks: unknown outcomes, V1, and histories as JSON lines (S1, V1). */
#include "jepsen/check/order.h"
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

/* An unknown write is seen by a read, or not: both are right, but it must have been asked for. */
static void test_unknown_write(void **state)
{
    struct scene scene;

    (void)state;
    for (int seen = 0; seen < 2; seen++) {
        scene_init(&scene);
        scene_create(&scene, "alice", "A", 60, 60);
        if (seen == 0) {
            scene_get(&scene, "k");
        }
        scene_put(&scene, "k", "v");
        maker_lose(&scene.maker);
        if (seen == 1) {
            scene_get(&scene, "k");
        }
        assert_int_equal(verdict_of(scene.maker.history), CHECK_OK);
        scene_done(&scene);
    }
}

static void test_unknown_end_and_revoke(void **state)
{
    struct scene scene;

    (void)state;
    for (int revoke = 0; revoke < 2; revoke++) {
        scene_init(&scene);
        scene_create(&scene, "alice", "A", 60, 60);
        scene_validate(&scene);
        if (revoke) {
            scene_revoke_agent(&scene, "A");
        } else {
            scene_end(&scene);
        }
        maker_lose(&scene.maker);
        scene_validate(&scene);
        scene_validate(&scene);
        assert_int_equal(verdict_of(scene.maker.history), CHECK_OK);
        scene_done(&scene);
    }
}

/* A position that the log shows is used: then the unknown write has to be seen. */
static void test_placed_write_is_not_lost(void **state)
{
    struct scene scene;
    uint32_t row;

    (void)state;
    scene_init(&scene);
    scene_create(&scene, "alice", "A", 60, 60);
    scene_put(&scene, "k", "v");
    maker_lose(&scene.maker);
    row = scene.maker.row;
    scene_put(&scene, "k", "w");
    scene_get(&scene, "k");
    assert_int_equal(verdict_of(scene.maker.history), CHECK_OK);
    history_place(scene.maker.history, row, 2, scene.maker.time);
    assert_int_equal(verdict_of(scene.maker.history), CHECK_OK);
    scene_put(&scene, "k", "x");
    maker_lose(&scene.maker);
    history_place(scene.maker.history, scene.maker.row, scene.maker.position, scene.maker.time);
    scene_lie(&scene, MODEL_MUTATION_END_IGNORED);
    scene_end(&scene);
    scene_get(&scene, "k");
    assert_int_equal(verdict_of(scene.maker.history), CHECK_OK);
    scene_done(&scene);
}

static void test_unknown_does_not_excuse_all(void **state)
{
    struct scene scene;

    (void)state;
    scene_init(&scene);
    scene_create(&scene, "alice", "A", 60, 60);
    scene_revoke_user(&scene, "bob");
    maker_lose(&scene.maker);
    scene_end(&scene);
    scene_lie(&scene, MODEL_MUTATION_END_IGNORED);
    scene_validate(&scene);
    assert_int_equal(verdict_of(scene.maker.history), CHECK_VIOLATION);
    scene_done(&scene);
}

/* Below the scene's session, for another agent. */
static void open_child(struct scene *scene)
{
    struct op_session_create_request *request = &scene->request.session_create;

    memset(&scene->request, 0, sizeof scene->request);
    request->user = bytes_of_text("alice");
    request->agent = bytes_of_text("B");
    request->idle = request->absolute = 60000000;
    request->has_parent = true;
    request->parent = scene->token;
    maker_call(&scene->maker, &scene->caller, OP_session_create, &scene->request);
}

enum { ABOVE_NOTHING, ABOVE_REVOKED, ABOVE_ENDED, ABOVE_LOST, ABOVE_IDLE, ABOVES };

static void happen_above(struct scene *scene, int what)
{
    if (what == ABOVE_REVOKED) {
        scene_revoke_agent(scene, "A");
    } else if (what == ABOVE_ENDED) {
        scene_end(scene);
    } else if (what == ABOVE_LOST) {
        scene_end(scene);
        maker_lose(&scene->maker);
    } else if (what == ABOVE_IDLE) {
        maker_wait(&scene->maker, 31000000);
    }
}

/* The blind search lets a child die without a word only of what may have befallen one above it. */
static void test_blind_asks_why_a_child_died(void **state)
{
    (void)state;
    for (int what = ABOVE_NOTHING; what < ABOVES; what++) {
        struct check_verdict verdict = {.kind = CHECK_OK};
        struct history_answer answer;
        struct check_options options;
        struct op_token child;
        struct scene scene;
        struct order order;

        check_options_init(&options);
        scene_init(&scene);
        scene_create(&scene, "alice", "A", 30, 60);
        open_child(&scene);
        child = scene.maker.answer.reply.session_create.token;
        happen_above(&scene, what);
        scene.token = child;
        scene_validate(&scene);
        answer = scene_answer(&scene);
        answer.outcome = OP_ENDED;
        history_return(scene.maker.history, scene.maker.row, &answer);
        order_init(&order, scene.maker.history);
        assert_int_equal(check_blind(scene.maker.history, &order, &options, &verdict),
                         what != ABOVE_NOTHING);
        assert_int_equal(verdict.kind, what == ABOVE_NOTHING ? CHECK_VIOLATION : CHECK_OK);
        order_done(&order);
        scene_done(&scene);
    }
}

/* V1: a good run that did not do what was asked for is INVALID. */
static void test_counters(void **state)
{
    static const char *const names[] = {"operations", "definite",      "unknown",        "retried",
                                        "fenced",     "near_deadline", "leader_changes", "revokes",
                                        "snapshots",  "blind_sessions"};
    struct check_options options;
    struct check_verdict verdict;
    struct scene scene;

    (void)state;
    scene_init(&scene);
    scene_create(&scene, "alice", "A", 60, 60);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        check_options_init(&options);
        assert_true(check_counter_set(&options.least, names[i], 3));
        check_history(scene.maker.history, &options, &verdict);
        assert_int_equal(verdict.kind, CHECK_INVALID);
        assert_non_null(strstr(verdict.rule, names[i]));
    }
    assert_false(check_counter_set(&options.least, "speed", 3));
    scene_done(&scene);
}

static char *text_of(const struct history *history)
{
    FILE *file = tmpfile();
    long size;
    char *text;

    assert_non_null(file);
    assert_true(history_write(history, file));
    size = ftell(file);
    text = calloc(1, (size_t)size + 1);
    assert_non_null(text);
    rewind(file);
    assert_int_equal(fread(text, 1, (size_t)size, file), size);
    assert_int_equal(fclose(file), 0);
    return text;
}

static bool read_text(struct history *history, const char *text, char fault[200])
{
    FILE *file = tmpfile();
    bool good;

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    rewind(file);
    good = history_read(history, file, fault, 200);
    assert_int_equal(fclose(file), 0);
    return good;
}

static void test_json_there_and_back(void **state)
{
    struct history *again = history_create();
    struct maker maker;
    char *first, *second, fault[200] = "";

    (void)state;
    maker_init(&maker, 7, MODEL_MUTATION_NONE);
    maker_mix(&maker, 500);
    maker_lose(&maker);
    first = text_of(maker.history);
    if (!read_text(again, first, fault)) {
        fail_msg("%s", fault);
    }
    second = text_of(again);
    assert_string_equal(first, second);
    assert_int_equal(again->count, maker.history->count);
    assert_int_equal(verdict_of(again), CHECK_OK);
    free(first);
    free(second);
    history_destroy(again);
    maker_done(&maker);
}

static void test_bad_lines(void **state)
{
    static const struct {
        const char *text, *fault;
    } cases[] = {
        {"{}", "line 1: ends without a newline"},
        {"{}\n", "line 1: proc: missing or wrong"},
        {"\n[1\n", "line 2: no JSON"},
        {"{\"proc\":-1}\n", "line 1: proc"},
        {"{\"proc\":1,\"proc\":1}\n", "line 1: no JSON"},
        {"{\"proc\":1,\"seq\":1,\"try\":1,\"call_ns\":1}\n", "line 1: tenant"},
    };
    struct history *history = history_create();
    char fault[200];

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_false(read_text(history, cases[i].text, fault));
        assert_int_equal(strncmp(fault, cases[i].fault, strlen(cases[i].fault)), 0);
        assert_int_equal(history->count, 0);
    }
    history_destroy(history);
}

/* An answer that tells of a deadline may come behind it: its clock is then the later one (S6). */
static void test_a_deadline_told_late(void **state)
{
    union op_request request = {false};
    struct scene scene;

    (void)state;
    scene_init(&scene);
    maker_call(&scene.maker, &scene.caller, OP_client_register, &request);
    scene_create(&scene, "alice", "A", 10, 60);
    union op_request renew = {
        .session_renew = {.user = bytes_of_text("alice"), .token = scene.token}};
    maker_call(&scene.maker, &scene.caller, OP_session_renew, &renew);
    struct history_answer told = scene_answer(&scene);
    union op_reply reply = scene.maker.answer.reply;
    uint32_t row = scene.maker.row;
    maker_wait(&scene.maker, 12000000);
    scene_validate(&scene);
    assert_int_equal(scene.maker.answer.outcome, OP_EXPIRED);
    told.ret_ns += 14000000000;
    told.clock += 14000000;
    told.reply = &reply;
    history_return(scene.maker.history, row, &told);
    assert_int_equal(verdict_of(scene.maker.history), CHECK_OK);
    scene.maker.history->events[row].call_ns += 5000000000;
    scene.maker.history->events[row].clock -= 14000000;
    assert_int_equal(verdict_of(scene.maker.history), CHECK_VIOLATION);
    scene_done(&scene);
}

/* An operator stated the time: it may step, where it was not known, and nowhere else (S5, T3). */
static void test_a_stated_time_may_step(void **state)
{
    struct check_options options;
    struct check_verdict verdict;
    struct scene scene;

    (void)state;
    scene_init(&scene);
    scene_revoke_user(&scene, "alice");
    maker_wait(&scene.maker, 1000000);
    scene_revoke_user(&scene, "bob");
    struct event *events = scene.maker.history->events;
    events[1].clock = events[0].clock + 5000000;
    struct check_span during = {.from_ns = events[0].ret_ns + 1, .to_ns = events[1].call_ns - 1};
    struct check_span before = {.from_ns = 0, .to_ns = events[0].call_ns - 1};
    const struct {
        const struct check_span *timeless;
        enum check_kind kind;
    } cases[] = {{NULL, CHECK_VIOLATION}, {&during, CHECK_OK}, {&before, CHECK_VIOLATION}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        check_options_init(&options);
        options.timeless = cases[i].timeless;
        options.timeless_count = cases[i].timeless != NULL;
        check_history(scene.maker.history, &options, &verdict);
        assert_int_equal(verdict.kind, cases[i].kind);
    }
    scene_done(&scene);
}

/* A clock that nobody has written under is lost with the power, and the next begins where it did: a
 * read that was told of it is no measure. Behind a command it is (S5, T2). */
static void test_a_clock_without_a_command_may_begin_again(void **state)
{
    union op_request list = {.session_list = {.user = bytes_of_text("alice")}};
    struct scene scene;

    (void)state;
    for (int written = 0; written < 2; written++) {
        scene_init(&scene);
        if (written) {
            scene_revoke_user(&scene, "carol");
        }
        maker_call(&scene.maker, &scene.caller, OP_session_list, &list);
        scene_revoke_user(&scene, "bob");
        struct event *last = &scene.maker.history->events[scene.maker.row];
        last->call_ns += 20000000000;
        last->ret_ns += 20000000000;
        assert_int_equal(verdict_of(scene.maker.history), written ? CHECK_VIOLATION : CHECK_OK);
        scene_done(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_unknown_write),
        cmocka_unit_test(test_unknown_end_and_revoke),
        cmocka_unit_test(test_placed_write_is_not_lost),
        cmocka_unit_test(test_unknown_does_not_excuse_all),
        cmocka_unit_test(test_blind_asks_why_a_child_died),
        cmocka_unit_test(test_counters),
        cmocka_unit_test(test_a_stated_time_may_step),
        cmocka_unit_test(test_a_clock_without_a_command_may_begin_again),
        cmocka_unit_test(test_a_deadline_told_late),
        cmocka_unit_test(test_json_there_and_back),
        cmocka_unit_test(test_bad_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
