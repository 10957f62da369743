/* Reads where it is not plain who may answer: between a round's end and the answer, at who has lost
 * the lead, and at any node for callers who asked for no more than what it has (section 7, T6).
 */
#include "tests/node/raw.h"
#include "tests/node/world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "op/token.h"

#define HOUR (3600 * SIM_SECOND)
#define SERVICE "tenure://test/acme/service/gateway"

static struct world world;

static void ask_validate(struct raw *raw, uint32_t msgid, const struct world_session *session,
                         const struct op_envelope *envelope)
{
    struct op_session_validate_request validate = {
        .has_user = true, .user = bytes_of_text(session->user), .has_token = true};
    assert_true(op_token_read(bytes_of_text(session->token), OP_TOKEN_session, &validate.token));
    raw_request(raw, msgid, "session.validate", envelope,
                op_row_of_method(bytes_of_text("session.validate"))->request, &validate);
}

static void cut_off(size_t which, bool cut)
{
    for (size_t i = 0; i < WORLD_NODES; i++) {
        if (i != which) {
            sim_net_cut(world.sim, world.nodes[i].host, world.nodes[which].host, cut);
            sim_net_cut(world.sim, world.nodes[which].host, world.nodes[i].host, cut);
        }
    }
}

static bool another_serves(void *arg)
{
    size_t old = *(const size_t *)arg;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        if (i != old && world.nodes[i].node->lead.state == LEAD_SERVING) {
            return true;
        }
    }
    return false;
}

static size_t wait_for_another(size_t old)
{
    assert_true(sim_run_until(world.sim, another_serves, &old, 20 * SIM_SECOND));
    for (size_t i = 0; i < WORLD_NODES; i++) {
        if (i != old && world.nodes[i].node->lead.state == LEAD_SERVING) {
            return i;
        }
    }
    return WORLD_NODES;
}

/* ---- confirmed, and not answered yet ---- */

static bool one_waits(void *arg)
{
    const struct node *node = arg;
    return !list_empty(&node->reads.waiting);
}

/* Its round is over and it led; what it waits for is an entry that reaches its clock. Then it
 * stands still, another is elected and revokes, and it goes on: a YES would be about the past. */
static void who_stands_still_before_the_answer_says_no_yes(void **state)
{
    size_t tried = 0;
    (void)state;
    for (uint64_t seed = 300; seed < 312; seed++) {
        struct world_session session;
        struct raw_answer answer;
        struct raw raw;
        world_start(&world, seed);
        struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
        assert_int_equal(world_create(client, "alice", 3 * SIM_SECOND, HOUR, &session), TENURE_OK);
        size_t old = world_leader(&world);
        struct node *node = world.nodes[old].node;
        struct env_tls *tls = world_identity(&world, SERVICE);
        raw_open(&raw, &world, old, tls);
        raw_hello(&raw);
        for (size_t i = 0; i < WORLD_NODES; i++) {
            sim_disk_latency(world.nodes[i].host, 40 * SIM_MILLISECOND, 1);
        }
        uint64_t left = session.time + 3 * SIM_SECOND - world_clock(&world.nodes[old]);
        world_pass(&world, left + seed % 4 * SIM_MILLISECOND);
        ask_validate(&raw, 2, &session, NULL);
        if (sim_run_until(world.sim, one_waits, node, 20 * SIM_MILLISECOND)) {
            tried++;
            if (seed % 2 == 0) {
                cut_off(old,
                        true); /* nobody's word lets it know the time before it loses the lead */
            }
            sim_process_pause(world.nodes[old].env);
            size_t now = wait_for_another(old);
            struct tenure_client *other = world_client(&world, now, "service");
            assert_int_equal(world_revoke(other, "alice"), TENURE_OK);
            tenure_close(other);
            sim_process_resume(world.nodes[old].env);
        }
        raw_answer(&raw, &answer);
        assert_int_not_equal(answer.head.outcome, OP_OK);
        tenure_close(client);
        raw_close(&raw);
        env_tls_destroy(tls);
        world_end(&world);
    }
    assert_true(tried >= 4); /* otherwise nothing was tried */
}

/* ---- who does not lead any more ---- */

static void who_lost_the_lead_says_who_has_it(void **state)
{
    struct world_session session;
    struct raw_answer answer;
    struct raw raw;
    (void)state;
    world_start(&world, 320);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
    size_t old = world_leader(&world);
    struct env_tls *tls = world_identity(&world, SERVICE);
    raw_open(&raw, &world, old, tls);
    raw_hello(&raw);
    cut_off(old, true);
    size_t now = wait_for_another(old);
    ask_validate(&raw, 2, &session, NULL);
    raw_answer(&raw, &answer); /* it hears nobody: it answers, and no YES */
    assert_int_equal(op_outcome_class(answer.head.outcome), OP_CLASS_RETRY);
    cut_off(old, false);
    world_pass(&world, 2 * SIM_SECOND);
    ask_validate(&raw, 3, &session, NULL);
    raw_answer(&raw, &answer);
    assert_int_equal(answer.head.outcome, OP_NOT_LEADER);
    assert_true(bytes_equal(answer.head.leader, bytes_of_text(world.nodes[now].listen)));
    tenure_close(client);
    raw_close(&raw);
    env_tls_destroy(tls);
    world_end(&world);
}

/* ---- stale, by name ---- */

static struct tenure_client *stale_client(size_t which)
{
    const char *servers[] = {world.nodes[which].listen};
    const struct tenure_options options = {
        .servers = servers,
        .server_count = 1,
        .ca = "/pki/ca.pem",
        .certificate = "/pki/service.pem",
        .key = "/pki/service.key",
        .software = "test",
        .timeout_us = 2 * SIM_SECOND,
        .stale = true,
    };
    struct tenure_client *client;
    char error[512];
    if (!tenure_open_env(world.console, &options, error, sizeof(error), &client)) {
        fail_msg("client: %s", error);
    }
    return client;
}

/* How many sessions of alice it sees; `ret_result`: of when. */
static size_t count_sessions(struct tenure_client *client, struct tenure_result *ret_result)
{
    const struct tenure_session_list_request request = {.user = tenure_text("alice")};
    struct tenure_session_list_reply reply = {.sessions_count = 0};
    enum tenure_outcome outcome = tenure_session_list(client, &request, &reply, ret_result);
    tenure_result_done(ret_result);
    return outcome == TENURE_OK ? reply.sessions_count : SIZE_MAX;
}

static void any_node_answers_as_it_stands_who_asks_for_that(void **state)
{
    struct world_session first, second;
    struct tenure_result result, newer;
    (void)state;
    world_start(&world, 330);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &first), TENURE_OK);
    world_agree(&world);
    size_t behind = world_other(world_leader(&world));
    struct tenure_client *stale = stale_client(behind);
    assert_int_equal(count_sessions(stale, &result), 1);
    assert_true(result.stale);
    assert_true(result.position > 0 && result.time >= first.time);
    cut_off(behind, true);
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &second), TENURE_OK);
    assert_int_equal(count_sessions(client, &newer), 2);
    assert_false(newer.stale);
    world_pass(&world, 5 * SIM_SECOND); /* nobody leads there by now */
    assert_int_equal(count_sessions(stale, &result), 1);
    assert_true(result.stale);
    assert_true(result.position < newer.position);
    cut_off(behind, false);
    world_pass(&world, 2 * SIM_SECOND);
    world_agree(&world);
    assert_int_equal(count_sessions(stale, &result), 2);
    tenure_close(stale);
    tenure_close(client);
    world_end(&world);
}

/* What a right hangs on has no stale form: no token, no validate, no check, no command. */
static void no_right_is_read_stale(void **state)
{
    static const char *const named[] = {"session.list", "task.list",   "events.read",
                                        "limit.list",   "tenant.list", "quota.list"};
    struct world_session session;
    struct tenure_result result;
    struct raw raw;
    size_t count = 0;
    size_t found = 0;
    (void)state;
    const struct op_row *rows = op_rows(&count);
    for (size_t i = 0; i < count; i++) {
        bool may = false;
        for (size_t k = 0; k < sizeof(named) / sizeof(named[0]); k++) {
            may = may || strcmp(rows[i].method, named[k]) == 0;
        }
        found += may;
        assert_int_equal(rows[i].may_be_stale, may);
        assert_true(!may || rows[i].access == OP_READ);
    }
    assert_int_equal(found, sizeof(named) / sizeof(named[0]));
    world_start(&world, 340);
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    assert_int_equal(world_create(client, "alice", HOUR, HOUR, &session), TENURE_OK);
    struct tenure_client *stale = stale_client(world_leader(&world));
    assert_int_equal(world_validate(stale, &session, &result), TENURE_INVALID);
    tenure_result_done(&result);
    const struct tenure_task_list_request list = {
        .user = tenure_text("alice"), .has_token = true, .token = tenure_text(session.token)};
    struct tenure_task_list_reply reply;
    assert_int_equal(tenure_task_list(stale, &list, &reply, &result), TENURE_INVALID);
    tenure_result_done(&result);
    struct env_tls *tls = world_identity(&world, SERVICE);
    raw_open(&raw, &world, world_leader(&world), tls);
    raw_hello(&raw);
    const struct op_envelope asks = {.has_stale = true, .stale = true};
    ask_validate(&raw, 2, &session, &asks);
    raw_expect(&raw, 2, OP_INVALID);
    const struct op_envelope does_not = {.has_stale = true, .stale = false};
    ask_validate(&raw, 3, &session, &does_not);
    raw_expect(&raw, 3, OP_OK);
    raw_close(&raw);
    env_tls_destroy(tls);
    tenure_close(stale);
    tenure_close(client);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(who_stands_still_before_the_answer_says_no_yes),
        cmocka_unit_test(who_lost_the_lead_says_who_has_it),
        cmocka_unit_test(any_node_answers_as_it_stands_who_asks_for_that),
        cmocka_unit_test(no_right_is_read_stale),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
