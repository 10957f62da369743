/* The fence law: docs/MODEL.md section 5, W1–W8 (W9 and the order of report are in rules_task.c).
 *
 * All rules are evaluated, none hides another.
 */
#include "jepsen/model/state.h"

/* W4, W3, W5, W6, W1, W8, W7: the order of report. */
static const unsigned headline_order[] = {4, 3, 5, 6, 1, 8, 7};

uint64_t fence_headline(uint64_t failed)
{
    for (size_t i = 0; i < sizeof headline_order / sizeof headline_order[0]; i++) {
        if (failed & (1ULL << headline_order[i])) {
            return headline_order[i];
        }
    }
    return 0;
}

static bool alive(struct model *model, uint32_t session, uint64_t time)
{
    uint64_t also;

    return life_of(model, &model->sessions[session], time, &also) == 0;
}

bool fence_known(struct model *model, const struct task *task, const struct op_token *token)
{
    uint32_t secret = state_secret(model, token);

    if (state_id(model, token->incarnation) != task->incarnation) {
        return false;
    }
    if (model->mutation == MODEL_MUTATION_SECRET_IGNORED) {
        return true;
    }
    for (size_t i = 0; i < ATTEMPTS_KEPT; i++) {
        if (task->attempts[i].position != 0 &&
            (task->attempts[i].secret == secret || task->attempts[i].older == secret)) {
            return true;
        }
    }
    return false;
}

static bool is_target(const struct task *task, uint32_t session)
{
    for (uint32_t i = 0; i < task->target_count; i++) {
        if (task->targets[i] == session) {
            return true;
        }
    }
    return false;
}

static bool w1_holds(struct model *model, const struct task *task, const struct op_token *token)
{
    return task->claimed && life_closed(model, task) == 0 &&
           token->attempt == task->attempts[0].position &&
           (state_secret(model, token) == task->attempts[0].secret ||
            state_secret(model, token) == task->attempts[0].older);
}

static bool w3_holds(struct model *model, const struct task *task, uint32_t target, uint64_t time)
{
    return (target == 0 || alive(model, target, time)) &&
           (task->outlives || alive(model, task->session, time));
}

static bool w4_holds(const struct model *model, const struct task *task, uint32_t target)
{
    return target == 0 || target == task->session || model->sessions[target].epoch < task->epoch;
}

static bool w5_holds(const struct task *task, uint32_t target)
{
    return target == 0 || target == task->session || is_target(task, target) || task->outlives;
}

static bool w6_holds(const struct model *model, const struct task *task)
{
    const struct session *own = &model->sessions[task->session];

    for (uint32_t i = 0; i < task->left_count; i++) {
        if (model->sessions[task->left[i]].own_newest > task->epoch &&
            model->mutation != MODEL_MUTATION_LINEAGE_FORGOTTEN) {
            return false;
        }
    }
    return life_watermark(model, own) <= task->epoch &&
           !model->sessions[life_root(model, task->session)].compromised;
}

static bool w7_holds(struct model *model, const struct task *task, uint32_t target, uint32_t needs,
                     uint64_t time)
{
    const struct session *session = &model->sessions[target];
    const struct grant *theirs;

    if (needs == 0 || model->mutation == MODEL_MUTATION_PERMISSION_IGNORED) {
        return true;
    }
    if (life_copy(model, task, needs, time) == NULL) {
        return false;
    }
    if (target == 0 || target == task->session) {
        return true;
    }
    theirs = life_holds(model, session, needs, time);
    return theirs != NULL && (session->epoch >= task->epoch || theirs->given < task->epoch ||
                              model->mutation == MODEL_MUTATION_G_IGNORED);
}

static bool w8_holds(const struct model *model, const struct task *task, uint64_t time)
{
    return (!life_passed(model, task->lease, time) ||
            model->mutation == MODEL_MUTATION_LEASE_IGNORED) &&
           !life_passed(model, task->deadline, time);
}

uint64_t fence_failed(struct model *model, const struct task *task, const struct op_token *token,
                      uint32_t target, uint32_t needs, uint64_t time)
{
    bool holds[9] = {
        [0] = true,
        [1] = w1_holds(model, task, token),
        [2] = true, /* who breaks it learns nothing: NOT_FOUND */
        [3] = w3_holds(model, task, target, time),
        [4] = w4_holds(model, task, target),
        [5] = w5_holds(task, target),
        [6] = w6_holds(model, task),
        [7] = w7_holds(model, task, target, needs, time),
        [8] = w8_holds(model, task, time),
    };
    uint64_t failed = 0;

    for (unsigned rule = 1; rule <= 8; rule++) {
        if (!holds[rule] && (unsigned)model->mutation != (unsigned)MODEL_MUTATION_W1 + rule - 1) {
            failed |= 1ULL << rule;
        }
    }
    return failed;
}
