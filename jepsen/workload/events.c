/* events: a reader follows the tenant's events from place to place and never lacks one (S10); now
 * and then it begins again from an old place, or from the first. */
#include "jepsen/load/lane.h"

struct place {
    struct tenure_id origin;
    uint64_t position, k;
    bool known;
};

static bool follow(struct lane *lane, struct place *place)
{
    const struct tenure_events_read_request request = {.has_origin = place->known,
                                                       .origin = place->origin,
                                                       .has_after = place->known,
                                                       .after = place->position,
                                                       .has_k = place->known,
                                                       .k = place->k};
    if (lane_call(lane, OP_events_read, &request)->outcome != TENURE_OK) {
        return false;
    }
    const struct tenure_events_read_reply *reply = lane_reply(lane);
    *place = (struct place){
        .origin = reply->origin, .position = reply->next, .k = reply->k, .known = true};
    return true;
}

static void round_(struct lane *lane)
{
    struct place place = {.known = false}, kept = place, oldest = place;
    char user[LANE_NAME];
    struct lane_session session;
    lane_user(lane, "event", user);
    for (unsigned i = 0; i < 60; i++) {
        if (i % 10 == 9 && lane_open(lane, user, LANE_HOUR, LANE_HOUR, &session)) {
            (void)lane_ask(lane, &session, OP_session_end);
        }
        if (!follow(lane, &place)) { /* it may be lost by now */
            place = (struct place){.known = false};
        } else if (!oldest.known) {
            oldest = place;
        } else if (lane_chance(lane, 5)) {
            place = oldest; /* as one that was away for long: what is lost has to be said */
        } else if (lane_chance(lane, 10)) {
            kept = place;
        } else if (lane_chance(lane, 5)) {
            place = kept; /* as one that was started anew: the same again */
        }
    }
}

const struct workload workload_events = {
    .name = "events",
    .help = "readers follow the tenant's events, and resume from old places",
    .least = "definite=1500",
    .round = round_,
};
