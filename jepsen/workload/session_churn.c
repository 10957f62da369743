/* session-churn: sessions come and go; what was ended is asked after, by whoever asks. */
#include "jepsen/load/lane.h"

static void round_(struct lane *lane)
{
    char user[LANE_NAME];
    struct lane_session session;
    lane_user(lane, "churn", user);
    if (!lane_open(lane, user, LANE_HOUR, 2 * LANE_HOUR, &session)) {
        return;
    }
    for (uint64_t i = 2 + lane_random(lane, 6); i > 0; i--) {
        switch (lane_random(lane, 4)) {
        case 0:
            (void)lane_put(lane, &session, (unsigned)i);
            break;
        case 1:
            (void)lane_ask(lane, &session, OP_session_touch);
            break;
        default:
            lane_stay(lane);
            (void)lane_ask(lane, &session, OP_session_validate);
            lane_follow(lane);
            break;
        }
    }
    if (lane_chance(lane, 70)) {
        (void)lane_ask(lane, &session, OP_session_end);
        lane_stay(lane); /* a node that stood aside may not say that it lives */
        (void)lane_ask(lane, &session, OP_session_validate);
    }
}

const struct workload workload_session_churn = {
    .name = "session-churn",
    .help = "sessions are opened, asked after and ended",
    .least = "operations=2000",
    .round = round_,
};
