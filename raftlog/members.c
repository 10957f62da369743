/* Keeps the list of members and their store ids. Does not change who is a member. */
#include "raftlog/members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum { BINDING_VERSION = 1, BINDING_KIND = 1, CONFIGURATION_VERSION = 1 };

void rlog_members_init(struct rlog_members *members, const struct rlog_birth *birth)
{
    memset(members, 0, sizeof *members);
    members->count = birth->member_count;
    for (size_t i = 0; i < members->count; i++) {
        members->list[i] = birth->members[i];
    }
}

size_t rlog_members_find(const struct rlog_members *members, uint64_t id)
{
    size_t i = 0;
    while (i < members->count && members->list[i].id != id) {
        i++;
    }
    return i;
}

uint64_t rlog_members_identity(const char *cluster, const char *identity)
{
    char prefix[RLOG_NAME_MAX + 32];
    int size = snprintf(prefix, sizeof prefix, "tenure://%s/-/peer/", cluster);
    if (size < 0 || (size_t)size >= sizeof prefix || strncmp(identity, prefix, (size_t)size) != 0) {
        return 0;
    }
    const char *digit = identity + size;
    if (*digit < '1' || *digit > '9') {
        return 0;
    }
    uint64_t id = 0;
    for (; *digit >= '0' && *digit <= '9'; digit++) {
        if (id > (UINT64_MAX - 9) / 10) {
            return 0;
        }
        id = id * 10 + (uint64_t)(*digit - '0');
    }
    return *digit == '\0' ? id : 0;
}

bool rlog_members_fits(const struct rlog_members *members, uint64_t id, struct id128 store)
{
    size_t i = rlog_members_find(members, id);
    if (i == members->count) {
        return false;
    }
    if (!id128_is_zero(members->stores[i])) {
        return id128_equal(members->stores[i], store);
    }
    return (members->noted_at[i] == 0 || id128_equal(members->noted[i], store)) &&
           (id128_is_zero(members->met[i]) || id128_equal(members->met[i], store));
}

bool rlog_members_replaced(const struct rlog_members *members, uint64_t id, struct id128 store)
{
    size_t i = rlog_members_find(members, id);
    return i < members->count && !id128_is_zero(members->stores[i]) &&
           !id128_equal(members->stores[i], store);
}

bool rlog_members_unbound(const struct rlog_members *members, uint64_t id)
{
    size_t i = rlog_members_find(members, id);
    return i < members->count && id128_is_zero(members->stores[i]) && members->noted_at[i] == 0;
}

struct bytes rlog_members_write_binding(uint8_t *buffer, uint64_t id, struct id128 store)
{
    struct base_writer writer;
    base_writer_init(&writer, buffer, RLOG_BINDING_SIZE);
    base_write_u8(&writer, BINDING_VERSION);
    base_write_u8(&writer, BINDING_KIND);
    base_write_u64(&writer, id);
    base_write_id(&writer, store);
    return base_written(&writer);
}

/* The position of the member that it binds; `count` when it is no binding, or of no member. */
static size_t read_binding(const struct rlog_members *members, struct bytes payload,
                           struct id128 *ret_store)
{
    struct base_reader reader;
    base_reader_init(&reader, payload);
    uint8_t version = base_read_u8(&reader);
    uint8_t kind = base_read_u8(&reader);
    uint64_t id = base_read_u64(&reader);
    *ret_store = base_read_id(&reader);
    if (!base_reader_finished(&reader) || version != BINDING_VERSION || kind != BINDING_KIND) {
        return members->count;
    }
    return rlog_members_find(members, id);
}

bool rlog_members_apply(struct rlog_members *members, struct bytes payload)
{
    struct id128 store;
    size_t i = read_binding(members, payload, &store);
    if (i == members->count) {
        return false;
    }
    if (id128_is_zero(members->stores[i])) {
        members->stores[i] = store;
        members->changed = true;
    }
    return true;
}

/* The first one counts: it is what will be applied. */
void rlog_members_note(struct rlog_members *members, uint64_t index, struct bytes payload)
{
    struct id128 store;
    size_t i = read_binding(members, payload, &store);
    if (i < members->count && members->noted_at[i] == 0) {
        members->noted[i] = store;
        members->noted_at[i] = index;
        members->changed = true;
    }
}

void rlog_members_forget(struct rlog_members *members, uint64_t index)
{
    for (size_t i = 0; i < members->count; i++) {
        if (members->noted_at[i] >= index) {
            members->noted_at[i] = 0;
        }
    }
}

bool rlog_members_meet(struct rlog_members *members, uint64_t id, struct id128 store)
{
    size_t i = rlog_members_find(members, id);
    if (i == members->count || !id128_is_zero(members->met[i])) {
        return false;
    }
    members->met[i] = store;
    return true;
}

bool rlog_members_override(struct rlog_members *members)
{
    bool any = false;
    for (size_t i = 0; i < members->count; i++) {
        if (!id128_is_zero(members->stores[i]) &&
            !id128_equal(members->stores[i], members->met[i])) {
            members->met[i] = members->stores[i];
            any = true;
        }
    }
    return any;
}

struct bytes rlog_members_write_configuration(const struct rlog_members *members, struct bytes raft,
                                              uint8_t *buffer)
{
    struct base_writer writer;
    base_writer_init(&writer, buffer, RLOG_CONFIGURATION_MAX);
    base_write_u8(&writer, CONFIGURATION_VERSION);
    base_write_long(&writer, raft);
    base_write_u8(&writer, (uint8_t)members->count);
    for (size_t i = 0; i < members->count; i++) {
        base_write_u64(&writer, members->list[i].id);
        base_write_id(&writer, members->stores[i]);
    }
    return base_written(&writer);
}

bool rlog_members_read_configuration(struct bytes configuration, struct rlog_members *members,
                                     struct bytes *ret_raft)
{
    struct base_reader reader;
    base_reader_init(&reader, configuration);
    uint8_t version = base_read_u8(&reader);
    struct bytes raft = base_read_long(&reader, RLOG_CONFIGURATION_MAX);
    uint8_t count = base_read_u8(&reader);
    if (reader.failed || version != CONFIGURATION_VERSION || count > RLOG_MEMBERS_MAX) {
        return false;
    }
    uint64_t ids[RLOG_MEMBERS_MAX];
    struct id128 stores[RLOG_MEMBERS_MAX];
    for (size_t i = 0; i < count; i++) {
        ids[i] = base_read_u64(&reader);
        stores[i] = base_read_id(&reader);
    }
    if (!base_reader_finished(&reader)) {
        return false;
    }
    for (size_t i = 0; members != NULL && i < count; i++) {
        size_t at = rlog_members_find(members, ids[i]);
        if (at < members->count) {
            members->stores[at] = stores[i];
            members->changed = true;
        }
    }
    *ret_raft = raft;
    return true;
}
