/* Who a client is, from its certificate: tenure://<cluster>/<tenant>/<role>/<name>. Checks no
 * certificate: env does. */
#include <stdio.h>
#include <string.h>

#include "node/internal.h"
#include "op/text.h"

static bool take_segment(const char **at, char *ret, size_t size)
{
    size_t length = strcspn(*at, "/");
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(ret, *at, length);
    ret[length] = '\0';
    *at += length;
    return op_text_valid(bytes_of_text(ret));
}

static bool take_slash(const char **at)
{
    bool has = **at == '/';
    *at += has;
    return has;
}

static enum op_role role_of(const char *text)
{
    return strcmp(text, "service") == 0    ? OP_ROLE_SERVICE
           : strcmp(text, "operator") == 0 ? OP_ROLE_OPERATOR
           : strcmp(text, "peer") == 0     ? OP_ROLE_PEER
                                           : OP_ROLE_NONE;
}

bool node_connection_identify(struct node_connection *connection, const char *identity)
{
    static const char scheme[] = "tenure://";
    if (strncmp(identity, scheme, sizeof(scheme) - 1) != 0) {
        return false;
    }
    const char *at = identity + sizeof(scheme) - 1;
    char cluster[RLOG_NAME_MAX];
    char role[16];
    char name[OP_NAME_MAX - 16];
    if (!take_segment(&at, cluster, sizeof(cluster)) || !take_slash(&at) ||
        !take_segment(&at, connection->tenant, sizeof(connection->tenant)) || !take_slash(&at) ||
        !take_segment(&at, role, sizeof(role)) || !take_slash(&at) ||
        !take_segment(&at, name, sizeof(name)) || *at != '\0') {
        return false;
    }
    connection->role = role_of(role);
    snprintf(connection->name, sizeof(connection->name), "%s/%s", role, name);
    bool nobody = strcmp(connection->tenant, "-") == 0; /* belongs to no tenant */
    return strcmp(cluster, connection->node->bootstrap->birth.cluster) == 0 &&
           ((connection->role == OP_ROLE_SERVICE && !nobody) ||
            (connection->role == OP_ROLE_OPERATOR && nobody));
}
