/* The bytes of one file, as the page cache has them and as the disk has them. Knows no names. */
#ifndef ENV_SIM_IMAGE_H
#define ENV_SIM_IMAGE_H

#include "base/bytes.h"
#include "env/sim/random.h"
#include "env/sim/sim.h"

enum { SIM_PAGE_SIZE = 4096, SIM_SECTOR_SIZE = 512 };

enum sim_page_state {
    SIM_PAGE_CLEAN, /* both are `now` */
    SIM_PAGE_DIRTY, /* the disk has `before` until the next sync */
    SIM_PAGE_LOST,  /* a sync failed: the disk has `before` until it is written again and synced */
};

struct sim_page {
    uint8_t *now;    /* NULL: zeros */
    uint8_t *before; /* NULL: zeros; means something only when not clean */
    enum sim_page_state state;
};

struct sim_image {
    struct sim_page *pages;
    size_t pages_count;
    size_t dirty_first; /* no dirty page outside of [first, end) */
    size_t dirty_end;
    uint64_t size;
    uint64_t durable_size;
};

void sim_image_done(struct sim_image *image);
/* The caller has checked that offset + size does not exceed image->size. */
void sim_image_read(const struct sim_image *image, uint64_t offset, void *buffer, size_t size);
/* Extends the size when needed. */
void sim_image_write(struct sim_image *image, uint64_t offset, struct bytes data);
void sim_image_resize(struct sim_image *image, uint64_t size);
void sim_image_sync(struct sim_image *image);
/* Each dirty page becomes durable or lost. */
void sim_image_sync_failed(struct sim_image *image, struct sim_rng *rng);
void sim_image_power_cut(struct sim_image *image, enum sim_disk_policy policy, struct sim_rng *rng);
/* Writes to the page cache and to the disk at once, within the size. */
void sim_image_patch(struct sim_image *image, uint64_t offset, struct bytes data);

#endif
