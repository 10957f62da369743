/* The law of events_read, as far as one answer alone shows it: docs/MODEL.md sections 2 and 7.
 * Which events an answer has to have is S10's, and judged from all answers together (jepsen/check).
 */
#include "jepsen/model/rules.h"

#include "op/denials.h"

/* Of a position are told what its command did, the death of what was created there, and that what
 * was begun or adopted there became an orphan. Or it is a DENIALS, of which each row may be told to
 * a tenant once, and to two tenants. */
enum {
    TENANT_EVENTS_A_POSITION = 4 + OP_DENIALS_MAX,
    EVENTS_A_POSITION = 4 + 2 * OP_DENIALS_MAX,
};

static bool may_be_lost(const struct model *model, const struct ask *ask)
{
    return ask->op->position >= u64_min(model->limits.tenant_events_max / TENANT_EVENTS_A_POSITION,
                                        model->limits.events_max / EVENTS_A_POSITION);
}

void expect_events_read(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_events_read_request *request = &ask->op->request->events_read;

    if (request->has_max && (request->max == 0 || request->max > OP_MAX_event)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "no page is so long");
        return;
    }
    expect->free_tags = UINT64_MAX;
    if (request->has_origin) {
        expect_also(expect, OP_OTHER_INCARNATION);
    }
    if (request->has_after && request->after > ask->op->position) {
        expect_refusal(expect, OP_INVALID, MODEL_S10, "nobody was told that place yet");
        if (request->has_origin) {
            expect_also(expect, OP_OTHER_INCARNATION);
        }
        return;
    }
    if (may_be_lost(model, ask)) {
        expect_also(expect, OP_COMPACTED);
    }
}

void apply_events_read(struct model *model, const struct ask *ask,
                       const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}
