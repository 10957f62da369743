/* libcyaml with errors as one line: file, line, what is wrong. */
#ifndef NODE_YAML_H
#define NODE_YAML_H

#include <cyaml/cyaml.h>
#include <stdbool.h>
#include <stddef.h>

/* Loads the file by the schema; `ret_value` is owned (node_yaml_free). */
bool node_yaml_load(const char *path, const cyaml_schema_value_t *schema, void **ret_value,
                    char *error, size_t error_size);
void node_yaml_free(const cyaml_schema_value_t *schema, void *value);

#endif
