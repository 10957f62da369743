/* tenurectl: Tenure on the command line. Parses, runs one command, ends. */
#include <stdlib.h>

#include "client-lib/cli/cli.h"

static int run_command(const struct cli_run *run)
{
    if (run->version) {
        return cli_run_version(run);
    }
    if (run->help) {
        cli_show_help(run, run->command);
        return CLI_DONE;
    }
    return run->command->run(run);
}

/* What could not be printed was not done, as far as the caller can know. */
static int finish(enum cli_output output, int code)
{
    if (fflush(stdout) != 0 || ferror(stdout)) {
        return cli_complain(output, "cannot write to standard output", CLI_LOCAL);
    }
    return code;
}

int main(int argc, char **argv)
{
    struct cli_table table;
    struct cli_memory memory = {NULL};
    struct cli_run run;
    struct cli_error error;
    int code;
    cli_table_init(&table);
    if (argc < 2) {
        cli_help(stderr, &table);
        code = CLI_USAGE;
    } else if (!cli_parse(&table, argc, argv, &memory, &run, &error)) {
        code = cli_complain(run.output, error.text, CLI_USAGE);
    } else {
        code = finish(run.output, run_command(&run));
    }
    cli_memory_done(&memory);
    cli_table_done(&table);
    return code;
}
