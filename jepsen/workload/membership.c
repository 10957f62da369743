/* membership: an operator looks at the cluster, its members, its limits and tenants, while others
 * open sessions; who joins and goes is the nemesis of that name. */
#include "jepsen/load/lane.h"

static void round_(struct lane *lane)
{
    static const struct tenure_member_list_request nothing;
    static const struct tenure_tenant_list_request tenants;
    char user[LANE_NAME];
    struct lane_session session;
    lane_user(lane, "member", user);
    if (lane_open(lane, user, LANE_HOUR, LANE_HOUR, &session)) {
        (void)lane_put(lane, &session, 0);
    }
    lane_operate(lane);
    (void)lane_call(lane, OP_member_list, &nothing);
    (void)lane_call(lane, OP_cluster_get, &nothing);
    (void)lane_call(lane, OP_tenant_list, &tenants);
    lane_follow(lane);
    lane_pause(lane, LANE_SECOND / 2);
}

const struct workload workload_membership = {
    .name = "membership",
    .help = "an operator looks at members, limits and tenants all the while",
    .least = "definite=1500",
    .round = round_,
};
