/* Memory and errors of one run. Frees nothing early: the program is short. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/cli/cli.h"
#include "env/crypto.h"

struct block {
    struct block *older;
    size_t size;
    max_align_t content[];
};

void *cli_take(struct cli_memory *memory, size_t size)
{
    struct block *block = calloc(1, sizeof(*block) + size);
    if (block == NULL) {
        exit(cli_complain(CLI_TABLE, "out of memory", CLI_LOCAL));
    }
    block->older = memory->newest;
    block->size = size;
    memory->newest = block;
    return block->content;
}

char *cli_take_text(struct cli_memory *memory, const char *text, size_t size)
{
    char *copy = cli_take(memory, size + 1);
    memcpy(copy, text, size);
    return copy;
}

/* Tokens and keys may lie in it. */
void cli_memory_done(struct cli_memory *memory)
{
    struct block *block = memory->newest;
    while (block != NULL) {
        struct block *older = block->older;
        env_wipe(block->content, block->size);
        free(block);
        block = older;
    }
    memory->newest = NULL;
}

bool cli_fail(struct cli_error *ret_error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(ret_error->text, sizeof(ret_error->text), format, arguments);
    va_end(arguments);
    return false;
}
