/* A machine under the least limits, for the fuzzers of entries and images. Asserts nothing. */
#ifndef TESTS_FUZZ_FUZZ_MACHINE_H
#define TESTS_FUZZ_FUZZ_MACHINE_H

#include "fsm/fsm.h"
#include "tests/fuzz/fuzz.h"

/* One of two machines (0, 1), made empty. */
struct fsm *fuzz_machine(int which);
/* Its image; until the next call. */
struct bytes fuzz_image(struct fsm *fsm);
/* As fuzz_seed: a list of entries, each after its length (u32). */
bool fuzz_entries_seed(uint64_t n, struct base_writer *writer);

#endif
