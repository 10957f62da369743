/* The file of a backup: what a snapshot holds, and its bytes, sealed frame by frame.
 *
 *   head    "TENUREB1", salt (16), check (16), CRC32C of these (4)
 *   frame   u32 size of what it holds, its highest bit set in the last; that, sealed; tag (16)
 *
 * Under keys made of the given key and the salt: the check tells another key from damage, and each
 * frame is sealed with its number as nonce and its size beside it, so that none can be missing,
 * twice, in another place, or of another file. The first frame has the facts, the last the number
 * and CRC32C of the bytes between. Knows neither how a snapshot is got nor what its bytes mean.
 */
#ifndef CLIENT_LIB_CLI_BACKUP_H
#define CLIENT_LIB_CLI_BACKUP_H

#include "client-lib/cli/cli.h"
#include "op/frame.h"

enum { BACKUP_KEY = 32, BACKUP_FRAME_MAX = OP_SNAPSHOT_PIECE, BACKUP_PATH_MAX = 4096 };

struct backup_facts {
    uint64_t position;
    uint64_t time; /* T there */
    uint8_t digest[16];
    char cluster[OP_NAME_MAX + 1];
    struct id128 incarnation;
    uint64_t sessions, tasks;
    uint8_t hash_key[16];
    struct op_limits limits;
};

struct backup {
    FILE *file;
    const char *path;             /* borrowed */
    char beside[BACKUP_PATH_MAX]; /* where it is written, until it is whole */
    uint8_t key[BACKUP_KEY];
    uint8_t salt[16];
    uint64_t frames;
    uint64_t bytes; /* of the snapshot, so far */
    uint32_t crc;
    uint8_t plain[BACKUP_FRAME_MAX + 64];
    uint8_t sealed[BACKUP_FRAME_MAX + 64];
};

/* The key's file: 32 bytes. */
bool backup_key_read(struct cli_memory *memory, const char *path, uint8_t ret_key[BACKUP_KEY],
                     struct cli_error *ret_error);

/* Begins a new file, which must not exist, and does not under its name until backup_finish; `salt`
 * is random. */
bool backup_create(struct backup *backup, const char *path, const uint8_t key[BACKUP_KEY],
                   const uint8_t salt[16], const struct backup_facts *facts,
                   struct cli_error *ret_error);
bool backup_write(struct backup *backup, struct bytes piece, struct cli_error *ret_error);
/* Durable when it returns. */
bool backup_finish(struct backup *backup, struct cli_error *ret_error);
/* Closes and removes what was begun. */
void backup_drop(struct backup *backup);

/* Opens a file and reads its facts. One line says which it is: no backup, another key, damage. */
bool backup_open(struct backup *backup, const char *path, const uint8_t key[BACKUP_KEY],
                 struct backup_facts *ret_facts, struct cli_error *ret_error);
/* The next piece, in backup->plain; an empty one when all was there and is whole. */
bool backup_read(struct backup *backup, struct bytes *ret_piece, struct cli_error *ret_error);
void backup_close(struct backup *backup);

#endif
