/* Loads YAML by schema and boils libcyaml's report down to one line. */
#include "node/yaml.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* What libcyaml logs comes from the inside out: the first line is the mistake, the next names
 * where. */
struct report {
    char what[256];
    char where[256];
};

static void chomp(char *text)
{
    text[strcspn(text, "\r\n")] = '\0';
}

static void on_log(cyaml_log_t level, void *arg, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));
static void on_log(cyaml_log_t level, void *arg, const char *format, va_list arguments)
{
    struct report *report = arg;
    char *into = report->what[0] == '\0' ? report->what : report->where;
    if (level < CYAML_LOG_ERROR || into[0] != '\0') {
        return;
    }
    char line[256];
    vsnprintf(line, sizeof(line), format, arguments);
    chomp(line);
    const char *text = strncmp(line, "Load: ", 6) == 0 ? line + 6 : line;
    text += strspn(text, " ");
    if (strncmp(text, "Backtrace", 9) != 0) {
        snprintf(into, sizeof(report->what), "%s", text);
    }
}

static cyaml_config_t configuration(struct report *report)
{
    return (cyaml_config_t){
        .log_fn = on_log,
        .log_ctx = report,
        .log_level = CYAML_LOG_ERROR,
        .mem_fn = cyaml_mem,
        .flags = CYAML_CFG_DEFAULT,
    };
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
    if (strncmp(report->what, unexpected, sizeof(unexpected) - 1) != 0) {
        return;
    }
    unsigned line = line_of_key(path, report->what + sizeof(unexpected) - 1);
    if (line != 0) {
        snprintf(report->where, sizeof(report->where), "line: %u", line);
    }
}

bool node_yaml_load(const char *path, const cyaml_schema_value_t *schema, void **ret_value,
                    char *error, size_t error_size)
{
    struct report report = {.what = ""};
    cyaml_config_t config = configuration(&report);
    cyaml_data_t *value = NULL;
    cyaml_err_t rc = cyaml_load_file(path, &config, schema, &value, NULL);
    if (rc != CYAML_OK) {
        correct_place(path, &report);
        snprintf(error, error_size, "%s: %s%s%s", path,
                 report.what[0] != '\0' ? report.what : cyaml_strerror(rc),
                 report.where[0] != '\0' ? ", " : "", report.where);
        return false;
    }
    if (value == NULL) {
        snprintf(error, error_size, "%s: the file is empty", path);
        return false;
    }
    *ret_value = value;
    return true;
}

void node_yaml_free(const cyaml_schema_value_t *schema, void *value)
{
    struct report report = {.what = ""};
    cyaml_config_t config = configuration(&report);
    (void)cyaml_free(&config, schema, value, 0);
}
