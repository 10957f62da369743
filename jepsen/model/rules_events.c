/* The law of events_read, as far as one answer alone shows it: docs/MODEL.md sections 2 and 7.
 * Which events an answer has to have is S10's, and judged from all answers together (jepsen/check).
 */
#include "jepsen/model/rules.h"

void expect_events_read(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_events_read_request *request = &ask->op->request->events_read;

    (void)model;
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
    expect_also(expect, OP_COMPACTED); /* whether anything is lost is S10's too */
}

void apply_events_read(struct model *model, const struct ask *ask,
                       const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}
