/* The bytes that a node writes beside its entries: what it tells other nodes, and its file CLOCK.
 * Forms alone: what they mean is said where they are used. tests/golden keeps them (node).
 */
#ifndef NODE_FORMS_H
#define NODE_FORMS_H

#include "base/bytes.h"
#include "node/time.h"

enum { NODE_FORM_MAX = 128 };

/* A message of node/clocks.h: u8 version, u64 first, u8 has, u64 value, u64 era, u8 wall, u64 wall
 * value. */
struct node_clock_message {
    uint64_t first; /* a nonce or a term */
    bool has;
    uint64_t value;
    uint64_t era;
    enum node_time_wall wall;
    uint64_t wall_value;
};

/* What members say of their disks (node/space.h): u8 version, u8 short, u64 free. */
struct node_space_message {
    bool is_short;
    uint64_t free; /* bytes */
};

/* What members say of their program (node/level.h): u8 version, u64 level. */
struct node_level_message {
    uint64_t level; /* the greatest that it knows */
};

/* One slot of the file CLOCK (node/clock_file.h): "TNRCLOCK", u8 version, the fields in order,
 * each u8 or u64 but for the id, u32 CRC-32C of all before it; zeros up to NODE_FORM_MAX. */
struct node_clock_slot {
    uint64_t sequence;
    bool has_clock;
    uint64_t era;
    struct id128 boot_id;
    uint64_t boot_us;
    uint64_t offset; /* two's complement */
    struct node_time_kept kept;
};

/* Borrowed from `buffer`. */
struct bytes node_form_write_clock(uint8_t buffer[NODE_FORM_MAX],
                                   const struct node_clock_message *message);
struct bytes node_form_write_space(uint8_t buffer[NODE_FORM_MAX],
                                   const struct node_space_message *message);
struct bytes node_form_write_level(uint8_t buffer[NODE_FORM_MAX],
                                   const struct node_level_message *message);
/* Fills the whole buffer. */
void node_form_write_slot(uint8_t buffer[NODE_FORM_MAX], const struct node_clock_slot *slot);

/* False: of no known version, or damaged. */
bool node_form_read_clock(struct bytes bytes, struct node_clock_message *ret_message);
bool node_form_read_space(struct bytes bytes, struct node_space_message *ret_message);
bool node_form_read_level(struct bytes bytes, struct node_level_message *ret_message);
bool node_form_read_slot(struct bytes bytes, struct node_clock_slot *ret_slot);

#endif
