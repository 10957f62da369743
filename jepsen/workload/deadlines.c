/* deadlines: sessions and grants of a few seconds, asked after just before and just after their end
 * (T4, T6), by clients of every node. */
#include "jepsen/load/lane.h"

/* Asks often from `before` until as long after the deadline. */
static void around(struct lane *lane, const struct lane_session *session, uint64_t left_us)
{
    uint64_t margin = 300000;
    lane_pause(lane, left_us > margin ? left_us - margin : 0);
    for (unsigned i = 0; i < 8; i++) {
        lane_stay(lane);
        lane_ask_start(lane, session, OP_session_validate);
        lane_follow(lane);
        lane_ask_start(lane, session, OP_session_validate);
        lane_pause(lane, margin / 4);
    }
    lane_join(lane);
}

static void idle_out(struct lane *lane, const struct lane_session *session, uint64_t idle_us)
{
    for (uint64_t touches = lane_random(lane, 3); touches > 0; touches--) {
        lane_pause(lane, idle_us / 2);
        if (lane_ask(lane, session, OP_session_touch) != TENURE_OK) {
            return;
        }
    }
    around(lane, session, idle_us);
}

static void lapse(struct lane *lane, const struct lane_session *session)
{
    uint64_t ttl = LANE_SECOND + lane_random(lane, 2 * LANE_SECOND);
    const struct tenure_grant_add_request request = {.user = tenure_text(session->user),
                                                     .token = tenure_text(session->token),
                                                     .permission = tenure_text("tool:run"),
                                                     .has_ttl = true,
                                                     .ttl = ttl};
    const struct tenure_permission_check_request check = {.user = tenure_text(session->user),
                                                          .token = tenure_text(session->token),
                                                          .permission = tenure_text("tool:run")};
    if (lane_call(lane, OP_grant_add, &request)->outcome != TENURE_OK) {
        return;
    }
    lane_pause(lane, ttl > 200000 ? ttl - 200000 : 0);
    for (unsigned i = 0; i < 6; i++) {
        lane_start(lane, OP_permission_check, &check);
        lane_pause(lane, 70000);
    }
    lane_join(lane);
}

static void round_(struct lane *lane)
{
    char user[LANE_NAME];
    struct lane_session session;
    uint64_t idle = LANE_SECOND + lane_random(lane, 2 * LANE_SECOND);
    lane_user(lane, "deadline", user);
    switch (lane_random(lane, 3)) {
    case 0:
        if (lane_open(lane, user, idle, LANE_HOUR, &session)) {
            idle_out(lane, &session, idle);
        }
        break;
    case 1:
        if (lane_open(lane, user, LANE_HOUR, idle, &session)) {
            around(lane, &session, idle);
        }
        break;
    default:
        if (lane_open(lane, user, LANE_HOUR, LANE_HOUR, &session)) {
            lapse(lane, &session);
        }
        break;
    }
}

const struct workload workload_deadlines = {
    .name = "deadlines",
    .help = "sessions and grants are asked after around their deadlines",
    .least = "near_deadline=60",
    .round = round_,
};
