/* How long work on snapshots holds a loop: walks an image of many sessions in the node's steps, and
 * restores it, which other threads do in a node. Processor time of this thread, so that a busy
 * machine shows the same. Asserts nothing of its figures.
 *
 *   tenure-hold SESSIONS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "tests/unit/fsm_law/actions.h"

enum { SLOTS_A_STEP = 512 /* as node/machine.c */, CHUNK = 256 * 1024 };

struct image {
    uint8_t **chunks;
    size_t count, capacity, used; /* of the last one */
};

static double now_ms(void)
{
    struct timespec at;
    (void)clock_gettime(CLOCK_THREAD_CPUTIME_ID, &at);
    return (double)at.tv_sec * 1e3 + (double)at.tv_nsec / 1e6;
}

/* As the writer of snapshots gathers it. */
static void gather(void *arg, struct bytes piece)
{
    struct image *image = arg;
    while (piece.size > 0) {
        if (image->count == 0 || image->used == CHUNK) {
            ASSERT(image->count < image->capacity);
            image->chunks[image->count++] = malloc(CHUNK);
            ASSERT(image->chunks[image->count - 1] != NULL);
            image->used = 0;
        }
        size_t size = CHUNK - image->used;
        size = piece.size < size ? piece.size : size;
        memcpy(image->chunks[image->count - 1] + image->used, piece.data, size);
        image->used += size;
        piece = bytes_of(piece.data + size, piece.size - size);
    }
}

static void fill(struct machine *machine, uint64_t sessions)
{
    static struct actor actor;
    static struct call call;
    actor_init(&actor, machine, "acme", "hold");
    for (uint64_t n = 0; n < sessions; n++) {
        char user[32];
        uint64_t request = actor.request + n;
        snprintf(user, sizeof user, "user-%llu", (unsigned long long)(n / 10));
        call_init(&call, OP_session_create, &actor.caller, actor.client, request);
        call.lowest = request;
        call.minted_id = id_of(1000000 + n);
        call.minted_secret = n;
        call.fields.session_create.user = text(user);
        call.fields.session_create.agent = text("bench");
        call.fields.session_create.idle = 100 * SECOND;
        call.fields.session_create.absolute = 1000 * SECOND;
        ASSERT(machine_command(machine, &call) == OP_OK);
    }
}

static double restore(const struct op_limits *limits, const struct image *image)
{
    static struct machine second;
    machine_init(&second, limits);
    double began = now_ms();
    fsm_restore_begin(second.fsm);
    for (size_t i = 0; i < image->count; i++) {
        size_t size = i + 1 < image->count ? CHUNK : image->used;
        bool fed = fsm_restore_feed(second.fsm, bytes_of(image->chunks[i], size));
        ASSERT(fed);
    }
    bool ended = fsm_restore_end(second.fsm);
    ASSERT(ended);
    double took = now_ms() - began;
    machine_done(&second);
    return took;
}

int main(int argc, char **argv)
{
    static struct machine machine;
    struct op_limits limits;
    struct image image = {.capacity = 1 << 16};
    double longest = 0, total = 0, began;
    bool whole = false;
    uint64_t sessions = argc == 2 ? strtoull(argv[1], NULL, 10) : 0;
    if (sessions == 0) {
        fprintf(stderr, "usage: tenure-hold SESSIONS\n");
        return 2;
    }
    image.chunks = calloc(image.capacity, sizeof *image.chunks);
    ASSERT(image.chunks != NULL);
    op_limits_init(&limits);
    machine_init(&machine, &limits);
    fill(&machine, sessions);
    began = now_ms();
    fsm_snapshot_begin(machine.fsm, gather, &image);
    longest = now_ms() - began;
    while (!whole) {
        began = now_ms();
        whole = fsm_snapshot_step(machine.fsm, SLOTS_A_STEP);
        double took = now_ms() - began;
        longest = took > longest ? took : longest;
        total += took;
    }
    printf("{\"measure\": \"hold\", \"sessions\": %llu, \"image_mib\": %.0f, "
           "\"walk_longest_ms\": %.2f, \"walk_ms\": %.0f, \"restore_elsewhere_ms\": %.0f}\n",
           (unsigned long long)sessions, (double)image.count * CHUNK / 1048576, longest, total,
           restore(&limits, &image));
    for (size_t i = 0; i < image.count; i++) {
        free(image.chunks[i]);
    }
    free(image.chunks);
    return 0;
}
