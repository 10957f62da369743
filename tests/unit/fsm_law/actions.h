/* The operations as short calls, for tests that tell a story; holds no test. */
#ifndef TESTS_FSM_LAW_ACTIONS_H
#define TESTS_FSM_LAW_ACTIONS_H

#include "tests/unit/fsm_law/machine.h"

/* One certificate with one client. Numbers its requests itself. */
struct actor {
    struct machine *machine;
    struct op_caller caller;
    uint64_t client;
    uint64_t request; /* of the next call */
    struct call call; /* the last one, to be sent again */
};

struct session {
    struct id128 id;
    uint64_t secret;
    const char *user;
    uint64_t epoch;
};

struct task {
    struct id128 id;
    uint64_t secret;
    const char *user;
    uint64_t epoch;
    uint64_t attempt;
};

void actor_init(struct actor *actor, struct machine *machine, const char *tenant, const char *name);
/* Sends actor->call, first filled by the functions below. */
enum op_outcome act(struct actor *actor);
void act_begin(struct actor *actor, enum op_number number);

/* Idle 100 s, absolute 1000 s, with task:begin, task:user, state:write. */
struct session open_session(struct actor *actor, const char *user, const char *agent);
/* As above; permissions are given as a comma-separated list, idle in seconds. */
struct session open_session_with(struct actor *actor, const char *user, const char *agent,
                                 const char *permissions, uint64_t idle_seconds);
enum op_outcome end_session(struct actor *actor, const struct session *session);
enum op_outcome revoke_agent(struct actor *actor, const char *agent);
enum op_outcome revoke_user(struct actor *actor, const char *user);
/* ttl 0: as long as the session. */
enum op_outcome grant(struct actor *actor, const struct session *session, const char *permission,
                      uint64_t ttl_seconds);
/* Of 500 s. `target` may be NULL. */
struct task begin_task(struct actor *actor, const struct session *session, enum op_task_scope scope,
                       const struct session *target);
/* Lease in seconds; takes over the attempt and the secret when it is OK. */
enum op_outcome claim_task(struct actor *actor, struct task *task, uint64_t lease_seconds);
/* By fence into `session`, or its own when NULL. */
enum op_outcome put_fenced(struct actor *actor, const struct task *task, struct id128 session,
                           uint64_t operation);
enum op_outcome put(struct actor *actor, const struct session *session, const char *key);
enum op_outcome validate(struct actor *actor, const struct session *session);

#endif
