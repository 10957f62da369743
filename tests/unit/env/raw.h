/* A bare OpenSSL or TCP peer that may misbehave, driven between the turns of an env. */
#ifndef TESTS_UNIT_ENV_RAW_H
#define TESTS_UNIT_ENV_RAW_H

#include "tests/unit/env/place.h"

#include <openssl/ssl.h>

struct raw {
    int fd;
    SSL_CTX *context; /* the test may change it between raw_init and raw_begin */
    SSL *ssl;
    unsigned tickets;
    int failed; /* SSL_get_error of what ended it; 0 while it lives */
};

/* Verifies nobody, offers nothing, presents <name>.pem unless `name` is NULL. */
void raw_init(struct raw *raw, const struct place *place, const char *name, const char *alpn);
/* A TCP connection to `address`, non-blocking. */
int raw_connect(const char *address);
/* A listening TCP socket; `ret_address` of ENV_ADDRESS_MAX. */
int raw_listen(char *ret_address);
/* Takes `fd`, a connected socket. */
void raw_begin(struct raw *raw, int fd, bool is_server);
/* Goes on with the handshake, then reads and drops. */
void raw_step(struct raw *raw);
void raw_done(struct raw *raw);

#endif
