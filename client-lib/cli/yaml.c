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

bool cli_yaml_load(const char *path, const cyaml_schema_value_t *schema, void **ret_value,
                   struct cli_error *ret_error)
{
    struct report report = {.count = 0};
    cyaml_config_t config = config_of(&report);
    cyaml_data_t *value = NULL;
    cyaml_err_t rc = cyaml_load_file(path, &config, schema, &value, NULL);
    if (rc != CYAML_OK) {
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
