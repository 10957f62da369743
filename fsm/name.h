/* Interned names: repeated texts (tenant, user, agent, permission, kind), stored once, counted. */
#ifndef FSM_NAME_H
#define FSM_NAME_H

#include "fsm/index.h"
#include "fsm/table.h"

enum { NAME_BYTES_MAX = 128 };
enum { NAME_TABLE_ID = 2 }; /* in snapshots */

extern const struct table_type name_type;

struct names;
size_t names_size(uint32_t capacity);
struct names *names_create(void *memory, size_t size, struct table *table,
                           const struct siphash_key *key);
/* The slot of a text that is there, or SLOT_NONE. Changes nothing. */
uint32_t names_find(const struct names *names, struct bytes text);
/* Finds or adds it and counts one more use; SLOT_NONE when full. At most 128 bytes. */
uint32_t names_hold(struct names *names, struct bytes text);
/* One use less; at none its slot is free. */
void names_release(struct names *names, uint32_t slot);
/* View into the table: only until the next change. */
struct bytes names_text(const struct names *names, uint32_t slot);
/* After a restore: the index anew from the table. */
void names_rebuild(struct names *names);

#endif
