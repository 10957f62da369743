/* Simulated certificates: lines of text in files. Nothing is signed, names alone are compared.
 *
 *   CA            simulated-ca NAME
 *   certificate   simulated-certificate CA IDENTITY UNTIL
 *   key           simulated-key CA IDENTITY
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/clock.h"
#include "env/disk.h"
#include "env/sim/conn.h"

enum { WORDS_MAX = 5, TEXT_MAX = 1024 };

struct words {
    size_t count;
    char *at[WORDS_MAX];
    char text[TEXT_MAX];
};

static int write_line(struct sim_host *host, const char *path, const char *line)
{
    return sim_disk_write(host, path, bytes_of(line, strlen(line)));
}

int sim_ca_write(struct sim_host *host, const char *path, const char *ca_name)
{
    char line[TEXT_MAX];
    (void)snprintf(line, sizeof(line), "simulated-ca %s\n", ca_name);
    return write_line(host, path, line);
}

int sim_certificate_write_until(struct sim_host *host, const char *path, const char *ca_name,
                                const char *identity, uint64_t until_us)
{
    char line[TEXT_MAX];
    (void)snprintf(line, sizeof(line), "simulated-certificate %s %s %llu\n", ca_name, identity,
                   (unsigned long long)until_us);
    return write_line(host, path, line);
}

int sim_certificate_write(struct sim_host *host, const char *path, const char *ca_name,
                          const char *identity)
{
    return sim_certificate_write_until(host, path, ca_name, identity, UINT64_MAX);
}

int sim_key_write(struct sim_host *host, const char *path, const char *ca_name,
                  const char *identity)
{
    char line[TEXT_MAX];
    (void)snprintf(line, sizeof(line), "simulated-key %s %s\n", ca_name, identity);
    return write_line(host, path, line);
}

/* ---- reading ---- */

static int read_text(struct env *env, const char *path, char *text, size_t size)
{
    struct env_file *file;
    size_t got = 0;
    int rc = env_file_open(env, path, ENV_OPEN_READ, &file);
    if (rc != 0) {
        return rc;
    }
    rc = env_file_read(file, 0, text, size - 1, &got);
    text[got] = '\0';
    env_file_close(file);
    return rc;
}

static void split(struct words *words)
{
    char *at = words->text;
    words->count = 0;
    for (at += strspn(at, " \n"); *at != '\0' && words->count < WORDS_MAX;
         at += strspn(at, " \n")) {
        words->at[words->count++] = at;
        at += strcspn(at, " \n");
        if (*at != '\0') {
            *at++ = '\0';
        }
    }
}

struct complaint {
    char *text;
    size_t size;
};

static int complain(struct complaint complaint, int rc, const char *path, const char *what)
{
    (void)snprintf(complaint.text, complaint.size, "%s: %s", path, what);
    return rc;
}

/* The words of a file of the given kind. */
static int read_words(struct env *env, const char *path, const char *kind, size_t count,
                      struct words *ret_words, struct complaint complaint)
{
    int rc = read_text(env, path, ret_words->text, sizeof(ret_words->text));
    if (rc != 0) {
        return complain(complaint, rc, path, env_error_text(rc));
    }
    split(ret_words);
    if (ret_words->count != count || strcmp(ret_words->at[0], kind) != 0) {
        char what[64];
        (void)snprintf(what, sizeof(what), "is not a %s", kind);
        return complain(complaint, ENV_TLS, path, what);
    }
    return 0;
}

static struct env_tls *tls_of(struct env *env, const struct words *certificate)
{
    struct env_tls *tls = sim_alloc(sizeof(*tls));
    list_append(&env->handles.tls, &tls->link);
    tls->references = 1;
    tls->until_us = strtoull(certificate->at[3], NULL, 10);
    (void)snprintf(tls->ca, sizeof(tls->ca), "%s", certificate->at[1]);
    (void)snprintf(tls->identity, sizeof(tls->identity), "%s", certificate->at[2]);
    return tls;
}

int env_tls_create(struct env *env, const char *ca_path, const char *certificate_path,
                   const char *key_path, char *error, size_t error_size, struct env_tls **ret_tls)
{
    struct complaint complaint = {error, error_size};
    struct words ca;
    struct words certificate;
    struct words key;
    int rc = read_words(env, ca_path, "simulated-ca", 2, &ca, complaint);
    if (rc == 0) {
        rc = read_words(env, certificate_path, "simulated-certificate", 4, &certificate, complaint);
    }
    if (rc == 0) {
        rc = read_words(env, key_path, "simulated-key", 3, &key, complaint);
    }
    if (rc != 0) {
        return rc;
    }
    if (strcmp(certificate.at[1], ca.at[1]) != 0) {
        return complain(complaint, ENV_TLS, certificate_path, "is not signed by the CA");
    }
    if (strcmp(key.at[1], certificate.at[1]) != 0 || strcmp(key.at[2], certificate.at[2]) != 0) {
        return complain(complaint, ENV_TLS, key_path, "does not fit the certificate");
    }
    struct env_tls *tls = tls_of(env, &certificate);
    if (env_wall_us(env) >= tls->until_us) {
        env_tls_destroy(tls);
        return complain(complaint, ENV_TLS, certificate_path, "has expired");
    }
    *ret_tls = tls;
    return 0;
}

void sim_tls_hold(struct env_tls *tls)
{
    tls->references++;
}

void sim_tls_release(struct env_tls *tls)
{
    if (tls != NULL && --tls->references == 0) {
        free(tls);
    }
}

void env_tls_destroy(struct env_tls *tls)
{
    if (tls != NULL) {
        list_remove(&tls->link);
        sim_tls_release(tls);
    }
}

void sim_tls_free(struct env *env)
{
    LIST_FOR_EACH_SAFE(node, following, &env->handles.tls)
    {
        env_tls_destroy(LIST_ENTRY(node, struct env_tls, link));
    }
}

const char *env_tls_identity(const struct env_tls *tls)
{
    return tls->identity;
}
