/* S4 in lists, from the answers alone: no deadline that a list shows as still to come had passed by
 * the leader's clock when it was answered (T6). Which items a list has is the witness's to judge.
 */
#include "jepsen/check/order.h"

#include "base/sat.h"

/* What is left of a deadline is 0 when it has passed, and otherwise reaches beyond the clock. */
static bool item_true(const struct event *event, const struct op_struct *s, const uint8_t *item)
{
    uint64_t waited = sat_sub(event->clock, event->time);

    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        const uint64_t *left = (const uint64_t *)(const void *)(item + field->offset);
        bool there = field->required || *(const bool *)(const void *)(item + field->has_offset);

        if (field->kind == OP_KIND_time_us && there && *left != 0 && *left <= waited) {
            return false;
        }
    }
    return true;
}

static bool lists_true(const struct history *history, const struct event *event)
{
    const struct op_struct *s = op_row_of_number(event->f)->reply;
    union op_reply reply;
    const uint8_t *value = (const uint8_t *)&reply;

    history_reply(history, event, &reply);
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        uint32_t count = field->kind != OP_KIND_list
                             ? 0
                             : *(const uint32_t *)(const void *)(value + field->count_offset);

        for (uint32_t k = 0; k < count; k++) {
            if (!item_true(event, field->item, value + field->offset + k * field->item->size)) {
                return false;
            }
        }
    }
    return true;
}

bool check_lists(const struct history *history, const struct order *order,
                 struct check_verdict *verdict)
{
    for (uint32_t i = 0; i < order->count; i++) {
        const struct event *event = &history->events[order->rows[i]];

        if (event->outcome == OP_OK && event->ret_ns != HISTORY_NEVER && !history_is_write(event) &&
            !lists_true(history, event)) {
            return check_refuse(verdict, MODEL_S4,
                                "a list shows a deadline as to come that the leader's clock passed",
                                order->rows[i], UINT32_MAX);
        }
    }
    return true;
}
