/* Hash indexes over slots: derived state, sized at start, never rehashed, never walked in an order.
 *
 * Open addressing with linear probing and backward-shift removal; load at most one half.
 */
#ifndef FSM_INDEX_H
#define FSM_INDEX_H

#include "fsm/table.h"

struct index;

size_t index_size(uint32_t capacity);
struct index *index_create(void *memory, size_t size, uint32_t capacity);
/* The slot under `hash` for which `match` says yes, or SLOT_NONE. */
uint32_t index_find(const struct index *index, uint64_t hash,
                    bool (*match)(const void *arg, uint32_t slot), const void *arg);
void index_insert(struct index *index, uint64_t hash, uint32_t slot);
/* The pair must be in it. */
void index_remove(struct index *index, uint64_t hash, uint32_t slot);
void index_clear(struct index *index);

#endif
