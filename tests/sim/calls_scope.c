/* Generators about resources: filters, what lies in them and what just not, and a fence that is
 * asked about one.
 */
#include "tests/sim/calls.h"

/* A segment more or less, a name that goes on. */
static const char *const patterns[] = {"db/orders", "db/*", "db/**", "db/orders/**",
                                       "*/orders",  "**",   "db/*/7"};
static const char *const resources[] = {"db",          "db/orders", "db/orders-old",
                                        "db/orders/7", "fs/orders", "db/orders/7/items",
                                        "db/users/7"};

struct tenure_bytes any_resource(struct run *run)
{
    return tenure_text(resources[run_random(run, sizeof(resources) / sizeof(resources[0]))]);
}

void draw_filter(struct run *run, struct tenure_session_create_request *request)
{
    size_t count = sizeof(patterns) / sizeof(patterns[0]);
    size_t first = (size_t)run_random(run, count);
    request->has_filter = run_chance(run, 40);
    request->filter_count = 1 + (uint32_t)run_random(run, 2);
    for (size_t i = 0; i < request->filter_count; i++) {
        request->filter[i].pattern = tenure_text(patterns[(first + i) % count]);
    }
}

/* ---- from where ---- */

/* The last address of a network and the next one, an IPv4 address as IPv6 shows it, and both halves
 * of a byte. */
static const char *const networks[] = {"10.1.0.0/16",         "10.1.2.0/24",   "10.1.2.0/25",
                                       "::ffff:10.1.2.0/120", "2001:db8::/32", "2001:db8::/47"};
static const char *const addresses[] = {"10.1.2.3",      "10.1.2.127",   "10.1.2.128",
                                        "10.1.3.1",      "10.2.0.1",     "::ffff:10.1.2.3",
                                        "2001:db8:1::1", "2001:db8:2::1"};

void draw_binding(struct run *run, struct tenure_session_create_request *request)
{
    size_t count = sizeof(networks) / sizeof(networks[0]);
    size_t first = (size_t)run_random(run, count);
    request->has_networks = run_chance(run, 20);
    request->networks_count = 1 + (uint32_t)run_random(run, 2);
    for (size_t i = 0; i < request->networks_count; i++) {
        request->networks[i].network = tenure_text(networks[(first + i) % count]);
    }
    request->has_fingerprint = run_chance(run, 6);
    request->fingerprint = tenure_text(run_chance(run, 80) ? "device-1" : "device");
}

void draw_address(struct run *run, struct draft_place *ret_place)
{
    size_t count = sizeof(addresses) / sizeof(addresses[0]);
    ret_place->has_address = run_chance(run, 90);
    ret_place->address = tenure_text(addresses[run_random(run, count)]);
    ret_place->has_fingerprint = run_chance(run, 90);
    ret_place->fingerprint = tenure_text(run_chance(run, 80) ? "device-1" : "device");
}

/* ---- asking ---- */

/* Of its own session, or more often of another of its user: both have to reach the resource. */
bool draw_fence_check(struct run_actor *actor, struct draft *draft)
{
    struct run *run = actor->run;
    struct run_fence *fence = any_fence(actor);
    if (fence == NULL) {
        return false;
    }
    struct tenure_fence_check_request *request = &draft->request.fence_check;
    request->user = acting(run, draft, fence->user);
    request->fence = tampered(run, draft, fence->token, OP_TOKEN_fence);
    struct run_session *other = run_chance(run, 70) ? session_of(run, fence->user) : NULL;
    request->has_session = true;
    request->session = other == NULL ? fence->session : other->id;
    request->permission = run_chance(run, 60) ? tenure_text("state:write") : any_permission(run);
    request->has_resource = run_chance(run, 85);
    request->resource = any_resource(run);
    return true;
}
