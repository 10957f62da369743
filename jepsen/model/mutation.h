/* Laws that are wrong on purpose, so that tests can see the checker tell them from the right one.
 *
 * Nothing outside tests includes this file.
 */
#ifndef JEPSEN_MODEL_MUTATION_H
#define JEPSEN_MODEL_MUTATION_H

#include "jepsen/model/model.h"

enum model_mutation {
    MODEL_MUTATION_NONE,
    MODEL_MUTATION_W1, /* W1 … W9: that rule never refuses */
    MODEL_MUTATION_W2,
    MODEL_MUTATION_W3,
    MODEL_MUTATION_W4,
    MODEL_MUTATION_W5,
    MODEL_MUTATION_W6,
    MODEL_MUTATION_W7,
    MODEL_MUTATION_W8,
    MODEL_MUTATION_W9,
    MODEL_MUTATION_DEADLINE_LATE,  /* a deadline d has passed iff T > d */
    MODEL_MUTATION_DEADLINE_EARLY, /* … iff T >= d - 1 */
    MODEL_MUTATION_REVOKE_IGNORED,
    MODEL_MUTATION_REVOKE_NARROW,    /* of a tenant, or of all, is ignored */
    MODEL_MUTATION_REVOKE_LATER_TOO, /* sessions created after a revoke die of it */
    MODEL_MUTATION_G_IGNORED,        /* a permission given anew comes back to old tasks */
    MODEL_MUTATION_DEDUPE_IGNORED,
    MODEL_MUTATION_END_IGNORED,
    MODEL_MUTATION_SECRET_IGNORED,
    MODEL_MUTATION_USER_IGNORED,
    MODEL_MUTATION_TENANT_IGNORED,
    MODEL_MUTATION_EPOCH_OF_CHILD, /* a sub-task's E is its own B */
    MODEL_MUTATION_PERMISSION_IGNORED,
    MODEL_MUTATION_GRANT_FOREVER, /* a grant's deadline never passes */
    MODEL_MUTATION_LOST_WRITE,    /* every eighth write is acknowledged and forgotten */
    MODEL_MUTATION_TAKEOVER,      /* anyone may claim a task whose lease runs */
    MODEL_MUTATION_ATTEMPT_KEPT,  /* a claim by another worker keeps the attempt */
    MODEL_MUTATION_LEASE_IGNORED,
    MODEL_MUTATION_TOUCH_IGNORED, /* no touch moves a deadline */
    MODEL_MUTATION_HEARTBEAT_IGNORED,
    MODEL_MUTATION_CANCEL_OF_ONE, /* what is below a cancelled or failed task goes on */
    MODEL_MUTATION_CLOSE_IGNORED,
    MODEL_MUTATION_EXPECTED_IGNORED, /* no write asks which version a key has */
    MODEL_MUTATION_DELETE_IGNORED,
    MODEL_MUTATION_ADOPTION_KEEPS_EPOCH,
    MODEL_MUTATION_CHILD_OUTLIVES,    /* a child goes on when its parent has ended */
    MODEL_MUTATION_CHILD_KEEPS_GRANT, /* … and holds what its parent has lost */
    MODEL_MUTATION_CHILD_OF_ONE,      /* … or when one further up has */
    MODEL_MUTATION_DEAD_CHILD_COUNTS, /* a full list of children is LIMIT, dead ones included */
    MODEL_MUTATION_CHILD_REVIVED,     /* … and holds what that was given again */
    MODEL_MUTATION_LINEAGE_OF_PARENT, /* a lineage is named by the parent */
    MODEL_MUTATION_FLOOR_IGNORED,     /* a task's E is not bounded by F of its session */
    MODEL_MUTATION_LINEAGE_FORGOTTEN, /* an adopted task stands under its present lineage alone */
    MODEL_MUTATION_FILTER_IGNORED,
    MODEL_MUTATION_QUOTA_IGNORED,
    MODEL_MUTATION_BINDING_IGNORED,
    MODEL_MUTATION_END,
};

void model_mutate(struct model *model, enum model_mutation mutation);

#endif
