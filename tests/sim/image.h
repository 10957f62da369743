/* Images that travel in many chunks, and what is seen of them (image.c). Inside tests/sim. */
#ifndef TESTS_SIM_IMAGE_H
#define TESTS_SIM_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plan;
struct run;
struct run_node;

/* Of what a seed draws; 0: as the product does. */
struct image_sizes {
    size_t block; /* bytes that are packed together */
    size_t chunk; /* bytes of the file that are sent together */
};

/* The image that a node was last seen to get in chunks. */
struct run_arriving {
    uint32_t life; /* of its process */
    uint64_t from, stream, identity, index;
};

enum image_strike {
    IMAGE_CRASH,
    IMAGE_POWER,
    IMAGE_SENDER,
    IMAGE_STEP_DOWN,
    IMAGE_RESET,
    IMAGE_RESET_NEAR,
    IMAGE_RESET_FAR,
    IMAGE_KINDS,
};

enum { IMAGE_STRIKES = 3 };

struct run_image {
    size_t node;   /* that gets it */
    size_t sender; /* when the next strike is due */
    bool armed, due;
    unsigned strikes, struck;
    enum image_strike how[IMAGE_STRIKES];
    uint64_t share[IMAGE_STRIKES]; /* so many percent of what is missing arrive before */
    uint64_t late_us[IMAGE_STRIKES];
};

struct run_images {
    uint64_t begun;     /* transfers of more than one chunk, of which some arrived */
    uint64_t resumed;   /* they went on behind what was there */
    uint64_t elsewhere; /* and another node had sent that */
    uint64_t struck;    /* broken off by the fault for it */
    uint64_t whole;     /* installed */
    uint64_t taken;     /* by a node, of its own state */
    uint64_t same;      /* behind an entry where another one had taken one */
};

/* Whether images travel in many chunks, and are broken off; nothing of the seed's other draws. */
void image_plan(const struct run *run, struct plan *plan, bool can);
/* After an event of that node, which runs. */
void image_watch(struct run *run, struct run_node *node);
/* It begins from the image at `index`. */
void image_installed(struct run *run, const struct run_node *node, uint64_t index);

#endif
