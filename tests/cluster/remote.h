/* A running cluster of cluster/local, as a C program of these tests finds it: its servers, and
 * clients with its certificates. Starts and stops nothing.
 */
#ifndef TESTS_CLUSTER_REMOTE_H
#define TESTS_CLUSTER_REMOTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <tenure.h>

enum { REMOTE_NODES_MAX = 5 };

#define REMOTE_ALL SIZE_MAX /* no node in particular */

struct remote {
    char folder[512];
    char servers[REMOTE_NODES_MAX][64];
    size_t count;
};

/* From the file that cluster/local writes for clients. Ends the program when there is none. */
void remote_read(struct remote *remote, const char *folder);
/* `name`: of FOLDER/NAME.pem and .key. `only`: a node, counted from 0, that it stays with; or
 * REMOTE_ALL. `tenant`: an operator's, else NULL. Returns owned; ends the program on failure. */
struct tenure_client *remote_client(const struct remote *remote, const char *name, size_t only,
                                    const char *tenant, uint64_t timeout_us);

#endif
