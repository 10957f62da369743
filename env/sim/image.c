/* Pages of a file with their durable twins, and what a power cut or a failed sync makes of them.
 *
 * Invariants
 *   1. What lies beyond `size` in `now`, and beyond `durable_size` in `before`, is never shown.
 *   2. In `now`, bytes beyond `size` are zeros.
 *   3. `before` is NULL in a clean page.
 */
#include "env/sim/image.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/sat.h"
#include "env/sim/world.h"

static uint8_t *page_copy(const uint8_t *source)
{
    if (source == NULL) {
        return NULL;
    }
    uint8_t *copy = malloc(SIM_PAGE_SIZE);
    ASSERT(copy != NULL);
    memcpy(copy, source, SIM_PAGE_SIZE);
    return copy;
}

static void page_clean(struct sim_page *page)
{
    free(page->before);
    page->before = NULL;
    page->state = SIM_PAGE_CLEAN;
}

/* The page `index`, ready to be changed in `now`. */
static struct sim_page *page_touch(struct sim_image *image, size_t index)
{
    if (index >= image->pages_count) {
        size_t count = index + 1 + index / 2;
        image->pages = realloc(image->pages, count * sizeof(image->pages[0]));
        ASSERT(image->pages != NULL);
        memset(&image->pages[image->pages_count], 0,
               (count - image->pages_count) * sizeof(image->pages[0]));
        image->pages_count = count;
    }
    struct sim_page *page = &image->pages[index];
    if (page->state == SIM_PAGE_CLEAN) {
        page->before = page_copy(page->now);
    }
    page->state = SIM_PAGE_DIRTY;
    if (page->now == NULL) {
        page->now = sim_alloc(SIM_PAGE_SIZE);
    }
    if (image->dirty_first == image->dirty_end) {
        image->dirty_first = index;
        image->dirty_end = index + 1;
    }
    image->dirty_first = (size_t)u64_min(image->dirty_first, index);
    image->dirty_end = (size_t)u64_max(image->dirty_end, index + 1);
    return page;
}

void sim_image_done(struct sim_image *image)
{
    for (size_t i = 0; i < image->pages_count; i++) {
        free(image->pages[i].now);
        free(image->pages[i].before);
    }
    free(image->pages);
    *image = (struct sim_image){0};
}

void sim_image_read(const struct sim_image *image, uint64_t offset, void *buffer, size_t size)
{
    uint8_t *target = buffer;
    while (size > 0) {
        size_t index = (size_t)(offset / SIM_PAGE_SIZE);
        size_t start = (size_t)(offset % SIM_PAGE_SIZE);
        size_t part = (size_t)u64_min(size, SIM_PAGE_SIZE - start);
        if (index < image->pages_count && image->pages[index].now != NULL) {
            memcpy(target, image->pages[index].now + start, part);
        } else {
            memset(target, 0, part);
        }
        target += part;
        offset += part;
        size -= part;
    }
}

void sim_image_write(struct sim_image *image, uint64_t offset, struct bytes data)
{
    image->size = u64_max(image->size, offset + data.size);
    while (data.size > 0) {
        size_t start = (size_t)(offset % SIM_PAGE_SIZE);
        size_t part = (size_t)u64_min(data.size, SIM_PAGE_SIZE - start);
        struct sim_page *page = page_touch(image, (size_t)(offset / SIM_PAGE_SIZE));
        memcpy(page->now + start, data.data, part);
        offset += part;
        data = bytes_of(data.data + part, data.size - part);
    }
}

/* Zeros in `now` from `size` on, where it is not zeros already. */
static void zero_from(struct sim_image *image, uint64_t size)
{
    for (size_t i = (size_t)(size / SIM_PAGE_SIZE); i < image->pages_count; i++) {
        if (image->pages[i].now != NULL) {
            size_t start = i == size / SIM_PAGE_SIZE ? (size_t)(size % SIM_PAGE_SIZE) : 0;
            memset(page_touch(image, i)->now + start, 0, SIM_PAGE_SIZE - start);
        }
    }
}

void sim_image_resize(struct sim_image *image, uint64_t size)
{
    if (size < image->size) {
        zero_from(image, size);
    }
    image->size = size;
}

void sim_image_sync(struct sim_image *image)
{
    for (size_t i = image->dirty_first; i < image->dirty_end; i++) {
        if (image->pages[i].state == SIM_PAGE_DIRTY) {
            page_clean(&image->pages[i]);
        }
    }
    image->dirty_first = 0;
    image->dirty_end = 0;
    image->durable_size = image->size;
}

void sim_image_sync_failed(struct sim_image *image, struct sim_rng *rng)
{
    for (size_t i = image->dirty_first; i < image->dirty_end; i++) {
        struct sim_page *page = &image->pages[i];
        if (page->state != SIM_PAGE_DIRTY) {
            continue;
        }
        if (sim_rng_chance(rng, 500000)) {
            page_clean(page);
        } else {
            page->state = SIM_PAGE_LOST;
        }
    }
    image->dirty_first = 0;
    image->dirty_end = 0;
}

/* What the disk has of one sector after the cut, into `now`. */
static void sector_cut(uint8_t *now, const uint8_t *before, enum sim_disk_policy policy,
                       struct sim_rng *rng)
{
    size_t lost_from = 0;
    switch (policy) {
    case SIM_DISK_KEEP:
        return;
    case SIM_DISK_LOSE:
        break;
    case SIM_DISK_RANDOM:
        switch (sim_rng_below(rng, 3)) {
        case 0:
            return;
        case 1:
            break;
        default:
            lost_from = (size_t)sim_rng_below(rng, SIM_SECTOR_SIZE);
        }
    }
    memcpy(now + lost_from, before + lost_from, SIM_SECTOR_SIZE - lost_from);
}

static void page_cut(struct sim_page *page, enum sim_disk_policy policy, struct sim_rng *rng)
{
    static const uint8_t zeros[SIM_PAGE_SIZE];
    const uint8_t *before = page->before == NULL ? zeros : page->before;
    if (page->state == SIM_PAGE_LOST) {
        policy = SIM_DISK_LOSE;
    }
    for (size_t at = 0; at < SIM_PAGE_SIZE; at += SIM_SECTOR_SIZE) {
        if (memcmp(page->now + at, before + at, SIM_SECTOR_SIZE) != 0) {
            sector_cut(page->now + at, before + at, policy, rng);
        }
    }
    page_clean(page);
}

static uint64_t size_after_cut(const struct sim_image *image, enum sim_disk_policy policy,
                               struct sim_rng *rng)
{
    uint64_t low = u64_min(image->size, image->durable_size);
    uint64_t high = u64_max(image->size, image->durable_size);
    switch (policy) {
    case SIM_DISK_KEEP:
        return image->size;
    case SIM_DISK_LOSE:
        return image->durable_size;
    case SIM_DISK_RANDOM:
        break;
    }
    switch (sim_rng_below(rng, 3)) {
    case 0:
        return low;
    case 1:
        return high;
    default:
        return low + sim_rng_below(rng, high - low);
    }
}

void sim_image_power_cut(struct sim_image *image, enum sim_disk_policy policy, struct sim_rng *rng)
{
    for (size_t i = 0; i < image->pages_count; i++) {
        if (image->pages[i].state != SIM_PAGE_CLEAN) {
            page_cut(&image->pages[i], policy, rng);
        }
    }
    image->size = size_after_cut(image, policy, rng);
    zero_from(image, image->size);
    sim_image_sync(image);
}

void sim_image_patch(struct sim_image *image, uint64_t offset, struct bytes data)
{
    for (size_t i = 0; i < data.size && offset + i < image->size; i++) {
        size_t index = (size_t)((offset + i) / SIM_PAGE_SIZE);
        size_t at = (size_t)((offset + i) % SIM_PAGE_SIZE);
        bool clean = index >= image->pages_count || image->pages[index].state == SIM_PAGE_CLEAN;
        struct sim_page *page = page_touch(image, index);
        page->now[at] = data.data[i];
        if (clean) {
            page_clean(page);
        } else if (page->before != NULL) {
            page->before[at] = data.data[i];
        }
    }
}
