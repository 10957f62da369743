/* Seals and opens the frames of a backup's file, and says what is wrong with one. */
#include "client-lib/cli/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/hash.h"
#include "env/crypto.h"

enum { HEAD = 44, HEAD_CHECKED = 40, FRAME_PREFIX = 4, FACTS_VERSION = 1 };

static const uint8_t magic[8] = "TENUREB1";
static const uint32_t last_frame = UINT32_C(1) << 31;

/* ---- keys ---- */

bool backup_key_read(struct cli_memory *memory, const char *path, uint8_t ret_key[BACKUP_KEY],
                     struct cli_error *ret_error)
{
    struct bytes content;
    if (!cli_file_read(memory, path, &content, ret_error)) {
        return false;
    }
    if (content.size != BACKUP_KEY) {
        return cli_fail(ret_error,
                        "%s holds %zu bytes: give a key of 32 random bytes (head -c 32 "
                        "/dev/urandom)",
                        path, content.size);
    }
    memcpy(ret_key, content.data, BACKUP_KEY);
    return true;
}

static void derive(const uint8_t key[BACKUP_KEY], const char *purpose, const uint8_t salt[16],
                   uint8_t ret_key[32])
{
    uint8_t text[64] = {0};
    size_t size = strlen(purpose);
    memcpy(text, purpose, size);
    memcpy(text + size, salt, 16);
    env_hmac_sha256(bytes_of(key, BACKUP_KEY), bytes_of(text, size + 16), ret_key);
}

static void head_make(uint8_t head[HEAD], const uint8_t key[BACKUP_KEY], const uint8_t salt[16])
{
    uint8_t check[32];
    struct base_writer writer;
    derive(key, "tenure backup check", salt, check);
    base_writer_init(&writer, head, HEAD);
    base_write_bytes(&writer, bytes_of(magic, sizeof(magic)));
    base_write_bytes(&writer, bytes_of(salt, 16));
    base_write_bytes(&writer, bytes_of(check, 16));
    base_write_u32(&writer, base_crc32c(0, bytes_of(head, HEAD_CHECKED)));
}

/* Each file has a key of its own, so that the numbers of its frames can be nonces. */
static struct env_seal seal_of(const struct backup *backup, uint8_t nonce[ENV_SEAL_NONCE],
                               const uint8_t prefix[FRAME_PREFIX])
{
    struct base_writer writer;
    memset(nonce, 0, ENV_SEAL_NONCE);
    base_writer_init(&writer, nonce, ENV_SEAL_NONCE);
    base_write_u64(&writer, backup->frames);
    return (struct env_seal){
        .key = backup->key, .nonce = nonce, .header = bytes_of(prefix, FRAME_PREFIX)};
}

/* ---- writing ---- */

static bool cannot_write(const struct backup *backup, struct cli_error *ret_error)
{
    return cli_fail(ret_error, "cannot write %s: %s", backup->path, strerror(errno));
}

static bool frame_write(struct backup *backup, struct bytes plain, bool last,
                        struct cli_error *ret_error)
{
    uint8_t nonce[ENV_SEAL_NONCE];
    struct base_writer writer;
    base_writer_init(&writer, backup->sealed, FRAME_PREFIX);
    base_write_u32(&writer, (uint32_t)plain.size | (last ? last_frame : 0));
    const struct env_seal seal = seal_of(backup, nonce, backup->sealed);
    env_seal(&seal, plain, backup->sealed + FRAME_PREFIX);
    size_t size = FRAME_PREFIX + plain.size + ENV_SEAL_TAG;
    backup->frames++;
    return fwrite(backup->sealed, 1, size, backup->file) == size || cannot_write(backup, ret_error);
}

static bool facts_write(struct backup *backup, const struct backup_facts *facts,
                        struct cli_error *ret_error)
{
    struct base_writer writer;
    base_writer_init(&writer, backup->plain, sizeof(backup->plain));
    base_write_u8(&writer, FACTS_VERSION);
    base_write_u64(&writer, facts->position);
    base_write_u64(&writer, facts->time);
    base_write_bytes(&writer, bytes_of(facts->digest, sizeof(facts->digest)));
    base_write_short(&writer, bytes_of_text(facts->cluster));
    base_write_id(&writer, facts->incarnation);
    base_write_u64(&writer, facts->sessions);
    base_write_u64(&writer, facts->tasks);
    base_write_bytes(&writer, bytes_of(facts->hash_key, sizeof(facts->hash_key)));
    op_limits_write(&writer, &facts->limits);
    return frame_write(backup, base_written(&writer), false, ret_error);
}

static bool is_free(const struct backup *backup, struct cli_error *ret_error)
{
    return !cli_file_exists(backup->path) ||
           cli_fail(ret_error, "%s exists already: move it away, or name another", backup->path);
}

/* A save that is interrupted leaves nothing that looks like a backup. */
static bool open_beside(struct backup *backup, struct cli_error *ret_error)
{
    int size = snprintf(backup->beside, sizeof(backup->beside), "%s.unfinished", backup->path);
    if (size < 0 || (size_t)size >= sizeof(backup->beside)) {
        errno = ENAMETOOLONG;
        return cannot_write(backup, ret_error);
    }
    int fd = open(backup->beside, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno == EEXIST) {
        return cli_fail(ret_error, "%s exists already: remove it, unless a save is under way",
                        backup->beside);
    }
    backup->file = fd < 0 ? NULL : fdopen(fd, "wb");
    return backup->file != NULL || cannot_write(backup, ret_error);
}

bool backup_create(struct backup *backup, const char *path, const uint8_t key[BACKUP_KEY],
                   const uint8_t salt[16], const struct backup_facts *facts,
                   struct cli_error *ret_error)
{
    uint8_t head[HEAD];
    *backup = (struct backup){.path = path};
    if (!is_free(backup, ret_error) || !open_beside(backup, ret_error)) {
        return false;
    }
    head_make(head, key, salt);
    derive(key, "tenure backup frames", salt, backup->key);
    if ((fwrite(head, 1, HEAD, backup->file) != HEAD && !cannot_write(backup, ret_error)) ||
        !facts_write(backup, facts, ret_error)) {
        backup_drop(backup);
        return false;
    }
    return true;
}

bool backup_write(struct backup *backup, struct bytes piece, struct cli_error *ret_error)
{
    backup->bytes += piece.size;
    backup->crc = base_crc32c(backup->crc, piece);
    return frame_write(backup, piece, false, ret_error);
}

static bool folder_sync(const char *path)
{
    char folder[BACKUP_PATH_MAX];
    const char *slash = strrchr(path, '/');
    int size = slash == NULL ? 1 : (int)(slash - path) + 1;
    (void)snprintf(folder, sizeof(folder), "%.*s", size, slash == NULL ? "." : path);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool synced = fd >= 0 && fsync(fd) == 0;
    int cause = errno;
    if (fd >= 0) {
        (void)close(fd);
    }
    errno = cause;
    return synced;
}

bool backup_finish(struct backup *backup, struct cli_error *ret_error)
{
    uint8_t end[12];
    struct base_writer writer;
    base_writer_init(&writer, end, sizeof(end));
    base_write_u64(&writer, backup->bytes);
    base_write_u32(&writer, backup->crc);
    if (!frame_write(backup, base_written(&writer), true, ret_error)) {
        return false;
    }
    if (fflush(backup->file) != 0 || fsync(fileno(backup->file)) != 0) {
        return cannot_write(backup, ret_error);
    }
    if (!is_free(backup, ret_error)) {
        return false;
    }
    if (rename(backup->beside, backup->path) != 0 || !folder_sync(backup->path)) {
        return cannot_write(backup, ret_error);
    }
    backup_close(backup);
    return true;
}

void backup_drop(struct backup *backup)
{
    if (backup->file != NULL) {
        (void)unlink(backup->beside);
    }
    backup_close(backup);
}

void backup_close(struct backup *backup)
{
    if (backup->file != NULL) {
        (void)fclose(backup->file);
        backup->file = NULL;
    }
    env_wipe(backup->key, sizeof(backup->key));
}

/* ---- reading ---- */

static bool damaged(const struct backup *backup, struct cli_error *ret_error)
{
    return cli_fail(ret_error, "%s is damaged: its bytes at frame %" PRIu64 " were changed",
                    backup->path, backup->frames);
}

static bool cut_off(const struct backup *backup, struct cli_error *ret_error)
{
    return cli_fail(ret_error, "%s is cut off: it ends in frame %" PRIu64, backup->path,
                    backup->frames);
}

static bool head_check(struct backup *backup, const uint8_t key[BACKUP_KEY],
                       struct cli_error *ret_error)
{
    uint8_t head[HEAD];
    uint8_t again[HEAD];
    size_t size = fread(head, 1, HEAD, backup->file);
    if (size < sizeof(magic) || memcmp(head, magic, sizeof(magic)) != 0) {
        return cli_fail(ret_error, "%s is no backup of this version", backup->path);
    }
    struct base_reader reader;
    base_reader_init(&reader, bytes_of(head + HEAD_CHECKED, HEAD - HEAD_CHECKED));
    if (size < HEAD) {
        return cut_off(backup, ret_error);
    }
    if (base_read_u32(&reader) != base_crc32c(0, bytes_of(head, HEAD_CHECKED))) {
        return damaged(backup, ret_error);
    }
    head_make(again, key, head + sizeof(magic));
    if (memcmp(head, again, HEAD) != 0) {
        return cli_fail(ret_error, "%s was sealed with another key", backup->path);
    }
    derive(key, "tenure backup frames", head + sizeof(magic), backup->key);
    return true;
}

static bool frame_read(struct backup *backup, struct bytes *ret_plain, bool *ret_last,
                       struct cli_error *ret_error)
{
    uint8_t prefix[FRAME_PREFIX];
    uint8_t nonce[ENV_SEAL_NONCE];
    if (fread(prefix, 1, FRAME_PREFIX, backup->file) != FRAME_PREFIX) {
        return cut_off(backup, ret_error);
    }
    struct base_reader reader;
    base_reader_init(&reader, bytes_of(prefix, FRAME_PREFIX));
    uint32_t word = base_read_u32(&reader);
    size_t size = word & ~last_frame;
    if (size > BACKUP_FRAME_MAX) {
        return damaged(backup, ret_error);
    }
    if (fread(backup->sealed, 1, size + ENV_SEAL_TAG, backup->file) != size + ENV_SEAL_TAG) {
        return cut_off(backup, ret_error);
    }
    const struct env_seal seal = seal_of(backup, nonce, prefix);
    if (!env_unseal(&seal, bytes_of(backup->sealed, size + ENV_SEAL_TAG), backup->plain)) {
        return damaged(backup, ret_error);
    }
    backup->frames++;
    *ret_last = (word & last_frame) != 0;
    *ret_plain = bytes_of(backup->plain, size);
    return true;
}

static bool facts_read(struct bytes plain, struct backup_facts *ret_facts)
{
    struct base_reader reader;
    base_reader_init(&reader, plain);
    memset(ret_facts, 0, sizeof(*ret_facts));
    uint8_t version = base_read_u8(&reader);
    ret_facts->position = base_read_u64(&reader);
    ret_facts->time = base_read_u64(&reader);
    struct bytes digest = base_read_bytes(&reader, sizeof(ret_facts->digest));
    struct bytes cluster = base_read_short(&reader, OP_NAME_MAX);
    ret_facts->incarnation = base_read_id(&reader);
    ret_facts->sessions = base_read_u64(&reader);
    ret_facts->tasks = base_read_u64(&reader);
    struct bytes hash_key = base_read_bytes(&reader, sizeof(ret_facts->hash_key));
    if (version != FACTS_VERSION || reader.failed || !op_limits_read(&reader, &ret_facts->limits) ||
        !base_reader_finished(&reader)) {
        return false;
    }
    memcpy(ret_facts->digest, digest.data, digest.size);
    memcpy(ret_facts->hash_key, hash_key.data, hash_key.size);
    memcpy(ret_facts->cluster, cluster.data, cluster.size);
    return true;
}

bool backup_open(struct backup *backup, const char *path, const uint8_t key[BACKUP_KEY],
                 struct backup_facts *ret_facts, struct cli_error *ret_error)
{
    struct bytes plain;
    bool last = false;
    *backup = (struct backup){.path = path, .file = fopen(path, "rbe")};
    if (backup->file == NULL) {
        return cli_fail(ret_error, "cannot read %s: %s", path, strerror(errno));
    }
    bool opened = head_check(backup, key, ret_error) &&
                  frame_read(backup, &plain, &last, ret_error);
    if (opened && (last || !facts_read(plain, ret_facts))) {
        opened = cli_fail(ret_error, "%s was written by another version of tenurectl", path);
    }
    if (!opened) {
        backup_close(backup);
    }
    return opened;
}

bool backup_read(struct backup *backup, struct bytes *ret_piece, struct cli_error *ret_error)
{
    bool last = false;
    if (!frame_read(backup, ret_piece, &last, ret_error)) {
        return false;
    }
    if (!last) {
        backup->bytes += ret_piece->size;
        backup->crc = base_crc32c(backup->crc, *ret_piece);
        return true;
    }
    struct base_reader reader;
    base_reader_init(&reader, *ret_piece);
    uint64_t bytes = base_read_u64(&reader);
    uint32_t crc = base_read_u32(&reader);
    if (!base_reader_finished(&reader) || bytes != backup->bytes || crc != backup->crc ||
        fgetc(backup->file) != EOF) {
        return damaged(backup, ret_error);
    }
    *ret_piece = BYTES_NONE;
    return true;
}
