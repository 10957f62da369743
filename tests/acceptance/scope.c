/* F-70, F-72, F-75, F-91: a session reaches the resources that it was opened for, and no other: by
 * itself, by a child, by a task; has no more than its parent; is used from where it is bound to.
 */
#include "tests/acceptance/stage.h"

static enum tenure_outcome open_within(struct stage *stage, const struct stage_session *parent,
                                       const char *pattern, struct stage_session *ret_session)
{
    const struct tenure_session_create_request request = {
        .user = tenure_text("alice"),
        .agent = tenure_text("agent"),
        .idle = STAGE_HOUR,
        .absolute = STAGE_HOUR,
        .has_grants = true,
        .grants = {{.permission = tenure_text("db:read")},
                   {.permission = tenure_text("task:begin")}},
        .grants_count = 2,
        .has_parent = parent != NULL,
        .parent = tenure_text(parent != NULL ? parent->token : ""),
        .has_filter = pattern != NULL,
        .filter = {{.pattern = tenure_text(pattern != NULL ? pattern : "")}},
        .filter_count = pattern != NULL ? 1 : 0};
    return stage_create(stage->client, &request, ret_session);
}

static enum tenure_outcome reach(struct stage *stage, const struct stage_session *session,
                                 const char *permission, const char *resource)
{
    const struct tenure_permission_check_request request = {
        .user = tenure_text(session->user),
        .token = tenure_text(session->token),
        .permission = tenure_text(permission),
        .has_resource = resource != NULL,
        .resource = tenure_text(resource != NULL ? resource : "")};
    struct tenure_permission_check_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_permission_check(stage->second, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

static void no_other_resource(struct stage *stage)
{
    static const char *const others[] = {"db/orders-old", "db/order",  "db",
                                         "db/orders",     "fs/orders", "db/orders2/7"};
    struct stage_session session;
    EXPECT(stage, open_within(stage, NULL, "db/orders/*", &session) == TENURE_OK, "opened");
    EXPECT(stage, reach(stage, &session, "db:read", "db/orders/7") == TENURE_OK, "its own");
    EXPECT(stage, reach(stage, &session, "db:write", "db/orders/7") == TENURE_DENIED, "to write");
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
        EXPECT(stage, reach(stage, &session, "db:read", others[i]) == TENURE_OUT_OF_SCOPE, "%s",
               others[i]);
    }
    EXPECT(stage, reach(stage, &session, "db:read", NULL) == TENURE_OUT_OF_SCOPE, "unasked");
    EXPECT(stage, reach(stage, &session, "db:read", "db/orders/../users") == TENURE_INVALID,
           "a way out");
    EXPECT(stage, reach(stage, &session, "db:read", "db/orders/*") == TENURE_INVALID, "a pattern");
}

static void no_wider_child(struct stage *stage)
{
    struct stage_session parent, child;
    EXPECT(stage, open_within(stage, NULL, "db/**", &parent) == TENURE_OK, "opened");
    EXPECT(stage, open_within(stage, &parent, "**", &child) == TENURE_OUT_OF_SCOPE, "all");
    EXPECT(stage, open_within(stage, &parent, "fs/x", &child) == TENURE_OUT_OF_SCOPE, "others");
    EXPECT(stage, open_within(stage, &parent, NULL, &child) == TENURE_OK, "as its parent");
    EXPECT(stage, reach(stage, &child, "db:read", "fs/x") == TENURE_OUT_OF_SCOPE, "no more");
    EXPECT(stage, open_within(stage, &parent, "db/users", &child) == TENURE_OK, "less");
    EXPECT(stage, reach(stage, &child, "db:read", "db/users") == TENURE_OK, "that");
    EXPECT(stage, reach(stage, &child, "db:read", "db/orders") == TENURE_OUT_OF_SCOPE, "alone");
}

static enum tenure_outcome open_below(struct stage *stage, const struct stage_session *parent,
                                      const char *permission, uint64_t absolute,
                                      struct stage_session *ret_session)
{
    const struct tenure_session_create_request request = {
        .user = tenure_text("alice"),
        .agent = tenure_text("agent"),
        .idle = STAGE_MINUTE,
        .absolute = absolute,
        .has_grants = true,
        .grants = {{.permission = tenure_text(permission)}},
        .grants_count = 1,
        .has_parent = true,
        .parent = tenure_text(parent->token)};
    return stage_create(stage->client, &request, ret_session);
}

static enum tenure_outcome take(struct stage *stage, const struct stage_session *session,
                                const char *permission)
{
    const struct tenure_grant_revoke_request request = {.user = tenure_text(session->user),
                                                        .token = tenure_text(session->token),
                                                        .permission = tenure_text(permission)};
    struct tenure_grant_revoke_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_grant_revoke(stage->client, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

/* What hangs below has at most what it was given, for as long as all above it have that. */
static void least_privilege(struct stage *stage)
{
    struct stage_session root, child, below, none;
    EXPECT(stage, open_within(stage, NULL, NULL, &root) == TENURE_OK, "opened");
    EXPECT(stage, open_below(stage, &root, "db:write", STAGE_HOUR, &none) == TENURE_DENIED,
           "what its parent has not");
    EXPECT(stage, open_below(stage, &root, "db:read", STAGE_HOUR, &child) == TENURE_OK, "less");
    EXPECT(stage, open_below(stage, &child, "task:begin", STAGE_HOUR, &none) == TENURE_DENIED,
           "what its root has, and its parent has not");
    EXPECT(stage, open_below(stage, &child, "db:read", STAGE_HOUR, &below) == TENURE_OK, "below");
    EXPECT(stage, reach(stage, &below, "db:read", NULL) == TENURE_OK, "that");
    EXPECT(stage, reach(stage, &below, "task:begin", NULL) == TENURE_DENIED, "alone");
    EXPECT(stage, take(stage, &root, "db:read") == TENURE_OK, "taken at the root");
    EXPECT(stage, reach(stage, &child, "db:read", NULL) == TENURE_DENIED, "gone below");
    EXPECT(stage, reach(stage, &below, "db:read", NULL) == TENURE_DENIED, "gone two below");
    EXPECT(stage, stage_end(stage->client, &child) == TENURE_OK, "the one between ends");
    EXPECT(stage, stage_validate(stage->client, &below) == TENURE_ENDED, "and what is below");
    EXPECT(stage, stage_validate(stage->client, &root) == TENURE_OK, "not what is above");
}

static enum tenure_outcome task_reaches(struct stage *stage, const char *fence,
                                        const char *resource)
{
    const struct tenure_fence_check_request request = {.user = tenure_text("alice"),
                                                       .fence = tenure_text(fence),
                                                       .permission = tenure_text("db:read"),
                                                       .has_resource = true,
                                                       .resource = tenure_text(resource)};
    struct tenure_fence_check_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_fence_check(stage->second, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

static void no_way_around_by_a_task(struct stage *stage)
{
    struct stage_session session;
    char fence[STAGE_TOKEN];
    EXPECT(stage, open_within(stage, NULL, "db/orders", &session) == TENURE_OK, "opened");
    const struct tenure_task_begin_request begin = {.user = tenure_text("alice"),
                                                    .has_token = true,
                                                    .token = tenure_text(session.token),
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
        .user = tenure_text("alice"), .task = begun.task, .lease = STAGE_HOUR};
    (void)tenure_task_claim(stage->client, &claim, &claimed, &result);
    EXPECT(stage, result.outcome == TENURE_OK, "%s", result.message);
    stage_keep(fence, claimed.fence);
    tenure_result_done(&result);
    EXPECT(stage, task_reaches(stage, fence, "db/orders") == TENURE_OK, "its session's");
    EXPECT(stage, task_reaches(stage, fence, "db/users") == TENURE_OUT_OF_SCOPE, "no other");
}

/* ---- from where ---- */

static enum tenure_outcome come_from(struct stage *stage, const struct stage_session *session,
                                     const char *address, const char *fingerprint)
{
    const struct tenure_session_validate_request request = {
        .user = tenure_text(session->user),
        .token = tenure_text(session->token),
        .has_address = address != NULL,
        .address = tenure_text(address != NULL ? address : ""),
        .has_fingerprint = fingerprint != NULL,
        .fingerprint = tenure_text(fingerprint != NULL ? fingerprint : "")};
    struct tenure_session_validate_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_validate(stage->second, &request, &reply, &result);
    tenure_result_done(&result);
    return outcome;
}

static void from_nowhere_else(struct stage *stage)
{
    const struct tenure_session_create_request request = {
        .user = tenure_text("alice"),
        .agent = tenure_text("agent"),
        .idle = STAGE_HOUR,
        .absolute = STAGE_HOUR,
        .has_networks = true,
        .networks = {{.network = tenure_text("10.1.2.0/25")},
                     {.network = tenure_text("2001:db8::/32")}},
        .networks_count = 2,
        .has_fingerprint = true,
        .fingerprint = tenure_text("device-1")};
    struct stage_session session, thief;
    EXPECT(stage, stage_create(stage->client, &request, &session) == TENURE_OK, "opened");
    EXPECT(stage, come_from(stage, &session, "10.1.2.127", "device-1") == TENURE_OK, "hers");
    EXPECT(stage, come_from(stage, &session, "::ffff:10.1.2.1", "device-1") == TENURE_OK, "mapped");
    EXPECT(stage, come_from(stage, &session, "2001:db8::7", "device-1") == TENURE_OK, "IPv6");
    EXPECT(stage, come_from(stage, &session, "10.1.2.128", "device-1") == TENURE_BOUND_ELSEWHERE,
           "the next address");
    EXPECT(stage, come_from(stage, &session, "10.1.2.1", "device-2") == TENURE_BOUND_ELSEWHERE,
           "another device");
    EXPECT(stage, come_from(stage, &session, NULL, "device-1") == TENURE_BOUND_ELSEWHERE, "unsaid");
    EXPECT(stage, stage_validate(stage->client, &session) == TENURE_BOUND_ELSEWHERE, "unasked");
    thief = session;
    (void)snprintf(thief.user, sizeof(thief.user), "mallory");
    EXPECT(stage, come_from(stage, &thief, "10.9.9.9", NULL) == TENURE_NOT_FOUND,
           "a stranger learns of it");
}

int main(int argc, char **argv)
{
    static const struct stage_row rows[] = {
        {"F-70", "a session with a filter reaches what one of its patterns has", no_other_resource},
        {"F-70", "a child reaches no more than its parent", no_wider_child},
        {"F-91", "what is opened below another has no more, and no longer", least_privilege},
        {"F-75", "a task reaches no more than its session", no_way_around_by_a_task},
        {"F-72", "a session that is bound to a place is used from there alone", from_nowhere_else},
    };
    return stage_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}
