/* What every fuzzer of this folder has: libFuzzer's entry, and its own seeds. README.md says how to
 * run them and what each proves. Holds no property itself.
 *
 * A fuzzer asserts more than that the process lives: ASSERT ends it, and libFuzzer keeps the input.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "base/assert.h"
#include "base/bytes.h"

enum { FUZZ_INPUT_MAX = 64 * 1024 };

/* Called by libFuzzer with each input. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
/* Called by libFuzzer first; `--seeds FOLDER` as the first argument writes the seeds and ends. */
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Each fuzzer's own: writes its n-th seed (0, 1, ...). False when there are no more. */
bool fuzz_seed(uint64_t n, struct base_writer *writer);

/* Up to `size` bytes, as many as are left. Never fails. */
struct bytes fuzz_take(struct base_reader *reader, size_t size);
/* One byte, 0 when none is left. Never fails. */
uint8_t fuzz_byte(struct base_reader *reader);
/* One line for a person: not empty, without a line end. */
bool fuzz_is_line(const char *text);

#endif
