/* How the cluster is reached: options, the environment, a YAML file, in this order. Opens nothing
 * but that file. */
#include <cyaml/cyaml.h>
#include <stdlib.h>
#include <string.h>

#include "client-lib/cli/cli.h"
#include "client-lib/cli/yaml.h"

#define TIMEOUT_STANDARD_US 5000000

/* As the file gives it: what it leaves out is NULL. */
struct file {
    char **servers;
    uint64_t servers_count;
    char *ca;
    char *cert;
    char *key;
    char *tenant;
    char *timeout;
};

static const cyaml_schema_value_t server_schema = {
    CYAML_VALUE_STRING(CYAML_FLAG_POINTER, char, 1, ENV_ADDRESS_MAX - 1)};

#define TEXT(name)                                                                                 \
    CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file, name, 1,  \
                           4096)
static const cyaml_schema_field_t file_fields[] = {
    CYAML_FIELD_SEQUENCE_COUNT("servers", CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file,
                               servers, servers_count, &server_schema, 1, CLI_SERVERS_MAX),
    TEXT(ca),
    TEXT(cert),
    TEXT(key),
    TEXT(tenant),
    TEXT(timeout),
    CYAML_FIELD_END};
#undef TEXT
static const cyaml_schema_value_t file_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, file_fields)};

static const char *const names[] = {"servers", "ca", "cert", "key", "tenant", "timeout"};

bool cli_is_setting(const char *name)
{
    bool found = strcmp(name, "config") == 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        found = found || strcmp(name, names[i]) == 0;
    }
    return found;
}

void cli_setting_environment(const char *name, char ret_name[CLI_WORD_MAX])
{
    size_t size = (size_t)snprintf(ret_name, CLI_WORD_MAX, "TENURE_%s", name);
    for (size_t i = 7; i < size && i < CLI_WORD_MAX - 1; i++) {
        ret_name[i] = (char)(ret_name[i] - 'a' + 'A');
    }
}

/* From an option or the environment; NULL: neither. An empty variable is none. */
static const char *outside(const struct cli_run *run, const char *name)
{
    char variable[CLI_WORD_MAX];
    const char *option = cli_text_of(run, name);
    cli_setting_environment(name, variable);
    const char *environment = getenv(variable);
    return option != NULL                                  ? option
           : environment != NULL && environment[0] != '\0' ? environment
                                                           : NULL;
}

/* ---- the file ---- */

/* A relative path is taken from the folder of the file that names it. */
static const char *resolve(struct cli_memory *memory, const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    if (path == NULL) {
        return NULL;
    }
    size_t folder = path[0] == '/' || slash == NULL ? 0 : (size_t)(slash - file) + 1;
    char *resolved = cli_take(memory, folder + strlen(path) + 1);
    memcpy(resolved, file, folder);
    memcpy(resolved + folder, path, strlen(path));
    return resolved;
}

static const char *keep(struct cli_memory *memory, const char *text)
{
    return text == NULL ? NULL : cli_take_text(memory, text, strlen(text));
}

/* What stands in the file, as the same texts that options give. */
struct texts {
    const char *values[sizeof(names) / sizeof(names[0])];
};

static const char *join_servers(struct cli_memory *memory, const struct file *file)
{
    size_t size = 1;
    for (uint64_t i = 0; i < file->servers_count; i++) {
        size += strlen(file->servers[i]) + 1;
    }
    char *joined = cli_take(memory, size);
    for (uint64_t i = 0; i < file->servers_count; i++) {
        size_t used = strlen(joined);
        snprintf(joined + used, size - used, "%s%s", i == 0 ? "" : ",", file->servers[i]);
    }
    return file->servers_count == 0 ? NULL : joined;
}

static bool load_file(const struct cli_run *run, const char *path, struct texts *ret_texts,
                      struct cli_error *ret_error)
{
    struct file *file = NULL;
    if (!cli_yaml_load(path, &file_schema, (void **)&file, ret_error)) {
        return false;
    }
    *ret_texts = (struct texts){{
        join_servers(run->memory, file),
        resolve(run->memory, path, file->ca),
        resolve(run->memory, path, file->cert),
        resolve(run->memory, path, file->key),
        keep(run->memory, file->tenant),
        keep(run->memory, file->timeout),
    }};
    cli_yaml_free(&file_schema, file);
    return true;
}

/* ---- all together ---- */

static bool take_servers(struct cli_memory *memory, const char *text,
                         struct tenure_options *options, struct cli_error *ret_error)
{
    const char **servers = cli_take(memory, CLI_SERVERS_MAX * sizeof(*servers));
    while (*text != '\0') {
        size_t size = strcspn(text, ",");
        if (size == 0 || size >= ENV_ADDRESS_MAX || options->server_count == CLI_SERVERS_MAX) {
            return cli_fail(ret_error,
                            "servers: give up to %d addresses, HOST:PORT each, with "
                            "commas between them",
                            CLI_SERVERS_MAX);
        }
        servers[options->server_count++] = cli_take_text(memory, text, size);
        text += size + (text[size] == ',' ? 1 : 0);
    }
    options->servers = servers;
    return options->server_count > 0 || cli_fail(ret_error, "servers: give at least one address");
}

static bool take_timeout(const char *text, struct cli_settings *settings,
                         struct cli_error *ret_error)
{
    settings->timeout_given = text != NULL;
    settings->options.timeout_us = TIMEOUT_STANDARD_US;
    if (text == NULL) {
        return true;
    }
    if (!cli_duration_read(text, &settings->options.timeout_us) ||
        settings->options.timeout_us == 0) {
        return cli_fail(ret_error, "timeout: \"%s\" is no duration: give 500ms, 5s or 1m", text);
    }
    return true;
}

static bool check(const struct texts *texts, struct cli_error *ret_error)
{
    for (size_t i = 0; i < 4; i++) {
        char variable[CLI_WORD_MAX];
        cli_setting_environment(names[i], variable);
        if (texts->values[i] == NULL) {
            return cli_fail(ret_error,
                            "%s: not known: give --%s, %s, or a file with --config or "
                            "TENURE_CONFIG",
                            names[i], names[i], variable);
        }
    }
    return true;
}

bool cli_settings_load(const struct cli_run *run, struct cli_settings *ret_settings,
                       struct cli_error *ret_error, enum cli_exit *ret_code)
{
    struct texts texts = {{NULL}};
    const char *path = outside(run, "config");
    *ret_code = CLI_LOCAL;
    if (path != NULL && !load_file(run, path, &texts, ret_error)) {
        return false;
    }
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *text = outside(run, names[i]);
        texts.values[i] = text != NULL ? text : texts.values[i];
    }
    *ret_code = CLI_USAGE;
    *ret_settings = (struct cli_settings){
        .options = {.ca = texts.values[1],
                    .certificate = texts.values[2],
                    .key = texts.values[3],
                    .tenant = texts.values[4],
                    .software = "tenurectl " TENURE_VERSION,
                    .stale = cli_text_of(run, "stale") != NULL},
    };
    return check(&texts, ret_error) &&
           take_servers(run->memory, texts.values[0], &ret_settings->options, ret_error) &&
           take_timeout(texts.values[5], ret_settings, ret_error);
}
