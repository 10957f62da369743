/* The alert at the sixth denial of one certificate and user within the window (docs/MODEL.md
 * section 4), against who was told NOT_FOUND: none without six, none twice in a window, and none
 * missing where one leader led all the time.
 */
#include "jepsen/check/told.h"

#include "base/sat.h"

#include <stdlib.h>

enum { ALERT_AT = 6 };

/* So long a client has to wait for its next command to stand behind the DENIALS that counts its
 * last denial. */
#define GATHERED_NS 110000000ULL

struct denied {
    uint32_t tenant, name, user;
    uint32_t row;
};

static struct denied denied_of(const struct events *events, uint32_t row)
{
    const struct history *history = events->history;
    const struct event *event = &history->events[row];
    struct history_caller caller = history_caller_of(history, event);
    const struct op_field *user = op_field_named(op_row_of_number(event->f)->request, "user");
    union op_request request;

    history_request(history, event, &request);
    return (struct denied){
        .tenant = model_names_number(history->names, caller.tenant),
        .name = model_names_number(history->names, caller.certificate),
        .user = user == NULL
                    ? 0
                    : model_names_number(history->names,
                                         *(const struct bytes *)(const void *)((uint8_t *)&request +
                                                                               user->offset)),
        .row = row};
}

/* Each try may have been denied, and one whose answer is not known. */
static bool maybe_denied(const struct event *event)
{
    return event->outcome == OP_NOT_FOUND || !history_definite(event);
}

/* Of the caller's own tenant by its user; an owner is told of others, whoever they act for. */
static bool concerns(const struct told *alert, const struct denied *denied)
{
    return denied->name == alert->name &&
           (denied->tenant != alert->tenant || denied->user == alert->user);
}

static bool enough(const struct events *events, const struct told *alert)
{
    uint64_t count = 0;

    for (uint32_t row = 0; row < events->history->count && count < ALERT_AT; row++) {
        const struct event *event = &events->history->events[row];

        if (maybe_denied(event)) {
            struct denied denied = denied_of(events, row);

            count += concerns(alert, &denied) ? u64_max(event->attempt, 1) : 0;
        }
    }
    return count >= ALERT_AT ||
           told_refuse(events, "an alert without six denials", alert->row, UINT32_MAX);
}

/* Is there a certificate of that name in another tenant? Then it may have been the other's. */
static bool elsewhere(const struct events *events, const struct told *alert)
{
    for (uint32_t row = 0; row < events->history->count; row++) {
        struct history_caller caller = history_caller_of(events->history,
                                                         &events->history->events[row]);

        if (model_names_number(events->history->names, caller.certificate) == alert->name &&
            model_names_number(events->history->names, caller.tenant) != alert->tenant) {
            return true;
        }
    }
    return false;
}

static bool once(const struct events *events, uint32_t which)
{
    const struct told *alert = &events->told[which];

    for (uint32_t i = which + 1; i < events->told_count; i++) {
        const struct told *next = &events->told[i];

        if (next->kind == OP_EVENT_KIND_FOREIGN_ACCESS && next->tenant == alert->tenant &&
            next->name == alert->name && next->user == alert->user) {
            return next->time >= sat_add(alert->time, events->options->limits.denial_window_us) ||
                   elsewhere(events, alert) ||
                   told_refuse(events, "two alerts within one window", alert->row, next->row);
        }
    }
    return true;
}

/* ---- what was not told ---- */

static bool alerted(const struct events *events, const struct denied *denied, uint64_t since,
                    struct place to)
{
    for (uint32_t i = 0; i < events->told_count; i++) {
        const struct told *told = &events->told[i];

        if (told->kind == OP_EVENT_KIND_FOREIGN_ACCESS && told->tenant == denied->tenant &&
            told->name == denied->name && told->user == denied->user && told->time >= since &&
            told_compare(told->place, to) <= 0) {
            return true;
        }
    }
    return false;
}

/* The row at which the sixth was denied, as far as clients saw; UINT32_MAX: no six of one term. A
 * command's answer may be a repetition, which is not counted again. */
static uint32_t sixth_from(const struct events *events, uint32_t at, const struct denied *first)
{
    const struct event *from = &events->history->events[first->row];
    uint32_t count = 1;

    for (uint32_t i = at + 1; i < events->order->count; i++) {
        uint32_t row = events->order->rows[i];
        const struct event *event = &events->history->events[row];
        struct denied denied;

        if (event->term != from->term ||
            event->time >= sat_add(from->time, events->options->limits.denial_window_us)) {
            return UINT32_MAX;
        }
        if (event->outcome != OP_NOT_FOUND || history_is_write(event) || event->attempt > 1) {
            continue;
        }
        denied = denied_of(events, row);
        count += denied.tenant == first->tenant && denied.name == first->name &&
                 denied.user == first->user;
        if (count == ALERT_AT) {
            return row;
        }
    }
    return UINT32_MAX;
}

/* The position of a command of the same leader, applied before T reached `until`, that was asked
 * for so late that DENIALS stands before it; 0: nobody saw one. */
static uint64_t counted_by(const struct events *events, const struct event *sixth, uint64_t until)
{
    for (uint32_t i = 0; i < events->order->count; i++) {
        const struct event *event = &events->history->events[events->order->rows[i]];

        if (event->term == sixth->term && event->outcome == OP_OK && history_is_write(event) &&
            event->attempt == 1 && event->position > sixth->position && event->time < until &&
            event->call_ns >= sat_add(sixth->ret_ns, GATHERED_NS)) {
            return event->position;
        }
    }
    return 0;
}

/* The first page that reaches the newest event at that position or later. */
static const struct page *page_at(const struct events *events, uint32_t tenant, uint64_t position)
{
    for (uint32_t i = 0; i < events->page_count; i++) {
        const struct page *page = &events->pages[i];

        if (page->tenant == tenant && page->to.k == UINT64_MAX && page->to.position >= position) {
            return page;
        }
    }
    return NULL;
}

/* The last event that was told of a time before that, or the very first: from there on an alert
 * that kept this one back would be told. UINT32_MAX: nobody was told so much. */
static uint32_t told_since(const struct events *events, uint32_t tenant, uint64_t time)
{
    uint32_t first = told_behind(events, tenant, (struct place){0, 0}), at = first;

    while (at < events->told_count && events->told[at].tenant == tenant &&
           events->told[at].time < time) {
        at++;
    }
    if (at > first) {
        return at - 1;
    }
    return at < events->told_count && events->told[at].tenant == tenant &&
                   events->told[at].number == 1
               ? at
               : UINT32_MAX;
}

static bool told_sixth(const struct events *events, const struct denied *first, uint32_t sixth)
{
    const struct event *event = &events->history->events[sixth];
    uint64_t window = events->options->limits.denial_window_us;
    uint64_t counted = counted_by(events, event,
                                  sat_add(events->history->events[first->row].time, window));
    const struct page *page = counted == 0 ? NULL : page_at(events, first->tenant, counted);
    uint64_t since = sat_sub(event->time, window);
    uint32_t from = told_since(events, first->tenant, since);

    if (page == NULL || from == UINT32_MAX || !told_wholly(events, from, page)) {
        return true;
    }
    return alerted(events, first, since, page->to) ||
           told_refuse(events, "six denials within the window, and no alert", sixth, page->row);
}

static bool none_missing(const struct events *events)
{
    for (uint32_t i = 0; i < events->order->count; i++) {
        uint32_t row = events->order->rows[i], sixth;
        const struct event *event = &events->history->events[row];
        struct denied first;

        if (event->outcome != OP_NOT_FOUND || history_is_write(event) || event->attempt > 1) {
            continue;
        }
        first = denied_of(events, row);
        sixth = sixth_from(events, i, &first);
        if (sixth != UINT32_MAX && !told_sixth(events, &first, sixth)) {
            return false;
        }
    }
    return true;
}

bool check_alerts(const struct events *events)
{
    for (uint32_t i = 0; i < events->told_count; i++) {
        if (events->told[i].kind == OP_EVENT_KIND_FOREIGN_ACCESS &&
            !(enough(events, &events->told[i]) && once(events, i))) {
            return false;
        }
    }
    return events->options->timeless_count > 0 || none_missing(events);
}
