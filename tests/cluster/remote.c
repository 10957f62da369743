/* Clients of a running cluster of cluster/local. */
#include "tests/cluster/remote.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "  - "127.1.2.3:20000"" */
static void take_server(struct remote *remote, const char *line)
{
    char server[64];
    if (sscanf(line, "  - \"%63[^\"]\"", server) == 1 && remote->count < REMOTE_NODES_MAX) {
        memcpy(remote->servers[remote->count++], server, sizeof(server));
    }
}

void remote_read(struct remote *remote, const char *folder)
{
    char path[600], line[1024];
    *remote = (struct remote){.count = 0};
    (void)snprintf(remote->folder, sizeof(remote->folder), "%s", folder);
    (void)snprintf(path, sizeof(path), "%s/client.yaml", remote->folder);
    FILE *file = fopen(path, "re");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        take_server(remote, line);
    }
    if (file == NULL || remote->count == 0) {
        fprintf(stderr, "%s names no servers\n", path);
        exit(EXIT_FAILURE);
    }
    fclose(file);
}

struct tenure_client *remote_client(const struct remote *remote, const char *name, size_t only,
                                    const char *tenant, uint64_t timeout_us)
{
    char ca[600], certificate[600], key[600], error[512];
    const char *servers[REMOTE_NODES_MAX];
    struct tenure_client *client = NULL;
    for (size_t i = 0; i < remote->count; i++) {
        servers[i] = remote->servers[only == REMOTE_ALL ? i : only];
    }
    (void)snprintf(ca, sizeof(ca), "%s/ca/ca.pem", remote->folder);
    (void)snprintf(certificate, sizeof(certificate), "%s/%s.pem", remote->folder, name);
    (void)snprintf(key, sizeof(key), "%s/%s.key", remote->folder, name);
    const struct tenure_options options = {.servers = servers,
                                           .server_count = only == REMOTE_ALL ? remote->count : 1,
                                           .ca = ca,
                                           .certificate = certificate,
                                           .key = key,
                                           .tenant = tenant,
                                           .software = "test",
                                           .timeout_us = timeout_us,
                                           .stay = only != REMOTE_ALL};
    if (!tenure_open(&options, error, sizeof(error), &client)) {
        fprintf(stderr, "%s: %s\n", name, error);
        exit(EXIT_FAILURE);
    }
    return client;
}
