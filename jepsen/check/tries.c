/* S9: a call that was told without its secret, SUPERSEDED, though it was the only one that ever had
 * it. Of several tries that are rows each, sweeps.c and the witness know.
 */
#include "jepsen/check/order.h"

/* The newest try of a number mints its secret anew while the session carries what the number made.
 * Who was never told it cannot have replaced it; so only a session that is forgotten, or one that
 * its task had created before (which has the epoch of then), may be told without. */
static bool superseded_by_nobody(const struct history *history, const struct event *event,
                                 const struct check_options *options)
{
    union op_reply reply;

    if (event->f != OP_session_create || event->outcome != OP_OK || !event->superseded ||
        event->ret_ns - event->call_ns > options->limits.tombstone_us * 500) {
        return false;
    }
    history_reply(history, event, &reply);
    return reply.session_create.epoch == event->position;
}

bool check_tries(const struct history *history, const struct order *order,
                 const struct check_options *options, struct check_verdict *verdict)
{
    for (uint32_t i = 0; i < order->numbered_count;) {
        const struct event *event = &history->events[order->numbered[i]];
        uint32_t end = i + 1;

        while (end < order->numbered_count &&
               history->events[order->numbered[end]].client == event->client &&
               history->events[order->numbered[end]].number == event->number) {
            end++;
        }
        if (end == i + 1 && superseded_by_nobody(history, event, options)) {
            return check_refuse(verdict, MODEL_S9, "superseded, and by nobody", order->numbered[i],
                                UINT32_MAX);
        }
        i = end;
    }
    return true;
}
