/* Who may call the HTTP port: a certificate of our CA, for a client, with one name that is allowed.
 */
#include "env/uv/http_tls.h"

#include "env/crypto.h"

#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PEM_FILE_MAX = 256 * 1024 };

/* ---- files ---- */

/* Returns owned, zero-terminated; NULL: `error` says why. */
static char *read_file(const char *path, char *error, size_t error_size)
{
    FILE *file = fopen(path, "re");
    char *text = file == NULL ? NULL : malloc(PEM_FILE_MAX);
    size_t size = 0;
    if (text != NULL) {
        size = fread(text, 1, PEM_FILE_MAX - 1, file);
        text[size] = '\0';
    }
    bool failed = text == NULL || ferror(file) != 0 || feof(file) == 0;
    if (file != NULL) {
        (void)fclose(file);
    }
    if (failed) {
        snprintf(error, error_size, "%s: cannot be read", path);
        if (text != NULL) {
            env_wipe(text, size);
        }
        free(text);
        return NULL;
    }
    return text;
}

/* ---- names ---- */

/* The one URI name of a certificate. */
static bool identity_of(gnutls_x509_crt_t certificate, char ret_identity[ENV_IDENTITY_MAX])
{
    unsigned found = 0;
    for (unsigned i = 0;; i++) {
        char name[ENV_IDENTITY_MAX];
        size_t size = sizeof(name) - 1;
        int kind = gnutls_x509_crt_get_subject_alt_name(certificate, i, name, &size, NULL);
        if (kind == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE) {
            return found == 1;
        }
        if (kind < 0) {
            return false; /* too long among others */
        }
        if (kind == GNUTLS_SAN_URI) {
            if (memchr(name, '\0', size) != NULL) {
                return false;
            }
            memcpy(ret_identity, name, size);
            ret_identity[size] = '\0';
            found++;
        }
    }
}

static bool identity_of_der(const gnutls_datum_t *data, gnutls_x509_crt_fmt_t format,
                            char ret_identity[ENV_IDENTITY_MAX])
{
    gnutls_x509_crt_t certificate;
    if (gnutls_x509_crt_init(&certificate) != GNUTLS_E_SUCCESS) {
        return false;
    }
    bool ok = gnutls_x509_crt_import(certificate, data, format) == GNUTLS_E_SUCCESS &&
              identity_of(certificate, ret_identity);
    gnutls_x509_crt_deinit(certificate);
    return ok;
}

/* "tenure://prod/" of our own certificate, then each of `callers`. */
static bool take_callers(struct http_tls *tls, const char *const *callers)
{
    static const char scheme[] = "tenure://";
    char own[ENV_IDENTITY_MAX];
    gnutls_datum_t pem = {(unsigned char *)tls->certificate, (unsigned)strlen(tls->certificate)};
    if (!identity_of_der(&pem, GNUTLS_X509_FMT_PEM, own) ||
        strncmp(own, scheme, sizeof(scheme) - 1) != 0) {
        return false;
    }
    const char *slash = strchr(own + sizeof(scheme) - 1, '/');
    if (slash == NULL) {
        return false;
    }
    int cluster = (int)(slash + 1 - own);
    for (size_t i = 0; callers[i] != NULL && i < HTTP_CALLERS_MAX; i++) {
        int size = snprintf(tls->callers[i], ENV_IDENTITY_MAX, "%.*s%s", cluster, own, callers[i]);
        if (size >= ENV_IDENTITY_MAX) {
            return false;
        }
        tls->caller_count = i + 1;
    }
    return tls->caller_count > 0;
}

int env_http_tls_init(struct http_tls *tls, const char *ca_path, const char *certificate_path,
                      const char *key_path, const char *const *callers, char *error,
                      size_t error_size)
{
    memset(tls, 0, sizeof(*tls));
    tls->ca = read_file(ca_path, error, error_size);
    tls->certificate = tls->ca == NULL ? NULL : read_file(certificate_path, error, error_size);
    tls->key = tls->certificate == NULL ? NULL : read_file(key_path, error, error_size);
    if (tls->key != NULL && !take_callers(tls, callers)) {
        snprintf(error, error_size, "%s: has no one name of the form tenure://CLUSTER/...",
                 certificate_path);
    } else if (tls->key != NULL) {
        return ENV_OK;
    }
    env_http_tls_done(tls);
    return ENV_TLS;
}

void env_http_tls_done(struct http_tls *tls)
{
    if (tls->key != NULL) {
        env_wipe(tls->key, strlen(tls->key));
    }
    free(tls->ca);
    free(tls->certificate);
    free(tls->key);
    tls->ca = tls->certificate = tls->key = NULL;
}

static bool verified(gnutls_session_t session)
{
    gnutls_typed_vdata_st purpose = {.type = GNUTLS_DT_KEY_PURPOSE_OID,
                                     .data = (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT};
    unsigned status = 0;
    return gnutls_certificate_verify_peers(session, &purpose, 1, &status) == GNUTLS_E_SUCCESS &&
           status == 0;
}

bool env_http_tls_allows(const struct http_tls *tls, void *session)
{
    char identity[ENV_IDENTITY_MAX];
    unsigned count = 0;
    const gnutls_datum_t *chain = gnutls_certificate_get_peers(session, &count);
    if (chain == NULL || count == 0 || !verified(session) ||
        !identity_of_der(&chain[0], GNUTLS_X509_FMT_DER, identity)) {
        return false;
    }
    for (size_t i = 0; i < tls->caller_count; i++) {
        size_t size = strlen(tls->callers[i]);
        const char *name = identity + size;
        if (strncmp(identity, tls->callers[i], size) == 0 && name[0] != '\0' &&
            strchr(name, '/') == NULL) {
            return true;
        }
    }
    return false;
}
