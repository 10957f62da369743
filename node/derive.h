/* Values that belong to one session and one purpose: names of its memory, salts of its caches.
 *
 * A value is HMAC-SHA256 under the cluster's derivation key over the framed texts, each with its
 * length before it: no two (tenant, session, label) give one input. The key comes with the
 * bootstrap file, is the same on all nodes and never leaves them. Does not ask whether the session
 * lives.
 */
#ifndef NODE_DERIVE_H
#define NODE_DERIVE_H

#include "op/op.h"

enum { NODE_DERIVE_KEY = 32 };

struct node_derive_source {
    struct bytes tenant;
    struct id128 session;
    struct bytes label;
};

void node_derive(const uint8_t key[NODE_DERIVE_KEY], const struct node_derive_source *source,
                 uint8_t ret_value[32]);

#endif
