/* A cluster that is lost as a whole and restored from a backup (docs/MODEL.md section 6), by the
 * product's own calls and formatting: the operator saves a node's snapshot as tenurectl does, under
 * load; calls go on; all nodes and disks go; new ones are formatted from what was saved, under a
 * new incarnation; and everybody goes on with the sessions, fences and clients of before.
 *
 * Two histories come of it. The first is that of the lost cluster. The second begins with what the
 * law says a restore leaves: the tenant's policies up to the backup, and a revoke of everything at
 * the first position. To it what was held before is unknown, so that the checker refuses each use
 * of it that succeeds. Not judged: what the events of before are told as (lost_judge).
 */
#include "tests/sim/run.h"

#include "base/assert.h"
#include "base/sat.h"
#include "node/node.h"
#include "op/frame.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PERCENT = 25,
    STREAM = 92, /* of a seed's draws: nothing else is drawn from it */
    SAVE_TRIES = 8,
    CALL_US = 5000000,
};

#define FIRST_POSITION_STEP (UINT64_C(1) << 32)

void lost_plan(const struct run *run, struct plan *plan, bool can)
{
    uint64_t drawn = sim_mix(run->setup->seed ^ sim_mix(STREAM));
    plan->lost = run->setup->on[FAULT_LOST] && can && drawn % 100 < PERCENT;
    plan->on[FAULT_REBORN] = run->setup->on[FAULT_REBORN] && plan->lost;
}

/* ---- saving ---- */

struct saving {
    struct run *run;
    struct tenure_client *client;
    enum tenure_outcome outcome;
    bool ended;
    uint64_t position; /* that the backup has to hold */
    size_t piece;      /* size of the last one */
};

static void nothing(void)
{
}

static bool wait_for(struct saving *saving)
{
    struct run *run = saving->run;
    uint64_t until = sim_now_us(run->sim) + 2 * CALL_US;
    while (!saving->ended && sim_now_us(run->sim) < until && run_pass(run, 5 * SIM_MILLISECOND)) {
    }
    return saving->ended && saving->outcome == TENURE_OK && run->failure[0] == '\0';
}

static void on_position(void *arg, const struct tenure_result *result,
                        const struct tenure_cluster_get_reply *reply)
{
    struct saving *saving = arg;
    (void)reply;
    saving->ended = true;
    saving->outcome = result->outcome;
    saving->position = result->position;
}

static void on_taken(tenure_any_cb callback, void *arg, const struct tenure_result *result,
                     const void *given)
{
    struct saving *saving = arg;
    struct run_backup *backup = &saving->run->lost.backup;
    const struct tenure_snapshot_take_reply *reply = given;
    struct base_reader reader;
    (void)callback;
    saving->ended = true;
    saving->outcome = result->outcome;
    if (result->outcome != TENURE_OK) {
        return;
    }
    ASSERT(reply->digest.size == sizeof(backup->digest));
    ASSERT(reply->hash_key.size == sizeof(backup->hash_key));
    base_reader_init(&reader, bytes_of(reply->limits.data, reply->limits.size));
    if (!op_limits_read(&reader, &backup->limits)) {
        run_fail(saving->run, "S7: a backup tells of no limits");
    }
    backup->index = reply->index;
    backup->position = reply->position;
    backup->time = reply->time;
    backup->size = 0;
    memcpy(backup->digest, reply->digest.data, sizeof(backup->digest));
    memcpy(backup->hash_key, reply->hash_key.data, sizeof(backup->hash_key));
    memcpy(backup->incarnation.bytes, reply->incarnation.bytes, sizeof(backup->incarnation.bytes));
}

static void on_piece(tenure_any_cb callback, void *arg, const struct tenure_result *result,
                     const void *given)
{
    struct saving *saving = arg;
    struct run_backup *backup = &saving->run->lost.backup;
    const struct tenure_snapshot_read_reply *reply = given;
    (void)callback;
    saving->ended = true;
    saving->outcome = result->outcome;
    if (result->outcome != TENURE_OK) {
        return;
    }
    saving->piece = reply->data.size;
    while (backup->capacity - backup->size < saving->piece) {
        backup->capacity = 2 * backup->capacity + OP_SNAPSHOT_PIECE;
        backup->image = realloc(backup->image, backup->capacity);
        ASSERT(backup->image != NULL);
    }
    if (saving->piece > 0) {
        memcpy(backup->image + backup->size, reply->data.data, saving->piece);
    }
    backup->size += saving->piece;
}

#define PLAIN(S, member) {.offset = offsetof(struct tenure_##S, member), .has_offset = SIZE_MAX}

static bool ask_take(struct saving *saving)
{
    static const struct tenure_field_map asked[] = {PLAIN(snapshot_take_request, position)};
    static const struct tenure_field_map told[] = {
        PLAIN(snapshot_take_reply, index),    PLAIN(snapshot_take_reply, position),
        PLAIN(snapshot_take_reply, time),     PLAIN(snapshot_take_reply, digest),
        PLAIN(snapshot_take_reply, cluster),  PLAIN(snapshot_take_reply, incarnation),
        PLAIN(snapshot_take_reply, sessions), PLAIN(snapshot_take_reply, tasks),
        PLAIN(snapshot_take_reply, hash_key), PLAIN(snapshot_take_reply, limits)};
    const struct tenure_method method = {.name = OP_METHOD_SNAPSHOT_TAKE,
                                         .request = &op_snapshot_take_request_struct,
                                         .reply = &op_snapshot_take_reply_struct,
                                         .request_map = asked,
                                         .reply_map = told,
                                         .reply_size = sizeof(struct tenure_snapshot_take_reply),
                                         .deliver = on_taken};
    const struct tenure_snapshot_take_request request = {.position = saving->position};
    saving->ended = false;
    (void)tenure_call_start(saving->client, &method, &request, nothing, saving);
    return wait_for(saving);
}

static bool ask_piece(struct saving *saving)
{
    static const struct tenure_field_map asked[] = {PLAIN(snapshot_read_request, index),
                                                    PLAIN(snapshot_read_request, offset)};
    static const struct tenure_field_map told[] = {PLAIN(snapshot_read_reply, data)};
    const struct tenure_method method = {.name = OP_METHOD_SNAPSHOT_READ,
                                         .request = &op_snapshot_read_request_struct,
                                         .reply = &op_snapshot_read_reply_struct,
                                         .request_map = asked,
                                         .reply_map = told,
                                         .reply_size = sizeof(struct tenure_snapshot_read_reply),
                                         .deliver = on_piece};
    const struct run_backup *backup = &saving->run->lost.backup;
    const struct tenure_snapshot_read_request request = {.index = backup->index,
                                                         .offset = backup->size};
    saving->ended = false;
    (void)tenure_call_start(saving->client, &method, &request, nothing, saving);
    return wait_for(saving);
}

static bool save_once(struct saving *saving)
{
    bool good = ask_take(saving);
    do {
        good = good && ask_piece(saving);
    } while (good && saving->piece == OP_SNAPSHOT_PIECE);
    return good;
}

/* S7, S8: it holds all that had ended before it was asked for, and is the state that the log makes
 * up to its position. */
static void look_at_backup(struct run *run, uint64_t least)
{
    const struct run_backup *backup = &run->lost.backup;
    const struct run_watch *watch = &run->watch;
    const struct run_entry *entry = NULL;
    uint8_t digest[16];
    for (size_t i = watch->entry_count; i > 0 && entry == NULL; i--) {
        const struct run_entry *at = &watch->entries[i - 1];
        entry = at->position == backup->position && at->has_digest ? at : NULL;
    }
    if (backup->position < least) {
        run_fail(run, "S7: a backup at position %" PRIu64 " does not hold %" PRIu64,
                 backup->position, least);
    } else if (entry == NULL) {
        run_fail(run, "S8: a backup is of position %" PRIu64 ", where no entry ends",
                 backup->position);
    } else {
        node_digest_bytes(entry->digest, digest);
        if (memcmp(digest, backup->digest, sizeof(digest)) != 0 || entry->time != backup->time) {
            run_fail(run, "S8: a backup is not the state at position %" PRIu64, backup->position);
        }
    }
}

void lost_save(struct run *run)
{
    struct saving saving = {.run = run};
    struct env *env = sim_process_start(run->office, "backup");
    struct tenure_client *all = actors_open_client(run, env, CALL_US, "acme", NODES_MAX);
    bool saved = false;
    (void)tenure_cluster_get_start(all, &(struct tenure_cluster_get_request){0}, on_position,
                                   &saving);
    bool asked = wait_for(&saving);
    for (size_t i = 0; asked && !saved && i < SAVE_TRIES && run->failure[0] == '\0'; i++) {
        size_t node = (size_t)(run->setup->seed + i) % run->node_count;
        if (node_runs(&run->nodes[node])) {
            saving.client = actors_open_client(run, env, CALL_US, "acme", node);
            saved = save_once(&saving);
            tenure_close(saving.client);
        }
    }
    tenure_close(all);
    sim_process_free(env);
    if (!saved) {
        run_fail(run, "L1: no backup can be made");
        return;
    }
    run_say(run, "a backup is made at position %" PRIu64, run->lost.backup.position);
    run->counters.losses.backups++;
    look_at_backup(run, saving.position);
}

/* ---- restoring ---- */

#define IMAGE "/backup/image"

/* What `tenurectl snapshot restore` writes. */
static void write_birth(struct run *run, struct node_bootstrap *ret)
{
    const struct run_backup *backup = &run->lost.backup;
    uint64_t wall = u64_max(RUN_T0 + sim_now_us(run->sim) - run->born_us, backup->time);
    uint64_t drawn = sim_mix(run->setup->seed ^ sim_mix(STREAM + 1));
    memcpy(ret, &run->bootstrap, sizeof(*ret));
    memcpy(ret->birth.incarnation.bytes, &drawn, sizeof(drawn));
    memcpy(ret->hash_key, backup->hash_key, sizeof(ret->hash_key));
    memset(ret->derive_key, 0x3c, sizeof(ret->derive_key));
    ret->time = wall;
    ret->limits = backup->limits;
    snprintf(ret->restore.image, sizeof(ret->restore.image), "%s", IMAGE);
    ret->restore.incarnation = backup->incarnation;
    ret->restore.at = backup->position;
    memcpy(ret->restore.digest, backup->digest, sizeof(ret->restore.digest));
    ret->restore.position = u64_max(backup->position + FIRST_POSITION_STEP, wall);
    run->lost.incarnation = ret->birth.incarnation;
    run->lost.first = ret->restore.position;
}

static bool format(struct run_node *node, struct node_bootstrap *bootstrap)
{
    struct env *env = sim_process_start(node->host, "init");
    bool good = node_format(env, &node->config, bootstrap, node->error, sizeof(node->error));
    sim_process_free(env);
    return good;
}

/* What a restore has to refuse, each but for one thing as it is to be. */
static void restore_wrongly(struct run *run, struct run_node *node,
                            const struct node_bootstrap *right)
{
    static struct node_bootstrap wrong; /* large */
    static const char *const what[] = {
        "S5: a restore takes T back", "S14: a restore goes on where the lost cluster had gone",
        "S14: a restore keeps the incarnation", "S7: a restore is of another state than it says"};
    for (size_t i = 0; i < sizeof(what) / sizeof(what[0]) && run->failure[0] == '\0'; i++) {
        memcpy(&wrong, right, sizeof(wrong));
        wrong.time = i == 0 ? run->lost.backup.time - 1 : wrong.time;
        wrong.restore.position = i == 1 ? run->lost.backup.position + 1 : wrong.restore.position;
        wrong.birth.incarnation = i == 2 ? run->lost.backup.incarnation : wrong.birth.incarnation;
        wrong.restore.digest[0] ^= i == 3;
        node_wipe(node);
        if (format(node, &wrong)) {
            run_fail(run, "%s", what[i]);
        }
    }
}

/* It was done: its caller was told so, or the log has it, and the law refuses it not. */
static bool was_set(const struct history *history, const struct event *event)
{
    union op_request request;
    if (event->outcome == OP_OK || op_outcome_class(event->outcome) != OP_CLASS_UNKNOWN) {
        return event->outcome == OP_OK;
    }
    history_request(history, event, &request);
    bool forbidden = event->f == OP_quota_set &&
                     request.quota_set.quota <= OP_QUOTA_TENANT_STATE_BYTES &&
                     history_caller_of(history, event).role != OP_ROLE_OPERATOR;
    return event->position != 0 && !forbidden;
}

/* What a tenant had set up to the backup stays: policies and quotas. Once: a retry is told the same
 * again. */
static void keep_setting(struct run *run, const struct history *before, uint32_t row, uint64_t time)
{
    const struct event *event = &before->events[row];
    bool sets = event->f == OP_policy_set || event->f == OP_quota_set;
    bool kept = sets && was_set(before, event) && event->position <= run->lost.backup.position;
    for (uint32_t i = 0; kept && i < run->history->count; i++) {
        kept = run->history->events[i].position != event->position;
    }
    if (kept) {
        const union op_reply policy = {.policy_set = {.since = event->position}};
        const union op_reply quota = {.quota_set = {.since = event->position}};
        const struct history_answer answer = {.outcome = OP_OK,
                                              .ret_ns = sim_now_us(run->sim) * 1000,
                                              .position = event->position,
                                              .time = time, /* the lost cluster's T was its own */
                                              .clock = time,
                                              .term = 1,
                                              .reply = event->f == OP_policy_set ? &policy
                                                                                 : &quota};
        history_copy(run->history, before, row);
        struct event *copy = &run->history->events[run->history->count - 1];
        copy->client = copy->number = 0; /* nobody is registered any more */
        copy->call_ns = answer.ret_ns;
        history_return(run->history, run->history->count - 1, &answer);
    }
}

/* The law of a restore, as rows: what a tenant had set stays, and all is revoked at once. */
static void begin_history(struct run *run, const struct history *before, uint64_t time)
{
    static const union op_request request;
    const struct run_lost *lost = &run->lost;
    const union op_reply reply = {.revoke_all = {.watermark = lost->first}};
    for (uint32_t row = 0; row < before->count; row++) {
        keep_setting(run, before, row, time);
    }
    const struct history_call call = {
        .attempt = 1,
        .f = OP_revoke_all,
        .caller = {.tenant = bytes_of_text("acme"),
                   .certificate = bytes_of_text("operator/root"),
                   .role = OP_ROLE_OPERATOR},
        .call_ns = sim_now_us(run->sim) * 1000,
        .request = &request,
    };
    const struct history_answer answer = {.outcome = OP_OK,
                                          .ret_ns = sim_now_us(run->sim) * 1000,
                                          .position = lost->first,
                                          .time = time,
                                          .clock = time,
                                          .term = 1,
                                          .reply = &reply};
    history_return(run->history, history_invoke(run->history, &call), &answer);
}

/* S14, S5: nothing of the new cluster is numbered as something of the old one was. */
static void look_at_birth(struct run *run, const struct fsm *fsm, const struct run_entry *last,
                          uint64_t time)
{
    if (!id128_equal(fsm_incarnation(fsm), run->lost.incarnation)) {
        run_fail(run, "S14: a restored cluster has another incarnation than it was born with");
    } else if (fsm_position(fsm) < run->lost.first || fsm_position(fsm) <= last->position) {
        run_fail(run,
                 "S14: a restored cluster is at position %" PRIu64 ", the lost one was at %" PRIu64,
                 fsm_position(fsm), last->position);
    } else if (fsm_time(fsm) < time || fsm_time(fsm) < run->lost.backup.time) {
        run_fail(run, "S5: a restored cluster's T is %" PRIu64 ", its T0 is %" PRIu64,
                 fsm_time(fsm), time);
    }
}

void lost_restore(struct run *run)
{
    static struct node_bootstrap bootstrap; /* large */
    struct history *before = run->history;
    struct run_entry last = run->watch.entries[run->watch.entry_count - 1];
    struct bytes image = bytes_of(run->lost.backup.image, run->lost.backup.size);
    run_say(run, "the cluster is lost, and is restored from the backup");
    nodes_destroy(run);
    write_birth(run, &bootstrap);
    for (size_t i = 0; i < run->node_count; i++) {
        ASSERT(sim_disk_write(run->nodes[i].host, IMAGE, image) == ENV_OK);
    }
    restore_wrongly(run, &run->nodes[0], &bootstrap);
    for (size_t i = 0; i < run->node_count && run->failure[0] == '\0'; i++) {
        struct run_node *node = &run->nodes[i];
        node_wipe(node);
        if (!format(node, &bootstrap)) {
            run_fail(run, "S7: a backup is not restored: %s", node->error);
            return;
        }
        node_begin(node);
    }
    const struct node *first = run->nodes[0].node;
    if (run->failure[0] == '\0' && first != NULL) {
        look_at_birth(run, first->fsm, &last, bootstrap.time);
        watch_reborn(run, &run->nodes[0]);
        run->history = history_create();
        begin_history(run, before, fsm_time(first->fsm));
        history_destroy(before);
        for (size_t i = 0; i < run->actor_count; i++) {
            repeat_forget(&run->actors[i]);
        }
        run->calm_us = 0;
        run->counters.losses.restored++;
    }
}

/* ---- who held something of before ---- */

/* A login of before opens nothing (docs/MODEL.md section 4), neither one that the backup knows nor
 * one that was lost. */
static void call_login(struct run_actor *actor, uint64_t position)
{
    const struct tenure_session_create_request request = {.user = tenure_text("user-0"),
                                                          .agent = tenure_text("agent-0"),
                                                          .idle = 2 * SIM_SECOND,
                                                          .absolute = 4 * SIM_SECOND,
                                                          .has_auth_position = true,
                                                          .auth_position = position};
    record_call(actor, OP_session_create, &request, NULL);
}

static void call_fence(struct run_actor *actor, const struct run_fence *fence)
{
    const struct tenure_state_put_request put = {.user = tenure_text(fence->user),
                                                 .session = fence->session,
                                                 .has_session = true,
                                                 .has_fence = true,
                                                 .fence = tenure_text(fence->token),
                                                 .has_operation = true,
                                                 .operation = fence->next,
                                                 .key = tenure_text("key-0"),
                                                 .value = tenure_text("of a dead task")};
    const struct tenure_task_heartbeat_request heartbeat = {.user = tenure_text(fence->user),
                                                            .fence = tenure_text(fence->token),
                                                            .lease = 5 * SIM_SECOND};
    record_call(actor, OP_state_put, &put, NULL);
    record_call(actor, OP_task_heartbeat, &heartbeat, NULL);
}

void lost_call(struct run *run)
{
    const struct run_backup *backup = &run->lost.backup;
    for (size_t i = 0; i < run->actor_count; i++) {
        struct run_actor *actor = &run->actors[i];
        if (actor->env == NULL) {
            continue;
        }
        struct step step = {STEP_PROBE, (uint8_t)i, run->probes++};
        struct run_draws before = run_enter(run, step);
        if (!actor->worker) {
            call_login(actor, backup->position);
            call_login(actor, run->lost.first - 1);
        }
        for (size_t f = 0; f < FENCES_MAX; f++) {
            if (actor->fences[f].held) {
                call_fence(actor, &actor->fences[f]);
            }
        }
        run_leave(run, before);
    }
}

/* A place among the events of before is of another incarnation (S10). What is told from the first
 * event on begins with those of before, which the new history does not have. */
void lost_judge(struct run *run)
{
    union op_request request;
    for (uint32_t row = 0; row < run->history->count; row++) {
        struct event *event = &run->history->events[row];
        bool old = event->call_ns != HISTORY_NEVER && event->outcome != OP_OK;
        run->counters.losses.stale += old && event->outcome == OP_NOT_FOUND;
        if (event->f != OP_events_read) {
            continue;
        }
        history_request(run->history, event, &request);
        if (event->outcome == OP_OK && request.events_read.has_origin &&
            id128_equal(request.events_read.origin, run->lost.backup.incarnation)) {
            run_fail(run, "S10: events go on behind a place of the lost incarnation, row %" PRIu32,
                     row);
        }
        event->outcome = OP_UNREACHABLE;
        event->position = event->time = event->clock = event->term = 0;
    }
}

void lost_destroy(struct run *run)
{
    free(run->lost.backup.image);
    run->lost.backup.image = NULL;
}
