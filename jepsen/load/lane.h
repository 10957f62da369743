/* Lanes: strands of calls that read like a story. A workload is a function that is called in many
 * lanes at once; a call in it returns when its answer has come.
 *
 * All lanes of a process run on one thread, one at a time, each on a stack of its own; they change
 * at calls and pauses alone. What a lane waits for beyond the end of the run never returns, so a
 * round must hold nothing that has to be given back.
 */
#ifndef JEPSEN_LOAD_LANE_H
#define JEPSEN_LOAD_LANE_H

#include "op/op.h"
#include <tenure.h>

enum { LANE_TOKEN = 256, LANE_NAME = 64, LANE_KEYS = 4 };

#define LANE_SECOND UINT64_C(1000000)
#define LANE_HOUR UINT64_C(3600000000)

struct lane;

/* A session that somebody holds. */
struct lane_session {
    char user[LANE_NAME];
    char token[LANE_TOKEN];
    struct tenure_id id;
    uint64_t epoch;
};

/* Makes a call, at the pace of the run, and waits for its end. The result and the reply (NULL
 * unless it is done) stay until the lane's next call or pause; `request` is borrowed until then. */
const struct tenure_result *lane_call(struct lane *lane, enum op_number number,
                                      const void *request);
const void *lane_reply(const struct lane *lane);
/* The same without waiting, at once; nobody is told of the answer but the history. */
void lane_start(struct lane *lane, enum op_number number, const void *request);
/* Waits until what was started has ended. */
void lane_join(struct lane *lane);
void lane_pause(struct lane *lane, uint64_t us);

uint64_t lane_random(struct lane *lane, uint64_t below);
bool lane_chance(struct lane *lane, unsigned percent);
/* Which lane of the run this is: its names are unlike those of the others. */
uint32_t lane_index(const struct lane *lane);
/* Counts up, from 1. */
uint32_t lane_count(struct lane *lane);
/* Whose connection is used from now on: of a client that follows the leader (in some rounds one
 * that gives up early: what it asked may stay unknown), of one that stays with a node (drawn), of
 * an operator. */
void lane_follow(struct lane *lane);
void lane_stay(struct lane *lane);
void lane_operate(struct lane *lane);
/* Whose connection is used now: it breaks, at this end. What is under way on it, of all lanes that
 * use it too, may have happened, and is asked again under its number. */
void lane_break(struct lane *lane);

/* ---- what most workloads do ---- */

/* "NAME-LANE-N" */
void lane_user(struct lane *lane, const char *name, char ret_user[LANE_NAME]);
/* With the permissions to write, to begin tasks of both scopes, and to adopt. False: it was
 * refused, or told without its secret. */
bool lane_open(struct lane *lane, const char *user, uint64_t idle_us, uint64_t absolute_us,
               struct lane_session *ret_session);
/* Takes a reply's token; false when there is none. */
bool lane_take_token(char to[LANE_TOKEN], bool has, struct tenure_bytes token);
/* A value that is written once. `key`: below LANE_KEYS. */
enum tenure_outcome lane_put(struct lane *lane, const struct lane_session *session, unsigned key);
enum tenure_outcome lane_put_fenced(struct lane *lane, const char *user, const char *fence,
                                    struct tenure_id session, uint64_t operation, unsigned key);
enum tenure_outcome lane_get(struct lane *lane, const struct lane_session *session, unsigned key);
/* session_validate, session_touch, session_end, session_get, grant_list: user and token. */
enum tenure_outcome lane_ask(struct lane *lane, const struct lane_session *session,
                             enum op_number number);
void lane_ask_start(struct lane *lane, const struct lane_session *session, enum op_number number);
bool lane_begin_task(struct lane *lane, const struct lane_session *session,
                     enum tenure_task_scope scope, uint64_t ttl_us, struct tenure_id *ret_task);

/* ---- workers: processes of their own ---- */

uint32_t lane_workers(const struct lane *lane);
/* Gives a worker an order: the workload's `work` gets it there, in a lane that is free. At most 120
 * bytes, no line feeds. What finds no free lane is lost. */
void lane_order(struct lane *lane, uint32_t worker, const char *workload, const char *order);
/* Stands still from now on, with whatever it has in flight; false: it does already. */
bool lane_freeze(struct lane *lane, uint32_t worker);
void lane_thaw(struct lane *lane, uint32_t worker);

/* ---- the table ---- */

struct workload {
    const char *name;
    const char *help;
    const char *least; /* V1, for each minute: "fenced=5,revokes=1" of tenure-check's counters */
    /* One round; called again when it returns. NULL: of workers alone. */
    void (*round)(struct lane *lane);
    void (*work)(struct lane *lane, const char *order); /* in a worker; NULL: it has none */
};

#endif
