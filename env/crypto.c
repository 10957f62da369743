/* SHA-256, sealing, wiping, and a small private CA on OpenSSL. Does no I/O and keeps no state. */
#include "env/crypto.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

enum {
    SERIAL_BITS = 127,
    BACKDATE_S = 300, /* clocks of a cluster's machines may differ by minutes when it is set up */
    DAY_S = 86400,
    DAYS_MAX = 36500,
    COMMON_NAME_MAX = 64, /* ub-common-name of RFC 5280 */
    IDENTITY_MAX = 511,   /* one less than ENV_IDENTITY_MAX of env/net.h */
};

#define IDENTITY_SCHEME "tenure://"

void env_sha256(struct bytes data, uint8_t ret_digest[32])
{
    int ok = EVP_Digest(data.data, data.size, ret_digest, NULL, EVP_sha256(), NULL);
    ASSERT(ok == 1); /* fails only without memory or without any provider */
}

void env_hmac_sha256(struct bytes key, struct bytes data, uint8_t ret_code[32])
{
    size_t size = 0;
    bool made = EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key.data, key.size, data.data,
                          data.size, ret_code, 32, &size) != NULL;
    ASSERT(made && size == 32); /* as above */
}

struct env_hasher {
    EVP_MD *sha256;
};

struct env_hasher *env_hasher_create(void)
{
    struct env_hasher *hasher = malloc(sizeof(*hasher));
    ASSERT(hasher != NULL);
    hasher->sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    ASSERT(hasher->sha256 != NULL); /* as above */
    return hasher;
}

void env_hasher_destroy(struct env_hasher *hasher)
{
    if (hasher != NULL) {
        EVP_MD_free(hasher->sha256);
        free(hasher);
    }
}

void env_hasher_sha256(const struct env_hasher *hasher, struct bytes data, uint8_t ret_digest[32])
{
    int ok = EVP_Digest(data.data, data.size, ret_digest, NULL, hasher->sha256, NULL);
    ASSERT(ok == 1);
}

/* The context with key and nonce, and the header fed. */
static EVP_CIPHER_CTX *seal_begin(const struct env_seal *seal, bool sealing)
{
    EVP_CIPHER_CTX *context = EVP_CIPHER_CTX_new();
    int size = 0;
    ASSERT(context != NULL && seal->header.size <= INT32_MAX);
    int ok = EVP_CipherInit_ex2(context, EVP_aes_256_gcm(), seal->key, seal->nonce, sealing ? 1 : 0,
                                NULL);
    ASSERT(ok == 1); /* as above */
    ok = EVP_CipherUpdate(context, NULL, &size, seal->header.data, (int)seal->header.size);
    ASSERT(ok == 1);
    return context;
}

void env_seal(const struct env_seal *seal, struct bytes plain, uint8_t *ret_sealed)
{
    EVP_CIPHER_CTX *context = seal_begin(seal, true);
    int size = 0;
    int rest = 0;
    ASSERT(plain.size <= INT32_MAX);
    bool sealed = EVP_CipherUpdate(context, ret_sealed, &size, plain.data, (int)plain.size) == 1 &&
                  EVP_CipherFinal_ex(context, ret_sealed + size, &rest) == 1 &&
                  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_GET_TAG, ENV_SEAL_TAG,
                                      ret_sealed + plain.size) == 1;
    ASSERT(sealed && (size_t)size + (size_t)rest == plain.size);
    EVP_CIPHER_CTX_free(context);
}

bool env_unseal(const struct env_seal *seal, struct bytes sealed, uint8_t *ret_plain)
{
    if (sealed.size < ENV_SEAL_TAG || sealed.size > INT32_MAX) {
        return false;
    }
    EVP_CIPHER_CTX *context = seal_begin(seal, false);
    size_t plain = sealed.size - ENV_SEAL_TAG;
    uint8_t tag[ENV_SEAL_TAG];
    int size = 0;
    int rest = 0;
    memcpy(tag, sealed.data + plain, sizeof(tag));
    bool opened = EVP_CipherUpdate(context, ret_plain, &size, sealed.data, (int)plain) == 1 &&
                  EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_AEAD_SET_TAG, ENV_SEAL_TAG, tag) == 1 &&
                  EVP_CipherFinal_ex(context, ret_plain + size, &rest) == 1;
    EVP_CIPHER_CTX_free(context);
    return opened;
}

void env_wipe(void *buffer, size_t size)
{
    OPENSSL_cleanse(buffer, size);
}

static bool is_printable(const char *text, size_t size_max)
{
    size_t size = strlen(text);
    for (size_t i = 0; i < size; i++) {
        if (text[i] < 0x20 || text[i] > 0x7e) {
            return false;
        }
    }
    return size > 0 && size <= size_max;
}

static bool set_serial(X509 *certificate)
{
    BIGNUM *serial = BN_new();
    bool ok = serial != NULL && BN_rand(serial, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) &&
              BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(certificate)) != NULL;
    BN_free(serial);
    return ok;
}

/* `value` is in the notation of OpenSSL's x509v3_config and never holds a caller's text. */
static bool add_extension(X509 *certificate, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX context;
    X509V3_set_ctx(&context, issuer, certificate, NULL, NULL, 0);
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &context, nid, value);
    bool ok = extension != NULL && X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    return ok;
}

static bool add_uri(X509 *certificate, const char *uri)
{
    GENERAL_NAMES *names = GENERAL_NAMES_new();
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *text = ASN1_IA5STRING_new();
    bool ok = names != NULL && name != NULL && text != NULL && ASN1_STRING_set(text, uri, -1);
    if (ok) {
        GENERAL_NAME_set0_value(name, GEN_URI, text);
        text = NULL;
        ok = sk_GENERAL_NAME_push(names, name) > 0;
        name = ok ? NULL : name;
        ok = ok && X509_add1_ext_i2d(certificate, NID_subject_alt_name, names, 0, 0) == 1;
    }
    ASN1_IA5STRING_free(text);
    GENERAL_NAME_free(name);
    GENERAL_NAMES_free(names);
    return ok;
}

/* A version 3 certificate with subject, public key and time, not yet signed. Returns owned. */
static X509 *certificate_create(const char *common_name, EVP_PKEY *key, unsigned days)
{
    X509 *certificate = X509_new();
    if (certificate == NULL) {
        return NULL;
    }
    X509_NAME *subject = X509_get_subject_name(certificate);
    if (X509_set_version(certificate, X509_VERSION_3) && set_serial(certificate) &&
        X509_gmtime_adj(X509_getm_notBefore(certificate), -BACKDATE_S) != NULL &&
        X509_gmtime_adj(X509_getm_notAfter(certificate), (long)days * DAY_S) != NULL &&
        X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const unsigned char *)common_name,
                                   -1, -1, 0) &&
        X509_set_pubkey(certificate, key)) {
        return certificate;
    }
    X509_free(certificate);
    return NULL;
}

/* Moves what was written to `bio` into `ret_pem` of ENV_PEM_MAX, terminated. */
static int take_pem(BIO *bio, char *ret_pem)
{
    char *text = NULL;
    long size = BIO_get_mem_data(bio, &text);
    if (size <= 0 || size >= ENV_PEM_MAX) {
        return ENV_LIMIT;
    }
    memcpy(ret_pem, text, (size_t)size);
    ret_pem[size] = '\0';
    return 0;
}

static int write_certificate(X509 *certificate, char *ret_pem)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int rc = ENV_FAILED;
    if (bio != NULL && PEM_write_bio_X509(bio, certificate)) {
        rc = take_pem(bio, ret_pem);
    }
    BIO_free(bio);
    return rc;
}

static int write_key(EVP_PKEY *key, char *ret_pem)
{
    BIO *bio = BIO_new(BIO_s_secmem());
    int rc = ENV_FAILED;
    if (bio != NULL && PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)) {
        rc = take_pem(bio, ret_pem);
    }
    BIO_free(bio);
    return rc;
}

static int write_both(X509 *certificate, EVP_PKEY *key, char *ret_certificate, char *ret_key)
{
    int rc = write_certificate(certificate, ret_certificate);
    return rc != 0 ? rc : write_key(key, ret_key);
}

int env_pki_ca(const char *common_name, unsigned days, char *ret_certificate, char *ret_key)
{
    if (!is_printable(common_name, COMMON_NAME_MAX) || days == 0 || days > DAYS_MAX) {
        return ENV_INVALID;
    }
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *ca = key != NULL ? certificate_create(common_name, key, days) : NULL;
    int rc = ENV_FAILED;
    if (ca != NULL && X509_set_issuer_name(ca, X509_get_subject_name(ca)) &&
        add_extension(ca, ca, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
        add_extension(ca, ca, NID_key_usage, "critical,keyCertSign,cRLSign") &&
        add_extension(ca, ca, NID_subject_key_identifier, "hash") &&
        X509_sign(ca, key, EVP_sha256()) > 0) {
        rc = write_both(ca, key, ret_certificate, ret_key);
    }
    X509_free(ca);
    EVP_PKEY_free(key);
    return rc;
}

/* An encrypted key has no place here, and nobody is to be asked for a pass phrase. */
static int no_pass_phrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer;
    (void)size;
    (void)writing;
    (void)arg;
    return -1;
}

static X509 *read_certificate(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = bio != NULL ? PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL) : NULL;
    BIO_free(bio);
    return certificate;
}

static EVP_PKEY *read_key(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    EVP_PKEY *key = bio != NULL ? PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL) : NULL;
    BIO_free(bio);
    return key;
}

static int issue(X509 *ca, EVP_PKEY *ca_key, const char *identity, unsigned days,
                 char *ret_certificate, char *ret_key)
{
    size_t skip = strlen(identity) > COMMON_NAME_MAX ? strlen(identity) - COMMON_NAME_MAX : 0;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *leaf = key != NULL ? certificate_create(identity + skip, key, days) : NULL;
    int rc = ENV_FAILED;
    if (leaf != NULL && X509_set_issuer_name(leaf, X509_get_subject_name(ca)) &&
        add_extension(leaf, ca, NID_basic_constraints, "critical,CA:FALSE") &&
        add_extension(leaf, ca, NID_key_usage, "critical,digitalSignature") &&
        add_extension(leaf, ca, NID_ext_key_usage, "clientAuth,serverAuth") &&
        add_extension(leaf, ca, NID_subject_key_identifier, "hash") &&
        add_extension(leaf, ca, NID_authority_key_identifier, "keyid:always") &&
        add_uri(leaf, identity) && X509_sign(leaf, ca_key, EVP_sha256()) > 0) {
        rc = write_both(leaf, key, ret_certificate, ret_key);
    }
    X509_free(leaf);
    EVP_PKEY_free(key);
    return rc;
}

int env_pki_issue(const char *ca_certificate, const char *ca_key, const char *identity,
                  unsigned days, char *ret_certificate, char *ret_key)
{
    if (!is_printable(identity, IDENTITY_MAX) || strchr(identity, ' ') != NULL ||
        strncmp(identity, IDENTITY_SCHEME, strlen(IDENTITY_SCHEME)) != 0 || days == 0 ||
        days > DAYS_MAX) {
        return ENV_INVALID;
    }
    X509 *ca = read_certificate(ca_certificate);
    EVP_PKEY *key = read_key(ca_key);
    int rc = ENV_INVALID;
    if (ca != NULL && key != NULL && X509_check_ca(ca) == 1 && X509_check_private_key(ca, key)) {
        rc = issue(ca, key, identity, days, ret_certificate, ret_key);
    }
    X509_free(ca);
    EVP_PKEY_free(key);
    return rc;
}
