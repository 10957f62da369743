/* retry-storm: many calls at once on one session, of which faults make tries again and again; each
 * has one effect (S9). */
#include "jepsen/load/lane.h"

#include <stdio.h>

enum { AT_ONCE = 12 };

static void storm(struct lane *lane, const struct lane_session *session)
{
    for (unsigned i = 0; i < AT_ONCE; i++) {
        char key[16], value[64];
        (void)snprintf(key, sizeof key, "key-%u", i % LANE_KEYS);
        (void)snprintf(value, sizeof value, "s%u.%u.%u", (unsigned)lane_index(lane),
                       (unsigned)lane_count(lane), i);
        const struct tenure_state_put_request request = {.user = tenure_text(session->user),
                                                         .has_token = true,
                                                         .token = tenure_text(session->token),
                                                         .key = tenure_text(key),
                                                         .value = tenure_text(value)};
        lane_start(lane, OP_state_put, &request);
    }
    lane_join(lane);
}

static void round_(struct lane *lane)
{
    char user[LANE_NAME];
    struct lane_session session;
    lane_user(lane, "storm", user);
    if (!lane_open(lane, user, LANE_HOUR, LANE_HOUR, &session)) {
        return;
    }
    for (unsigned i = 0; i < 6; i++) {
        if (lane_chance(lane, 30)) {
            lane_stay(lane); /* a leader that is cut off has to say itself what became of them */
        }
        storm(lane, &session);
        lane_follow(lane);
        for (unsigned key = 0; key < LANE_KEYS; key++) {
            (void)lane_get(lane, &session, key);
        }
        lane_pause(lane, 200000);
    }
    (void)lane_ask(lane, &session, OP_session_end);
}

const struct workload workload_retry_storm = {
    .name = "retry-storm",
    .help = "bursts of writes whose tries are repeated; each has one effect",
    .least = "retried=100",
    .round = round_,
};
