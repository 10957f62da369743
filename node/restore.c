/* Reads the image into a machine of the old incarnation, lets it begin the new one, and formats the
 * folder with what it then holds. All nodes of a cluster do the same, and come to one digest. */
#include "node/restore.h"

#include <stdio.h>
#include <string.h>

#include "env/range.h"
#include "node/internal.h"

enum { SLOTS_A_STEP = 1 << 16 };

struct restoring {
    struct env *env;
    struct node_bootstrap *bootstrap;
    struct fsm *fsm;
    char *error;
    size_t error_size;
};

static bool fail(const struct restoring *restoring, const char *text)
{
    snprintf(restoring->error, restoring->error_size, "%s: %s", restoring->bootstrap->restore.image,
             text);
    return false;
}

static int feed(void *arg, struct bytes piece)
{
    struct restoring *restoring = arg;
    if (fsm_restore_feed(restoring->fsm, piece)) {
        return ENV_OK;
    }
    (void)fail(restoring, fsm_restore_error(restoring->fsm));
    return ENV_DENIED;
}

/* The very state that the backup told of, or nothing. */
static bool load(struct restoring *restoring)
{
    const struct node_bootstrap_restore *restore = &restoring->bootstrap->restore;
    fsm_restore_begin(restoring->fsm);
    int rc = rlog_image_read(restoring->env, restore->image, feed, restoring, restoring->error,
                             restoring->error_size);
    if (rc != ENV_OK) {
        return false;
    }
    if (!fsm_restore_end(restoring->fsm)) {
        return fail(restoring, fsm_restore_error(restoring->fsm));
    }
    uint8_t digest[16];
    node_digest_bytes(fsm_digest(restoring->fsm), digest);
    if (fsm_position(restoring->fsm) != restore->at ||
        memcmp(digest, restore->digest, sizeof(digest)) != 0) {
        return fail(restoring, "this is not the image that the bootstrap file speaks of");
    }
    return true;
}

static bool begin_again(struct restoring *restoring)
{
    const struct node_bootstrap *bootstrap = restoring->bootstrap;
    const struct fsm_rebirth rebirth = {.incarnation = bootstrap->birth.incarnation,
                                        .time = bootstrap->time,
                                        .position = bootstrap->restore.position};
    const char *refused = fsm_reborn(restoring->fsm, &rebirth);
    return refused == NULL || fail(restoring, refused);
}

static void write_image(void *arg, void (*sink)(void *sink_arg, struct bytes piece), void *sink_arg)
{
    struct fsm *fsm = arg;
    fsm_snapshot_begin(fsm, sink, sink_arg);
    while (!fsm_snapshot_step(fsm, SLOTS_A_STEP)) {
    }
}

bool node_restore_format(struct env *env, const struct node_config *config,
                         struct node_bootstrap *bootstrap, char *error, size_t error_size)
{
    struct restoring restoring = {
        .env = env, .bootstrap = bootstrap, .error = error, .error_size = error_size};
    struct fsm_birth birth = {.incarnation = bootstrap->restore.incarnation,
                              .time = bootstrap->time,
                              .limits = bootstrap->limits,
                              .level = config->level};
    memcpy(birth.hash_key.bytes, bootstrap->hash_key, sizeof(bootstrap->hash_key));
    size_t size = fsm_memory_size(&bootstrap->limits);
    void *range = env_range_reserve(size);
    if (range == NULL) {
        return fail(&restoring, "cannot reserve address range for the cluster's limits");
    }
    restoring.fsm = fsm_create(range, size, &birth);
    bool done = load(&restoring) && begin_again(&restoring);
    if (done) {
        const struct rlog_image image = {.arg = restoring.fsm, .write = write_image};
        bootstrap->birth.image = &image;
        done = rlog_format(env, config->folder, config->node, &bootstrap->birth, error, error_size,
                           NULL) == ENV_OK;
        bootstrap->birth.image = NULL;
    }
    env_range_release(range, size);
    return done;
}
