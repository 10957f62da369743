/* Law: the sweep changes no answer but SWEEPING; no refusal changes what the law reads; an image
 * taken while commands go on, and restored, continues as the machine that it was taken from. */
#include "tests/unit/fsm_law/mix.h"
#include "tests/unit/fsm_law/recount.h"

#include "base/sat.h"

#include <stdlib.h>
#include <string.h>

enum { COMMANDS = 10000, LOG_MAX = 64 << 20, SEEDS = 4 };

/* Three machines under one stream of entries. */
struct world {
    struct mix mix;
    struct machine swept;
    struct machine unswept; /* gets TERM_START where the others get TICK: a position, no sweep */
    struct machine restored;
    uint64_t seen[OP_TIMED_OUT + 1]; /* outcomes of the swept one */
    uint64_t waits;
    uint64_t repeated;
    uint64_t superseded;
    uint64_t restores;
    struct recounted most; /* that was there when all was counted */
    /* the walk of `swept` */
    uint8_t *image;
    size_t image_size;
    uint8_t *log; /* u32 size and entry, since the walk began */
    size_t log_size;
};

static struct op_limits mix_limits(void)
{
    struct op_limits limits = small_limits();

    limits.sessions_max = 8192;
    limits.tasks_max = 8192;
    limits.tombstones_max = 8192;
    limits.clients_max = 64;
    limits.requests_max = 32768;
    limits.watermarks_max = 4096;
    limits.names_max = 4096;
    limits.blocks_max = 200000;
    limits.keys_max = 16384;
    limits.session_tasks_max = 4096;
    limits.session_children_max = 4096;
    limits.tombstone_us = 60 * SECOND;
    limits.watermark_us = 20 * SECOND;
    return limits;
}

static void collect(void *arg, struct bytes piece)
{
    struct world *world = arg;

    assert_true(world->image_size + piece.size <= LOG_MAX);
    memcpy(world->image + world->image_size, piece.data, piece.size);
    world->image_size += piece.size;
}

static void world_init(struct world *world, uint64_t seed)
{
    struct op_limits limits = mix_limits();

    memset(world, 0, sizeof *world);
    mix_init(&world->mix, seed);
    machine_init(&world->swept, &limits);
    machine_init(&world->unswept, &limits);
    machine_init(&world->restored, &limits);
    world->image = malloc(LOG_MAX);
    world->log = malloc(LOG_MAX);
    assert_true(world->image != NULL && world->log != NULL);
}

static void world_done(struct world *world)
{
    machine_done(&world->swept);
    machine_done(&world->unswept);
    machine_done(&world->restored);
    free(world->image);
    free(world->log);
}

static void remember(struct world *world, struct bytes entry)
{
    uint32_t size = (uint32_t)entry.size;

    assert_true(world->log_size + size + sizeof size <= LOG_MAX);
    memcpy(world->log + world->log_size, &size, sizeof size);
    memcpy(world->log + world->log_size + sizeof size, entry.data, entry.size);
    world->log_size += size + sizeof size;
}

static void assert_same_reply(const struct machine *a, const struct machine *b)
{
    assert_string_equal(op_outcome_name(a->reply.outcome), op_outcome_name(b->reply.outcome));
    assert_int_equal(a->reply.position, b->reply.position);
    assert_int_equal(a->reply.time, b->reply.time);
    assert_int_equal(a->reply.repeated, b->reply.repeated);
    assert_int_equal(a->reply.minted, b->reply.minted);
    assert_int_equal(a->reply.superseded, b->reply.superseded);
    assert_true(bytes_equal(a->reply.body, b->reply.body));
}

static void command(struct world *world, const struct call *call)
{
    static uint8_t buffer[128 * 1024];
    size_t size = entry_of(call, world->swept.stamp, buffer, sizeof buffer);
    struct hash128 before = law_digest(&world->swept);
    enum op_class class;

    remember(world, bytes_of(buffer, size));
    (void)machine_entry(&world->swept, bytes_of(buffer, size));
    (void)machine_entry(&world->unswept, bytes_of(buffer, size));
    (void)machine_entry(&world->restored, bytes_of(buffer, size));
    assert_same_reply(&world->swept, &world->unswept);
    assert_same_reply(&world->swept, &world->restored);
    assert_true(hash128_equal(fsm_digest(world->swept.fsm), fsm_digest(world->restored.fsm)));
    class = op_outcome_class(world->swept.reply.outcome);
    if (class != OP_CLASS_DONE) {
        assert_true(hash128_equal(before, law_digest(&world->swept)));
    }
    world->repeated += world->swept.reply.repeated;
    world->superseded += world->swept.reply.superseded;
}

static bool read(struct world *world, const struct call *call)
{
    uint64_t clock = world->swept.stamp + mix_below(&world->mix, 4) * SECOND;
    struct hash128 digest = fsm_digest(world->swept.fsm);
    enum fsm_read_verdict verdict = machine_read(&world->swept, call, clock);

    assert_int_equal(machine_read(&world->unswept, call, clock), verdict);
    assert_int_equal(machine_read(&world->restored, call, clock), verdict);
    assert_true(hash128_equal(fsm_digest(world->swept.fsm), digest));
    if (verdict == FSM_READ_WAIT) {
        world->waits++;
        return false;
    }
    assert_same_reply(&world->swept, &world->unswept);
    assert_same_reply(&world->swept, &world->restored);
    return true;
}

static void tick(struct world *world)
{
    uint8_t buffer[512];
    size_t size = entry_of_kind(OP_COMMAND_TICK, world->swept.stamp, buffer, sizeof buffer);

    remember(world, bytes_of(buffer, size));
    (void)machine_entry(&world->swept, bytes_of(buffer, size));
    (void)machine_entry(&world->restored, bytes_of(buffer, size));
    assert_false(fsm_sweep_due(world->swept.fsm)); /* never more than one tick's work here */
    size = entry_of_kind(OP_COMMAND_TERM_START, world->swept.stamp, buffer, sizeof buffer);
    (void)machine_entry(&world->unswept, bytes_of(buffer, size));
    assert_true(hash128_equal(fsm_digest(world->swept.fsm), fsm_digest(world->restored.fsm)));
}

/* A new machine out of the finished image and what was applied since. */
static void restore(struct world *world)
{
    struct op_limits limits = mix_limits();
    size_t at = 0;

    machine_done(&world->restored);
    machine_init(&world->restored, &limits);
    fsm_restore_begin(world->restored.fsm);
    while (at < world->image_size) {
        size_t piece = 1 + mix_below(&world->mix, 5000);

        piece = piece < world->image_size - at ? piece : world->image_size - at;
        assert_true(fsm_restore_feed(world->restored.fsm, bytes_of(world->image + at, piece)));
        at += piece;
    }
    assert_true(fsm_restore_end(world->restored.fsm));
    for (at = 0; at < world->log_size;) {
        uint32_t size;

        memcpy(&size, world->log + at, sizeof size);
        at += sizeof size;
        (void)machine_entry(&world->restored, bytes_of(world->log + at, size));
        at += size;
    }
    assert_true(hash128_equal(fsm_digest(world->swept.fsm), fsm_digest(world->restored.fsm)));
    assert_int_equal(fsm_next_deadline(world->swept.fsm), fsm_next_deadline(world->restored.fsm));
    world->restores++;
}

static void walk(struct world *world)
{
    if (!fsm_snapshot_running(world->swept.fsm)) {
        if (mix_below(&world->mix, 100) == 0) {
            world->image_size = 0;
            world->log_size = 0;
            fsm_snapshot_begin(world->swept.fsm, collect, world);
        }
        world->log_size = fsm_snapshot_running(world->swept.fsm) ? world->log_size : 0;
    } else if (fsm_snapshot_step(world->swept.fsm, 4000)) {
        restore(world);
    }
}

static void count_all(struct world *world)
{
    struct recounted sum, unswept;

    recount(world->swept.fsm, &sum);
    recount(world->unswept.fsm, &unswept);
    world->most.sessions = u64_max(world->most.sessions, sum.sessions);
    world->most.tasks = u64_max(world->most.tasks, sum.tasks);
    world->most.clients = u64_max(world->most.clients, sum.clients);
    world->most.bytes = u64_max(world->most.bytes, sum.bytes);
}

static void play(struct world *world)
{
    for (int i = 0; i < COMMANDS; i++) {
        uint64_t pause = mix_pause(&world->mix);
        struct call call;

        world->swept.stamp += pause;
        mix_next(&world->mix, &call);
        if (op_row_of_number(call.number)->access != OP_READ) {
            command(world, &call);
            world->seen[world->swept.reply.outcome]++;
            mix_learn(&world->mix, &call, &world->swept);
        } else if (read(world, &call)) {
            world->seen[world->swept.reply.outcome]++;
        }
        if (mix_below(&world->mix, 10) == 0) {
            tick(world);
        }
        walk(world);
        if (i % 100 == 0) {
            count_all(world);
        }
    }
}

static void assert_met(const struct world *world)
{
    assert_true(world->seen[OP_OK] > COMMANDS / 5);
    assert_true(world->waits > 0 && world->repeated > 0 && world->superseded > 0);
    assert_true(world->restores > 3 && world->mix.deep > 10);
    assert_int_equal(world->seen[OP_SWEEPING], 0);
    assert_true(world->most.sessions > 10 && world->most.tasks > 10 && world->most.clients > 1 &&
                world->most.bytes > 100);
}

/* The seeds count only when together they met what they are about. */
static void assert_all_met(const uint64_t *seen)
{
    static const enum op_outcome outcomes[] = {OP_OK,          OP_NOT_FOUND, OP_ENDED, OP_EXPIRED,
                                               OP_FENCED,      OP_DENIED,    OP_TAKEN, OP_INVALID,
                                               OP_OP_MISMATCH, OP_FORGOTTEN};

    for (size_t i = 0; i < sizeof outcomes / sizeof outcomes[0]; i++) {
        if (seen[outcomes[i]] == 0) {
            fail_msg("no %s", op_outcome_name(outcomes[i]));
        }
    }
}

static void machines_agree(void **state)
{
    static struct world world;
    uint64_t seen[OP_TIMED_OUT + 1] = {0};

    (void)state;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        print_message("seed %u\n", (unsigned)seed);
        world_init(&world, seed);
        play(&world);
        assert_met(&world);
        for (size_t i = 0; i <= OP_TIMED_OUT; i++) {
            seen[i] += world.seen[i];
        }
        world_done(&world);
    }
    assert_all_met(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(machines_agree)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
