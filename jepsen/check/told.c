/* What events_read told, page by page: each page in itself, and all against one another (S10). What
 * was done beside it is events.c's to compare.
 */
#include "jepsen/check/told.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/sat.h"

#include <stdlib.h>

bool told_refuse(const struct events *events, const char *rule, uint32_t first, uint32_t second)
{
    return check_refuse(events->verdict, MODEL_S10, rule, first, second);
}

int told_compare(struct place a, struct place b)
{
    if (a.position != b.position) {
        return a.position < b.position ? -1 : 1;
    }
    return (a.k > b.k) - (a.k < b.k);
}

static int by_place(const void *a, const void *b)
{
    const struct told *x = a, *y = b;
    int place;

    if (x->tenant != y->tenant) {
        return x->tenant < y->tenant ? -1 : 1;
    }
    place = told_compare(x->place, y->place);
    return place != 0 ? place : (x->row > y->row) - (x->row < y->row);
}

uint32_t told_tenant(const struct events *events, const struct event *event)
{
    return model_names_number(events->history->names,
                              history_caller_of(events->history, event).tenant);
}

static uint64_t number_of_text(const struct history *history, struct bytes text)
{
    return text.size == 0 ? 0 : model_names_number(history->names, text) + 1ULL;
}

static uint64_t number_of_id(const struct history *history, struct id128 id)
{
    return id128_is_zero(id) ? 0 : number_of_text(history, bytes_of(id.bytes, sizeof id.bytes));
}

uint64_t told_number(const struct history *history, const struct op_struct *s, const void *value,
                     const char *name)
{
    const struct op_field *field = op_field_named(s, name);
    const void *at;

    if (field == NULL || (!field->required && !*((const bool *)value + field->has_offset))) {
        return 0;
    }
    at = (const uint8_t *)value + field->offset;
    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        return *(const uint64_t *)at;
    case OP_KIND_id:
        return number_of_id(history, *(const struct id128 *)at);
    case OP_KIND_token:
        return number_of_id(history, ((const struct op_token *)at)->id);
    case OP_KIND_text:
        return number_of_text(history, *(const struct bytes *)at);
    case OP_KIND_boolean:
    case OP_KIND_enumeration:
    case OP_KIND_blob:
    case OP_KIND_list:
        break;
    }
    UNREACHABLE("no event says such a field");
}

static const struct op_struct *item_struct(void)
{
    return op_field_named(op_row_of_number(OP_events_read)->reply, "events")->item;
}

static uint64_t hash_of(const struct op_item_event *item)
{
    static const struct siphash_key key = {{10}};
    uint8_t image[1024];
    struct base_writer writer;

    base_writer_init(&writer, image, sizeof image);
    op_store(&writer, item_struct(), item, OP_STORE_ALL);
    ASSERT(!writer.failed);
    return base_siphash64(&key, base_written(&writer));
}

static void add_told(struct events *events, const struct page *page,
                     const struct op_item_event *item)
{
    static const char *const names[TOLD_FIELDS] = {
        [TOLD_USER] = "user",       [TOLD_NAME] = "name",       [TOLD_BY] = "by",
        [TOLD_SESSION] = "session", [TOLD_TASK] = "task",       [TOLD_PARENT] = "parent",
        [TOLD_EPOCH] = "epoch",     [TOLD_ATTEMPT] = "attempt", [TOLD_GIVEN] = "given"};
    struct told *told;

    events->told = model_names_grow_raw(events->told, &events->told_capacity,
                                        events->told_count + 1, sizeof *events->told);
    events->told[events->told_count++] = (struct told){
        .tenant = page->tenant,
        .row = page->row,
        .place = {item->position, item->k},
        .number = item->number,
        .hash = hash_of(item),
        .kind = item->kind,
        .cause = item->has_cause ? item->cause : 0,
        .user = model_names_number(events->history->names,
                                   item->has_user ? item->user : BYTES_NONE),
        .name = model_names_number(events->history->names,
                                   item->has_name ? item->name : BYTES_NONE),
        .session = item->has_session ? item->session : ID128_ZERO,
        .task = item->has_task ? item->task : ID128_ZERO,
        .time = item->time,
        .ended = item->has_ended ? item->ended : 0,
        .lifetime = item->has_lifetime ? item->lifetime : 0};
    told = &events->told[events->told_count - 1];
    for (size_t i = 0; i < TOLD_FIELDS; i++) {
        told->said[i] = told_number(events->history, item_struct(), item, names[i]);
    }
}

/* ---- one page ---- */

static struct page page_of(const struct events *events, uint32_t row,
                           const struct op_events_read_request *request,
                           const struct op_events_read_reply *reply)
{
    const struct event *event = &events->history->events[row];
    struct page page = {.tenant = told_tenant(events, event),
                        .row = row,
                        .count = reply->events_count,
                        .to = {event->position, UINT64_MAX}};

    if (request->has_after) {
        page.from = (struct place){request->after, request->has_k ? request->k : UINT64_MAX};
    }
    if (page.count > 0) {
        page.first = reply->events[0].number;
        page.last = reply->events[page.count - 1].number;
    }
    if (reply->more) {
        page.to = (struct place){reply->next, reply->k};
    }
    return page;
}

static bool check_items(const struct events *events, const struct page *page,
                        const struct op_events_read_reply *reply)
{
    const struct event *event = &events->history->events[page->row];
    struct place last = page->from;

    for (uint32_t i = 0; i < reply->events_count; i++) {
        const struct op_item_event *item = &reply->events[i];
        struct place place = {item->position, item->k};

        if (told_compare(place, last) <= 0) {
            return told_refuse(events, "events out of order, or not behind the place asked about",
                               page->row, UINT32_MAX);
        }
        if (i > 0 && item->number != reply->events[i - 1].number + 1) {
            return told_refuse(events, "a gap between the numbers of two events", page->row,
                               UINT32_MAX);
        }
        if (item->position > event->position || item->time > event->time) {
            return told_refuse(events, "an event that lies behind its answer", page->row,
                               UINT32_MAX);
        }
        last = place;
    }
    if (page->count > 0 && page->from.position == 0 && page->first != 1) {
        return told_refuse(events, "from the first on, and the first is left out", page->row,
                           UINT32_MAX);
    }
    if (told_compare((struct place){reply->next, reply->k}, last) != 0 ||
        (reply->more && page->count == 0)) {
        return told_refuse(events, "the place to go on from is not that of the last event",
                           page->row, UINT32_MAX);
    }
    return true;
}

static bool add_page(struct events *events, uint32_t row)
{
    const struct event *event = &events->history->events[row];
    static union op_request request;
    static union op_reply reply;
    struct page page;

    history_request(events->history, event, &request);
    history_reply(events->history, event, &reply);
    page = page_of(events, row, &request.events_read, &reply.events_read);
    if (request.events_read.has_origin &&
        !id128_equal(request.events_read.origin, reply.events_read.origin)) {
        return told_refuse(events, "events of another incarnation than the place's, unsaid", row,
                           UINT32_MAX);
    }
    if (!check_items(events, &page, &reply.events_read)) {
        return false;
    }
    for (uint32_t i = 0; i < page.count; i++) {
        add_told(events, &page, &reply.events_read.events[i]);
    }
    events->pages = model_names_grow_raw(events->pages, &events->page_capacity,
                                         events->page_count + 1, sizeof *events->pages);
    events->pages[events->page_count++] = page;
    return true;
}

/* How many events one row may have come to at most: what its command did, the death of what was
 * created there, that what was begun or adopted there became an orphan, and one that is another
 * row's by an adoption. Or alerts, of which six denials make two; each try may have been denied. */
static uint64_t most_of(const struct event *event)
{
    const uint64_t of_a_command = 4, of_a_denial = 2;
    enum op_class class = op_outcome_class(event->outcome);
    uint64_t did = history_is_write(event) && class != OP_CLASS_REFUSED ? of_a_command : 0;

    return did + (class != OP_CLASS_DONE ? of_a_denial : 0);
}

/* ... and of rows whose position nobody knows. */
static uint64_t most_anywhere(const struct history *history)
{
    uint64_t most = 0;

    for (uint32_t row = 0; row < history->count; row++) {
        most += history->events[row].position == 0 ? most_of(&history->events[row]) : 0;
    }
    return most;
}

/* What is said to be lost lies behind the place asked about, and so many events that some had to go
 * there may be; and of what incarnation is true. `most`: as many may have been told until then. */
static bool check_refusal(const struct events *events, uint32_t row, uint64_t most)
{
    const struct op_limits *limits = &events->options->limits;
    const struct event *event = &events->history->events[row];
    struct place from = {0, 0}, oldest;
    union op_request request;
    struct op_details details;

    history_request(events->history, event, &request);
    history_details(events->history, event, &details);
    if (event->outcome == OP_OTHER_INCARNATION) {
        return (request.events_read.has_origin && details.has_origin &&
                !id128_equal(request.events_read.origin, details.origin)) ||
               told_refuse(events, "another incarnation, and it is the same", row, UINT32_MAX);
    }
    if (event->outcome != OP_COMPACTED) {
        return true;
    }
    if (most <= u64_min(limits->tenant_events_max, limits->events_max)) {
        return told_refuse(events, "COMPACTED, and there is room for all that was told", row,
                           UINT32_MAX);
    }
    if (request.events_read.has_after) {
        from = (struct place){request.events_read.after,
                              request.events_read.has_k ? request.events_read.k : UINT64_MAX};
    }
    oldest = (struct place){details.oldest_position, details.oldest_k};
    return (details.has_oldest_position && details.has_oldest_k && told_compare(from, oldest) < 0 &&
            oldest.position <= event->position) ||
           told_refuse(events, "COMPACTED, and nothing behind that place is lost", row, UINT32_MAX);
}

static bool collect_pages(struct events *events)
{
    uint64_t most = most_anywhere(events->history);

    for (uint32_t i = 0; i < events->order->count; i++) {
        uint32_t row = events->order->rows[i];
        const struct event *event = &events->history->events[row];

        most += most_of(event);
        if (event->f != OP_events_read || !history_definite(event)) {
            continue;
        }
        if (event->outcome == OP_OK ? !add_page(events, row) : !check_refusal(events, row, most)) {
            return false;
        }
    }
    return true;
}

/* ---- pages against one another ---- */

/* Each place once, as it was told first. */
static bool agree(struct events *events)
{
    uint32_t kept = 0;

    if (events->told_count > 0) {
        qsort(events->told, events->told_count, sizeof *events->told, by_place);
    }
    for (uint32_t i = 0; i < events->told_count; i++) {
        struct told *before = kept == 0 ? NULL : &events->told[kept - 1];
        const struct told *now = &events->told[i];

        if (before != NULL && before->tenant == now->tenant &&
            told_compare(before->place, now->place) == 0) {
            if (before->hash != now->hash) {
                return told_refuse(events, "two answers tell one event differently", before->row,
                                   now->row);
            }
            continue;
        }
        if (before != NULL && before->tenant == now->tenant && before->number >= now->number) {
            return told_refuse(events, "a later event has no higher number", before->row, now->row);
        }
        events->told[kept++] = *now;
    }
    events->told_count = kept;
    return true;
}

/* The first told event of the tenant behind that place. */
uint32_t told_behind(const struct events *events, uint32_t tenant, struct place place)
{
    uint32_t from = 0, to = events->told_count;

    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        const struct told *told = &events->told[middle];

        if (told->tenant > tenant ||
            (told->tenant == tenant && told_compare(told->place, place) > 0)) {
            to = middle;
        } else {
            from = middle + 1;
        }
    }
    return from;
}

const struct told *told_at(const struct events *events, uint32_t tenant, struct place place)
{
    uint32_t i = told_behind(events, tenant, place);
    const struct told *told = i == 0 ? NULL : &events->told[i - 1];

    return told != NULL && told->tenant == tenant && told_compare(told->place, place) == 0 ? told
                                                                                           : NULL;
}

static bool complete(const struct events *events, const struct page *page)
{
    uint32_t from = told_behind(events, page->tenant, page->from);
    uint32_t to = told_behind(events, page->tenant, page->to);
    const struct told *before = told_at(events, page->tenant, page->from);

    if (to - from != page->count) {
        uint32_t other = from;

        while (other + 1 < to && events->told[other].row == page->row) {
            other++;
        }
        return told_refuse(events, "an event is left out that another answer tells", page->row,
                           events->told[other].row);
    }
    return before == NULL || page->count == 0 || before->number + 1 == page->first ||
           told_refuse(events, "a gap behind the place asked about", before->row, page->row);
}

/* An empty page says nothing of the time before the place that it was asked from: is that joined to
 * an event by one of the pages before? */
static bool joins(const struct events *events, uint32_t which)
{
    enum { LOOKED_AT = 64 };
    const struct page *page = &events->pages[which];
    bool joined = page->count > 0;

    for (uint32_t back = 1; !joined && back <= which && back <= LOOKED_AT; back++) {
        const struct page *before = &events->pages[which - back];

        joined = before->tenant == page->tenant && before->joined &&
                 told_compare(before->to, page->from) >= 0;
    }
    return joined;
}

bool told_collect(struct events *events)
{
    bool good = collect_pages(events) && agree(events);

    for (uint32_t i = 0; good && i < events->page_count; i++) {
        good = complete(events, &events->pages[i]);
        events->pages[i].joined = joins(events, i);
    }
    return good;
}

/* How long the sweep may take under one leader. */
#define OWED_NS 5000000000ULL

const struct page *told_late(const struct events *events, uint32_t tenant, uint32_t term,
                             uint64_t since_ns)
{
    for (uint32_t i = 0; i < events->page_count; i++) {
        const struct page *page = &events->pages[i];
        const struct event *event = &events->history->events[page->row];

        if (page->tenant == tenant && page->to.k == UINT64_MAX && event->term == term &&
            event->call_ns >= sat_add(since_ns, OWED_NS)) {
            return page;
        }
    }
    return NULL;
}

bool told_wholly(const struct events *events, uint32_t from, const struct page *page)
{
    uint32_t last = told_behind(events, page->tenant, page->to);

    return page->joined && last > from &&
           last - 1 - from == events->told[last - 1].number - events->told[from].number;
}
