/* Writers and readers of what a node tells others, and of the file CLOCK. */
#include "node/forms.h"

#include <string.h>

#include "base/hash.h"

enum { CLOCK_VERSION = 3, SPACE_VERSION = 1, LEVEL_VERSION = 1, SLOT_VERSION = 3 };

static const char slot_magic[8] = "TNRCLOCK";

/* ---- messages ---- */

struct bytes node_form_write_clock(uint8_t buffer[NODE_FORM_MAX],
                                   const struct node_clock_message *message)
{
    struct base_writer writer;
    base_writer_init(&writer, buffer, NODE_FORM_MAX);
    base_write_u8(&writer, CLOCK_VERSION);
    base_write_u64(&writer, message->first);
    base_write_u8(&writer, message->has ? 1 : 0);
    base_write_u64(&writer, message->value);
    base_write_u64(&writer, message->era);
    base_write_u8(&writer, (uint8_t)message->wall);
    base_write_u64(&writer, message->wall_value);
    return base_written(&writer);
}

struct bytes node_form_write_space(uint8_t buffer[NODE_FORM_MAX],
                                   const struct node_space_message *message)
{
    struct base_writer writer;
    base_writer_init(&writer, buffer, NODE_FORM_MAX);
    base_write_u8(&writer, SPACE_VERSION);
    base_write_u8(&writer, message->is_short ? 1 : 0);
    base_write_u64(&writer, message->free);
    return base_written(&writer);
}

struct bytes node_form_write_level(uint8_t buffer[NODE_FORM_MAX],
                                   const struct node_level_message *message)
{
    struct base_writer writer;
    base_writer_init(&writer, buffer, NODE_FORM_MAX);
    base_write_u8(&writer, LEVEL_VERSION);
    base_write_u64(&writer, message->level);
    return base_written(&writer);
}

bool node_form_read_clock(struct bytes bytes, struct node_clock_message *ret_message)
{
    struct base_reader reader;
    base_reader_init(&reader, bytes);
    uint8_t version = base_read_u8(&reader);
    ret_message->first = base_read_u64(&reader);
    ret_message->has = base_read_u8(&reader) == 1;
    ret_message->value = base_read_u64(&reader);
    ret_message->era = base_read_u64(&reader);
    uint8_t wall = base_read_u8(&reader);
    ret_message->wall = wall == NODE_TIME_WALL_OFFERED  ? NODE_TIME_WALL_OFFERED
                        : wall == NODE_TIME_WALL_UNTRUE ? NODE_TIME_WALL_UNTRUE
                                                        : NODE_TIME_WALL_NONE;
    ret_message->wall_value = base_read_u64(&reader);
    return version == CLOCK_VERSION && base_reader_finished(&reader) &&
           wall <= NODE_TIME_WALL_OFFERED;
}

bool node_form_read_space(struct bytes bytes, struct node_space_message *ret_message)
{
    struct base_reader reader;
    base_reader_init(&reader, bytes);
    uint8_t version = base_read_u8(&reader);
    ret_message->is_short = base_read_u8(&reader) != 0;
    ret_message->free = base_read_u64(&reader);
    return version == SPACE_VERSION && base_reader_finished(&reader);
}

bool node_form_read_level(struct bytes bytes, struct node_level_message *ret_message)
{
    struct base_reader reader;
    base_reader_init(&reader, bytes);
    uint8_t version = base_read_u8(&reader);
    ret_message->level = base_read_u64(&reader);
    return version == LEVEL_VERSION && base_reader_finished(&reader);
}

/* ---- the file CLOCK ---- */

void node_form_write_slot(uint8_t buffer[NODE_FORM_MAX], const struct node_clock_slot *slot)
{
    struct base_writer writer;
    memset(buffer, 0, NODE_FORM_MAX);
    base_writer_init(&writer, buffer, NODE_FORM_MAX);
    base_write_bytes(&writer, bytes_of(slot_magic, sizeof(slot_magic)));
    base_write_u8(&writer, SLOT_VERSION);
    base_write_u64(&writer, slot->sequence);
    base_write_u8(&writer, slot->has_clock ? 1 : 0);
    base_write_u64(&writer, slot->era);
    base_write_id(&writer, slot->boot_id);
    base_write_u64(&writer, slot->boot_us);
    base_write_u64(&writer, slot->offset);
    base_write_u8(&writer, slot->kept.known ? 1 : 0);
    base_write_u64(&writer, slot->kept.clock);
    base_write_u64(&writer, slot->kept.wall_us);
    base_write_u32(&writer, base_crc32c(0, base_written(&writer)));
}

bool node_form_read_slot(struct bytes bytes, struct node_clock_slot *ret_slot)
{
    struct base_reader reader;
    base_reader_init(&reader, bytes);
    struct bytes head = base_read_bytes(&reader, sizeof(slot_magic));
    uint8_t version = base_read_u8(&reader);
    ret_slot->sequence = base_read_u64(&reader);
    ret_slot->has_clock = base_read_u8(&reader) == 1;
    ret_slot->era = base_read_u64(&reader);
    ret_slot->boot_id = base_read_id(&reader);
    ret_slot->boot_us = base_read_u64(&reader);
    ret_slot->offset = base_read_u64(&reader);
    ret_slot->kept.known = base_read_u8(&reader) == 1;
    ret_slot->kept.clock = base_read_u64(&reader);
    ret_slot->kept.wall_us = base_read_u64(&reader);
    struct bytes covered = bytes_of(bytes.data, bytes.size - base_reader_left(&reader));
    uint32_t crc = base_read_u32(&reader);
    return !reader.failed && bytes_equal(head, bytes_of(slot_magic, sizeof(slot_magic))) &&
           version == SLOT_VERSION && crc == base_crc32c(0, covered);
}
