/* Keeps the node's clock over restarts of its process, and only of its process. */
#include "node/clock_file.h"

#include <stdio.h>

#include "env/disk.h"
#include "node/forms.h"
#include "node/internal.h"

enum {
    SLOT_SPACING = 4096, /* a torn write never touches both */
    WRITE_EVERY_US = 500000,
};

/* The newest slot that is whole. */
static bool load(struct clock_file *file, struct node_clock_slot *ret_slot)
{
    bool found = false;
    for (uint64_t i = 0; i < 2; i++) {
        uint8_t buffer[NODE_FORM_MAX];
        size_t size = 0;
        struct node_clock_slot slot;
        if (env_file_read(file->file, i * SLOT_SPACING, buffer, sizeof(buffer), &size) == ENV_OK &&
            node_form_read_slot(bytes_of(buffer, size), &slot) &&
            (!found || slot.sequence > ret_slot->sequence)) {
            *ret_slot = slot;
            found = true;
        }
    }
    return found;
}

static void run(struct env_work *work)
{
    struct node *node = work->arg;
    struct clock_file *file = &node->clock_file;
    int rc = env_file_write(file->file, (file->sequence % 2) * SLOT_SPACING,
                            bytes_of(file->slot, NODE_FORM_MAX));
    file->refused = rc == ENV_NO_SPACE;
    file->broken = !file->refused && (rc != ENV_OK || env_file_sync(file->file) != ENV_OK);
}

static void arm(struct clock_file *file)
{
    env_timer_start(file->timer, WRITE_EVERY_US);
}

static void done(struct env_work *work)
{
    struct node *node = work->arg;
    struct clock_file *file = &node->clock_file;
    file->busy = false;
    if (file->broken) {
        node_fatal(node, "the file CLOCK cannot be written");
        return;
    }
    if (file->refused) {
        file->sequence--; /* this slot again: the other one is whole */
    } else if (file->durable_era != file->wrote_era) {
        file->durable_era = file->wrote_era;
        node_clocks_durable(node);
    }
    if (!file->ending) {
        arm(file);
    }
}

static void write_slot(void *arg)
{
    struct node *node = arg;
    struct clock_file *file = &node->clock_file;
    node_time_keep(&node->time, env_boot_us(node->env), env_wall_us(node->env));
    struct node_clock_slot slot = {
        .sequence = ++file->sequence,
        .has_clock = node->time.has_clock,
        .era = node->time.era,
        .boot_id = env_boot_id(node->env),
        .boot_us = env_boot_us(node->env),
        .offset = (uint64_t)node->time.offset,
        .kept = node->time.kept,
    };
    node_form_write_slot(file->slot, &slot);
    file->wrote_clock = slot.has_clock;
    file->wrote_era = slot.era;
    file->busy = true;
    env_work_submit(node->env, &file->work);
}

/* T2: a process restart keeps the clock; a reboot voids it, and its era is remembered, and what it
 * said beside the wall clock (T3). */
static void take_over(struct node *node, const struct node_clock_slot *slot)
{
    bool same_boot = id128_equal(slot->boot_id, env_boot_id(node->env)) &&
                     slot->boot_us <= env_boot_us(node->env);
    node->clock_file.sequence = slot->sequence;
    node->clock_file.wrote_era = slot->era;
    node->clock_file.durable_era = slot->era;
    node->time.era = slot->era;
    node->time.kept = slot->kept;
    if (slot->has_clock && same_boot) {
        node->time.has_clock = true;
        node->time.offset = (int64_t)slot->offset;
        node->clock_file.wrote_clock = true;
    }
}

int node_clock_file_start(struct node *node)
{
    struct clock_file *file = &node->clock_file;
    char path[1024];
    snprintf(path, sizeof(path), "%s/CLOCK", node->config->folder);
    int rc = env_file_open(node->env, path, ENV_OPEN_WRITE, &file->file);
    if (rc == ENV_NOT_FOUND) {
        rc = env_file_open(node->env, path, ENV_OPEN_CREATE, &file->file);
        if (rc == ENV_OK) {
            rc = env_file_allocate(file->file, 2 * SLOT_SPACING);
        }
        if (rc == ENV_OK) {
            rc = env_folder_sync(node->env, node->config->folder);
        }
    }
    if (rc != ENV_OK) {
        return rc;
    }
    struct node_clock_slot slot = {.sequence = 0};
    if (load(file, &slot)) {
        take_over(node, &slot);
    }
    file->work = (struct env_work){.run = run, .done = done, .arg = node};
    file->timer = env_timer_create(node->env, write_slot, node);
    if (file->timer == NULL) {
        return ENV_FAILED;
    }
    arm(file);
    return ENV_OK;
}

bool node_clock_file_idle(const struct clock_file *file)
{
    return !file->busy;
}

void node_clock_file_turn(struct node *node)
{
    struct clock_file *file = &node->clock_file;
    bool written = node->time.has_clock == file->wrote_clock && node->time.era == file->wrote_era;
    if (!file->busy && !file->ending && !written) {
        env_timer_stop(file->timer);
        write_slot(node);
    }
}

void node_clock_file_end(struct clock_file *file)
{
    file->ending = true;
    env_timer_stop(file->timer);
}

void node_clock_file_done(struct node *node)
{
    env_timer_destroy(node->clock_file.timer);
    env_file_close(node->clock_file.file);
    node->clock_file.timer = NULL;
    node->clock_file.file = NULL;
}
