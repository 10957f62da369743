/* Looking once a second, and publishing. Decides nothing about the node. */
#include "node/monitor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env/clock.h"
#include "env/uv/http.h"
#include "env/uv/uv.h"
#include "base/sat.h"

enum {
    LOOK_US = 1000000,
    TEXT_MAX = 1024 * 1024,
    READY_MAX = 4096,
    /* A look is missing for so long: the loop stands still. An image from a leader holds it for
     * seconds; whoever restarts nodes by /livez must not do so then. */
    STALE_READY_US = 10 * LOOK_US,
    STALE_METRICS_US = 30 * LOOK_US,
    STALE_LIVE_US = 120 * LOOK_US,
};

struct node_monitor {
    struct env *env;
    struct node *node; /* NULL: it is starting */
    struct env_http *http;
    struct env_timer *timer;
    uint64_t started_us; /* by the wall clock */
    uint64_t due_us;     /* of the next look, env_mono_us */
    char text[TEXT_MAX];
};

static void publish(struct node_monitor *monitor, const char *path, bool verbose, bool holds,
                    uint64_t stale_us, struct bytes text)
{
    const struct env_http_page page = {.path = path,
                                       .verbose = verbose,
                                       .status = holds ? 200 : 503,
                                       .stale_us = stale_us,
                                       .text = text};
    env_http_publish(monitor->http, &page);
}

static void publish_ready(struct node_monitor *monitor, bool verbose)
{
    char text[READY_MAX];
    bool ready = node_ready(monitor->node, verbose, text, sizeof(text));
    publish(monitor, "/readyz", verbose, ready, STALE_READY_US, bytes_of_text(text));
}

static void look(struct node_monitor *monitor)
{
    uint64_t now = env_mono_us(monitor->env);
    struct env_uv_usage usage = env_uv_usage();
    const struct node_process process = {.started_us = monitor->started_us,
                                         .cpu_us = usage.cpu_us,
                                         .resident_bytes = usage.resident_bytes,
                                         .late_us = sat_sub(now, monitor->due_us)};
    node_look(monitor->node, &process);
    size_t size = node_metrics_text(monitor->node, monitor->text, sizeof(monitor->text));
    publish(monitor, "/metrics", false, true, STALE_METRICS_US, bytes_of(monitor->text, size));
    publish_ready(monitor, false);
    publish_ready(monitor, true);
    publish(monitor, "/livez", false, true, STALE_LIVE_US, bytes_of_text("alive\n"));
    monitor->due_us = now + LOOK_US;
    env_timer_start(monitor->timer, LOOK_US);
}

static void on_timer(void *arg)
{
    look(arg);
}

static void publish_starting(struct node_monitor *monitor)
{
    struct bytes text = bytes_of_text("[-] running: this node is starting\nnot ready\n");
    publish(monitor, "/livez", false, true, 0, bytes_of_text("alive, starting\n"));
    publish(monitor, "/readyz", false, false, 0, text);
    publish(monitor, "/readyz", true, false, 0, text);
    publish(monitor, "/metrics", false, false, 0, bytes_of_text("# starting\n"));
}

bool node_monitor_start(struct env *env, const struct node_config *config, char *error,
                        size_t error_size, struct node_monitor **ret_monitor)
{
    /* A monitor looks and does nothing else, so its certificate may do nothing else. */
    static const char *const callers[] = {"-/monitor/", "-/operator/", NULL};
    *ret_monitor = NULL;
    if (config->metrics_listen == NULL) {
        return true;
    }
    struct node_monitor *monitor = calloc(1, sizeof(*monitor));
    struct env_timer *timer = monitor == NULL ? NULL : env_timer_create(env, on_timer, monitor);
    if (timer == NULL) {
        free(monitor);
        snprintf(error, error_size, "out of memory");
        return false;
    }
    monitor->env = env;
    monitor->timer = timer;
    monitor->started_us = env_wall_us(env);
    const struct env_http_config http = {.address = config->metrics_listen,
                                         .ca_path = config->ca,
                                         .certificate_path = config->certificate,
                                         .key_path = config->key,
                                         .callers = callers};
    char reason[512];
    if (env_http_start(&http, reason, sizeof(reason), &monitor->http) != ENV_OK) {
        snprintf(error, error_size, "metrics_listen: %s", reason);
        node_monitor_stop(monitor);
        return false;
    }
    publish_starting(monitor);
    *ret_monitor = monitor;
    return true;
}

void node_monitor_watch(struct node_monitor *monitor, struct node *node)
{
    if (monitor != NULL) {
        monitor->node = node;
        monitor->due_us = env_mono_us(monitor->env);
        look(monitor);
    }
}

void node_monitor_stop(struct node_monitor *monitor)
{
    if (monitor != NULL) {
        env_http_stop(monitor->http);
        env_timer_destroy(monitor->timer);
        free(monitor);
    }
}

const char *node_monitor_address(const struct node_monitor *monitor)
{
    return env_http_address(monitor->http);
}
