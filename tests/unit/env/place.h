/* What the tests of env share: a folder of their own, certificates in it, a bounded wait. */
#ifndef TESTS_UNIT_ENV_PLACE_H
#define TESTS_UNIT_ENV_PLACE_H

#include "env/net.h"
#include "env/uv/uv.h"

#include <openssl/x509.h>

/* A new folder and an env; both go with place_done. */
struct place {
    struct env *env;
    char folder[64];
};

void place_init(struct place *place);
void place_done(struct place *place);

enum { PLACE_PATH_MAX = 128 };

/* "<folder>/<name>" into `ret_path` of PLACE_PATH_MAX; returns it. */
char *place_path(const struct place *place, const char *name, char *ret_path);
void place_write(const struct place *place, const char *name, const char *text);
void place_read(const struct place *place, const char *name, char *ret_text, size_t size_max);

/* Writes <name>.ca and <name>.ca.key. */
void place_make_ca(const struct place *place, const char *name);
/* Writes <name>.pem and <name>.key, signed by <ca>.ca. */
void place_issue(const struct place *place, const char *ca, const char *name, const char *identity);
/* Lets `alter` change <name>.pem and signs it anew with <ca>.ca: for what
 * no issuer of ours writes. */
void place_alter(const struct place *place, const char *ca, const char *name,
                 void (*alter)(X509 *certificate));
/* Loads <ca>.ca, <name>.pem and <name>.key; fails the test when that is refused. */
struct env_tls *place_tls(const struct place *place, const char *ca, const char *name);

/* Turns until `*condition` holds; fails the test after `seconds`. */
void place_wait(struct place *place, const bool *condition, unsigned seconds);

#endif
