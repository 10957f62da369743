/* tenured: one node of a Tenure cluster. Parses arguments, owns the process, knows no protocol. */
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "env/log.h"
#include "env/loop.h"
#include "env/uv/uv.h"
#include "node/manual.h"
#include "node/metrics.h"
#include "node/monitor.h"
#include "node/node.h"

enum { EXIT_LOCAL = 1, EXIT_USAGE = 2 };

struct daemon {
    struct env *env;
    struct node *node;
    struct node_monitor *monitor; /* NULL: nobody may look */
    char name[16];                /* in log lines */
    bool stopped;
    bool failed;
};

struct arguments {
    const char *config;
    const char *init;
    const char *join;
    bool check;
};

static void print_line(void *arg, const char *text)
{
    (void)arg;
    puts(text);
}

static void print_help(void)
{
    puts("Usage: tenured --config FILE [--init BOOTSTRAP | --join BOOTSTRAP | --check-config]\n"
         "\n"
         "One node of a Tenure cluster.\n"
         "\n"
         "  -c, --config FILE     this node's configuration (YAML)\n"
         "      --init BOOTSTRAP  make the configured folder from the cluster's bootstrap file\n"
         "                        (tenurectl cluster init writes one), then exit\n"
         "      --join BOOTSTRAP  make the configured folder, from the file that the cluster was\n"
         "                        born with, for a node that is to join it; print its disk's id\n"
         "                        and what an operator says next, then exit\n"
         "      --check-config    say whether the configuration is good, then exit\n"
         "      --metrics         print what /metrics shows, as Markdown, then exit\n"
         "      --man 5|8         print a manual page (troff), then exit\n"
         "  -V, --version         print the version, then exit\n"
         "  -h, --help            print this, then exit\n"
         "\n"
         "Signals: SIGTERM and SIGINT hand leadership over and stop.\n"
         "Exit codes: 0 stopped as asked, 1 failed, 2 wrong usage.\n"
         "\n"
         "Configuration keys:");
    node_config_help(print_line, NULL);
}

static int parse(int argc, char **argv, struct arguments *ret)
{
    enum { INIT = 1000, JOIN, CHECK, METRICS, MANUAL };
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"init", required_argument, NULL, INIT},
                                            {"join", required_argument, NULL, JOIN},
                                            {"check-config", no_argument, NULL, CHECK},
                                            {"metrics", no_argument, NULL, METRICS},
                                            {"man", required_argument, NULL, MANUAL},
                                            {"version", no_argument, NULL, 'V'},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "c:Vh", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            ret->config = optarg;
            break;
        case INIT:
            ret->init = optarg;
            break;
        case JOIN:
            ret->join = optarg;
            break;
        case CHECK:
            ret->check = true;
            break;
        case METRICS:
            node_metrics_page(print_line, NULL);
            exit(EXIT_SUCCESS);
        case MANUAL:
            if (node_manual_print(optarg)) {
                exit(EXIT_SUCCESS);
            }
            fprintf(stderr, "tenured: --man %s: give 5 or 8\n", optarg);
            return EXIT_USAGE;
        case 'V':
            puts("tenured " NODE_VERSION);
            exit(EXIT_SUCCESS);
        case 'h':
            print_help();
            exit(EXIT_SUCCESS);
        default:
            return EXIT_USAGE;
        }
    }
    if (ret->config == NULL || optind != argc) {
        fprintf(stderr, "tenured: give --config FILE and nothing else (see tenured --help)\n");
        return EXIT_USAGE;
    }
    return EXIT_SUCCESS;
}

static int complain(const char *text)
{
    fprintf(stderr, "tenured: %s\n", text);
    return EXIT_LOCAL;
}

static void on_stopped(void *arg)
{
    struct daemon *daemon = arg;
    daemon->stopped = true;
}

static void on_fatal(void *arg, const char *detail)
{
    struct daemon *daemon = arg;
    complain(detail);
    daemon->failed = true;
}

static void on_signal(void *arg, int number)
{
    struct daemon *daemon = arg;
    (void)number;
    node_stop(daemon->node);
}

static int init(struct daemon *daemon, const struct node_config *config, const char *path)
{
    char error[1024];
    struct node_bootstrap *bootstrap = malloc(sizeof(*bootstrap));
    if (bootstrap == NULL) {
        return complain("out of memory");
    }
    bool done = node_bootstrap_load(path, bootstrap, error, sizeof(error)) &&
                node_format(daemon->env, config, bootstrap, error, sizeof(error));
    free(bootstrap);
    return done ? EXIT_SUCCESS : complain(error);
}

static int join(struct daemon *daemon, const struct node_config *config, const char *path)
{
    char error[1024];
    struct id128 store;
    char store_text[33];
    struct node_bootstrap *bootstrap = malloc(sizeof(*bootstrap));
    if (bootstrap == NULL) {
        return complain("out of memory");
    }
    bool done = node_bootstrap_load(path, bootstrap, error, sizeof(error)) &&
                node_format_joining(daemon->env, config, bootstrap, error, sizeof(error), &store);
    free(bootstrap);
    if (!done) {
        return complain(error);
    }
    hex_write(store_text, bytes_of(store.bytes, sizeof(store.bytes)));
    printf("tenured: node %u is ready to join: start it, then say\n"
           "  tenurectl member add --node %u --address %s --client-address %s --store %s\n"
           "or, when it had another disk before,\n"
           "  tenurectl member replace --node %u --store %s\n"
           "(with the addresses that others reach it by), and\n"
           "  tenurectl member promote --node %u\n",
           config->node, config->node, config->peer_listen, config->listen, store_text,
           config->node, store_text, config->node);
    return EXIT_SUCCESS;
}

static void set_log(struct daemon *daemon, const struct node_config *config)
{
    snprintf(daemon->name, sizeof(daemon->name), "%u", config->node);
    env_uv_set_log(daemon->env, config->log_json != 0 ? ENV_UV_LOG_JSON : ENV_UV_LOG_TEXT,
                   config->log_debug != 0 ? ENV_LOG_DEBUG : ENV_LOG_INFO, daemon->name);
}

static int serve(struct daemon *daemon, const struct node_config *config)
{
    char error[1024];
    set_log(daemon, config);
    const struct node_handlers handlers = {
        .arg = daemon, .on_stopped = on_stopped, .on_fatal = on_fatal};
    if (!node_monitor_start(daemon->env, config, error, sizeof(error), &daemon->monitor)) {
        return complain(error);
    }
    if (!node_start(daemon->env, config, &handlers, error, sizeof(error), &daemon->node)) {
        node_monitor_stop(daemon->monitor);
        return complain(error);
    }
    node_monitor_watch(daemon->monitor, daemon->node);
    env_uv_on_signal(daemon->env, SIGPIPE, NULL, NULL);
    env_uv_on_signal(daemon->env, SIGTERM, on_signal, daemon);
    env_uv_on_signal(daemon->env, SIGINT, on_signal, daemon);
    printf("tenured: node %u serves clients on %s and peers on %s\n", config->node,
           node_client_address(daemon->node), node_peer_address(daemon->node));
    if (daemon->monitor != NULL) {
        printf("tenured: node %u shows metrics on %s\n", config->node,
               node_monitor_address(daemon->monitor));
    }
    fflush(stdout);
    while (!daemon->stopped && !daemon->failed) {
        env_turn(daemon->env, UINT64_MAX);
    }
    node_monitor_stop(daemon->monitor);
    if (daemon->failed) {
        return EXIT_LOCAL; /* nothing that this process still holds may be trusted or sent */
    }
    node_destroy(daemon->node);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {.config = NULL};
    int rc = parse(argc, argv, &arguments);
    if (rc != EXIT_SUCCESS) {
        return rc;
    }
    char error[1024];
    struct node_config config;
    if (!node_config_load(arguments.config, &config, error, sizeof(error))) {
        return complain(error);
    }
    if (arguments.check) {
        printf("tenured: %s is good\n", arguments.config);
        node_config_done(&config);
        return EXIT_SUCCESS;
    }
    struct daemon daemon = {.env = NULL};
    if (env_uv_create(&daemon.env) != ENV_OK) {
        return complain("cannot set up the event loop");
    }
    rc = arguments.init != NULL   ? init(&daemon, &config, arguments.init)
         : arguments.join != NULL ? join(&daemon, &config, arguments.join)
                                  : serve(&daemon, &config);
    if (daemon.failed) {
        exit(rc);
    }
    env_uv_destroy(daemon.env);
    node_config_done(&config);
    return rc;
}
