/* The simulated machine of the disk tests. */
#include "tests/unit/raftlog_disk/world.h"

#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void world_create(struct world *world, uint64_t seed)
{
    memset(world, 0, sizeof *world);
    world->sim = sim_create(seed);
    world->host = sim_host_create(world->sim, "n1");
    world->env = sim_process_start(world->host, "node");
    ASSERT(env_folder_create(world->env, "/d") == ENV_OK);
    ASSERT(env_folder_create(world->env, "/d/log") == ENV_OK);
    ASSERT(env_folder_sync(world->env, "/d") == ENV_OK);
    ASSERT(env_folder_sync(world->env, "/") == ENV_OK);
}

void world_destroy(struct world *world)
{
    sim_process_free(world->env);
    sim_destroy(world->sim);
}

void world_cycle(struct world *world, bool power)
{
    if (power) {
        sim_host_power_cut(world->host);
    }
    sim_process_free(world->env);
    world->env = sim_process_start(world->host, "node");
}

bool world_crashed(const struct world *world)
{
    return sim_process_crashed(world->env);
}

static bool crashed(void *arg)
{
    return world_crashed(arg);
}

void world_pass(struct world *world, uint64_t us)
{
    (void)sim_run_until(world->sim, crashed, world, us);
}

/* ---- saved files ---- */

struct adding {
    struct saved *saved;
    struct world *world;
    const char *folder;
};

static void add(void *arg, const char *name)
{
    struct adding *adding = arg;
    struct saved *saved = adding->saved;
    struct saved_file *file = &saved->files[saved->count];

    ASSERT(saved->count < SAVED_MAX);
    (void)snprintf(file->path, sizeof file->path, "%s/%s", adding->folder, name);
    if (sim_disk_read(adding->world->host, file->path, &file->data, &file->size) == ENV_OK) {
        saved->count++;
    }
}

void saved_add(struct saved *saved, struct world *world, const char *folder)
{
    struct adding adding = {.saved = saved, .world = world, .folder = folder};

    ASSERT(env_folder_list(world->env, folder, add, &adding) == ENV_OK);
}

void saved_restore(const struct saved *saved, struct world *world, const char *folder)
{
    struct saved now = {.count = 0};
    size_t size = strlen(folder);

    saved_add(&now, world, folder);
    for (size_t i = 0; i < now.count; i++) {
        ASSERT(env_remove(world->env, now.files[i].path) == ENV_OK);
    }
    ASSERT(env_folder_sync(world->env, folder) == ENV_OK);
    saved_free(&now);
    for (size_t i = 0; i < saved->count; i++) {
        const struct saved_file *file = &saved->files[i];

        if (strncmp(file->path, folder, size) == 0 && strchr(file->path + size + 1, '/') == NULL) {
            ASSERT(sim_disk_write(world->host, file->path, bytes_of(file->data, file->size)) ==
                   ENV_OK);
        }
    }
}

void saved_free(struct saved *saved)
{
    for (size_t i = 0; i < saved->count; i++) {
        free(saved->files[i].data);
    }
    saved->count = 0;
}
