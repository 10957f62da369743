/* S10: what may be told of events, and what may not. Each bad history is a good one with one thing
 * wrong in what events_read answered, and is refused by the rule that is named.
 */
#include "tests/unit/jepsen/scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

enum { RING = 16 };

/* What a right machine would have kept of the scene. */
struct tale {
    struct scene scene;
    struct op_item_event ring[RING];
    uint32_t count;
    struct id128 first; /* session */
    uint64_t first_made;
    bool small; /* there is room for two events of a tenant */
};

static struct op_item_event *happen(struct tale *tale, enum op_event_kind kind,
                                    struct id128 session)
{
    struct op_item_event *item = &tale->ring[tale->count];

    assert_in_range(tale->count, 0, RING - 1);
    *item = (struct op_item_event){.position = tale->scene.maker.position,
                                   .number = ++tale->count,
                                   .time = tale->scene.maker.time,
                                   .kind = kind,
                                   .has_user = true,
                                   .user = bytes_of_text("alice"),
                                   .has_session = true,
                                   .session = session,
                                   .has_by = true,
                                   .by = bytes_of_text("acme")};
    return item;
}

static void name(struct op_item_event *item, const char *text)
{
    item->has_name = true;
    item->name = bytes_of_text(text);
}

static void die(struct tale *tale, struct id128 session, uint64_t ended, enum op_end_cause cause,
                uint64_t lived)
{
    struct op_item_event *item = happen(tale, OP_EVENT_KIND_SESSION_ENDED, session);

    item->has_cause = item->has_ended = item->has_lifetime = true;
    item->cause = cause;
    item->ended = ended;
    item->lifetime = lived;
}

static void create(struct tale *tale)
{
    struct op_item_event *item;

    scene_create(&tale->scene, "alice", "A", 60, 60);
    item = happen(tale, OP_EVENT_KIND_SESSION_CREATED, tale->scene.token.id);
    item->has_epoch = true;
    item->epoch = tale->scene.maker.position;
    name(item, "A");
}

static struct op_item_event *give(struct tale *tale, const char *permission)
{
    struct op_item_event *item;

    scene_grant(&tale->scene, permission, 0);
    item = happen(tale, OP_EVENT_KIND_GRANT_ADDED, tale->scene.token.id);
    item->has_given = true;
    item->given = tale->scene.maker.answer.reply.grant_add.given;
    name(item, permission);
    return item;
}

/* A session that was logged out, one that lives, and a grant of it. */
static void begin(struct tale *tale)
{
    memset(tale, 0, sizeof *tale);
    scene_init(&tale->scene);
    create(tale);
    tale->first = tale->scene.token.id;
    tale->first_made = tale->scene.maker.time;
    maker_wait(&tale->scene.maker, 1000);
    scene_end(&tale->scene);
    die(tale, tale->first, tale->scene.maker.time, OP_END_CAUSE_LOGOUT, 1000);
    create(tale);
    give(tale, "p1");
}

static struct op_events_read_reply page(const struct tale *tale, uint32_t from, uint32_t count)
{
    struct op_events_read_reply reply = {.events_count = count};

    if (from > 0) {
        reply.next = tale->ring[from - 1].position;
        reply.k = tale->ring[from - 1].k;
    }
    for (uint32_t i = 0; i < count; i++) {
        reply.events[i] = tale->ring[from + i];
        reply.next = reply.events[i].position;
        reply.k = reply.events[i].k;
    }
    reply.more = from + count < tale->count;
    return reply;
}

static void answer(struct tale *tale, const struct op_events_read_request *request,
                   enum op_outcome outcome, const struct op_events_read_reply *reply,
                   const struct op_details *details)
{
    struct maker *maker = &tale->scene.maker;
    static union op_request asked;
    static union op_reply replied;
    struct history_call call = {
        .proc = 9,
        .seq = maker->history->count,
        .attempt = 1,
        .f = OP_events_read,
        .caller = {bytes_of_text("acme"), bytes_of_text("acme"), OP_ROLE_SERVICE, {{0x77}}},
        .call_ns = maker->ns,
        .request = &asked};
    struct history_answer back = {.outcome = outcome,
                                  .ret_ns = maker->ns + 5,
                                  .position = maker->position,
                                  .time = maker->time,
                                  .clock = maker->time,
                                  .term = 1,
                                  .details = details,
                                  .reply = reply == NULL ? NULL : &replied};

    asked.events_read = *request;
    if (reply != NULL) {
        replied.events_read = *reply;
    }
    history_return(maker->history, history_invoke(maker->history, &call), &back);
    maker->ns += 10;
}

static struct op_events_read_request behind(const struct tale *tale, uint32_t from)
{
    struct op_events_read_request request = {.has_after = from > 0, .has_k = from > 0};

    if (from > 0) {
        request.after = tale->ring[from - 1].position;
        request.k = tale->ring[from - 1].k;
    }
    return request;
}

/* Reads `count` behind the first `from`, as it should be. */
static void read_on(struct tale *tale, uint32_t from, uint32_t count)
{
    struct op_events_read_request request = behind(tale, from);
    struct op_events_read_reply reply = page(tale, from, count);

    answer(tale, &request, OP_OK, &reply, NULL);
}

static void reply_with(struct tale *tale, uint32_t from, const struct op_events_read_reply *reply)
{
    struct op_events_read_request request = behind(tale, from);

    answer(tale, &request, OP_OK, reply, NULL);
}

/* ---- what is right ---- */

static void in_pages(struct tale *tale)
{
    read_on(tale, 0, 4);
    read_on(tale, 0, 1);
    read_on(tale, 1, 2);
    read_on(tale, 3, 1);
    read_on(tale, 4, 0);
}

static void death_by_deadline(struct tale *tale)
{
    uint64_t made = tale->scene.maker.time;

    maker_wait(&tale->scene.maker, 61000000);
    scene_validate(&tale->scene);
    tale->scene.maker.position++; /* the sweep's TICK */
    die(tale, tale->scene.token.id, made + 60000000, OP_END_CAUSE_ABSOLUTE_TIMEOUT, 60000000);
    maker_wait(&tale->scene.maker, 6000000);
    read_on(tale, 0, 5);
}

static void lost_and_said(struct tale *tale)
{
    struct op_events_read_request request = behind(tale, 1);
    struct op_details details = {.has_oldest_position = true,
                                 .oldest_position = tale->ring[2].position,
                                 .has_oldest_k = true};

    tale->small = true;
    answer(tale, &request, OP_COMPACTED, NULL, &details);
    read_on(tale, 3, 1);
}

static void denied(struct tale *tale, uint32_t times)
{
    tale->scene.user = "mallory";
    for (uint32_t i = 0; i < times; i++) {
        scene_validate(&tale->scene);
    }
    tale->scene.user = "alice";
}

/* By a DENIALS. */
static void alert(struct tale *tale)
{
    struct op_item_event *item;

    tale->scene.maker.position++;
    item = happen(tale, OP_EVENT_KIND_FOREIGN_ACCESS, tale->scene.token.id);
    item->has_user = item->has_name = true;
    item->user = bytes_of_text("mallory");
    item->name = bytes_of_text("acme");
}

/* A command that stands behind what was to be counted. */
static void go_on(struct tale *tale)
{
    maker_wait(&tale->scene.maker, 200000);
    give(tale, "p2");
}

static void six_and_an_alert(struct tale *tale)
{
    denied(tale, 6);
    alert(tale);
    go_on(tale);
    denied(tale, 6);
    go_on(tale);
    read_on(tale, 0, 7);
}

/* The newest session, by session.revoke, and the end that it brings. Returns the two events. */
static struct op_item_event *revoke_one(struct tale *tale)
{
    union op_request *request = &tale->scene.request;
    struct op_item_event *item;

    memset(request, 0, sizeof *request);
    request->session_revoke.user = bytes_of_text("alice");
    request->session_revoke.session = tale->scene.token.id;
    maker_call(&tale->scene.maker, &tale->scene.caller, OP_session_revoke, request);
    item = happen(tale, OP_EVENT_KIND_SESSION_REVOKED, tale->scene.token.id);
    die(tale, tale->scene.token.id, tale->scene.maker.time, OP_END_CAUSE_REVOKED, 0);
    item[1].k = 1;
    return item;
}

static struct op_item_event *revoke_user(struct tale *tale)
{
    struct op_item_event *item;

    scene_revoke_user(&tale->scene, "bob");
    item = happen(tale, OP_EVENT_KIND_USER_REVOKED, ID128_ZERO);
    item->has_session = false;
    item->user = bytes_of_text("bob");
    return item;
}

/* A task, and its claim: the two newest events. */
static struct op_item_event *work(struct tale *tale)
{
    struct op_item_event *item;

    scene_begin(&tale->scene, OP_TASK_SCOPE_SESSION, 60);
    item = happen(tale, OP_EVENT_KIND_TASK_BEGUN, tale->scene.token.id);
    item->has_task = item->has_epoch = true;
    item->task = tale->scene.task;
    item->epoch = tale->scene.maker.position;
    name(item, "work");
    scene_claim(&tale->scene, 30);
    (void)happen(tale, OP_EVENT_KIND_TASK_CLAIMED, tale->scene.token.id);
    item[1].has_task = item[1].has_epoch = item[1].has_attempt = true;
    item[1].task = tale->scene.task;
    item[1].epoch = item->epoch;
    item[1].attempt = tale->scene.maker.position;
    name(&item[1], "acme");
    return item;
}

/* Below the newest session. */
static struct op_item_event *open_child(struct tale *tale)
{
    struct op_session_create_request *request = &tale->scene.request.session_create;
    struct op_token parent = tale->scene.token;
    struct op_item_event *item;

    memset(&tale->scene.request, 0, sizeof tale->scene.request);
    request->user = bytes_of_text("alice");
    request->agent = bytes_of_text("A");
    request->idle = request->absolute = 60000000;
    request->has_parent = true;
    request->parent = parent;
    maker_call(&tale->scene.maker, &tale->scene.caller, OP_session_create, &tale->scene.request);
    item = happen(tale, OP_EVENT_KIND_SESSION_CREATED,
                  tale->scene.maker.answer.reply.session_create.session);
    item->has_epoch = item->has_parent = true;
    item->epoch = tale->scene.maker.position;
    item->parent = parent.id;
    name(item, "A");
    return item;
}

static void all_kinds(struct tale *tale)
{
    (void)revoke_user(tale);
    (void)work(tale);
    (void)open_child(tale);
    (void)revoke_one(tale);
    read_on(tale, 0, tale->count);
}

static void (*const goods[])(struct tale *tale) = {in_pages, death_by_deadline, lost_and_said,
                                                   six_and_an_alert, all_kinds};

/* ---- what is wrong ---- */

static void gap_in_a_page(struct tale *tale)
{
    struct op_events_read_reply reply = page(tale, 0, 4);

    reply.events[1] = reply.events[2];
    reply.events[2] = reply.events[3];
    reply.events_count = 3;
    reply_with(tale, 0, &reply);
}

static void out_of_order(struct tale *tale)
{
    struct op_events_read_reply reply = page(tale, 0, 4);

    reply.events[1].position = reply.events[2].position;
    reply.events[2].position--;
    reply_with(tale, 0, &reply);
}

static void not_behind(struct tale *tale)
{
    struct op_events_read_reply reply = page(tale, 0, 4);

    reply_with(tale, 1, &reply);
}

static void before_its_position(struct tale *tale)
{
    struct op_events_read_reply reply;

    happen(tale, OP_EVENT_KIND_SESSION_CREATED, tale->first)->position++;
    reply = page(tale, 0, 5);
    reply_with(tale, 0, &reply);
}

static void acknowledged_and_not_told(struct tale *tale)
{
    tale->ring[1] = tale->ring[2];
    tale->ring[2] = tale->ring[3];
    tale->ring[1].number--;
    tale->ring[2].number--;
    tale->count--;
    read_on(tale, 0, 3);
}

static void newest_not_told(struct tale *tale)
{
    tale->count--;
    read_on(tale, 0, 3);
}

static void of_what_was_refused(struct tale *tale)
{
    scene_revoke_user(&tale->scene, "nobody");
    tale->scene.maker.history->events[tale->scene.maker.row].outcome = OP_LIMIT;
    happen(tale, OP_EVENT_KIND_USER_REVOKED, ID128_ZERO);
    read_on(tale, 0, 5);
}

static void of_something_else(struct tale *tale)
{
    tale->ring[3].kind = OP_EVENT_KIND_GRANT_REVOKED;
    read_on(tale, 0, 4);
}

static void of_another_session(struct tale *tale)
{
    tale->ring[3].session = tale->first;
    read_on(tale, 0, 4);
}

/* Each says one thing other than was asked or answered. */
static void of_another_user(struct tale *tale)
{
    tale->ring[0].user = bytes_of_text("bob");
    read_on(tale, 0, 4);
}

static void revoke_of_another_user(struct tale *tale)
{
    revoke_user(tale)->user = bytes_of_text("alice");
    read_on(tale, 0, 5);
}

static void of_another_permission(struct tale *tale)
{
    name(&tale->ring[3], "p2");
    read_on(tale, 0, 4);
}

static void by_another(struct tale *tale)
{
    tale->ring[3].by = bytes_of_text("globex");
    read_on(tale, 0, 4);
}

static void by_nobody(struct tale *tale)
{
    tale->ring[3].has_by = false;
    read_on(tale, 0, 4);
}

static void given_elsewhere(struct tale *tale)
{
    tale->ring[3].given--;
    read_on(tale, 0, 4);
}

static void of_another_epoch(struct tale *tale)
{
    tale->ring[2].epoch--;
    read_on(tale, 0, 4);
}

static void of_another_attempt(struct tale *tale)
{
    work(tale)[1].attempt--;
    read_on(tale, 0, 6);
}

static void below_another(struct tale *tale)
{
    open_child(tale)->parent = tale->first;
    read_on(tale, 0, 5);
}

static void end_of_another(struct tale *tale)
{
    revoke_one(tale)[1].session = (struct id128){{0xab}};
    read_on(tale, 0, 6);
}

static void told_differently(struct tale *tale)
{
    read_on(tale, 0, 4);
    tale->ring[0].time++;
    read_on(tale, 0, 4);
}

static void left_out(struct tale *tale)
{
    struct op_events_read_reply reply = page(tale, 0, 2);

    read_on(tale, 0, 4);
    reply.more = false;
    reply_with(tale, 0, &reply);
}

static void first_left_out(struct tale *tale)
{
    struct op_events_read_reply reply = page(tale, 1, 3);

    reply_with(tale, 0, &reply);
}

static void lost_and_not_said(struct tale *tale)
{
    struct op_events_read_reply reply;

    tale->scene.maker.position += 2; /* of nobody who was answered */
    happen(tale, OP_EVENT_KIND_POLICY_SET, ID128_ZERO);
    tale->scene.maker.position++;
    happen(tale, OP_EVENT_KIND_POLICY_SET, ID128_ZERO);
    read_on(tale, 0, 4);
    reply = page(tale, 5, 1);
    reply_with(tale, 4, &reply);
}

static void lost_and_there(struct tale *tale)
{
    struct op_events_read_request request = behind(tale, 2);
    struct op_details details = {.has_oldest_position = true,
                                 .oldest_position = tale->ring[1].position,
                                 .has_oldest_k = true};

    tale->small = true;
    answer(tale, &request, OP_COMPACTED, NULL, &details);
}

static void lost_too_soon(struct tale *tale)
{
    struct op_events_read_request request = behind(tale, 1);
    struct op_details details = {.has_oldest_position = true,
                                 .oldest_position = tale->ring[2].position,
                                 .has_oldest_k = true};

    answer(tale, &request, OP_COMPACTED, NULL, &details);
}

static void wrong_place(struct tale *tale)
{
    struct op_events_read_reply reply = page(tale, 0, 2);

    reply.next++;
    reply_with(tale, 0, &reply);
}

static void another_incarnation_unsaid(struct tale *tale)
{
    struct op_events_read_request request = {.has_origin = true, .origin = {{1}}};
    struct op_events_read_reply reply = page(tale, 0, 4);

    reply.origin = (struct id128){{2}};
    answer(tale, &request, OP_OK, &reply, NULL);
}

static void another_incarnation_and_not(struct tale *tale)
{
    struct op_events_read_request request = {.has_origin = true, .origin = {{1}}};
    struct op_details details = {.has_origin = true, .origin = {{1}}};

    answer(tale, &request, OP_OTHER_INCARNATION, NULL, &details);
}

static void ended_twice(struct tale *tale)
{
    tale->scene.maker.position++;
    die(tale, tale->first, tale->scene.maker.time, OP_END_CAUSE_LOGOUT, 1000);
    read_on(tale, 0, 5);
}

static void ended_and_alive(struct tale *tale)
{
    tale->scene.maker.position++;
    die(tale, tale->scene.token.id, tale->scene.maker.time, OP_END_CAUSE_REVOKED, 0);
    read_on(tale, 0, 5);
    scene_validate(&tale->scene);
}

static void another_lifetime(struct tale *tale)
{
    tale->ring[1].lifetime++;
    read_on(tale, 0, 4);
}

static void another_cause(struct tale *tale)
{
    uint64_t made = tale->scene.maker.time;

    maker_wait(&tale->scene.maker, 61000000);
    scene_validate(&tale->scene);
    tale->scene.maker.position++;
    die(tale, tale->scene.token.id, made + 60000000, OP_END_CAUSE_REVOKED, 60000000);
    read_on(tale, 0, 5);
}

static void death_not_told(struct tale *tale)
{
    maker_wait(&tale->scene.maker, 61000000);
    scene_validate(&tale->scene);
    tale->scene.maker.position++; /* of a TICK that swept nothing */
    maker_wait(&tale->scene.maker, 6000000);
    read_on(tale, 0, 4);
}

static void alert_after_five(struct tale *tale)
{
    denied(tale, 5);
    alert(tale);
    read_on(tale, 0, 5);
}

static void alert_twice(struct tale *tale)
{
    denied(tale, 6);
    alert(tale);
    denied(tale, 1);
    alert(tale);
    read_on(tale, 0, 6);
}

static void no_alert(struct tale *tale)
{
    denied(tale, 6);
    go_on(tale);
    read_on(tale, 0, 5);
}

static const struct bad {
    void (*play)(struct tale *tale);
    const char *rule; /* part of it */
} bads[] = {
    {gap_in_a_page, "a gap between the numbers"},
    {out_of_order, "out of order"},
    {not_behind, "not behind the place"},
    {before_its_position, "behind its answer"},
    {acknowledged_and_not_told, "has no event"},
    {newest_not_told, "has no event"},
    {of_what_was_refused, "did not do"},
    {of_something_else, "did not do"},
    {of_another_session, "says other"},
    {of_another_user, "says other"},
    {revoke_of_another_user, "says other"},
    {of_another_permission, "says other"},
    {by_another, "says other"},
    {by_nobody, "says other"},
    {given_elsewhere, "says other"},
    {of_another_epoch, "says other"},
    {of_another_attempt, "says other"},
    {below_another, "says other"},
    {end_of_another, "says other"},
    {told_differently, "differently"},
    {left_out, "left out that another answer tells"},
    {first_left_out, "the first is left out"},
    {lost_and_not_said, "a gap behind the place"},
    {lost_and_there, "nothing behind that place is lost"},
    {lost_too_soon, "room for all"},
    {wrong_place, "the place to go on from"},
    {another_incarnation_unsaid, "another incarnation than the place's"},
    {another_incarnation_and_not, "it is the same"},
    {ended_twice, "ended twice"},
    {ended_and_alive, "lives whose end"},
    {another_lifetime, "another lifetime"},
    {another_cause, "another cause"},
    {death_not_told, "was not told"},
    {alert_after_five, "without six denials"},
    {alert_twice, "two alerts within one window"},
    {no_alert, "and no alert"},
};

static void verdict_of(struct tale *tale, struct check_verdict *ret_verdict)
{
    struct check_options options;

    check_options_init(&options);
    options.limits.tenant_events_max = tale->small ? 2 : options.limits.tenant_events_max;
    check_history(tale->scene.maker.history, &options, ret_verdict);
    scene_done(&tale->scene);
}

static void test_right_ones_pass(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof goods / sizeof goods[0]; i++) {
        static struct tale tale;
        struct check_verdict verdict;

        begin(&tale);
        goods[i](&tale);
        verdict_of(&tale, &verdict);
        print_message("%zu: %s\n", i, verdict.rule);
        assert_int_equal(verdict.kind, CHECK_OK);
    }
}

static void test_each_wrong_one_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bads / sizeof bads[0]; i++) {
        static struct tale tale;
        struct check_verdict verdict;

        begin(&tale);
        bads[i].play(&tale);
        verdict_of(&tale, &verdict);
        print_message("%s: %s\n", model_property_text(verdict.property), verdict.rule);
        assert_int_equal(verdict.kind, CHECK_VIOLATION);
        assert_int_equal(verdict.property, MODEL_S10);
        assert_non_null(strstr(verdict.rule, bads[i].rule));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_right_ones_pass),
        cmocka_unit_test(test_each_wrong_one_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
