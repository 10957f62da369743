/* The HTTP port: pages under one lock, served by libmicrohttpd's own thread.
 *
 * Invariants
 *   1. The loop takes the lock for one copy of a page, the library's thread as well: neither waits
 *      for a client.
 *   2. GET and HEAD of a published path are answered; everything else is refused before a body of
 *      it is read.
 *   3. Connections, memory and time of each client are bounded.
 */
#include "env/uv/http.h"

#include "base/assert.h"
#include "env/uv/address.h"
#include "env/uv/http_tls.h"

#include <arpa/inet.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    CONNECTIONS_MAX = 64,
    CONNECTION_BYTES_MAX = 16 * 1024, /* of headers in, and of the library's own */
    CONNECTION_TIMEOUT_S = 10,
    BACKLOG = 64,
};

struct page {
    const char *path;
    bool verbose;
    unsigned status;
    uint64_t stale_us;
    uint64_t published_us;
    char *text;
    size_t size;
    size_t capacity;
};

struct env_http {
    struct MHD_Daemon *daemon;
    bool secured;
    struct http_tls tls;
    char address[ENV_ADDRESS_MAX];
    pthread_mutex_t lock; /* of the pages */
    struct page pages[ENV_HTTP_PAGES_MAX];
    size_t page_count;
};

/* What one call is answered with; owned by the caller. */
struct answer {
    unsigned status;
    const char *text; /* static, unless it is `copy` */
    size_t size;
    char *copy;
};

static uint64_t now_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_BOOTTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/* ---- serving: on the library's thread ---- */

static const struct page *find(const struct env_http *http, const char *path, bool verbose)
{
    const struct page *found = NULL;
    for (size_t i = 0; i < http->page_count; i++) {
        const struct page *page = &http->pages[i];
        if (strcmp(page->path, path) == 0 && (found == NULL || page->verbose == verbose)) {
            found = page;
        }
    }
    return found;
}

static void set_answer(struct answer *answer, unsigned status, const char *text)
{
    *answer = (struct answer){.status = status, .text = text, .size = strlen(text)};
}

/* Copies the page, so that no client is sent to under the lock. */
static void take_page(struct env_http *http, const char *path, bool verbose, struct answer *answer)
{
    set_answer(answer, MHD_HTTP_NOT_FOUND, "there is /metrics, /livez and /readyz\n");
    (void)pthread_mutex_lock(&http->lock);
    const struct page *page = find(http, path, verbose);
    if (page != NULL && page->stale_us != 0 && now_us() - page->published_us > page->stale_us) {
        set_answer(answer, MHD_HTTP_SERVICE_UNAVAILABLE, "the loop of this node stands still\n");
    } else if (page != NULL) {
        answer->status = page->status;
        answer->copy = malloc(page->size + 1);
        answer->size = answer->copy == NULL ? 0 : page->size;
        answer->text = answer->copy;
        if (page->size > 0 && answer->copy != NULL) {
            memcpy(answer->copy, page->text, page->size);
        }
    }
    (void)pthread_mutex_unlock(&http->lock);
}

static enum MHD_Result send_answer(struct MHD_Connection *connection, const struct answer *answer)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(
        answer->size, (void *)(uintptr_t)answer->text, MHD_RESPMEM_MUST_COPY);
    enum MHD_Result result = MHD_NO;
    if (response != NULL) {
        (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE,
                                      "text/plain; version=0.0.4; charset=utf-8");
        result = MHD_queue_response(connection, answer->status, response);
        MHD_destroy_response(response);
    }
    return result;
}

static bool is_allowed(const struct env_http *http, struct MHD_Connection *connection)
{
    if (!http->secured) {
        return true;
    }
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(
        connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    return info != NULL && env_http_tls_allows(&http->tls, info->tls_session);
}

static bool asks_verbose(struct MHD_Connection *connection)
{
    const char *value = NULL;
    size_t size = 0;
    return MHD_lookup_connection_value_n(connection, MHD_GET_ARGUMENT_KIND, "verbose", 7, &value,
                                         &size) == MHD_YES;
}

/* Called at the end of the headers, and once more when it has said MHD_YES to them. */
static enum MHD_Result on_call(void *arg, struct MHD_Connection *connection, const char *path,
                               const char *method, const char *version, const char *body,
                               size_t *body_size, void **seen)
{
    (void)version;
    (void)body;
    struct env_http *http = arg;
    struct answer answer;
    bool reads = strcmp(method, MHD_HTTP_METHOD_GET) == 0 ||
                 strcmp(method, MHD_HTTP_METHOD_HEAD) == 0;
    if (!reads || *body_size != 0) {
        set_answer(&answer, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET and HEAD, without a body\n");
        return *seen == NULL ? send_answer(connection, &answer) : MHD_NO;
    }
    if (*seen == NULL) {
        *seen = http; /* the headers alone; anything but NULL */
        return MHD_YES;
    }
    if (is_allowed(http, connection)) {
        take_page(http, path, asks_verbose(connection), &answer);
    } else {
        set_answer(&answer, MHD_HTTP_FORBIDDEN, "this certificate may not look\n");
    }
    enum MHD_Result result = send_answer(connection, &answer);
    free(answer.copy);
    return result;
}

/* ---- start and stop ---- */

static bool is_loopback(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
        return ntohl(v4->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    return IN6_IS_ADDR_LOOPBACK(&((const struct sockaddr_in6 *)address)->sin6_addr);
}

/* Returns a listening socket, or -1. */
static int open_socket(struct env_http *http, struct sockaddr_storage *address)
{
    int one = 1;
    socklen_t size = sizeof(*address);
    int fd = socket(address->ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) == 0 &&
        bind(fd, (const struct sockaddr *)address, env_address_size(address)) == 0 &&
        listen(fd, BACKLOG) == 0 && getsockname(fd, (struct sockaddr *)address, &size) == 0) {
        env_address_format(address, http->address);
        return fd;
    }
    if (fd >= 0) {
        (void)close(fd);
    }
    return -1;
}

static struct MHD_Daemon *start_daemon(struct env_http *http, int fd)
{
    unsigned flags = MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_AUTO;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, http->tls.key},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, http->tls.certificate},
        {MHD_OPTION_HTTPS_MEM_TRUST, 0, http->tls.ca},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)HTTP_TLS_PRIORITIES},
        {MHD_OPTION_END, 0, NULL},
    };
    if (!http->secured) {
        tls[0].option = MHD_OPTION_END;
    }
    return MHD_start_daemon(http->secured ? flags | MHD_USE_TLS : flags, 0, NULL, NULL, on_call,
                            http, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_LIMIT,
                            (unsigned)CONNECTIONS_MAX, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            (size_t)CONNECTION_BYTES_MAX, MHD_OPTION_CONNECTION_TIMEOUT,
                            (unsigned)CONNECTION_TIMEOUT_S, MHD_OPTION_ARRAY, tls, MHD_OPTION_END);
}

static int start(struct env_http *http, const struct env_http_config *config, char *error,
                 size_t error_size)
{
    struct sockaddr_storage address;
    if (!env_address_parse(config->address, &address)) {
        snprintf(error, error_size, "%s: %s", config->address, env_error_text(ENV_ADDRESS));
        return ENV_ADDRESS;
    }
    if (!is_loopback(&address)) {
        int rc = env_http_tls_init(&http->tls, config->ca_path, config->certificate_path,
                                   config->key_path, config->callers, error, error_size);
        if (rc != ENV_OK) {
            return rc;
        }
        http->secured = true;
    }
    int fd = open_socket(http, &address);
    if (fd < 0) {
        snprintf(error, error_size, "cannot listen on %s", config->address);
        return ENV_FAILED;
    }
    http->daemon = start_daemon(http, fd);
    if (http->daemon == NULL) {
        (void)close(fd);
        snprintf(error, error_size, "cannot serve %s on %s", http->secured ? "HTTPS" : "HTTP",
                 config->address);
        return ENV_FAILED;
    }
    return ENV_OK;
}

int env_http_start(const struct env_http_config *config, char *error, size_t error_size,
                   struct env_http **ret_http)
{
    struct env_http *http = calloc(1, sizeof(*http));
    if (http == NULL || pthread_mutex_init(&http->lock, NULL) != 0) {
        free(http);
        snprintf(error, error_size, "out of memory");
        return ENV_FAILED;
    }
    int rc = start(http, config, error, error_size);
    if (rc != ENV_OK) {
        env_http_stop(http);
        return rc;
    }
    *ret_http = http;
    return ENV_OK;
}

void env_http_stop(struct env_http *http)
{
    if (http == NULL) {
        return;
    }
    if (http->daemon != NULL) {
        MHD_stop_daemon(http->daemon);
    }
    env_http_tls_done(&http->tls);
    for (size_t i = 0; i < http->page_count; i++) {
        free(http->pages[i].text);
    }
    (void)pthread_mutex_destroy(&http->lock);
    free(http);
}

const char *env_http_address(const struct env_http *http)
{
    return http->address;
}

/* ---- publishing: on the loop ---- */

static struct page *page_of(struct env_http *http, const struct env_http_page *wanted)
{
    for (size_t i = 0; i < http->page_count; i++) {
        struct page *page = &http->pages[i];
        if (page->verbose == wanted->verbose && strcmp(page->path, wanted->path) == 0) {
            return page;
        }
    }
    ASSERT(http->page_count < ENV_HTTP_PAGES_MAX);
    struct page *page = &http->pages[http->page_count++];
    page->path = wanted->path;
    page->verbose = wanted->verbose;
    return page;
}

void env_http_publish(struct env_http *http, const struct env_http_page *wanted)
{
    (void)pthread_mutex_lock(&http->lock);
    struct page *page = page_of(http, wanted);
    if (page->capacity < wanted->text.size) {
        char *text = realloc(page->text, wanted->text.size);
        page->capacity = text == NULL ? page->capacity : wanted->text.size;
        page->text = text == NULL ? page->text : text;
    }
    page->size = wanted->text.size <= page->capacity ? wanted->text.size : 0;
    if (page->size > 0) {
        memcpy(page->text, wanted->text.data, page->size);
    }
    page->status = wanted->status;
    page->stale_us = wanted->stale_us;
    page->published_us = now_us();
    (void)pthread_mutex_unlock(&http->lock);
}
