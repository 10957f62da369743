/* S10: what may be told of events, and what may not. Each bad history is a good one with one thing
 * wrong in what events_read answered, and is refused by the rule that is named.
 */
#include "tests/unit/jepsen/tale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

/* ---- what is right ---- */

static void in_pages(struct tale *tale)
{
    tale_read_on(tale, 0, 4);
    tale_read_on(tale, 0, 1);
    tale_read_on(tale, 1, 2);
    tale_read_on(tale, 3, 1);
    tale_read_on(tale, 4, 0);
}

static void death_by_deadline(struct tale *tale)
{
    uint64_t made = tale->scene.maker.time;

    maker_wait(&tale->scene.maker, 61000000);
    scene_validate(&tale->scene);
    tale->scene.maker.position++; /* the sweep's TICK */
    tale_die(tale, tale->scene.token.id, made + 60000000, OP_END_CAUSE_ABSOLUTE_TIMEOUT, 60000000);
    maker_wait(&tale->scene.maker, 6000000);
    tale_read_on(tale, 0, 5);
}

static void lost_and_said(struct tale *tale)
{
    struct op_events_read_request request = tale_behind(tale, 1);
    struct op_details details = {.has_oldest_position = true,
                                 .oldest_position = tale->ring[2].position,
                                 .has_oldest_k = true};

    tale->small = true;
    tale_answer(tale, &request, OP_COMPACTED, NULL, &details);
    tale_read_on(tale, 3, 1);
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
    item = tale_happen(tale, OP_EVENT_KIND_FOREIGN_ACCESS, tale->scene.token.id);
    item->has_user = item->has_name = true;
    item->user = bytes_of_text("mallory");
    item->name = bytes_of_text("acme");
}

/* A command that stands behind what was to be counted. */
static void go_on(struct tale *tale)
{
    maker_wait(&tale->scene.maker, 200000);
    tale_give(tale, "p2");
}

static void six_and_an_alert(struct tale *tale)
{
    denied(tale, 6);
    alert(tale);
    go_on(tale);
    denied(tale, 6);
    go_on(tale);
    tale_read_on(tale, 0, 7);
}

/* The newest session, by session.revoke, and the end that it brings. Returns the two events. */
static void all_kinds(struct tale *tale)
{
    (void)tale_revoke_user(tale);
    (void)tale_work(tale);
    (void)tale_open_child(tale);
    (void)tale_revoke_one(tale);
    tale_read_on(tale, 0, tale->count);
}

static void (*const goods[])(struct tale *tale) = {in_pages, death_by_deadline, lost_and_said,
                                                   six_and_an_alert, all_kinds};

/* ---- what is wrong ---- */

static void gap_in_a_page(struct tale *tale)
{
    struct op_events_read_reply reply = tale_page(tale, 0, 4);

    reply.events[1] = reply.events[2];
    reply.events[2] = reply.events[3];
    reply.events_count = 3;
    tale_reply_with(tale, 0, &reply);
}

static void out_of_order(struct tale *tale)
{
    struct op_events_read_reply reply = tale_page(tale, 0, 4);

    reply.events[1].position = reply.events[2].position;
    reply.events[2].position--;
    tale_reply_with(tale, 0, &reply);
}

static void not_behind(struct tale *tale)
{
    struct op_events_read_reply reply = tale_page(tale, 0, 4);

    tale_reply_with(tale, 1, &reply);
}

static void before_its_position(struct tale *tale)
{
    struct op_events_read_reply reply;

    tale_happen(tale, OP_EVENT_KIND_SESSION_CREATED, tale->first)->position++;
    reply = tale_page(tale, 0, 5);
    tale_reply_with(tale, 0, &reply);
}

static void acknowledged_and_not_told(struct tale *tale)
{
    tale->ring[1] = tale->ring[2];
    tale->ring[2] = tale->ring[3];
    tale->ring[1].number--;
    tale->ring[2].number--;
    tale->count--;
    tale_read_on(tale, 0, 3);
}

static void newest_not_told(struct tale *tale)
{
    tale->count--;
    tale_read_on(tale, 0, 3);
}

static void of_what_was_refused(struct tale *tale)
{
    scene_revoke_user(&tale->scene, "nobody");
    tale->scene.maker.history->events[tale->scene.maker.row].outcome = OP_LIMIT;
    tale_happen(tale, OP_EVENT_KIND_USER_REVOKED, ID128_ZERO);
    tale_read_on(tale, 0, 5);
}

static void of_something_else(struct tale *tale)
{
    tale->ring[3].kind = OP_EVENT_KIND_GRANT_REVOKED;
    tale_read_on(tale, 0, 4);
}

static void of_another_session(struct tale *tale)
{
    tale->ring[3].session = tale->first;
    tale_read_on(tale, 0, 4);
}

/* Each says one thing other than was asked or answered. */
static void of_another_user(struct tale *tale)
{
    tale->ring[0].user = bytes_of_text("bob");
    tale_read_on(tale, 0, 4);
}

static void revoke_of_another_user(struct tale *tale)
{
    tale_revoke_user(tale)->user = bytes_of_text("alice");
    tale_read_on(tale, 0, 5);
}

static void of_another_permission(struct tale *tale)
{
    tale_name(&tale->ring[3], "p2");
    tale_read_on(tale, 0, 4);
}

static void by_another(struct tale *tale)
{
    tale->ring[3].by = bytes_of_text("globex");
    tale_read_on(tale, 0, 4);
}

static void by_nobody(struct tale *tale)
{
    tale->ring[3].has_by = false;
    tale_read_on(tale, 0, 4);
}

static void given_elsewhere(struct tale *tale)
{
    tale->ring[3].given--;
    tale_read_on(tale, 0, 4);
}

static void of_another_epoch(struct tale *tale)
{
    tale->ring[2].epoch--;
    tale_read_on(tale, 0, 4);
}

static void of_another_attempt(struct tale *tale)
{
    tale_work(tale)[1].attempt--;
    tale_read_on(tale, 0, 6);
}

static void below_another(struct tale *tale)
{
    tale_open_child(tale)->parent = tale->first;
    tale_read_on(tale, 0, 5);
}

static void end_of_another(struct tale *tale)
{
    tale_revoke_one(tale)[1].session = (struct id128){{0xab}};
    tale_read_on(tale, 0, 6);
}

static void told_differently(struct tale *tale)
{
    tale_read_on(tale, 0, 4);
    tale->ring[0].time++;
    tale_read_on(tale, 0, 4);
}

static void left_out(struct tale *tale)
{
    struct op_events_read_reply reply = tale_page(tale, 0, 2);

    tale_read_on(tale, 0, 4);
    reply.more = false;
    tale_reply_with(tale, 0, &reply);
}

static void first_left_out(struct tale *tale)
{
    struct op_events_read_reply reply = tale_page(tale, 1, 3);

    tale_reply_with(tale, 0, &reply);
}

static void lost_and_not_said(struct tale *tale)
{
    struct op_events_read_reply reply;

    tale->scene.maker.position += 2; /* of nobody who was answered */
    tale_happen(tale, OP_EVENT_KIND_POLICY_SET, ID128_ZERO);
    tale->scene.maker.position++;
    tale_happen(tale, OP_EVENT_KIND_POLICY_SET, ID128_ZERO);
    tale_read_on(tale, 0, 4);
    reply = tale_page(tale, 5, 1);
    tale_reply_with(tale, 4, &reply);
}

static void lost_and_there(struct tale *tale)
{
    struct op_events_read_request request = tale_behind(tale, 2);
    struct op_details details = {.has_oldest_position = true,
                                 .oldest_position = tale->ring[1].position,
                                 .has_oldest_k = true};

    tale->small = true;
    tale_answer(tale, &request, OP_COMPACTED, NULL, &details);
}

static void lost_too_soon(struct tale *tale)
{
    struct op_events_read_request request = tale_behind(tale, 1);
    struct op_details details = {.has_oldest_position = true,
                                 .oldest_position = tale->ring[2].position,
                                 .has_oldest_k = true};

    tale_answer(tale, &request, OP_COMPACTED, NULL, &details);
}

static void wrong_place(struct tale *tale)
{
    struct op_events_read_reply reply = tale_page(tale, 0, 2);

    reply.next++;
    tale_reply_with(tale, 0, &reply);
}

static void another_incarnation_unsaid(struct tale *tale)
{
    struct op_events_read_request request = {.has_origin = true, .origin = {{1}}};
    struct op_events_read_reply reply = tale_page(tale, 0, 4);

    reply.origin = (struct id128){{2}};
    tale_answer(tale, &request, OP_OK, &reply, NULL);
}

static void another_incarnation_and_not(struct tale *tale)
{
    struct op_events_read_request request = {.has_origin = true, .origin = {{1}}};
    struct op_details details = {.has_origin = true, .origin = {{1}}};

    tale_answer(tale, &request, OP_OTHER_INCARNATION, NULL, &details);
}

static void ended_twice(struct tale *tale)
{
    tale->scene.maker.position++;
    tale_die(tale, tale->first, tale->scene.maker.time, OP_END_CAUSE_LOGOUT, 1000);
    tale_read_on(tale, 0, 5);
}

static void ended_and_alive(struct tale *tale)
{
    tale->scene.maker.position++;
    tale_die(tale, tale->scene.token.id, tale->scene.maker.time, OP_END_CAUSE_REVOKED, 0);
    tale_read_on(tale, 0, 5);
    scene_validate(&tale->scene);
}

static void another_lifetime(struct tale *tale)
{
    tale->ring[1].lifetime++;
    tale_read_on(tale, 0, 4);
}

static void another_cause(struct tale *tale)
{
    uint64_t made = tale->scene.maker.time;

    maker_wait(&tale->scene.maker, 61000000);
    scene_validate(&tale->scene);
    tale->scene.maker.position++;
    tale_die(tale, tale->scene.token.id, made + 60000000, OP_END_CAUSE_REVOKED, 60000000);
    tale_read_on(tale, 0, 5);
}

static void death_not_told(struct tale *tale)
{
    maker_wait(&tale->scene.maker, 61000000);
    scene_validate(&tale->scene);
    tale->scene.maker.position++; /* of a TICK that swept nothing */
    maker_wait(&tale->scene.maker, 6000000);
    tale_read_on(tale, 0, 4);
}

static void alert_after_five(struct tale *tale)
{
    denied(tale, 5);
    alert(tale);
    tale_read_on(tale, 0, 5);
}

static void alert_twice(struct tale *tale)
{
    denied(tale, 6);
    alert(tale);
    denied(tale, 1);
    alert(tale);
    tale_read_on(tale, 0, 6);
}

static void no_alert(struct tale *tale)
{
    denied(tale, 6);
    go_on(tale);
    tale_read_on(tale, 0, 5);
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

        tale_begin(&tale);
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

        tale_begin(&tale);
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
