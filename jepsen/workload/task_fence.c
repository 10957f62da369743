/* task-fence: the holder of a task freezes past its lease with writes in flight, another claims the
 * task, the session ends, the user opens a new one, the holder thaws. Both scopes of tasks. */
#include "jepsen/load/lane.h"

#include <stdio.h>
#include <string.h>

#define LEASE_US (3 * LANE_SECOND) /* the shortest that a run's cluster allows */

/* ---- in a worker ---- */

struct held {
    char user[LANE_NAME];
    struct tenure_id task, own, newest;
    char fence[LANE_TOKEN];
    uint64_t next;
};

static bool claim(struct lane *lane, struct held *held)
{
    const struct tenure_task_claim_request request = {
        .user = tenure_text(held->user), .task = held->task, .lease = LEASE_US};
    if (lane_call(lane, OP_task_claim, &request)->outcome != TENURE_OK) {
        return false;
    }
    const struct tenure_task_claim_reply *reply = lane_reply(lane);
    held->own = held->newest = reply->session;
    held->next = reply->next;
    return lane_take_token(held->fence, reply->has_fence, reply->fence);
}

static void heartbeat(struct lane *lane, const struct held *held)
{
    const struct tenure_task_heartbeat_request request = {
        .user = tenure_text(held->user), .fence = tenure_text(held->fence), .lease = LEASE_US};
    (void)lane_call(lane, OP_task_heartbeat, &request);
}

/* The newest session that the user has open. */
static void look(struct lane *lane, struct held *held)
{
    const struct tenure_session_list_request request = {.user = tenure_text(held->user)};
    if (lane_call(lane, OP_session_list, &request)->outcome == TENURE_OK) {
        const struct tenure_session_list_reply *reply = lane_reply(lane);
        if (reply->sessions_count > 0) {
            held->newest = reply->sessions[reply->sessions_count - 1].session;
        }
    }
}

static void complete(struct lane *lane, struct held *held)
{
    const struct tenure_task_complete_request request = {.user = tenure_text(held->user),
                                                         .fence = tenure_text(held->fence),
                                                         .operation = held->next++};
    (void)lane_call(lane, OP_task_complete, &request);
}

static void work(struct lane *lane, const char *order)
{
    struct held held = {.next = 1};
    char task[TENURE_ID_TEXT];
    unsigned refused = 0;
    if (sscanf(order, "%63s %32s", held.user, task) != 2 || !tenure_id_of_text(task, &held.task) ||
        !claim(lane, &held)) {
        return;
    }
    for (unsigned i = 0; i < 120 && refused < 8; i++) {
        struct tenure_id into = lane_chance(lane, 50) ? held.own : held.newest;
        enum tenure_outcome outcome = lane_put_fenced(lane, held.user, held.fence, into,
                                                      held.next++, (unsigned)lane_random(lane, 4));
        refused += tenure_outcome_class(outcome) == TENURE_CLASS_REFUSED;
        if (i % 6 == 5) {
            heartbeat(lane, &held);
            look(lane, &held);
        }
    }
    if (refused == 0) {
        complete(lane, &held);
    }
}

/* ---- who conducts ---- */

/* Waits until somebody has the task; false: nobody does within three seconds. */
static bool is_claimed(struct lane *lane, const struct lane_session *session)
{
    for (unsigned i = 0; i < 15; i++) {
        const struct tenure_task_list_request request = {.user = tenure_text(session->user)};
        if (lane_call(lane, OP_task_list, &request)->outcome == TENURE_OK) {
            const struct tenure_task_list_reply *reply = lane_reply(lane);
            for (size_t j = 0; j < reply->tasks_count; j++) {
                if (reply->tasks[j].has_attempt) {
                    return true;
                }
            }
        }
        lane_pause(lane, 200000);
    }
    return false;
}

static void look_at_all(struct lane *lane, const struct lane_session *session)
{
    for (unsigned key = 0; key < LANE_KEYS; key++) {
        (void)lane_get(lane, session, key);
    }
}

static void round_(struct lane *lane)
{
    char user[LANE_NAME], order[120], text[TENURE_ID_TEXT];
    struct lane_session old, new;
    struct tenure_id task;
    uint32_t holder = (uint32_t)lane_random(lane, lane_workers(lane));
    uint32_t other = (holder + 1) % lane_workers(lane);
    enum tenure_task_scope scope = lane_chance(lane, 50) ? TENURE_TASK_SCOPE_USER
                                                         : TENURE_TASK_SCOPE_SESSION;
    lane_user(lane, "fence", user);
    if (!lane_open(lane, user, LANE_HOUR, 2 * LANE_HOUR, &old) ||
        !lane_begin_task(lane, &old, scope, 120 * LANE_SECOND, &task)) {
        return;
    }
    tenure_id_text(task, text);
    (void)snprintf(order, sizeof order, "%s %s", user, text);
    lane_order(lane, holder, "task-fence", order);
    if (!is_claimed(lane, &old)) {
        return;
    }
    lane_pause(lane, 200000 + lane_random(lane, LANE_SECOND));
    bool froze = lane_freeze(lane, holder);
    lane_pause(lane, LEASE_US + 300000);
    if (lane_chance(lane, 70)) {
        lane_order(lane, other, "task-fence", order);
        lane_pause(lane, 400000);
    }
    look_at_all(lane, &old);
    bool ends = lane_chance(lane, 70);
    if (ends) {
        (void)lane_ask(lane, &old, OP_session_end);
    }
    bool opened = lane_open(lane, user, LANE_HOUR, 2 * LANE_HOUR, &new);
    for (unsigned key = 0; opened && key < LANE_KEYS; key++) {
        (void)lane_put(lane, &new, key);
    }
    if (froze) {
        lane_thaw(lane, holder);
    }
    lane_pause(lane, LANE_SECOND);
    if (opened) {
        look_at_all(lane, &new);
    }
    look_at_all(lane, &old);
}

const struct workload workload_task_fence = {
    .name = "task-fence",
    .help = "holders of tasks freeze past their leases and thaw into a new login",
    .least = "fenced=20",
    .round = round_,
    .work = work,
};
