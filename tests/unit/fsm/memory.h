/* What the tests of the FSM's memory share: a seeded generator, a store of three tables, a shadow
 * that knows what each record should be, a buffer that gathers an image. Proves nothing itself. */
#ifndef TESTS_UNIT_FSM_MEMORY_H
#define TESTS_UNIT_FSM_MEMORY_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fsm/table.h"

/* ---- numbers that depend on the seed alone (SplitMix64) ---- */
struct random {
    uint64_t state;
};
uint64_t random_next(struct random *random);
uint32_t random_below(struct random *random, uint32_t bound);

/* ---- memory that a sanitizer watches to the byte ---- */
void *memory_get(size_t size); /* zeroed, 64-byte aligned */
void memory_give(void *memory);

/* ---- three types ---- */
struct wide_record {
    uint64_t number;
    uint32_t link;
    uint16_t half;
    uint8_t flag;
    uint8_t text[25];
    /* -- derived -- */
    uint64_t place;
};

enum { WIDE_IMAGE = offsetof(struct wide_record, place), SMALL_IMAGE = 5, BLOCK_IMAGE = 256 };

extern const struct table_type wide_type;  /* with a derived part */
extern const struct table_type small_type; /* an odd size */
extern const struct table_type block_type;

enum { STORE_TABLES = 3, IMAGE_MAX = 256 };
extern const struct siphash_key test_key;

struct test_store {
    void *memory;
    struct store *store;
    struct store_plan plans[STORE_TABLES];
};

/* Three tables of these capacities. */
void test_store_open(struct test_store *store, uint32_t wide, uint32_t small, uint32_t block);
void test_store_close(struct test_store *store);

/* ---- the shadow: the same records, kept the simplest way ---- */
struct shadow_table {
    uint32_t capacity;
    uint32_t count;
    uint8_t *used;               /* by slot */
    uint8_t (*image)[IMAGE_MAX]; /* by slot; zero beyond the record */
};

struct shadow {
    struct shadow_table tables[STORE_TABLES];
    const struct table_type *types[STORE_TABLES];
};

void shadow_open(struct shadow *shadow, const struct test_store *store);
void shadow_copy(struct shadow *shadow, const struct shadow *from); /* opens `shadow` */
void shadow_close(struct shadow *shadow);
/* Hashed anew, record by record. */
struct hash128 shadow_digest(const struct shadow *shadow);
/* Fails the test where a slot, a record, a count or the digest differs. */
void shadow_check(const struct shadow *shadow, const struct test_store *store);
/* One random command of up to `changes` changes in store and shadow, settled at its end. */
void random_command(struct random *random, struct test_store *store, struct shadow *shadow,
                    uint32_t changes);

/* ---- images ---- */
struct image {
    uint8_t *data;
    size_t size;
    size_t capacity;
    size_t largest; /* piece */
};

void image_sink(void *arg, struct bytes piece); /* arg: a struct image */
void image_drop(struct image *image);
/* The whole image at once. */
void image_take(struct test_store *store, struct image *image);
/* Feeds it in random pieces of up to `piece_max`. NULL when it was accepted, else the error. */
const char *image_restore(struct test_store *store, struct bytes image, struct random *random,
                          uint32_t piece_max);

/* ---- bugs: what must end the process ---- */
/* Fails the test unless `body` ends in ASSERT. */
void expect_assert(void (*body)(void *arg), void *arg);

#endif
