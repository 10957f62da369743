/* Reads and writes rolls. Decides not who may change one (change.c). */
#include "raftlog/roll.h"

#include <string.h>

enum { CORE_FORMAT = 1, TAIL_VERSION = 1, CORE_STANDBY = 0, CORE_VOTER = 1 };

size_t rlog_roll_find(const struct rlog_roll *roll, uint64_t id)
{
    size_t i = 0;
    while (i < roll->count && roll->list[i].id != id) {
        i++;
    }
    return i;
}

size_t rlog_roll_voters(const struct rlog_roll *roll)
{
    size_t voters = 0;
    for (size_t i = 0; i < roll->count; i++) {
        voters += roll->list[i].voter ? 1 : 0;
    }
    return voters;
}

bool rlog_roll_votes(const struct rlog_roll *roll, uint64_t id)
{
    size_t i = rlog_roll_find(roll, id);
    return i < roll->count && roll->list[i].voter;
}

static bool read_address(struct base_reader *reader, char address[ENV_ADDRESS_MAX])
{
    for (size_t i = 0; i < ENV_ADDRESS_MAX && !reader->failed; i++) {
        address[i] = (char)base_read_u8(reader);
        if (address[i] == '\0') {
            return !reader->failed;
        }
    }
    return false;
}

static bool is_new(const struct rlog_roll *roll, size_t which)
{
    for (size_t i = 0; i < which; i++) {
        if (roll->list[i].id == roll->list[which].id ||
            strcmp(roll->list[i].address, roll->list[which].address) == 0) {
            return false;
        }
    }
    return true;
}

static bool read_core(struct base_reader *reader, struct rlog_roll *roll)
{
    uint8_t format = base_read_u8(reader);
    uint64_t count = base_read_u64(reader);
    if (reader->failed || format != CORE_FORMAT || count == 0 || count > RLOG_MEMBERS_MAX) {
        return false;
    }
    roll->count = (size_t)count;
    for (size_t i = 0; i < roll->count; i++) {
        struct rlog_member *member = &roll->list[i];
        member->id = base_read_u64(reader);
        if (member->id == 0 || !read_address(reader, member->address)) {
            return false;
        }
        uint8_t role = base_read_u8(reader);
        member->voter = role == CORE_VOTER;
        if (reader->failed || role > CORE_VOTER || !is_new(roll, i)) {
            return false;
        }
    }
    return true;
}

static bool read_tail(struct base_reader *reader, struct rlog_roll *roll)
{
    if (base_read_u8(reader) != TAIL_VERSION) {
        return false;
    }
    for (size_t i = 0; i < roll->count; i++) {
        struct rlog_member *member = &roll->list[i];
        member->store = base_read_id(reader);
        struct bytes note = base_read_short(reader, ENV_ADDRESS_MAX - 1);
        if (note.size > 0) {
            memcpy(member->note, note.data, note.size);
        }
    }
    return base_reader_finished(reader);
}

bool rlog_roll_read(struct bytes encoded, struct rlog_roll *ret_roll)
{
    struct rlog_roll roll;
    struct base_reader reader;
    memset(&roll, 0, sizeof roll);
    base_reader_init(&reader, encoded);
    if (!read_core(&reader, &roll)) {
        return false;
    }
    while ((encoded.size - base_reader_left(&reader)) % 8 != 0 && !reader.failed) {
        (void)base_read_u8(&reader);
    }
    if (reader.failed || (!base_reader_finished(&reader) && !read_tail(&reader, &roll))) {
        return false;
    }
    *ret_roll = roll;
    return true;
}

struct bytes rlog_roll_write(const struct rlog_roll *roll, uint8_t *buffer)
{
    struct base_writer writer;
    base_writer_init(&writer, buffer, RLOG_CONFIGURATION_MAX);
    base_write_u8(&writer, CORE_FORMAT);
    base_write_u64(&writer, roll->count);
    for (size_t i = 0; i < roll->count; i++) {
        const struct rlog_member *member = &roll->list[i];
        base_write_u64(&writer, member->id);
        base_write_bytes(&writer, bytes_of(member->address, strlen(member->address) + 1));
        base_write_u8(&writer, member->voter ? CORE_VOTER : CORE_STANDBY);
    }
    while (base_written(&writer).size % 8 != 0 && !writer.failed) {
        base_write_u8(&writer, 0);
    }
    base_write_u8(&writer, TAIL_VERSION);
    for (size_t i = 0; i < roll->count; i++) {
        base_write_id(&writer, roll->list[i].store);
        base_write_short(&writer, bytes_of_text(roll->list[i].note));
    }
    return writer.failed ? BYTES_NONE : base_written(&writer);
}

void rlog_roll_follow(struct rlog_roll *roll, const struct rlog_roll *change)
{
    struct rlog_roll next = *change;
    for (size_t i = 0; i < next.count; i++) {
        struct rlog_member *member = &next.list[i];
        size_t before = rlog_roll_find(roll, member->id);
        if (before == roll->count) {
            member->joined = roll->count > 0;
            continue;
        }
        member->joined = roll->list[before].joined;
        if (id128_is_zero(member->store)) {
            member->store = roll->list[before].store;
        }
    }
    *roll = next;
}
