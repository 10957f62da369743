/* Listening and accepting. A connection's handshake and life are in conn.c.
 *
 * While HANDSHAKES_MAX connections are not through their handshake, or the process is out of files,
 * nothing is accepted and the kernel's queue (BACKLOG) bounds what waits.
 */
#include "env/uv/listener.h"

#include "base/assert.h"
#include "env/log.h"
#include "env/uv/address.h"
#include "env/uv/conn.h"
#include "env/uv/internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HANDSHAKES_MAX = 256, BACKLOG = 256, ACCEPT_TURN_MAX = 64, REST_US = 100000 };

static void on_poll(uv_poll_t *poll, int status, int events);

static void watch(struct env_listener *listener)
{
    bool wanted = !listener->resting && listener->handshakes < HANDSHAKES_MAX;
    if (wanted == listener->watching) {
        return;
    }
    listener->watching = wanted;
    int rc = wanted ? uv_poll_start(&listener->poll, UV_READABLE, on_poll)
                    : uv_poll_stop(&listener->poll);
    ASSERT(rc == 0);
}

void env_listener_handshake_begun(struct env_listener *listener)
{
    listener->handshakes++;
    watch(listener);
}

void env_listener_handshake_over(struct env_listener *listener)
{
    ASSERT(listener->handshakes > 0);
    listener->handshakes--;
    watch(listener);
}

static void on_rested(void *arg)
{
    struct env_listener *listener = arg;
    listener->resting = false;
    watch(listener);
}

/* Accepting again at once would fail again at once, and the poll would report it again. */
static void rest(struct env_listener *listener, int error)
{
    env_log(listener->env, ENV_LOG_WARN, "net", "cannot accept connections now: %s",
            strerrordesc_np(error));
    listener->resting = true;
    env_timer_start(listener->timer, REST_US);
    watch(listener);
}

static bool is_transient(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EPROTO || error == ENETDOWN ||
           error == ENOPROTOOPT || error == EHOSTDOWN || error == ENONET || error == EHOSTUNREACH ||
           error == EOPNOTSUPP || error == ENETUNREACH;
}

/* False when there is nothing more to accept now. */
static bool accept_one(struct env_listener *listener)
{
    struct sockaddr_storage from;
    socklen_t size = sizeof(from);
    memset(&from, 0, sizeof(from));
    int fd = accept4(listener->fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno != EAGAIN && !is_transient(errno)) {
            rest(listener, errno);
        }
        return errno != EAGAIN && !listener->resting;
    }
    struct env_conn *conn = env_conn_accept(listener->env, fd, listener, listener->tls,
                                            listener->alpn, &from);
    if (conn == NULL) {
        rest(listener, ENOMEM);
        return false;
    }
    listener->on_accept(listener->arg, conn);
    ASSERT(conn->handlers.on_close != NULL || conn->state == CONN_CLOSED);
    return true;
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    (void)events;
    struct env_listener *listener = poll->data;
    listener->env->ran = true;
    if (status < 0) {
        listener->watching = false; /* libuv has stopped the poll */
        rest(listener, -status);
        return;
    }
    for (int i = 0; i < ACCEPT_TURN_MAX && listener->watching; i++) {
        if (!accept_one(listener)) {
            break;
        }
    }
}

static int open_socket(const char *address, int *ret_fd)
{
    struct sockaddr_storage at;
    if (!env_address_parse(address, &at)) {
        return ENV_ADDRESS;
    }
    int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return env_of_errno(errno);
    }
    int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (bind(fd, (const struct sockaddr *)&at, env_address_size(&at)) != 0 ||
        listen(fd, BACKLOG) != 0) {
        int rc = env_of_errno(errno);
        (void)close(fd);
        return rc;
    }
    *ret_fd = fd;
    return 0;
}

static void on_poll_closed(uv_handle_t *handle)
{
    free(handle->data);
}

static int start(struct env_listener *listener)
{
    listener->timer = env_timer_create(listener->env, on_rested, listener);
    if (listener->timer == NULL) {
        return ENV_LIMIT;
    }
    int rc = uv_poll_init(&listener->env->loop, &listener->poll, listener->fd);
    if (rc != 0) {
        env_timer_destroy(listener->timer);
        return env_of_errno(-rc);
    }
    listener->poll.data = listener;
    watch(listener);
    return 0;
}

int env_listen(struct env *env, const char *address, struct env_tls *tls, const char *alpn,
               env_accept_cb on_accept, void *arg, char *ret_address,
               struct env_listener **ret_listener)
{
    ASSERT(strlen(alpn) > 0 && strlen(alpn) < STREAM_ALPN_MAX);
    int fd = -1;
    int rc = open_socket(address, &fd);
    if (rc != 0) {
        return rc;
    }
    struct env_listener *listener = calloc(1, sizeof(*listener));
    rc = ENV_LIMIT;
    if (listener != NULL) {
        listener->env = env;
        listener->fd = fd;
        listener->on_accept = on_accept;
        listener->arg = arg;
        memcpy(listener->alpn, alpn, strlen(alpn) + 1);
        rc = start(listener);
    }
    if (rc != 0) {
        (void)close(fd);
        free(listener);
        return rc;
    }
    listener->tls = env_tls_hold(tls);
    list_append(&env->listeners, &listener->link);
    struct sockaddr_storage at;
    socklen_t size = sizeof(at);
    memset(&at, 0, sizeof(at));
    (void)getsockname(fd, (struct sockaddr *)&at, &size);
    env_address_format(&at, ret_address);
    *ret_listener = listener;
    return 0;
}

void env_listener_close(struct env_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    LIST_FOR_EACH(node, &listener->env->conns)
    {
        struct env_conn *conn = LIST_ENTRY(node, struct env_conn, link);
        if (conn->listener == listener) {
            conn->listener = NULL;
        }
    }
    listener->watching = false; /* when called from on_accept */
    list_remove(&listener->link);
    env_timer_destroy(listener->timer);
    env_tls_release(listener->tls);
    uv_close((uv_handle_t *)&listener->poll, on_poll_closed);
    (void)close(listener->fd);
}
