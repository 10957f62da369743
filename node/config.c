/* The node's YAML configuration, by libcyaml's schema made from config.def. */
#include "node/config.h"

#include <cyaml/cyaml.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/level.h"
#include "node/yaml.h"

/* As the file gives it: what it leaves out is NULL. */
struct file {
#define NODE_TEXT_(name, help) char *name;
#define NODE_NUMBER_(name, standard, least, greatest, help) uint32_t *name;
    NODE_CONFIG(NODE_TEXT_, NODE_TEXT_, NODE_NUMBER_)
#undef NODE_TEXT_
#undef NODE_NUMBER_
};

#define NODE_TEXT_(name, help)                                                                     \
    CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER, struct file, name, 1, 4096),
#define NODE_OPTION_(name, help)                                                                   \
    CYAML_FIELD_STRING_PTR(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file, name, 1,  \
                           4096),
#define NODE_NUMBER_(name, standard, least, greatest, help)                                        \
    CYAML_FIELD_UINT_PTR(#name, CYAML_FLAG_POINTER | CYAML_FLAG_OPTIONAL, struct file, name),
static const cyaml_schema_field_t config_fields[] = {
    NODE_CONFIG(NODE_TEXT_, NODE_OPTION_, NODE_NUMBER_) CYAML_FIELD_END};
#undef NODE_TEXT_
#undef NODE_OPTION_
#undef NODE_NUMBER_

static const cyaml_schema_value_t config_schema = {
    CYAML_VALUE_MAPPING(CYAML_FLAG_POINTER, struct file, config_fields)};

void node_config_init(struct node_config *config)
{
    memset(config, 0, sizeof(*config));
#define NODE_TEXT_(name, help)
#define NODE_NUMBER_(name, standard, least, greatest, help) config->name = standard;
    NODE_CONFIG(NODE_TEXT_, NODE_TEXT_, NODE_NUMBER_)
#undef NODE_TEXT_
#undef NODE_NUMBER_
    config->level = node_release_level();
}

void node_config_done(struct node_config *config)
{
#define NODE_TEXT_(name, help) free(config->name);
#define NODE_NUMBER_(name, standard, least, greatest, help)
    NODE_CONFIG(NODE_TEXT_, NODE_TEXT_, NODE_NUMBER_)
#undef NODE_TEXT_
#undef NODE_NUMBER_
    memset(config, 0, sizeof(*config));
}

/* A relative path is taken from the folder of the file that names it. */
static char *resolve(const char *file, const char *path)
{
    const char *slash = strrchr(file, '/');
    size_t folder = path[0] == '/' || slash == NULL ? 0 : (size_t)(slash - file) + 1;
    char *resolved = malloc(folder + strlen(path) + 1);
    if (resolved != NULL) {
        memcpy(resolved, file, folder);
        memcpy(resolved + folder, path, strlen(path) + 1);
    }
    return resolved;
}

static char *copy(const char *text)
{
    return resolve("", text);
}

/* Takes over what the file gave; numbers that it left out keep their defaults. */
static bool take(const char *path, const struct file *loaded, struct node_config *ret)
{
    node_config_init(ret);
    ret->folder = resolve(path, loaded->folder);
    ret->ca = resolve(path, loaded->ca);
    ret->certificate = resolve(path, loaded->certificate);
    ret->key = resolve(path, loaded->key);
    ret->listen = copy(loaded->listen);
    ret->peer_listen = copy(loaded->peer_listen);
    bool observed = loaded->metrics_listen != NULL;
    ret->metrics_listen = observed ? copy(loaded->metrics_listen) : NULL;
#define NODE_TEXT_(name, help)
#define NODE_NUMBER_(name, standard, least, greatest, help)                                        \
    ret->name = loaded->name != NULL ? *loaded->name : ret->name;
    NODE_CONFIG(NODE_TEXT_, NODE_TEXT_, NODE_NUMBER_)
#undef NODE_TEXT_
#undef NODE_NUMBER_
    return ret->folder != NULL && ret->ca != NULL && ret->certificate != NULL && ret->key != NULL &&
           ret->listen != NULL && ret->peer_listen != NULL &&
           observed == (ret->metrics_listen != NULL);
}

bool node_config_load(const char *path, struct node_config *ret_config, char *error,
                      size_t error_size)
{
    struct file *loaded = NULL;
    if (!node_yaml_load(path, &config_schema, (void **)&loaded, error, error_size)) {
        return false;
    }
    bool taken = take(path, loaded, ret_config);
    node_yaml_free(&config_schema, loaded);
    if (!taken) {
        snprintf(error, error_size, "out of memory");
        node_config_done(ret_config);
        return false;
    }
    char line[512];
    if (!node_config_check(ret_config, line, sizeof(line))) {
        snprintf(error, error_size, "%s: %s", path, line);
        node_config_done(ret_config);
        return false;
    }
    return true;
}

static bool in_bounds(const char *name, uint32_t value, uint64_t least, uint64_t greatest,
                      char *error, size_t error_size)
{
    if (value < least || value > greatest) {
        snprintf(error, error_size, "%s is %u: give a value from %llu to %llu", name, value,
                 (unsigned long long)least, (unsigned long long)greatest);
        return false;
    }
    return true;
}

bool node_config_check(const struct node_config *config, char *error, size_t error_size)
{
#define NODE_TEXT_(name, help)                                                                     \
    if (config->name == NULL || config->name[0] == '\0') {                                         \
        snprintf(error, error_size, "%s is missing: %s", #name, help);                             \
        return false;                                                                              \
    }
#define NODE_OPTION_(name, help)
#define NODE_NUMBER_(name, standard, least, greatest, help)                                        \
    if (!in_bounds(#name, config->name, least, greatest, error, error_size)) {                     \
        return false;                                                                              \
    }
    NODE_CONFIG(NODE_TEXT_, NODE_OPTION_, NODE_NUMBER_)
#undef NODE_TEXT_
#undef NODE_OPTION_
#undef NODE_NUMBER_
    if (config->heartbeat_ms * 4 > config->election_ms) {
        snprintf(error, error_size,
                 "heartbeat_ms is %u: give at most a quarter of election_ms (%u)",
                 config->heartbeat_ms, config->election_ms);
        return false;
    }
    return true;
}

void node_config_help(void (*line)(void *arg, const char *text), void *arg)
{
    char text[256];
#define NODE_TEXT_(name, help)                                                                     \
    snprintf(text, sizeof(text), "  %-16s %s", #name, help);                                       \
    line(arg, text);
#define NODE_NUMBER_(name, standard, least, greatest, help)                                        \
    snprintf(text, sizeof(text), "  %-16s %s (%d to %d%s)", #name, help, least, greatest,          \
             (standard) == 0 && (least) > 0 ? "" : "; default " NODE_STRING_(standard));           \
    line(arg, text);
#define NODE_STRING_(x) #x
    NODE_CONFIG(NODE_TEXT_, NODE_TEXT_, NODE_NUMBER_)
#undef NODE_TEXT_
#undef NODE_NUMBER_
#undef NODE_STRING_
}
