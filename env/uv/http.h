/* A small HTTP port for pages that the loop publishes: /metrics and the probes of a daemon.
 *
 * The library's own thread serves what was published last, so that no client of this port can hold
 * the loop, and a loop that stands still is noticed. It calls nobody: the loop renders, it serves.
 * Plain on loopback addresses alone; elsewhere TLS 1.3 with certificates on both sides. For main
 * programs: nothing else includes it, and the simulator has no twin of it.
 */
#ifndef ENV_UV_HTTP_H
#define ENV_UV_HTTP_H

#include "env/net.h"

struct env_http;

struct env_http_config {
    const char *address; /* "host:port", numeric; port 0 picks one */
    /* PEM files, looked at only when the address is not a loopback one. */
    const char *ca_path;
    const char *certificate_path;
    const char *key_path;
    /* Which identities of our own certificate's cluster may call, by what follows the cluster's
     * name up to their own: "-/monitor/". Ends with NULL; borrowed until env_http_start returns. */
    const char *const *callers;
};

/* Serves at once; every page that is not published yet is answered 503. On failure `error` says in
 * one line what is wrong. */
int env_http_start(const struct env_http_config *config, char *error, size_t error_size,
                   struct env_http **ret_http);
/* Waits for the answer under way. NULL is fine. */
void env_http_stop(struct env_http *http);
/* The address in use; lives as long as the http. */
const char *env_http_address(const struct env_http *http);

enum { ENV_HTTP_PAGES_MAX = 8 };

struct env_http_page {
    const char *path; /* "/metrics"; static */
    bool verbose;     /* what is served when the query asks for "verbose"; static as well */
    unsigned status;  /* 200 or 503 */
    /* Served as 503 when it is not published again for so long; 0: never. */
    uint64_t stale_us;
    struct bytes text; /* copied */
};

/* Replaces the page of that path. A path without a verbose page has one page for both. */
void env_http_publish(struct env_http *http, const struct env_http_page *page);

#endif
