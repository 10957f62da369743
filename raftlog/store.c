/* A node's data folder: made once, locked while it is open. Knows what files a node has, not what
 * the log, the vote and the snapshots hold.
 *
 * Order of birth: folder, LOCK, sub-folders, log with entry 1 (empty behind the image of a
 * restored cluster), vote, met, that image, and last BIRTH, each durable.
 * A folder without BIRTH holds no node, whatever else is in it.
 */
#include "raftlog/store.h"

#include "env/fault.h"
#include "env/random.h"
#include "raftlog/log.h"
#include "raftlog/met.h"
#include "raftlog/path.h"
#include "raftlog/sealed.h"
#include "raftlog/vote.h"
#include "raftlog/whole.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct rlog_sealed_kind birth_kind = {RLOG_MAGIC('t', 'n', 'B', 'I'), 1};
/* BIRTH tells the store id, so that its own hash cannot be keyed with it. */
static const struct siphash_key birth_key = {"tenure-birth-key"};

enum {
    BIRTH_BODY_MAX = RLOG_MACHINE_MAX + RLOG_NAME_MAX + RLOG_MEMBERS_MAX * (ENV_ADDRESS_MAX + 16) +
                     128,
    BIRTH_FILE_MAX = BIRTH_BODY_MAX + RLOG_SEALED_EXTRA,
};

static int say(char *error, size_t error_size, int rc, const char *folder, const char *text)
{
    (void)snprintf(error, error_size, "%s: %s", folder, text);
    return rc;
}

/* ---- BIRTH ---- */

static size_t birth_encode(uint8_t *file, uint64_t id, struct id128 store_id,
                           const struct rlog_birth *birth)
{
    uint8_t body[BIRTH_BODY_MAX];
    struct base_writer writer;
    struct bytes written;

    base_writer_init(&writer, body, sizeof body);
    base_write_u64(&writer, id);
    base_write_id(&writer, store_id);
    base_write_short(&writer, bytes_of_text(birth->cluster));
    base_write_id(&writer, birth->incarnation);
    base_write_u8(&writer, (uint8_t)birth->member_count);
    for (size_t i = 0; i < birth->member_count; i++) {
        base_write_u64(&writer, birth->members[i].id);
        base_write_short(&writer, bytes_of_text(birth->members[i].address));
    }
    base_write_long(&writer, birth->machine);
    written = base_written(&writer);
    if (writer.failed || birth->machine.size > RLOG_MACHINE_MAX ||
        birth->member_count > RLOG_MEMBERS_MAX) {
        return 0;
    }
    (void)rlog_seal(file, birth_kind, &birth_key, written);
    return RLOG_SEALED_EXTRA + written.size;
}

static void text_read(struct base_reader *reader, char *buffer, size_t size)
{
    struct bytes text = base_read_short(reader, size - 1);

    memset(buffer, 0, size);
    if (text.size > 0) {
        memcpy(buffer, text.data, text.size);
    }
}

static bool birth_decode(struct bytes body, struct rlog_store *ret_store)
{
    struct rlog_birth *birth = &ret_store->birth;
    struct base_reader reader;
    struct bytes machine;

    base_reader_init(&reader, body);
    ret_store->id = base_read_u64(&reader);
    ret_store->store_id = base_read_id(&reader);
    text_read(&reader, birth->cluster, sizeof birth->cluster);
    birth->incarnation = base_read_id(&reader);
    birth->member_count = base_read_u8(&reader);
    if (birth->member_count > RLOG_MEMBERS_MAX) {
        return false;
    }
    for (size_t i = 0; i < birth->member_count; i++) {
        birth->members[i].id = base_read_u64(&reader);
        text_read(&reader, birth->members[i].address, sizeof birth->members[i].address);
    }
    machine = base_read_long(&reader, sizeof ret_store->machine_bytes);
    if (!base_reader_finished(&reader)) {
        return false;
    }
    if (machine.size > 0) {
        memcpy(ret_store->machine_bytes, machine.data, machine.size);
    }
    birth->machine = bytes_of(ret_store->machine_bytes, machine.size);
    return true;
}

static int birth_read(struct env *env, const char *folder, struct rlog_store *ret_store)
{
    uint8_t content[BIRTH_FILE_MAX];
    struct bytes body;
    size_t size = 0;
    int rc = rlog_whole_read(env, folder, "BIRTH", content, sizeof content, &size);

    if (rc == ENV_OK) {
        rc = rlog_unseal(bytes_of(content, size), birth_kind, &birth_key, &body, NULL);
    }
    if (rc == ENV_DENIED) {
        return ENV_INVALID;
    }
    if (rc == ENV_OK && !birth_decode(body, ret_store)) {
        return ENV_INVALID;
    }
    return rc;
}

/* ---- the folder ---- */

struct contents {
    bool birth;
    bool other; /* anything else */
};

static void look(void *arg, const char *name)
{
    struct contents *contents = arg;

    if (strcmp(name, "BIRTH") == 0) {
        contents->birth = true;
    } else {
        contents->other = true;
    }
}

static int lock_take(struct env *env, const char *folder, enum env_open_mode mode,
                     struct env_file **ret_lock)
{
    char path[RLOG_FILE_PATH_MAX];
    struct env_file *lock;
    int rc;

    (void)rlog_path(path, folder, "LOCK");
    rc = env_file_open(env, path, mode, &lock);
    if (rc == ENV_NOT_FOUND) {
        rc = env_file_open(env, path, ENV_OPEN_CREATE, &lock); /* an empty file: nothing is lost */
    }
    if (rc != ENV_OK) {
        return rc;
    }
    rc = env_file_lock(lock);
    if (rc != ENV_OK) {
        env_file_close(lock);
        return rc;
    }
    *ret_lock = lock;
    return ENV_OK;
}

static int sub_folder_create(struct env *env, const char *folder, const char *name)
{
    char path[RLOG_FILE_PATH_MAX];

    (void)rlog_path(path, folder, name);
    return env_folder_create(env, path);
}

/* The folder above the data folder remembers its name. */
static int parent_sync(struct env *env, const char *folder)
{
    char parent[RLOG_FOLDER_MAX];
    size_t size = strlen(folder);

    while (size > 1 && folder[size - 1] == '/') {
        size--;
    }
    while (size > 0 && folder[size - 1] != '/') {
        size--;
    }
    while (size > 1 && folder[size - 1] == '/') {
        size--;
    }
    if (size == 0) {
        return env_folder_sync(env, ".");
    }
    memcpy(parent, folder, size);
    parent[size] = '\0';
    return env_folder_sync(env, parent);
}

/* ---- format ---- */

/* With an image the log is empty and begins behind it: who loses the image, or never had it, cannot
 * do without it. */
static int log_format(struct env *env, const struct rlog_log_config *config,
                      const struct rlog_birth *birth, struct bytes first_configuration)
{
    struct rlog_log_entry first = {.term = 1, .type = RLOG_CHANGE, .payload = first_configuration};

    if (birth->image != NULL) {
        return rlog_log_format(env, config, RLOG_IMAGE_INDEX, RLOG_IMAGE_TERM, NULL);
    }
    return rlog_log_format(env, config, 0, 0, first_configuration.size > 0 ? &first : NULL);
}

static int parts_format(struct env *env, const char *folder, struct id128 store_id,
                        const struct rlog_birth *birth, struct bytes first_configuration,
                        uint64_t segment_bytes)
{
    char log_folder[RLOG_FILE_PATH_MAX];
    struct rlog_log_config config = {
        .folder = log_folder, .segment_bytes = segment_bytes, .store_id = store_id};
    int rc = sub_folder_create(env, folder, "log");

    if (rc == ENV_OK) {
        rc = sub_folder_create(env, folder, "snapshots");
    }
    if (rc == ENV_OK) {
        rc = env_folder_sync(env, folder);
    }
    env_fault(env, "store.folders_made");
    if (rc == ENV_OK) {
        (void)rlog_path(log_folder, folder, "log");
        rc = log_format(env, &config, birth, first_configuration);
    }
    env_fault(env, "store.log_made");
    if (rc == ENV_OK) {
        rc = rlog_vote_format(env, folder, store_id, (struct rlog_vote){.term = 1});
    }
    env_fault(env, "store.vote_made");
    if (rc == ENV_OK) {
        rc = rlog_met_format(env, folder, store_id);
    }
    return rc;
}

static int folder_claim(struct env *env, const char *folder, char *error, size_t error_size)
{
    struct contents contents = {.birth = false};
    int rc = env_folder_create(env, folder);

    if (rc == ENV_OK) {
        rc = parent_sync(env, folder);
    } else if (rc == ENV_EXISTS) {
        rc = env_folder_list(env, folder, look, &contents);
    }
    if (rc != ENV_OK) {
        return say(error, error_size, rc, folder, env_error_text(rc));
    }
    if (contents.birth) {
        return say(error, error_size, ENV_EXISTS, folder, "holds a node already");
    }
    if (contents.other) {
        return say(error, error_size, ENV_EXISTS, folder,
                   "is not empty and holds no node (perhaps its making was interrupted): empty it "
                   "first");
    }
    return ENV_OK;
}

int rlog_store_format(struct env *env, const char *folder, uint64_t id,
                      const struct rlog_birth *birth, struct bytes first_configuration,
                      uint64_t segment_bytes, char *error, size_t error_size,
                      struct id128 *ret_store_id)
{
    uint8_t content[BIRTH_FILE_MAX];
    struct env_file *lock;
    struct id128 store_id;
    size_t size;
    int rc;

    env_random(env, &store_id, sizeof store_id);
    size = birth_encode(content, id, store_id, birth);
    if (size == 0 || strlen(folder) + 16 > RLOG_FOLDER_MAX) {
        return say(error, error_size, ENV_INVALID, folder,
                   "the bootstrap file's content or the folder's name is too long");
    }
    rc = folder_claim(env, folder, error, error_size);
    if (rc != ENV_OK) {
        return rc;
    }
    rc = lock_take(env, folder, ENV_OPEN_CREATE, &lock);
    if (rc != ENV_OK) {
        return say(error, error_size, rc, folder, "another process makes a node of it");
    }
    rc = parts_format(env, folder, store_id, birth, first_configuration, segment_bytes);
    if (rc == ENV_OK && birth->image != NULL) {
        rc = rlog_image_format(env, folder, birth, first_configuration);
    }
    if (rc == ENV_OK) {
        rc = rlog_whole_write(env, folder, "BIRTH", bytes_of(content, size));
    }
    env_file_close(lock);
    if (rc != ENV_OK) {
        return say(error, error_size, rc, folder, env_error_text(rc));
    }
    if (ret_store_id != NULL) {
        *ret_store_id = store_id;
    }
    return ENV_OK;
}

/* ---- open ---- */

static int folder_check(struct env *env, const char *folder, char *error, size_t error_size)
{
    struct contents contents = {.birth = false};
    int rc = env_folder_list(env, folder, look, &contents);

    if (rc == ENV_NOT_FOUND || (rc == ENV_OK && !contents.birth && !contents.other)) {
        return say(error, error_size, ENV_NOT_FOUND, folder,
                   "holds no node: make one of it with tenured --init FILE");
    }
    if (rc != ENV_OK) {
        return say(error, error_size, rc, folder, env_error_text(rc));
    }
    if (!contents.birth) {
        return say(error, error_size, ENV_INVALID, folder,
                   "holds files but no node (BIRTH is missing): its making was interrupted, or it "
                   "is another program's");
    }
    return ENV_OK;
}

int rlog_store_open(struct env *env, const char *folder, struct rlog_store *ret_store, char *error,
                    size_t error_size)
{
    int rc;

    if (strlen(folder) + 16 > RLOG_FOLDER_MAX) {
        return say(error, error_size, ENV_INVALID, folder, "the folder's name is too long");
    }
    rc = folder_check(env, folder, error, error_size);
    if (rc != ENV_OK) {
        return rc;
    }
    memset(ret_store, 0, sizeof *ret_store);
    rc = lock_take(env, folder, ENV_OPEN_WRITE, &ret_store->lock);
    if (rc == ENV_IN_USE) {
        return say(error, error_size, rc, folder, "another tenured runs on this folder");
    }
    if (rc != ENV_OK) {
        return say(error, error_size, rc, folder, env_error_text(rc));
    }
    rc = birth_read(env, folder, ret_store);
    if (rc == ENV_OK) {
        return ENV_OK;
    }
    rlog_store_close(ret_store);
    if (rc == ENV_INVALID) {
        return say(error, error_size, rc, folder,
                   "BIRTH is damaged: remove this node from the cluster and add it again");
    }
    if (rc == ENV_LIMIT) {
        return say(error, error_size, ENV_INVALID, folder, "BIRTH is " RLOG_LATER_FORMAT);
    }
    return say(error, error_size, rc, folder, env_error_text(rc));
}

void rlog_store_close(struct rlog_store *store)
{
    env_file_close(store->lock);
    store->lock = NULL;
}
