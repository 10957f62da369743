/* A bare OpenSSL or TCP peer. Follows none of the rules of env/net.h. */
#include "tests/unit/env/raw.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <openssl/err.h>

static int on_ticket(SSL *ssl, SSL_SESSION *session)
{
    (void)session;
    struct raw *raw = SSL_get_app_data(ssl);
    raw->tickets++;
    return 0;
}

static void set_alpn(struct raw *raw, const char *alpn)
{
    unsigned char list[64];
    size_t size = strlen(alpn);
    assert_in_range(size, 1, sizeof(list) - 1);
    list[0] = (unsigned char)size;
    memcpy(list + 1, alpn, size);
    assert_int_equal(SSL_CTX_set_alpn_protos(raw->context, list, (unsigned)size + 1), 0);
}

void raw_init(struct raw *raw, const struct place *place, const char *name, const char *alpn)
{
    env_uv_on_signal(place->env, SIGPIPE, NULL, NULL); /* OpenSSL's own sockets raise it */
    *raw = (struct raw){.fd = -1, .context = SSL_CTX_new(TLS_method())};
    assert_non_null(raw->context);
    (void)SSL_CTX_set_session_cache_mode(raw->context, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(raw->context, on_ticket);
    if (alpn != NULL) {
        set_alpn(raw, alpn);
    }
    if (name != NULL) {
        char file[64];
        char path[PLACE_PATH_MAX];
        (void)snprintf(file, sizeof(file), "%s.pem", name);
        place_path(place, file, path);
        assert_int_equal(SSL_CTX_use_certificate_file(raw->context, path, SSL_FILETYPE_PEM), 1);
        (void)snprintf(file, sizeof(file), "%s.key", name);
        place_path(place, file, path);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(raw->context, path, SSL_FILETYPE_PEM), 1);
    }
}

int raw_connect(const char *address)
{
    struct sockaddr_in to = {.sin_family = AF_INET};
    const char *port = strrchr(address, ':');
    to.sin_port = htons((uint16_t)atoi(port + 1));
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
    assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
    return fd;
}

int raw_listen(char *ret_address)
{
    struct sockaddr_in at = {.sin_family = AF_INET};
    socklen_t size = sizeof(at);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at, size), 0);
    assert_int_equal(listen(fd, 4), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &size), 0);
    (void)snprintf(ret_address, ENV_ADDRESS_MAX, "127.0.0.1:%u", ntohs(at.sin_port));
    return fd;
}

void raw_begin(struct raw *raw, int fd, bool is_server)
{
    raw->fd = fd;
    raw->ssl = SSL_new(raw->context);
    assert_non_null(raw->ssl);
    assert_int_equal(SSL_set_fd(raw->ssl, fd), 1);
    (void)SSL_set_app_data(raw->ssl, raw);
    if (is_server) {
        SSL_set_accept_state(raw->ssl);
    } else {
        SSL_set_connect_state(raw->ssl);
    }
}

void raw_step(struct raw *raw)
{
    char dropped[4096];
    if (raw->ssl == NULL || raw->failed != 0) {
        return;
    }
    ERR_clear_error();
    int returned = SSL_read(raw->ssl, dropped, sizeof(dropped));
    int error = SSL_get_error(raw->ssl, returned);
    if (error != SSL_ERROR_NONE && error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
        raw->failed = error;
    }
    ERR_clear_error();
}

void raw_done(struct raw *raw)
{
    SSL_free(raw->ssl);
    SSL_CTX_free(raw->context);
    if (raw->fd >= 0) {
        (void)close(raw->fd);
    }
}
