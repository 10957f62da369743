/* Inside jepsen/check: what all answers of events_read told, put together. */
#ifndef JEPSEN_CHECK_TOLD_H
#define JEPSEN_CHECK_TOLD_H

#include "jepsen/check/facts.h"

struct place {
    uint64_t position, k;
};

/* What an event says beside its kind. */
enum told_field {
    TOLD_USER,
    TOLD_NAME,
    TOLD_BY,
    TOLD_SESSION,
    TOLD_TASK,
    TOLD_PARENT,
    TOLD_EPOCH,
    TOLD_ATTEMPT,
    TOLD_GIVEN,
    TOLD_FIELDS
};

/* One event, as it was told first. */
struct told {
    uint32_t tenant, row;
    struct place place;
    uint64_t number, hash;
    uint32_t kind, cause, user, name; /* the last two: numbers of names */
    struct id128 session, task;
    uint64_t time, ended, lifetime;
    uint64_t said[TOLD_FIELDS]; /* see told_number; 0: nothing */
};

/* One page: it tells all of (from, to]. */
struct page {
    uint32_t tenant, row, count;
    struct place from, to;
    uint64_t first, last; /* numbers; of one that is empty nothing */
    bool joined;          /* it, or pages up to it, tell all since some event */
};

struct events {
    const struct history *history;
    const struct order *order;
    const struct check_options *options;
    struct check_verdict *verdict;
    struct facts facts;
    struct told *told; /* by tenant and place, each once */
    uint32_t told_count, told_capacity;
    struct page *pages;
    uint32_t page_count, page_capacity;
    uint32_t *ends; /* by session of the facts: one above the told that is its end, 0: none */
};

int told_compare(struct place a, struct place b);
/* Breaks S10; returns false, for callers' returns. */
bool told_refuse(const struct events *events, const char *rule, uint32_t first, uint32_t second);
/* A number that equal values share, of the field of that name of a request, reply or event: a
 * token counts by its id. 0: it is not there, or nothing. */
uint64_t told_number(const struct history *history, const struct op_struct *s, const void *value,
                     const char *name);
uint32_t told_tenant(const struct events *events, const struct event *event);
/* Fills `told` and `pages`: each page in order and without a gap, no two against each other. */
bool told_collect(struct events *events);
/* The first told event of the tenant behind that place. */
uint32_t told_behind(const struct events *events, uint32_t tenant, struct place place);
/* The first page of the tenant that reaches its newest event, of that term, and that was asked for
 * some seconds behind `since_ns`; NULL: none. What the sweep owes is in there. */
const struct page *told_late(const struct events *events, uint32_t tenant, uint32_t term,
                             uint64_t since_ns);
/* Is everything told from that event to the end of that page? */
bool told_wholly(const struct events *events, uint32_t from, const struct page *page);
/* NULL: nobody told that place. */
const struct told *told_at(const struct events *events, uint32_t tenant, struct place place);

/* ---- alerts.c ---- */
bool check_alerts(const struct events *events);

#endif
