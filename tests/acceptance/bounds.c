/* F-39, F-46, F-49, F-54, F-57, F-58, F-59, F-61, F-63, F-64: no call without
 * a session, none without limits, none beyond its policy, and no permission a moment longer than it
 * is given.
 */
#include "client-lib/internal.h"
#include "tests/acceptance/stage.h"

#include <inttypes.h>
#include <string.h>

#define DAY (24 * STAGE_HOUR)

/* What ends by itself ends within so much of cluster time, or the row fails. */
#define AT_MOST (20 * STAGE_SECOND)

/* ---- no context ---- */

/* Every operation that wants a session, asked without one, with an empty and with a blank one: it
 * never leaves the library. */
static void without_a_session(struct stage *stage)
{
    static const char *const tokens[] = {"", " ", "tn1_", "null", "undefined"};
    static uint64_t request[8192], reply[8192]; /* aligned for any of them, and empty */
    size_t count, asked = 0;
    const struct op_row *rows = op_rows(&count);
    for (size_t i = 0; i < count; i++) {
        struct tenure_method method = tenure_method_of(rows[i].number);
        const struct op_field *field = op_field_named(rows[i].request, "token");
        if (field == NULL) {
            continue;
        }
        const struct tenure_field_map *map = &method.request_map[field - rows[i].request->fields];
        for (size_t j = 0; j < sizeof(tokens) / sizeof(tokens[0]); j++) {
            struct tenure_result result;
            struct tenure_bytes token = tenure_text(tokens[j]);
            memset(request, 0, sizeof(request));
            memcpy((uint8_t *)request + map->offset, &token, sizeof(token));
            if (map->has_offset != SIZE_MAX) {
                ((uint8_t *)request)[map->has_offset] = true;
            }
            (void)tenure_call_wait(stage->client, &method, request, reply, &result);
            EXPECT(stage, result.outcome == TENURE_INVALID && result.attempts == 0,
                   "%s without a session: %s: %s, %u tries", rows[i].name,
                   tenure_outcome_name(result.outcome), result.message, result.attempts);
            tenure_result_done(&result);
            asked++;
        }
    }
    EXPECT(stage, asked >= 50, "only %zu questions", asked);
}

/* ---- lifetimes ---- */

static enum tenure_outcome create(struct stage *stage, const char *policy, uint32_t evidence,
                                  uint64_t idle, uint64_t absolute,
                                  struct tenure_session_create_reply *ret_reply,
                                  struct stage_session *ret_session)
{
    const struct tenure_session_create_request request = {
        .user = tenure_text("alice"),
        .agent = tenure_text("agent"),
        .idle = idle,
        .absolute = absolute,
        .has_policy = policy != NULL,
        .policy = tenure_text(policy != NULL ? policy : ""),
        .has_evidence = evidence != 0,
        .evidence = evidence,
        .has_grants = true,
        .grants = {{.permission = tenure_text("state:write")},
                   {.permission = tenure_text("task:begin")}},
        .grants_count = 2};
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_create(stage->client, &request, ret_reply,
                                                        &result);
    *ret_session = (struct stage_session){.id = ret_reply->session, .user = "alice"};
    stage_keep(ret_session->token, ret_reply->token);
    tenure_result_done(&result);
    return outcome;
}

static void no_session_without_an_end(struct stage *stage)
{
    static const uint64_t none[] = {0, 1, STAGE_SECOND - 1, 401 * DAY, TENURE_INFINITE};
    struct tenure_session_create_reply reply;
    struct stage_session session;
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        enum tenure_outcome outcome = create(stage, NULL, 0, none[i], STAGE_HOUR, &reply, &session);
        EXPECT(stage, outcome == TENURE_INVALID, "idle %" PRIu64 ": %s", none[i],
               tenure_outcome_name(outcome));
        outcome = create(stage, NULL, 0, STAGE_MINUTE, none[i], &reply, &session);
        EXPECT(stage, outcome == TENURE_INVALID, "absolute %" PRIu64 ": %s", none[i],
               tenure_outcome_name(outcome));
    }
}

/* It dies by idling, in its second, and no earlier. */
static void it_does_end(struct stage *stage)
{
    struct tenure_session_create_reply reply;
    struct tenure_session_validate_reply valid;
    struct stage_session session;
    struct tenure_result result;
    uint64_t created, last = 0;
    EXPECT(stage, create(stage, NULL, 0, STAGE_SECOND, STAGE_HOUR, &reply, &session) == TENURE_OK,
           "made");
    const struct tenure_session_validate_request request = {.user = tenure_text("alice"),
                                                            .token = tenure_text(session.token)};
    enum tenure_outcome outcome = tenure_session_validate(stage->client, &request, &valid, &result);
    created = result.time + valid.idle - STAGE_SECOND;
    while (outcome == TENURE_OK && result.time < created + AT_MOST) {
        last = result.time;
        tenure_result_done(&result);
        outcome = tenure_session_validate(stage->client, &request, &valid, &result);
    }
    EXPECT(stage,
           outcome == TENURE_EXPIRED && result.details.has_cause &&
               result.details.cause == TENURE_END_CAUSE_IDLE_TIMEOUT,
           "%s", result.message);
    EXPECT(stage, result.time >= created + STAGE_SECOND && last < created + STAGE_SECOND,
           "made at %" PRIu64 ", valid at %" PRIu64 ", expired at %" PRIu64, created, last,
           result.time);
    tenure_result_done(&result);
}

static void built_in_policies(struct stage *stage)
{
    static const struct {
        const char *name;
        uint64_t idle, absolute;
        uint32_t evidence;
    } policies[] = {
        {"standard", 30 * STAGE_MINUTE, DAY, 0},
        {"elevated", 10 * STAGE_MINUTE, STAGE_HOUR, TENURE_EVIDENCE_REAUTHENTICATION},
        {"privileged", 5 * STAGE_MINUTE, 15 * STAGE_MINUTE, TENURE_EVIDENCE_MFA},
    };
    struct tenure_session_create_reply reply;
    struct stage_session session;
    for (size_t i = 0; i < 3; i++) {
        for (uint32_t evidence = 0; evidence <= TENURE_EVIDENCE_MFA; evidence++) {
            enum tenure_outcome outcome = create(stage, policies[i].name, evidence, TENURE_INFINITE,
                                                 TENURE_INFINITE, &reply, &session);
            bool enough = evidence >= policies[i].evidence;
            EXPECT(stage, outcome == (enough ? TENURE_OK : TENURE_UNPROVEN),
                   "%s with evidence %u: %s", policies[i].name, evidence,
                   tenure_outcome_name(outcome));
            EXPECT(stage,
                   !enough ||
                       (reply.idle == policies[i].idle && reply.absolute == policies[i].absolute),
                   "%s: %" PRIu64 ", %" PRIu64, policies[i].name, reply.idle, reply.absolute);
        }
    }
}

/* Renewal goes on, up to the policy's limit counted from the creation. */
static void renewal_is_capped(struct stage *stage)
{
    struct tenure_session_create_reply reply;
    struct stage_session session;
    struct tenure_result result;
    struct tenure_session_renew_reply renewed;
    EXPECT(stage,
           create(stage, "privileged", TENURE_EVIDENCE_MFA, STAGE_MINUTE, STAGE_MINUTE, &reply,
                  &session) == TENURE_OK,
           "made");
    const struct tenure_session_renew_request request = {.user = tenure_text("alice"),
                                                         .token = tenure_text(session.token),
                                                         .has_absolute = true,
                                                         .absolute = 300 * DAY};
    for (size_t i = 0; i < 3; i++) {
        (void)tenure_session_renew(stage->client, &request, &renewed, &result);
        EXPECT(stage, result.outcome == TENURE_OK, "%s", result.message);
        EXPECT(stage, renewed.absolute > 14 * STAGE_MINUTE && renewed.absolute < 15 * STAGE_MINUTE,
               "%" PRIu64 " left", renewed.absolute);
        EXPECT(stage, renewed.idle == STAGE_MINUTE, "%" PRIu64 " idle", renewed.idle);
        tenure_result_done(&result);
    }
}

static enum tenure_outcome touch(struct stage *stage, const struct stage_session *session,
                                 struct tenure_session_touch_reply *ret_reply, uint64_t *ret_time)
{
    const struct tenure_session_touch_request request = {.user = tenure_text(session->user),
                                                         .token = tenure_text(session->token)};
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_touch(stage->client, &request, ret_reply, &result);
    *ret_time = result.time;
    tenure_result_done(&result);
    return outcome;
}

/* One call says whether the session is valid, and keeps it so: it lives on for more than twice its
 * idle time. */
static void one_call_validates_and_refreshes(struct stage *stage)
{
    struct tenure_session_create_reply reply;
    struct tenure_session_touch_reply touched;
    struct stage_session session, stranger;
    uint64_t first, now, written = 0;
    EXPECT(stage,
           create(stage, NULL, 0, 3 * STAGE_SECOND, STAGE_HOUR, &reply, &session) == TENURE_OK,
           "made");
    enum tenure_outcome outcome = touch(stage, &session, &touched, &first);
    for (now = first; outcome == TENURE_OK && now < first + 7 * STAGE_SECOND;) {
        written += touched.written;
        EXPECT(stage, touched.idle > 2 * STAGE_SECOND && touched.idle <= 3 * STAGE_SECOND,
               "%" PRIu64 " left", touched.idle);
        outcome = touch(stage, &session, &touched, &now);
    }
    EXPECT(stage, outcome == TENURE_OK && written > 3, "%s, %" PRIu64 " of them wrote",
           tenure_outcome_name(outcome), written);
    stranger = session;
    (void)snprintf(stranger.user, sizeof(stranger.user), "mallory");
    EXPECT(stage, touch(stage, &stranger, &touched, &now) == TENURE_NOT_FOUND, "a stranger");
    EXPECT(stage, stage_end(stage->client, &session) == TENURE_OK, "she logs out");
    EXPECT(stage, touch(stage, &session, &touched, &now) == TENURE_ENDED, "it is over");
}

/* ---- permissions ---- */

static enum tenure_outcome grant(struct stage *stage, const struct stage_session *session,
                                 uint64_t ttl)
{
    const struct tenure_grant_add_request request = {.user = tenure_text(session->user),
                                                     .token = tenure_text(session->token),
                                                     .permission = tenure_text("tool:run"),
                                                     .has_ttl = ttl != 0,
                                                     .ttl = ttl};
    struct tenure_grant_add_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_grant_add(stage->client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

static enum tenure_outcome take(struct stage *stage, const struct stage_session *session)
{
    const struct tenure_grant_revoke_request request = {.user = tenure_text(session->user),
                                                        .token = tenure_text(session->token),
                                                        .permission = tenure_text("tool:run")};
    struct tenure_grant_revoke_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_grant_revoke(stage->client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

/* A task of the session, with what that may do now; returns its fence. */
static void begin_task(struct stage *stage, const struct stage_session *session,
                       char ret_fence[STAGE_TOKEN])
{
    const struct tenure_task_begin_request begin = {.user = tenure_text(session->user),
                                                    .has_token = true,
                                                    .token = tenure_text(session->token),
                                                    .kind = tenure_text("work"),
                                                    .scope = TENURE_TASK_SCOPE_SESSION,
                                                    .ttl = STAGE_HOUR};
    struct tenure_task_begin_reply begun;
    struct tenure_task_claim_reply claimed;
    struct tenure_result result;
    (void)tenure_task_begin(stage->client, &begin, &begun, &result);
    EXPECT(stage, result.outcome == TENURE_OK, "%s", result.message);
    tenure_result_done(&result);
    const struct tenure_task_claim_request claim = {
        .user = tenure_text(session->user), .task = begun.task, .lease = STAGE_HOUR};
    (void)tenure_task_claim(stage->client, &claim, &claimed, &result);
    EXPECT(stage, result.outcome == TENURE_OK, "%s", result.message);
    stage_keep(ret_fence, claimed.fence);
    tenure_result_done(&result);
}

static enum tenure_outcome task_may(struct stage *stage, const struct stage_session *session,
                                    const char *fence, uint64_t *ret_time)
{
    const struct tenure_fence_check_request request = {.user = tenure_text(session->user),
                                                       .fence = tenure_text(fence),
                                                       .permission = tenure_text("tool:run")};
    struct tenure_fence_check_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_fence_check(stage->client, &request, &reply, &result);
    *ret_time = result.time;
    tenure_result_done(&result);
    return outcome;
}

/* In both directions, without a new login, and for a task that runs: what is taken is gone at once,
 * what is given anew does not come back to it. */
static void changes_act_at_once(struct stage *stage)
{
    struct stage_session session;
    char fence[STAGE_TOKEN];
    uint64_t now;
    stage_open(stage, stage->client, "alice", &session);
    EXPECT(stage, stage_check(stage->second, &session, "tool:run") == TENURE_DENIED, "not given");
    EXPECT(stage, grant(stage, &session, 0) == TENURE_OK, "given");
    EXPECT(stage, stage_check(stage->second, &session, "tool:run") == TENURE_OK, "held at once");
    begin_task(stage, &session, fence);
    EXPECT(stage, task_may(stage, &session, fence, &now) == TENURE_OK, "its task may");
    EXPECT(stage, take(stage, &session) == TENURE_OK, "taken");
    EXPECT(stage, stage_check(stage->second, &session, "tool:run") == TENURE_DENIED,
           "gone at once");
    EXPECT(stage, task_may(stage, &session, fence, &now) == TENURE_FENCED, "for its task too");
    EXPECT(stage, grant(stage, &session, 0) == TENURE_OK, "given again");
    EXPECT(stage, stage_check(stage->second, &session, "tool:run") == TENURE_OK, "held again");
    EXPECT(stage, task_may(stage, &session, fence, &now) == TENURE_FENCED,
           "not by the task of before");
}

static enum tenure_outcome list(struct stage *stage, const struct stage_session *session,
                                char ret_text[STAGE_TOKEN])
{
    const struct tenure_grant_list_request request = {.user = tenure_text(session->user),
                                                      .token = tenure_text(session->token)};
    static struct tenure_grant_list_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_grant_list(stage->second, &request, &reply, &result);
    ret_text[0] = '\0';
    for (size_t i = 0; outcome == TENURE_OK && i < reply.grants_count; i++) {
        const struct tenure_bytes *permission = &reply.grants[i].permission;
        size_t size = strlen(ret_text);
        (void)snprintf(ret_text + size, STAGE_TOKEN - size, "%.*s ", (int)permission->size,
                       (const char *)permission->data);
    }
    tenure_result_done(&result);
    return outcome;
}

/* Before each action, an answer of its own for each reason; and what may be asked is listed. */
static void each_refusal_has_its_type(struct stage *stage)
{
    struct stage_session session, later, stranger;
    char fence[STAGE_TOKEN], held[STAGE_TOKEN];
    uint64_t now;
    stage_open(stage, stage->client, "alice", &session);
    begin_task(stage, &session, fence);
    stage_open(stage, stage->client, "alice", &later);
    EXPECT(stage, stage_check(stage->second, &session, "state:write") == TENURE_OK, "held");
    EXPECT(stage, stage_check(stage->second, &session, "tool:run") == TENURE_DENIED, "not held");
    EXPECT(stage, stage_check(stage->second, &session, "") == TENURE_INVALID, "no permission");
    stranger = session;
    (void)snprintf(stranger.user, sizeof(stranger.user), "mallory");
    EXPECT(stage, stage_check(stage->second, &stranger, "state:write") == TENURE_NOT_FOUND, "his");
    EXPECT(stage, task_may(stage, &session, fence, &now) == TENURE_FENCED, "a task without it");
    EXPECT(stage, list(stage, &session, held) == TENURE_OK, "listed");
    EXPECT(stage, strcmp(held, "state:write task:begin task:user ") == 0, "it has %s", held);
    EXPECT(stage, grant(stage, &session, 0) == TENURE_OK, "one more");
    EXPECT(stage, list(stage, &session, held) == TENURE_OK, "listed again");
    EXPECT(stage, strcmp(held, "state:write task:begin task:user tool:run ") == 0, "it has %s",
           held);
    EXPECT(stage, list(stage, &stranger, held) == TENURE_NOT_FOUND, "his");
    EXPECT(stage, stage_end(stage->client, &session) == TENURE_OK, "she logs out");
    EXPECT(stage, stage_check(stage->second, &session, "state:write") == TENURE_ENDED, "ended");
    EXPECT(stage, list(stage, &session, held) == TENURE_ENDED, "ended");
    EXPECT(stage, task_may(stage, &session, fence, &now) == TENURE_FENCED, "its task");
    EXPECT(stage, stage_check(stage->second, &later, "state:write") == TENURE_OK, "the other");
}

/* With `evidence` of a new authentication, or with none (0). */
static enum tenure_outcome elevate(struct stage *stage, struct stage_session *session, uint64_t ttl,
                                   uint32_t evidence)
{
    const struct tenure_session_elevate_request request = {
        .user = tenure_text(session->user),
        .token = tenure_text(session->token),
        .policy = tenure_text("elevated"),
        .has_evidence = evidence != 0,
        .evidence = evidence,
        .permissions = {{.permission = tenure_text("tool:run")}},
        .permissions_count = 1,
        .has_ttl = true,
        .ttl = ttl};
    struct tenure_session_elevate_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_elevate(stage->client, &request, &reply, &result);
    EXPECT(stage, outcome != TENURE_OK || reply.left <= STAGE_HOUR, "for %" PRIu64, reply.left);
    if (outcome == TENURE_OK) {
        stage_keep(session->token, reply.token);
    }
    tenure_result_done(&result);
    return outcome;
}

/* An elevation needs evidence, makes a new secret, and ends by itself and with its session, in the
 * middle of a task. */
static void elevation_ends(struct stage *stage)
{
    struct stage_session session, other, old;
    char fence[STAGE_TOKEN];
    enum tenure_outcome outcome;
    uint64_t now;
    stage_open(stage, stage->client, "alice", &session);
    EXPECT(stage, elevate(stage, &session, 2 * STAGE_SECOND, 0) == TENURE_UNPROVEN, "unproven");
    old = session;
    EXPECT(stage,
           elevate(stage, &session, 2 * STAGE_SECOND, TENURE_EVIDENCE_REAUTHENTICATION) ==
               TENURE_OK,
           "given for two seconds");
    EXPECT(stage, stage_check(stage->second, &old, "tool:run") == TENURE_NOT_FOUND, "old secret");
    EXPECT(stage, stage_check(stage->second, &session, "tool:run") == TENURE_OK, "the new one");
    begin_task(stage, &session, fence);
    do {
        outcome = task_may(stage, &session, fence, &now);
    } while (outcome == TENURE_OK && now < session.time + AT_MOST);
    EXPECT(stage, outcome == TENURE_FENCED, "%s", tenure_outcome_name(outcome));
    EXPECT(stage, stage_check(stage->client, &session, "tool:run") == TENURE_DENIED, "lapsed");
    stage_open(stage, stage->client, "alice", &other);
    EXPECT(stage, elevate(stage, &other, DAY, TENURE_EVIDENCE_MFA) == TENURE_OK, "for an hour");
    begin_task(stage, &other, fence);
    EXPECT(stage, task_may(stage, &other, fence, &now) == TENURE_OK, "its task may");
    EXPECT(stage, stage_end(stage->client, &other) == TENURE_OK, "she logs out");
    outcome = task_may(stage, &other, fence, &now);
    EXPECT(stage, outcome == TENURE_FENCED, "after the logout: %s", tenure_outcome_name(outcome));
}

/* ---- one command in the beginning, one in the end ---- */

static void one_command_makes_it(struct stage *stage)
{
    static const char metadata[] = "ip=192.0.2.7 agent=curl method=password";
    const struct tenure_session_create_request request = {
        .user = tenure_text("alice"),
        .agent = tenure_text("agent"),
        .idle = STAGE_MINUTE,
        .absolute = STAGE_HOUR,
        .has_policy = true,
        .policy = tenure_text("elevated"),
        .has_evidence = true,
        .evidence = TENURE_EVIDENCE_REAUTHENTICATION,
        .has_metadata = true,
        .metadata = tenure_text(metadata),
        .has_grants = true,
        .grants = {{.permission = tenure_text("tool:run")}},
        .grants_count = 1};
    struct stage_session session;
    struct tenure_session_get_reply got;
    struct tenure_result result;
    EXPECT(stage, stage_create(stage->client, &request, &session) == TENURE_OK, "made");
    const struct tenure_session_get_request get = {.user = tenure_text(session.user),
                                                   .token = tenure_text(session.token)};
    (void)tenure_session_get(stage->client, &get, &got, &result);
    EXPECT(stage, result.outcome == TENURE_OK, "%s", result.message);
    EXPECT(stage, got.epoch == session.epoch && got.pause == STAGE_MINUTE && got.keys == 0,
           "epoch %" PRIu64 ", pause %" PRIu64, got.epoch, got.pause);
    EXPECT(stage, got.has_policy && got.policy.size == strlen("elevated"), "its policy");
    EXPECT(stage, got.has_evidence && got.evidence == TENURE_EVIDENCE_REAUTHENTICATION, "evidence");
    EXPECT(stage,
           got.has_metadata && got.metadata.size == strlen(metadata) &&
               memcmp(got.metadata.data, metadata, got.metadata.size) == 0,
           "its metadata");
    tenure_result_done(&result);
    EXPECT(stage, stage_check(stage->client, &session, "tool:run") == TENURE_OK, "its permission");
}

static void one_command_ends_it(struct stage *stage)
{
    struct stage_session session;
    struct tenure_session_end_reply reply;
    struct tenure_result result;
    char value[STAGE_VALUE];
    stage_open(stage, stage->client, "alice", &session);
    EXPECT(stage, stage_put(stage->client, &session, "key", "v") == TENURE_OK, "she writes");
    const struct tenure_session_end_request end = {.user = tenure_text(session.user),
                                                   .token = tenure_text(session.token)};
    (void)tenure_session_end(stage->client, &end, &reply, &result);
    EXPECT(stage, result.outcome == TENURE_OK && reply.lifetime == result.time - session.time,
           "lifetime %" PRIu64 " of %" PRIu64, reply.lifetime, result.time - session.time);
    tenure_result_done(&result);
    (void)tenure_session_end(stage->client, &end, &reply, &result);
    EXPECT(stage,
           result.outcome == TENURE_ENDED && result.details.has_cause &&
               result.details.cause == TENURE_END_CAUSE_LOGOUT,
           "%s", result.message);
    tenure_result_done(&result);
    EXPECT(stage, stage_get(stage->client, &session, "key", value) == TENURE_ENDED, "its state");
    EXPECT(stage, stage_check(stage->client, &session, "state:write") == TENURE_ENDED,
           "its grants");
    EXPECT(stage, grant(stage, &session, 0) == TENURE_ENDED, "nothing can be given to it");
}

int main(int argc, char **argv)
{
    static const struct stage_row rows[] = {
        {"F-39", "without a session every call fails, in the library", without_a_session},
        {"F-57", "no session without both limits", no_session_without_an_end},
        {"F-57", "a session does end", it_does_end},
        {"F-58", "the three built-in policies", built_in_policies},
        {"F-63", "renewal, up to the policy's limit", renewal_is_capped},
        {"F-54", "one call validates and refreshes", one_call_validates_and_refreshes},
        {"F-49", "a check before each action, and a type for each refusal",
         each_refusal_has_its_type},
        {"F-59", "a permission's change acts at once, on tasks too", changes_act_at_once},
        {"F-46", "elevation ends by itself, and at logout", elevation_ends},
        {"F-61", "one command makes a session with all that it has", one_command_makes_it},
        {"F-64", "one command ends it, for good, and says why", one_command_ends_it},
    };
    return stage_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}
