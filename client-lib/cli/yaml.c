/* libcyaml for tenurectl. Keeps of its report what a person needs. */
#include "client-lib/cli/yaml.h"

#include <string.h>

/* libcyaml tells a mistake from the inside out: first what is wrong, then where. */
struct report {
    char lines[2][256];
    size_t count;
};

static void on_log(cyaml_log_t level, void *arg, const char *format, va_list arguments)
{
    struct report *report = arg;
    char line[256];
    if (level < CYAML_LOG_ERROR || report->count == 2) {
        return;
    }
    vsnprintf(line, sizeof(line), format, arguments);
    line[strcspn(line, "\n")] = '\0';
    const char *text = strncmp(line, "Load:", 5) == 0 ? line + 5 : line;
    text += strspn(text, " ");
    if (strncmp(text, "Backtrace", 9) != 0) {
        snprintf(report->lines[report->count++], sizeof(line), "%s", text);
    }
}

static cyaml_config_t config_of(struct report *report)
{
    return (cyaml_config_t){.log_fn = on_log,
                            .log_ctx = report,
                            .log_level = CYAML_LOG_ERROR,
                            .mem_fn = cyaml_mem,
                            .flags = CYAML_CFG_DEFAULT};
}

/* libcyaml names the place before an unknown key: its own line is looked up. 0: not found. */
static unsigned line_of_key(const char *path, const char *key)
{
    FILE *file = fopen(path, "r");
    char line[512];
    unsigned found = 0;
    for (unsigned count = 1; file != NULL && found == 0 && fgets(line, sizeof(line), file) != NULL;
         count++) {
        const char *text = line + strspn(line, " -\"'");
        size_t size = strlen(key);
        if (strncmp(text, key, size) == 0 && text[size + strspn(text + size, " \"'")] == ':') {
            found = count;
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found;
}

static void correct_place(const char *path, struct report *report)
{
    static const char unexpected[] = "Unexpected key: ";
    const char *what = report->lines[0];
    if (report->count == 0 || strncmp(what, unexpected, sizeof(unexpected) - 1) != 0) {
        return;
    }
    unsigned line = line_of_key(path, what + sizeof(unexpected) - 1);
    if (line != 0) {
        snprintf(report->lines[1], sizeof(report->lines[1]), "line: %u", line);
        report->count = 2;
    }
}

bool cli_yaml_load(const char *path, const cyaml_schema_value_t *schema, void **ret_value,
                   struct cli_error *ret_error)
{
    struct report report = {.count = 0};
    cyaml_config_t config = config_of(&report);
    cyaml_data_t *value = NULL;
    cyaml_err_t rc = cyaml_load_file(path, &config, schema, &value, NULL);
    if (rc != CYAML_OK) {
        correct_place(path, &report);
        return cli_fail(ret_error, "%s: %s%s%s", path,
                        report.count > 0 ? report.lines[0] : cyaml_strerror(rc),
                        report.count > 1 ? ", " : "", report.lines[1]);
    }
    if (value == NULL) {
        return cli_fail(ret_error, "%s: the file is empty", path);
    }
    *ret_value = value;
    return true;
}

void cli_yaml_free(const cyaml_schema_value_t *schema, void *value)
{
    struct report report = {.count = 0};
    cyaml_config_t config = config_of(&report);
    (void)cyaml_free(&config, schema, value, 0);
}
