/* What a node keeps on its disk beside its snapshots: its folder's files, and a log of several
 * segments. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "env/sim/sim.h"
#include "raftlog/damage.h"
#include "raftlog/log.h"
#include "raftlog/log_format.h"
#include "raftlog/met.h"
#include "raftlog/roll.h"
#include "raftlog/store.h"
#include "raftlog/vote.h"
#include "tests/golden/golden.h"

enum { SEGMENT = 2048, PAYLOAD = 300 };

static const struct id128 store = {"golden-store-id"};

struct disk {
    struct sim *sim;
    struct sim_host *host;
    struct env *env;
};

static void disk_begin(struct disk *disk)
{
    disk->sim = sim_create(1);
    disk->host = sim_host_create(disk->sim, "n1");
    disk->env = sim_process_start(disk->host, "node");
}

static void disk_end(struct disk *disk)
{
    sim_process_free(disk->env);
    sim_destroy(disk->sim);
}

/* ---- making and keeping files ---- */

struct keeping {
    struct golden *golden;
    struct disk *disk;
    const char *folder;
};

static void keep(struct golden *golden, struct disk *disk, const char *path)
{
    uint8_t *data;
    size_t size;
    if (sim_disk_read(disk->host, path, &data, &size) == ENV_OK) {
        golden_add(golden, path, bytes_of(data, size));
        free(data);
    }
}

static void keep_name(void *arg, const char *name)
{
    struct keeping *keeping = arg;
    char path[GOLDEN_NAME_MAX];
    snprintf(path, sizeof(path), "%s/%s", keeping->folder, name);
    keep(keeping->golden, keeping->disk, path);
}

static void keep_folder(struct golden *golden, struct disk *disk, const char *folder)
{
    struct keeping keeping = {golden, disk, folder};
    ASSERT(env_folder_list(disk->env, folder, keep_name, &keeping) == ENV_OK);
}

static void put_back(const struct golden *golden, struct disk *disk)
{
    for (size_t i = 0; i < golden->count; i++) {
        ASSERT(sim_disk_write(disk->host, golden->pieces[i].name,
                              golden_bytes(&golden->pieces[i])) == ENV_OK);
    }
}

/* ---- the folder ---- */

static struct rlog_roll roll_make(void)
{
    struct rlog_roll roll = {.count = 3};
    for (size_t i = 0; i < roll.count; i++) {
        roll.list[i] = (struct rlog_member){.id = i + 1, .voter = i != 2, .store = {{(uint8_t)i}}};
        snprintf(roll.list[i].address, ENV_ADDRESS_MAX, "10.0.0.%zu:7401", i + 1);
        snprintf(roll.list[i].note, ENV_ADDRESS_MAX, "10.0.0.%zu:7400", i + 1);
    }
    return roll;
}

static struct rlog_birth birth_make(void)
{
    const struct rlog_roll roll = roll_make();
    struct rlog_birth birth = {
        .cluster = "golden", .incarnation = {{1, 2, 3}}, .member_count = roll.count};
    memcpy(birth.members, roll.list, sizeof(birth.members));
    birth.machine = bytes_of_text("what the machine is born with");
    return birth;
}

static void members_make(struct rlog_members *members)
{
    uint8_t buffer[RLOG_CONFIGURATION_MAX];
    const struct rlog_roll roll = roll_make();
    rlog_members_init(members);
    ASSERT(rlog_members_note(members, RLOG_CHANGE, rlog_roll_write(&roll, buffer)));
    ASSERT(rlog_members_meet(members, 2, (struct id128){{22}}));
}

void golden_folder_make(struct golden *golden)
{
    static const struct rlog_damage damage = {
        .stage = RLOG_DAMAGE_FOUND, .lost_met = true, .text = "log is damaged at index 7"};
    const struct rlog_birth birth = birth_make();
    const struct rlog_roll roll = roll_make();
    struct rlog_vote vote = {.term = 3, .voted_for = 1};
    struct rlog_vote later = {.term = 4, .voted_for = 2};
    struct rlog_members members;
    uint8_t buffer[RLOG_CONFIGURATION_MAX];
    char error[512];
    struct disk disk;
    disk_begin(&disk);
    ASSERT(rlog_format(disk.env, "/born", 1, &birth, error, sizeof(error), NULL) == ENV_OK);
    keep(golden, &disk, "/born/BIRTH");
    ASSERT(env_folder_create(disk.env, "/kept") == ENV_OK);
    ASSERT(rlog_vote_format(disk.env, "/kept", store, vote) == ENV_OK);
    ASSERT(rlog_vote_store(disk.env, "/kept", store, vote, later) == ENV_OK);
    members_make(&members);
    ASSERT(rlog_met_format(disk.env, "/kept", store) == ENV_OK);
    ASSERT(rlog_met_store(disk.env, "/kept", store, &members) == ENV_OK);
    ASSERT(rlog_damage_store(disk.env, "/kept", store, &damage) == ENV_OK);
    keep_folder(golden, &disk, "/kept");
    golden_add(golden, "roll", rlog_roll_write(&roll, buffer));
    golden_add(golden, "binding", rlog_members_write_binding(buffer, 2, (struct id128){{2, 2, 2}}));
    disk_end(&disk);
}

static void tell_roll(const struct rlog_member *list, size_t count, FILE *text)
{
    for (size_t i = 0; i < count; i++) {
        fprintf(text, "  member %" PRIu64 " %s %s voter=%d", list[i].id, list[i].address,
                list[i].note, (int)list[i].voter);
        golden_hex(text, " store", bytes_of(list[i].store.bytes, 16));
    }
}

static void tell_birth(struct disk *disk, FILE *text)
{
    static struct rlog_store opened;
    char error[512];
    ASSERT(sim_disk_write(disk->host, "/born/lock", BYTES_NONE) == ENV_OK);
    if (rlog_store_open(disk->env, "/born", &opened, error, sizeof(error)) != ENV_OK) {
        fprintf(text, "birth is not read: %s\n", error);
        return;
    }
    fprintf(text, "birth: node %" PRIu64 " of %s, machine: %.*s\n", opened.id, opened.birth.cluster,
            (int)opened.birth.machine.size, (const char *)opened.birth.machine.data);
    golden_hex(text, "  incarnation", bytes_of(opened.birth.incarnation.bytes, 16));
    golden_hex(text, "  store", bytes_of(opened.store_id.bytes, 16));
    tell_roll(opened.birth.members, opened.birth.member_count, text);
    rlog_store_close(&opened);
}

static void tell_kept(struct disk *disk, FILE *text)
{
    struct rlog_vote vote = {.term = 0};
    struct rlog_damage damage;
    struct rlog_members members;
    char error[512] = "";
    rlog_members_init(&members);
    if (rlog_vote_load(disk->env, "/kept", store, &vote, error, sizeof(error)) != ENV_OK ||
        rlog_met_load(disk->env, "/kept", store, &members, error, sizeof(error)) != ENV_OK ||
        rlog_damage_load(disk->env, "/kept", store, &damage, error, sizeof(error)) != ENV_OK) {
        fprintf(text, "not read: %s\n", error);
        return;
    }
    fprintf(text, "vote: term=%" PRIu64 " for=%" PRIu64 "\n", vote.term, vote.voted_for);
    fprintf(text, "damage: stage=%d lost met=%d %s\n", (int)damage.stage, (int)damage.lost_met,
            damage.text);
    for (size_t i = 0; i < RLOG_MET_MAX; i++) {
        if (members.met[i].id != 0) {
            fprintf(text, "met: %" PRIu64, members.met[i].id);
            golden_hex(text, "", bytes_of(members.met[i].store.bytes, 16));
        }
    }
}

void golden_folder_tell(const struct golden *golden, FILE *text)
{
    static struct rlog_roll roll;
    const struct golden_piece *rolled = golden_find(golden, "roll");
    const struct golden_piece *binding = golden_find(golden, "binding");
    struct rlog_members members;
    struct disk disk;
    disk_begin(&disk);
    put_back(golden, &disk);
    tell_birth(&disk, text);
    tell_kept(&disk, text);
    disk_end(&disk);
    if (rolled == NULL || binding == NULL || !rlog_roll_read(golden_bytes(rolled), &roll)) {
        fprintf(text, "roll is not read\n");
        return;
    }
    fprintf(text, "roll:\n");
    tell_roll(roll.list, roll.count, text);
    memset(roll.list[1].store.bytes, 0, 16); /* so that it can be bound */
    rlog_members_init(&members);
    members.applied = roll;
    if (!rlog_members_apply(&members, RLOG_BARRIER, golden_bytes(binding))) {
        fprintf(text, "binding is not read\n");
    }
    fprintf(text, "bound:\n");
    tell_roll(members.applied.list, members.applied.count, text);
}

/* ---- a log ---- */

static void on_stored(void *arg, uint64_t index)
{
    (void)arg;
    (void)index;
}

static void on_failed(void *arg, int rc, const char *detail)
{
    (void)arg;
    (void)rc;
    ASSERT(detail == NULL);
}

static bool is_idle(void *arg)
{
    return rlog_log_idle(arg);
}

static const struct rlog_log_handlers handlers = {NULL, on_stored, NULL, on_failed};
static const struct rlog_log_config config = {
    .folder = "/log", .segment_bytes = SEGMENT, .store_id = {"golden-store-id"}};

static void append(struct disk *disk, struct rlog_log *log, uint64_t term,
                   enum rlog_entry_type type)
{
    uint8_t payload[PAYLOAD];
    memset(payload, (int)('a' + rlog_log_last(log) % 26), sizeof(payload));
    const struct rlog_log_entry entry = {term, type, bytes_of(payload, sizeof(payload))};
    rlog_log_append(log, &entry);
    ASSERT(sim_run_until(disk->sim, is_idle, log, 10 * SIM_SECOND));
}

void golden_log_make(struct golden *golden)
{
    static const struct rlog_log_entry first = {1, RLOG_CHANGE, {(const uint8_t *)"the first", 9}};
    struct rlog_log *log = NULL;
    char error[512];
    struct disk disk;
    disk_begin(&disk);
    ASSERT(env_folder_create(disk.env, "/log") == ENV_OK);
    ASSERT(rlog_log_format(disk.env, &config, 0, 0, &first) == ENV_OK);
    ASSERT(rlog_log_open(disk.env, &config, 0, 0, &handlers, error, sizeof(error), &log) == ENV_OK);
    for (uint64_t i = 0; i < 6; i++) {
        append(&disk, log, 2, i % 2 == 0 ? RLOG_COMMAND : RLOG_BARRIER);
    }
    rlog_log_truncate(log, 6);
    append(&disk, log, 3, RLOG_CHANGE);
    append(&disk, log, 3, RLOG_COMMAND);
    keep_folder(golden, &disk, "/log");
    rlog_log_destroy(log);
    disk_end(&disk);
}

void golden_log_tell(const struct golden *golden, FILE *text)
{
    struct rlog_log *log = NULL;
    char error[512];
    struct disk disk;
    disk_begin(&disk);
    put_back(golden, &disk);
    if (rlog_log_open(disk.env, &config, 0, 0, &handlers, error, sizeof(error), &log) != ENV_OK) {
        fprintf(text, "is not read: %s\n", error);
        disk_end(&disk);
        return;
    }
    for (uint64_t i = rlog_log_start(log); i <= rlog_log_last(log); i++) {
        const struct rlog_log_entry entry = rlog_log_entry(log, i);
        fprintf(text, "%" PRIu64 ": term=%" PRIu64 " type=%d bytes=%zu begins with %.9s\n", i,
                entry.term, (int)entry.type, entry.payload.size, (const char *)entry.payload.data);
    }
    rlog_log_destroy(log);
    disk_end(&disk);
}
