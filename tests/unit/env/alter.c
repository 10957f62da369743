/* Wrong certificates, each in one way. Signs nothing: place_alter does. */
#include "tests/unit/env/alter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/x509v3.h>

enum { HOUR_S = 3600 };

static void set_time(X509 *certificate, long from_s, long to_s)
{
    assert_non_null(X509_gmtime_adj(X509_getm_notBefore(certificate), from_s));
    assert_non_null(X509_gmtime_adj(X509_getm_notAfter(certificate), to_s));
}

void alter_expire(X509 *certificate)
{
    set_time(certificate, -2 * HOUR_S, -HOUR_S);
}

void alter_postpone(X509 *certificate)
{
    set_time(certificate, HOUR_S, 2 * HOUR_S);
}

static void replace(X509 *certificate, int nid, const char *value)
{
    int at = X509_get_ext_by_NID(certificate, nid, -1);
    assert_true(at >= 0);
    X509_EXTENSION_free(X509_delete_ext(certificate, at));
    if (value == NULL) {
        return;
    }
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
    assert_non_null(extension);
    assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
    X509_EXTENSION_free(extension);
}

void alter_drop_names(X509 *certificate)
{
    replace(certificate, NID_subject_alt_name, NULL);
}

void alter_dns_name(X509 *certificate)
{
    replace(certificate, NID_subject_alt_name, "DNS:tenure.example");
}

void alter_two_uris(X509 *certificate)
{
    replace(certificate, NID_subject_alt_name, "URI:tenure://c/peer/n1,URI:tenure://c/peer/n2");
}

void alter_foreign_scheme(X509 *certificate)
{
    replace(certificate, NID_subject_alt_name, "URI:spiffe://c/peer/n1");
}

void alter_control_character(X509 *certificate)
{
    replace(certificate, NID_subject_alt_name, "URI:tenure://c/peer/n1\n2");
}

void alter_no_client_use(X509 *certificate)
{
    replace(certificate, NID_ext_key_usage, "serverAuth");
}
