/* The commands: one table of our own, and a command for each row of the op table. Runs nothing. */
#include <string.h>

#include "client-lib/cli/cli.h"

#define LENGTH(array) (sizeof(array) / sizeof((array)[0]))

static const struct cli_option common[] = {
    {"output", 'o', "table|json", "how results are printed (default: table)", false, false, NULL},
    {"config", 0, "FILE", "client configuration: YAML with the keys servers to timeout", false,
     false, NULL},
    {"servers", 0, "A,B,C", "client addresses of the cluster, HOST:PORT each", false, false, NULL},
    {"ca", 0, "FILE", "PEM: the cluster's certificate authority", false, false, NULL},
    {"cert", 0, "FILE", "PEM: your certificate", false, false, NULL},
    {"key", 0, "FILE", "PEM: its private key", false, false, NULL},
    {"tenant", 0, "NAME", "operators: the tenant to act in", false, false, NULL},
    {"timeout", 0, "DURATION", "give up after this long (default: 5s)", false, false, NULL},
    {"stale", 0, "", "lists: of any server as it stands, however old; its position says of when",
     false, false, NULL},
    {"help", 'h', "", "what a command does, and its options", false, false, NULL},
    {"version", 'V', "", "the version of this program", false, false, NULL},
};

static const struct cli_option status_options[] = {
    {"at", 0, "POSITION", "each server's digest at this position", false, false, NULL},
    {"wait-leader", 0, "", "first wait until a server leads and serves", false, false, NULL},
};

static const struct cli_option cluster_init_options[] = {
    {"name", 0, "NAME", "the cluster's name, as its certificates have it", true, false, NULL},
    {"member", 0, "ID=PEER_ADDRESS,CLIENT_ADDRESS", "a node; 3, 5, 7 or 9 of them", true, true,
     NULL},
    {"limit", 0, "NAME=VALUE", "a replicated limit, listed below", false, true, NULL},
    {"out", 0, "FILE", "the bootstrap file to write", true, false, NULL},
};

static const struct cli_option pki_init_options[] = {
    {"out", 0, "FOLDER", "where ca.pem and ca.key go; made when it is not there", true, false,
     NULL},
    {"name", 0, "TEXT", "common name of the authority (default: Tenure CA)", false, false, NULL},
    {"days", 0, "N", "valid for so many days (default: 3650)", false, false, NULL},
};

static const struct cli_option pki_issue_options[] = {
    {"ca", 0, "FOLDER", "the authority's folder, of pki init", true, false, NULL},
    {"identity", 0, "URI",
     "tenure://CLUSTER/TENANT/ROLE/NAME; ROLE: peer, service, operator, monitor", true, false,
     NULL},
    {"out", 0, "PREFIX", "writes PREFIX.pem and PREFIX.key", true, false, NULL},
    {"days", 0, "N", "valid for so many days (default: 365)", false, false, NULL},
};

static const struct cli_option snapshot_save_options[] = {
    {"out", 0, "FILE", "the backup to write", true, false, NULL},
    {"backup-key", 0, "FILE", "32 random bytes, under which it is sealed", true, false, NULL},
};

static const struct cli_option snapshot_inspect_options[] = {
    {"backup-key", 0, "FILE", "the key under which it was sealed", true, false, NULL},
};

static const struct cli_option snapshot_restore_options[] = {
    {"in", 0, "FILE", "the backup", true, false, NULL},
    {"backup-key", 0, "FILE", "the key under which it was sealed", true, false, NULL},
    {"member", 0, "ID=PEER_ADDRESS,CLIENT_ADDRESS", "a node of the new cluster; 3, 5, 7 or 9", true,
     true, NULL},
    {"name", 0, "NAME", "the new cluster's name (default: the old one's)", false, false, NULL},
    {"image", 0, "FILE", "the state to write, for every node beside the bootstrap file", true,
     false, NULL},
    {"out", 0, "FILE", "the bootstrap file to write", true, false, NULL},
};

#define OPTIONS(array) array, LENGTH(array)

static const struct cli_command own[] = {
    {"status", "Cluster", "What each server says of itself", NULL, OPTIONS(status_options),
     cli_run_status, NULL},
    {"cluster time", "Cluster", "State the time, when no clock of a majority survived",
     "TIME_US|now", NULL, 0, cli_run_cluster_time, NULL},
    {"snapshot save", "Backup", "Save the whole state as a sealed file", NULL,
     OPTIONS(snapshot_save_options), cli_run_snapshot_save, NULL},
    {"snapshot inspect", "Backup", "Check a backup, and say what it holds", "FILE",
     OPTIONS(snapshot_inspect_options), cli_run_snapshot_inspect, NULL},
    {"snapshot restore", "Backup", "Write what a restored cluster is born from", NULL,
     OPTIONS(snapshot_restore_options), cli_run_snapshot_restore, NULL},
    {"cluster init", "Setting up", "Write the bootstrap file of a new cluster", NULL,
     OPTIONS(cluster_init_options), cli_run_cluster_init, NULL},
    {"pki init", "Setting up", "Make a certificate authority", NULL, OPTIONS(pki_init_options),
     cli_run_pki_init, NULL},
    {"pki issue", "Setting up", "Issue a certificate and its key", NULL, OPTIONS(pki_issue_options),
     cli_run_pki_issue, NULL},
    {"completion", "This program", "Print completions for a shell", "bash|zsh|fish", NULL, 0,
     cli_run_completion, NULL},
    {"man", "This program", "Print the manual page (troff)", NULL, NULL, 0, cli_run_man, NULL},
    {"version", "This program", "Print the version", NULL, NULL, 0, cli_run_version, NULL},
    {"help", "This program", "Print what a command does, or all commands", "COMMAND", NULL, 0,
     cli_run_help, NULL},
};

static void append(char *text, size_t size, const char *more)
{
    size_t used = strlen(text);
    snprintf(text + used, size - used, "%s", more);
}

static void append_upper(char *text, size_t size, const char *word)
{
    size_t at = strlen(text);
    append(text, size, word);
    for (; text[at] != '\0'; at++) {
        text[at] = (char)(text[at] >= 'a' && text[at] <= 'z' ? text[at] - 'a' + 'A' : text[at]);
    }
}

static void argument_of_enum(const struct op_enum *e, char *ret_text, size_t size)
{
    for (size_t i = 0; i < e->count; i++) {
        if (e->texts[i] != NULL) {
            append(ret_text, size, ret_text[0] == '\0' ? "" : "|");
            append(ret_text, size, e->texts[i]);
        }
    }
}

/* The fields of an item in the table's order: "PERMISSION[=TTL]". */
static void argument_of_item(const struct op_struct *item, char *ret_text, size_t size)
{
    for (size_t i = 0; i < item->field_count; i++) {
        const struct op_field *field = &item->fields[i];
        append(ret_text, size, field->required ? "" : "[");
        append(ret_text, size, i == 0 ? "" : "=");
        append_upper(ret_text, size, field->name);
        append(ret_text, size, field->required ? "" : "]");
    }
}

static void argument_of(const struct op_field *field, char *ret_text, size_t size)
{
    switch (field->kind) {
    case OP_KIND_u64:
        append(ret_text, size, "N");
        return;
    case OP_KIND_time_us:
        append(ret_text, size, "DURATION");
        return;
    case OP_KIND_boolean:
        append(ret_text, size, "true|false");
        return;
    case OP_KIND_enumeration:
        argument_of_enum(field->enumeration, ret_text, size);
        return;
    case OP_KIND_id:
        append(ret_text, size, "ID");
        return;
    case OP_KIND_blob:
        append(ret_text, size, "BYTES");
        return;
    case OP_KIND_text:
        append(ret_text, size, "TEXT");
        return;
    case OP_KIND_token:
        append(ret_text, size, "TOKEN");
        return;
    case OP_KIND_list:
        argument_of_item(field->item, ret_text, size);
        return;
    }
}

static void replace(char *text, char from, char to)
{
    for (; *text != '\0'; text++) {
        *text = *text == from ? to : *text;
    }
}

static const struct cli_option *options_of_row(struct cli_memory *memory, const struct op_row *row)
{
    const struct op_struct *s = row->request;
    struct cli_option *options = cli_take(memory, s->field_count * sizeof(*options));
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        struct cli_option *option = &options[i];
        append(option->name, sizeof(option->name), field->name);
        replace(option->name, '_', '-');
        argument_of(field, option->argument, sizeof(option->argument));
        option->help = field->help;
        option->required = field->required;
        option->repeatable = field->kind == OP_KIND_list;
        option->field = field;
    }
    return options;
}

static struct cli_command command_of_row(struct cli_memory *memory, const struct op_row *row)
{
    struct cli_command command = {
        .group = "Operations",
        .help = row->help,
        .options = options_of_row(memory, row),
        .option_count = row->request->field_count,
        .run = cli_run_operation,
        .row = row,
    };
    append(command.words, sizeof(command.words), row->method);
    replace(command.words, '.', ' ');
    return command;
}

void cli_table_init(struct cli_table *table)
{
    size_t row_count;
    const struct op_row *rows = op_rows(&row_count);
    table->memory = (struct cli_memory){NULL};
    table->count = row_count + LENGTH(own);
    struct cli_command *commands = cli_take(&table->memory,
                                            table->count * sizeof(struct cli_command));
    for (size_t i = 0; i < row_count; i++) {
        commands[i] = command_of_row(&table->memory, &rows[i]);
    }
    memcpy(commands + row_count, own, sizeof(own));
    table->commands = commands;
    table->common = common;
    table->common_count = LENGTH(common);
}

void cli_table_done(struct cli_table *table)
{
    cli_memory_done(&table->memory);
}

const struct cli_command *cli_find(const struct cli_table *table, const char *words)
{
    for (size_t i = 0; i < table->count; i++) {
        if (strcmp(table->commands[i].words, words) == 0) {
            return &table->commands[i];
        }
    }
    return NULL;
}
