/* Inside jepsen/model: each operation's law (expect_…) and effect (apply_…). */
#ifndef JEPSEN_MODEL_RULES_H
#define JEPSEN_MODEL_RULES_H

#include "jepsen/model/state.h"

/* Bit of a reply's field, by its tag in op/ops.def. */
#define TAG(n) (1ULL << (n))

/* The law refuses; an OK would break `property`, by `rule` (static storage). */
void expect_refusal(struct model_expect *expect, enum op_outcome outcome,
                    enum model_property property, const char *rule);
/* The same, where the law does not say which of two refusals is told: one that was found before is
 * right as well. */
void expect_either(struct model_expect *expect, enum op_outcome outcome,
                   enum model_property property, const char *rule);
/* Another outcome that is right as well. */
void expect_also(struct model_expect *expect, enum op_outcome outcome);
/* Refuses for `session`'s death, if it is dead at T. */
bool expect_death(struct model *model, const struct ask *ask, uint32_t session,
                  struct model_expect *expect);
/* The session that a token shows, or 0 after refusing with NOT_FOUND, or for its death. */
uint32_t expect_session(struct model *model, const struct ask *ask, const struct op_token *token,
                        struct model_expect *expect);
/* The task that a fence shows, or 0 after refusing with NOT_FOUND. */
uint32_t expect_task(struct model *model, const struct ask *ask, const struct op_token *fence,
                     struct model_expect *expect);
/* Allows NOT_FOUND too, once the task may have been forgotten. */
void expect_task_forgotten(struct model *model, const struct ask *ask, const struct task *task,
                           struct model_expect *expect);
/* Refuses with FENCED when a rule fails. */
bool expect_fence(struct model *model, const struct ask *ask, uint32_t task, uint32_t target,
                  const char *needs, const struct op_token *fence, struct model_expect *expect);
/* W9: a known (task, n), or an n that nothing may be applied under. Returns true when that settles
 * the answer; `ret_done` is the known one, or NULL. */
bool expect_number(struct model *model, const struct task *task, uint64_t n, uint64_t digest,
                   struct model_expect *expect, const struct done **ret_done);
/* Same user and tenant as the asker's? */
bool ask_owns(const struct model *model, const struct ask *ask, uint32_t tenant, uint32_t user);
/* The task that began there, if nobody knew its id, has this one. */
void rule_name_task(struct model *model, uint64_t begun, struct id128 id);
/* … and the session that was created there. */
void rule_name_session(struct model *model, uint64_t epoch, struct id128 id);
/* Who reads the state of which session; NULL is what was not given. */
struct state_reader {
    const struct op_token *token, *fence;
    const struct id128 *session;
};
/* The session that may be read, or 0 after refusing. */
uint32_t expect_state_read(struct model *model, const struct ask *ask,
                           const struct state_reader *reader, struct model_expect *expect);
/* May a REUSE that no row shows have ended it by now? */
bool rule_may_be_compromised(const struct model *model, const struct ask *ask, uint32_t session);
/* Somebody was told that the session whose token he shows is compromised. */
void apply_compromised(struct model *model, const struct ask *ask);
/* Another try of a request number was answered OK: it may have a new secret (section 6). */
void apply_again(struct model *model, const struct ask *ask, const struct model_answer *answer);
/* The token whose secret this operation replaces in its session; NULL: it replaces none. */
const struct op_token *rule_rotates(const struct model_op *op);
/* The session has a new secret; without a token nobody knows it. */
void apply_rotation(struct model *model, const struct ask *ask, struct session *session,
                    const struct op_token *token);
/* Nobody knows whether the secret minted by that request, first answered at `first`, counts. */
void doubt_secret(struct model *model, const struct model_op *op, uint64_t first);
/* The policy of that name: built in, or as the asker's tenant defined it last. */
bool rule_policy(struct model *model, const struct ask *ask, struct bytes name,
                 struct policy *ret_policy);
/* ---- rules_quota.c ---- */
/* How many there are: `sure` that count, `maybe` more that may count. */
struct tally {
    uint64_t sure, maybe;
};
/* Refuses with QUOTA when `more` beside them is beyond what the asker's tenant set. */
void expect_quota(struct model *model, const struct ask *ask, uint32_t kind, struct tally tally,
                  uint64_t more, struct model_expect *expect);
/* The quotas on one session more of the asker's user, one task more of that session. */
void expect_session_quotas(struct model *model, const struct ask *ask, struct model_expect *expect);
void expect_task_quotas(struct model *model, const struct ask *ask, uint32_t session,
                        struct model_expect *expect);
struct tally rule_session_tasks(const struct model *model, const struct ask *ask, uint32_t session);
/* … and on the bytes of that session's state to become so many. */
void expect_byte_quotas(struct model *model, const struct ask *ask, uint32_t session,
                        uint64_t bytes, struct model_expect *expect);

/* ---- rules_filter.c ---- */
bool rule_resource_valid(struct bytes resource);
bool rule_filter_valid(const struct op_session_create_request *request);
/* Would a child by this request reach what its parent does not? */
bool rule_filter_outside(struct model *model, const struct op_session_create_request *request,
                         const struct session *parent);
/* False after refusing: the session's filter does not have the resource, or none was named. */
bool expect_reached(struct model *model, const struct session *session, bool has_resource,
                    struct bytes resource, struct model_expect *expect);
void apply_filter(struct model *model, const struct op_session_create_request *request,
                  struct session *session);

/* ---- rules_binding.c ---- */
bool rule_address_valid(struct bytes address);
bool rule_networks_valid(const struct op_session_create_request *request);
/* Could a child by this request be used where its parent cannot? */
bool rule_binding_wider(struct model *model, const struct op_session_create_request *request,
                        const struct session *parent);
/* Where a call says that its client is; NULL is what it does not say. */
#define SAID(request, field) ((request)->has_##field ? &(request)->field : NULL)
/* False after refusing: no address at all, or the session is not bound to where its client is. */
bool expect_place(struct model *model, uint32_t session, const struct bytes *address,
                  const struct bytes *fingerprint, struct model_expect *expect);
void apply_binding(struct model *model, const struct op_session_create_request *request,
                   struct session *session);

uint32_t ask_permission(struct model *model, const char *permission);

/* A pair for each row of the table: one without its rule does not link. */
#define RULES(number, name, ...)                                                                   \
    void expect_##name(struct model *model, const struct ask *ask, struct model_expect *expect);   \
    void apply_##name(struct model *model, const struct ask *ask,                                  \
                      const struct model_answer *answer);
OP_TABLE(RULES)
#undef RULES

#endif
