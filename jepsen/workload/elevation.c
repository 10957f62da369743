/* elevation: permissions for a second or two, on evidence; none outlives its deadline, its revoke
 * or the old secret, and none reaches an older task (S12). */
#include "jepsen/load/lane.h"

#include <string.h>

static bool elevate(struct lane *lane, struct lane_session *session, uint64_t ttl_us)
{
    const struct tenure_session_elevate_request request = {
        .user = tenure_text(session->user),
        .token = tenure_text(session->token),
        .policy = tenure_text("elevated"),
        .has_evidence = true,
        .evidence = TENURE_EVIDENCE_REAUTHENTICATION,
        .permissions = {{.permission = tenure_text("pay")}},
        .permissions_count = 1,
        .has_ttl = true,
        .ttl = ttl_us};
    if (lane_call(lane, OP_session_elevate, &request)->outcome != TENURE_OK) {
        return false;
    }
    const struct tenure_session_elevate_reply *reply = lane_reply(lane);
    return lane_take_token(session->token, reply->has_token, reply->token);
}

static void check(struct lane *lane, const struct lane_session *session)
{
    const struct tenure_permission_check_request request = {.user = tenure_text(session->user),
                                                            .token = tenure_text(session->token),
                                                            .permission = tenure_text("pay")};
    lane_stay(lane);
    lane_start(lane, OP_permission_check, &request);
    lane_follow(lane);
    (void)lane_call(lane, OP_permission_check, &request);
    lane_join(lane);
}

static void take_away(struct lane *lane, const struct lane_session *session)
{
    const struct tenure_grant_revoke_request request = {.user = tenure_text(session->user),
                                                        .token = tenure_text(session->token),
                                                        .permission = tenure_text("pay")};
    (void)lane_call(lane, OP_grant_revoke, &request);
}

static void round_(struct lane *lane)
{
    char user[LANE_NAME];
    struct lane_session session, before;
    uint64_t ttl = LANE_SECOND + lane_random(lane, LANE_SECOND);
    lane_user(lane, "elevate", user);
    if (!lane_open(lane, user, LANE_HOUR, LANE_HOUR, &session)) {
        return;
    }
    before = session;
    check(lane, &session);
    if (!elevate(lane, &session, ttl)) {
        return;
    }
    check(lane, &session);
    (void)lane_ask(lane, &before, OP_session_validate); /* the old secret */
    if (lane_chance(lane, 40)) {
        take_away(lane, &session);
    } else {
        lane_pause(lane, ttl);
    }
    check(lane, &session);
    (void)lane_ask(lane, &session, OP_grant_list);
}

const struct workload workload_elevation = {
    .name = "elevation",
    .help = "sessions are elevated for a moment, and asked what they may",
    .least = "definite=1500",
    .round = round_,
};
