/* Where the fields of the state's records lie; and what those of a machine hold.
 *
 * The digest is of a record's bytes, so that a field may be added behind the others, and no other
 * may move: an image of the release before would have another digest by now.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/bytes.h"
#include "fsm/machine.h"
#include "tests/golden/golden.h"

enum { LAYOUT_MAX = 8192, FIELD_BYTES = 5 };

static uint16_t size_of(const struct table_field *field)
{
    switch (field->kind) {
    case TABLE_U8:
        return 1;
    case TABLE_U16:
        return 2;
    case TABLE_U32:
        return 4;
    case TABLE_U64:
        return 8;
    case TABLE_BYTES:
        break;
    }
    return field->size;
}

/* ---- where they lie ---- */

void golden_records_make(struct golden *golden)
{
    static uint8_t buffer[LAYOUT_MAX];
    for (int t = 0; t < FSM_TABLES; t++) {
        const struct table_type *type = fsm_table_type((enum fsm_table)t);
        struct base_writer writer;
        base_writer_init(&writer, buffer, sizeof(buffer));
        base_write_u8(&writer, type->id);
        for (uint16_t i = 0; i < type->field_count; i++) {
            base_write_u8(&writer, type->fields[i].tag);
            base_write_u16(&writer, type->fields[i].offset);
            base_write_u16(&writer, size_of(&type->fields[i]));
        }
        ASSERT(!writer.failed);
        golden_add(golden, type->name, base_written(&writer));
    }
}

static const struct table_type *type_of(uint8_t id)
{
    for (int t = 0; t < FSM_TABLES; t++) {
        const struct table_type *type = fsm_table_type((enum fsm_table)t);
        if (type->id == id) {
            return type;
        }
    }
    return NULL;
}

static const struct table_field *field_of(const struct table_type *type, uint8_t tag)
{
    for (uint16_t i = 0; i < type->field_count; i++) {
        if (type->fields[i].tag == tag) {
            return &type->fields[i];
        }
    }
    return NULL;
}

/* The fields that `kept` names, as they lie now. Then what is not among them must lie behind. */
static void tell_fields(const struct table_type *type, struct bytes kept, FILE *text)
{
    struct base_reader reader;
    bool known[UINT8_MAX + 1] = {false};
    size_t end = 0;
    base_reader_init(&reader, kept);
    while (base_reader_left(&reader) >= FIELD_BYTES) {
        uint8_t tag = base_read_u8(&reader);
        const struct table_field *field = field_of(type, tag);
        size_t was_end = base_read_u16(&reader);
        was_end += base_read_u16(&reader);
        end = was_end > end ? was_end : end;
        known[tag] = true;
        if (field == NULL) {
            fprintf(text, "  tag %u is known no more\n", tag);
        } else {
            fprintf(text, "  tag %u: %u bytes at %u\n", tag, size_of(field), field->offset);
        }
    }
    for (uint16_t i = 0; i < type->field_count; i++) {
        if (!known[type->fields[i].tag] && type->fields[i].offset < end) {
            fprintf(text, "  tag %u is new, and not behind the others: %u bytes at %u\n",
                    type->fields[i].tag, size_of(&type->fields[i]), type->fields[i].offset);
        }
    }
}

void golden_records_tell(const struct golden *golden, FILE *text)
{
    for (size_t i = 0; i < golden->count; i++) {
        struct bytes kept = golden_bytes(&golden->pieces[i]);
        const struct table_type *type = kept.size == 0 ? NULL : type_of(kept.data[0]);
        if (type == NULL) {
            fprintf(text, "the table of %s is known no more\n", golden->pieces[i].name);
            continue;
        }
        fprintf(text, "%s: table %u\n", golden->pieces[i].name, type->id);
        tell_fields(type, bytes_of(kept.data + 1, kept.size - 1), text);
    }
}

/* ---- what they hold ---- */

/* A number, or bytes without the zeros at their end; nothing when it is zero. */
static void tell_value(const struct table_field *field, const uint8_t *at, FILE *text)
{
    size_t size = size_of(field);
    uint64_t number = 0;
    while (size > 0 && at[size - 1] == 0) {
        size--;
    }
    if (size == 0) {
        return;
    }
    fprintf(text, " %u=", field->tag);
    if (field->kind == TABLE_BYTES) {
        for (size_t i = 0; i < size; i++) {
            fprintf(text, "%02x", at[i]);
        }
        return;
    }
    memcpy(&number, at, size); /* images are little-endian in memory */
    fprintf(text, "%" PRIu64, number);
}

void golden_records_values(const struct fsm *fsm, FILE *text)
{
    for (int t = 0; t < FSM_TABLES; t++) {
        const struct table *table = fsm->tables[t];
        const struct table_type *type = fsm_table_type((enum fsm_table)t);
        for (uint32_t slot = table_next(table, SLOT_NONE); slot != SLOT_NONE;
             slot = table_next(table, slot)) {
            fprintf(text, "%s %u:", type->name, slot);
            for (uint16_t i = 0; i < type->field_count; i++) {
                const uint8_t *image = table_read(table, slot);
                tell_value(&type->fields[i], image + type->fields[i].offset, text);
            }
            putc('\n', text);
        }
    }
}
