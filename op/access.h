/* Inside op/: reaches the members of a struct through its field table. Checks nothing. */
#ifndef OP_ACCESS_H
#define OP_ACCESS_H

#include "op/op.h"

static inline void *op_member(void *value, size_t offset)
{
    return (uint8_t *)value + offset;
}

static inline const void *op_const_member(const void *value, size_t offset)
{
    return (const uint8_t *)value + offset;
}

static inline bool op_flag(const void *value, size_t offset)
{
    return *(const bool *)op_const_member(value, offset);
}

/* Required fields are present whatever their flag says: only decoders set it for them. */
static inline bool op_present(const struct op_field *field, const void *value)
{
    return field->required || op_flag(value, field->has_offset);
}

/* Of a list that is present. */
static inline uint32_t op_list_count(const struct op_field *field, const void *value)
{
    return *(const uint32_t *)op_const_member(value, field->count_offset);
}

static inline const void *op_const_item(const struct op_field *field, const void *value, size_t i)
{
    return op_const_member(value, field->offset + i * field->item->size);
}

static inline void *op_item(const struct op_field *field, void *value, size_t i)
{
    return op_member(value, field->offset + i * field->item->size);
}

#endif
