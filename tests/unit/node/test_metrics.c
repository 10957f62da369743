/* The exposition: names, labels, values and buckets as Prometheus reads them, and nothing half. */
#include "node/metrics.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "op/op.h"

enum { TEXT_MAX = 1024 * 1024 };

struct fixture {
    struct node_metrics metrics;
    char *text;
};

static int start(void **state)
{
    static struct fixture fixture;
    assert_true(node_metrics_init(&fixture.metrics));
    fixture.text = malloc(TEXT_MAX);
    assert_non_null(fixture.text);
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    node_metrics_done(&f->metrics);
    free(f->text);
    return 0;
}

static const char *shown(struct fixture *f)
{
    size_t size = node_metrics_write(&f->metrics, f->text, TEXT_MAX);
    assert_true(size > 0 && size < TEXT_MAX);
    assert_int_equal(strlen(f->text), size);
    assert_int_equal(f->text[size - 1], '\n');
    return f->text;
}

/* The text holds this run of whole lines. */
static void want(struct fixture *f, const char *lines)
{
    const char *text = shown(f);
    const char *at = strstr(text, lines);
    if (at == NULL || (at != text && at[-1] != '\n')) {
        fail_msg("not shown: %s", lines);
    }
}

static void want_not(struct fixture *f, const char *part)
{
    if (strstr(shown(f), part) != NULL) {
        fail_msg("shown: %s", part);
    }
}

static size_t place_of(const char *method)
{
    size_t count = 0;
    const struct op_row *rows = op_rows(&count);
    size_t i = 0;
    while (i < count && strcmp(rows[i].method, method) != 0) {
        i++;
    }
    assert_true(i < count);
    return i;
}

static void an_operation_is_shown_from_its_first_call_on(void **state)
{
    struct fixture *f = *state;
    want(f, "# HELP tenure_requests_total Calls that this node answered.\n"
            "# TYPE tenure_requests_total counter\n"
            "# HELP tenure_request_seconds ");
    node_metrics_add(&f->metrics, METRIC_REQUESTS, place_of("session.end"), OP_ENDED, 7);
    want(f, "tenure_requests_total{op=\"session.end\",outcome=\"ENDED\"} 7\n");
    want(f, "tenure_requests_total{op=\"session.end\",outcome=\"LIMIT\"} 0\n"); /* may rise */
    want_not(f, "tenure_requests_total{op=\"session.create\"");
    assert_int_equal(
        node_metrics_value(&f->metrics, METRIC_REQUESTS, place_of("session.end"), OP_ENDED), 7);
}

static void all_else_is_shown_before_it_rises(void **state)
{
    struct fixture *f = *state;
    want(f, "scope_permission_violations_total{op=\"permission.check\"} 0\n");
    want(f, "tenure_fence_refusals_total{rule=\"W1\"} 0\n");
    want(f, "tenure_fence_refusals_total{rule=\"W9\"} 0\n");
    want(f, "sessions_ended_total{reason=\"idle_timeout\"} 0\n");
    want(f, "expired_session_usage_attempts_total{expiration_type=\"task_deadline\"} 0\n");
    want_not(f, "sessions_ended_total{reason=\"task_deadline\"}"); /* no session ends so */
    want(f, "tenure_check{check=\"quorum\"} 0\n");
    want_not(f, "tenure_member_connected{"); /* nobody knows the members yet */
    f->metrics.member_count = 2;
    f->metrics.members[0] = 1;
    f->metrics.members[1] = 65535;
    node_metrics_set(&f->metrics, METRIC_MEMBER_CONNECTED, 1, 1);
    want(f, "tenure_member_connected{member=\"1\"} 0\n"
            "tenure_member_connected{member=\"65535\"} 1\n#");
}

static void buckets_add_up_and_hold_their_bound(void **state)
{
    struct fixture *f = *state;
    node_metrics_observe(&f->metrics, METRIC_SESSION_DURATION, 0, 60000000);
    node_metrics_observe(&f->metrics, METRIC_SESSION_DURATION, 0, 60000001);
    node_metrics_observe(&f->metrics, METRIC_SESSION_DURATION, 0, UINT64_C(86400000000));
    node_metrics_observe(&f->metrics, METRIC_SESSION_DURATION, 0, UINT64_C(86400000001));
    want(f, "# TYPE session_duration_seconds histogram\n"
            "session_duration_seconds_bucket{le=\"60\"} 1\n"
            "session_duration_seconds_bucket{le=\"300\"} 2\n"
            "session_duration_seconds_bucket{le=\"900\"} 2\n"
            "session_duration_seconds_bucket{le=\"1800\"} 2\n"
            "session_duration_seconds_bucket{le=\"3600\"} 2\n"
            "session_duration_seconds_bucket{le=\"7200\"} 2\n"
            "session_duration_seconds_bucket{le=\"14400\"} 2\n"
            "session_duration_seconds_bucket{le=\"28800\"} 2\n"
            "session_duration_seconds_bucket{le=\"43200\"} 2\n"
            "session_duration_seconds_bucket{le=\"86400\"} 3\n"
            "session_duration_seconds_bucket{le=\"+Inf\"} 4\n"
            "session_duration_seconds_sum 172920.000002\n"
            "session_duration_seconds_count 4\n");
    node_metrics_observe(&f->metrics, METRIC_SESSION_MEMORY, 0, 10485760);
    want(f, "session_memory_bytes_bucket{le=\"1024\"} 0\n"
            "session_memory_bytes_bucket{le=\"10240\"} 0\n"
            "session_memory_bytes_bucket{le=\"102400\"} 0\n"
            "session_memory_bytes_bucket{le=\"1048576\"} 0\n"
            "session_memory_bytes_bucket{le=\"10485760\"} 1\n"
            "session_memory_bytes_bucket{le=\"+Inf\"} 1\n"
            "session_memory_bytes_sum 10485760\n");
    node_metrics_observe(&f->metrics, METRIC_REQUEST_SECONDS, place_of("state.put"), 250);
    want(f, "tenure_request_seconds_bucket{op=\"state.put\",le=\"0.0001\"} 0\n"
            "tenure_request_seconds_bucket{op=\"state.put\",le=\"0.00025\"} 1\n");
    want(f, "tenure_request_seconds_sum{op=\"state.put\"} 0.000250\n"
            "tenure_request_seconds_count{op=\"state.put\"} 1\n");
}

static void an_alias_is_shown_only_where_it_is_wanted(void **state)
{
    struct fixture *f = *state;
    node_metrics_set(&f->metrics, METRIC_LEAKED_SESSIONS, 0, 101);
    want(f, "# TYPE tenure_leaked_sessions gauge\n"
            "tenure_leaked_sessions 101\n");
    want_not(f, "leaked_sessions_total");
    f->metrics.aliases = true;
    want(f, "# TYPE leaked_sessions_total untyped\n"
            "leaked_sessions_total 101\n");
}

static void values_are_whole(void **state)
{
    struct fixture *f = *state;
    node_metrics_set(&f->metrics, METRIC_DISK_FREE, 0, UINT64_MAX);
    node_metrics_set(&f->metrics, METRIC_CLUSTER_TIME, 0, UINT64_C(1700000000000001));
    want(f, "tenure_disk_free_bytes 18446744073709551615\n");
    want(f, "tenure_cluster_time_seconds 1700000000.000001\n");
    node_metrics_set(&f->metrics, METRIC_BUILD, 0, 1);
    want(f, "tenure_build_info{version=\"");
}

static void what_does_not_fit_is_cut_between_lines(void **state)
{
    struct fixture *f = *state;
    size_t size = strlen(shown(f));
    char *whole = malloc(size + 1);
    assert_non_null(whole);
    memcpy(whole, f->text, size + 1);
    for (size_t capacity = 1; capacity <= 4096; capacity += 7) {
        size_t cut = node_metrics_write(&f->metrics, f->text, capacity);
        assert_true(cut < capacity && cut < size);
        assert_memory_equal(f->text, whole, cut);
        assert_true(cut == 0 || f->text[cut - 1] == '\n');
        const char *next = strchr(whole + cut, '\n');
        assert_true((size_t)(next + 1 - whole) >= capacity); /* the next line did not fit */
    }
    free(whole);
}

struct names {
    char seen[METRIC_COUNT][80];
    size_t count;
};

/* "| `name` | type | labels | help |" */
static void take_row(void *arg, const char *line)
{
    struct names *names = arg;
    char name[80];
    char type[16];
    if (sscanf(line, "| `%79[^`]` | %15s |", name, type) != 2) {
        return;
    }
    for (size_t i = 0; i < names->count; i++) {
        assert_string_not_equal(names->seen[i], name);
    }
    size_t size = strlen(name);
    bool total = size > 6 && strcmp(name + size - 6, "_total") == 0;
    assert_int_equal(total, strcmp(type, "counter") == 0);
    assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz_"), size);
    assert_true(names->count < METRIC_COUNT);
    snprintf(names->seen[names->count++], sizeof(names->seen[0]), "%s", name);
}

static void the_page_has_each_metric_once(void **state)
{
    struct names names = {.count = 0};
    (void)state;
    node_metrics_page(take_row, &names);
    assert_int_equal(names.count, METRIC_COUNT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(an_operation_is_shown_from_its_first_call_on), CASE(all_else_is_shown_before_it_rises),
        CASE(buckets_add_up_and_hold_their_bound),          CASE(values_are_whole),
        CASE(what_does_not_fit_is_cut_between_lines),       CASE(the_page_has_each_metric_once),
        CASE(an_alias_is_shown_only_where_it_is_wanted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
