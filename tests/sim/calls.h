/* Inside the workload: what generators draw into, and draw from. See calls.c. */
#ifndef TESTS_SIM_CALLS_H
#define TESTS_SIM_CALLS_H

#include "op/token.h"
#include "tests/sim/run.h"

#define REQUEST_(number, name, ...) struct tenure_##name##_request name;
union any_request {
    OP_TABLE(REQUEST_)
};
#undef REQUEST_

/* What a generator draws into; the texts live here until the call has copied them. */
struct draft {
    union any_request request;
    struct run_fence *fence; /* of a claim: where its token goes */
    char user[16];
    char text[32];
    char token[OP_TOKEN_TEXT_MAX + 1];
    uint8_t value[40000]; /* the last: not zeroed */
};

/* The permissions that the workload has, and those that sessions are opened with. */
enum { PERMISSIONS = 7, PERMISSIONS_OPENING = 5 };
const char *permission_text(size_t which);
/* Its bit, or 0. */
uint32_t call_permission(struct bytes permission);

/* Draws one call; false: there is nothing to ask about yet. */
typedef bool draw_fn(struct run_actor *actor, struct draft *draft);

/* Of `user`, unless that is NULL. The newest are likely to live. */
struct run_session *session_of(struct run *run, const char *user);
struct run_session *any_session(struct run *run);
/* At least so deep (a root is 1 deep), or NULL. */
struct run_session *deep_session(struct run *run, uint32_t depth);
/* NULL: it is forgotten. */
struct run_session *session_known(struct run *run, const struct tenure_id *id);
/* One that is known above this one, often the root; itself where there is none. */
struct run_session *session_above(struct run *run, struct run_session *session);
struct run_task *any_task(struct run *run);
/* One that this worker holds, or NULL. */
struct run_fence *any_fence(struct run_actor *actor);
/* `user`, and now and then somebody else. */
struct tenure_bytes acting(struct run *run, struct draft *draft, const char *user);
/* The token, and now and then one with another secret. At most one in a draft. */
struct tenure_bytes tampered(struct run *run, struct draft *draft, const char *token,
                             enum op_token_kind kind);
/* A lifetime: by whole steps of the clocks, so that many a call meets a deadline exactly. */
uint64_t lifetime(struct run *run, uint64_t more_us);

/* An operation number for the task of this fence: mostly the next. */
uint64_t draw_operation(struct run *run, struct run_fence *fence);

/* The session that a task is to reach: its own, or another of its user, whenever created; seldom
 * another user's. */
struct tenure_id reach(struct run *run, const struct run_fence *fence);

/* ---- calls_tree.c ---- */
draw_fn draw_session_create;
void draw_policy(struct run *run, struct tenure_session_create_request *request);
/* In a seed of trees, now and then: calls about sessions that stand below others. */
bool call_tree(struct run_actor *actor, struct draft *draft);

struct tenure_bytes any_permission(struct run *run);

/* ---- calls_scope.c: resources, and what is asked about them ---- */
struct tenure_bytes any_resource(struct run *run);
/* A child's is often wider than its parent's. */
void draw_filter(struct run *run, struct tenure_session_create_request *request);
draw_fn draw_fence_check;
/* Where it may be used, and where a call says that its client is. */
void draw_binding(struct run *run, struct tenure_session_create_request *request);
struct draft_place {
    bool has_address, has_fingerprint;
    struct tenure_bytes address, fingerprint;
};
void draw_address(struct run *run, struct draft_place *ret_place);
#define SAY_PLACE(run, request)                                                                    \
    do {                                                                                           \
        struct draft_place place_;                                                                 \
        draw_address(run, &place_);                                                                \
        (request)->has_address = place_.has_address;                                               \
        (request)->address = place_.address;                                                       \
        (request)->has_fingerprint = place_.has_fingerprint;                                       \
        (request)->fingerprint = place_.fingerprint;                                               \
    } while (false)

/* ---- calls_list.c ---- */
draw_fn draw_grant_list;
draw_fn draw_session_list;
draw_fn draw_session_children;
draw_fn draw_task_list;
draw_fn draw_state_list;
draw_fn draw_quota_set;
draw_fn draw_quota_list;
draw_fn draw_events_read;

/* ---- calls_task.c ---- */
draw_fn draw_task_begin;
draw_fn draw_task_claim;
draw_fn draw_task_heartbeat;
draw_fn draw_task_hand_over;
draw_fn draw_task_complete;
draw_fn draw_task_fail;
draw_fn draw_task_cancel;
draw_fn draw_task_adopt;
draw_fn draw_revoke_lineage;

#endif
