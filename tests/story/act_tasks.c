/* The acts about tasks: begun, frozen, and refused when they wake up into another time. */
#include "tests/story/acts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define W(n) (UINT64_C(1) << (n))

/* ---- act 1: a session and two tasks ---- */

static bool begin_task(struct story *story, size_t which, const char *kind, uint32_t scope)
{
    struct task *task = &story->tasks[which];
    struct tenure_task_begin_request request = {
        .user = tenure_text("alice"),
        .has_token = true,
        .token = tenure_text(story->first.token),
        .kind = tenure_text(kind),
        .scope = scope,
        .ttl = 3600 * SECOND,
    };
    struct tenure_task_begin_reply reply;
    struct tenure_result result;
    tenure_task_begin(story->stage->client, &request, &reply, &result);
    bool done = story_demand_done(story, "beginning a task", &result) &&
                story_demand(story, memcmp(&reply.session, &story->first.id, 16) == 0,
                             "the task is not of alice's session");
    if (done) {
        task->id = reply.task;
        task->epoch = reply.epoch;
        tenure_id_text(reply.task, task->id_text);
        story_say("  her agent begins task %.8s (%s, scope %s): fence epoch %" PRIu64
                  ", position %" PRIu64,
                  task->id_text, kind, scope == TENURE_TASK_SCOPE_USER ? "user" : "session",
                  reply.epoch, result.position);
    }
    tenure_result_done(&result);
    return done;
}

static bool claim_task(struct story *story, size_t which)
{
    const struct story_stage *stage = story->stage;
    char line[STORY_LINE];
    snprintf(line, sizeof(line), "claim alice %s %" PRIu64, story->tasks[which].id_text,
             600 * SECOND);
    if (!story_demand(story,
                      stage->worker_start(stage->arg, which) &&
                          stage->worker_tell(stage->arg, which, line) &&
                          stage->worker_hear(stage->arg, which, line),
                      "worker %zu cannot be talked to", which + 1)) {
        return false;
    }
    uint64_t epoch = 0;
    uint64_t attempt = 0;
    uint64_t position = 0;
    char session[64] = "";
    int words = sscanf(line, "claimed %" SCNu64 " %" SCNu64 " %63s %" SCNu64, &epoch, &attempt,
                       session, &position);
    if (!story_demand(story, words == 4, "worker %zu says: %s", which + 1, line)) {
        return false;
    }
    story_say("  worker %zu claims it for ten minutes: attempt %" PRIu64 ", fence epoch %" PRIu64,
              which + 1, attempt, epoch);
    return story_demand(story, epoch == story->tasks[which].epoch,
                        "the claim shows another epoch than the task began with");
}

/* The worker writes; `line` gets its answer. */
static bool tell_write(struct story *story, size_t which, const char *session, const char *key,
                       char line[STORY_LINE])
{
    const struct story_stage *stage = story->stage;
    snprintf(line, STORY_LINE, "write alice %s %s by-worker-%zu", session, key, which + 1);
    return story_demand(story,
                        stage->worker_tell(stage->arg, which, line) &&
                            stage->worker_hear(stage->arg, which, line),
                        "worker %zu cannot be talked to", which + 1);
}

static void accepted_write(struct story *story, size_t which)
{
    char line[STORY_LINE];
    const char *key = which == 0 ? "summary" : "memory";
    if (!tell_write(story, which, story->first.id_text, key, line)) {
        return;
    }
    uint64_t version = 0;
    uint64_t position = 0;
    if (story_demand(story, sscanf(line, "wrote %" SCNu64 " %" SCNu64, &version, &position) == 2,
                     "worker %zu's write was refused: %s", which + 1, line)) {
        story_say("  worker %zu writes \"%s\" into session %.8s: accepted at position %" PRIu64,
                  which + 1, key, story->first.id_text, position);
    }
}

/* What the worker wrote is there, and says who wrote it. */
static void read_back(struct story *story, size_t which)
{
    const char *key = which == 0 ? "summary" : "memory";
    char expected[32];
    snprintf(expected, sizeof(expected), "by-worker-%zu", which + 1);
    struct tenure_state_get_request request = {.user = tenure_text("alice"),
                                               .has_token = true,
                                               .token = tenure_text(story->first.token),
                                               .key = tenure_text(key)};
    struct tenure_state_get_reply reply;
    struct tenure_result result;
    tenure_state_get(story->stage->client, &request, &reply, &result);
    if (story_demand_done(story, "reading the state", &result) &&
        story_demand(story,
                     reply.value.size == strlen(expected) &&
                         memcmp(reply.value.data, expected, reply.value.size) == 0 &&
                         reply.has_writer &&
                         memcmp(&reply.writer, &story->tasks[which].id, 16) == 0,
                     "\"%s\" does not hold what the worker wrote", key)) {
        story_say("  alice reads \"%s\": \"%.*s\", version %" PRIu64, key, (int)reply.value.size,
                  (const char *)reply.value.data, reply.version);
    }
    tenure_result_done(&result);
}

bool story_act_tasks(struct story *story)
{
    story_chapter("Alice opens a session; her agent begins two background tasks.");
    if (!story_login(story, "alice", &story->first) ||
        !begin_task(story, 0, "summarise", TENURE_TASK_SCOPE_SESSION) || !claim_task(story, 0) ||
        !begin_task(story, 1, "retrieve", TENURE_TASK_SCOPE_USER) || !claim_task(story, 1)) {
        return false;
    }
    for (size_t i = 0; i < STORY_WORKERS; i++) {
        accepted_write(story, i);
        read_back(story, i);
    }
    return true;
}

/* ---- act 2: the workers freeze, alice logs out and in again ---- */

bool story_act_new_session(struct story *story)
{
    const struct story_stage *stage = story->stage;
    story_chapter("Both workers freeze. Alice logs out and opens a new session.");
    for (size_t i = 0; i < STORY_WORKERS; i++) {
        if (!story_demand(story, stage->worker_freeze(stage->arg, i), "worker %zu cannot be frozen",
                          i + 1)) {
            return false;
        }
    }
    struct tenure_session_end_request request = {.user = tenure_text("alice"),
                                                 .token = tenure_text(story->first.token)};
    struct tenure_session_end_reply reply;
    struct tenure_result result;
    tenure_session_end(stage->client, &request, &reply, &result);
    if (story_demand_done(story, "logging out", &result)) {
        story_say("  alice logs out of session %.8s at position %" PRIu64 " after %.1f s",
                  story->first.id_text, result.position, (double)reply.lifetime / 1e6);
    }
    tenure_result_done(&result);
    return story_login(story, "alice", &story->second) &&
           story_demand(story, story->second.epoch > story->tasks[1].epoch,
                        "the new session is not newer than the tasks");
}

/* ---- act 4: the workers wake up ---- */

struct refusal {
    char outcome[32];
    uint64_t failed;
    uint64_t headline;
    uint64_t task_epoch;
    uint64_t session_epoch;
    uint64_t position;
};

static bool wake_and_write(struct story *story, size_t which, const struct login *into,
                           struct refusal *ret)
{
    const struct story_stage *stage = story->stage;
    char line[STORY_LINE];
    if (!story_demand(story, stage->worker_thaw(stage->arg, which), "worker %zu cannot be thawed",
                      which + 1) ||
        !tell_write(story, which, into->id_text, "late", line)) {
        return false;
    }
    *ret = (struct refusal){.failed = 0};
    int words = sscanf(
        line, "refused %31s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64, ret->outcome,
        &ret->failed, &ret->headline, &ret->task_epoch, &ret->session_epoch, &ret->position);
    return story_demand(story, words == 6, "worker %zu's late write was not refused: %s", which + 1,
                        line);
}

static void print_rules(uint64_t failed, char *text, size_t size)
{
    size_t used = 0;
    text[0] = '\0';
    for (unsigned rule = 1; rule <= 9; rule++) {
        if ((failed & W(rule)) != 0 && used < size) {
            used += (size_t)snprintf(text + used, size - used, "%sW%u", used == 0 ? "" : ", ",
                                     rule);
        }
    }
}

/* `only`: that rule has to be the only one that fails. */
static void late_write(struct story *story, size_t which, const struct login *into, unsigned rule,
                       bool only)
{
    struct refusal refusal;
    if (!wake_and_write(story, which, into, &refusal)) {
        return;
    }
    char text[64];
    print_rules(refusal.failed, text, sizeof(text));
    story_say("  worker %zu wakes and writes into session %.8s: %s W%" PRIu64 " (failed: %s): task "
              "epoch %" PRIu64 ", session epoch %" PRIu64 ", position %" PRIu64,
              which + 1, into->id_text, refusal.outcome, refusal.headline, text, refusal.task_epoch,
              refusal.session_epoch, refusal.position);
    story_demand(story, strcmp(refusal.outcome, "FENCED") == 0,
                 "it was refused, but not by the fence");
    story_demand(story, refusal.headline == rule && (refusal.failed & W(rule)) != 0,
                 "it was refused by another rule than W%u", rule);
    story_demand(story, !only || refusal.failed == W(rule), "other rules than W%u failed as well",
                 rule);
    story_demand(story,
                 refusal.task_epoch == story->tasks[which].epoch &&
                     refusal.session_epoch == into->epoch,
                 "the refusal shows other epochs than those of the task and the session");
}

void story_act_late_writes(struct story *story)
{
    story_chapter("The workers wake up and write with the fences that they hold.");
    late_write(story, 0, &story->first, 3, false);
    late_write(story, 1, &story->second, 4, true);
    struct tenure_state_get_request request = {.user = tenure_text("alice"),
                                               .has_token = true,
                                               .token = tenure_text(story->second.token),
                                               .key = tenure_text("late")};
    struct tenure_state_get_reply reply;
    struct tenure_result result;
    tenure_state_get(story->stage->client, &request, &reply, &result);
    if (story_demand_done(story, "reading the new session's state", &result) &&
        story_demand(story, reply.version == 0, "the new session's state was touched")) {
        story_say("  alice reads \"late\" in her new session: version %" PRIu64 ", nobody wrote it",
                  reply.version);
    }
    tenure_result_done(&result);
}
