/* The state as an image; that image as a snapshot's file; and that file as a backup. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "client-lib/cli/backup.h"
#include "env/sim/sim.h"
#include "raftlog/snapshot_format.h"
#include "tests/golden/golden.h"
#include "tests/unit/fsm_law/actions.h"

enum { IMAGE_MAX = 1 << 20, SLOTS = 1 << 20 };

static const uint8_t backup_key[BACKUP_KEY] = {1, 2, 3};

struct gathered {
    uint8_t bytes[IMAGE_MAX];
    size_t size;
};

static void gather(void *arg, struct bytes piece)
{
    struct gathered *into = arg;
    ASSERT(piece.size <= IMAGE_MAX - into->size);
    memcpy(into->bytes + into->size, piece.data, piece.size);
    into->size += piece.size;
}

/* Records in most tables: what lives, what ended, what was revoked. */
static void play(struct machine *machine)
{
    struct actor front, back;
    actor_init(&front, machine, "acme", "service/front");
    actor_init(&back, machine, "other", "service/back");
    struct session alice = open_session(&front, "alice", "helper");
    struct session bob = open_session(&front, "bob", "helper");
    struct session carol = open_session(&back, "carol", "crawler");
    struct session gone = open_session(&back, "dave", "crawler");
    struct task task = begin_task(&front, &alice, OP_TASK_SCOPE_SESSION, NULL);
    struct task wide = begin_task(&front, &bob, OP_TASK_SCOPE_USER, NULL);
    ASSERT(claim_task(&front, &task, 30) == OP_OK && claim_task(&front, &wide, 60) == OP_OK);
    ASSERT(put(&front, &alice, "color") == OP_OK && put(&back, &carol, "shape") == OP_OK);
    ASSERT(put_fenced(&front, &task, alice.id, 1) == OP_OK);
    ASSERT(grant(&front, &alice, "mail:send", 50) == OP_OK);
    ASSERT(grant(&front, &bob, "mail:read", 0) == OP_OK);
    ASSERT(end_session(&back, &gone) == OP_OK);
    ASSERT(revoke_agent(&back, "walker") == OP_OK && revoke_user(&front, "erin") == OP_OK);
    machine_tick(machine);
}

static struct gathered *image_make(void)
{
    struct gathered *image = calloc(1, sizeof(*image));
    struct op_limits limits = small_limits();
    struct machine machine;
    ASSERT(image != NULL);
    memset(&machine, 0, sizeof(machine));
    machine_init(&machine, &limits);
    play(&machine);
    fsm_snapshot_begin(machine.fsm, gather, image);
    while (!fsm_snapshot_step(machine.fsm, SLOTS)) {
    }
    machine_done(&machine);
    return image;
}

void golden_image_make(struct golden *golden)
{
    struct gathered *image = image_make();
    golden_add(golden, "image", bytes_of(image->bytes, image->size));
    free(image);
}

static void tell_state(struct machine *machine, FILE *text)
{
    const struct fsm *fsm = machine->fsm;
    struct hash128 digest = fsm_digest(fsm);
    fprintf(text, "position=%" PRIu64 " time=%" PRIu64 " digest=%016" PRIx64 "%016" PRIx64 "\n",
            fsm_position(fsm), fsm_time(fsm), digest.high, digest.low);
    fprintf(text, "next deadline=%" PRIu64 "\n", fsm_next_deadline(fsm));
    for (size_t i = 0; fsm_table_name(i) != NULL; i++) {
        if (fsm_table_used(fsm, i) > 0) {
            fprintf(text, "%s=%u\n", fsm_table_name(i), fsm_table_used(fsm, i));
        }
    }
}

/* Goes on from what it read too: an image that is read must also be understood. */
static void tell_image(struct bytes image, bool values, FILE *text)
{
    struct op_limits limits = small_limits();
    struct machine machine;
    memset(&machine, 0, sizeof(machine));
    machine_init(&machine, &limits);
    fsm_restore_begin(machine.fsm);
    if (!fsm_restore_feed(machine.fsm, image) || !fsm_restore_end(machine.fsm)) {
        fprintf(text, "is not read: %s\n", fsm_restore_error(machine.fsm));
        machine_done(&machine);
        return;
    }
    tell_state(&machine, text);
    if (values) {
        golden_records_values(machine.fsm, text);
    }
    machine.stamp = fsm_time(machine.fsm) + 3600 * SECOND;
    machine_tick(&machine);
    fprintf(text, "and an hour later:\n");
    tell_state(&machine, text);
    machine_done(&machine);
}

void golden_image_tell(const struct golden *golden, FILE *text)
{
    tell_image(golden_bytes(&golden->pieces[0]), true, text);
}

/* ---- a snapshot's file ---- */

void golden_snapshot_make(struct golden *golden)
{
    static uint8_t block[RLOG_SNAPSHOT_BLOCK_MAX], scratch[RLOG_SNAPSHOT_BLOCK_MAX];
    const struct rlog_snapshot_meta meta = {.index = 41,
                                            .term = 3,
                                            .configuration_index = 40,
                                            .log_bytes = 70000,
                                            .configuration = bytes_of_text("the members")};
    struct gathered *image = image_make();
    struct gathered *file = calloc(1, sizeof(*file));
    struct rlog_snapshot_chain chain = {.blocks = 0};
    ASSERT(file != NULL);
    gather(file, bytes_of(block, rlog_snapshot_put_head(&chain, &meta, block)));
    for (size_t at = 0; at < image->size; at += RLOG_SNAPSHOT_CHUNK) {
        size_t left = image->size - at;
        struct bytes raw = bytes_of(image->bytes + at,
                                    left < RLOG_SNAPSHOT_CHUNK ? left : RLOG_SNAPSHOT_CHUNK);
        gather(file, bytes_of(block, rlog_snapshot_put_chunk(&chain, raw, block, scratch)));
    }
    gather(file, bytes_of(block, rlog_snapshot_put_end(&chain, block)));
    golden_add(golden, "file", bytes_of(file->bytes, file->size));
    free(file);
    free(image);
}

static int take_piece(void *arg, struct bytes piece)
{
    gather(arg, piece);
    return 0;
}

static void tell_file(struct bytes file, FILE *text)
{
    struct sim *sim = sim_create(1);
    struct sim_host *host = sim_host_create(sim, "n1");
    struct env *env = sim_process_start(host, "reader");
    struct gathered *image = calloc(1, sizeof(*image));
    struct rlog_snapshot_info *info = calloc(1, sizeof(*info));
    ASSERT(image != NULL && info != NULL);
    ASSERT(sim_disk_write(host, "/file", file) == ENV_OK);
    int rc = rlog_snapshot_walk(env, "/file", take_piece, image, info);
    if (rc != ENV_OK) {
        fprintf(text, "is not read: %s\n", env_error_text(rc));
    } else {
        fprintf(text,
                "index=%" PRIu64 " log-bytes=%" PRIu64 " term=%" PRIu64 " configuration=%" PRIu64
                " %.*s\n",
                info->meta.index, info->meta.log_bytes, info->meta.term,
                info->meta.configuration_index, (int)info->meta.configuration.size,
                (const char *)info->meta.configuration.data);
        tell_image(bytes_of(image->bytes, image->size), false, text);
    }
    free(info);
    free(image);
    sim_process_free(env);
    sim_destroy(sim);
}

void golden_snapshot_tell(const struct golden *golden, FILE *text)
{
    tell_file(golden_bytes(&golden->pieces[0]), text);
}

/* ---- a backup ---- */

/* The command's own way to complain belongs to a program of the real world. */
int cli_complain(enum cli_output output, const char *text, enum cli_exit code)
{
    (void)output;
    fprintf(stderr, "golden: %s\n", text);
    return (int)code;
}

struct place {
    char folder[64];
    char path[96];
};

static void place_make(struct place *place)
{
    snprintf(place->folder, sizeof(place->folder), "./golden.XXXXXX");
    ASSERT(mkdtemp(place->folder) != NULL);
    snprintf(place->path, sizeof(place->path), "%s/backup", place->folder);
}

static void place_done(const struct place *place)
{
    (void)unlink(place->path);
    (void)rmdir(place->folder);
}

static void keep_file(struct golden *golden, const char *path)
{
    struct gathered *file = calloc(1, sizeof(*file));
    FILE *from = fopen(path, "rb");
    ASSERT(file != NULL && from != NULL);
    file->size = fread(file->bytes, 1, sizeof(file->bytes), from);
    fclose(from);
    golden_add(golden, "backup", bytes_of(file->bytes, file->size));
    free(file);
}

void golden_backup_make(struct golden *golden)
{
    static const uint8_t salt[16] = {7, 7, 7};
    static struct backup backup;
    struct golden *inner = calloc(1, sizeof(*inner));
    struct backup_facts facts = {.position = 21,
                                 .time = 1000 * SECOND,
                                 .digest = {4, 5, 6},
                                 .cluster = "golden",
                                 .incarnation = {{1, 2}},
                                 .sessions = 3,
                                 .tasks = 2,
                                 .hash_key = {8, 9}};
    struct cli_error error;
    struct place place;
    ASSERT(inner != NULL);
    facts.limits = small_limits();
    golden_snapshot_make(inner);
    place_make(&place);
    bool done = backup_create(&backup, place.path, backup_key, salt, &facts, &error) &&
                backup_write(&backup, golden_bytes(&inner->pieces[0]), &error) &&
                backup_finish(&backup, &error);
    ASSERT(done);
    keep_file(golden, place.path);
    place_done(&place);
    free(inner->pieces[0].data);
    free(inner);
}

static void tell_facts(const struct backup_facts *facts, FILE *text)
{
    struct op_limits small = small_limits();
    fprintf(text,
            "cluster=%s position=%" PRIu64 " time=%" PRIu64 " sessions=%" PRIu64 " tasks=%" PRIu64
            "\n",
            facts->cluster, facts->position, facts->time, facts->sessions, facts->tasks);
    golden_hex(text, "digest", bytes_of(facts->digest, sizeof(facts->digest)));
    golden_hex(text, "incarnation", bytes_of(facts->incarnation.bytes, 16));
    golden_hex(text, "hash key", bytes_of(facts->hash_key, sizeof(facts->hash_key)));
    fprintf(text, "limits: %s\n",
            memcmp(&small, &facts->limits, sizeof(small)) == 0 ? "the small ones" : "others");
}

void golden_backup_tell(const struct golden *golden, FILE *text)
{
    static struct backup backup;
    struct gathered *file = calloc(1, sizeof(*file));
    struct backup_facts facts;
    struct cli_error error = {.text = ""};
    struct bytes piece = BYTES_NONE;
    struct place place;
    ASSERT(file != NULL);
    place_make(&place);
    FILE *to = fopen(place.path, "wb");
    ASSERT(to != NULL);
    ASSERT(fwrite(golden->pieces[0].data, 1, golden->pieces[0].size, to) == golden->pieces[0].size);
    fclose(to);
    bool read = backup_open(&backup, place.path, backup_key, &facts, &error);
    if (read) {
        tell_facts(&facts, text);
        while ((read = backup_read(&backup, &piece, &error)) && piece.size > 0) {
            gather(file, piece);
        }
        backup_close(&backup);
    }
    place_done(&place);
    if (read) {
        tell_file(bytes_of(file->bytes, file->size), text);
    } else {
        fprintf(text, "is not read: %s\n", error.text);
    }
    free(file);
}
