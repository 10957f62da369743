/* TLS of the HTTP port, by the TLS library that the HTTP library is made with. */
#ifndef ENV_UV_HTTP_TLS_H
#define ENV_UV_HTTP_TLS_H

#include "env/net.h"

enum { HTTP_CALLERS_MAX = 4 };

/* TLS 1.3 and nothing else, in the library's notation. */
#define HTTP_TLS_PRIORITIES "SECURE128:-VERS-ALL:+VERS-TLS1.3"

struct http_tls {
    char *ca; /* PEM texts */
    char *certificate;
    char *key;
    char callers[HTTP_CALLERS_MAX][ENV_IDENTITY_MAX]; /* what an identity has to begin with */
    size_t caller_count;
};

/* Reads the files. On failure `error` has one line, and nothing is left to free. */
int env_http_tls_init(struct http_tls *tls, const char *ca_path, const char *certificate_path,
                      const char *key_path, const char *const *callers, char *error,
                      size_t error_size);
/* Wipes the key. */
void env_http_tls_done(struct http_tls *tls);
/* Is the other side of this session (a gnutls_session_t) one of the callers? */
bool env_http_tls_allows(const struct http_tls *tls, void *session);

#endif
