/* Inside jepsen/check: what the answers of a history said of sessions, tasks and revokes.
 *
 * For the sweeps: no replay, no state, only what was told to somebody.
 */
#ifndef JEPSEN_CHECK_FACTS_H
#define JEPSEN_CHECK_FACTS_H

#include "jepsen/check/order.h"

/* Deadlines in T that an answer gave a session: at its creation, and whenever they moved. */
struct fact_deadlines {
    uint32_t row;
    uint64_t idle, absolute;
};

/* A session, by its creation's answer. */
struct fact_session {
    uint32_t row; /* of the creation */
    uint32_t tenant, user, agent;
    uint32_t parent; /* index, 0: none */
    uint64_t epoch;
    uint32_t revoke_row; /* of its own first revoke, or UINT32_MAX */
    bool compromised;    /* somebody was told so; REUSE is no row */
    bool unsure;         /* a command of unknown outcome may have moved its deadlines */
    uint32_t *taken;     /* rows of revokes of its grants */
    uint32_t taken_count, taken_capacity;
    uint32_t *raised; /* rows of its elevations */
    uint32_t raised_count, raised_capacity;
    struct fact_deadlines *moves; /* by position */
    uint32_t move_count, move_capacity;
};

struct fact_claim {
    uint64_t attempt;
    uint32_t row;
};

struct fact_task {
    uint32_t row, session; /* own session's index */
    uint64_t epoch;
    bool outlives;
    bool unsure; /* an adoption of unknown outcome: session and epoch may be others */
    struct fact_claim *claims;
    uint32_t claim_count, claim_capacity;
    uint32_t closed; /* row that says so; 0: none (no task is closed in the first row) */
};

/* What a revoke is of, but for one session. */
enum fact_kind { FACT_USER, FACT_AGENT, FACT_TENANT, FACT_ALL, FACT_KINDS };

struct fact_revoke {
    uint32_t tenant, row; /* tenant 0: of all */
};

struct fact_revokes {
    struct fact_revoke *items; /* by position */
    uint32_t count, capacity;
};

/* Those of one kind, by the number of the name. */
struct fact_names {
    struct fact_revokes *names;
    uint32_t end;
};

struct facts {
    const struct history *history;
    struct fact_session *sessions; /* index 0: not known */
    uint32_t session_count, session_capacity;
    struct fact_task *tasks;
    uint32_t task_count, task_capacity;
    uint32_t *session_of, *task_of; /* by the number of the id */
    uint32_t session_of_end, task_of_end;
    struct fact_names revokes[FACT_KINDS];
};

/* Is this a revoke of whoever has a name, of a tenant, or of all? Then of what kind, and for a user
 * or an agent which name. */
bool facts_is_revoke(const struct history *history, const struct event *event,
                     const union op_request *request, enum fact_kind *ret_kind, uint32_t *ret_name);
/* The name by which revokes of that kind cover this session; 0: the kind has none. */
uint32_t facts_covered(const struct fact_session *session, enum fact_kind kind);

void facts_init(struct facts *facts, const struct history *history, const struct order *order);
void facts_done(struct facts *facts);
uint32_t facts_session(const struct facts *facts, struct id128 id);
uint32_t facts_task(const struct facts *facts, struct id128 id);
/* The root of a session's lineage. */
uint32_t facts_root(const struct facts *facts, uint32_t session);
/* The deadlines that hold for this answer: the last that were given at a position before its own,
 * or at it for a read. They may lie later when the session is `unsure`. */
const struct fact_deadlines *facts_deadlines(const struct facts *facts, uint32_t session,
                                             const struct event *event);
/* The first revoke over this session whose position lies above `epoch`, or UINT32_MAX; only those
 * that had returned before `call_ns`. */
uint32_t facts_revoke(const struct facts *facts, const struct fact_session *session, uint64_t epoch,
                      uint64_t call_ns);
/* The session that a call is about (index), and the task whose fence it shows; 0: none. */
void facts_objects(const struct facts *facts, const struct event *event,
                   const union op_request *request, uint32_t *ret_session, uint32_t *ret_task,
                   const struct op_token **ret_fence);

#endif
