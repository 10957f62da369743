/* A listening socket and its count of handshakes. */
#ifndef ENV_UV_LISTENER_H
#define ENV_UV_LISTENER_H

#include "base/list.h"
#include "env/clock.h"
#include "env/net.h"
#include "env/uv/stream.h"

#include <uv.h>

struct env_listener {
    struct env *env;
    struct list link;
    int fd;
    uv_poll_t poll;
    bool watching;
    bool resting; /* out of files: waits for the timer */
    unsigned handshakes;
    struct env_timer *timer;
    struct env_tls *tls;
    char alpn[STREAM_ALPN_MAX];
    env_accept_cb on_accept;
    void *arg;
};

/* Called by connections that it accepted. */
void env_listener_handshake_begun(struct env_listener *listener);
void env_listener_handshake_over(struct env_listener *listener);

#endif
