/* A random soak of three nodes: clients do all twelve operations while seeded faults happen.
 *
 * Usage: soak [FIRST [COUNT]]. Checks while it runs and at each seed's end:
 *   - no acknowledged write is lost, none made up (tests/node/load.h);
 *   - no session is accepted after its deadline by the world's own clock, after its end or its
 * revoke was acknowledged, nor refused as expired before its deadline (S2, S4, S6);
 *   - terms never go back on a node, equal positions have equal digests (S8, S13).
 * Judges no history beyond that: the simulator does.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sat.h"
#include "tests/node/load.h"

enum { ROUNDS = 5, EPSILON_US = 60000 };

/* One session and what is certain about it, by the world's clock. */
struct subject {
    struct world_session session;
    uint64_t dead_from;   /* the deadline can have been no later than this */
    uint64_t alive_until; /* nor earlier than this */
    bool ended;           /* an end or a revoke was acknowledged, */
    bool may_have_ended;  /* or asked for */
};

struct soak {
    struct world world;
    struct load load;
    struct tenure_client *client;
    struct subject subject;
    uint64_t terms[WORLD_NODES];
    uint64_t accepted;
    uint64_t refused;
    uint64_t users;
    struct tenure_id task;
    char fence[256];
    uint64_t operation;
};

static uint64_t now_of(const struct soak *soak)
{
    return sim_now_us(soak->world.sim);
}

/* ---- the operations ---- */

static void open_subject(struct soak *soak)
{
    struct subject *subject = &soak->subject;
    char user[32];
    snprintf(user, sizeof(user), "user-%" PRIu64, ++soak->users);
    uint64_t ttl = SIM_SECOND + sim_random(soak->world.sim, 4 * SIM_SECOND);
    uint64_t called = now_of(soak);
    *subject = (struct subject){.ended = false};
    if (world_create(soak->client, user, ttl, ttl, &subject->session) != TENURE_OK) {
        subject->may_have_ended = true; /* nothing is known of it: asks nothing */
        subject->session.token[0] = '\0';
        return;
    }
    subject->alive_until = called + ttl;
    subject->dead_from = now_of(soak) + ttl;
    soak->fence[0] = '\0';
}

/* What any answer about the subject says of its life. */
static void judge(struct soak *soak, enum tenure_outcome outcome, uint64_t called)
{
    const struct subject *subject = &soak->subject;
    if (outcome == TENURE_OK) {
        soak->accepted++;
        assert_false(subject->ended);
        assert_true(called <= subject->dead_from + EPSILON_US);
    } else if (outcome == TENURE_EXPIRED) {
        soak->refused++;
        assert_true(now_of(soak) + EPSILON_US >= subject->alive_until);
    } else if (outcome == TENURE_ENDED) {
        soak->refused++;
        assert_true(subject->may_have_ended);
    } else {
        enum tenure_class class = tenure_outcome_class(outcome);
        if (class != TENURE_CLASS_RETRY && class != TENURE_CLASS_UNKNOWN) {
            assert_true(outcome == TENURE_NOT_FOUND || outcome == TENURE_FENCED ||
                        outcome == TENURE_DENIED || outcome == TENURE_TAKEN);
        }
    }
}

static void validate(struct soak *soak)
{
    uint64_t called = now_of(soak);
    judge(soak, world_validate(soak->client, &soak->subject.session, NULL), called);
}

static void put_and_get(struct soak *soak)
{
    char value[64];
    uint64_t called = now_of(soak);
    enum tenure_outcome put = world_put(soak->client, &soak->subject.session, "k", "v");
    judge(soak, put, called);
    called = now_of(soak);
    enum tenure_outcome got = world_get(soak->client, &soak->subject.session, "k", value);
    judge(soak, got, called);
    if (put == TENURE_OK && got == TENURE_OK) {
        assert_string_equal(value, "v");
    }
}

static void grant_and_check(struct soak *soak)
{
    const struct world_session *session = &soak->subject.session;
    const struct tenure_grant_add_request grant = {.user = tenure_text(session->user),
                                                   .token = tenure_text(session->token),
                                                   .permission = tenure_text("tool:run")};
    struct tenure_grant_add_reply granted;
    struct tenure_result result;
    uint64_t called = now_of(soak);
    enum tenure_outcome given = tenure_grant_add(soak->client, &grant, &granted, &result);
    tenure_result_done(&result);
    judge(soak, given, called);
    const struct tenure_permission_check_request check = {
        .user = grant.user, .token = grant.token, .permission = grant.permission};
    struct tenure_permission_check_reply checked;
    called = now_of(soak);
    enum tenure_outcome held = tenure_permission_check(soak->client, &check, &checked, &result);
    tenure_result_done(&result);
    judge(soak, held, called);
    assert_false(given == TENURE_OK && held == TENURE_DENIED);
}

static void begin_and_claim(struct soak *soak)
{
    const struct world_session *session = &soak->subject.session;
    const struct tenure_task_begin_request begin = {.user = tenure_text(session->user),
                                                    .has_token = true,
                                                    .token = tenure_text(session->token),
                                                    .kind = tenure_text("work"),
                                                    .scope = TENURE_TASK_SCOPE_SESSION,
                                                    .ttl = 60 * SIM_SECOND};
    struct tenure_task_begin_reply begun;
    struct tenure_result result;
    uint64_t called = now_of(soak);
    enum tenure_outcome outcome = tenure_task_begin(soak->client, &begin, &begun, &result);
    tenure_result_done(&result);
    judge(soak, outcome, called);
    if (outcome != TENURE_OK) {
        return;
    }
    const struct tenure_task_claim_request claim = {
        .user = begin.user, .task = begun.task, .lease = 10 * SIM_SECOND};
    struct tenure_task_claim_reply claimed;
    outcome = tenure_task_claim(soak->client, &claim, &claimed, &result);
    if (outcome == TENURE_OK && claimed.has_fence) {
        soak->task = claimed.task;
        soak->operation = claimed.next;
        snprintf(soak->fence, sizeof(soak->fence), "%.*s", (int)claimed.fence.size,
                 (const char *)claimed.fence.data);
    }
    tenure_result_done(&result);
}

static void put_by_task(struct soak *soak)
{
    const struct world_session *session = &soak->subject.session;
    const struct tenure_state_put_request put = {.user = tenure_text(session->user),
                                                 .has_fence = true,
                                                 .fence = tenure_text(soak->fence),
                                                 .has_session = true,
                                                 .session = session->id,
                                                 .has_operation = true,
                                                 .operation = soak->operation++,
                                                 .key = tenure_text("t"),
                                                 .value = tenure_text("by task")};
    struct tenure_state_put_reply reply;
    struct tenure_result result;
    uint64_t called = now_of(soak);
    enum tenure_outcome outcome = tenure_state_put(soak->client, &put, &reply, &result);
    tenure_result_done(&result);
    judge(soak, outcome, called);
}

static void end_or_revoke(struct soak *soak)
{
    struct subject *subject = &soak->subject;
    subject->may_have_ended = true;
    bool revokes = sim_random(soak->world.sim, 2) == 0;
    enum tenure_outcome outcome = revokes ? world_revoke(soak->client, subject->session.user)
                                          : world_logout(soak->client, &subject->session);
    subject->ended |= outcome == TENURE_OK;
}

static void act(struct soak *soak)
{
    if (soak->subject.session.token[0] == '\0') {
        open_subject(soak);
        return;
    }
    switch (sim_random(soak->world.sim, 12)) {
    case 0:
        open_subject(soak);
        break;
    case 1:
        end_or_revoke(soak);
        validate(soak);
        break;
    case 2:
        grant_and_check(soak);
        break;
    case 3:
        begin_and_claim(soak);
        break;
    case 4:
    case 5:
        if (soak->fence[0] != '\0') {
            put_by_task(soak);
            break;
        }
        put_and_get(soak);
        break;
    case 6:
        put_and_get(soak);
        break;
    default:
        validate(soak);
        break;
    }
}

/* ---- the faults ---- */

static void revive(struct soak *soak)
{
    sim_net_heal(soak->world.sim);
    for (size_t i = 0; i < WORLD_NODES; i++) {
        struct world_node *node = &soak->world.nodes[i];
        if (node->node == NULL) {
            world_node_run(node);
        } else {
            sim_process_resume(node->env);
        }
    }
}

static void fault(struct soak *soak)
{
    struct sim *sim = soak->world.sim;
    struct world_node *node = &soak->world.nodes[sim_random(sim, WORLD_NODES)];
    size_t leader = world_leader_now(&soak->world);
    if (leader != WORLD_NODES && sim_random(sim, 2) == 0) {
        node = &soak->world.nodes[leader];
    }
    switch (sim_random(sim, 6)) {
    case 0:
        world_node_kill(node);
        break;
    case 1:
        world_node_power_cut(node);
        break;
    case 2:
        sim_net_isolate(sim, node->host, true);
        break;
    case 3:
        sim_process_pause(node->env);
        break;
    case 4:
        rlog_step_down(node->node->rlog);
        break;
    default:
        for (size_t i = 0; i < WORLD_NODES; i++) { /* all processes, no machine */
            world_node_kill(&soak->world.nodes[i]);
        }
        break;
    }
}

static void check_terms(struct soak *soak)
{
    for (size_t i = 0; i < WORLD_NODES; i++) {
        if (soak->world.nodes[i].node != NULL) {
            struct rlog_status status;
            rlog_status(soak->world.nodes[i].node->rlog, &status);
            assert_true(status.term >= soak->terms[i]);
            soak->terms[i] = status.term;
        }
    }
}

static void act_for(struct soak *soak, uint64_t us)
{
    uint64_t until = now_of(soak) + us;
    while (now_of(soak) < until) {
        act(soak);
        check_terms(soak);
        world_pass(&soak->world, sim_random(soak->world.sim, 40 * SIM_MILLISECOND));
    }
}

static uint64_t first_seed = 1;
static uint64_t seeds = 30;

static void play(struct soak *soak, uint64_t seed)
{
    memset(soak, 0, sizeof(*soak));
    world_start(&soak->world, seed);
    load_start(&soak->load, &soak->world, 200);
    soak->load.pace_us = 200 * SIM_MILLISECOND;
    soak->client = world_client(&soak->world, WORLD_NODES, "service");
    soak->client->timeout_us = 2 * SIM_SECOND;
    for (int round = 0; round < ROUNDS; round++) {
        act_for(soak, 400 * SIM_MILLISECOND);
        fault(soak);
        act_for(soak, sim_random(soak->world.sim, SIM_SECOND));
        revive(soak);
        (void)world_leader(&soak->world); /* one fault at a time leaves a majority of clocks */
        world_pass(&soak->world, SIM_SECOND);
    }
    load_finish(&soak->load);
    world_agree(&soak->world);
    tenure_close(soak->client);
    world_end(&soak->world);
}

static void every_seed_holds(void **state)
{
    static struct soak soak;
    uint64_t accepted = 0;
    uint64_t refused = 0;
    (void)state;
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        printf("seed %" PRIu64 "\n", seed);
        fflush(stdout);
        play(&soak, seed);
        accepted += soak.accepted;
        refused += soak.refused;
    }
    printf("accepted %" PRIu64 ", refused %" PRIu64 "\n", accepted, refused);
    assert_true(accepted > 0 && refused > 0); /* otherwise it showed nothing */
}

int main(int argc, char **argv)
{
    first_seed = argc > 1 ? strtoull(argv[1], NULL, 10) : first_seed;
    seeds = argc > 2 ? strtoull(argv[2], NULL, 10) : argc > 1 ? 1 : seeds;
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_seed_holds)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
