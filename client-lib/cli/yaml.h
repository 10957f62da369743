/* The client configuration's YAML, by schema; a mistake is one line: file, what, line in it. */
#ifndef CLIENT_LIB_CLI_YAML_H
#define CLIENT_LIB_CLI_YAML_H

#include <cyaml/cyaml.h>

#include "client-lib/cli/cli.h"

/* `ret_value` is owned: cli_yaml_free. */
bool cli_yaml_load(const char *path, const cyaml_schema_value_t *schema, void **ret_value,
                   struct cli_error *ret_error);
void cli_yaml_free(const cyaml_schema_value_t *schema, void *value);

#endif
