/* TLS over one non-blocking socket: handshake, sending, receiving. Knows no loop and no callbacks.
 *
 * What is to be sent waits as plain bytes, is encrypted into records as far as OUT_MAX allows, and
 * leaves in one system call a round: many small writes of a turn become one record.
 */
#ifndef ENV_UV_STREAM_H
#define ENV_UV_STREAM_H

#include "env/uv/buffer.h"
#include "env/uv/tls.h"

enum { STREAM_TEXT_MAX = 192, STREAM_ALPN_MAX = 64 };

enum stream_result {
    STREAM_DONE,   /* all that was asked for */
    STREAM_AGAIN,  /* the kernel cannot take or give more now */
    STREAM_END,    /* the other side has ended the connection in order */
    STREAM_FAILED, /* lost or refused: `rc` and `reason` say why */
};

struct env_stream {
    int fd;
    SSL *ssl;
    struct env_buffer plain; /* not yet encrypted */
    struct env_buffer out;   /* encrypted, not yet taken by the kernel */
    char alpn[STREAM_ALPN_MAX];
    int rc;
    char reason[STREAM_TEXT_MAX];
};

/* Takes `fd` (also on failure; may be -1 when `socket` failed). False: `rc` and `reason`. */
bool env_stream_init(struct env_stream *stream, int fd, struct env_tls *tls, bool is_server,
                     const char *alpn);
void env_stream_done(struct env_stream *stream);

/* Needs env_stream_send afterwards, whatever it returned: there may be an answer or an alert. */
enum stream_result env_stream_handshake(struct env_stream *stream);
/* After a handshake: the other side's identity; false: `rc` and `reason`. */
bool env_stream_identity(struct env_stream *stream, char *ret_identity);

/* At most one record. May leave something to send (a key update's answer). */
enum stream_result env_stream_read(struct env_stream *stream, void *buffer, size_t size,
                                   size_t *ret_size);
/* Something was received that env_stream_read has not given yet and no poll will report. */
bool env_stream_holds_input(const struct env_stream *stream);
/* Receives and drops, without TLS. STREAM_AGAIN while the other side has not ended. */
enum stream_result env_stream_discard(struct env_stream *stream);

/* Queues. False when out of memory. */
bool env_stream_write(struct env_stream *stream, struct bytes data);
/* STREAM_DONE when nothing is left. */
enum stream_result env_stream_send(struct env_stream *stream);
size_t env_stream_queued(const struct env_stream *stream);
/* Queues the "close notify" after all that was queued and encrypted before. */
void env_stream_end(struct env_stream *stream);

/* Records why; returns STREAM_FAILED. Keeps the first reason, but TLS's beats a lost socket's. */
enum stream_result env_stream_fail(struct env_stream *stream, int rc, const char *reason);
enum stream_result env_stream_fail_errno(struct env_stream *stream, int error);

/* For tls.c. */
BIO_METHOD *env_stream_out_method(void);
int env_stream_select_alpn(SSL *ssl, const unsigned char **ret_name, unsigned char *ret_size,
                           const unsigned char *offered, unsigned offered_size, void *arg);

#endif
