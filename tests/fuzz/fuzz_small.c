/* The small files of a data folder: BIRTH, the votes, `met`, CLOCK, each sealed as its owner could
 * or not. Refused in one line, or taken whole: and then a second look finds the same. A damaged
 * CLOCK costs the clock alone, and a clock is taken only when it is of this very boot.
 *
 * An input is a byte that chooses the file, one that says how it is sealed, and the content.
 */
#include "node/internal.h"
#include "raftlog/met.h"
#include "raftlog/sealed.h"
#include "raftlog/store.h"
#include "raftlog/vote.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/raftlog_disk/world.h"

#include <string.h>

enum { SMALL_MAX = 32 * 1024, CLOCK_SLOT = 79, CLOCK_STRIDE = 4096 };

static const struct id128 store_id = {"store-of-the-one"};

/* `how` odd: the content is a body that gets its seal; even: it is the file. */
static struct bytes seal(uint8_t how, struct rlog_sealed_kind kind, struct siphash_key key,
                         struct bytes content)
{
    static uint8_t buffer[SMALL_MAX + RLOG_SEALED_EXTRA];

    if (how % 2 == 0) {
        return content;
    }
    (void)rlog_seal(buffer, kind, &key, content);
    return bytes_of(buffer, content.size + RLOG_SEALED_EXTRA - (how == 255));
}

static void put(struct world *world, const char *path, struct bytes content)
{
    ASSERT(sim_disk_write(world->host, path, content) == ENV_OK);
}

/* ---- BIRTH ---- */

static void try_birth(struct world *world, uint8_t how, struct bytes content)
{
    static struct rlog_store store, again;
    static struct node_bootstrap bootstrap;
    const struct siphash_key key = {"tenure-birth-key"}; /* it says whose the store is */
    int rc;

    put(world, "/d/BIRTH",
        seal(how, (struct rlog_sealed_kind){RLOG_MAGIC('t', 'n', 'B', 'I'), 1}, key, content));
    rc = rlog_store_open(world->env, "/d", &store, world->error, sizeof world->error);
    if (rc != ENV_OK) {
        ASSERT(rc == ENV_INVALID && fuzz_is_line(world->error));
        return;
    }
    ASSERT(store.birth.member_count <= RLOG_MEMBERS_MAX);
    ASSERT(memchr(store.birth.cluster, '\0', sizeof store.birth.cluster) != NULL);
    ASSERT(store.birth.machine.size <= RLOG_MACHINE_MAX);
    if (node_birth_read(&store.birth, &bootstrap)) {
        ASSERT(op_limits_check(&bootstrap.limits) == NULL);
    }
    rlog_store_close(&store);
    ASSERT(rlog_store_open(world->env, "/d", &again, world->error, sizeof world->error) == ENV_OK);
    ASSERT(again.id == store.id && id128_equal(again.store_id, store.store_id));
    rlog_store_close(&again);
}

/* ---- the votes ---- */

static void try_votes(struct world *world, uint8_t how, struct bytes content)
{
    const struct rlog_sealed_kind kind = {RLOG_MAGIC('t', 'n', 'V', 'O'), 1};
    struct siphash_key key = rlog_store_key(store_id);
    struct rlog_vote vote, again;
    size_t half = content.size / 2;
    int rc;

    put(world, "/d/vote-0", seal(how, kind, key, bytes_of(content.data, half)));
    put(world, "/d/vote-1",
        seal(how / 2, kind, key, bytes_of(content.data + half, content.size - half)));
    rc = rlog_vote_load(world->env, "/d", store_id, &vote, world->error, sizeof world->error);
    if (rc != ENV_OK) {
        ASSERT(fuzz_is_line(world->error));
        return;
    }
    ASSERT(rlog_vote_load(world->env, "/d", store_id, &again, world->error, sizeof world->error) ==
           ENV_OK);
    ASSERT(vote.term == again.term && vote.voted_for == again.voted_for);
}

/* ---- met ---- */

static void try_met(struct world *world, uint8_t how, struct bytes content)
{
    struct rlog_members members = {.roll = {.count = 2}}, again;
    int rc;

    members.roll.list[0].id = 1;
    members.roll.list[1].id = 2;
    again = members;
    put(world, "/d/met",
        seal(how, (struct rlog_sealed_kind){RLOG_MAGIC('t', 'n', 'M', 'E'), 1},
             rlog_store_key(store_id), content));
    rc = rlog_met_load(world->env, "/d", store_id, &members, world->error, sizeof world->error);
    if (rc != ENV_OK) {
        ASSERT(rc == ENV_INVALID && fuzz_is_line(world->error));
        return;
    }
    ASSERT(members.roll.count == 2);
    ASSERT(rlog_met_store(world->env, "/d", store_id, &members) == ENV_OK);
    ASSERT(rlog_met_load(world->env, "/d", store_id, &again, world->error, sizeof world->error) ==
           ENV_OK);
    ASSERT(memcmp(members.met, again.met, sizeof again.met) == 0);
}

/* ---- CLOCK ---- */

/* The fields of node/clock_file.c in their order, with the boot of this world where the input's
 * first byte says so, and the checksum that they have. */
static void seal_slot(struct world *world, uint8_t *slot)
{
    struct id128 boot = env_boot_id(world->env);
    struct base_writer writer;

    if (slot[0] % 2 == 0) {
        memcpy(slot + 26, boot.bytes, sizeof boot.bytes);
    }
    memcpy(slot, "TNRCLOCK", 8);
    slot[8] = slot[8] >= 250 ? slot[8] : 3;
    base_writer_init(&writer, slot + CLOCK_SLOT - 4, 4);
    base_write_u32(&writer, base_crc32c(0, bytes_of(slot, CLOCK_SLOT - 4)));
}

static void try_clock(struct world *world, uint8_t how, struct bytes content)
{
    static uint8_t file[CLOCK_STRIDE + CLOCK_SLOT];
    static struct node node;
    struct node_config config;
    size_t half = content.size / 2;

    memset(file, 0, sizeof file);
    memset(&node, 0, sizeof node);
    memcpy(file, content.data, half < CLOCK_SLOT ? half : CLOCK_SLOT);
    memcpy(file + CLOCK_STRIDE, content.data + half, half < CLOCK_SLOT ? half : CLOCK_SLOT);
    if (how % 2 == 1) {
        seal_slot(world, file);
        seal_slot(world, file + CLOCK_STRIDE);
    }
    put(world, "/d/CLOCK", bytes_of(file, how == 254 ? CLOCK_SLOT / 2 : sizeof file));
    node_config_init(&config);
    config.folder = (char *)"/d";
    node.env = world->env;
    node.config = &config;
    ASSERT(node_clock_file_start(&node) == ENV_OK);
    if (node.time.has_clock) {
        struct id128 boot = env_boot_id(world->env);
        bool first = memcmp(file + 26, boot.bytes, sizeof boot.bytes) == 0;

        ASSERT(first || memcmp(file + CLOCK_STRIDE + 26, boot.bytes, sizeof boot.bytes) == 0);
        ASSERT(how % 2 == 1);
    }
    node_clock_file_end(&node.clock_file);
    node_clock_file_done(&node);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct world world;
    struct bytes content = bytes_of(data + 2, size - 2);

    if (size < 4 || size > SMALL_MAX) {
        return 0;
    }
    world_create(&world, 1);
    if (data[0] % 4 == 0) {
        try_birth(&world, data[1], content);
    } else if (data[0] % 4 == 1) {
        try_votes(&world, data[1], content);
    } else if (data[0] % 4 == 2) {
        try_met(&world, data[1], content);
    } else {
        try_clock(&world, data[1], content);
    }
    world_destroy(&world);
    return 0;
}

/* ---- seeds ---- */

static void put_birth(struct base_writer *writer)
{
    static struct node_bootstrap bootstrap;

    bootstrap.time = 1;
    op_limits_init(&bootstrap.limits);
    bootstrap.birth.member_count = 3;
    node_birth_write(&bootstrap);
    base_write_u64(writer, 2);
    base_write_id(writer, store_id);
    base_write_short(writer, bytes_of_text("test"));
    base_write_id(writer, store_id);
    base_write_u8(writer, 3);
    for (uint64_t i = 1; i <= 3; i++) {
        base_write_u64(writer, i);
        base_write_short(writer, bytes_of_text("10.0.0.1:7401"));
    }
    base_write_long(writer, bootstrap.birth.machine);
}

static void put_met(struct base_writer *writer)
{
    base_write_u8(writer, 2);
    for (uint64_t i = 1; i <= 2; i++) {
        base_write_u64(writer, i);
        base_write_id(writer, store_id);
    }
}

/* Each file sealed, and as bare bytes. */
bool fuzz_seed(uint64_t n, struct base_writer *writer)
{
    uint8_t slot[CLOCK_SLOT] = {0};

    base_write_u8(writer, (uint8_t)(n % 4));
    base_write_u8(writer, n < 4 ? 3 : 0);
    if (n % 4 == 0) {
        put_birth(writer);
    } else if (n % 4 == 1) {
        for (uint64_t i = 0; i < 4; i++) {
            base_write_u64(writer, 7 + i);
        }
    } else if (n % 4 == 2) {
        put_met(writer);
    } else {
        slot[9] = slot[17] = 1;
        base_write_bytes(writer, bytes_of(slot, sizeof slot));
        base_write_bytes(writer, bytes_of(slot, sizeof slot));
    }
    return n < 8;
}
