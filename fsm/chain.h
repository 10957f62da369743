/* Chains of 256-byte blocks: what varies in size. "Full" is a count, never an allocator's mood. */
#ifndef FSM_CHAIN_H
#define FSM_CHAIN_H

#include "fsm/table.h"

enum { CHAIN_BLOCK_BYTES = 248 }; /* payload of one block */
enum { CHAIN_TABLE_ID = 1 };      /* in snapshots */

/* The type to put into a store's plan; chains live in exactly one table of it. */
extern const struct table_type chain_block_type;

/* Blocks that `size` bytes take. */
uint32_t chain_blocks(size_t size);
/* Writes a new chain; the caller has checked that the blocks are there (table_capacity - count).
 * SLOT_NONE for size 0. */
uint32_t chain_write(struct table *blocks, struct bytes source);
/* Copies `size` bytes out into `buffer`. */
void chain_read(const struct table *blocks, uint32_t first, void *buffer, size_t size);
bool chain_equal(const struct table *blocks, uint32_t first, struct bytes other);
/* Frees it all; SLOT_NONE is fine. */
void chain_free(struct table *blocks, uint32_t first);

#endif
