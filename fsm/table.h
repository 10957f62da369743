/* The FSM's memory: tables of fixed-size slots, with a running digest and a snapshot walk.
 *
 * A slot number is part of the replicated state: free slots are reused lowest first, so two nodes
 * that applied the same commands hold the same record in the same slot, however they came to it. 0
 * is never a slot. table_write is the ONLY way to a mutable record: it takes the old form out of
 * the digest and hands it to a running snapshot walk before it may change.
 *
 * A record type is a struct whose first `record_size` bytes are its *image* (replicated, hashed, in
 * the snapshot; no padding, no pointer), described by its fields; what follows in the slot up to
 * slot_size is *derived* (heap positions, list links): not hashed, not in snapshots, rebuilt by the
 * restore hook, and reachable through table_derived.
 */
#ifndef FSM_TABLE_H
#define FSM_TABLE_H

#include "base/hash.h"

#define SLOT_NONE 0u

enum table_field_kind { TABLE_U8, TABLE_U16, TABLE_U32, TABLE_U64, TABLE_BYTES };

/* One field of a record's image: written into snapshots as (tag, value). */
struct table_field {
    uint8_t tag;
    enum table_field_kind kind;
    uint16_t offset;
    uint16_t size; /* TABLE_BYTES only; otherwise by kind */
};

struct table_type {
    uint8_t id; /* in snapshots; never reused */
    const char *name;
    uint16_t record_size; /* the image */
    uint16_t slot_size;   /* image and derived part; a multiple of 8 */
    const struct table_field *fields;
    uint16_t field_count;
};

struct table;

/* The store: all tables of one FSM, carved out of one range. */
struct store;

struct store_plan {
    const struct table_type *type;
    uint32_t capacity; /* slots 1..capacity */
};

/* Sizes and carving: both use the same arithmetic. The store's own struct lies in the range. */
size_t store_size(const struct store_plan *plans, size_t count);
struct store *store_create(void *memory, size_t size, const struct store_plan *plans, size_t count,
                           const struct siphash_key *key);
struct table *store_table(struct store *store, size_t plan_index);

/* Lowest free slot, zeroed, already writable as by table_write; SLOT_NONE when full. */
uint32_t table_take(struct table *table);
/* Frees it; its old form goes to a running walk first. */
void table_free(struct table *table, uint32_t slot);
/* Read-only. The slot must be in use. */
const void *table_read(const struct table *table, uint32_t slot);
/* Mutable until the end of the command (store_settle) or table_free. The slot must be in use. */
void *table_write(struct table *table, uint32_t slot);
/* The derived part of a slot in use, `record_size` bytes into it; changing it needs no table_write.
 * Zero after table_take and after a restore. NULL when the type has none. */
void *table_derived(const struct table *table, uint32_t slot);
bool table_used(const struct table *table, uint32_t slot);
uint32_t table_count(const struct table *table);
uint32_t table_capacity(const struct table *table);
/* The lowest used slot above `slot`, or SLOT_NONE: for rebuilding after a restore. */
uint32_t table_next(const struct table *table, uint32_t slot);

/* End of a command: takes the new forms of all written records into the digest. A command may write
 * any number of records: nothing settles before this call. */
void store_settle(struct store *store);
/* Sum over all records (mod 2^128) of SipHash-128(table id u8, slot u32, image up to its last byte
 * that is not zero). Zeros at the end do not count: a version that appends fields to an image has
 * the same digest as the version before it, as long as they are zero. Settled state only. */
struct hash128 store_digest(const struct store *store);

/* ---- snapshot walk ---- */
/* Gets the image's next piece; borrowed for the call. Must not call into the store. */
typedef void (*store_sink)(void *arg, struct bytes piece);
/* Fixes the image at the present state, which must be settled. `sink` is called from here, from
 * store_walk_step, and from table_write and table_free for what the walk has not reached yet and
 * there is no room to keep. The same state gives the same bytes, as long as there is room. */
void store_walk_begin(struct store *store, store_sink sink, void *arg);
/* Visits at most `slots` slots (64 empty ones in a row may count as one); settled state only. True:
 * all is out, the end mark included, and the walk is over. */
bool store_walk_step(struct store *store, uint32_t slots);
/* Harmless when none is running. */
void store_walk_abort(struct store *store);
bool store_walk_running(const struct store *store);

/* ---- restore: the image comes in as the walk wrote it, in pieces of any size ----
 *
 * Strict: an unknown table or field, a slot beyond a capacity, anything double, cut or left over,
 * or another digest than the image names is refused with a text of one line (static storage). A
 * table or field that the image lacks is empty or zero: an older version wrote it. After a refusal
 * the tables hold what came in before it; begin anew or discard them. */

/* Empties all tables, aborts a walk. Settled state only. */
void store_restore_begin(struct store *store);
bool store_restore_feed(struct store *store, struct bytes piece, const char **ret_error);
/* True when the end mark was seen, counts and digest agree with it. */
bool store_restore_end(struct store *store, const char **ret_error);

#endif
