/* What table.c and walk.c know of each other; no other file includes it. */
#ifndef FSM_TABLE_INTERNAL_H
#define FSM_TABLE_INTERNAL_H

#include "fsm/bits.h"
#include "fsm/table.h"

enum {
    STORE_TABLES_MAX = 32,
    WRITE_LIST_MAX = 1024,
    HASH_PREFIX_BYTES = 5, /* table id u8, slot u32 */
};

/* Numbers inside a table (bits, `walk_end`, `high_water`) count slots from 0: slot - 1. */
struct table {
    struct store *store;
    const struct table_type *type;
    uint8_t *slots;
    struct bits used;
    uint64_t *dirty;  /* in the write set: neither form is in the digest */
    uint64_t *handed; /* ahead of the walk, and changed: kept, handed out, or empty at p */
    uint32_t capacity;
    uint32_t count;
    uint32_t high_water;      /* all slots at or above were never used since the last clearing */
    uint32_t walk_end;        /* high_water at p */
    uint32_t record_size_max; /* of a record's encoding, the head included */
    uint32_t announced;       /* records that the image being restored has of this table */
    uint8_t place;            /* in the store */
};

/* Entries may be stale: only slots whose dirty bit is set belong to the write set. */
struct write_entry {
    uint32_t number;
    uint8_t place;
};

struct walk {
    bool running;
    uint8_t place; /* the next slot to visit */
    uint32_t number;
    uint64_t count; /* records at p */
    struct hash128 digest;
    store_sink sink;
    void *arg;
};

/* The forms at p of what changed ahead of the walk, until it comes to them; found by bucket. */
struct keep {
    uint8_t *bytes;
    uint32_t size;
    uint32_t used;
    uint32_t *buckets;
    uint32_t bucket_count; /* a power of two */
};

enum restore_stage { RESTORE_NONE, RESTORE_HEAD, RESTORE_RECORDS, RESTORE_ENDED, RESTORE_FAILED };

struct restore {
    enum restore_stage stage;
    const char *error;
    uint32_t carried; /* bytes in the carry buffer: a unit that was cut by a piece's end */
    uint64_t count;
};

struct store {
    struct siphash_key key;
    struct hash128 digest; /* without the records in the write set */
    uint32_t table_count;
    uint32_t dirty_count; /* members of the write set */
    uint32_t listed;      /* entries of write_list */
    bool list_overflowed; /* members are missing in the list: look at the dirty bits instead */
    struct walk walk;
    struct keep keep;
    struct restore restore;
    uint8_t *hash_buffer; /* prefix and the largest image */
    uint8_t *unit_buffer; /* the largest unit of an image file: encoding, and restore's carry */
    uint32_t unit_size_max;
    struct table tables[STORE_TABLES_MAX];
    struct write_entry write_list[WRITE_LIST_MAX];
};

static inline uint8_t *table_at(const struct table *table, uint32_t number)
{
    return table->slots + (size_t)number * table->type->slot_size;
}

/* Bytes of a field's value. */
uint32_t field_size(const struct table_field *field);
struct hash128 table_hash(const struct table *table, uint32_t number);
/* Puts a slot in use, zeroed, outside of the digest and the write set. */
void table_occupy(struct table *table, uint32_t number);

/* Bytes of the largest encoding of one record of this type. */
uint32_t walk_record_size(const struct table_type *type);
/* Bytes of the largest unit besides records, with that many tables. */
uint32_t walk_unit_size(size_t table_count);
/* Bytes for what changes ahead of a walk, and in how many buckets. */
size_t walk_keep_size(const struct store_plan *plans, size_t count, uint32_t *ret_buckets);
/* Copies the record's image. False: there is no room for it. */
bool walk_keep_add(const struct table *table, uint32_t number);
/* The image that was kept, or NULL. */
const uint8_t *walk_keep_find(const struct table *table, uint32_t number);
void walk_keep_clear(struct keep *keep);
/* To be called before the record changes or goes: hands its old form to a running walk. */
void walk_before_change(struct table *table, uint32_t number);
/* To be called when an empty slot was taken: what lies there is not the walk's. */
void walk_after_take(struct table *table, uint32_t number);

#endif
