/* Loads and checks one identity: CA, certificate and key from PEM files. Opens no connection. */
#include "env/uv/tls.h"

#include "base/assert.h"
#include "env/uv/internal.h"
#include "env/uv/stream.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#define IDENTITY_SCHEME "tenure://"

/* A chain is a certificate and its CA; one intermediate is tolerated. One system call receives up
 * to READ_AHEAD bytes, which are several records. */
enum { VERIFY_DEPTH_MAX = 2, READ_AHEAD = 64 * 1024 };

struct loading {
    struct env_tls *tls;
    const char *ca_path;
    const char *certificate_path;
    const char *key_path;
    X509 *certificate;
    EVP_PKEY *key;
    char *error;
    size_t error_size;
};

__attribute__((format(printf, 3, 4))) static int fail(struct loading *loading, int rc,
                                                      const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(loading->error, loading->error_size, format, arguments);
    va_end(arguments);
    return rc;
}

/* Nobody is to be asked for a pass phrase. */
static int no_pass_phrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static int open_file(struct loading *loading, const char *path, FILE **ret_file)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        int rc = env_of_errno(errno);
        return fail(loading, rc, "%s: %s", path, env_error_text(rc));
    }
    *ret_file = file;
    return 0;
}

static bool is_printable(const unsigned char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return true;
}

const char *env_tls_read_identity(X509 *certificate, char *ret_identity)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    const ASN1_STRING *uri = NULL;
    int uri_count = 0;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) { /* -1 names for NULL */
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        if (name->type == GEN_URI) {
            uri = name->d.uniformResourceIdentifier;
            uri_count++;
        }
    }
    const char *wrong = NULL;
    size_t size = uri_count == 1 ? (size_t)ASN1_STRING_length(uri) : 0;
    const unsigned char *text = uri_count == 1 ? ASN1_STRING_get0_data(uri) : NULL;
    if (uri_count != 1) {
        wrong = uri_count == 0 ? "certificate without a URI name"
                               : "certificate with two URI names";
    } else if (size < strlen(IDENTITY_SCHEME) || size >= ENV_IDENTITY_MAX ||
               memcmp(text, IDENTITY_SCHEME, strlen(IDENTITY_SCHEME)) != 0 ||
               !is_printable(text, size)) {
        wrong = "certificate whose URI name is not a tenure:// identity";
    } else {
        memcpy(ret_identity, text, size);
        ret_identity[size] = '\0';
    }
    GENERAL_NAMES_free(names);
    return wrong;
}

/* All CAs of the file become roots: two of them while a CA is being replaced. */
static int load_ca(struct loading *loading)
{
    FILE *file = NULL;
    int rc = open_file(loading, loading->ca_path, &file);
    if (rc != 0) {
        return rc;
    }
    X509_STORE *store = SSL_CTX_get_cert_store(loading->tls->context);
    size_t count = 0;
    for (; rc == 0; count++) {
        X509 *ca = PEM_read_X509(file, NULL, no_pass_phrase, NULL);
        if (ca == NULL) {
            break;
        }
        if (X509_check_ca(ca) != 1) {
            rc = fail(loading, ENV_INVALID, "%s: not a CA's certificate", loading->ca_path);
        } else if (X509_cmp_current_time(X509_get0_notAfter(ca)) < 0) {
            rc = fail(loading, ENV_INVALID, "%s: certificate expired", loading->ca_path);
        } else if (!X509_STORE_add_cert(store, ca)) {
            rc = fail(loading, ENV_FAILED, "%s: cannot be used", loading->ca_path);
        }
        X509_free(ca);
    }
    (void)fclose(file);
    if (rc == 0 && (count == 0 || ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE)) {
        rc = fail(loading, ENV_INVALID, "%s: not a PEM certificate", loading->ca_path);
    }
    ERR_clear_error();
    return rc;
}

static int load_certificate(struct loading *loading)
{
    FILE *file = NULL;
    int rc = open_file(loading, loading->certificate_path, &file);
    if (rc != 0) {
        return rc;
    }
    loading->certificate = PEM_read_X509(file, NULL, no_pass_phrase, NULL);
    (void)fclose(file);
    ERR_clear_error();
    if (loading->certificate == NULL) {
        return fail(loading, ENV_INVALID, "%s: not a PEM certificate", loading->certificate_path);
    }
    return 0;
}

static int load_key(struct loading *loading)
{
    FILE *file = NULL;
    int rc = open_file(loading, loading->key_path, &file);
    if (rc != 0) {
        return rc;
    }
    loading->key = PEM_read_PrivateKey(file, NULL, no_pass_phrase, NULL);
    (void)fclose(file);
    ERR_clear_error();
    if (loading->key == NULL) {
        return fail(loading, ENV_INVALID, "%s: not a PEM key without pass phrase",
                    loading->key_path);
    }
    return 0;
}

/* What X509 verification says about our own certificate; X509_V_OK when it is right. */
static int verify_own(struct loading *loading)
{
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    int result = X509_V_ERR_OUT_OF_MEM;
    X509_STORE *store = SSL_CTX_get_cert_store(loading->tls->context);
    if (check != NULL && X509_STORE_CTX_init(check, store, loading->certificate, NULL)) {
        result = X509_verify_cert(check) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(check);
    }
    X509_STORE_CTX_free(check);
    ERR_clear_error();
    return result;
}

static int check_certificate(struct loading *loading)
{
    const char *path = loading->certificate_path;
    int result = verify_own(loading);
    if (result != X509_V_OK) {
        const char *text = env_tls_verify_text(result);
        if (strcmp(text, "unknown CA") == 0) {
            return fail(loading, ENV_INVALID, "%s: not signed by the CA in %s", path,
                        loading->ca_path);
        }
        return fail(loading, ENV_INVALID, "%s: %s", path, text);
    }
    if (X509_check_purpose(loading->certificate, X509_PURPOSE_SSL_CLIENT, 0) != 1 ||
        X509_check_purpose(loading->certificate, X509_PURPOSE_SSL_SERVER, 0) != 1) {
        return fail(loading, ENV_INVALID, "%s: not usable as client and as server", path);
    }
    const char *wrong = env_tls_read_identity(loading->certificate, loading->tls->identity);
    if (wrong != NULL) {
        return fail(loading, ENV_INVALID, "%s: %s", path, wrong);
    }
    if (!X509_check_private_key(loading->certificate, loading->key)) {
        ERR_clear_error();
        return fail(loading, ENV_INVALID, "%s: the key does not fit the certificate %s",
                    loading->key_path, path);
    }
    return 0;
}

static int configure(struct loading *loading)
{
    static const char *const suites =
        "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
    SSL_CTX *context = loading->tls->context;
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, NULL);
    SSL_CTX_set_verify_depth(context, VERIFY_DEPTH_MAX);
    (void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION |
                                           SSL_OP_CIPHER_SERVER_PREFERENCE);
    (void)SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_AUTO_RETRY |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    SSL_CTX_set_default_read_buffer_len(context, READ_AHEAD);
    SSL_CTX_set_alpn_select_cb(context, env_stream_select_alpn, NULL);
    bool ok = SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) &&
              SSL_CTX_set_max_proto_version(context, TLS1_3_VERSION) &&
              SSL_CTX_set_ciphersuites(context, suites) && SSL_CTX_set_num_tickets(context, 0) &&
              SSL_CTX_set_max_early_data(context, 0) &&
              SSL_CTX_use_certificate(context, loading->certificate) &&
              SSL_CTX_use_PrivateKey(context, loading->key);
    ERR_clear_error();
    return ok ? 0 : fail(loading, ENV_INVALID, "%s: cannot be used", loading->certificate_path);
}

static int load(struct loading *loading)
{
    struct env_tls *tls = loading->tls;
    tls->context = SSL_CTX_new(TLS_method());
    tls->out_method = env_stream_out_method();
    if (tls->context == NULL || tls->out_method == NULL) {
        return fail(loading, ENV_LIMIT, "no memory for TLS");
    }
    int (*const steps[])(struct loading *) = {load_ca, load_certificate, load_key,
                                              check_certificate, configure};
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(steps) / sizeof(steps[0]); i++) {
        rc = steps[i](loading);
    }
    return rc;
}

int env_tls_create(struct env *env, const char *ca_path, const char *certificate_path,
                   const char *key_path, char *error, size_t error_size, struct env_tls **ret_tls)
{
    (void)env;
    struct loading loading = {.tls = calloc(1, sizeof(struct env_tls)),
                              .ca_path = ca_path,
                              .certificate_path = certificate_path,
                              .key_path = key_path,
                              .error = error,
                              .error_size = error_size};
    if (loading.tls == NULL) {
        return fail(&loading, ENV_LIMIT, "no memory for TLS");
    }
    loading.tls->users = 1;
    int rc = load(&loading);
    X509_free(loading.certificate);
    EVP_PKEY_free(loading.key);
    if (rc != 0) {
        env_tls_release(loading.tls);
        return rc;
    }
    *ret_tls = loading.tls;
    return 0;
}

struct env_tls *env_tls_hold(struct env_tls *tls)
{
    tls->users++;
    return tls;
}

void env_tls_release(struct env_tls *tls)
{
    if (tls == NULL) {
        return;
    }
    ASSERT(tls->users > 0);
    if (--tls->users == 0) {
        SSL_CTX_free(tls->context);
        BIO_meth_free(tls->out_method);
        free(tls);
    }
}

void env_tls_destroy(struct env_tls *tls)
{
    env_tls_release(tls);
}

const char *env_tls_identity(const struct env_tls *tls)
{
    return tls->identity;
}
