/* SHA-256, sealing and certificates: one implementation (env/crypto.c, OpenSSL) for both worlds;
 * pure. */
#ifndef ENV_CRYPTO_H
#define ENV_CRYPTO_H

#include "env/env.h"

void env_sha256(struct bytes data, uint8_t ret_digest[32]);

/* SHA-256 made ready, for who hashes much that is short: looking the algorithm up costs more than
 * hashing a token. Returns owned; destroying NULL is fine. Any number of threads may use it. */
struct env_hasher;
struct env_hasher *env_hasher_create(void);
void env_hasher_destroy(struct env_hasher *hasher);
void env_hasher_sha256(const struct env_hasher *hasher, struct bytes data, uint8_t ret_digest[32]);

void env_hmac_sha256(struct bytes key, struct bytes data, uint8_t ret_code[32]);

/* AES-256-GCM: nobody without the key can read or change `plain`, nor the `header` beside it. Under
 * one key no nonce may be used twice. */
enum { ENV_SEAL_KEY = 32, ENV_SEAL_NONCE = 12, ENV_SEAL_TAG = 16 };
struct env_seal {
    const uint8_t *key;   /* ENV_SEAL_KEY bytes */
    const uint8_t *nonce; /* ENV_SEAL_NONCE bytes */
    struct bytes header;  /* in the clear, and sealed too */
};
/* Writes plain.size + ENV_SEAL_TAG bytes. */
void env_seal(const struct env_seal *seal, struct bytes plain, uint8_t *ret_sealed);
/* Writes sealed.size - ENV_SEAL_TAG bytes. False: another key, or a byte was changed; what was
 * written is then to be thrown away. */
bool env_unseal(const struct env_seal *seal, struct bytes sealed, uint8_t *ret_plain);

/* Overwrites memory that held a secret; the compiler may not remove it. */
void env_wipe(void *buffer, size_t size);

/* A new private CA (ECDSA P-256): PEM texts into caller's buffers of ENV_PEM_MAX, terminated. */
enum { ENV_PEM_MAX = 8192 };
int env_pki_ca(const char *common_name, unsigned days, char *ret_certificate, char *ret_key);
/* A certificate for `identity` (URI SAN) signed by that CA; usable as client and as server. */
int env_pki_issue(const char *ca_certificate, const char *ca_key, const char *identity,
                  unsigned days, char *ret_certificate, char *ret_key);

#endif
