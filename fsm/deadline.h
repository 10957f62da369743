/* A heap of deadlines over the slots of one table: derived state, rebuilt after a restore.
 *
 * Ordered by (deadline, then the caller's order of ids), so that the sweep's order depends on the
 * replicated state alone.
 */
#ifndef FSM_DEADLINE_H
#define FSM_DEADLINE_H

#include "fsm/table.h"

struct deadlines;
/* <0, 0, >0 by the ids of the two records. */
typedef int (*deadline_order)(const void *arg, uint32_t slot_a, uint32_t slot_b);

size_t deadlines_size(uint32_t capacity);
struct deadlines *deadlines_create(void *memory, size_t size, uint32_t capacity,
                                   deadline_order order, const void *arg);
/* Adds the slot or moves it to another deadline; UINT64_MAX removes it. */
void deadlines_set(struct deadlines *deadlines, uint32_t slot, uint64_t deadline);
void deadlines_remove(struct deadlines *deadlines, uint32_t slot); /* harmless when absent */
/* The earliest; UINT64_MAX and SLOT_NONE when empty. */
uint64_t deadlines_earliest(const struct deadlines *deadlines, uint32_t *ret_slot);
/* Asks `wanted` about the earliest, and then about what stands right below each that is wanted: if
 * nothing that is not wanted comes before what is, it sees all that is. In no order. */
typedef bool (*deadline_wanted)(void *arg, uint32_t slot, uint64_t deadline);
void deadlines_visit(const struct deadlines *deadlines, deadline_wanted wanted, void *arg);
void deadlines_clear(struct deadlines *deadlines);

#endif
