/* Reads, replaces and removes the note of damage.h. Decides nothing. */
#include "raftlog/damage.h"

#include <stdio.h>
#include <string.h>

#include "env/disk.h"
#include "env/fault.h"
#include "raftlog/path.h"
#include "raftlog/sealed.h"
#include "raftlog/whole.h"

#define DAMAGE_NAME "damaged"

static const struct rlog_sealed_kind damage_kind = {RLOG_MAGIC('t', 'n', 'D', 'M'), 1};

enum {
    DAMAGE_BODY_MAX = 4 + RLOG_DAMAGE_TEXT_MAX,
    DAMAGE_FILE_MAX = DAMAGE_BODY_MAX + RLOG_SEALED_EXTRA,
};

static bool decode(struct bytes body, struct rlog_damage *ret_damage)
{
    struct base_reader reader;
    base_reader_init(&reader, body);
    uint8_t stage = base_read_u8(&reader);
    uint8_t lost_met = base_read_u8(&reader);
    struct bytes text = base_read_short(&reader, RLOG_DAMAGE_TEXT_MAX - 1);
    if (!base_reader_finished(&reader) || lost_met > 1 ||
        (stage != RLOG_DAMAGE_FOUND && stage != RLOG_DAMAGE_RENEWED)) {
        return false;
    }
    memset(ret_damage, 0, sizeof *ret_damage);
    ret_damage->stage = (enum rlog_damage_stage)stage;
    ret_damage->lost_met = lost_met == 1;
    if (text.size > 0) {
        memcpy(ret_damage->text, text.data, text.size);
    }
    return true;
}

int rlog_damage_load(struct env *env, const char *folder, struct id128 store_id,
                     struct rlog_damage *ret_damage, char *error, size_t error_size)
{
    struct siphash_key key = rlog_store_key(store_id);
    uint8_t file[DAMAGE_FILE_MAX];
    struct bytes body;
    size_t size = 0;
    int rc = rlog_whole_read(env, folder, DAMAGE_NAME, file, sizeof file, &size);
    memset(ret_damage, 0, sizeof *ret_damage);
    if (rc == ENV_NOT_FOUND) {
        return ENV_OK;
    }
    if (rc == ENV_OK) {
        rc = rlog_unseal(bytes_of(file, size), damage_kind, &key, &body, NULL);
    }
    if (rc == ENV_OK && decode(body, ret_damage)) {
        return ENV_OK;
    }
    if (rc == ENV_OK || rc == ENV_INVALID) {
        *ret_damage = (struct rlog_damage){.stage = RLOG_DAMAGE_FOUND,
                                           .lost_met = true,
                                           .text = "the note of earlier damage is damaged"};
        return ENV_OK;
    }
    snprintf(error, error_size, "%s/%s: %s", folder, DAMAGE_NAME,
             rc == ENV_LIMIT    ? RLOG_LATER_FORMAT
             : rc == ENV_DENIED ? "belongs to another node's store"
                                : env_error_text(rc));
    return rc;
}

int rlog_damage_store(struct env *env, const char *folder, struct id128 store_id,
                      const struct rlog_damage *damage)
{
    struct siphash_key key = rlog_store_key(store_id);
    char path[RLOG_FILE_PATH_MAX];
    uint8_t body[DAMAGE_BODY_MAX], file[DAMAGE_FILE_MAX];
    struct base_writer writer;
    if (damage->stage == RLOG_DAMAGE_NONE) {
        if (!rlog_path(path, folder, DAMAGE_NAME)) {
            return ENV_INVALID;
        }
        env_fault(env, "damage.before_remove");
        int rc = env_remove(env, path);
        env_fault(env, "damage.removed");
        return rc == ENV_OK || rc == ENV_NOT_FOUND ? env_folder_sync(env, folder) : rc;
    }
    base_writer_init(&writer, body, sizeof body);
    base_write_u8(&writer, (uint8_t)damage->stage);
    base_write_u8(&writer, damage->lost_met ? 1 : 0);
    base_write_short(&writer, bytes_of_text(damage->text));
    struct bytes written = base_written(&writer);
    (void)rlog_seal(file, damage_kind, &key, written);
    return rlog_whole_write(env, folder, DAMAGE_NAME,
                            bytes_of(file, written.size + RLOG_SEALED_EXTRA));
}
