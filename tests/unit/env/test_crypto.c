/* Law: SHA-256 is FIPS 180-4's; what env_pki_* issues is a certificate that OpenSSL verifies and
 * that can be used by env_tls_create; bad arguments are refused (env/crypto.h). */
#include "env/crypto.h"
#include "env/net.h"

#include "base/encode.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

static void expect_digest(struct bytes data, const char *hex)
{
    uint8_t digest[32];
    uint8_t prepared[32];
    char text[65];
    env_sha256(data, digest);
    struct env_hasher *hasher = env_hasher_create();
    env_hasher_sha256(hasher, data, prepared);
    env_hasher_destroy(hasher);
    assert_memory_equal(prepared, digest, sizeof(digest));
    hex_write(text, bytes_of(digest, sizeof(digest)));
    assert_string_equal(text, hex);
}

/* NIST, "Example Values": SHA256.pdf, and the SHA-2 additional test vectors. */
static void sha256_gives_the_published_digests(void **state)
{
    (void)state;
    expect_digest(BYTES_NONE, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    expect_digest(bytes_of_text("abc"),
                  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    expect_digest(bytes_of_text("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
                  "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    uint8_t *million = malloc(1000000);
    assert_non_null(million);
    memset(million, 'a', 1000000);
    expect_digest(bytes_of(million, 1000000),
                  "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    free(million);
}

static void wiping_leaves_zeros(void **state)
{
    (void)state;
    char secret[8] = "secrets";
    env_wipe(secret, sizeof(secret));
    assert_memory_equal(secret, "\0\0\0\0\0\0\0", sizeof(secret));
}

static X509 *parse(const char *pem)
{
    BIO *bio = BIO_new_mem_buf(pem, -1);
    X509 *certificate = PEM_read_bio_X509(bio, NULL, NULL, NULL);
    BIO_free(bio);
    assert_non_null(certificate);
    return certificate;
}

static int verify(X509 *ca, X509 *leaf)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *check = X509_STORE_CTX_new();
    assert_true(X509_STORE_add_cert(store, ca) == 1);
    assert_true(X509_STORE_set_flags(store, X509_V_FLAG_X509_STRICT) == 1);
    assert_true(X509_STORE_CTX_init(check, store, leaf, NULL) == 1);
    int result = X509_verify_cert(check) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(check);
    X509_STORE_CTX_free(check);
    X509_STORE_free(store);
    return result;
}

static bool same_serial(const X509 *a, const X509 *b)
{
    return ASN1_INTEGER_cmp(X509_get0_serialNumber(a), X509_get0_serialNumber(b)) == 0;
}

static void an_issued_certificate_verifies_strictly(void **state)
{
    (void)state;
    char ca_pem[ENV_PEM_MAX];
    char ca_key[ENV_PEM_MAX];
    char pem[ENV_PEM_MAX];
    char other_pem[ENV_PEM_MAX];
    char key[ENV_PEM_MAX];
    assert_int_equal(env_pki_ca("test", 30, ca_pem, ca_key), 0);
    assert_int_equal(env_pki_issue(ca_pem, ca_key, "tenure://c/peer/n1", 10, pem, key), 0);
    assert_int_equal(env_pki_issue(ca_pem, ca_key, "tenure://c/peer/n1", 10, other_pem, key), 0);
    X509 *ca = parse(ca_pem);
    X509 *leaf = parse(pem);
    X509 *other = parse(other_pem);
    assert_int_equal(verify(ca, leaf), X509_V_OK);
    assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_CLIENT, 0), 1);
    assert_int_equal(X509_check_purpose(leaf, X509_PURPOSE_SSL_SERVER, 0), 1);
    assert_int_equal(X509_check_ca(leaf), 0);
    assert_int_equal(X509_get_extension_flags(leaf) & (EXFLAG_CA | EXFLAG_BCONS), EXFLAG_BCONS);
    assert_int_equal(X509_check_ca(ca), 1);
    assert_false(same_serial(leaf, other) || same_serial(leaf, ca));
    assert_true(X509_cmp_current_time(X509_get0_notBefore(leaf)) < 0);
    X509_free(other);
    X509_free(leaf);
    X509_free(ca);
}

static void bad_arguments_are_refused(void **state)
{
    (void)state;
    char ca[ENV_PEM_MAX];
    char ca_key[ENV_PEM_MAX];
    char other_ca[ENV_PEM_MAX];
    char other_key[ENV_PEM_MAX];
    char pem[ENV_PEM_MAX];
    char key[ENV_PEM_MAX];
    char longest[ENV_IDENTITY_MAX];
    const char *id = "tenure://c/peer/n1";
    assert_int_equal(env_pki_ca("", 30, ca, ca_key), ENV_INVALID);
    assert_int_equal(env_pki_ca("a\nb", 30, ca, ca_key), ENV_INVALID);
    assert_int_equal(env_pki_ca("test", 0, ca, ca_key), ENV_INVALID);
    assert_int_equal(env_pki_ca("test", 30, ca, ca_key), 0);
    assert_int_equal(env_pki_ca("test", 30, other_ca, other_key), 0);
    assert_int_equal(env_pki_issue(ca, ca_key, "http://c", 10, pem, key), ENV_INVALID);
    assert_int_equal(env_pki_issue(ca, ca_key, "tenure://a b", 10, pem, key), ENV_INVALID);
    assert_int_equal(env_pki_issue(ca, other_key, id, 10, pem, key), ENV_INVALID);
    assert_int_equal(env_pki_issue("nonsense", ca_key, id, 10, pem, key), ENV_INVALID);
    assert_int_equal(env_pki_issue(ca, "nonsense", id, 10, pem, key), ENV_INVALID);
    assert_int_equal(env_pki_issue(ca, ca_key, id, 0, pem, key), ENV_INVALID);
    assert_int_equal(env_pki_issue(ca, ca_key, id, 10, pem, key), 0);
    char no_issuer[ENV_PEM_MAX];
    assert_int_equal(env_pki_issue(pem, key, id, 10, no_issuer, other_key), ENV_INVALID);
    memset(longest, 'x', sizeof(longest));
    memcpy(longest, "tenure://", 9);
    longest[ENV_IDENTITY_MAX - 1] = '\0';
    assert_int_equal(env_pki_issue(ca, ca_key, longest, 10, pem, key), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_published_digests),
        cmocka_unit_test(wiping_leaves_zeros),
        cmocka_unit_test(an_issued_certificate_verifies_strictly),
        cmocka_unit_test(bad_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
