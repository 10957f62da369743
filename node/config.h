/* What one node is told at its start: its YAML configuration. What its whole cluster is told once
 * is node/bootstrap.h's.
 *
 * Parsing is libcyaml's, schema-driven; every mistake is one line that names the file, the line in
 * it and what to do. Does not open anything that the configuration names.
 */
#ifndef NODE_CONFIG_H
#define NODE_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/config.def"

struct node_config {
#define NODE_TEXT_(name, help) char *name;
#define NODE_NUMBER_(name, standard, least, greatest, help) uint32_t name;
    NODE_CONFIG(NODE_TEXT_, NODE_TEXT_, NODE_NUMBER_)
#undef NODE_TEXT_
#undef NODE_NUMBER_
    uint32_t level; /* greatest feature level that is known: of the program, in no file */
};

/* All numbers at their defaults, all texts NULL. */
void node_config_init(struct node_config *config);
/* Reads the file; relative paths in it are taken from the file's own folder. Returns owned strings:
 * node_config_done. False: `error` says what is wrong. */
bool node_config_load(const char *path, struct node_config *ret_config, char *error,
                      size_t error_size);
/* Bounds, missing keys, and what must fit together. False: `error` has one line. */
bool node_config_check(const struct node_config *config, char *error, size_t error_size);
void node_config_done(struct node_config *config);
/* One line a key, for --help. */
void node_config_help(void (*line)(void *arg, const char *text), void *arg);

#endif
