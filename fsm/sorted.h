/* Sorted sets over the slots of one table, one set for each owner: derived state, made anew after a
 * restore. So that a list begins and goes on anywhere without a walk over what comes before.
 *
 * An owner is a small number (a slot of another table); a slot is in at most one owner's set.
 */
#ifndef FSM_SORTED_H
#define FSM_SORTED_H

#include "fsm/table.h"

struct sorted;
/* <0 or >0 by the records of two slots: what is in one set is never equal. */
typedef int (*sorted_order)(const void *arg, uint32_t slot_a, uint32_t slot_b);
/* False up to some place of the order, true behind it. */
typedef bool (*sorted_behind)(const void *arg, uint32_t slot);

size_t sorted_size(uint32_t capacity, uint32_t owners);
/* Of zeroed memory, which is borrowed like `key` and `arg`. */
struct sorted *sorted_create(void *memory, size_t size, uint32_t capacity, uint32_t owners,
                             const struct siphash_key *key, sorted_order order, const void *arg);
/* The slot's record and those of the set must stand. O(log n), like all below. */
void sorted_add(struct sorted *sorted, uint32_t owner, uint32_t slot);
/* It must be in the set, and its record must still stand. */
void sorted_remove(struct sorted *sorted, uint32_t owner, uint32_t slot);
/* Forgets an owner's set, whatever became of its records; O(1). */
void sorted_drop(struct sorted *sorted, uint32_t owner);
/* The first slot that `behind` is true of, or SLOT_NONE. */
uint32_t sorted_first(const struct sorted *sorted, uint32_t owner, sorted_behind behind,
                      const void *arg);
/* The one after a slot that is in the set, or SLOT_NONE. */
uint32_t sorted_next(const struct sorted *sorted, uint32_t owner, uint32_t slot);
void sorted_clear(struct sorted *sorted);

#endif
