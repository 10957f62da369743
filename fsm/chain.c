/* Chains of blocks: writing, reading, freeing. Does not keep a chain's length; its owner does. */
#include "fsm/chain.h"

#include "base/assert.h"

#include <string.h>

/* `used` is below CHAIN_BLOCK_BYTES in the last block only; what lies above it is zero. */
struct chain_block {
    uint32_t next;
    uint32_t used;
    uint8_t payload[CHAIN_BLOCK_BYTES];
};

_Static_assert(sizeof(struct chain_block) == 256, "one block size, without padding");

static const struct table_field fields[] = {
    {1, TABLE_U32, offsetof(struct chain_block, next), 0},
    {2, TABLE_U32, offsetof(struct chain_block, used), 0},
    {3, TABLE_BYTES, offsetof(struct chain_block, payload), CHAIN_BLOCK_BYTES},
};

const struct table_type chain_block_type = {
    .id = CHAIN_TABLE_ID,
    .name = "block",
    .record_size = sizeof(struct chain_block),
    .slot_size = sizeof(struct chain_block),
    .fields = fields,
    .field_count = sizeof fields / sizeof fields[0],
};

uint32_t chain_blocks(size_t size)
{
    return (uint32_t)((size + CHAIN_BLOCK_BYTES - 1) / CHAIN_BLOCK_BYTES);
}

uint32_t chain_write(struct table *blocks, struct bytes source)
{
    uint32_t first = SLOT_NONE;
    uint32_t *link = &first; /* into a block that stays mutable to the end of the command */

    for (size_t done = 0; done < source.size;) {
        size_t part = source.size - done;
        uint32_t slot = table_take(blocks);
        struct chain_block *block;

        ASSERT(slot != SLOT_NONE); /* the caller has counted the free blocks */
        block = table_write(blocks, slot);
        part = part < CHAIN_BLOCK_BYTES ? part : CHAIN_BLOCK_BYTES;
        memcpy(block->payload, source.data + done, part);
        block->used = (uint32_t)part;
        *link = slot;
        link = &block->next;
        done += part;
    }
    return first;
}

void chain_read(const struct table *blocks, uint32_t first, void *buffer, size_t size)
{
    uint8_t *at = buffer;
    uint32_t slot = first;

    while (size > 0) {
        const struct chain_block *block = table_read(blocks, slot);
        size_t part = size < CHAIN_BLOCK_BYTES ? size : CHAIN_BLOCK_BYTES;

        ASSERT(block->used >= part);
        memcpy(at, block->payload, part);
        at += part;
        size -= part;
        slot = block->next;
    }
}

bool chain_equal(const struct table *blocks, uint32_t first, struct bytes other)
{
    size_t done = 0;
    uint32_t slot = first;

    while (slot != SLOT_NONE) {
        const struct chain_block *block = table_read(blocks, slot);

        if (block->used > other.size - done ||
            memcmp(block->payload, other.data + done, block->used) != 0) {
            return false;
        }
        done += block->used;
        slot = block->next;
    }
    return done == other.size;
}

void chain_free(struct table *blocks, uint32_t first)
{
    uint32_t slot = first;

    while (slot != SLOT_NONE) {
        const struct chain_block *block = table_read(blocks, slot);
        uint32_t next = block->next;

        table_free(blocks, slot);
        slot = next;
    }
}
