/* What a random history asks for: mostly right, often just wrong. What its parts share, and whose
 * turn it is; the calls of sessions, tasks and state are beside it. */
#include "tests/unit/jepsen/mix.h"

#include <string.h>

uint64_t mix_below(struct mix *mix, uint64_t n)
{
    return maker_random(mix->maker, n);
}

bool mix_one_in(struct mix *mix, uint64_t n)
{
    return mix_below(mix, n) == 0;
}

struct bytes mix_pick(struct mix *mix, const char *const *texts, uint64_t count)
{
    return bytes_of_text(texts[mix_below(mix, count)]);
}

struct maker_caller *mix_caller_of(struct mix *mix, uint8_t tenant)
{
    if (mix_one_in(mix, 25)) {
        tenant = !tenant;
    }
    return &mix->callers[tenant * 2 + (mix_one_in(mix, 4) ? 1 : 0)];
}

struct bytes mix_user_of(struct mix *mix, const char *user)
{
    return mix_one_in(mix, 25) ? mix_pick(mix, users, 3) : bytes_of_text(user);
}

void mix_spoil(struct mix *mix, struct op_token *token)
{
    if (mix_one_in(mix, 30)) {
        token->secret[20] ^= 1;
    }
}

/* Half of the time the youngest few, so that things happen to one. */
struct known_session *mix_some_session(struct mix *mix)
{
    uint32_t count = mix->session_count;

    if (count > 4 && !mix_one_in(mix, 3)) {
        return &mix->sessions[count - 1 - mix_below(mix, 4)];
    }
    return &mix->sessions[mix_below(mix, count)];
}

struct known_task *mix_some_task(struct mix *mix)
{
    uint32_t count = mix->task_count;

    return count > 4 && !mix_one_in(mix, 3) ? &mix->tasks[count - 1 - mix_below(mix, 4)]
                                            : &mix->tasks[mix_below(mix, count)];
}

struct op_token mix_some_fence(struct mix *mix, const struct known_task *task)
{
    struct op_token fence = task->fences[mix_one_in(mix, 4) ? mix_below(mix, 3) : 0];

    if (fence.attempt == 0) {
        fence = task->fences[0];
    }
    mix_spoil(mix, &fence);
    return fence;
}

void mix_go(struct mix *mix)
{
    maker_call(mix->maker, mix->caller, mix->f, &mix->request);
    if (op_row_of_number(mix->f)->idempotency == OP_NUMBERED && mix_one_in(mix, 15)) {
        maker_retry(mix->maker, mix->caller, mix->f, &mix->request);
    }
}

/* Its session, where that is known. */
struct known_session *mix_session_of(struct mix *mix, struct id128 id)
{
    for (uint32_t i = 0; i < mix->session_count; i++) {
        if (id128_equal(mix->sessions[i].token.id, id)) {
            return &mix->sessions[i];
        }
    }
    return NULL;
}

/* Now and then to just before, at or just after a deadline. */
static void pass_time(struct mix *mix)
{
    uint64_t deadline = mix_some_session(mix)->idle_deadline;

    if (mix->task_count > 0 && mix_one_in(mix, 2)) {
        const struct known_task *task = mix_some_task(mix);

        deadline = mix_one_in(mix, 2) ? task->deadline : task->lease;
    }
    if (mix_one_in(mix, 12) && deadline > mix->maker->time + 2 &&
        deadline < mix->maker->time + 60 * SECOND) {
        maker_wait(mix->maker, deadline - mix->maker->time - 1 + mix_below(mix, 2));
    } else {
        maker_wait(mix->maker, 1 + mix_below(mix, 10) * mix_below(mix, SECOND / 10));
    }
}

/* Now and then one that is built in. */
static void set_policy(struct mix *mix)
{
    struct op_policy_set_request *request = &mix->request.policy_set;

    mix->caller = &mix->callers[mix_one_in(mix, 4) ? 2 : 0];
    mix->f = OP_policy_set;
    request->name = mix_pick(mix, policies, 3);
    request->idle = mix_below(mix, 60) * SECOND;
    request->absolute = (1 + mix_below(mix, 200)) * SECOND;
    request->has_evidence = mix_one_in(mix, 2);
    request->evidence = mix_one_in(mix, 2) ? OP_EVIDENCE_MFA : OP_EVIDENCE_REAUTHENTICATION;
    mix_go(mix);
}

/* Small, and taken away as often as set. What bounds a tenant is an operator's to set. */
static void set_quota(struct mix *mix)
{
    struct op_quota_set_request *request = &mix->request.quota_set;

    mix->f = OP_quota_set;
    mix->caller = &mix->callers[mix_below(mix, 5)];
    request->quota = 1 + (uint32_t)mix_below(mix, 9);
    request->has_value = mix_one_in(mix, 2);
    request->value = request->quota == OP_QUOTA_TENANT_STATE_BYTES ||
                             request->quota == OP_QUOTA_SESSION_STATE_BYTES
                         ? mix_below(mix, 200)
                         : mix_below(mix, 12);
    mix_go(mix);
}

static void list_quotas(struct mix *mix)
{
    struct op_quota_list_request *request = &mix->request.quota_list;

    mix->f = OP_quota_list;
    mix->caller = &mix->callers[mix_below(mix, 5)];
    request->has_user = mix_one_in(mix, 2);
    request->user = mix_pick(mix, users, 3);
    mix_go(mix);
}

/* What operators ask of the whole cluster; a service may not. */
static void look(struct mix *mix)
{
    static const enum op_number reads[] = {OP_limit_list, OP_member_list, OP_cluster_get,
                                           OP_tenant_list, OP_tenant_list};
    mix->f = reads[mix_below(mix, 5)];
    if (mix->f == OP_tenant_list) {
        mix->request.tenant_list.has_after = mix_one_in(mix, 3);
        mix->request.tenant_list.after = mix_below(mix, 3);
        mix->request.tenant_list.has_max = mix_one_in(mix, 2);
        mix->request.tenant_list.max = mix_below(mix, 3);
    }
    mix->caller = &mix->callers[mix_one_in(mix, 8) ? 0 : 4];
    mix_go(mix);
}

/* From the place where the last page ended, mostly. The specification alone, which has no sweep,
 * tells no events. */
static void read_events(struct mix *mix)
{
    struct op_events_read_request *request = &mix->request.events_read;
    uint8_t tenant = (uint8_t)mix_one_in(mix, 4);

    if (mix->maker->ask == NULL) {
        return;
    }
    mix->f = OP_events_read;
    mix->caller = mix_one_in(mix, 8) ? &mix->callers[4] : &mix->callers[tenant * 2];
    tenant = mix->caller == &mix->callers[4] ? 1 : tenant;
    request->has_after = request->has_k = !mix_one_in(mix, 4);
    request->after = mix_one_in(mix, 8) ? mix_below(mix, mix->maker->position)
                                        : mix->places[tenant].position;
    request->k = mix->places[tenant].k;
    request->has_max = mix_one_in(mix, 2);
    request->max = mix_below(mix, 6);
    mix_go(mix);
    if (mix->maker->answer.outcome == OP_OK) {
        mix->places[tenant].position = mix->maker->answer.reply.events_read.next;
        mix->places[tenant].k = mix->maker->answer.reply.events_read.k;
    } else if (mix->maker->answer.outcome == OP_COMPACTED) {
        mix->places[tenant].position = mix->maker->answer.details.oldest_position;
        mix->places[tenant].k = mix->maker->answer.details.oldest_k;
    }
}

/* Something happens to a session, or to one above it, and then somebody asks after it. */
static void shake(struct mix *mix)
{
    struct known_session *session = mix_deep_session(mix);
    struct known_session *above = session;
    uint64_t what = mix_below(mix, 10);

    while (above->parent != NULL && (above == session || mix_one_in(mix, 2))) {
        above = above->parent;
    }
    if (what < 1) {
        mix_ask_of(mix, OP_session_end, above);
    } else if (what < 2) {
        mix_revoke_one(mix, mix_one_in(mix, 2) ? session : above);
    } else if (what < 6) {
        mix_ask_of(mix, OP_grant_revoke, above);
        mix_give_again(mix);
    }
    memset(&mix->request, 0, sizeof mix->request);
    mix_ask_of(mix, mix_one_in(mix, 3) ? OP_session_validate : OP_permission_check, session);
}

static void do_rarely(struct mix *mix)
{
    static void (*const rare[])(struct mix *) = {set_policy, set_policy, read_events, read_events,
                                                 look,       set_quota,  set_quota,   list_quotas};

    rare[mix_below(mix, sizeof rare / sizeof rare[0])](mix);
}

static void step(struct mix *mix)
{
    uint64_t what = mix_below(mix, 100);

    memset(&mix->request, 0, sizeof mix->request);
    if (mix->trees && mix->session_count > 0 && mix_one_in(mix, 5)) {
        shake(mix);
    } else if (what < 10 || mix->session_count == 0) {
        mix_create(mix);
    } else if (what < 14) {
        if (mix_one_in(mix, 4)) {
            if (mix_one_in(mix, 2)) {
                mix_list_sessions(mix);
            } else {
                mix_list_children(mix);
            }
        } else if (mix_one_in(mix, 3)) {
            mix_list_tasks(mix);
        } else {
            mix_ask_session(mix, mix_one_in(mix, 3)   ? OP_session_get
                                 : mix_one_in(mix, 8) ? OP_session_derive
                                                      : OP_session_validate);
        }
    } else if (what < 17) {
        mix_ask_session(mix, OP_session_touch);
    } else if (what < 18) {
        mix_ask_session(mix, OP_session_renew);
    } else if (what < 20) {
        if (mix_one_in(mix, 2)) {
            mix_elevate(mix);
        } else {
            mix_rotate(mix);
        }
    } else if (what < 22) {
        mix_ask_session(mix, OP_session_end);
    } else if (what < 30) {
        if (mix->task_count > 0 && mix_one_in(mix, 3)) {
            mix_check_fence(mix);
        } else {
            mix_ask_session(mix, mix_one_in(mix, 4) ? OP_grant_list : OP_permission_check);
        }
    } else if (what < 40) {
        mix_ask_session(mix, mix_one_in(mix, 3) ? OP_grant_revoke : OP_grant_add);
        mix_give_again(mix);
    } else if (what < 41) {
        mix_revoke_one(mix, mix_some_session(mix));
    } else if (what < 42) {
        mix_revoke(mix);
    } else if (what < 43) {
        do_rarely(mix);
    } else if (what < 53) {
        mix_begin(mix);
    } else if (what < 63 && mix->task_count > 0) {
        mix_claim(mix);
    } else if (what < 67 && mix->task_count > 0) {
        mix_heartbeat(mix);
    } else if (what < 69 && mix->task_count > 0) {
        mix_close_task(mix);
    } else if (what < 71 && mix->task_count > 0) {
        mix_hand_over(mix);
    } else if (what < 75 && mix->task_count > 0) {
        mix_adopt(mix);
    } else if (what < 77) {
        mix_delete(mix);
    } else if (what < 85) {
        mix_put(mix);
    } else {
        mix_get(mix);
    }
    if (mix->session_count > 0) {
        pass_time(mix);
    }
}

void maker_mix(struct maker *maker, uint32_t steps)
{
    struct mix mix = {.maker = maker, .trees = maker_random(maker, 3) == 0};

    for (uint8_t i = 0; i < 5; i++) {
        mix.callers[i] = (struct maker_caller){
            .tenant = i < 2 ? "acme" : "umbrella", .worker = i, .root = i == 4};
        memset(&mix.request, 0, sizeof mix.request);
        maker_call(maker, &mix.callers[i], OP_client_register, &mix.request);
    }
    while (maker->history->count < steps) {
        step(&mix);
    }
}
