/* The replicated limits of limits.def as data. Enforces none of them. */
#include "base/assert.h"
#include "op/access.h"
#include "op/op.h"

struct limit_row {
    uint16_t tag;
    const char *name;
    size_t offset;
    uint64_t standard;
    uint64_t least;
    uint64_t greatest;
};

#define ROW_(tag, name, standard, least, greatest, help)                                           \
    {tag, #name, offsetof(struct op_limits, name), standard, least, greatest},
static const struct limit_row limit_rows[] = {OP_LIMITS(ROW_)};
#undef ROW_

enum { LIMIT_COUNT = sizeof limit_rows / sizeof limit_rows[0] };

static uint64_t *limit_of(struct op_limits *limits, const struct limit_row *row)
{
    return op_member(limits, row->offset);
}

static uint64_t value_of(const struct op_limits *limits, const struct limit_row *row)
{
    return *(const uint64_t *)op_const_member(limits, row->offset);
}

static bool within(const struct limit_row *row, uint64_t value)
{
    return value >= row->least && value <= row->greatest;
}

void op_limits_init(struct op_limits *limits)
{
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        *limit_of(limits, &limit_rows[i]) = limit_rows[i].standard;
    }
}

const char *op_limits_check(const struct op_limits *limits)
{
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        if (!within(&limit_rows[i], value_of(limits, &limit_rows[i]))) {
            return limit_rows[i].name;
        }
    }
    return NULL;
}

bool op_limits_set(struct op_limits *limits, struct bytes name, uint64_t value)
{
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        if (bytes_equal(bytes_of_text(limit_rows[i].name), name)) {
            if (!within(&limit_rows[i], value)) {
                return false;
            }
            *limit_of(limits, &limit_rows[i]) = value;
            return true;
        }
    }
    return false;
}

void op_limits_write(struct base_writer *writer, const struct op_limits *limits)
{
    base_write_u16(writer, LIMIT_COUNT);
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        base_write_u16(writer, limit_rows[i].tag);
        base_write_u64(writer, value_of(limits, &limit_rows[i]));
    }
}

/* NULL for a tag that no limit has. */
static const struct limit_row *row_of_tag(uint16_t tag)
{
    for (size_t i = 0; i < LIMIT_COUNT; i++) {
        if (limit_rows[i].tag == tag) {
            return &limit_rows[i];
        }
    }
    return NULL;
}

bool op_limits_read(struct base_reader *reader, struct op_limits *ret_limits)
{
    struct op_limits limits;
    uint16_t count = base_read_u16(reader);
    uint16_t last = 0;

    op_limits_init(&limits);
    for (uint16_t i = 0; i < count; i++) {
        uint16_t tag = base_read_u16(reader);
        uint64_t value = base_read_u64(reader);
        const struct limit_row *row = row_of_tag(tag);

        if (reader->failed || row == NULL || tag <= last || !within(row, value)) {
            return false;
        }
        *limit_of(&limits, row) = value;
        last = tag;
    }
    if (reader->failed) {
        return false;
    }
    *ret_limits = limits;
    return true;
}
