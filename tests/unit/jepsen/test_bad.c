/* Histories that are known to be bad, of sessions, fences, time and terms: each is refused for the
 * stated promise and rule, and taking any one operation away (with what depends on it) makes it
 * good. */
#include "tests/unit/jepsen/bad.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* ---- S1 ---- */

static void alive_after_end(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    scene_end(s);
    scene_lie(s, MODEL_MUTATION_END_IGNORED);
    scene_validate(s);
}

static void other_user(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    s->user = "bob";
    scene_lie(s, MODEL_MUTATION_USER_IGNORED);
    scene_validate(s);
}

static void lost_write(struct scene *s)
{
    struct history_answer answer = {.outcome = OP_OK};
    union op_reply reply = {false};

    scene_create(s, "alice", "A", 60, 60);
    scene_put(s, "k", "v");
    scene_get(s, "k");
    answer = scene_answer(s);
    reply.state_get.session = s->token.id;
    answer.reply = &reply;
    history_return(s->maker.history, s->maker.row, &answer);
}

static void against_real_time(struct scene *s)
{
    struct event *events;

    scene_create(s, "alice", "A", 60, 60);
    scene_end(s);
    scene_create(s, "bob", "A", 60, 60);
    events = s->maker.history->events;
    events[2].call_ns += 5000;
    events[2].ret_ns += 5000;
    events[1].call_ns += 9000;
    events[1].ret_ns += 9000;
}

/* ---- S2 ---- */

static void alive_after_revoke_user(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    scene_revoke_user(s, "alice");
    scene_lie(s, MODEL_MUTATION_REVOKE_IGNORED);
    scene_validate(s);
}

static void write_after_revoke_agent(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    scene_revoke_agent(s, "A");
    scene_lie(s, MODEL_MUTATION_REVOKE_IGNORED);
    scene_put(s, "k", "v");
}

static void task_after_revoke(struct scene *s)
{
    struct op_token other;

    scene_create(s, "alice", "B", 60, 60);
    other = s->token;
    scene_create(s, "alice", "A", 60, 60);
    scene_begin(s, OP_TASK_SCOPE_USER, 60);
    scene_claim(s, 30);
    scene_revoke_agent(s, "A");
    scene_lie(s, MODEL_MUTATION_W6);
    scene_task_put(s, other.id, 1, "k", "v");
}

/* ---- S3 ---- */

static void w1(struct scene *s)
{
    struct op_token old;

    scene_create(s, "alice", "A", 60, 60);
    scene_begin(s, OP_TASK_SCOPE_SESSION, 60);
    scene_claim(s, 30);
    old = s->fence;
    scene_claim(s, 30);
    s->fence = old;
    scene_lie(s, MODEL_MUTATION_W1);
    scene_task_put(s, s->token.id, 1, "k", "v");
}

static void w3(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    scene_begin(s, OP_TASK_SCOPE_USER, 60);
    scene_claim(s, 30);
    scene_end(s);
    scene_lie(s, MODEL_MUTATION_W3);
    scene_task_put(s, s->token.id, 1, "k", "v");
}

static void w4(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    scene_begin(s, OP_TASK_SCOPE_USER, 60);
    scene_claim(s, 30);
    scene_create(s, "alice", "A", 60, 60);
    /* Its grant lies above E as well, but W7 asks for that only where W4 holds. */
    scene_lie(s, MODEL_MUTATION_W4);
    scene_task_put(s, s->token.id, 1, "k", "v");
}

static void w5(struct scene *s)
{
    struct op_token other;

    scene_create(s, "alice", "A", 60, 60);
    other = s->token;
    scene_create(s, "alice", "A", 60, 60);
    scene_begin(s, OP_TASK_SCOPE_SESSION, 60);
    scene_claim(s, 30);
    scene_lie(s, MODEL_MUTATION_W5);
    scene_task_put(s, other.id, 1, "k", "v");
}

static void w7(struct scene *s)
{
    s->grant_ttl = 2;
    scene_create(s, "alice", "A", 60, 60);
    scene_begin(s, OP_TASK_SCOPE_SESSION, 60);
    scene_claim(s, 30);
    maker_wait(&s->maker, 2000000);
    scene_lie(s, MODEL_MUTATION_W7);
    scene_task_put(s, s->token.id, 1, "k", "v");
}

static void w8(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    scene_begin(s, OP_TASK_SCOPE_SESSION, 60);
    scene_claim(s, 5);
    maker_wait(&s->maker, 5000000);
    scene_lie(s, MODEL_MUTATION_W8);
    scene_task_put(s, s->token.id, 1, "k", "v");
}

static void w9(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    scene_begin(s, OP_TASK_SCOPE_SESSION, 60);
    scene_claim(s, 30);
    scene_task_put(s, s->token.id, 1, "k", "v");
    scene_lie(s, MODEL_MUTATION_W9);
    scene_task_put(s, s->token.id, 1, "k", "w");
}

/* ---- S4 ---- */

static void alive_at_idle(struct scene *s)
{
    scene_create(s, "alice", "A", 2, 60);
    maker_wait(&s->maker, 2000000);
    scene_lie(s, MODEL_MUTATION_DEADLINE_LATE);
    scene_validate(s);
}

static void write_at_absolute(struct scene *s)
{
    scene_create(s, "alice", "A", 2, 2);
    maker_wait(&s->maker, 2000000);
    scene_lie(s, MODEL_MUTATION_DEADLINE_LATE);
    scene_put(s, "k", "v");
}

static void dead_before_deadline(struct scene *s)
{
    scene_create(s, "alice", "A", 2, 60);
    maker_wait(&s->maker, 1999999);
    scene_lie(s, MODEL_MUTATION_DEADLINE_EARLY);
    scene_validate(s);
}

/* ---- S5, S6 ---- */

static void two_validates(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    maker_wait(&s->maker, 10000000);
    scene_validate(s);
    maker_wait(&s->maker, 10000000);
    scene_validate(s);
    s->maker.history->events[0].clock = 0;
}

/* The answers say how much is left, so a T that is moved must move them too: revokes say nothing.
 */
static void time_goes_back(struct scene *s)
{
    scene_revoke_user(s, "alice");
    maker_wait(&s->maker, 1000000);
    scene_revoke_user(s, "bob");
    s->maker.history->events[1].time -= 2000000;
    s->maker.history->events[0].clock = s->maker.history->events[1].clock = 0;
}

static void clock_ahead(struct scene *s)
{
    two_validates(s);
    s->maker.history->events[2].clock += 1000000;
}

/* By less than a clock that was learned may lie behind, but under one leader. */
static void clock_ahead_in_a_term(struct scene *s)
{
    two_validates(s);
    s->maker.history->events[2].clock += 90000;
}

static void clock_behind(struct scene *s)
{
    two_validates(s);
    s->maker.history->events[2].clock -= 9000000;
}

/* By a microsecond, of which no pace would tell. */
static void leaders_clock_back(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    maker_wait(&s->maker, 1000000);
    scene_validate(s);
    maker_wait(&s->maker, 1000000);
    scene_validate(s);
    s->maker.history->events[2].clock = s->maker.history->events[1].clock - 1;
}

static void too_early(struct scene *s)
{
    scene_create(s, "alice", "A", 30, 60);
    s->maker.time += 30000000;
    s->maker.ns += 1000000000;
    scene_validate(s);
    s->maker.history->events[1].clock = 0;
}

static void too_early_to_end(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    s->maker.time += 60000000;
    s->maker.ns += 1000000000;
    scene_end(s);
    s->maker.history->events[1].clock = 0;
}

static void too_late(struct scene *s)
{
    scene_create(s, "alice", "A", 30, 60);
    s->maker.time += 1000000;
    s->maker.ns += 31000000000;
    scene_validate(s);
    s->maker.history->events[1].clock = 0;
}

/* ---- S7 ---- */

static void forgotten(struct scene *s, enum op_outcome outcome)
{
    struct history_answer answer = scene_answer(s);

    answer.outcome = outcome;
    history_return(s->maker.history, s->maker.row, &answer);
}

static void lost_session(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    scene_validate(s);
    forgotten(s, OP_NOT_FOUND);
}

static void lost_session_end(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    scene_end(s);
    forgotten(s, OP_NOT_FOUND);
}

static void lost_task(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    scene_begin(s, OP_TASK_SCOPE_SESSION, 60);
    scene_claim(s, 30);
    forgotten(s, OP_NOT_FOUND);
}

/* ---- S9 ---- */

static void registered(struct scene *s)
{
    union op_request request = {false};

    maker_call(&s->maker, &s->caller, OP_client_register, &request);
}

static void two_writes(struct scene *s)
{
    registered(s);
    scene_create(s, "alice", "A", 60, 60);
    scene_put(s, "k", "v");
    scene_lie(s, MODEL_MUTATION_DEDUPE_IGNORED);
    maker_retry(&s->maker, &s->caller, OP_state_put, &s->request);
}

static void two_sessions(struct scene *s)
{
    registered(s);
    scene_create(s, "alice", "A", 60, 60);
    scene_lie(s, MODEL_MUTATION_DEDUPE_IGNORED);
    maker_retry(&s->maker, &s->caller, OP_session_create, &s->request);
}

static void number_twice(struct scene *s)
{
    registered(s);
    scene_revoke_user(s, "alice");
    s->caller.number--;
    scene_lie(s, MODEL_MUTATION_DEDUPE_IGNORED);
    scene_revoke_user(s, "bob");
}

/* ---- S13, S14 ---- */

static void term_goes_back(struct scene *s)
{
    scene_revoke_user(s, "alice");
    scene_revoke_user(s, "bob");
    s->maker.history->events[0].term = 2;
}

static void term_back_for_a_read(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    scene_revoke_user(s, "bob");
    s->maker.history->events[0].term = 7;
    s->maker.history->events[1].term = 6;
}

static void term_back_far(struct scene *s)
{
    scene_revoke_agent(s, "A");
    maker_wait(&s->maker, 100);
    scene_create(s, "alice", "A", 60, 60);
    s->maker.history->events[0].term = UINT32_MAX;
}

/* The next command takes the position of the one before. */
static void same_position(struct scene *s)
{
    s->maker.position--;
}

static void two_revokes_at_one(struct scene *s)
{
    scene_revoke_user(s, "alice");
    same_position(s);
    scene_revoke_user(s, "bob");
}

static void revoke_where_created(struct scene *s)
{
    scene_create(s, "alice", "A", 60, 60);
    same_position(s);
    scene_revoke_agent(s, "B");
}

static void two_agents_at_one(struct scene *s)
{
    scene_revoke_agent(s, "A");
    same_position(s);
    scene_revoke_agent(s, "B");
}

static const struct bad bads[] = {
    {alive_after_end, MODEL_S1, "the session was ended before"},
    {other_user, MODEL_S1, "another user's"},
    {lost_write, MODEL_S1, "another version"},
    {alive_after_revoke_user, MODEL_S2, "after a revoke"},
    {write_after_revoke_agent, MODEL_S2, "after a revoke"},
    {task_after_revoke, MODEL_S2, "after a revoke"},
    {w1, MODEL_S3, "W1"},
    {w3, MODEL_S3, "W3"},
    {w4, MODEL_S3, "W4"},
    {w5, MODEL_S3, "W5"},
    {w7, MODEL_S3, "W7"},
    {w8, MODEL_S3, "W8"},
    {w9, MODEL_S3, "W9"},
    {alive_at_idle, MODEL_S4, "at or after the idle deadline"},
    {write_at_absolute, MODEL_S4, "at or after the absolute deadline"},
    {dead_before_deadline, MODEL_S4, "EXPIRED before"},
    {time_goes_back, MODEL_S5, "T goes back"},
    {clock_ahead, MODEL_S5, "ran ahead"},
    {clock_ahead_in_a_term, MODEL_S5, "ran ahead"},
    {clock_behind, MODEL_S5, "fell behind"},
    {leaders_clock_back, MODEL_S5, "clock of a leader went back"},
    {too_early, MODEL_S6, "returned earlier"},
    {too_early_to_end, MODEL_S6, "returned earlier"},
    {too_late, MODEL_S6, "invoked later"},
    {lost_session, MODEL_S7, "NOT_FOUND"},
    {lost_session_end, MODEL_S7, "NOT_FOUND"},
    {lost_task, MODEL_S7, "NOT_FOUND"},
    {two_writes, MODEL_S9, "two results"},
    {two_sessions, MODEL_S9, "two results"},
    {number_twice, MODEL_S9, "two requests"},
    {term_goes_back, MODEL_S13, "term goes back"},
    {term_back_for_a_read, MODEL_S13, "term goes back"},
    {term_back_far, MODEL_S13, "term goes back"},
    {two_revokes_at_one, MODEL_S14, "two commands"},
    {revoke_where_created, MODEL_S14, "two commands"},
    {two_agents_at_one, MODEL_S14, "two commands"},
};

static void test_each_is_refused_and_minimal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        bad_check(&bads[i]);
    }
}

static void test_order_against_real_time(void **state)
{
    struct check_options options;
    struct check_verdict verdict;
    struct scene scene;

    (void)state;
    check_options_init(&options);
    scene_init(&scene);
    against_real_time(&scene);
    check_history(scene.maker.history, &options, &verdict);
    assert_int_equal(verdict.kind, CHECK_VIOLATION);
    assert_int_equal(verdict.property, MODEL_S1);
    assert_non_null(strstr(verdict.rule, "invoked later"));
    assert_int_equal(verdict.op_count, 2);
    scene_done(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_refused_and_minimal),
        cmocka_unit_test(test_order_against_real_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
