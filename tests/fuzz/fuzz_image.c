/* A machine's image: the same verdict however it is cut, with a reason when it is refused; what is
 * taken has the digest that it names, and is written as an image of the same digest again. The
 * digest keeps nearly all changes out, so each input is also tried with the digest that its records
 * have: then the tables take it or refuse it, and stay whole. What records mean to one another is
 * not tried that way: a right digest takes the cluster's key, which members alone have.
 *
 * An input is a byte for the size of pieces, and the image.
 */
#include "fsm/machine.h"
#include "tests/fuzz/fuzz_machine.h"

#include <string.h>

enum { END = 25 };

/* What feeding says: NULL, or why not. */
static const char *restore(struct fsm *fsm, struct bytes image, size_t piece)
{
    fsm_restore_begin(fsm);
    for (size_t at = 0; at < image.size; at += piece) {
        size_t size = image.size - at < piece ? image.size - at : piece;

        if (!fsm_restore_feed(fsm, bytes_of(image.data + at, size))) {
            return fsm_restore_error(fsm);
        }
    }
    return fsm_restore_end(fsm) ? NULL : fsm_restore_error(fsm);
}

/* The records without the end mark, then one that fits them. Of the tables alone. */
static void try_sealed(struct bytes records)
{
    struct fsm *fsm = fuzz_machine(1);
    uint8_t end[END];
    const char *error = NULL;
    struct base_writer writer;
    uint64_t count = 0;

    store_restore_begin(fsm->store);
    if (!store_restore_feed(fsm->store, records, &error)) {
        ASSERT(fuzz_is_line(error));
        return;
    }
    for (size_t i = 0; i < FSM_TABLES; i++) {
        count += table_count(fsm->tables[i]);
        ASSERT(table_count(fsm->tables[i]) <= table_capacity(fsm->tables[i]));
    }
    base_writer_init(&writer, end, sizeof end);
    base_write_u8(&writer, 0);
    base_write_u64(&writer, count);
    base_write_u64(&writer, store_digest(fsm->store).low);
    base_write_u64(&writer, store_digest(fsm->store).high);
    if (!store_restore_feed(fsm->store, base_written(&writer), &error) ||
        !store_restore_end(fsm->store, &error)) {
        ASSERT(fuzz_is_line(error));
        return;
    }
    for (size_t i = 0; i < FSM_TABLES; i++) {
        uint32_t used = 0;

        for (uint32_t slot = table_next(fsm->tables[i], SLOT_NONE); slot != SLOT_NONE;
             slot = table_next(fsm->tables[i], slot)) {
            (void)table_read(fsm->tables[i], slot);
            used++;
        }
        ASSERT(used == table_count(fsm->tables[i]));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fsm *whole = fuzz_machine(0), *cut = fuzz_machine(1);
    struct bytes image = bytes_of(data + (size > 0), size - (size > 0));
    const char *one = restore(whole, image, image.size + 1);
    const char *two = restore(cut, image, size == 0 ? 1 : 1 + (size_t)data[0]);

    ASSERT((one == NULL) == (two == NULL));
    if (one == NULL) {
        struct hash128 digest = fsm_digest(whole);
        struct bytes mark = bytes_of(image.data + image.size - END, END);

        ASSERT(hash128_equal(digest, fsm_digest(cut)));
        image = fuzz_image(whole);
        ASSERT(bytes_equal(mark, bytes_of(image.data + image.size - END, END)));
        cut = fuzz_machine(1);
        ASSERT(restore(cut, image, image.size) == NULL);
        ASSERT(hash128_equal(digest, fsm_digest(cut)));
    } else {
        ASSERT(fuzz_is_line(one) && strcmp(one, two) == 0);
    }
    image = bytes_of(data + (size > 0), size - (size > 0));
    try_sealed(image);
    try_sealed(bytes_of(image.data, image.size > END ? image.size - END : 0));
    return 0;
}

/* The images of the machines that the seeds of entries make; then of one of them, with each byte of
 * its end mark changed in turn. */
bool fuzz_seed(uint64_t n, struct base_writer *writer)
{
    static uint8_t buffer[FUZZ_INPUT_MAX];
    uint64_t whole = 0;
    struct fsm *fsm = fuzz_machine(0);
    struct base_writer entries;
    struct base_reader reader;

    do {
        base_writer_init(&entries, buffer, sizeof buffer);
    } while (whole < n && fuzz_entries_seed(whole, &entries) && ++whole > 0);
    base_writer_init(&entries, buffer, sizeof buffer);
    (void)fuzz_entries_seed(whole == n ? n : 0, &entries);
    base_reader_init(&reader, base_written(&entries));
    for (uint64_t left = 3 + n % 5; base_reader_left(&reader) > 0 && left > 0; left--) {
        (void)fsm_apply(fsm, base_read_long(&reader, FUZZ_INPUT_MAX), NULL, NULL);
    }
    base_write_u8(writer, (uint8_t)(n * 17));
    base_write_bytes(writer, fuzz_image(fsm));
    if (whole < n) {
        writer->at[-(ptrdiff_t)(n - whole)] ^= 1;
    }
    return n <= whole + END;
}
