/* How much may be in the log and not applied while tenants share it: what waits there waits in the
 * order in which it came, behind whatever another tenant has in it. Knows bytes and times; takes
 * none of them itself.
 *
 * The bound is one of time. A log that makes each entry wait for a slow disk, or a far majority,
 * takes much in one such wait as easily as little: there a narrow window costs throughput and wins
 * nobody anything. Where an entry takes longer because of what is ahead of it, it is the other way
 * round. So the window grows while entries that it holds back take little longer than a small one
 * did that found nothing ahead of it, and shrinks when they take more.
 *
 * As Brakmo and Peterson, TCP Vegas (1995), have it; but what a lone entry takes is measured where
 * nothing is ahead, never under load, so that it cannot creep up with the window.
 *
 * Invariants
 *   1. PACE_BYTES_LEAST <= window <= PACE_BYTES_MOST
 *   2. while nothing is known of lone entries the window is the least
 */
#ifndef NODE_PACE_H
#define NODE_PACE_H

#include <stddef.h>
#include <stdint.h>

enum {
    PACE_BYTES_LEAST = 16 * 1024, /* 60 small calls */
    PACE_BYTES_MOST = 512 * 1024,
    PACE_LONE_BYTES = 4 * 1024, /* so much is small */
    PACE_TIMES = 3,             /* an entry may take so often what a lone one takes */
};

struct node_pace {
    size_t window;
    uint64_t lone_us; /* what a lone entry takes at best, of late; 0: not known */
};

/* An entry that is applied. */
struct node_pace_entry {
    size_t ahead; /* bytes that were in the log and not applied when it was submitted */
    size_t bytes; /* its own */
    uint64_t took_us;
};

void node_pace_init(struct node_pace *pace);
void node_pace_applied(struct node_pace *pace, const struct node_pace_entry *entry);

#endif
