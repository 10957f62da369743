/* The bootstrap file, and the bytes that the node keeps of it in every data folder. */
#include "node/bootstrap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "node/time.h"
#include "node/yaml.h"
#include "op/text.h"

enum { BIRTH_VERSION = 2, NODE_ID_MAX = 65535 };

/* ---- the file ---- */

struct file_member {
    uint32_t id;
    char *peer;
    char *client;
};

struct file_limit {
    char *name;
    uint64_t value;
};

struct file_restore {
    char *image;
    char *incarnation;
    uint64_t at;
    char *digest;
    uint64_t position;
};

struct file {
    uint32_t tenure_bootstrap; /* version of the form */
    char *cluster;
    char *incarnation;
    uint64_t time_us;
    char *hash_key;
    char *derive_key;
    struct file_member *members;
    uint64_t members_count;
    struct file_limit *limits;
    uint64_t limits_count;
    struct file_restore *restore;
};

static const cyaml_schema_field_t member_fields[] = {
    CYAML_FIELD_UINT("id", CYAML_FLAG_DEFAULT, struct file_member, id),
    CYAML_FIELD_STRING_PTR("peer", CYAML_FLAG_POINTER, struct file_member, peer, 1,
                           ENV_ADDRESS_MAX - 1),
    CYAML_FIELD_STRING_PTR("client", CYAML_FLAG_POINTER, struct file_member, client, 1,
                           ENV_ADDRESS_MAX - 1),
    CYAML_FIELD_END};
static const cyaml_schema_value_t member_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_member, member_fields)};

static const cyaml_schema_field_t limit_fields[] = {
    CYAML_FIELD_STRING_PTR("name", CYAML_FLAG_POINTER, struct file_limit, name, 1, 64),
    CYAML_FIELD_UINT("value", CYAML_FLAG_DEFAULT, struct file_limit, value), CYAML_FIELD_END};
static const cyaml_schema_value_t limit_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_DEFAULT, struct file_limit, limit_fields)};

static const cyaml_schema_field_t restore_fields[] = {
    CYAML_FIELD_STRING_PTR("image", CYAML_FLAG_POINTER, struct file_restore, image, 1, 2048),
    CYAML_FIELD_STRING_PTR("incarnation", CYAML_FLAG_POINTER, struct file_restore, incarnation, 32,
                           32),
    CYAML_FIELD_UINT("at", CYAML_FLAG_DEFAULT, struct file_restore, at),
    CYAML_FIELD_STRING_PTR("digest", CYAML_FLAG_POINTER, struct file_restore, digest, 32, 32),
    CYAML_FIELD_UINT("position", CYAML_FLAG_DEFAULT, struct file_restore, position),
    CYAML_FIELD_END};

static const cyaml_schema_field_t file_fields[] = {
    CYAML_FIELD_UINT("tenure_bootstrap", CYAML_FLAG_DEFAULT, struct file, tenure_bootstrap),
    CYAML_FIELD_STRING_PTR("cluster", CYAML_FLAG_POINTER, struct file, cluster, 1,
                           RLOG_NAME_MAX - 1),
    CYAML_FIELD_STRING_PTR("incarnation", CYAML_FLAG_POINTER, struct file, incarnation, 32, 32),
    CYAML_FIELD_UINT("time_us", CYAML_FLAG_DEFAULT, struct file, time_us),
    CYAML_FIELD_STRING_PTR("hash_key", CYAML_FLAG_POINTER, struct file, hash_key, 32, 32),
    CYAML_FIELD_STRING_PTR("derive_key", CYAML_FLAG_POINTER, struct file, derive_key, 64, 64),
    CYAML_FIELD_SEQUENCE_COUNT("members", CYAML_FLAG_POINTER, struct file, members, members_count,
                               &member_schema, 1, RLOG_MEMBERS_MAX),
    CYAML_FIELD_SEQUENCE_COUNT("limits", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file,
                               limits, limits_count, &limit_schema, 0, 64),
    CYAML_FIELD_MAPPING_PTR("restore", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file,
                            restore, restore_fields),
    CYAML_FIELD_END};
static const cyaml_schema_value_t file_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, file_fields)};

static bool take_limits(const struct file *file, struct op_limits *ret_limits, char *error,
                        size_t error_size)
{
    op_limits_init(ret_limits);
    for (uint64_t i = 0; i < file->limits_count; i++) {
        const struct file_limit *limit = &file->limits[i];
        if (!op_limits_set(ret_limits, bytes_of_text(limit->name), limit->value)) {
            snprintf(error, error_size, "limit \"%s\": unknown, or %llu is out of its bounds",
                     limit->name, (unsigned long long)limit->value);
            return false;
        }
    }
    return true;
}

/* Nodes are told apart by id and by both addresses. */
static bool check_member(const struct node_bootstrap *bootstrap, size_t which, char *error,
                         size_t error_size)
{
    const struct rlog_member *members = bootstrap->birth.members;
    if (members[which].id == 0 || members[which].id > NODE_ID_MAX) {
        snprintf(error, error_size, "member ids go from 1 to %d", NODE_ID_MAX);
        return false;
    }
    for (size_t i = 0; i < which; i++) {
        if (members[i].id == members[which].id) {
            snprintf(error, error_size, "member ids have to differ: %llu is there twice",
                     (unsigned long long)members[i].id);
            return false;
        }
        if (strcmp(members[i].address, members[which].address) == 0 ||
            strcmp(bootstrap->clients[i], bootstrap->clients[which]) == 0) {
            snprintf(error, error_size, "members %llu and %llu have one address",
                     (unsigned long long)members[i].id, (unsigned long long)members[which].id);
            return false;
        }
    }
    return true;
}

static bool take_members(const struct file *file, struct node_bootstrap *ret, char *error,
                         size_t error_size)
{
    ret->birth.member_count = file->members_count;
    for (size_t i = 0; i < file->members_count; i++) {
        struct rlog_member *member = &ret->birth.members[i];
        member->id = file->members[i].id;
        snprintf(member->address, sizeof(member->address), "%s", file->members[i].peer);
        snprintf(ret->clients[i], sizeof(ret->clients[i]), "%s", file->members[i].client);
        if (!check_member(ret, i, error, error_size)) {
            return false;
        }
    }
    if (ret->birth.member_count < 3 || ret->birth.member_count % 2 == 0) {
        snprintf(error, error_size, "%zu members: a cluster has 3, 5, 7 or 9",
                 ret->birth.member_count);
        return false;
    }
    return true;
}

/* The image stands beside the file, if it has no path of its own. */
static bool take_restore(const struct file_restore *restore, const char *path,
                         struct node_bootstrap_restore *ret, char *error, size_t error_size)
{
    const char *slash = strrchr(path, '/');
    size_t folder = slash == NULL || restore->image[0] == '/' ? 0 : (size_t)(slash - path) + 1;
    if (folder + strlen(restore->image) >= sizeof(ret->image)) {
        snprintf(error, error_size, "restore: the path of the image is too long");
        return false;
    }
    memcpy(ret->image, path, folder);
    memcpy(ret->image + folder, restore->image, strlen(restore->image) + 1);
    ret->at = restore->at;
    ret->position = restore->position;
    if (!hex_read(bytes_of_text(restore->incarnation), ret->incarnation.bytes, 16) ||
        !hex_read(bytes_of_text(restore->digest), ret->digest, 16)) {
        snprintf(error, error_size, "restore: incarnation and digest are 32 hexadecimal digits");
        return false;
    }
    return true;
}

static bool take(const struct file *file, const char *path, struct node_bootstrap *ret, char *error,
                 size_t error_size)
{
    memset(ret, 0, sizeof(*ret));
    if (file->tenure_bootstrap != 1) {
        snprintf(error, error_size, "form %u is not known: upgrade tenured",
                 file->tenure_bootstrap);
        return false;
    }
    snprintf(ret->birth.cluster, sizeof(ret->birth.cluster), "%s", file->cluster);
    if (strchr(file->cluster, '/') != NULL || !op_text_valid(bytes_of_text(file->cluster))) {
        snprintf(error, error_size, "cluster is a name without slashes and control characters");
        return false;
    }
    ret->time = file->time_us;
    if (ret->time == 0 || ret->time > NODE_TIME_MAX_US) {
        snprintf(error, error_size, "time_us is no Unix time in microseconds");
        return false;
    }
    if (!hex_read(bytes_of_text(file->incarnation), ret->birth.incarnation.bytes, 16) ||
        !hex_read(bytes_of_text(file->hash_key), ret->hash_key, 16)) {
        snprintf(error, error_size, "incarnation and hash_key are 32 hexadecimal digits");
        return false;
    }
    if (!hex_read(bytes_of_text(file->derive_key), ret->derive_key, NODE_DERIVE_KEY)) {
        snprintf(error, error_size, "derive_key is 64 hexadecimal digits");
        return false;
    }
    return take_limits(file, &ret->limits, error, error_size) &&
           take_members(file, ret, error, error_size) &&
           (file->restore == NULL ||
            take_restore(file->restore, path, &ret->restore, error, error_size));
}

bool node_bootstrap_load(const char *path, struct node_bootstrap *ret_bootstrap, char *error,
                         size_t error_size)
{
    struct file *file = NULL;
    if (!node_yaml_load(path, &file_schema, (void **)&file, error, error_size)) {
        return false;
    }
    char line[256];
    bool taken = take(file, path, ret_bootstrap, line, sizeof(line));
    node_yaml_free(&file_schema, file);
    if (!taken) {
        snprintf(error, error_size, "%s: %s", path, line);
    }
    return taken;
}

/* ---- birth.machine ---- */

void node_birth_write(struct node_bootstrap *bootstrap)
{
    struct base_writer writer;
    base_writer_init(&writer, bootstrap->machine_bytes, sizeof(bootstrap->machine_bytes));
    base_write_u8(&writer, BIRTH_VERSION);
    base_write_u64(&writer, bootstrap->time);
    base_write_bytes(&writer, bytes_of(bootstrap->hash_key, sizeof(bootstrap->hash_key)));
    base_write_bytes(&writer, bytes_of(bootstrap->derive_key, NODE_DERIVE_KEY));
    op_limits_write(&writer, &bootstrap->limits);
    base_write_u8(&writer, (uint8_t)bootstrap->birth.member_count);
    for (size_t i = 0; i < bootstrap->birth.member_count; i++) {
        base_write_short(&writer, bytes_of_text(bootstrap->clients[i]));
    }
    bootstrap->birth.machine = base_written(&writer);
}

bool node_birth_read(const struct rlog_birth *birth, struct node_bootstrap *ret_bootstrap)
{
    struct base_reader reader;
    base_reader_init(&reader, birth->machine);
    memset(ret_bootstrap, 0, sizeof(*ret_bootstrap));
    ret_bootstrap->birth = *birth;
    uint8_t version = base_read_u8(&reader);
    ret_bootstrap->time = base_read_u64(&reader);
    struct bytes key = base_read_bytes(&reader, sizeof(ret_bootstrap->hash_key));
    struct bytes derive_key = base_read_bytes(&reader, NODE_DERIVE_KEY);
    if (version != BIRTH_VERSION || reader.failed ||
        !op_limits_read(&reader, &ret_bootstrap->limits)) {
        return false;
    }
    memcpy(ret_bootstrap->hash_key, key.data, key.size);
    memcpy(ret_bootstrap->derive_key, derive_key.data, derive_key.size);
    uint8_t count = base_read_u8(&reader);
    for (size_t i = 0; i < count && count == birth->member_count; i++) {
        struct bytes address = base_read_short(&reader, ENV_ADDRESS_MAX - 1);
        if (reader.failed) {
            return false;
        }
        memcpy(ret_bootstrap->clients[i], address.data, address.size);
    }
    return count == birth->member_count && base_reader_finished(&reader);
}

const char *node_birth_fault(const struct rlog_birth *birth)
{
    struct base_reader reader;
    base_reader_init(&reader, birth->machine);
    uint8_t version = base_read_u8(&reader);
    if (version > BIRTH_VERSION) {
        return "was written by a newer version: upgrade tenured";
    }
    if (version > 0 && version < BIRTH_VERSION) {
        return "was written by an older version, whose clusters have no key for derived values: "
               "run the tenured that wrote it, or make a new cluster (tenurectl cluster init)";
    }
    return "says what this version cannot read: run the tenured that wrote it";
}
