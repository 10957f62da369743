/* A stopped node's log in memory; damaged copies of it, and what recovery makes of them. */
#include "tests/cluster/log_image.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "env/loop.h"
#include "raftlog/snapshots.h"
#include "raftlog/store.h"

enum { SLACK = 64 * 1024, SEGMENT_BYTES = 8 * 1024 * 1024 };

static _Noreturn void give_up(const char *what, const char *detail)
{
    fprintf(stderr, "log-damage: %s: %s\n", what, detail);
    exit(EXIT_FAILURE);
}

static void *grow(void *memory, size_t count, size_t size)
{
    if (count % 1024 == 0) {
        memory = realloc(memory, (count + 1024) * size);
        if (memory == NULL) {
            abort();
        }
    }
    return memory;
}

/* ---- reading ---- */

static void file_read(struct image_file *file, const char *folder, const char *name)
{
    char path[IMAGE_PATH];
    struct stat status;
    (void)snprintf(file->name, sizeof(file->name), "%s", name);
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *from = fopen(path, "re");
    if (from == NULL || fstat(fileno(from), &status) != 0) {
        give_up(path, "cannot be read");
    }
    file->size = (uint64_t)status.st_size;
    file->bytes = malloc(file->size + 1);
    if (file->bytes == NULL || fread(file->bytes, 1, file->size, from) != file->size) {
        give_up(path, "cannot be read whole");
    }
    fclose(from);
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct image_file *)a)->name, ((const struct image_file *)b)->name);
}

static void files_read(struct image *image)
{
    char folder[IMAGE_PATH];
    uint64_t number, index;
    const struct dirent *entry;
    (void)snprintf(folder, sizeof(folder), "%s/log", image->data);
    DIR *names = opendir(folder);
    while (names != NULL && (entry = readdir(names)) != NULL) {
        if (rlog_segment_name_read(entry->d_name, &number, &index)) {
            image->segments = grow(image->segments, image->segment_count, sizeof(*image->segments));
            file_read(&image->segments[image->segment_count++], folder, entry->d_name);
        }
    }
    if (names == NULL || image->segment_count == 0) {
        give_up(folder, "has no segments");
    }
    closedir(names);
    qsort(image->segments, image->segment_count, sizeof(*image->segments), by_name);
    file_read(&image->mark_file, folder, "mark");
}

static void identity_read(struct image *image, struct env *env)
{
    static struct rlog_store store;
    static struct rlog_snapshot_info info;
    char error[512], folder[IMAGE_PATH];
    if (rlog_store_open(env, image->data, &store, error, sizeof(error)) != ENV_OK) {
        give_up(image->data, error);
    }
    image->store_id = store.store_id;
    image->key = rlog_store_key(store.store_id);
    rlog_store_close(&store);
    (void)snprintf(folder, sizeof(folder), "%s/snapshots", image->data);
    int rc = rlog_snapshots_newest(env, folder, &info, error, sizeof(error));
    if (rc == ENV_OK) {
        image->snapshot_index = info.meta.index;
        image->snapshot_term = info.meta.term;
    } else if (rc != ENV_NOT_FOUND) {
        give_up(folder, error);
    }
}

/* ---- what the entries were after each batch ---- */

/* The entries, by what they are; of as many as a test's log has. */
struct shadow {
    uint64_t *sums; /* by index */
    uint64_t capacity;
    uint64_t start, last;
};

static uint64_t entry_sum(uint64_t index, uint64_t term, uint64_t type, struct bytes payload)
{
    static const struct siphash_key key = {{7}};
    const uint64_t head[] = {index, term, type, base_siphash64(&key, payload)};
    return base_siphash64(&key, bytes_of(head, sizeof(head)));
}

static void shadow_apply(struct shadow *shadow, const struct rlog_record *record)
{
    if (record->type == RLOG_RECORD_TRUNCATE || record->type == RLOG_RECORD_RESTART) {
        if (record->type == RLOG_RECORD_RESTART || record->index + 1 < shadow->start) {
            shadow->start = record->index + 1;
        }
        shadow->last = record->index;
        return;
    }
    if (record->index >= shadow->capacity) {
        shadow->capacity = 2 * record->index + 1024;
        shadow->sums = realloc(shadow->sums, shadow->capacity * sizeof(*shadow->sums));
        if (shadow->sums == NULL) {
            abort();
        }
    }
    shadow->sums[record->index] = entry_sum(record->index, record->term, record->type,
                                            record->payload);
    shadow->last = record->index;
}

static uint64_t digest_add(uint64_t digest, uint64_t sum)
{
    return (digest ^ sum) * UINT64_C(0x100000001b3) + 1;
}

static uint64_t shadow_digest(const struct shadow *shadow)
{
    uint64_t digest = shadow->start;
    for (uint64_t index = shadow->start; index <= shadow->last; index++) {
        digest = digest_add(digest, shadow->sums[index]);
    }
    return digest;
}

/* ---- batches ---- */

static void batch_add(struct image *image, size_t segment, uint64_t offset, uint64_t body)
{
    image->batches = grow(image->batches, image->batch_count, sizeof(*image->batches));
    image->batches[image->batch_count] = (struct image_batch){.segment = segment,
                                                              .number = image->batch_count + 1,
                                                              .offset = offset,
                                                              .end = offset + RLOG_BATCH_HEAD +
                                                                     body};
    image->batch_count++;
}

static void records_read(struct image *image, struct shadow *shadow, struct bytes body,
                         uint64_t offset, uint64_t *chain)
{
    struct base_reader reader;
    struct rlog_record record;
    base_reader_init(&reader, body);
    while (base_reader_left(&reader) > 0) {
        uint64_t at = offset + (body.size - base_reader_left(&reader));
        if (!rlog_record_read(&reader, &image->key, chain, &record)) {
            give_up(image->data, "a record of an undamaged log is damaged");
        }
        image->records = grow(image->records, image->record_count, sizeof(*image->records));
        image->records[image->record_count++] = (struct image_record){.batch = image->batch_count,
                                                                      .offset = at,
                                                                      .size = RLOG_RECORD_EXTRA +
                                                                              record.payload.size};
        shadow_apply(shadow, &record);
    }
}

static void digest_note(struct image *image, const struct shadow *shadow)
{
    image->digests = grow(image->digests, image->batch_count, sizeof(*image->digests));
    image->digests[image->batch_count] = shadow_digest(shadow);
}

static void segment_read(struct image *image, struct shadow *shadow, size_t which)
{
    const struct image_file *file = &image->segments[which];
    struct rlog_segment_head head;
    struct rlog_batch_head batch;
    uint64_t chain, offset = RLOG_BLOCK;
    if (rlog_segment_head_read(bytes_of(file->bytes, RLOG_BLOCK), &image->key, &head, &chain) !=
        ENV_OK) {
        give_up(file->name, "its head is damaged");
    }
    if (which == 0) {
        image->first = head.before.batch;
        *shadow = (struct shadow){.start = head.before.index + 1, .last = head.before.index};
        digest_note(image, shadow);
    }
    image->proven = head.before.batch - image->first;
    while (offset + RLOG_BLOCK <= file->size &&
           rlog_batch_head_read(bytes_of(file->bytes + offset, RLOG_BLOCK), &image->key, &batch,
                                &chain) == ENV_OK &&
           batch.before.batch == image->first + image->batch_count) {
        batch_add(image, which, offset, batch.body_bytes);
        records_read(image, shadow,
                     bytes_of(file->bytes + offset + RLOG_BATCH_HEAD, batch.body_bytes),
                     offset + RLOG_BATCH_HEAD, &chain);
        digest_note(image, shadow);
        offset += rlog_blocks_up(RLOG_BATCH_HEAD + batch.body_bytes);
    }
}

static void mark_read(struct image *image)
{
    struct rlog_log_point point;
    for (unsigned slot = 0; slot < RLOG_MARK_SLOTS; slot++) {
        const uint8_t *at = image->mark_file.bytes + slot * RLOG_MARK_STRIDE;
        if (rlog_mark_read(bytes_of(at, RLOG_BLOCK), &image->key, &point) == ENV_OK &&
            point.batch >= image->first && point.batch - image->first > image->mark) {
            image->mark = point.batch - image->first;
        }
    }
    image->proven = image->mark > image->proven ? image->mark : image->proven;
}

void image_read(struct image *image, struct env *env, const char *data)
{
    struct shadow shadow = {.sums = NULL};
    *image = (struct image){.data = data};
    identity_read(image, env);
    files_read(image);
    for (size_t i = 0; i < image->segment_count; i++) {
        segment_read(image, &shadow, i);
    }
    free(shadow.sums);
    if (image->batch_count == 0 ||
        image->batches[image->batch_count - 1].segment != image->segment_count - 1) {
        give_up(data, "the newest segment has no batch yet");
    }
    mark_read(image);
}

void image_done(struct image *image)
{
    for (size_t i = 0; i < image->segment_count; i++) {
        free(image->segments[i].bytes);
    }
    free(image->segments);
    free(image->mark_file.bytes);
    free(image->batches);
    free(image->records);
    free(image->digests);
}

/* ---- questions ---- */

/* How far the segment has to reach for the batch to be whole. */
static uint64_t needed(const struct image *image, const struct image_batch *batch, bool zeros)
{
    const uint8_t *bytes = image->segments[batch->segment].bytes;
    uint64_t end = batch->end;
    if (!zeros) {
        return image_blocks_end(batch);
    }
    while (bytes[end - 1] == 0) {
        end--;
    }
    return end;
}

uint64_t image_batch_at(const struct image *image, size_t segment, uint64_t offset, bool zeros)
{
    uint64_t whole = 0;
    for (uint64_t i = 0; i < image->batch_count; i++) {
        const struct image_batch *batch = &image->batches[i];
        if (batch->segment < segment ||
            (batch->segment == segment && needed(image, batch, zeros) <= offset)) {
            whole = batch->number;
        }
    }
    return whole;
}

const struct image_batch *image_last_batches(const struct image *image, uint64_t count)
{
    const struct image_batch *last = &image->batches[image->batch_count - 1];
    const struct image_batch *at = last;
    while (count > 1 && at > image->batches && at[-1].segment == last->segment) {
        at--;
        count--;
    }
    return at;
}

uint64_t image_blocks_end(const struct image_batch *batch)
{
    return batch->offset + rlog_blocks_up(batch->end - batch->offset);
}

/* ---- copies ---- */

/* The newest segment's copy has some room behind its end, and not all that was preallocated. */
static uint64_t copied_size(const struct image *image, size_t segment)
{
    const struct image_file *file = &image->segments[segment];
    if (segment + 1 < image->segment_count) {
        return file->size;
    }
    uint64_t enough = image_blocks_end(&image->batches[image->batch_count - 1]) + SLACK;
    return enough < file->size ? enough : file->size;
}

static void put(const char *path, const uint8_t *bytes, uint64_t size)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd) != 0) {
        give_up(path, "cannot be written");
    }
}

/* Writes a file with the damage in it; undoes it in memory. */
static void put_damaged(const char *path, const struct image_file *file, uint64_t size,
                        const struct image_damage *damage)
{
    uint8_t *at = file->bytes + damage->offset;
    switch (damage->kind) {
    case IMAGE_WHOLE:
        put(path, file->bytes, size);
        break;
    case IMAGE_CUT:
        put(path, file->bytes, damage->offset);
        break;
    case IMAGE_ZERO:
        put(path, file->bytes, damage->offset);
        if (truncate(path, (off_t)size) != 0) {
            give_up(path, "cannot be made longer");
        }
        break;
    case IMAGE_FLIP:
        *at ^= (uint8_t)(1U << damage->bit);
        put(path, file->bytes, size);
        *at ^= (uint8_t)(1U << damage->bit);
        break;
    }
}

void image_write(const struct image *image, const char *folder, const struct image_damage *damage)
{
    static const struct image_damage none = {.kind = IMAGE_WHOLE};
    char path[IMAGE_PATH];
    (void)snprintf(path, sizeof(path), "%s/log", folder);
    (void)mkdir(path, 0700);
    for (size_t i = 0; i < image->segment_count; i++) {
        (void)snprintf(path, sizeof(path), "%s/log/%s", folder, image->segments[i].name);
        put_damaged(path, &image->segments[i], copied_size(image, i),
                    damage->segment == i ? damage : &none);
    }
    (void)snprintf(path, sizeof(path), "%s/log/mark", folder);
    put_damaged(path, &image->mark_file, image->mark_file.size,
                damage->segment == IMAGE_OF_MARK ? damage : &none);
}

/* ---- recovery ---- */

static void on_stored(void *arg, uint64_t index)
{
    (void)arg;
    (void)index;
}

static void on_failed(void *arg, int rc, const char *detail)
{
    (void)arg;
    (void)rc;
    give_up("a write failed", detail);
}

static uint64_t log_digest(const struct rlog_log *log)
{
    uint64_t digest = rlog_log_start(log);
    for (uint64_t index = digest; index <= rlog_log_last(log); index++) {
        struct rlog_log_entry entry = rlog_log_entry(log, index);
        digest = digest_add(digest, entry_sum(index, entry.term, entry.type, entry.payload));
    }
    return digest;
}

void image_recover(const struct image *image, struct env *env, const struct image_damage *damage,
                   struct image_found *ret_found)
{
    const struct rlog_log_handlers handlers = {.stored = on_stored, .failed = on_failed};
    char folder[IMAGE_PATH];
    struct rlog_log *log = NULL;
    (void)snprintf(folder, sizeof(folder), "%s/log", image->scratch);
    const struct rlog_log_config config = {
        .folder = folder, .segment_bytes = SEGMENT_BYTES, .store_id = image->store_id};
    *ret_found = (struct image_found){.accepted = false};
    image_write(image, image->scratch, damage);
    int rc = rlog_log_open(env, &config, image->snapshot_index, image->snapshot_term, &handlers,
                           ret_found->error, sizeof(ret_found->error), &log);
    ret_found->accepted = rc == ENV_OK;
    ret_found->told = rc != ENV_OK && strstr(ret_found->error, "damaged") != NULL;
    if (rc == ENV_OK) {
        ret_found->batch = log->disk.point.batch - image->first;
        ret_found->digest = log_digest(log);
        while (!rlog_log_idle(log)) {
            env_turn(env, 1000);
        }
        rlog_log_destroy(log);
    }
}
