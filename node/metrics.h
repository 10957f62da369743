/* Counters, gauges and histograms of one node, and their exposition as Prometheus text.
 *
 * Pure: knows no node, no clock and no port. Who counts what is node/observe.c's; the names are
 * metrics.def's. One array of 64-bit values, owned by the loop; nothing is taken from the heap
 * after the start.
 */
#ifndef NODE_METRICS_H
#define NODE_METRICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "node/metrics.def"
#include "raftlog/raftlog.h"

#define NODE_METRIC_ID_(id, ...) METRIC_##id,
enum node_metric { NODE_METRICS(NODE_METRIC_ID_) METRIC_COUNT };
#undef NODE_METRIC_ID_

/* Checks of /readyz: CHECK(id, name). */
#define NODE_CHECKS(CHECK)                                                                         \
    CHECK(RUNNING, "running")                                                                      \
    CHECK(VOTER, "voter")                                                                          \
    CHECK(QUORUM, "quorum")                                                                        \
    CHECK(CLOCK, "clock")                                                                          \
    CHECK(DISK, "disk")
#define NODE_CHECK_ID_(id, name) CHECK_##id,
enum node_check { NODE_CHECKS(NODE_CHECK_ID_) CHECK_COUNT };
#undef NODE_CHECK_ID_
const char *node_check_name(enum node_check check);

/* Why the sweep got nowhere: ERROR(ID, label). */
#define NODE_CLEANUP_ERRORS(ERROR)                                                                 \
    ERROR(NO_TIME, "no_time")             /* the leader has no clock, or collects them */          \
    ERROR(NO_SPACE, "no_space")           /* its log waits for space on its disk */                \
    ERROR(NOT_COMMITTED, "not_committed") /* proposed, and no majority holds it */                 \
    ERROR(LOG_BUSY, "log_busy")           /* the log takes no more, or is being handed over */     \
    ERROR(LEADERSHIP_LOST, "leadership_lost")
#define NODE_CLEANUP_ERROR_(id, label) CLEANUP_##id,
enum node_cleanup_error { NODE_CLEANUP_ERRORS(NODE_CLEANUP_ERROR_) CLEANUP_ERRORS };
#undef NODE_CLEANUP_ERROR_

/* Where a metric's values are: a_count times b_count series of `width` values. */
struct node_metric_place {
    size_t first;
    size_t width;
    size_t a_count;
    size_t b_count;
};

struct node_metrics {
    uint64_t *values;
    struct node_metric_place places[METRIC_COUNT];
    bool aliases; /* are shown as well */
    size_t member_count;
    uint64_t members[RLOG_MEMBERS_MAX]; /* ids, for the label */
};

/* False when out of memory. */
bool node_metrics_init(struct node_metrics *metrics);
void node_metrics_done(struct node_metrics *metrics);

/* `a` and `b` are indexes on the metric's axes, 0 where it has none: an operation's place among
 * op_rows, an outcome's or cause's number, a rule's number less 1, a table's number, a role of enum
 * rlog_role, a member's place, a check. One that lies beyond its axis is a bug (ASSERT). */
void node_metrics_add(struct node_metrics *metrics, enum node_metric id, size_t a, size_t b,
                      uint64_t count);
void node_metrics_set(struct node_metrics *metrics, enum node_metric id, size_t a, uint64_t value);
/* A histogram's; microseconds where its unit is SECONDS. */
void node_metrics_observe(struct node_metrics *metrics, enum node_metric id, size_t a,
                          uint64_t value);
uint64_t node_metrics_value(const struct node_metrics *metrics, enum node_metric id, size_t a,
                            size_t b);

/* The exposition, version 0.0.4 of the text format. Returns its size; when that exceeds `capacity`
 * it is cut at the last whole line that fits. */
size_t node_metrics_write(const struct node_metrics *metrics, char *ret_text, size_t capacity);

/* The table for people, as Markdown, one line a call. */
void node_metrics_page(void (*line)(void *arg, const char *text), void *arg);

#endif
