/* What a later version wrote stops a node, with one line that says what to do; it is never skipped,
 * and the node's data stays as it is.
 */
#include "tests/node/raw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { LATER = 1999 }; /* no command of this version */

/* An entry of one command of that number; `version` is the entry's own. */
static struct bytes later_entry(uint8_t buffer[64], uint8_t version, uint32_t number)
{
    struct op_command tick = {.number = OP_COMMAND_TICK};
    struct base_writer writer, at;
    base_writer_init(&writer, buffer, 64);
    op_entry_begin(&writer);
    size_t head = base_written(&writer).size;
    op_entry_add(&writer, &tick);
    op_entry_finish(&writer, WORLD_T0, 1);
    buffer[0] = version;
    base_writer_init(&at, buffer + head + 4, 4);
    base_write_u32(&at, number);
    return base_written(&writer);
}

/* Whoever hears that the entry is committed stops. The last one never does: it has no majority. */
static bool majority_failed(void *arg)
{
    const struct world *world = arg;
    size_t failed = 0;
    for (size_t i = 0; i < WORLD_NODES; i++) {
        failed += world->nodes[i].failed;
    }
    return failed == WORLD_NODES - 1;
}

static void expect_failures(struct world *world, const char *what)
{
    assert_true(sim_run_until(world->sim, majority_failed, world, 20 * SIM_SECOND));
    world_pass(world, 5 * SIM_SECOND);
    assert_true(majority_failed(world));
    for (size_t i = 0; i < WORLD_NODES; i++) {
        const char *error = world->nodes[i].error;
        if (world->nodes[i].failed &&
            (strstr(error, what) == NULL || strstr(error, "upgrade this node") == NULL ||
             strstr(error, "of term") == NULL || strchr(error, '\n') != NULL)) {
            fail_msg("node %zu says: %s", i + 1, error);
        }
    }
}

static void stopped_by(uint8_t version, uint32_t number, const char *what)
{
    struct world world;
    uint8_t buffer[64];
    uint64_t index, position;
    world_start(&world, 50 + version + number);
    world_agree(&world);
    size_t leader = world_leader(&world);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world.nodes[i].may_fail = true;
    }
    position = fsm_position(world.nodes[leader].node->fsm);
    assert_int_equal(
        rlog_submit(world.nodes[leader].node->rlog, later_entry(buffer, version, number), &index),
        RLOG_SUBMITTED);
    expect_failures(&world, what);
    for (size_t i = 0; i < WORLD_NODES; i++) { /* nothing behind it was applied, nor half of it */
        assert_true(fsm_position(world.nodes[i].node->fsm) <= position + 4);
        world_node_kill(&world.nodes[i]);
    }
    for (size_t i = 0; i < WORLD_NODES; i++) { /* it is there still, and stops them again */
        world.nodes[i].failed = false;
        world_node_run(&world.nodes[i]);
    }
    expect_failures(&world, what);
    world_end(&world);
}

static void an_entry_of_a_later_version_stops_each_node(void **state)
{
    (void)state;
    stopped_by(2, OP_COMMAND_TICK, "entries of version 2");
}

static void a_command_of_a_later_version_stops_each_node(void **state)
{
    (void)state;
    stopped_by(OP_ENTRY_VERSION, LATER, "command 1999");
}

/* ---- the feature level ---- */

static void become(struct world_node *node, uint32_t level)
{
    world_node_kill(node);
    node->config.level = level;
    node->failed = false;
    world_node_run(node);
}

static bool at_level(struct world *world, uint64_t level)
{
    for (size_t i = 0; i < WORLD_NODES; i++) {
        const struct node *node = world->nodes[i].node;
        if (node != NULL && !world->nodes[i].failed && fsm_level(node->fsm) != level) {
            return false;
        }
    }
    return true;
}

static bool at_two(void *arg)
{
    return at_level(arg, 2);
}

static bool has_failed(void *arg)
{
    const struct world_node *node = arg;
    return node->failed;
}

/* What is served from level 2 on. */
static bool admits_two(struct world *world)
{
    return node_level_admits(world->nodes[world_leader(world)].node, 2);
}

static void upgrade_all(struct world *world)
{
    world_start(world, 77);
    assert_true(at_level(world, 1) && !admits_two(world));
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_pass(world, 5 * SIM_SECOND); /* long enough to be raised, were it not for the rest */
        assert_true(at_level(world, 1) && !admits_two(world));
        become(&world->nodes[i], 2);
    }
    assert_true(sim_run_until(world->sim, at_two, world, 20 * SIM_SECOND));
    assert_true(admits_two(world));
}

/* No sooner than with the last of them, and for good: also of a cluster that begins again. */
static void the_level_is_the_least_of_all_members(void **state)
{
    (void)state;
    struct world world;
    upgrade_all(&world);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_kill(&world.nodes[i]);
    }
    for (size_t i = 0; i < WORLD_NODES; i++) {
        world_node_run(&world.nodes[i]);
    }
    assert_true(sim_run_until(world.sim, at_two, &world, 20 * SIM_SECOND));
    world_agree(&world);
    world_end(&world);
}

/* A member that is down holds the level, however many others could have more. */
static void a_silent_member_holds_the_level(void **state)
{
    (void)state;
    struct world world;
    world_start(&world, 78);
    world_node_kill(&world.nodes[2]);
    become(&world.nodes[0], 2);
    become(&world.nodes[1], 2);
    world_pass(&world, 10 * SIM_SECOND);
    assert_true(at_level(&world, 1));
    world.nodes[2].config.level = 2;
    world_node_run(&world.nodes[2]);
    assert_true(sim_run_until(world.sim, at_two, &world, 20 * SIM_SECOND));
    world_end(&world);
}

/* All run the later program and say so, but for the leader: its state knows both levels, and what a
 * node says is what its configuration holds. */
static void upgrade_but_leader(struct world *world, uint64_t seed, size_t *ret_leader)
{
    enum { LAST = WORLD_NODES - 1 };
    world_start(world, seed);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        become(&world->nodes[i], 2);
    }
    world->nodes[LAST].config.level = 1;
    *ret_leader = world_leader(world);
    world->nodes[*ret_leader].config.level = 1;
    world->nodes[LAST].config.level = LAST == *ret_leader ? 1 : 2;
    world_pass(world, 3 * SIM_SECOND);
    assert_true(at_level(world, 1));
}

/* What a member's process said before this one is another program's word, however fresh. */
static void a_restarted_member_speaks_for_itself(void **state)
{
    (void)state;
    for (uint64_t seed = 80; seed < 84; seed++) {
        struct world world;
        size_t leader;
        upgrade_but_leader(&world, seed, &leader);
        struct world_node *back = &world.nodes[world_other(leader)];
        back->may_fail = true;
        become(back, 1);
        world_pass(&world, 20000); /* its end is known, and it has said nothing yet */
        world.nodes[leader].config.level = 2;
        world_pass(&world, 5 * SIM_SECOND);
        assert_false(back->failed);
        assert_true(at_level(&world, 1));
        become(back, 2);
        assert_true(sim_run_until(world.sim, at_two, &world, 20 * SIM_SECOND));
        world_end(&world);
    }
}

/* ---- members of other levels ---- */

static enum tenure_outcome promote(struct tenure_client *office, uint64_t node, char message[256])
{
    const struct tenure_member_promote_request request = {.node = node};
    struct tenure_member_promote_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_member_promote(office, &request, &reply, &result);
    snprintf(message, 256, "%s", result.message);
    tenure_result_done(&result);
    return outcome;
}

static void add_fourth(struct world *world, struct tenure_client *office)
{
    struct tenure_id store;
    world_join(world, &store);
    const struct tenure_member_add_request request = {
        .node = WORLD_NODES + 1,
        .address = tenure_text(world->fourth.peer_listen),
        .client_address = tenure_text(world->fourth.listen),
        .store = store};
    struct tenure_member_add_reply reply;
    struct tenure_result result;
    assert_int_equal(tenure_member_add(office, &request, &reply, &result), TENURE_OK);
    tenure_result_done(&result);
}

/* A learner that is close in the log and would stop at the next entry gets no vote. */
static void who_does_not_know_the_level_gets_no_vote(void **state)
{
    (void)state;
    struct world world;
    char message[256];
    upgrade_all(&world);
    struct tenure_client *office = world_client(&world, WORLD_NODES, "operator");
    add_fourth(&world, office);
    become(&world.fourth, 2);
    world.fourth.config.level = 1; /* as one that has not come to LEVEL yet */
    world_pass(&world, 3 * SIM_SECOND);
    assert_int_equal(promote(office, WORLD_NODES + 1, message), TENURE_NOT_READY);
    world.fourth.config.level = 2;
    assert_int_equal(promote(office, WORLD_NODES + 1, message), TENURE_OK);
    world_node_kill(&world.fourth);
    tenure_close(office);
    world_end(&world);
}

/* Taken back to the program of before, behind `snapshot` or by its log alone. */
static void taken_back(bool snapshot)
{
    struct world world;
    upgrade_all(&world);
    size_t which = world_other(world_leader(&world));
    struct world_node *node = &world.nodes[which];
    if (snapshot) {
        rlog_snapshot_now(node->node->rlog);
        world_pass(&world, 2 * SIM_SECOND);
    }
    world_node_kill(node);
    node->config.level = 1;
    node->may_fail = true;
    bool started = world_node_try(node);
    assert_int_equal(started, !snapshot);
    if (started) {
        assert_true(sim_run_until(world.sim, has_failed, node, 20 * SIM_SECOND));
        assert_non_null(strstr(node->error, "knows no feature level 2"));
    }
    assert_non_null(strstr(node->error, "upgrade this node"));
    struct tenure_client *client = world_client(&world, WORLD_NODES, "service");
    struct world_session session;
    assert_int_equal(world_create(client, "alice", 60 * SIM_SECOND, 600 * SIM_SECOND, &session),
                     TENURE_OK); /* the others go on */
    tenure_close(client);
    become(node, 2); /* and so does this one, from its own folder */
    world_agree(&world);
    assert_true(at_level(&world, 2));
    world_end(&world);
}

static void who_is_taken_back_stops_and_goes_on_when_upgraded(void **state)
{
    (void)state;
    taken_back(false);
    taken_back(true);
}

/* ---- an operation of a later level ---- */

static enum op_number later; /* served from level 2 on; 0: none is */

uint64_t __wrap_op_row_level(const struct op_row *row);
uint64_t __wrap_op_row_level(const struct op_row *row)
{
    return row->number == later ? 2 : OP_LEVEL_FIRST;
}

static enum op_outcome ask(struct raw *raw, uint32_t msgid, const char *method,
                           const struct op_envelope *envelope, const void *value)
{
    struct raw_answer answer;
    raw_request(raw, msgid, method, envelope, op_row_of_method(bytes_of_text(method))->request,
                value);
    raw_answer(raw, &answer);
    assert_int_equal(answer.msgid, msgid);
    return answer.head.outcome;
}

/* A write; and a read of its own. */
static enum op_outcome ask_register(struct raw *raw, uint32_t msgid)
{
    static const struct op_client_register_request nothing;
    later = OP_client_register;
    return ask(raw, msgid, "client.register", NULL, &nothing);
}

static enum op_outcome ask_revoke(struct raw *raw, uint32_t msgid, uint64_t attempt)
{
    const struct op_revoke_user_request alice = {.user = bytes_of_text("alice")};
    const struct op_envelope envelope = {.has_client = true,
                                         .client = 1,
                                         .has_incarnation = true,
                                         .has_number = true,
                                         .number = 1,
                                         .has_attempt = true,
                                         .attempt = attempt,
                                         .has_lowest = true,
                                         .lowest = 1};
    later = OP_revoke_user;
    return ask(raw, msgid, "revoke.user", &envelope, &alice);
}

static enum op_outcome ask_list(struct raw *raw, uint32_t msgid, bool stale)
{
    const struct op_session_list_request list = {.has_user = true, .user = bytes_of_text("alice")};
    const struct op_envelope envelope = {.has_stale = stale, .stale = stale};
    later = OP_session_list;
    return ask(raw, msgid, "session.list", &envelope, &list);
}

/* NOT_YET is for good, so nobody says it but who leads and has just heard so from a majority; of a
 * stale read whoever is asked. */
static void a_later_operation_is_refused_by_who_leads(void **state)
{
    (void)state;
    struct world world;
    struct raw raw;
    world_start(&world, 79);
    size_t leader = world_leader(&world);
    struct env_tls *tls = world_identity(&world, "tenure://test/acme/service/gateway");
    raw_open(&raw, &world, world_other(leader), tls);
    raw_hello(&raw);
    assert_int_equal(ask_register(&raw, 2), OP_NOT_LEADER);
    assert_int_equal(ask_list(&raw, 3, false), OP_NOT_LEADER);
    assert_int_equal(ask_list(&raw, 4, true), OP_NOT_YET);
    raw_close(&raw);
    raw_open(&raw, &world, leader, tls);
    raw_hello(&raw);
    assert_int_equal(ask_register(&raw, 2), OP_NOT_YET);
    assert_int_equal(ask_list(&raw, 3, false), OP_NOT_YET);
    assert_int_equal(ask_revoke(&raw, 10, 1), OP_NOT_YET);
    assert_int_equal(ask_revoke(&raw, 11, 2), OP_UNKNOWN); /* the first may be applied yet */
    for (size_t i = 0; i < WORLD_NODES; i++) { /* it leads no more, and does not know it yet */
        if (i != leader) {
            sim_net_cut(world.sim, world.nodes[i].host, world.nodes[leader].host, true);
            sim_net_cut(world.sim, world.nodes[leader].host, world.nodes[i].host, true);
        }
    }
    assert_int_equal(op_outcome_class(ask_register(&raw, 4)), OP_CLASS_RETRY);
    later = 0;
    raw_close(&raw);
    env_tls_destroy(tls);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_of_a_later_version_stops_each_node),
        cmocka_unit_test(a_command_of_a_later_version_stops_each_node),
        cmocka_unit_test(the_level_is_the_least_of_all_members),
        cmocka_unit_test(a_silent_member_holds_the_level),
        cmocka_unit_test(a_restarted_member_speaks_for_itself),
        cmocka_unit_test(who_does_not_know_the_level_gets_no_vote),
        cmocka_unit_test(who_is_taken_back_stops_and_goes_on_when_upgraded),
        cmocka_unit_test(a_later_operation_is_refused_by_who_leads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
