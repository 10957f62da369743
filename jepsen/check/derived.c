/* Derived values: one for each session and label, for ever, and none for two of them (section 4).
 * Does not ask whether the session lived: that is the witness's.
 */
#include "jepsen/check/order.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct derived {
    struct id128 session;
    struct bytes label, value; /* borrowed from the history's names */
    uint32_t row;
};

static int compare_bytes(struct bytes a, struct bytes b)
{
    if (a.size != b.size) {
        return a.size < b.size ? -1 : 1;
    }
    return a.size == 0 ? 0 : memcmp(a.data, b.data, a.size);
}

static int compare_owner(const struct derived *x, const struct derived *y)
{
    int order = memcmp(&x->session, &y->session, sizeof x->session);

    return order != 0 ? order : compare_bytes(x->label, y->label);
}

static int by_owner(const void *a, const void *b)
{
    const struct derived *x = a, *y = b;
    int order = compare_owner(x, y);

    return order != 0 ? order : (x->row > y->row) - (x->row < y->row);
}

static int by_value(const void *a, const void *b)
{
    const struct derived *x = a, *y = b;
    int order = compare_bytes(x->value, y->value);

    return order != 0 ? order : by_owner(a, b);
}

/* All that were told, owned by the caller. */
static struct derived *gather(const struct history *history, const struct order *order,
                              uint32_t *ret_count)
{
    struct derived *all = NULL;
    uint32_t count = 0, capacity = 0;

    for (uint32_t i = 0; i < order->count; i++) {
        const struct event *event = &history->events[order->rows[i]];
        union op_request request;
        union op_reply reply;

        if (event->f != OP_session_derive || event->outcome != OP_OK) {
            continue;
        }
        if (count == capacity) {
            capacity = capacity == 0 ? 64 : 2 * capacity;
            all = realloc(all, capacity * sizeof *all);
            ASSERT(all != NULL);
        }
        history_request(history, event, &request);
        history_reply(history, event, &reply);
        all[count++] = (struct derived){.session = request.session_derive.token.id,
                                        .label = request.session_derive.label,
                                        .value = reply.session_derive.value,
                                        .row = order->rows[i]};
    }
    *ret_count = count;
    return all;
}

bool check_derived(const struct history *history, const struct order *order,
                   const struct check_options *options, struct check_verdict *verdict)
{
    uint32_t count;
    struct derived *all = gather(history, order, &count);
    bool good = true;

    (void)options;
    if (count > 1) {
        qsort(all, count, sizeof *all, by_owner);
    }
    for (uint32_t i = 1; good && i < count; i++) {
        good = compare_owner(&all[i - 1], &all[i]) != 0 ||
               compare_bytes(all[i - 1].value, all[i].value) == 0 ||
               check_refuse(verdict, MODEL_S1, "one session and label have two derived values",
                            all[i - 1].row, all[i].row);
    }
    if (good && count > 1) {
        qsort(all, count, sizeof *all, by_value);
    }
    for (uint32_t i = 1; good && i < count; i++) {
        good = compare_bytes(all[i - 1].value, all[i].value) != 0 ||
               compare_owner(&all[i - 1], &all[i]) == 0 ||
               check_refuse(verdict, MODEL_S1, "a derived value belongs to two sessions or labels",
                            all[i - 1].row, all[i].row);
    }
    free(all);
    return good;
}
