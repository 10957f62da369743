/* A folder, certificates and bounded waits for the tests of env. Holds no test of its own. */
#include "tests/unit/env/place.h"

#include "env/clock.h"
#include "env/crypto.h"
#include "env/loop.h"

#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

enum { CA_DAYS = 30, LEAF_DAYS = 10, TURN_US = 100000, US_PER_S = 1000000 };

void place_init(struct place *place)
{
    const char *temporary = getenv("TMPDIR");
    int size = snprintf(place->folder, sizeof(place->folder), "%s/tenure-env-XXXXXX",
                        temporary == NULL ? "/tmp" : temporary);
    assert_in_range(size, 1, sizeof(place->folder) - 1);
    assert_non_null(mkdtemp(place->folder));
    (void)signal(SIGPIPE, SIG_IGN); /* a reader of our output who leaves does not end us here */
    assert_int_equal(env_uv_create(&place->env), 0);
}

static int remove_one(const char *path, const struct stat *stat, int kind, struct FTW *walk)
{
    (void)stat;
    (void)kind;
    (void)walk;
    (void)remove(path);
    return 0;
}

void place_done(struct place *place)
{
    env_uv_destroy(place->env);
    assert_int_equal(nftw(place->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
    assert_int_not_equal(access(place->folder, F_OK), 0);
}

char *place_path(const struct place *place, const char *name, char *ret_path)
{
    int size = snprintf(ret_path, PLACE_PATH_MAX, "%s/%s", place->folder, name);
    assert_in_range(size, 1, PLACE_PATH_MAX - 1);
    return ret_path;
}

void place_write(const struct place *place, const char *name, const char *text)
{
    char path[PLACE_PATH_MAX];
    FILE *file = fopen(place_path(place, name, path), "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

void place_read(const struct place *place, const char *name, char *ret_text, size_t size_max)
{
    char path[PLACE_PATH_MAX];
    FILE *file = fopen(place_path(place, name, path), "r");
    assert_non_null(file);
    size_t size = fread(ret_text, 1, size_max - 1, file);
    ret_text[size] = '\0';
    (void)fclose(file);
}

static void write_pair(const struct place *place, const char *name, const char *suffix,
                       const char *certificate, const char *key)
{
    char file[64];
    (void)snprintf(file, sizeof(file), "%s.%s", name, suffix);
    place_write(place, file, certificate);
    (void)snprintf(file, sizeof(file), "%s.%s", name, strcmp(suffix, "ca") == 0 ? "ca.key" : "key");
    place_write(place, file, key);
}

void place_make_ca(const struct place *place, const char *name)
{
    char certificate[ENV_PEM_MAX];
    char key[ENV_PEM_MAX];
    assert_int_equal(env_pki_ca(name, CA_DAYS, certificate, key), 0);
    write_pair(place, name, "ca", certificate, key);
}

static void read_ca(const struct place *place, const char *ca, char *ret_certificate, char *ret_key)
{
    char file[64];
    (void)snprintf(file, sizeof(file), "%s.ca", ca);
    place_read(place, file, ret_certificate, ENV_PEM_MAX);
    (void)snprintf(file, sizeof(file), "%s.ca.key", ca);
    place_read(place, file, ret_key, ENV_PEM_MAX);
}

void place_issue(const struct place *place, const char *ca, const char *name, const char *identity)
{
    char ca_certificate[ENV_PEM_MAX];
    char ca_key[ENV_PEM_MAX];
    char certificate[ENV_PEM_MAX];
    char key[ENV_PEM_MAX];
    read_ca(place, ca, ca_certificate, ca_key);
    assert_int_equal(env_pki_issue(ca_certificate, ca_key, identity, LEAF_DAYS, certificate, key),
                     0);
    write_pair(place, name, "pem", certificate, key);
}

static EVP_PKEY *read_ca_key(const struct place *place, const char *ca)
{
    char certificate[ENV_PEM_MAX];
    char pem[ENV_PEM_MAX];
    read_ca(place, ca, certificate, pem);
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(key);
    return key;
}

void place_alter(const struct place *place, const char *ca, const char *name,
                 void (*alter)(X509 *certificate))
{
    char file[64];
    char path[PLACE_PATH_MAX];
    EVP_PKEY *key = read_ca_key(place, ca);
    (void)snprintf(file, sizeof(file), "%s.pem", name);
    FILE *in = fopen(place_path(place, file, path), "r");
    assert_non_null(in);
    X509 *leaf = PEM_read_X509(in, NULL, NULL, NULL);
    (void)fclose(in);
    assert_non_null(leaf);
    alter(leaf);
    assert_true(X509_sign(leaf, key, EVP_sha256()) > 0);
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    assert_int_equal(PEM_write_X509(out, leaf), 1);
    (void)fclose(out);
    X509_free(leaf);
    EVP_PKEY_free(key);
}

struct env_tls *place_tls(const struct place *place, const char *ca, const char *name)
{
    char ca_path[PLACE_PATH_MAX];
    char certificate[PLACE_PATH_MAX];
    char key[PLACE_PATH_MAX];
    char file[64];
    char error[256] = "";
    (void)snprintf(file, sizeof(file), "%s.ca", ca);
    place_path(place, file, ca_path);
    (void)snprintf(file, sizeof(file), "%s.pem", name);
    place_path(place, file, certificate);
    (void)snprintf(file, sizeof(file), "%s.key", name);
    place_path(place, file, key);
    struct env_tls *tls = NULL;
    (void)env_tls_create(place->env, ca_path, certificate, key, error, sizeof(error), &tls);
    assert_string_equal(error, "");
    assert_non_null(tls);
    return tls;
}

void place_wait(struct place *place, const bool *condition, unsigned seconds)
{
    uint64_t until = env_mono_us(place->env) + (uint64_t)seconds * US_PER_S;
    while (!*condition) {
        assert_true(env_mono_us(place->env) < until);
        env_turn(place->env, TURN_US);
    }
}
