/* Who has connections, and how many: one guest for each certificate, so that no single one takes
 * all the places. Knows no bytes and closes nothing.
 */
#ifndef NODE_GUESTS_H
#define NODE_GUESTS_H

#include "base/list.h"

struct node_guest {
    struct list in_guests;
    size_t count; /* its connections; never 0 */
    char names[]; /* tenant, zero, "role/name", zero */
};

/* One more connection of this certificate: its guest, borrowed until node_guest_leave. NULL when it
 * has `most` already, or there is no memory. The list is walked: it is as long as certificates are
 * in use. */
struct node_guest *node_guest_enter(struct list *guests, const char *tenant, const char *name,
                                    size_t most);
/* NULL is fine. */
void node_guest_leave(struct node_guest *guest);

#endif
