/* F-05 F-16 F-71 F-94 F-95 F-97 F-98. The story's acts, in order: what is said was answered. */
#include "tests/story/story.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "op/token.h" /* bob forges tokens from ids that he has seen */

#define SECOND UINT64_C(1000000)
#define W(n) (UINT64_C(1) << (n))

/* A session as its owner remembers it. */
struct login {
    struct tenure_id id;
    char id_text[TENURE_ID_TEXT];
    char token[256];
    uint64_t epoch;
};

struct task {
    struct tenure_id id;
    char id_text[TENURE_ID_TEXT];
    uint64_t epoch;
};

struct story {
    const struct story_stage *stage;
    struct login first;  /* alice's session before she logged out */
    struct login second; /* and the one after */
    struct task tasks[STORY_WORKERS];
    size_t killed; /* the node that was the leader */
    size_t failures;
};

/* ---- saying and demanding ---- */

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

/* Says and counts what differs from the story. */
__attribute__((format(printf, 3, 4))) static bool demand(struct story *story, bool holds,
                                                         const char *format, ...)
{
    if (holds) {
        return true;
    }
    va_list arguments;
    va_start(arguments, format);
    printf("  NOT AS IT HAS TO BE: ");
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
    story->failures++;
    return false;
}

static bool demand_done(struct story *story, const char *what, const struct tenure_result *result)
{
    return demand(story, result->outcome == TENURE_OK, "%s was answered %s (%s)", what,
                  tenure_outcome_name(result->outcome), result->message);
}

static void chapter(const char *title)
{
    say("\n%s", title);
}

/* ---- calls that several acts make ---- */

static bool login(struct story *story, const char *user, struct login *ret)
{
    struct tenure_session_create_request request = {
        .user = tenure_text(user),
        .agent = tenure_text("assistant"),
        .idle = 1800 * SECOND,
        .absolute = 86400 * SECOND,
        .has_grants = true,
        .grants_count = 3,
        .grants = {{.permission = tenure_text("state:write")},
                   {.permission = tenure_text("task:begin")},
                   {.permission = tenure_text("task:user")}},
    };
    struct tenure_session_create_reply reply;
    struct tenure_result result;
    tenure_session_create(story->stage->client, &request, &reply, &result);
    bool done = demand_done(story, "opening a session", &result);
    if (done) {
        ret->id = reply.session;
        ret->epoch = reply.epoch;
        tenure_id_text(reply.session, ret->id_text);
        snprintf(ret->token, sizeof(ret->token), "%.*s", (int)reply.token.size,
                 (const char *)reply.token.data);
        say("  %s opens session %.8s: epoch %" PRIu64 ", position %" PRIu64 ", token %.8s...",
            user, ret->id_text, reply.epoch, result.position, ret->token);
    }
    tenure_result_done(&result);
    return done;
}

static enum tenure_outcome validate(struct story *story, const char *user, const char *token,
                                    struct tenure_session_validate_reply *ret_reply,
                                    struct tenure_result *ret_result)
{
    struct tenure_session_validate_request request = {.user = tenure_text(user),
                                                      .token = tenure_text(token)};
    return tenure_session_validate(story->stage->client, &request, ret_reply, ret_result);
}

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
    bool done = demand_done(story, "beginning a task", &result) &&
                demand(story, memcmp(&reply.session, &story->first.id, 16) == 0,
                       "the task is not of alice's session");
    if (done) {
        task->id = reply.task;
        task->epoch = reply.epoch;
        tenure_id_text(reply.task, task->id_text);
        say("  her agent begins task %.8s (%s, scope %s): fence epoch %" PRIu64
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
    if (!demand(story,
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
    if (!demand(story, words == 4, "worker %zu says: %s", which + 1, line)) {
        return false;
    }
    say("  worker %zu claims it for ten minutes: attempt %" PRIu64 ", fence epoch %" PRIu64,
        which + 1, attempt, epoch);
    return demand(story, epoch == story->tasks[which].epoch,
                  "the claim shows another epoch than the task began with");
}

/* The worker writes; `line` gets its answer. */
static bool tell_write(struct story *story, size_t which, const char *session, const char *key,
                       char line[STORY_LINE])
{
    const struct story_stage *stage = story->stage;
    snprintf(line, STORY_LINE, "write alice %s %s by-worker-%zu", session, key, which + 1);
    return demand(story,
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
    if (demand(story, sscanf(line, "wrote %" SCNu64 " %" SCNu64, &version, &position) == 2,
               "worker %zu's write was refused: %s", which + 1, line)) {
        say("  worker %zu writes \"%s\" into session %.8s: accepted at position %" PRIu64,
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
    if (demand_done(story, "reading the state", &result) &&
        demand(story,
               reply.value.size == strlen(expected) &&
                   memcmp(reply.value.data, expected, reply.value.size) == 0 &&
                   reply.has_writer && memcmp(&reply.writer, &story->tasks[which].id, 16) == 0,
               "\"%s\" does not hold what the worker wrote", key)) {
        say("  alice reads \"%s\": \"%.*s\", version %" PRIu64, key, (int)reply.value.size,
            (const char *)reply.value.data, reply.version);
    }
    tenure_result_done(&result);
}

static bool act_tasks(struct story *story)
{
    chapter("Alice opens a session; her agent begins two background tasks.");
    if (!login(story, "alice", &story->first) ||
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

static bool act_new_session(struct story *story)
{
    const struct story_stage *stage = story->stage;
    chapter("Both workers freeze. Alice logs out and opens a new session.");
    for (size_t i = 0; i < STORY_WORKERS; i++) {
        if (!demand(story, stage->worker_freeze(stage->arg, i), "worker %zu cannot be frozen",
                    i + 1)) {
            return false;
        }
    }
    struct tenure_session_end_request request = {.user = tenure_text("alice"),
                                                 .token = tenure_text(story->first.token)};
    struct tenure_session_end_reply reply;
    struct tenure_result result;
    tenure_session_end(stage->client, &request, &reply, &result);
    if (demand_done(story, "logging out", &result)) {
        say("  alice logs out of session %.8s at position %" PRIu64 " after %.1f s",
            story->first.id_text, result.position, (double)reply.lifetime / 1e6);
    }
    tenure_result_done(&result);
    return login(story, "alice", &story->second) &&
           demand(story, story->second.epoch > story->tasks[1].epoch,
                  "the new session is not newer than the tasks");
}

/* ---- act 3: the leader dies ---- */

static bool leader_of(struct story *story, size_t *ret_node, uint64_t *ret_term)
{
    bool found = false;
    for (size_t i = 0; i < STORY_NODES; i++) {
        struct tenure_node_status_request request = {.has_at = false};
        struct tenure_node_status_reply reply;
        struct tenure_result result;
        tenure_node_status(story->stage->nodes[i], &request, &reply, &result);
        if (result.outcome == TENURE_OK && reply.serving && (!found || reply.term > *ret_term)) {
            *ret_node = i;
            *ret_term = reply.term;
            found = true;
        }
        tenure_result_done(&result);
    }
    return found;
}

static bool act_leader_dies(struct story *story)
{
    const struct story_stage *stage = story->stage;
    chapter("The leader is killed.");
    uint64_t term = 0;
    if (!demand(story, leader_of(story, &story->killed, &term), "no node says that it serves")) {
        return false;
    }
    if (!demand(story, stage->node_kill(stage->arg, story->killed), "it cannot be killed")) {
        return false;
    }
    say("  node %zu led in term %" PRIu64 " and is killed", story->killed + 1, term);
    struct tenure_session_validate_reply reply;
    struct tenure_result result;
    validate(story, "alice", story->second.token, &reply, &result);
    if (demand_done(story, "validating the new session", &result) &&
        demand(story, result.term > term, "the term did not rise")) {
        say("  another node serves in term %" PRIu64 ": session %.8s is alive, epoch %" PRIu64
            ", position %" PRIu64,
            result.term, story->second.id_text, reply.epoch, result.position);
    }
    tenure_result_done(&result);
    return true;
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
    if (!demand(story, stage->worker_thaw(stage->arg, which), "worker %zu cannot be thawed",
                which + 1) ||
        !tell_write(story, which, into->id_text, "late", line)) {
        return false;
    }
    *ret = (struct refusal){.failed = 0};
    int words = sscanf(line, "refused %31s %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
                             " %" SCNu64,
                       ret->outcome, &ret->failed, &ret->headline, &ret->task_epoch,
                       &ret->session_epoch, &ret->position);
    return demand(story, words == 6, "worker %zu's late write was not refused: %s", which + 1,
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
    say("  worker %zu wakes and writes into session %.8s: %s W%" PRIu64 " (failed: %s): task "
        "epoch %" PRIu64 ", session epoch %" PRIu64 ", position %" PRIu64,
        which + 1, into->id_text, refusal.outcome, refusal.headline, text, refusal.task_epoch,
        refusal.session_epoch, refusal.position);
    demand(story, strcmp(refusal.outcome, "FENCED") == 0, "it was refused, but not by the fence");
    demand(story, refusal.headline == rule && (refusal.failed & W(rule)) != 0,
           "it was refused by another rule than W%u", rule);
    demand(story, !only || refusal.failed == W(rule), "other rules than W%u failed as well", rule);
    demand(story,
           refusal.task_epoch == story->tasks[which].epoch && refusal.session_epoch == into->epoch,
           "the refusal shows other epochs than those of the task and the session");
}

static void act_late_writes(struct story *story)
{
    chapter("The workers wake up and write with the fences that they hold.");
    late_write(story, 0, &story->first, 3, false);
    late_write(story, 1, &story->second, 4, true);
    struct tenure_state_get_request request = {.user = tenure_text("alice"),
                                               .has_token = true,
                                               .token = tenure_text(story->second.token),
                                               .key = tenure_text("late")};
    struct tenure_state_get_reply reply;
    struct tenure_result result;
    tenure_state_get(story->stage->client, &request, &reply, &result);
    if (demand_done(story, "reading the new session's state", &result) &&
        demand(story, reply.version == 0, "the new session's state was touched")) {
        say("  alice reads \"late\" in her new session: version %" PRIu64 ", nobody wrote it",
            reply.version);
    }
    tenure_result_done(&result);
}

/* ---- act 5: bob tries alice's sessions ---- */

/* A token with a real id, a real incarnation and a secret that bob made up. */
static void forge(const struct story *story, const struct tenure_id *id, char *text, size_t size)
{
    struct op_token token;
    bool read = op_token_read(bytes_of_text(story->second.token), OP_TOKEN_session, &token);
    memcpy(&token.id, id, sizeof(token.id));
    memset(token.secret, 0xb0, sizeof(token.secret));
    struct base_writer writer;
    base_writer_init(&writer, text, size - 1);
    op_token_write(&writer, OP_TOKEN_session, &token);
    text[read ? base_written(&writer).size : 0] = '\0';
}

static void act_bob(struct story *story)
{
    chapter("Bob presents alice's ended session, her live one, and one that never was.");
    struct tenure_id random_id;
    memcpy(&random_id, &story->first.id, sizeof(random_id));
    for (size_t i = 0; i < sizeof(random_id.bytes); i++) {
        random_id.bytes[i] = (uint8_t)(random_id.bytes[i] ^ story->second.id.bytes[15 - i] ^ 0x5a);
    }
    const struct tenure_id *ids[3] = {&story->first.id, &story->second.id, &random_id};
    static const char *const names[3] = {"ended", "live", "random"};
    struct tenure_result first;
    for (size_t i = 0; i < 3; i++) {
        char token[256];
        forge(story, ids[i], token, sizeof(token));
        struct tenure_session_validate_reply reply;
        struct tenure_result result;
        validate(story, "bob", token, &reply, &result);
        char id[TENURE_ID_TEXT];
        tenure_id_text(*ids[i], id);
        say("  bob, with the %-6s id %.8s: %s: %s", names[i], id,
            tenure_outcome_name(result.outcome), result.message);
        demand(story, result.outcome == TENURE_NOT_FOUND, "bob learned something");
        static const struct tenure_details none;
        demand(story, memcmp(&result.details, &none, sizeof(none)) == 0, "there are details");
        if (i == 0) {
            first = result;
        }
        demand(story,
               result.outcome == first.outcome && strcmp(result.message, first.message) == 0,
               "the answers differ");
        tenure_result_done(&result);
    }
}

/* ---- act 6: a grant for two seconds ---- */

static enum tenure_outcome check(struct story *story, const char *permission,
                                 struct tenure_permission_check_reply *ret_reply,
                                 struct tenure_result *ret_result)
{
    struct tenure_permission_check_request request = {.user = tenure_text("alice"),
                                                      .token = tenure_text(story->second.token),
                                                      .permission = tenure_text(permission)};
    return tenure_permission_check(story->stage->client, &request, ret_reply, ret_result);
}

static void act_grant(struct story *story)
{
    chapter("Alice is granted payments:send for two seconds.");
    struct tenure_grant_add_request request = {.user = tenure_text("alice"),
                                               .token = tenure_text(story->second.token),
                                               .permission = tenure_text("payments:send"),
                                               .has_ttl = true,
                                               .ttl = 2 * SECOND};
    struct tenure_grant_add_reply grant;
    struct tenure_result result;
    tenure_grant_add(story->stage->client, &request, &grant, &result);
    bool granted = demand_done(story, "the grant", &result) &&
                   demand(story, grant.has_left && grant.left == 2 * SECOND,
                          "the grant is not for two seconds");
    uint64_t deadline = result.time + 2 * SECOND;
    tenure_result_done(&result);
    if (!granted) {
        return;
    }
    struct tenure_permission_check_reply reply;
    check(story, "payments:send", &reply, &result);
    if (demand_done(story, "checking it at once", &result)) {
        say("  at once: allowed, %.3f s left", (double)reply.left / 1e6);
    }
    uint64_t left = reply.left;
    tenure_result_done(&result);
    story->stage->wait(story->stage->arg, left + SECOND / 10);
    check(story, "payments:send", &reply, &result);
    if (demand(story, result.outcome == TENURE_DENIED, "it was answered %s after its deadline",
               tenure_outcome_name(result.outcome)) &&
        demand(story, result.clock >= deadline, "it was denied before its deadline")) {
        say("  %.3f s after its deadline: %s: %s", (double)(result.clock - deadline) / 1e6,
            tenure_outcome_name(result.outcome), result.message);
    }
    tenure_result_done(&result);
}

/* ---- act 7: one revoke ends three sessions ---- */

static void act_revoke(struct story *story)
{
    chapter("Carol has three sessions; one revoke ends them all.");
    struct login carol[3];
    for (size_t i = 0; i < 3; i++) {
        if (!login(story, "carol", &carol[i])) {
            return;
        }
    }
    struct tenure_revoke_user_request request = {.user = tenure_text("carol")};
    struct tenure_revoke_user_reply revoke;
    struct tenure_result result;
    tenure_revoke_user(story->stage->client, &request, &revoke, &result);
    uint64_t position = result.position;
    if (demand_done(story, "the revoke", &result)) {
        say("  everything that carol has open is revoked at position %" PRIu64, position);
    }
    tenure_result_done(&result);
    for (size_t i = 0; i < 3; i++) {
        struct tenure_session_validate_reply reply;
        validate(story, "carol", carol[i].token, &reply, &result);
        bool ended = result.outcome == TENURE_ENDED && result.details.has_cause;
        if (demand(story, ended && result.details.cause == TENURE_END_CAUSE_REVOKED,
                   "a revoked session answered %s", tenure_outcome_name(result.outcome))) {
            say("  carol's session %.8s (epoch %" PRIu64 " < %" PRIu64 "): %s: %s",
                carol[i].id_text, carol[i].epoch, position, tenure_outcome_name(result.outcome),
                tenure_end_cause_text(result.details.cause));
        }
        demand(story, carol[i].epoch < position, "the session is newer than the revoke");
        tenure_result_done(&result);
    }
}

/* ---- act 8: the killed node comes back; all three agree ---- */

static bool status_at(struct story *story, size_t node, uint64_t position,
                      struct tenure_node_status_reply *ret_reply, uint8_t ret_digest[16])
{
    struct tenure_node_status_request request = {.has_at = position != 0, .at = position};
    struct tenure_result result;
    tenure_node_status(story->stage->nodes[node], &request, ret_reply, &result);
    bool known = result.outcome == TENURE_OK && ret_reply->digest.size == 16;
    if (known) {
        memcpy(ret_digest, ret_reply->digest.data, 16);
    }
    tenure_result_done(&result);
    return known;
}

enum { CATCH_UP_TRIES = 200, CATCH_UP_US = 50000 };

static void act_same_state(struct story *story)
{
    const struct story_stage *stage = story->stage;
    chapter("The killed node comes back and catches up.");
    if (!demand(story, stage->node_start(stage->arg, story->killed), "it cannot be started")) {
        return;
    }
    struct tenure_node_status_reply reply;
    uint8_t digest[STORY_NODES][16];
    uint64_t position = 0;
    for (size_t i = 0; i < STORY_NODES; i++) {
        uint8_t ignored[16];
        if (i != story->killed && status_at(story, i, 0, &reply, ignored) &&
            reply.position > position) {
            position = reply.position;
        }
    }
    for (size_t i = 0; i < STORY_NODES; i++) {
        bool known = false;
        for (int tries = 0; tries < CATCH_UP_TRIES && !known; tries++) {
            known = status_at(story, i, position, &reply, digest[i]);
            if (!known) {
                stage->wait(stage->arg, CATCH_UP_US);
            }
        }
        if (!demand(story, known, "node %zu does not reach position %" PRIu64, i + 1, position)) {
            return;
        }
        char text[TENURE_ID_TEXT];
        struct tenure_id id;
        memcpy(&id, digest[i], sizeof(id));
        tenure_id_text(id, text);
        say("  node %zu at position %" PRIu64 ": digest %s%s", i + 1, position, text,
            i == story->killed ? " (it was dead)" : "");
    }
    for (size_t i = 1; i < STORY_NODES; i++) {
        demand(story, memcmp(digest[0], digest[i], 16) == 0, "node %zu holds another state",
               i + 1);
    }
}

bool story_play(const struct story_stage *stage)
{
    struct story story = {.stage = stage};
    if (act_tasks(&story) && act_new_session(&story) && act_leader_dies(&story)) {
        act_late_writes(&story);
        act_bob(&story);
        act_grant(&story);
        act_revoke(&story);
        act_same_state(&story);
    }
    if (story.failures == 0) {
        say("\nEvery answer was as it has to be.");
    } else {
        say("\n%zu answers were not as they have to be.", story.failures);
    }
    return story.failures == 0;
}
