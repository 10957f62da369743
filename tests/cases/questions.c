/* The sweep changes no answer (docs/MODEL.md section 2): asks about everything that has a name
 * before and after a tick, at the same T. */
#include "tests/cases/machines.h"

#include <string.h>

static struct hash128 ask(struct scenario *scenario, const struct binding *binding,
                          enum op_number number, const union op_request *request)
{
    static uint8_t body[FSM_REPLY_MAX];
    static const struct siphash_key key = {{3}};
    struct fsm_read read = {.caller = {bytes_of_text(binding->tenant), bytes_of_text("service/app"),
                                       OP_ROLE_SERVICE, ID128_ZERO},
                            .number = number,
                            .request = request,
                            .clock = fsm_time(scenario->first.fsm)};
    struct fsm_reply reply;
    struct hash128 hash;

    if (machines_read(scenario, &read, body, &reply) != FSM_READ_ANSWERED) {
        return (struct hash128){1, 1};
    }
    hash = base_siphash128(&key, reply.body);
    hash.low ^= (uint64_t)reply.outcome;
    return hash;
}

static struct op_token token_of(const struct binding *binding)
{
    struct op_token token = {.incarnation = case_incarnation(), .id = binding->id};

    if (binding->kind == BOUND_FENCE) {
        token.epoch = binding->epoch;
        token.attempt = binding->attempt;
    }
    case_verifier(binding->id, binding->secret, token.verifier);
    return token;
}

static void ask_session(struct scenario *scenario, const struct binding *binding,
                        struct questions *questions)
{
    union op_request request;
    struct op_permission_check_request *check = &request.permission_check;

    memset(&request, 0, sizeof request);
    request.session_validate.user = bytes_of_text(binding->user);
    request.session_validate.token = token_of(binding);
    questions->answers[questions->count++] = ask(scenario, binding, OP_session_validate, &request);
    memset(&request, 0, sizeof request);
    check->user = bytes_of_text(binding->user);
    check->token = token_of(binding);
    check->permission = bytes_of_text("state:write");
    questions->answers[questions->count++] = ask(scenario, binding, OP_permission_check, &request);
    memset(&request, 0, sizeof request);
    request.grant_list.user = bytes_of_text(binding->user);
    request.grant_list.token = token_of(binding);
    questions->answers[questions->count++] = ask(scenario, binding, OP_grant_list, &request);
    memset(&request, 0, sizeof request);
    request.session_list.user = bytes_of_text(binding->user);
    questions->answers[questions->count++] = ask(scenario, binding, OP_session_list, &request);
    memset(&request, 0, sizeof request);
    request.session_children.user = bytes_of_text(binding->user);
    request.session_children.token = token_of(binding);
    questions->answers[questions->count++] = ask(scenario, binding, OP_session_children, &request);
    memset(&request, 0, sizeof request);
    request.task_list.user = bytes_of_text(binding->user);
    questions->answers[questions->count++] = ask(scenario, binding, OP_task_list, &request);
    memset(&request, 0, sizeof request);
    request.task_list.user = bytes_of_text(binding->user);
    request.task_list.has_token = true;
    request.task_list.token = token_of(binding);
    questions->answers[questions->count++] = ask(scenario, binding, OP_task_list, &request);
    memset(&request, 0, sizeof request);
    request.state_list.user = bytes_of_text(binding->user);
    request.state_list.has_token = true;
    request.state_list.token = token_of(binding);
    questions->answers[questions->count++] = ask(scenario, binding, OP_state_list, &request);
}

static void ask_fence(struct scenario *scenario, const struct binding *binding,
                      struct questions *questions)
{
    union op_request request;

    memset(&request, 0, sizeof request);
    request.state_get.user = bytes_of_text(binding->user);
    request.state_get.has_fence = true;
    request.state_get.fence = token_of(binding);
    request.state_get.key = bytes_of_text("k");
    questions->answers[questions->count++] = ask(scenario, binding, OP_state_get, &request);
    memset(&request, 0, sizeof request);
    request.state_list.user = bytes_of_text(binding->user);
    request.state_list.has_fence = true;
    request.state_list.fence = token_of(binding);
    questions->answers[questions->count++] = ask(scenario, binding, OP_state_list, &request);
}

void questions_ask(struct scenario *scenario, struct questions *ret_questions)
{
    ret_questions->count = 0;
    for (size_t i = 0; i < scenario->binding_count; i++) {
        const struct binding *binding = &scenario->bindings[i];

        if (binding->kind == BOUND_SESSION) {
            ask_session(scenario, binding, ret_questions);
        } else if (binding->kind == BOUND_FENCE) {
            ask_fence(scenario, binding, ret_questions);
        }
    }
}

void questions_compare(struct scenario *scenario, const struct questions *before)
{
    static struct questions after;
    const struct table *stones = scenario->first.fsm->tables[FSM_TOMBSTONES];

    if (table_count(stones) >= scenario->birth.limits.tombstones_max) {
        return; /* bounded by number: the oldest ones went, as the law says */
    }
    questions_ask(scenario, &after);
    for (size_t i = 0; i < before->count; i++) {
        if (!hash128_equal(before->answers[i], after.answers[i])) {
            case_broken(scenario, "the sweep changed answer %zu", i);
        }
    }
}
