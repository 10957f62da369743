/* One tenant's flood and another tenant's call: the other does not stand behind it, and where there
 * is room for no more, it is the flood that is turned away. */
#include "tests/node/load.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define HOUR (3600 * SIM_SECOND)

enum { CLIENTS = 16, EACH = 240, FLOOD = CLIENTS * EACH, WAITING = 1500, ROUND_US = 50000 };

struct flood {
    struct world world;
    struct tenure_client *clients[CLIENTS]; /* of the tenant that floods */
    struct tenure_client *other;
    size_t leader;
    uint32_t done, ended;
    size_t queued, most_at_once; /* what the leader has queued; the most that came in one turn */
    uint32_t done_before;        /* when the other was answered */
    bool answered;
    enum tenure_outcome outcome;
};

static void on_create(void *arg, const struct tenure_result *result,
                      const struct tenure_session_create_reply *reply)
{
    struct flood *flood = arg;
    (void)reply;
    flood->done += result->outcome == TENURE_OK;
    flood->ended++;
}

static void on_other(void *arg, const struct tenure_result *result,
                     const struct tenure_session_create_reply *reply)
{
    struct flood *flood = arg;
    (void)reply;
    flood->answered = true;
    flood->outcome = result->outcome;
    flood->done_before = flood->done;
}

static void create(struct tenure_client *client, tenure_session_create_cb callback,
                   struct flood *flood)
{
    const struct tenure_session_create_request request = {.user = tenure_text("alice"),
                                                          .agent = tenure_text("assistant"),
                                                          .idle = HOUR,
                                                          .absolute = HOUR};
    assert_true(tenure_session_create_start(client, &request, callback, flood) != 0);
}

static bool waits(void *arg)
{
    struct flood *flood = arg;
    size_t queued = flood->world.nodes[flood->leader].node->batch->queue.count;
    if (queued > flood->queued + flood->most_at_once) {
        flood->most_at_once = queued - flood->queued;
    }
    flood->queued = queued;
    return queued >= WAITING;
}

static bool is_answered(void *arg)
{
    return ((const struct flood *)arg)->answered;
}

static bool has_ended(void *arg)
{
    return ((const struct flood *)arg)->ended == FLOOD;
}

static void a_flood_holds_up_nobody_else(void **state)
{
    (void)state;
    static struct flood flood;
    memset(&flood, 0, sizeof(flood));
    world_start(&flood.world, 7);
    flood.leader = world_leader(&flood.world);
    struct world_session session;
    (void)world_identity(&flood.world, "tenure://test/rival/service/gateway");
    flood.other = world_client(&flood.world, flood.leader, "some");
    assert_int_equal(world_create(flood.other, "alice", HOUR, HOUR, &session), TENURE_OK);

    for (size_t i = 0; i < CLIENTS; i++) {
        flood.clients[i] = world_client(&flood.world, flood.leader, "service");
        assert_int_equal(world_create(flood.clients[i], "alice", HOUR, HOUR, &session), TENURE_OK);
    }
    for (size_t i = 0; i < WORLD_NODES; i++) { /* so that the log takes less than what comes */
        sim_disk_latency(flood.world.nodes[i].host, ROUND_US, 0);
    }
    for (size_t i = 0; i < FLOOD; i++) {
        create(flood.clients[i % CLIENTS], on_create, &flood);
    }
    struct node_pace *pace = &flood.world.nodes[flood.leader].node->batch->pace;
    *pace = (struct node_pace){.window = PACE_BYTES_LEAST, .lone_us = 1}; /* all of it is slow */
    assert_true(sim_run_until(flood.world.sim, waits, &flood, 10 * SIM_SECOND));
    assert_in_range(flood.most_at_once, 1, SHARE_CALLS); /* others had their turns in between */
    create(flood.other, on_other, &flood);
    assert_true(sim_run_until(flood.world.sim, is_answered, &flood, 10 * SIM_SECOND));
    assert_int_equal(flood.outcome, TENURE_OK);
    /* What is behind the other's entry was packed while tenants shared the log. */
    const struct node_batch *batch = flood.world.nodes[flood.leader].node->batch;
    assert_true(batch->shared_us != 0);
    assert_in_range(batch->flying_bytes, 1, PACE_BYTES_LEAST + 1024);
    print_message("%u of %d done before the other's call was answered\n", flood.done_before, FLOOD);
    assert_true(flood.done_before < FLOOD - WAITING / 2); /* before most of those that waited */
    assert_true(sim_run_until(flood.world.sim, has_ended, &flood, 60 * SIM_SECOND));
    assert_int_equal(flood.done, FLOOD); /* nobody starves */
    for (size_t i = 0; i < CLIENTS; i++) {
        tenure_close(flood.clients[i]);
    }
    tenure_close(flood.other);
    world_end(&flood.world);
}

enum { LOADS = 2, CALLS = 8, BETWEEN_US = 200000 };

/* What a call of the other tenant takes in the mean; a few a second. */
static uint64_t call_now_and_then(struct world *world, struct tenure_client *other)
{
    struct world_session session;
    uint64_t sum = 0;
    for (size_t i = 0; i < CALLS; i++) {
        uint64_t began = sim_now_us(world->sim);
        assert_int_equal(world_create(other, "alice", HOUR, HOUR, &session), TENURE_OK);
        sum += sim_now_us(world->sim) - began;
        world_pass(world, BETWEEN_US);
    }
    return sum / CALLS;
}

static uint64_t done(const struct load loads[LOADS])
{
    uint64_t sum = 0;
    for (size_t i = 0; i < LOADS; i++) {
        sum += loads[i].done;
    }
    return sum;
}

/* One tenant's many bytes, more than may be in the log at a time, and another's few calls, on disks
 * that take long for each round. */
static void a_slow_log_is_not_narrowed_by_a_neighbour(void **state)
{
    (void)state;
    static struct load loads[LOADS];
    struct world world;
    world_begin(&world, 11);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        sim_disk_latency(world.nodes[i].host, ROUND_US, ROUND_US / 10);
    }
    (void)world_leader(&world);
    (void)world_identity(&world, "tenure://test/rival/service/gateway");
    struct tenure_client *other = world_client(&world, WORLD_NODES, "some");
    uint64_t alone_us = call_now_and_then(&world, other);
    for (size_t i = 0; i < LOADS; i++) {
        load_start(&loads[i], &world, 16000);
        loads[i].pace_us = 1000;
    }
    world_pass(&world, SIM_SECOND);
    uint64_t before = done(loads);
    world_pass(&world, 2 * SIM_SECOND);
    uint64_t alone = (done(loads) - before) / 2;
    (void)call_now_and_then(&world, other);
    before = done(loads);
    uint64_t since = sim_now_us(world.sim);
    uint64_t beside_us = call_now_and_then(&world, other);
    uint64_t beside = (done(loads) - before) * SIM_SECOND / (sim_now_us(world.sim) - since);
    const struct node_batch *batch = world.nodes[world_leader(&world)].node->batch;
    assert_true(env_mono_us(world.nodes[world_leader(&world)].env) - batch->shared_us <
                BATCH_SHARED_US);
    print_message("beside a neighbour's calls %u %% of the writes; they take %u %% of their time\n",
                  (unsigned)(beside * 100 / alone), (unsigned)(beside_us * 100 / alone_us));
    assert_true(beside * 100 >= alone * 85);
    assert_true(beside_us <= PACE_TIMES * alone_us);
    for (size_t i = 0; i < LOADS; i++) {
        load_finish(&loads[i]);
    }
    tenure_close(other);
    world_end(&world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_flood_holds_up_nobody_else),
        cmocka_unit_test(a_slow_log_is_not_narrowed_by_a_neighbour),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
