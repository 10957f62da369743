/* log-damage DATA SCRATCH STEP: S7 at rest. Damages copies of a stopped node's log in every way of
 * a list, and has each recovered by the code that tenured starts with. What the node may have
 * acknowledged is there, entry by entry, or recovery says that the log is damaged.
 *
 *   cuts    the newest segment ends, or is zeros, from every byte of its last ones on
 *   flips   one bit in every record; in every byte of the last batches, of the heads of segments
 *           and of the mark
 *
 * STEP: every so manieth byte, where the list says every. DATA is not touched.
 *
 *   log-damage DATA break KIND BACK: damages DATA itself, in its batch BACK batches before the last
 *   one: KIND is cut, zero or flip.
 */
#include "tests/cluster/log_image.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env/uv/uv.h"

enum { LAST_BYTES = 8 * 1024 }; /* of the newest segment: what every byte of is damaged */

struct figures {
    const char *what;
    uint64_t count, refused, accepted;
};

struct trial {
    struct image *image;
    struct env *env;
    uint64_t random;
    uint64_t step;
    uint64_t failed;
    struct figures figures;
};

static uint64_t draw(struct trial *trial, uint64_t below)
{
    trial->random = trial->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (trial->random >> 33) % below;
}

static void complain(struct trial *trial, const char *what, const struct image_found *found)
{
    if (trial->failed++ < 20) {
        printf("%s: %s: batch %" PRIu64 " of %" PRIu64 ", proven %" PRIu64 ": %s\n",
               trial->figures.what, what, found->batch, trial->image->batch_count,
               trial->image->proven, found->error);
    }
}

/* Expected: refused, or accepted with the batches up to `batch`. */
#define REFUSED UINT64_MAX

static void expect(struct trial *trial, const struct image_damage *damage, uint64_t batch)
{
    struct image *image = trial->image;
    struct image_found found;
    image_recover(image, trial->env, damage, &found);
    trial->figures.count++;
    trial->figures.refused += !found.accepted;
    trial->figures.accepted += found.accepted;
    if (!found.accepted && !found.told) {
        complain(trial, "refused without saying that the log is damaged", &found);
    } else if (found.accepted && found.digest != image->digests[found.batch]) {
        complain(trial, "accepted with other entries", &found);
    } else if (found.accepted && found.batch < image->proven) {
        complain(trial, "what was acknowledged is not there", &found);
    } else if (found.accepted != (batch != REFUSED)) {
        complain(trial, found.accepted ? "has to be refused" : "may not be refused", &found);
    } else if (found.accepted && found.batch != batch) {
        complain(trial, "another batch is the last one", &found);
    }
}

static void begin(struct trial *trial, const char *what)
{
    trial->figures = (struct figures){.what = what};
}

static void end(struct trial *trial)
{
    const struct figures *figures = &trial->figures;
    printf("%s: %" PRIu64 ", refused %" PRIu64 ", accepted %" PRIu64 "\n", figures->what,
           figures->count, figures->refused, figures->accepted);
    if (figures->count == 0) {
        printf("%s: V1: none\n", figures->what);
        trial->failed++;
    }
}

/* ---- cuts ---- */

/* From a byte on there is nothing: the file ends, or what was preallocated was never written. What
 * lies behind the last batch is nothing anyway, and so is what fills up a block. */
static void cut(struct trial *trial, uint64_t at, bool zeros)
{
    const struct image *image = trial->image;
    const struct image_batch *last = &image->batches[image->batch_count - 1];
    const struct image_damage damage = {
        .kind = zeros ? IMAGE_ZERO : IMAGE_CUT, .segment = last->segment, .offset = at};
    uint64_t whole = image_batch_at(image, last->segment, at, zeros);
    expect(trial, &damage, whole >= image->mark ? whole : REFUSED);
}

static void cuts(struct trial *trial, bool zeros)
{
    const struct image *image = trial->image;
    const struct image_batch *last = &image->batches[image->batch_count - 1];
    uint64_t first = last->end < LAST_BYTES + RLOG_BLOCK ? RLOG_BLOCK : last->end - LAST_BYTES;
    begin(trial, zeros ? "cuts that leave zeros" : "cuts");
    for (uint64_t at = first; at < last->end; at += trial->step) {
        cut(trial, at, zeros);
    }
    cut(trial, last->end - 1, zeros);
    cut(trial, image_blocks_end(last), zeros);
    end(trial);
}

/* ---- flips ---- */

/* In a batch that is not the last, or that the mark names, damage; otherwise a torn end. */
static void flip(struct trial *trial, const struct image_batch *batch, uint64_t at)
{
    const struct image *image = trial->image;
    const struct image_damage damage = {.kind = IMAGE_FLIP,
                                        .segment = batch->segment,
                                        .offset = at,
                                        .bit = (unsigned)draw(trial, 8)};
    uint64_t before = batch->number - 1;
    bool torn = batch->number == image->batch_count && before >= image->mark;
    expect(trial, &damage, torn ? before : REFUSED);
}

static void flip_records(struct trial *trial)
{
    const struct image *image = trial->image;
    begin(trial, "flips, one in every record");
    for (size_t i = 0; i < image->record_count; i++) {
        const struct image_record *record = &image->records[i];
        flip(trial, &image->batches[record->batch - 1], record->offset + draw(trial, record->size));
    }
    end(trial);
}

static void flip_batches(struct trial *trial)
{
    const struct image *image = trial->image;
    const struct image_batch *end_of = image->batches + image->batch_count;
    const struct image_batch *batch = image_last_batches(image, image->batch_count);
    begin(trial, "flips in the last batches");
    for (; batch < end_of; batch++) {
        for (uint64_t at = batch->offset; at < batch->end; at += trial->step) {
            if (at + LAST_BYTES >= end_of[-1].end) {
                flip(trial, batch, at);
            }
        }
    }
    end(trial);
}

static void flip_heads(struct trial *trial)
{
    const struct image *image = trial->image;
    begin(trial, "flips in heads of segments");
    for (size_t segment = 0; segment < image->segment_count; segment++) {
        for (uint64_t at = 0; at < IMAGE_SEGMENT_HEAD; at += trial->step) {
            const struct image_damage damage = {.kind = IMAGE_FLIP,
                                                .segment = segment,
                                                .offset = at,
                                                .bit = (unsigned)draw(trial, 8)};
            expect(trial, &damage, REFUSED);
        }
    }
    end(trial);
}

/* One slot of the mark is enough. */
static void flip_mark(struct trial *trial)
{
    struct image *image = trial->image;
    begin(trial, "flips in a slot of the mark");
    for (unsigned slot = 0; slot < RLOG_MARK_SLOTS; slot++) {
        for (uint64_t at = 0; at < IMAGE_MARK; at += trial->step) {
            const struct image_damage damage = {.kind = IMAGE_FLIP,
                                                .segment = IMAGE_OF_MARK,
                                                .offset = slot * RLOG_MARK_STRIDE + at,
                                                .bit = (unsigned)draw(trial, 8)};
            expect(trial, &damage, image->batch_count);
        }
    }
    const struct image_damage both = {.kind = IMAGE_ZERO, .segment = IMAGE_OF_MARK};
    expect(trial, &both, REFUSED);
    end(trial);
}

/* ---- damage to be found by tenured ---- */

static int break_one(struct image *image, const char *kind, uint64_t back)
{
    const struct image_batch *batch = image_last_batches(image, back + 1);
    const struct image_damage damage = {.kind = strcmp(kind, "cut") == 0    ? IMAGE_CUT
                                                : strcmp(kind, "zero") == 0 ? IMAGE_ZERO
                                                                            : IMAGE_FLIP,
                                        .segment = batch->segment,
                                        .offset = (batch->offset + batch->end) / 2,
                                        .bit = 3};
    image_write(image, image->data, &damage);
    bool torn = back == 0 && batch->number > image->mark;
    printf("%s\n", torn ? "torn" : "damaged");
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    static struct image image;
    struct trial trial = {.image = &image, .random = 7};
    if ((argc != 4 && argc != 5) || env_uv_create(&trial.env) != ENV_OK) {
        fprintf(stderr, "usage: log-damage DATA SCRATCH STEP | DATA break KIND BACK\n");
        return 2;
    }
    env_uv_set_log(trial.env, ENV_UV_LOG_TEXT, ENV_LOG_ERROR, "log-damage");
    image_read(&image, trial.env, argv[1]);
    if (argc == 5) {
        return break_one(&image, argv[3], strtoull(argv[4], NULL, 10));
    }
    image.scratch = argv[2];
    trial.step = strtoull(argv[3], NULL, 10);
    printf("batches %" PRIu64 ", records %zu, segments %zu; the mark names batch %" PRIu64 "\n",
           image.batch_count, image.record_count, image.segment_count, image.mark);
    begin(&trial, "no damage");
    expect(&trial, &(struct image_damage){.kind = IMAGE_WHOLE}, image.batch_count);
    end(&trial);
    cuts(&trial, false);
    cuts(&trial, true);
    flip_records(&trial);
    flip_batches(&trial);
    flip_heads(&trial);
    flip_mark(&trial);
    image_done(&image);
    env_uv_destroy(trial.env);
    return trial.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
