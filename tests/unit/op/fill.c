/* The generator and the comparison of structs of fields; both follow the table alone. */
#include "tests/unit/op/fill.h"

#include "base/assert.h"
#include "op/access.h"

#include <string.h>

uint64_t fill_random(struct fill *fill)
{
    uint64_t z = fill->random += 0x9e3779b97f4a7c15ULL;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
    return z ^ z >> 31;
}

/* Numbers of all magnitudes, so that each width of the wire is met. */
static uint64_t any_number(struct fill *fill)
{
    uint64_t number;

    switch (fill->mode) {
    case FILL_LEAST:
        return 0;
    case FILL_RANDOM:
    case FILL_SMALL:
        number = fill_random(fill); /* first: every compiler has to draw the same */
        return number >> fill_random(fill) % 64;
    case FILL_FULL:
        return UINT64_MAX;
    }
    UNREACHABLE("modes");
}

static size_t any_size(struct fill *fill, size_t least, size_t bound)
{
    switch (fill->mode) {
    case FILL_LEAST:
        return least;
    case FILL_RANDOM:
        return least + fill_random(fill) % ((bound < 64 ? bound : 64) - least + 1);
    case FILL_SMALL:
        return 1 + fill_random(fill) % (bound < 2 ? 1 : bound < 6 ? 2 : 6);
    case FILL_FULL:
        return bound;
    }
    UNREACHABLE("modes");
}

static void random_bytes(struct fill *fill, uint8_t *ret, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        ret[i] = (uint8_t)fill_random(fill);
    }
}

static struct bytes borrow(struct fill *fill, size_t size)
{
    struct bytes bytes = {fill->memory + fill->used, size};

    ASSERT(size <= FILL_MEMORY - fill->used);
    fill->used += size;
    random_bytes(fill, fill->memory + fill->used - size, size);
    return bytes;
}

/* Letters, with sequences of two, three and four bytes among them. */
static struct bytes any_text(struct fill *fill, size_t bound)
{
    static const char *const pieces[] = {
        "a", "Z", "0", "~", " ", "\xc3\xa9", "\xe2\x82\xac", "\xf0\x9f\x94\x91", "\xc2\xa0"};
    size_t size = any_size(fill, 1, bound);
    uint8_t *text = fill->memory + fill->used;
    size_t at = 0;

    ASSERT(size <= FILL_MEMORY - fill->used);
    fill->used += size;
    while (at < size) {
        const char *piece = pieces[fill_random(fill) % (sizeof pieces / sizeof pieces[0])];

        if (strlen(piece) <= size - at) {
            memcpy(text + at, piece, strlen(piece));
            at += strlen(piece);
        }
    }
    return bytes_of(text, size);
}

static void any_token(struct fill *fill, const struct op_field *field, struct op_token *ret_token)
{
    random_bytes(fill, ret_token->incarnation.bytes, 16);
    random_bytes(fill, ret_token->id.bytes, 16);
    if (field->bound == OP_TOKEN_fence) {
        ret_token->epoch = any_number(fill);
        ret_token->attempt = any_number(fill);
    }
    if (fill->verifiers) {
        random_bytes(fill, ret_token->verifier, sizeof ret_token->verifier);
    } else {
        random_bytes(fill, ret_token->secret, sizeof ret_token->secret);
    }
}

static uint32_t any_enumeration(struct fill *fill, const struct op_enum *e)
{
    uint32_t number = 0;

    while (op_enum_text(e, number) == NULL) {
        number = (uint32_t)(fill_random(fill) % e->count);
    }
    return number;
}

static void fill_fields(struct fill *fill, const struct op_struct *s, void *value);

static void any_list(struct fill *fill, const struct op_field *field, void *value)
{
    uint32_t count = (uint32_t)any_size(fill, 0, field->bound);

    *(uint32_t *)op_member(value, field->count_offset) = count;
    for (uint32_t i = 0; i < count; i++) {
        fill_fields(fill, field->item, op_item(field, value, i));
    }
}

static void fill_field(struct fill *fill, const struct op_field *field, void *value)
{
    void *member = op_member(value, field->offset);

    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        *(uint64_t *)member = any_number(fill);
        return;
    case OP_KIND_boolean:
        *(bool *)member = fill_random(fill) % 2 == 0;
        return;
    case OP_KIND_enumeration:
        *(uint32_t *)member = any_enumeration(fill, field->enumeration);
        return;
    case OP_KIND_id:
        random_bytes(fill, ((struct id128 *)member)->bytes, 16);
        return;
    case OP_KIND_blob:
        *(struct bytes *)member = borrow(fill, any_size(fill, 0, field->bound));
        return;
    case OP_KIND_text:
        *(struct bytes *)member = any_text(fill, field->bound);
        return;
    case OP_KIND_token:
        any_token(fill, field, member);
        return;
    case OP_KIND_list:
        any_list(fill, field, value);
        return;
    }
    UNREACHABLE("kinds");
}

static void fill_fields(struct fill *fill, const struct op_struct *s, void *value)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        bool present = field->required || fill->mode == FILL_FULL || fill->mode == FILL_SMALL ||
                       (fill->mode == FILL_RANDOM && fill_random(fill) % 2 == 0);

        *(bool *)op_member(value, field->has_offset) = present;
        if (present) {
            fill_field(fill, field, value);
        }
    }
}

void fill_struct(struct fill *fill, const struct op_struct *s, void *ret_value)
{
    fill->used = 0;
    memset(ret_value, 0, s->size);
    fill_fields(fill, s, ret_value);
}

/* ---- comparison ---- */

static bool same_token(const struct op_token *a, const struct op_token *b)
{
    return id128_equal(a->incarnation, b->incarnation) && id128_equal(a->id, b->id) &&
           a->epoch == b->epoch && a->attempt == b->attempt &&
           memcmp(a->secret, b->secret, sizeof a->secret) == 0 &&
           memcmp(a->verifier, b->verifier, sizeof a->verifier) == 0;
}

static bool same_list(const struct op_field *field, const void *a, const void *b)
{
    uint32_t count = op_list_count(field, a);

    if (count != op_list_count(field, b)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (!fill_same(field->item, op_const_item(field, a, i), op_const_item(field, b, i))) {
            return false;
        }
    }
    return true;
}

static bool same_field(const struct op_field *field, const void *a, const void *b)
{
    const void *x = op_const_member(a, field->offset);
    const void *y = op_const_member(b, field->offset);

    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        return *(const uint64_t *)x == *(const uint64_t *)y;
    case OP_KIND_boolean:
        return *(const bool *)x == *(const bool *)y;
    case OP_KIND_enumeration:
        return *(const uint32_t *)x == *(const uint32_t *)y;
    case OP_KIND_id:
        return id128_equal(*(const struct id128 *)x, *(const struct id128 *)y);
    case OP_KIND_blob:
    case OP_KIND_text:
        return bytes_equal(*(const struct bytes *)x, *(const struct bytes *)y);
    case OP_KIND_token:
        return same_token(x, y);
    case OP_KIND_list:
        return same_list(field, a, b);
    }
    UNREACHABLE("kinds");
}

bool fill_same(const struct op_struct *s, const void *a, const void *b)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        bool present = op_present(field, a);

        if (present != op_present(field, b) || (present && !same_field(field, a, b))) {
            return false;
        }
    }
    return true;
}
