/* Byte strings as small numbers: equal bytes, equal number. Knows nothing of what they mean.
 *
 * The specification and the checker compare, store and index by these numbers, so that a history of
 * a million operations stays small and no list is searched by text.
 */
#ifndef JEPSEN_MODEL_NAMES_H
#define JEPSEN_MODEL_NAMES_H

#include "base/bytes.h"

struct names;

/* Returns owned; ends the process when memory runs out, as all of jepsen/ does. */
struct names *model_names_create(void);
void model_names_destroy(struct names *names);

/* The number of these bytes, 0 for none at all; copies what it has not seen before. */
uint32_t model_names_number(struct names *names, struct bytes text);
/* Borrows until model_names_destroy. */
struct bytes model_names_bytes(const struct names *names, uint32_t number);
/* Numbers given so far: each is below this. */
uint32_t model_names_end(const struct names *names);

/* realloc that never fails, and clears what is new; grows `*capacity` (in items) to hold at least
 * `count`. */
void *model_names_grow(void *items, uint32_t *capacity, uint32_t count, size_t item_size);
/* The same without clearing what is new: large lists take no memory before they use it. */
void *model_names_grow_raw(void *items, uint32_t *capacity, uint32_t count, size_t item_size);

#endif
