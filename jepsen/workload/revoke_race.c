/* revoke-race: users, agents and lineages are revoked while their sessions are asked after, write
 * and are opened anew (S2). */
#include "jepsen/load/lane.h"

enum { SESSIONS = 3 };

static void revoke(struct lane *lane, const struct lane_session *session)
{
    const struct tenure_revoke_user_request all = {.user = tenure_text(session->user)};
    const struct tenure_session_revoke_request one = {.user = tenure_text(session->user),
                                                      .session = session->id};
    const struct tenure_revoke_lineage_request lineage = {.user = tenure_text(session->user),
                                                          .session = session->id};
    switch (lane_random(lane, 4)) {
    case 0:
        (void)lane_call(lane, OP_session_revoke, &one);
        break;
    case 1:
        (void)lane_call(lane, OP_revoke_lineage, &lineage);
        break;
    case 2:
        lane_operate(lane);
        (void)lane_call(lane, OP_revoke_user, &all);
        lane_follow(lane);
        break;
    default:
        (void)lane_call(lane, OP_revoke_user, &all);
        break;
    }
}

static void ask_all(struct lane *lane, const struct lane_session sessions[], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        lane_stay(lane);
        lane_ask_start(lane, &sessions[i], OP_session_validate);
        lane_follow(lane);
        lane_ask_start(lane, &sessions[i], OP_session_touch);
    }
}

static void round_(struct lane *lane)
{
    char user[LANE_NAME];
    struct lane_session sessions[SESSIONS];
    unsigned count = 0;
    lane_user(lane, "revoke", user);
    for (unsigned i = 0; i < SESSIONS; i++) {
        count += lane_open(lane, user, LANE_HOUR, LANE_HOUR, &sessions[count]);
    }
    if (count == 0) {
        return;
    }
    (void)lane_put(lane, &sessions[0], 0);
    ask_all(lane, sessions, count);
    revoke(lane, &sessions[0]);
    ask_all(lane, sessions, count); /* after it was acknowledged */
    (void)lane_put(lane, &sessions[0], 1);
    bool opened = lane_open(lane, user, LANE_HOUR, LANE_HOUR, &sessions[0]);
    (void)lane_ask(lane, &sessions[0], OP_session_validate); /* a new one lives */
    if (opened && lane_chance(lane, 50)) { /* until it goes too: the second time for this user */
        revoke(lane, &sessions[0]);
        ask_all(lane, sessions, 1);
        (void)lane_put(lane, &sessions[0], 2);
    }
    lane_join(lane);
}

const struct workload workload_revoke_race = {
    .name = "revoke-race",
    .help = "what is revoked is asked after meanwhile and at once afterwards",
    .least = "revokes=20",
    .round = round_,
};
