/* The processes that use the cluster: services, task workers, and the operator when he is needed.
 *
 * Each has a machine and a client of its own, and calls in its own time: a paused process calls
 * late, a crashed one forgets what it asked.
 */
#include "tests/sim/run.h"

#include "base/assert.h"

#include <stdio.h>
#include <string.h>

enum { OPEN_MAX = 6 };

static struct step next_step(struct run_actor *actor)
{
    return (struct step){STEP_CALL, (uint8_t)(actor - actor->run->actors), actor->turns++};
}

static void on_timer(void *arg)
{
    struct run_actor *actor = arg;
    struct run *run = actor->run;
    struct run_draws before = run_enter(run, next_step(actor));
    uint64_t think = run_random(run, 2 * run->plan.think_us);
    env_timer_start(actor->timer, run_chance(run, 10) ? think / 50 : think);
    if (!actor->quiet && actor->open < OPEN_MAX && run_keeps(run)) {
        call_any(actor);
    }
    run_leave(run, before);
}

static void nothing_due(void *arg)
{
    (void)arg;
}

struct tenure_client *actors_open_client(struct run *run, struct env *env, uint64_t timeout_us,
                                         const char *tenant, size_t only)
{
    const char *servers[NODES_MAX];
    for (size_t i = 0; i < run->node_count; i++) {
        servers[i] = run->nodes[only < NODES_MAX ? only : i].listen;
    }
    const struct tenure_options options = {.servers = servers,
                                           .server_count = only < NODES_MAX ? 1 : run->node_count,
                                           .ca = "/pki/ca.pem",
                                           .certificate = "/pki/own.pem",
                                           .key = "/pki/own.key",
                                           .tenant = tenant,
                                           .software = "sim",
                                           .timeout_us = timeout_us,
                                           .stay = only < NODES_MAX};
    char error[512];
    struct tenure_client *client = NULL;
    if (!tenure_open_env(env, &options, error, sizeof(error), &client)) {
        run_fail(run, "a client does not open: %s", error);
    }
    return client;
}

static void actor_start(struct run_actor *actor)
{
    struct run *run = actor->run;
    char name[32];
    snprintf(name, sizeof(name), "app-%zu", (size_t)(actor - run->actors));
    actor->env = sim_process_start(actor->host, name);
    const char *tenant = actor->root ? "acme" : NULL;
    actor->client = actors_open_client(run, actor->env, run->plan.timeout_us, tenant, NODES_MAX);
    actor->timer = env_timer_create(actor->env, on_timer, actor);
    ASSERT(actor->client != NULL && actor->timer != NULL);
    repeat_open(actor,
                actors_open_client(run, actor->env, run->plan.timeout_us, tenant, NODES_MAX));
    struct run_draws before = run_enter(run, next_step(actor));
    env_timer_start(actor->timer, run_random(run, SIM_SECOND));
    run_leave(run, before);
}

void actors_create(struct run *run)
{
    run->office = sim_host_create(run->sim, "office");
    certify(run->office, "tenure://sim/-/operator/root");
    run->actor_count = run->plan.services + run->plan.workers + (run->plan.root ? 1 : 0);
    ASSERT(run->actor_count <= ACTORS_MAX);
    for (size_t i = 0; i < run->actor_count; i++) {
        struct run_actor *actor = &run->actors[i];
        char name[32];
        actor->run = run;
        actor->worker = i >= run->plan.services;
        actor->root = i == run->plan.services + run->plan.workers;
        snprintf(name, sizeof(name), "apps-%zu", i);
        actor->host = sim_host_create(run->sim, name);
        certify(actor->host, actor->root     ? "tenure://sim/-/operator/root"
                             : actor->worker ? "tenure://sim/acme/service/worker"
                                             : "tenure://sim/acme/service/gateway");
        actor_start(actor);
    }
}

void actor_kill(struct run_actor *actor)
{
    if (actor->env == NULL) {
        return;
    }
    sim_process_crash(actor->env);
    repeat_close(actor);
    tenure_close(actor->client);
    env_timer_destroy(actor->timer);
    sim_process_free(actor->env);
    ASSERT(actor->open == 0);
    actor->env = NULL;
    actor->client = NULL;
    memset(actor->fences, 0, sizeof(actor->fences));
    memset(actor->clients, 0, sizeof(actor->clients));
    actor->start_at = sim_now_us(actor->run->sim) + run_random(actor->run, 2 * SIM_SECOND);
}

/* Its calls come from duel.c, not from a timer, and end soon. */
void actor_start_second(struct run *run, size_t node)
{
    enum { TIMEOUT_US = 1000000 };
    struct run_actor *actor = &run->actors[ACTORS_MAX + node];
    char name[32];
    actor->run = run;
    if (actor->host == NULL) {
        snprintf(name, sizeof(name), "second-%zu", node + 1);
        actor->host = sim_host_create(run->sim, name);
        certify(actor->host, "tenure://sim/acme/service/gateway");
    }
    snprintf(name, sizeof(name), "duel-%zu", node + 1);
    actor->env = sim_process_start(actor->host, name);
    actor->client = actors_open_client(run, actor->env, TIMEOUT_US, NULL, node);
    actor->timer = env_timer_create(actor->env, nothing_due, NULL);
    ASSERT(actor->client != NULL && actor->timer != NULL);
    repeat_open(actor, actors_open_client(run, actor->env, TIMEOUT_US, NULL, node));
}

void actors_step(struct run *run)
{
    for (size_t i = 0; i < run->actor_count; i++) {
        struct run_actor *actor = &run->actors[i];
        if (actor->env == NULL && actor->start_at <= sim_now_us(run->sim)) {
            actor_start(actor);
        }
    }
}

void actors_destroy(struct run *run)
{
    for (size_t i = 0; i < ACTORS_MAX + NODES_MAX; i++) {
        actor_kill(&run->actors[i]);
    }
}

/* ---- the operator ---- */

static void on_stated(tenure_any_cb callback, void *arg, const struct tenure_result *result,
                      const void *reply)
{
    bool *ended = arg;
    (void)callback;
    (void)result;
    (void)reply;
    *ended = true;
}

static void nothing(void)
{
}

static bool has_ended(void *arg)
{
    return *(bool *)arg;
}

/* Half of the statements are too early, by a minute to an hour: T must go on all the same. */
static uint64_t stated_time(const struct run *run)
{
    uint64_t now = RUN_T0 + sim_now_us(run->sim) - run->born_us;
    uint64_t draw = sim_mix(run->setup->seed ^ sim_mix(run->counters.times_stated));
    return draw % 2 != 0 ? now : now - (60 + draw / 2 % 3540) * SIM_SECOND;
}

/* No clock of a majority survived, and the wall clocks disagree: an operator states the time that
 * it is, counted from the cluster's birth. */
void operator_step(struct run *run)
{
    size_t which = nodes_timeless(run);
    if (which == NODES_MAX) {
        return;
    }
    static const struct tenure_field_map time_map[] = {{.offset = 0, .has_offset = SIZE_MAX}};
    const struct tenure_method method = {.name = "cluster.time",
                                         .request = &op_time_request_struct,
                                         .reply = &op_time_reply_struct,
                                         .request_map = time_map,
                                         .reply_map = time_map,
                                         .reply_size = sizeof(struct tenure_cluster_time_reply),
                                         .deliver = on_stated};
    struct env *env = sim_process_start(run->office, "operator");
    struct tenure_client *client = actors_open_client(run, env, SIM_SECOND, "acme", which);
    run_say(run, "the operator states the time to node %zu", which + 1);
    const struct tenure_cluster_time_request request = {.time = stated_time(run)};
    bool ended = false;
    (void)tenure_call_start(client, &method, &request, nothing, &ended);
    while (!has_ended(&ended) && run_pass(run, 10 * SIM_MILLISECOND)) {
    }
    run->counters.times_stated++;
    run->stated_us = sim_now_us(run->sim);
    tenure_close(client);
    sim_process_free(env);
}
