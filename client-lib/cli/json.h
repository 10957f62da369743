/* JSON by the op table, for the files of tenurectl that print it. */
#ifndef CLIENT_LIB_CLI_JSON_H
#define CLIENT_LIB_CLI_JSON_H

#include <jansson.h>

#include "client-lib/cli/cli.h"

/* A new object with the fields that are present. */
json_t *cli_struct_json(struct cli_memory *memory, const struct op_struct *s,
                        const struct tenure_field_map *map, const void *value);
/* Adds what every answer has: outcome, position, T, clock, term, attempts. */
void cli_result_json(json_t *object, const struct tenure_result *result);
/* One line; takes the value. */
void cli_print_json(FILE *out, json_t *value);

#endif
