/* Writes a fuzzer's seeds into a folder, and reads inputs piece by piece. */
#include "tests/fuzz/fuzz.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_seed(const char *folder, uint64_t n, struct bytes seed)
{
    char path[4096];
    FILE *file;

    ASSERT((size_t)snprintf(path, sizeof path, "%s/seed-%04" PRIu64, folder, n) < sizeof path);
    file = fopen(path, "wb");
    ASSERT(file != NULL);
    ASSERT(fwrite(seed.data, 1, seed.size, file) == seed.size);
    ASSERT(fclose(file) == 0);
}

static void write_seeds(const char *folder)
{
    static uint8_t buffer[FUZZ_INPUT_MAX];
    struct base_writer writer;
    uint64_t n = 0;

    base_writer_init(&writer, buffer, sizeof buffer);
    for (; fuzz_seed(n, &writer); n++) {
        ASSERT(!writer.failed);
        write_seed(folder, n, base_written(&writer));
        base_writer_init(&writer, buffer, sizeof buffer);
    }
    ASSERT(n > 0);
    printf("%" PRIu64 " seeds\n", n);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    if (*argc == 3 && strcmp((*argv)[1], "--seeds") == 0) {
        write_seeds((*argv)[2]);
        exit(0);
    }
    return 0;
}

struct bytes fuzz_take(struct base_reader *reader, size_t size)
{
    size_t left = base_reader_left(reader);

    return base_read_bytes(reader, size < left ? size : left);
}

uint8_t fuzz_byte(struct base_reader *reader)
{
    return base_reader_left(reader) == 0 ? 0 : base_read_u8(reader);
}

bool fuzz_is_line(const char *text)
{
    return text != NULL && text[0] != '\0' && strchr(text, '\n') == NULL;
}
