/* Why a handshake or a connection failed, in words for a person. Decides nothing. */
#include "env/uv/tls.h"

#include <stdio.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

const char *env_tls_verify_text(long result)
{
    switch (result) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return "certificate expired";
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return "certificate not yet valid";
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
        return "unknown CA";
    case X509_V_ERR_INVALID_PURPOSE:
        return "certificate not made for this use";
    default:
        return X509_verify_cert_error_string(result);
    }
}

/* What we found wrong with the other side; NULL when the reason is not one of these. */
static const char *our_reason(int reason)
{
    switch (reason) {
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return "no client certificate";
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_WRONG_SSL_VERSION:
        return "not TLS 1.3";
    case SSL_R_HTTP_REQUEST:
    case SSL_R_HTTPS_PROXY_REQUEST:
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
        return "not TLS";
    default:
        return NULL;
    }
}

/* What the other side found wrong with us, by its alert; NULL when it was no alert. */
static const char *their_reason(int reason)
{
    switch (reason) {
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
        return "certificate expired";
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
        return "unknown CA";
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
        return "no certificate";
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
        return "bad certificate";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
        return "certificate not accepted";
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
        return "certificate not made for this use";
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
        return "certificate revoked";
    case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        return "TLS version";
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        return "access denied";
    case SSL_R_TLSV1_ALERT_DECRYPT_ERROR:
        return "bad signature";
    default:
        return NULL;
    }
}

static bool is_alpn(int reason)
{
    return reason == SSL_R_NO_APPLICATION_PROTOCOL ||
           reason == SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL;
}

int env_tls_reason(SSL *ssl, const char *alpn, char *ret_text, size_t text_size)
{
    unsigned long error = ERR_peek_error();
    int reason = ERR_GET_REASON(error);
    const char *ours = our_reason(reason);
    const char *theirs = their_reason(reason);
    const char *other = ERR_reason_error_string(error);
    int rc = ENV_TLS;
    if (reason == SSL_R_CERTIFICATE_VERIFY_FAILED) {
        (void)snprintf(ret_text, text_size, "%s", env_tls_verify_text(SSL_get_verify_result(ssl)));
    } else if (is_alpn(reason)) {
        (void)snprintf(ret_text, text_size, "no ALPN %s", alpn);
    } else if (reason == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        (void)snprintf(ret_text, text_size, "connection lost");
        rc = ENV_RESET;
    } else if (theirs != NULL) {
        (void)snprintf(ret_text, text_size, "refused by the other side: %s", theirs);
    } else {
        (void)snprintf(ret_text, text_size, "%s",
                       ours != NULL    ? ours
                       : other != NULL ? other
                                       : "TLS error");
    }
    ERR_clear_error();
    return rc;
}
