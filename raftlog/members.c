/* Keeps the roll of members, noted and applied, and who was met. Does not change who is a member.
 */
#include "raftlog/members.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"

enum { BINDING_VERSION = 1, BINDING_KIND = 1 };

void rlog_members_init(struct rlog_members *members)
{
    memset(members, 0, sizeof *members);
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

static struct id128 store_in(const struct rlog_roll *roll, uint64_t id)
{
    size_t i = rlog_roll_find(roll, id);
    return i < roll->count ? roll->list[i].store : ID128_ZERO;
}

static struct rlog_met *met_of(const struct rlog_members *members, uint64_t id)
{
    for (size_t i = 0; i < RLOG_MET_MAX; i++) {
        if (members->met[i].id == id) {
            return (struct rlog_met *)&members->met[i];
        }
    }
    return NULL;
}

bool rlog_members_known(const struct rlog_members *members, uint64_t id)
{
    return rlog_roll_find(&members->roll, id) < members->roll.count ||
           rlog_roll_find(&members->applied, id) < members->applied.count;
}

static bool none_or(struct id128 known, struct id128 store)
{
    return id128_is_zero(known) || id128_equal(known, store);
}

bool rlog_members_fits(const struct rlog_members *members, uint64_t id, struct id128 store)
{
    struct id128 applied = store_in(&members->applied, id);
    struct id128 noted = store_in(&members->roll, id);
    size_t i = rlog_roll_find(&members->roll, id);
    bool joined = i < members->roll.count && members->roll.list[i].joined;
    const struct rlog_met *met = met_of(members, id);
    if (!rlog_members_known(members, id)) {
        return false;
    }
    if (joined && !id128_is_zero(noted)) {
        return id128_equal(noted, store);
    }
    if (!id128_is_zero(applied)) {
        return id128_equal(applied, store);
    }
    return none_or(noted, store) && (met == NULL || none_or(met->store, store));
}

struct id128 rlog_members_bound(const struct rlog_members *members, uint64_t id)
{
    return store_in(&members->applied, id);
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

/* The first binding counts. False: the entry is of a later version. Zeros are a barrier alone. */
static bool bind(struct rlog_roll *roll, struct bytes payload, bool *changed)
{
    struct base_reader reader;
    if (payload.size == 0 || payload.data[0] == 0) {
        return true;
    }
    base_reader_init(&reader, payload);
    uint8_t version = base_read_u8(&reader);
    uint8_t kind = base_read_u8(&reader);
    uint64_t id = base_read_u64(&reader);
    struct id128 store = base_read_id(&reader);
    if (!base_reader_finished(&reader) || version != BINDING_VERSION || kind != BINDING_KIND) {
        return false;
    }
    size_t i = rlog_roll_find(roll, id);
    if (i < roll->count && id128_is_zero(roll->list[i].store)) {
        roll->list[i].store = store;
        *changed = true;
    }
    return true;
}

/* What the entry makes of the roll. False: it cannot be read. */
static bool follow(struct rlog_roll *roll, enum rlog_entry_type type, struct bytes payload,
                   bool *changed)
{
    struct rlog_roll change;
    switch (type) {
    case RLOG_COMMAND:
        return true;
    case RLOG_BARRIER:
        return bind(roll, payload, changed);
    case RLOG_CHANGE:
        if (!rlog_roll_read(payload, &change)) {
            return false;
        }
        rlog_roll_follow(roll, &change);
        *changed = true;
        return true;
    }
    UNREACHABLE("an entry type outside its enum");
}

bool rlog_members_note(struct rlog_members *members, enum rlog_entry_type type,
                       struct bytes payload)
{
    bool readable = follow(&members->roll, type, payload, &members->changed);
    return readable || type == RLOG_BARRIER;
}

void rlog_members_rewind(struct rlog_members *members)
{
    members->roll = members->applied;
    members->changed = true;
}

static void forget_met(struct rlog_members *members, const struct rlog_roll *before)
{
    for (size_t i = 0; i < RLOG_MET_MAX; i++) {
        struct rlog_met *met = &members->met[i];
        bool was = before == NULL || rlog_roll_find(before, met->id) < before->count;
        if (met->id != 0 && was &&
            rlog_roll_find(&members->applied, met->id) == members->applied.count) {
            met->store = ID128_ZERO; /* rlog_members_override frees the place */
        }
    }
}

bool rlog_members_apply(struct rlog_members *members, enum rlog_entry_type type,
                        struct bytes payload)
{
    const struct rlog_roll before = members->applied;
    if (!follow(&members->applied, type, payload, &members->changed)) {
        return false;
    }
    if (type == RLOG_CHANGE) {
        forget_met(members, &before);
    }
    return true;
}

bool rlog_members_restore(struct rlog_members *members, struct bytes configuration)
{
    struct rlog_roll roll;
    if (!rlog_roll_read(configuration, &roll)) {
        return false;
    }
    members->applied = roll;
    rlog_members_rewind(members);
    forget_met(members, NULL);
    return true;
}

/* A place for `id`; NULL when none is free. */
static struct rlog_met *place_for(struct rlog_members *members, uint64_t id)
{
    struct rlog_met *met = met_of(members, id);
    met = met != NULL ? met : met_of(members, 0);
    if (met != NULL && met->id == 0) {
        *met = (struct rlog_met){.id = id};
    }
    return met;
}

bool rlog_members_meet(struct rlog_members *members, uint64_t id, struct id128 store)
{
    if (!rlog_members_known(members, id)) {
        return false;
    }
    struct rlog_met *met = place_for(members, id);
    if (met == NULL || !id128_is_zero(met->store)) {
        return false;
    }
    met->store = store;
    return true;
}

void rlog_members_unmeet(struct rlog_members *members, uint64_t id)
{
    struct rlog_met *met = met_of(members, id);
    if (met != NULL) {
        *met = (struct rlog_met){.id = 0};
    }
}

bool rlog_members_override(struct rlog_members *members)
{
    bool any = false;
    for (size_t i = 0; i < RLOG_MET_MAX; i++) {
        if (members->met[i].id != 0 && id128_is_zero(members->met[i].store)) {
            members->met[i].id = 0;
            any = true;
        }
    }
    for (size_t i = 0; i < members->applied.count; i++) {
        const struct rlog_member *member = &members->applied.list[i];
        struct rlog_met *met = id128_is_zero(member->store) ? NULL : place_for(members, member->id);
        if (met != NULL && !id128_equal(member->store, met->store)) {
            met->store = member->store;
            any = true;
        }
    }
    return any;
}
