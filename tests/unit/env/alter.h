/* Changes to certificates that make them wrong in one way each; for place_alter. */
#ifndef TESTS_UNIT_ENV_ALTER_H
#define TESTS_UNIT_ENV_ALTER_H

#include <openssl/x509.h>

void alter_expire(X509 *certificate);
void alter_postpone(X509 *certificate);
void alter_drop_names(X509 *certificate);
void alter_dns_name(X509 *certificate);
void alter_two_uris(X509 *certificate);
void alter_foreign_scheme(X509 *certificate);
void alter_control_character(X509 *certificate);
void alter_no_client_use(X509 *certificate);

#endif
