/* The metrics' values and their text. Every loop over metrics, axes and buckets is here. */
#include "node/metrics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "fsm/fsm.h"
#include "node/node.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };
enum metric_unit { UNIT_ONE, UNIT_BYTES, UNIT_SECONDS };
enum metric_density { AXIS_DENSE, AXIS_SPARSE };

#define AXIS_ID_(id, label, density) AXIS_##id,
enum metric_axis { METRIC_AXES(AXIS_ID_) AXES };
#undef AXIS_ID_

static const struct axis {
    const char *label;
    enum metric_density density;
} axes[] = {
#define AXIS_ROW_(id, label, density) [AXIS_##id] = {label, AXIS_##density},
    METRIC_AXES(AXIS_ROW_)
#undef AXIS_ROW_
};

#define BUCKETS_(id, ...) static const uint64_t buckets_##id[] = {__VA_ARGS__};
METRIC_BUCKETS(BUCKETS_)
#undef BUCKETS_

enum { FENCE_RULES = 9, OUTCOMES = 128, LABEL_MAX = 24 };

static const struct metric {
    enum metric_type type;
    enum metric_unit unit;
    enum metric_axis axes[2];
    const uint64_t *buckets;
    size_t bucket_count;
    const char *name;
    const char *help;
} table[] = {
#define METRIC_ROW_(id, type, unit, a, b, buckets, name, help)                                     \
    [METRIC_##id] = {METRIC_##type,                                                                \
                     UNIT_##unit,                                                                  \
                     {AXIS_##a, AXIS_##b},                                                         \
                     buckets_##buckets,                                                            \
                     sizeof(buckets_##buckets) / sizeof(uint64_t),                                 \
                     name,                                                                         \
                     help},
    NODE_METRICS(METRIC_ROW_)
#undef METRIC_ROW_
};

const char *node_check_name(enum node_check check)
{
    static const char *const names[] = {
#define CHECK_ROW_(id, name) [CHECK_##id] = name,
        NODE_CHECKS(CHECK_ROW_)
#undef CHECK_ROW_
    };
    return names[check];
}

/* ---- axes ---- */

static size_t table_count(void)
{
    size_t count = 0;
    while (fsm_table_name(count) != NULL) {
        count++;
    }
    return count;
}

static size_t axis_size(enum metric_axis axis)
{
    size_t rows = 0;
    switch (axis) {
    case AXIS_NONE:
    case AXIS_VERSION:
        return 1;
    case AXIS_OP:
    case AXIS_EACH_OP:
    case AXIS_OPERATION_TYPE:
        (void)op_rows(&rows);
        return rows;
    case AXIS_OUTCOME:
        return OUTCOMES;
    case AXIS_RULE:
        return FENCE_RULES;
    case AXIS_REASON:
        return OP_END_CAUSE_COMPROMISED + 1; /* those above it are of tasks */
    case AXIS_EXPIRATION:
        return OP_END_CAUSE_TASK_CANCELLED + 1;
    case AXIS_TABLE:
        return table_count();
    case AXIS_ROLE:
        return RLOG_LEADER + 1;
    case AXIS_MEMBER:
        return RLOG_MEMBERS_MAX;
    case AXIS_ERROR_TYPE:
        return CLEANUP_ERRORS;
    case AXIS_CHECK:
        return CHECK_COUNT;
    case AXES:
        break;
    }
    UNREACHABLE("no such axis");
}

static const char *role_text(size_t role)
{
    return role == RLOG_FOLLOWER    ? "follower"
           : role == RLOG_CANDIDATE ? "candidate"
           : role == RLOG_LEADER    ? "leader"
                                    : NULL;
}

static const char *cleanup_error_text(size_t error)
{
    static const char *const names[] = {
#define CLEANUP_ROW_(id, label) [CLEANUP_##id] = label,
        NODE_CLEANUP_ERRORS(CLEANUP_ROW_)
#undef CLEANUP_ROW_
    };
    return names[error];
}

static const char *outcome_text(size_t number)
{
    enum op_outcome outcome;
    return op_outcome_of(number, &outcome) ? op_outcome_name(outcome) : NULL;
}

/* The label's value at `index`; NULL: there is nothing at that place. `buffer` has LABEL_MAX. */
static const char *axis_text(const struct node_metrics *metrics, enum metric_axis axis,
                             size_t index, char *buffer)
{
    size_t rows = 0;
    switch (axis) {
    case AXIS_NONE:
        return "";
    case AXIS_OP:
    case AXIS_EACH_OP:
    case AXIS_OPERATION_TYPE:
        return op_rows(&rows)[index].method;
    case AXIS_OUTCOME:
        return outcome_text(index);
    case AXIS_RULE:
        snprintf(buffer, LABEL_MAX, "W%zu", index + 1);
        return buffer;
    case AXIS_REASON:
    case AXIS_EXPIRATION:
        return index == 0 ? NULL : op_cause_text((uint32_t)index);
    case AXIS_TABLE:
        return fsm_table_name(index);
    case AXIS_ROLE:
        return role_text(index);
    case AXIS_MEMBER:
        if (index >= metrics->member_count) {
            return NULL;
        }
        snprintf(buffer, LABEL_MAX, "%" PRIu64, metrics->members[index]);
        return buffer;
    case AXIS_ERROR_TYPE:
        return cleanup_error_text(index);
    case AXIS_CHECK:
        return node_check_name((enum node_check)index);
    case AXIS_VERSION:
        return NODE_VERSION;
    case AXES:
        break;
    }
    UNREACHABLE("no such axis");
}

/* ---- values ---- */

/* Of one series: a histogram has a value for each bucket, one for what is beyond, and the sum. */
static size_t width_of(const struct metric *metric)
{
    return metric->type == METRIC_HISTOGRAM ? metric->bucket_count + 2 : 1;
}

bool node_metrics_init(struct node_metrics *metrics)
{
    size_t count = 0;
    memset(metrics, 0, sizeof(*metrics));
    for (size_t i = 0; i < METRIC_COUNT; i++) {
        const struct metric *metric = &table[i];
        struct node_metric_place *place = &metrics->places[i];
        place->first = count;
        place->width = width_of(metric);
        place->a_count = axis_size(metric->axes[0]);
        place->b_count = axis_size(metric->axes[1]);
        count += place->a_count * place->b_count * place->width;
    }
    metrics->values = calloc(count, sizeof(*metrics->values));
    return metrics->values != NULL;
}

void node_metrics_done(struct node_metrics *metrics)
{
    free(metrics->values);
    metrics->values = NULL;
}

static uint64_t *series(const struct node_metrics *metrics, enum node_metric id, size_t a, size_t b)
{
    const struct node_metric_place *place = &metrics->places[id];
    ASSERT(a < place->a_count && b < place->b_count);
    return metrics->values + place->first + (a * place->b_count + b) * place->width;
}

void node_metrics_add(struct node_metrics *metrics, enum node_metric id, size_t a, size_t b,
                      uint64_t count)
{
    ASSERT(table[id].type == METRIC_COUNTER);
    *series(metrics, id, a, b) += count;
}

/* Counters that somebody else keeps are set as well. */
void node_metrics_set(struct node_metrics *metrics, enum node_metric id, size_t a, uint64_t value)
{
    ASSERT(table[id].type != METRIC_HISTOGRAM);
    *series(metrics, id, a, 0) = value;
}

void node_metrics_observe(struct node_metrics *metrics, enum node_metric id, size_t a,
                          uint64_t value)
{
    const struct metric *metric = &table[id];
    uint64_t *values = series(metrics, id, a, 0);
    size_t bucket = 0;
    ASSERT(metric->type == METRIC_HISTOGRAM);
    while (bucket < metric->bucket_count && value > metric->buckets[bucket]) {
        bucket++;
    }
    values[bucket]++;
    values[metric->bucket_count + 1] += value;
}

uint64_t node_metrics_value(const struct node_metrics *metrics, enum node_metric id, size_t a,
                            size_t b)
{
    return *series(metrics, id, a, b);
}

/* ---- text ---- */

struct text {
    char *start;
    size_t size;  /* written, as if there were room for all */
    size_t whole; /* written up to the end of the last line that fitted */
    size_t capacity;
};

static void put_bytes(struct text *text, const char *bytes, size_t size)
{
    if (text->size + size < text->capacity) {
        memcpy(text->start + text->size, bytes, size);
    }
    text->size += size; /* what is beyond the capacity is beyond the last whole line */
}

static void put(struct text *text, const char *words)
{
    put_bytes(text, words, strlen(words));
}

static void put_number(struct text *text, uint64_t number, size_t digits_least)
{
    char digits[20];
    size_t at = sizeof(digits);
    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0 || sizeof(digits) - at < digits_least);
    put_bytes(text, digits + at, sizeof(digits) - at);
}

static void end_line(struct text *text)
{
    put(text, "\n");
    if (text->size < text->capacity) { /* with room for the terminator */
        text->whole = text->size;
    }
}

/* Ends the text behind its last whole line. */
static void end_text(struct text *text)
{
    if (text->capacity > 0) {
        text->start[text->whole] = '\0';
    }
}

static void put_value(struct text *text, enum metric_unit unit, uint64_t value)
{
    if (unit == UNIT_SECONDS) {
        put_number(text, value / 1000000, 1);
        put(text, ".");
        put_number(text, value % 1000000, 6);
    } else {
        put_number(text, value, 1);
    }
}

/* One series on its way to the text. */
struct place {
    const struct node_metrics *metrics;
    const struct metric *metric;
    const char *labels[2];
    const uint64_t *values;
};

static void put_labels(struct text *text, const struct place *place, bool more)
{
    const char *between = "{";
    for (size_t i = 0; i < 2; i++) {
        enum metric_axis axis = place->metric->axes[i];
        if (axis != AXIS_NONE) {
            put(text, between);
            put(text, axes[axis].label);
            put(text, "=\"");
            put(text, place->labels[i]);
            put(text, "\"");
            between = ",";
        }
    }
    if (more) {
        put(text, between);
        put(text, "le=\"");
    } else if (between[0] == ',') {
        put(text, "}");
    }
}

/* A bound as people write it: 0.0001, 60. */
static void put_bound(struct text *text, enum metric_unit unit, uint64_t bound)
{
    if (unit == UNIT_SECONDS) {
        char words[32];
        snprintf(words, sizeof(words), "%g", (double)bound / 1e6);
        put(text, words);
    } else {
        put_number(text, bound, 1);
    }
}

/* The name with what a histogram adds to it, and the labels. */
static void put_name(struct text *text, const struct place *place, const char *part)
{
    put(text, place->metric->name);
    put(text, part);
    put_labels(text, place, false);
    put(text, " ");
}

static void put_bucket(struct text *text, const struct place *place, size_t bucket, uint64_t count)
{
    const struct metric *metric = place->metric;
    put(text, metric->name);
    put(text, "_bucket");
    put_labels(text, place, true);
    if (bucket < metric->bucket_count) {
        put_bound(text, metric->unit, metric->buckets[bucket]);
    } else {
        put(text, "+Inf");
    }
    put(text, "\"} ");
    put_number(text, count, 1);
    end_line(text);
}

static void put_histogram(struct text *text, const struct place *place)
{
    const struct metric *metric = place->metric;
    uint64_t count = 0;
    for (size_t i = 0; i <= metric->bucket_count; i++) {
        count += place->values[i];
        put_bucket(text, place, i, count);
    }
    put_name(text, place, "_sum");
    put_value(text, metric->unit, place->values[metric->bucket_count + 1]);
    end_line(text);
    put_name(text, place, "_count");
    put_number(text, count, 1);
    end_line(text);
}

static void put_series(struct text *text, const struct place *place)
{
    if (place->metric->type == METRIC_HISTOGRAM) {
        put_histogram(text, place);
        return;
    }
    put_name(text, place, "");
    put_value(text, place->metric->unit, *place->values);
    end_line(text);
}

static const char *type_text(enum metric_type type)
{
    return type == METRIC_COUNTER ? "counter" : type == METRIC_GAUGE ? "gauge" : "histogram";
}

/* Is there something to show at this place of the first axis? */
static bool is_shown(const struct node_metrics *metrics, enum node_metric id, size_t a)
{
    const struct metric *metric = &table[id];
    const uint64_t *values = series(metrics, id, a, 0);
    size_t count = metrics->places[id].b_count * metrics->places[id].width;
    for (size_t i = 0; i < count; i++) {
        if (values[i] != 0) {
            return true;
        }
    }
    return axes[metric->axes[0]].density == AXIS_DENSE;
}

static void put_words(struct text *text, const char *what, const char *name, const char *words)
{
    put(text, what);
    put(text, " ");
    put(text, name);
    put(text, " ");
    put(text, words);
    end_line(text);
}

static void put_metric(struct text *text, const struct node_metrics *metrics, enum node_metric id)
{
    const struct metric *metric = &table[id];
    char buffers[2][LABEL_MAX];
    struct place place = {.metrics = metrics, .metric = metric};
    put_words(text, "# HELP", metric->name, metric->help);
    put_words(text, "# TYPE", metric->name, type_text(metric->type));
    for (size_t a = 0; a < metrics->places[id].a_count; a++) {
        place.labels[0] = is_shown(metrics, id, a)
                              ? axis_text(metrics, metric->axes[0], a, buffers[0])
                              : NULL;
        for (size_t b = 0; b < metrics->places[id].b_count && place.labels[0] != NULL; b++) {
            place.labels[1] = axis_text(metrics, metric->axes[1], b, buffers[1]);
            place.values = series(metrics, id, a, b);
            if (place.labels[1] != NULL) {
                put_series(text, &place);
            }
        }
    }
}

static void put_alias(struct text *text, const struct node_metrics *metrics, enum node_metric id,
                      const char *name)
{
    put_words(text, "# HELP", name, table[id].help);
    put_words(text, "# TYPE", name, "untyped");
    put(text, name);
    put(text, " ");
    put_value(text, table[id].unit, node_metrics_value(metrics, id, 0, 0));
    end_line(text);
}

size_t node_metrics_write(const struct node_metrics *metrics, char *ret_text, size_t capacity)
{
    struct text text = {.start = ret_text, .capacity = capacity};
    for (enum node_metric id = 0; id < METRIC_COUNT; id++) {
        put_metric(&text, metrics, id);
    }
    if (metrics->aliases) {
#define ALIAS_ROW_(id, name) put_alias(&text, metrics, METRIC_##id, name);
        NODE_METRIC_ALIASES(ALIAS_ROW_)
#undef ALIAS_ROW_
    }
    end_text(&text);
    return text.whole;
}

/* ---- the page ---- */

static void page_labels(struct text *text, const struct metric *metric)
{
    const char *between = "";
    for (size_t i = 0; i < 2; i++) {
        if (metric->axes[i] != AXIS_NONE) {
            put(text, between);
            put(text, "`");
            put(text, axes[metric->axes[i]].label);
            put(text, "`");
            between = ", ";
        }
    }
}

static void page_buckets(struct text *text, const struct metric *metric)
{
    if (metric->type != METRIC_HISTOGRAM) {
        return;
    }
    put(text, " Buckets:");
    for (size_t i = 0; i < metric->bucket_count; i++) {
        put(text, " ");
        put_bound(text, metric->unit, metric->buckets[i]);
    }
    put(text, ".");
}

void node_metrics_page(void (*line)(void *arg, const char *text), void *arg)
{
    char buffer[1024];
    line(arg, "# Metrics\n");
    line(arg, "What `/metrics` of a node shows. Made from `node/metrics.def`; `tenured --metrics` "
              "prints this page.\n");
    line(arg, "| name | type | labels | |\n|---|---|---|---|");
    for (enum node_metric id = 0; id < METRIC_COUNT; id++) {
        struct text text = {.start = buffer, .capacity = sizeof(buffer)};
        put(&text, "| `");
        put(&text, table[id].name);
        put(&text, "` | ");
        put(&text, type_text(table[id].type));
        put(&text, " | ");
        page_labels(&text, &table[id]);
        put(&text, " | ");
        put(&text, table[id].help);
        page_buckets(&text, &table[id]);
        put(&text, " |");
        end_line(&text);
        buffer[text.whole - 1] = '\0';
        line(arg, buffer);
    }
}
