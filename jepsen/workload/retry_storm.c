/* retry-storm: many calls at once on one session, whose connection breaks under them now and then,
 * so that they are tried again under their numbers; each has one effect, and a secret that nobody
 * was told is made anew (S9). */
#include "jepsen/load/lane.h"

#include <stdio.h>

enum { AT_ONCE = 12, BREAK_PERCENT = 25, BREAK_WITHIN_US = 8000 };

/* Nobody uses it: what counts is that it comes with its secret. */
static void open_another(struct lane *lane, const struct lane_session *session)
{
    const struct tenure_session_create_request request = {.user = tenure_text(session->user),
                                                          .agent = tenure_text("agent"),
                                                          .idle = LANE_HOUR,
                                                          .absolute = LANE_HOUR};
    lane_start(lane, OP_session_create, &request);
}

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
    if (lane_chance(lane, BREAK_PERCENT)) {
        open_another(lane, session);
        lane_pause(lane, lane_random(lane, BREAK_WITHIN_US));
        lane_break(lane);
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
    .help = "bursts of writes whose connection breaks: tried again, each has one effect",
    .least = "retried=100",
    .round = round_,
};
