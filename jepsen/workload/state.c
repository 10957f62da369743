/* state: values written, read, written on a condition, deleted; by their session alone. */
#include "jepsen/load/lane.h"

#include <stdio.h>

static uint64_t version_of(struct lane *lane, const struct lane_session *session, unsigned key)
{
    if (lane_get(lane, session, key) != TENURE_OK) {
        return UINT64_MAX;
    }
    return ((const struct tenure_state_get_reply *)lane_reply(lane))->version;
}

/* A write that expects what was just read: of two at once only one may be taken. */
static void swap(struct lane *lane, const struct lane_session *session, unsigned key)
{
    char key_text[16], value[100];
    uint64_t version = version_of(lane, session, key);
    (void)snprintf(key_text, sizeof key_text, "key-%u", key);
    (void)snprintf(value, sizeof value, "%s.%u.%u", session->user, (unsigned)lane_count(lane),
                   (unsigned)lane_index(lane));
    const struct tenure_state_put_request request = {.user = tenure_text(session->user),
                                                     .has_token = true,
                                                     .token = tenure_text(session->token),
                                                     .key = tenure_text(key_text),
                                                     .value = tenure_text(value),
                                                     .has_expected = true,
                                                     .expected = version};
    lane_start(lane, OP_state_put, &request);
    (void)lane_put(lane, session, key);
    lane_join(lane);
}

static void delete(struct lane *lane, const struct lane_session *session, unsigned key)
{
    char key_text[16];
    (void)snprintf(key_text, sizeof key_text, "key-%u", key);
    const struct tenure_state_delete_request request = {.user = tenure_text(session->user),
                                                        .has_token = true,
                                                        .token = tenure_text(session->token),
                                                        .key = tenure_text(key_text)};
    (void)lane_call(lane, OP_state_delete, &request);
}

static void round_(struct lane *lane)
{
    char user[LANE_NAME];
    struct lane_session session;
    lane_user(lane, "state", user);
    if (!lane_open(lane, user, LANE_HOUR, 2 * LANE_HOUR, &session)) {
        return;
    }
    for (unsigned i = 0; i < 40; i++) {
        unsigned key = (unsigned)lane_random(lane, LANE_KEYS);
        uint64_t what = lane_random(lane, 100);
        if (what < 40) {
            (void)lane_put(lane, &session, key);
        } else if (what < 45) {
            lane_stay(lane); /* who gives up early: its outcome may stay unknown */
            (void)lane_put(lane, &session, key);
            lane_follow(lane);
        } else if (what < 75) {
            lane_stay(lane);
            (void)lane_get(lane, &session, key);
            lane_follow(lane);
        } else if (what < 90) {
            swap(lane, &session, key);
        } else {
            delete (lane, &session, key);
        }
    }
}

const struct workload workload_state = {
    .name = "state",
    .help = "values are written, compared and swapped, deleted, read at every node",
    .least = "operations=2000",
    .round = round_,
};
