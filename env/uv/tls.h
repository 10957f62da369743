/* One identity loaded into OpenSSL, shared by the connections that use it. */
#ifndef ENV_UV_TLS_H
#define ENV_UV_TLS_H

#include "env/net.h"

#include <openssl/ssl.h>

struct env_tls {
    SSL_CTX *context;
    BIO_METHOD *out_method; /* stream.c: the write side of a connection is a buffer of ours */
    size_t users;           /* the creator, listeners, connections */
    char identity[ENV_IDENTITY_MAX];
};

struct env_tls *env_tls_hold(struct env_tls *tls);
void env_tls_release(struct env_tls *tls);

/* The one URI SAN of `certificate`, which begins with "tenure://" and is printable; NULL when it is
 * so, else what is wrong. `ret_identity` holds ENV_IDENTITY_MAX. */
const char *env_tls_read_identity(X509 *certificate, char *ret_identity);

/* tls_reason.c: one short phrase for a result of X509 verification. */
const char *env_tls_verify_text(long result);
/* tls_reason.c: why the last call on `ssl` failed, from OpenSSL's error queue, which it empties.
 * Returns the env error. */
int env_tls_reason(SSL *ssl, const char *alpn, char *ret_text, size_t text_size);

#endif
