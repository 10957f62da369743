/* Reads and writes the file of met.h. What follows from it is members.c's affair. */
#include "raftlog/met.h"

#include <stdio.h>
#include <string.h>

#include "raftlog/sealed.h"
#include "raftlog/whole.h"

enum {
    MET_BODY_MAX = 1 + RLOG_MET_MAX * 24,
    MET_FILE_MAX = MET_BODY_MAX + RLOG_SEALED_EXTRA,
};

#define MET_NAME "met"

static const struct rlog_sealed_kind met_kind = {RLOG_MAGIC('t', 'n', 'M', 'E'), 1};

int rlog_met_store(struct env *env, const char *folder, struct id128 store_id,
                   const struct rlog_members *members)
{
    struct siphash_key key = rlog_store_key(store_id);
    uint8_t body[MET_BODY_MAX], file[MET_FILE_MAX];
    struct base_writer writer;
    base_writer_init(&writer, body, sizeof body);
    uint8_t count = 0;
    for (size_t i = 0; i < RLOG_MET_MAX; i++) {
        count = (uint8_t)(count + (members->met[i].id != 0 ? 1 : 0));
    }
    base_write_u8(&writer, count);
    for (size_t i = 0; i < RLOG_MET_MAX; i++) {
        if (members->met[i].id != 0) {
            base_write_u64(&writer, members->met[i].id);
            base_write_id(&writer, members->met[i].store);
        }
    }
    struct bytes written = base_written(&writer);
    (void)rlog_seal(file, met_kind, &key, written);
    return rlog_whole_write(env, folder, MET_NAME,
                            bytes_of(file, written.size + RLOG_SEALED_EXTRA));
}

int rlog_met_format(struct env *env, const char *folder, struct id128 store_id)
{
    struct rlog_members nobody;
    rlog_members_init(&nobody);
    return rlog_met_store(env, folder, store_id, &nobody);
}

static bool decode(struct bytes body, struct rlog_members *members)
{
    struct base_reader reader;
    base_reader_init(&reader, body);
    uint8_t count = base_read_u8(&reader);
    if (count > RLOG_MET_MAX) {
        return false;
    }
    bool whole = true; /* a free place is not written */
    for (size_t i = 0; i < count; i++) {
        members->met[i].id = base_read_u64(&reader);
        members->met[i].store = base_read_id(&reader);
        whole = whole && members->met[i].id != 0;
    }
    return whole && base_reader_finished(&reader);
}

int rlog_met_load(struct env *env, const char *folder, struct id128 store_id,
                  struct rlog_members *members, char *error, size_t error_size)
{
    struct siphash_key key = rlog_store_key(store_id);
    uint8_t file[MET_FILE_MAX];
    struct bytes body;
    size_t size = 0;
    int rc = rlog_whole_read(env, folder, MET_NAME, file, sizeof file, &size);
    if (rc != ENV_OK && rc != ENV_NOT_FOUND) {
        snprintf(error, error_size, "%s/%s: %s", folder, MET_NAME, env_error_text(rc));
        return rc;
    }
    if (rc == ENV_OK) {
        rc = rlog_unseal(bytes_of(file, size), met_kind, &key, &body, NULL);
    }
    if (rc == ENV_LIMIT || rc == ENV_DENIED) {
        snprintf(error, error_size, "%s/%s %s", folder, MET_NAME,
                 rc == ENV_LIMIT ? "is " RLOG_LATER_FORMAT : "belongs to another node's store");
        return rc;
    }
    if (rc != ENV_OK || !decode(body, members)) {
        snprintf(error, error_size, "%s/%s is damaged", folder, MET_NAME);
        return ENV_INVALID;
    }
    return 0;
}
