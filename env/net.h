/* Authenticated connections: TLS 1.3, mutual, private CA, identity from the certificate's URI SAN.
 *
 * No plain connection exists. A connection delivers bytes in order or is lost; it never delivers
 * part of a later write before an earlier one. Callbacks never run inside the call that caused
 * them.
 */
#ifndef ENV_NET_H
#define ENV_NET_H

#include "env/env.h"

/* One identity: CA, certificate and key, as PEM files. */
struct env_tls;

/* Loads and checks (the key fits the certificate, the CA signed it, it is in its time, it has one
 * URI SAN). On failure `error` (of `error_size`) says in one line what is wrong with which file. */
int env_tls_create(struct env *env, const char *ca_path, const char *certificate_path,
                   const char *key_path, char *error, size_t error_size, struct env_tls **ret_tls);
void env_tls_destroy(struct env_tls *tls);
/* Our own URI SAN: "tenure://<cluster>/<tenant>/<role>/<name>". Lives as long as the tls. */
const char *env_tls_identity(const struct env_tls *tls);

enum { ENV_IDENTITY_MAX = 512, ENV_ADDRESS_MAX = 128 };

struct env_conn;
struct env_conn_handlers {
    /* The handshake is done; `identity` is the other side's URI SAN, verified against the CA. */
    void (*on_open)(void *arg, struct env_conn *conn, const char *identity);
    /* Borrows `data` for the call. */
    void (*on_data)(void *arg, struct env_conn *conn, struct bytes data);
    /* The queue of unsent bytes fell to zero after having been non-zero. May be NULL. */
    void (*on_drain)(void *arg, struct env_conn *conn);
    /* The last callback, exactly once, also after env_conn_close; `rc` says why, `detail` is one
     * line for a person (never NULL). The connection is freed when it returns. */
    void (*on_close)(void *arg, struct env_conn *conn, int rc, const char *detail);
};

/* "host:port" or "[v6]:port", numeric. Connects in the background; success is on_open, failure is
 * on_close. Copies the handlers. Returns NULL when the address is unusable. `alpn` names the
 * protocol ("tenure/1" for clients, "tenure-peer/1" for peers); both sides must agree. */
struct env_conn *env_connect(struct env *env, const char *address, struct env_tls *tls,
                             const char *alpn, const struct env_conn_handlers *handlers, void *arg);
/* Copies `data` into the connection's queue. Ignored after close. */
void env_conn_write(struct env_conn *conn, struct bytes data);
/* Bytes queued and not yet taken by the kernel: what back-pressure is decided by. */
size_t env_conn_queued(const struct env_conn *conn);
/* Stops and resumes delivery of on_data (back-pressure towards the sender). */
void env_conn_pause(struct env_conn *conn, bool paused);
/* Sends what is queued for a bounded time when `flush`, then closes; on_close follows. */
void env_conn_close(struct env_conn *conn, bool flush);
void env_conn_set_arg(struct env_conn *conn, void *arg);
/* The other side's address, for logs. */
const char *env_conn_address(const struct env_conn *conn);

struct env_listener;
/* `on_accept` gives a connection before its handshake; the callee calls env_conn_adopt in it (or
 * env_conn_close). */
typedef void (*env_accept_cb)(void *arg, struct env_conn *conn);
/* Port 0 picks a free one; `ret_address` (ENV_ADDRESS_MAX) gets the address in use. Bounds the
 * number of connections that are not yet through their handshake. */
int env_listen(struct env *env, const char *address, struct env_tls *tls, const char *alpn,
               env_accept_cb on_accept, void *arg, char *ret_address,
               struct env_listener **ret_listener);
void env_conn_adopt(struct env_conn *conn, const struct env_conn_handlers *handlers, void *arg);
/* No further on_accept. Connections already accepted live on. */
void env_listener_close(struct env_listener *listener);

#endif
