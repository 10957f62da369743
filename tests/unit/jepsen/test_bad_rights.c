/* Histories that are known to be bad, of grants, lists and children: each is refused for the stated
 * promise and rule, and taking any one operation away (with what depends on it) makes it good. */
#include "tests/unit/jepsen/bad.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

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

static const struct bad bads[] = {
    {elevated_too_long, MODEL_S12, "grant's deadline"},
    {write_without_grant, MODEL_S12, "state:write"},
    {write_after_grant, MODEL_S12, "state:write"},
    {listed_too_long, MODEL_S12, "another grants"},
    {listed_past_the_clock, MODEL_S4, "clock passed"},
    {list_without_one, MODEL_S1, "another sessions"},
    {children_without_one, MODEL_S1, "another sessions"},
    {grandchild_outlives, MODEL_S1, "above has ended"},
    {copy_outlives, MODEL_S12, "revoke had returned"},
};

static void test_each_is_refused_and_minimal(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        bad_check(&bads[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_is_refused_and_minimal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
