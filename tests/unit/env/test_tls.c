/* Law: an identity that cannot work is refused when it is loaded, with one line that names the file
 * (env_tls_create in env/net.h). */
#include "tests/unit/env/alter.h"
#include "tests/unit/env/place.h"

#include "env/crypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <openssl/pem.h>

enum { EXPECTED_MAX = 512 };

static int set_up(void **state)
{
    struct place *place = calloc(1, sizeof(*place));
    assert_non_null(place);
    place_init(place);
    place_make_ca(place, "one");
    place_make_ca(place, "two");
    place_issue(place, "one", "a", "tenure://c/peer/n1");
    place_issue(place, "one", "b", "tenure://c/peer/n2");
    *state = place;
    return 0;
}

static int tear_down(void **state)
{
    place_done(*state);
    free(*state);
    return 0;
}

/* `pattern` with %1 to %3 for the paths of CA, certificate and key. */
static void expand(const char *pattern, char paths[3][PLACE_PATH_MAX], char *ret_text)
{
    size_t used = 0;
    for (const char *from = pattern; *from != '\0'; from++) {
        if (*from == '%') {
            from++;
            used += (size_t)snprintf(ret_text + used, EXPECTED_MAX - used, "%s",
                                     paths[*from - '1']);
        } else {
            ret_text[used++] = *from;
        }
        assert_true(used < EXPECTED_MAX - 1);
    }
    ret_text[used] = '\0';
}

static void expect_error(const struct place *place, const char *ca, const char *certificate,
                         const char *key, int rc, const char *pattern)
{
    char paths[3][PLACE_PATH_MAX];
    char expected[EXPECTED_MAX];
    char error[512] = "";
    struct env_tls *tls = NULL;
    place_path(place, ca, paths[0]);
    place_path(place, certificate, paths[1]);
    place_path(place, key, paths[2]);
    expand(pattern, paths, expected);
    assert_int_equal(
        env_tls_create(place->env, paths[0], paths[1], paths[2], error, sizeof(error), &tls), rc);
    assert_string_equal(error, expected);
    assert_null(tls);
}

static void a_right_identity_is_loaded(void **state)
{
    struct env_tls *tls = place_tls(*state, "one", "a");
    assert_string_equal(env_tls_identity(tls), "tenure://c/peer/n1");
    env_tls_destroy(tls);
    env_tls_destroy(NULL);
}

static void a_missing_file_is_named(void **state)
{
    const struct place *place = *state;
    expect_error(place, "none", "a.pem", "a.key", ENV_NOT_FOUND, "%1: no such file or folder");
    expect_error(place, "one.ca", "none", "a.key", ENV_NOT_FOUND, "%2: no such file or folder");
    expect_error(place, "one.ca", "a.pem", "none", ENV_NOT_FOUND, "%3: no such file or folder");
}

static void a_file_that_is_not_pem_is_named(void **state)
{
    const struct place *place = *state;
    place_write(place, "text", "no PEM at all\n");
    place_write(place, "empty", "");
    expect_error(place, "text", "a.pem", "a.key", ENV_INVALID, "%1: not a PEM certificate");
    expect_error(place, "empty", "a.pem", "a.key", ENV_INVALID, "%1: not a PEM certificate");
    expect_error(place, "one.ca", "text", "a.key", ENV_INVALID, "%2: not a PEM certificate");
    expect_error(place, "one.ca", "a.key", "a.key", ENV_INVALID, "%2: not a PEM certificate");
    expect_error(place, "one.ca", "a.pem", "a.pem", ENV_INVALID,
                 "%3: not a PEM key without pass phrase");
}

static void an_encrypted_key_is_refused_without_asking(void **state)
{
    const struct place *place = *state;
    char path[PLACE_PATH_MAX];
    FILE *file = fopen(place_path(place, "a.key", path), "r");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    (void)fclose(file);
    file = fopen(place_path(place, "locked.key", path), "w");
    assert_int_equal(PEM_write_PrivateKey(file, key, EVP_aes_128_cbc(),
                                          (const unsigned char *)"pass", 4, NULL, NULL),
                     1);
    (void)fclose(file);
    EVP_PKEY_free(key);
    expect_error(place, "one.ca", "a.pem", "locked.key", ENV_INVALID,
                 "%3: not a PEM key without pass phrase");
}

static void a_key_that_does_not_fit_is_named(void **state)
{
    expect_error(*state, "one.ca", "a.pem", "b.key", ENV_INVALID,
                 "%3: the key does not fit the certificate %2");
}

static void a_certificate_of_another_ca_is_named(void **state)
{
    expect_error(*state, "two.ca", "a.pem", "a.key", ENV_INVALID, "%2: not signed by the CA in %1");
}

static void a_certificate_is_no_ca(void **state)
{
    expect_error(*state, "a.pem", "a.pem", "a.key", ENV_INVALID, "%1: not a CA's certificate");
}

static void a_wrong_certificate_is_named(void **state)
{
    static const struct {
        void (*alter)(X509 *certificate);
        const char *pattern;
    } cases[] = {
        {alter_expire, "%2: certificate expired"},
        {alter_postpone, "%2: certificate not yet valid"},
        {alter_drop_names, "%2: certificate without a URI name"},
        {alter_two_uris, "%2: certificate with two URI names"},
        {alter_foreign_scheme, "%2: certificate whose URI name is not a tenure:// identity"},
        {alter_no_client_use, "%2: not usable as client and as server"},
    };
    const struct place *place = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        place_issue(place, "one", "c", "tenure://c/peer/n3");
        place_alter(place, "one", "c", cases[i].alter);
        expect_error(place, "one.ca", "c.pem", "c.key", ENV_INVALID, cases[i].pattern);
    }
}

static void an_expired_ca_is_named(void **state)
{
    const struct place *place = *state;
    char pem[ENV_PEM_MAX];
    place_read(place, "one.ca", pem, sizeof(pem));
    place_write(place, "old.pem", pem);
    place_alter(place, "one", "old", alter_expire);
    expect_error(place, "old.pem", "a.pem", "a.key", ENV_INVALID, "%1: certificate expired");
}

/* While a CA is replaced, its file holds the old one and the new one. */
static void a_ca_file_may_hold_two(void **state)
{
    const struct place *place = *state;
    char both[2 * ENV_PEM_MAX];
    char one[ENV_PEM_MAX];
    char two[ENV_PEM_MAX];
    place_read(place, "one.ca", one, sizeof(one));
    place_read(place, "two.ca", two, sizeof(two));
    (void)snprintf(both, sizeof(both), "%s%s", two, one);
    place_write(place, "both.ca", both);
    env_tls_destroy(place_tls(place, "both", "a"));
    two[strlen(two) / 2] = '!';
    (void)snprintf(both, sizeof(both), "%s%s", one, two);
    place_write(place, "half.ca", both);
    expect_error(place, "half.ca", "a.pem", "a.key", ENV_INVALID, "%1: not a PEM certificate");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_right_identity_is_loaded),       CASE(a_missing_file_is_named),
        CASE(a_file_that_is_not_pem_is_named),  CASE(an_encrypted_key_is_refused_without_asking),
        CASE(a_key_that_does_not_fit_is_named), CASE(a_certificate_of_another_ca_is_named),
        CASE(a_certificate_is_no_ca),           CASE(a_wrong_certificate_is_named),
        CASE(an_expired_ca_is_named),           CASE(a_ca_file_may_hold_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
