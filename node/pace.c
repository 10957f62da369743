/* The window's steps; see pace.h. */
#include "node/pace.h"

enum {
    FORGET = 64, /* a busy processor makes lone entries slow as well: that is believed slowly */
    SHRINK = 8,
};

static size_t between(size_t bytes)
{
    return bytes < PACE_BYTES_LEAST  ? PACE_BYTES_LEAST
           : bytes > PACE_BYTES_MOST ? PACE_BYTES_MOST
                                     : bytes;
}

void node_pace_init(struct node_pace *pace)
{
    pace->window = PACE_BYTES_LEAST;
    pace->lone_us = 0;
}

static void note_lone(struct node_pace *pace, uint64_t took_us)
{
    if (pace->lone_us == 0 || took_us < pace->lone_us) {
        pace->lone_us = took_us;
    } else {
        pace->lone_us = (pace->lone_us * (FORGET - 1) + took_us) / FORGET;
    }
}

void node_pace_applied(struct node_pace *pace, const struct node_pace_entry *entry)
{
    if (entry->ahead == 0 && entry->bytes <= PACE_LONE_BYTES) {
        note_lone(pace, entry->took_us);
        return;
    }
    if (entry->took_us > PACE_TIMES * pace->lone_us) {
        pace->window = between(pace->window - pace->window / SHRINK);
    } else if (entry->ahead + entry->bytes >= pace->window / 2) { /* else it held nothing back */
        pace->window = between(pace->window + entry->bytes / 2);
    }
}
