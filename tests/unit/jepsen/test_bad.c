/* Histories that are known to be bad: each is refused for the stated promise and rule, and taking
 * any one operation away (with what depends on it) makes it good. */
#include "tests/unit/jepsen/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

struct bad {
    void (*play)(struct scene *scene);
    enum model_property property;
    const char *rule; /* part of it */
};

/* What a row makes, as others name it: an id, a client, or an attempt. */
struct made {
    struct id128 id;
    uint64_t client, attempt;
    bool found;
};

static void look_at_token(void *arg, struct op_token *token)
{
    struct made *made = arg;

    made->found = made->found || (made->attempt != 0 ? token->attempt == made->attempt
                                                     : id128_equal(token->id, made->id));
}

static struct made made_by(const struct history *history, uint32_t row)
{
    const struct event *event = &history->events[row];
    struct made made = {.id = {{0xee}}};
    union op_reply reply;

    if (event->outcome != OP_OK) {
        return made;
    }
    history_reply(history, event, &reply);
    if (event->f == OP_session_create) {
        made.id = reply.session_create.session;
    } else if (event->f == OP_task_begin) {
        made.id = reply.task_begin.task;
    } else if (event->f == OP_task_claim) {
        made.attempt = reply.task_claim.attempt;
    } else if (event->f == OP_client_register) {
        made.client = reply.client_register.client;
    }
    return made;
}

static bool depends(const struct history *history, uint32_t row, struct made made)
{
    const struct event *event = &history->events[row];
    const struct op_struct *s = op_row_of_number(event->f)->request;
    static union op_request request;

    history_request(history, event, &request);
    op_visit_tokens(s, &request, look_at_token, &made);
    for (size_t i = 0; i < s->field_count && made.attempt == 0; i++) {
        if (s->fields[i].kind == OP_KIND_id) {
            made.found = made.found || memcmp((uint8_t *)&request + s->fields[i].offset,
                                              made.id.bytes, sizeof made.id.bytes) == 0;
        }
    }
    return made.found || (made.client != 0 && event->client == made.client);
}

static void take_away(const struct history *history, uint32_t row, bool *gone)
{
    struct made made = made_by(history, row);

    gone[row] = true;
    for (uint32_t other = 0; other < history->count; other++) {
        if (!gone[other] && depends(history, other, made)) {
            take_away(history, other, gone);
        }
    }
}

static enum check_kind verdict_without(const struct history *history, uint32_t row)
{
    bool gone[64] = {false};
    struct history *rest = history_create();
    struct check_options options;
    struct check_verdict verdict;

    check_options_init(&options);
    assert_true(history->count <= 64);
    take_away(history, row, gone);
    for (uint32_t i = 0; i < history->count; i++) {
        if (!gone[i]) {
            history_copy(rest, history, i);
        }
    }
    check_history(rest, &options, &verdict);
    if (verdict.kind != CHECK_OK) {
        check_print(rest, &verdict, stderr);
    }
    history_destroy(rest);
    return verdict.kind;
}

static void check_bad(const struct bad *bad)
{
    struct check_options options;
    struct check_verdict verdict;
    struct scene scene;

    check_options_init(&options);
    scene_init(&scene);
    bad->play(&scene);
    check_history(scene.maker.history, &options, &verdict);
    print_message("%s: %s\n", model_property_text(bad->property), verdict.rule);
    assert_int_equal(verdict.kind, CHECK_VIOLATION);
    assert_string_equal(model_property_text(verdict.property), model_property_text(bad->property));
    assert_non_null(strstr(verdict.rule, bad->rule));
    assert_in_range(verdict.op_count, 1, scene.maker.history->count);
    for (uint32_t row = 0; row < scene.maker.history->count; row++) {
        assert_int_equal(verdict_without(scene.maker.history, row), CHECK_OK);
    }
    scene_done(&scene);
}

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

/* ---- S12 ---- */

static void elevated_too_long(struct scene *s)
{
    s->grant_ttl = 2;
    scene_create(s, "alice", "A", 60, 60);
    maker_wait(&s->maker, 2000000);
    scene_lie(s, MODEL_MUTATION_GRANT_FOREVER);
    scene_check(s, "state:write");
}

static void write_without_grant(struct scene *s)
{
    s->no_grants = true;
    scene_create(s, "alice", "A", 60, 60);
    scene_lie(s, MODEL_MUTATION_PERMISSION_IGNORED);
    scene_put(s, "k", "v");
}

static void write_after_grant(struct scene *s)
{
    s->grant_ttl = 2;
    scene_create(s, "alice", "A", 60, 60);
    maker_wait(&s->maker, 2000001);
    scene_lie(s, MODEL_MUTATION_PERMISSION_IGNORED);
    scene_put(s, "k", "v");
}

/* ---- lists ---- */

static void list_grants(struct scene *s)
{
    memset(&s->request, 0, sizeof s->request);
    s->request.grant_list.user = bytes_of_text(s->user);
    s->request.grant_list.token = s->token;
    maker_call(&s->maker, &s->caller, OP_grant_list, &s->request);
}

static void listed_too_long(struct scene *s)
{
    s->grant_ttl = 2;
    scene_create(s, "alice", "A", 60, 60);
    maker_wait(&s->maker, 2000000);
    scene_lie(s, MODEL_MUTATION_GRANT_FOREVER);
    list_grants(s);
}

/* The answer is the law's at T; the leader's clock had passed the deadline (T6). */
static void listed_past_the_clock(struct scene *s)
{
    struct event *events;

    s->grant_ttl = 2;
    scene_create(s, "alice", "A", 60, 60);
    maker_wait(&s->maker, 1000000);
    list_grants(s);
    events = s->maker.history->events;
    events[0].clock = 0;
    events[s->maker.row].clock = events[s->maker.row].time + 1000000;
}

static void list_without_one(struct scene *s)
{
    struct history_answer answer;
    union op_reply empty = {false};

    scene_create(s, "alice", "A", 60, 60);
    memset(&s->request, 0, sizeof s->request);
    s->request.session_list.user = bytes_of_text("alice");
    maker_call(&s->maker, &s->caller, OP_session_list, &s->request);
    answer = scene_answer(s);
    answer.reply = &empty;
    history_return(s->maker.history, s->maker.row, &answer);
}

/* ---- children ---- */

/* Below the scene's session; with the permission that this one holds. */
static struct op_token open_child(struct scene *s, struct op_token parent)
{
    struct op_session_create_request *request = &s->request.session_create;

    memset(&s->request, 0, sizeof s->request);
    request->user = bytes_of_text(s->user);
    request->agent = bytes_of_text("A");
    request->idle = request->absolute = 60000000;
    request->has_parent = true;
    request->parent = parent;
    request->has_grants = true;
    request->grants_count = 1;
    request->grants[0].permission = bytes_of_text("state:write");
    maker_call(&s->maker, &s->caller, OP_session_create, &s->request);
    return s->maker.answer.reply.session_create.token;
}

static void grandchild_outlives(struct scene *s)
{
    struct op_token below;

    scene_create(s, "alice", "A", 60, 60);
    below = open_child(s, open_child(s, s->token));
    scene_end(s);
    scene_lie(s, MODEL_MUTATION_CHILD_OF_ONE);
    s->token = below;
    scene_validate(s);
}

static void copy_outlives(struct scene *s)
{
    struct op_token below;

    scene_create(s, "alice", "A", 60, 60);
    below = open_child(s, open_child(s, s->token));
    memset(&s->request, 0, sizeof s->request);
    s->request.grant_revoke.user = bytes_of_text("alice");
    s->request.grant_revoke.token = s->token;
    s->request.grant_revoke.permission = bytes_of_text("state:write");
    maker_call(&s->maker, &s->caller, OP_grant_revoke, &s->request);
    scene_lie(s, MODEL_MUTATION_CHILD_KEEPS_GRANT);
    memset(&s->request, 0, sizeof s->request);
    s->request.permission_check.user = bytes_of_text("alice");
    s->request.permission_check.token = below;
    s->request.permission_check.permission = bytes_of_text("state:write");
    maker_call(&s->maker, &s->caller, OP_permission_check, &s->request);
}

static void children_without_one(struct scene *s)
{
    struct history_answer answer;
    union op_reply empty = {false};

    scene_create(s, "alice", "A", 60, 60);
    (void)open_child(s, s->token);
    memset(&s->request, 0, sizeof s->request);
    s->request.session_children.user = bytes_of_text("alice");
    s->request.session_children.token = s->token;
    maker_call(&s->maker, &s->caller, OP_session_children, &s->request);
    answer = scene_answer(s);
    empty.session_children.session = s->token.id;
    answer.reply = &empty;
    history_return(s->maker.history, s->maker.row, &answer);
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
    {too_early, MODEL_S6, "returned earlier"},
    {too_early_to_end, MODEL_S6, "returned earlier"},
    {too_late, MODEL_S6, "invoked later"},
    {lost_session, MODEL_S7, "NOT_FOUND"},
    {lost_session_end, MODEL_S7, "NOT_FOUND"},
    {lost_task, MODEL_S7, "NOT_FOUND"},
    {two_writes, MODEL_S9, "two results"},
    {two_sessions, MODEL_S9, "two results"},
    {number_twice, MODEL_S9, "two requests"},
    {elevated_too_long, MODEL_S12, "grant's deadline"},
    {write_without_grant, MODEL_S12, "state:write"},
    {write_after_grant, MODEL_S12, "state:write"},
    {listed_too_long, MODEL_S12, "another grants"},
    {listed_past_the_clock, MODEL_S4, "clock passed"},
    {list_without_one, MODEL_S1, "another sessions"},
    {children_without_one, MODEL_S1, "another sessions"},
    {grandchild_outlives, MODEL_S1, "above has ended"},
    {copy_outlives, MODEL_S12, "revoke had returned"},
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
        check_bad(&bads[i]);
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
