/* The old forms of records that change ahead of a snapshot walk, until it comes to them: copied one
 * behind the other, found by bucket. Knows no cursor (walk.c).
 */
#include "fsm/table_internal.h"

#include <string.h>

enum {
    KEEP_LEAST = 256 * 1024,
    KEEP_MOST = 64 * 1024 * 1024,
    KEEP_BYTES_A_BUCKET = 1024,
};

/* A record of p that changed ahead of the walk; its image follows. */
struct kept {
    uint32_t next; /* of its bucket: offset + 1 in `keep`, 0 for none */
    uint32_t number;
    uint32_t place;
};

static size_t kept_size(const struct table_type *type)
{
    return (sizeof(struct kept) + type->record_size + 3) & ~(size_t)3;
}

size_t walk_keep_size(const struct store_plan *plans, size_t count, uint32_t *ret_buckets)
{
    size_t all = 0;
    size_t size;
    uint32_t buckets = 1;

    for (size_t i = 0; i < count; i++) {
        all += plans[i].capacity * kept_size(plans[i].type);
    }
    size = all / 4 < KEEP_LEAST ? KEEP_LEAST : all / 4;
    size = size < all ? size : all;
    size = size < KEEP_MOST ? size : KEEP_MOST;
    while (buckets < size / KEEP_BYTES_A_BUCKET) {
        buckets *= 2;
    }
    *ret_buckets = buckets;
    return size;
}

static uint32_t *bucket_of(const struct keep *keep, const struct table *table, uint32_t number)
{
    return &keep->buckets[(number + table->place * 0x9e3779b9u) & (keep->bucket_count - 1)];
}

bool walk_keep_add(const struct table *table, uint32_t number)
{
    struct keep *keep = &table->store->keep;
    size_t size = kept_size(table->type);
    uint32_t *bucket = bucket_of(keep, table, number);
    struct kept head = {.next = *bucket, .number = number, .place = table->place};

    if (size > keep->size - keep->used) {
        return false;
    }
    memcpy(keep->bytes + keep->used, &head, sizeof head);
    memcpy(keep->bytes + keep->used + sizeof head, table_at(table, number),
           table->type->record_size);
    *bucket = keep->used + 1;
    keep->used += (uint32_t)size;
    return true;
}

const uint8_t *walk_keep_find(const struct table *table, uint32_t number)
{
    const struct keep *keep = &table->store->keep;
    uint32_t at = *bucket_of(keep, table, number);

    while (at != 0) {
        struct kept head;

        memcpy(&head, keep->bytes + at - 1, sizeof head);
        if (head.number == number && head.place == table->place) {
            return keep->bytes + at - 1 + sizeof head;
        }
        at = head.next;
    }
    return NULL;
}

void walk_keep_clear(struct keep *keep)
{
    if (keep->used > 0) { /* writes to no page that is untouched */
        memset(keep->buckets, 0, keep->bucket_count * sizeof *keep->buckets);
        keep->used = 0;
    }
}
