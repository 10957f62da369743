/* TLS over one non-blocking socket. Knows no loop: its caller polls and calls again. */
#include "env/uv/stream.h"

#include "base/assert.h"
#include "env/uv/internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

/* Encrypted bytes that wait for the kernel: eight full records. */
enum { OUT_MAX = 8 * 16384, DISCARD_MAX = 256 * 1024 };

enum stream_result env_stream_fail(struct env_stream *stream, int rc, const char *reason)
{
    if (stream->rc == 0 || (rc == ENV_TLS && stream->rc != ENV_TLS)) {
        stream->rc = rc;
        (void)snprintf(stream->reason, sizeof(stream->reason), "%s", reason);
    }
    return STREAM_FAILED;
}

enum stream_result env_stream_fail_errno(struct env_stream *stream, int error)
{
    int rc = env_of_errno(error);
    bool lost = rc == ENV_RESET && error != ETIMEDOUT;
    return env_stream_fail(stream, rc, lost ? "connection lost" : strerrordesc_np(error));
}

/* ---- the write side of the SSL is stream.out ---- */

static int out_write(BIO *bio, const char *data, int size)
{
    struct env_stream *stream = BIO_get_data(bio);
    return size > 0 && env_buffer_append(&stream->out, bytes_of(data, (size_t)size)) ? size : -1;
}

static long out_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

BIO_METHOD *env_stream_out_method(void)
{
    BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "tenure buffer");
    if (method != NULL) {
        (void)BIO_meth_set_write(method, out_write);
        (void)BIO_meth_set_ctrl(method, out_control);
    }
    return method;
}

/* ---- ALPN ---- */

int env_stream_select_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                           const unsigned char *offered, unsigned offered_size, void *arg)
{
    (void)arg;
    const struct env_stream *stream = SSL_get_app_data(ssl);
    size_t wanted = strlen(stream->alpn);
    for (unsigned at = 0; at < offered_size;) {
        unsigned size = offered[at];
        if (size > offered_size - at - 1) {
            break;
        }
        if (size == wanted && memcmp(offered + at + 1, stream->alpn, wanted) == 0) {
            *ret_name = offered + at + 1;
            *ret_size = (unsigned char)size;
            return SSL_TLSEXT_ERR_OK;
        }
        at += size + 1;
    }
    return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool offer_alpn(struct env_stream *stream)
{
    unsigned char list[1 + STREAM_ALPN_MAX];
    size_t size = strlen(stream->alpn);
    list[0] = (unsigned char)size;
    memcpy(list + 1, stream->alpn, size);
    return SSL_set_alpn_protos(stream->ssl, list, (unsigned)size + 1) == 0;
}

static bool alpn_agreed(const struct env_stream *stream)
{
    const unsigned char *name = NULL;
    unsigned size = 0;
    SSL_get0_alpn_selected(stream->ssl, &name, &size);
    return size == strlen(stream->alpn) && memcmp(name, stream->alpn, size) == 0;
}

/* ---- life ---- */

static bool create_ssl(struct env_stream *stream, struct env_tls *tls)
{
    stream->ssl = SSL_new(tls->context);
    BIO *in = BIO_new_socket(stream->fd, BIO_NOCLOSE);
    BIO *out = BIO_new(tls->out_method);
    if (stream->ssl == NULL || in == NULL || out == NULL) {
        (void)BIO_free(in);
        (void)BIO_free(out);
        ERR_clear_error();
        return false;
    }
    BIO_set_data(out, stream);
    BIO_set_init(out, 1);
    SSL_set_bio(stream->ssl, in, out);
    (void)SSL_set_app_data(stream->ssl, stream);
    return true;
}

bool env_stream_init(struct env_stream *stream, int fd, struct env_tls *tls, bool is_server,
                     const char *alpn)
{
    *stream = (struct env_stream){.fd = fd};
    ASSERT(strlen(alpn) > 0 && strlen(alpn) < sizeof(stream->alpn));
    memcpy(stream->alpn, alpn, strlen(alpn) + 1);
    if (fd < 0) {
        (void)env_stream_fail_errno(stream, errno);
        return false;
    }
    if (!create_ssl(stream, tls) || (!is_server && !offer_alpn(stream))) {
        (void)env_stream_fail(stream, ENV_LIMIT, "no memory for TLS");
        return false;
    }
    if (is_server) {
        SSL_set_accept_state(stream->ssl);
    } else {
        SSL_set_connect_state(stream->ssl);
    }
    return true;
}

void env_stream_done(struct env_stream *stream)
{
    SSL_free(stream->ssl);
    stream->ssl = NULL;
    env_buffer_done(&stream->plain);
    env_buffer_done(&stream->out);
    if (stream->fd >= 0) {
        (void)close(stream->fd);
        stream->fd = -1;
    }
}

/* ---- receiving ---- */

/* What the last call on the SSL, which returned `returned`, means. */
static enum stream_result judge(struct env_stream *stream, int returned)
{
    int error = errno;
    switch (SSL_get_error(stream->ssl, returned)) {
    case SSL_ERROR_NONE:
        return STREAM_DONE;
    case SSL_ERROR_WANT_READ:
        return STREAM_AGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return STREAM_END;
    case SSL_ERROR_SYSCALL:
        if (error == 0) {
            return env_stream_fail(stream, ENV_RESET, "connection lost");
        }
        return env_stream_fail_errno(stream, error);
    default: {
        char text[STREAM_TEXT_MAX];
        int rc = env_tls_reason(stream->ssl, stream->alpn, text, sizeof(text));
        return env_stream_fail(stream, rc, text);
    }
    }
}

enum stream_result env_stream_handshake(struct env_stream *stream)
{
    ERR_clear_error();
    errno = 0;
    enum stream_result result = judge(stream, SSL_do_handshake(stream->ssl));
    if (result == STREAM_END) {
        return env_stream_fail(stream, ENV_RESET, "connection closed during the handshake");
    }
    if (result == STREAM_DONE && !alpn_agreed(stream)) {
        char text[STREAM_TEXT_MAX];
        (void)snprintf(text, sizeof(text), "no ALPN %s", stream->alpn);
        return env_stream_fail(stream, ENV_TLS, text);
    }
    return result;
}

bool env_stream_identity(struct env_stream *stream, char *ret_identity)
{
    X509 *certificate = SSL_get0_peer_certificate(stream->ssl);
    const char *wrong = certificate != NULL ? env_tls_read_identity(certificate, ret_identity)
                                            : "no certificate";
    ERR_clear_error();
    if (wrong != NULL) {
        (void)env_stream_fail(stream, ENV_TLS, wrong);
    }
    return wrong == NULL;
}

enum stream_result env_stream_read(struct env_stream *stream, void *buffer, size_t size,
                                   size_t *ret_size)
{
    ERR_clear_error();
    errno = 0;
    return judge(stream, SSL_read_ex(stream->ssl, buffer, size, ret_size));
}

bool env_stream_holds_input(const struct env_stream *stream)
{
    return SSL_has_pending(stream->ssl) == 1;
}

enum stream_result env_stream_discard(struct env_stream *stream)
{
    char dropped[4096];
    for (size_t total = 0; total < DISCARD_MAX;) {
        ssize_t got = recv(stream->fd, dropped, sizeof(dropped), 0);
        if (got == 0) {
            return STREAM_END;
        }
        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            return STREAM_AGAIN;
        }
        if (got < 0) {
            return env_stream_fail_errno(stream, errno);
        }
        total += (size_t)got;
    }
    return STREAM_AGAIN;
}

/* ---- sending ---- */

bool env_stream_write(struct env_stream *stream, struct bytes data)
{
    return env_buffer_append(&stream->plain, data);
}

size_t env_stream_queued(const struct env_stream *stream)
{
    return env_buffer_size(&stream->plain) + env_buffer_size(&stream->out);
}

static enum stream_result encrypt(struct env_stream *stream)
{
    while (env_buffer_size(&stream->plain) > 0 && env_buffer_size(&stream->out) < OUT_MAX &&
           SSL_is_init_finished(stream->ssl)) {
        struct bytes next = env_buffer_view(&stream->plain);
        size_t room = OUT_MAX - env_buffer_size(&stream->out);
        size_t written = 0;
        ERR_clear_error();
        errno = 0;
        enum stream_result result = judge(
            stream,
            SSL_write_ex(stream->ssl, next.data, next.size < room ? next.size : room, &written));
        if (result != STREAM_DONE) {
            return STREAM_FAILED;
        }
        env_buffer_take(&stream->plain, written);
    }
    return STREAM_DONE;
}

enum stream_result env_stream_send(struct env_stream *stream)
{
    for (;;) {
        enum stream_result result = encrypt(stream);
        if (result != STREAM_DONE) {
            return result;
        }
        struct bytes next = env_buffer_view(&stream->out);
        if (next.size == 0) {
            return STREAM_DONE;
        }
        ssize_t put = send(stream->fd, next.data, next.size, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR) {
            continue;
        }
        if (put < 0) {
            return errno == EAGAIN ? STREAM_AGAIN : env_stream_fail_errno(stream, errno);
        }
        env_buffer_take(&stream->out, (size_t)put);
        if ((size_t)put < next.size) {
            return STREAM_AGAIN;
        }
    }
}

void env_stream_end(struct env_stream *stream)
{
    ERR_clear_error();
    if (SSL_is_init_finished(stream->ssl)) {
        (void)SSL_shutdown(stream->ssl);
    }
    ERR_clear_error();
}
