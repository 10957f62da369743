/* Inside jepsen/model: the state of section 2 of docs/MODEL.md, as plain growing lists.
 *
 * Nothing is ever freed: life is a predicate over what is written here, and what a sweep may have
 * dropped is decided where it shows (life.c). Index 0 of sessions and tasks is nobody.
 */
#ifndef JEPSEN_MODEL_STATE_H
#define JEPSEN_MODEL_STATE_H

#include "base/sat.h"
#include "jepsen/model/mutation.h"

enum { ATTEMPTS_KEPT = 4, WINDOW = 64 };

struct grant {
    uint32_t permission;
    uint64_t given; /* G */
    uint64_t deadline;
    bool elevated; /* by an elevation, which nothing extends */
};

struct key {
    uint32_t key;
    uint32_t value;
    uint32_t writer; /* task, 0: the session itself */
    uint64_t version;
};

/* What a revoke may be of (section 2). */
enum cover_kind { COVER_USER, COVER_AGENT, COVER_TENANT, COVER_ALL, COVER_KINDS };

/* One revoke. */
struct mark {
    uint64_t position;
    uint64_t time;
    uint64_t time_before; /* T of what was applied before it */
};

struct session {
    uint32_t id, secret, incarnation;
    bool unnamed;          /* nobody saw its creation: its id is made up */
    uint32_t older;        /* secret that an earlier try of what made the present one was given */
    uint32_t before;       /* secret that the last rotation replaced */
    bool before_counts;    /* perhaps: nobody was told that this rotation was carried out */
    uint64_t made;         /* position of that creation or rotation */
    struct mark own_first; /* its own revokes; position 0: none */
    uint64_t own_newest;
    bool rotated;
    uint64_t first_rotated; /* T; of a root: of any in its lineage */
    uint32_t tenant, user, agent, metadata;
    uint32_t parent, depth;       /* 0: it is a root; 1 */
    uint64_t floor;               /* F */
    uint32_t covers[COVER_KINDS]; /* what of its kinds it stands under */
    uint64_t epoch;               /* C */
    uint64_t created;
    uint64_t idle_time;
    uint64_t idle, absolute; /* deadlines */
    uint64_t cap;            /* no renewal goes beyond it */
    uint32_t policy;         /* name, 0: none */
    uint32_t evidence;
    uint32_t filter[OP_MAX_pattern], filter_count;    /* names; none: any resource */
    uint32_t networks[OP_MAX_network], network_count; /* names; none: anywhere */
    uint32_t fingerprint;                             /* name, 0: none */
    uint64_t ended;                                   /* position of its end on request, 0: none */
    uint64_t ended_time;
    bool compromised; /* by REUSE, which no row shows: ended at the latest then */
    struct grant *grants;
    uint32_t grant_count, grant_capacity;
    struct key *keys;
    uint32_t key_count, key_capacity;
    uint64_t state_bytes;
    uint32_t task_count;
    uint64_t *task_ends; /* deadlines of all tasks ever begun in it */
    uint32_t task_capacity;
};

/* One that a tenant defined; the newest of a name counts. */
struct policy {
    uint32_t tenant, name;
    uint64_t idle, absolute;
    uint32_t evidence; /* enum op_evidence */
};

/* One that was set or taken away; the newest of a tenant and kind counts. */
struct quota {
    uint32_t tenant, kind; /* enum op_quota */
    bool set;
    uint64_t value;
};

struct attempt {
    uint64_t position; /* A */
    uint32_t secret;
    uint32_t older; /* as a session's */
};

/* A (task, n) that was applied. */
struct done {
    uint64_t n;
    uint64_t digest;
    uint64_t version; /* of a write: its position; of a sub-task: where it began */
    uint64_t time;
    uint32_t object;  /* the session written, the task begun */
    uint32_t session; /* of a sub-task: its parent's then, which an adoption may change */
};

struct task {
    uint32_t id, incarnation, session, parent, tenant, user, agent, kind, depth;
    bool unnamed;  /* nobody saw its beginning: its id is made up */
    bool outlives; /* scope user */
    bool claimed;
    bool adopted;    /* and not claimed since */
    uint32_t closed; /* enum op_task_status once somebody closed it; life_closed has what it is */
    uint64_t begun, epoch, deadline, lease; /* B, E, and two points in time */
    uint32_t worker;                        /* certificate's name */
    struct id128 instance;
    struct attempt attempts[ATTEMPTS_KEPT]; /* newest first */
    struct grant *pairs;                    /* (permission, G); deadlines are the session's */
    uint32_t pair_count, pair_capacity;
    uint32_t *targets;
    uint32_t target_count, target_capacity;
    uint32_t *left; /* roots of the lineages that it was adopted away from */
    uint32_t left_count, left_capacity;
    struct done *done;
    uint32_t done_count, done_capacity;
    uint64_t newest;
};

/* One user, agent or tenant that may be revoked, or all; and the revokes of it. */
struct cover {
    enum cover_kind kind;
    uint32_t tenant;
    struct mark *marks;
    uint32_t mark_count, mark_capacity;
    uint32_t kept;     /* at most so many of them take room */
    uint32_t fresh;    /* sessions created since the newest */
    bool newest_alone; /* nobody was created between the newest and the one before */
};

/* A request number and what it was answered. */
struct record {
    uint64_t number;
    uint64_t digest;
    uint64_t position;
    uint64_t time;
    enum op_outcome outcome;
    bool bare; /* OK, and it has made no secret, though such requests do */
};

struct client {
    uint64_t id;
    uint32_t tenant, certificate;
    uint64_t heard;         /* T */
    struct record *records; /* by number */
    uint32_t count, capacity;
};

struct model {
    struct names *names;
    struct op_limits limits;
    enum model_mutation mutation;
    uint64_t position, time;
    uint64_t writes;
    struct session *sessions;
    uint32_t session_count, session_capacity;
    struct task *tasks;
    uint32_t task_count, task_capacity;
    struct cover *covers; /* the first is nobody */
    uint32_t cover_count, cover_capacity;
    uint32_t *cover_of; /* by the number of the name that tells it from others */
    uint32_t cover_of_end;
    struct client *clients;
    uint32_t client_count, client_capacity;
    struct policy *policies;
    uint32_t policy_count, policy_capacity;
    struct quota *quotas;
    uint32_t quota_count, quota_capacity;
    /* by the number of an id: what object it names */
    uint32_t *session_of, *task_of;
    uint32_t session_of_end, task_of_end;
};

/* What an operation's caller and request come to. */
struct ask {
    const struct model_op *op;
    uint64_t time;
    uint32_t tenant, user, certificate;
};

uint32_t state_name(struct model *model, struct bytes text);
uint32_t state_id(struct model *model, struct id128 id);
/* Nobody knew the id of that session or task: this is it. */
void state_session_name(struct model *model, struct session *session, struct id128 id);
void state_task_name(struct model *model, struct task *task, struct id128 id);
/* The id of that number. */
struct id128 state_id_of(const struct model *model, uint32_t number);
uint32_t state_secret(struct model *model, const struct op_token *token);

/* 0 when nobody has that id. */
uint32_t state_session_of(struct model *model, struct id128 id);
uint32_t state_task_of(struct model *model, struct id128 id);
/* New, zeroed, found by its id from now on. */
struct session *state_session_add(struct model *model, struct id128 id);
struct task *state_task_add(struct model *model, struct id128 id);
struct client *state_client_of(struct model *model, uint64_t id);
struct client *state_client_add(struct model *model, uint64_t id);
/* NULL when that number has none. */
struct record *state_record(struct client *client, uint64_t number);
void state_record_add(struct client *client, struct record record);
/* The cover of this kind; `name` is looked at for a user or an agent. 0 when there is none. */
uint32_t state_cover_of(struct model *model, enum cover_kind kind, uint32_t tenant, uint32_t name);
/* Made when there is none. */
uint32_t state_cover(struct model *model, enum cover_kind kind, uint32_t tenant, uint32_t name);
void state_mark_add(struct model *model, uint32_t cover, struct mark mark);
struct key *state_key(struct session *session, uint32_t key);
struct grant *state_grant(struct session *session, uint32_t permission);
struct done *state_done(struct task *task, uint64_t n);
void state_done_add(struct task *task, struct done done);

/* ---- life.c ---- */

/* 0 when it is alive at T, otherwise why not (enum op_end_cause); `ret_also`: other causes that
 * the log may have shown first, as bits. */
uint32_t life_of(struct model *model, const struct session *session, uint64_t time,
                 uint64_t *ret_also);
bool life_passed(const struct model *model, uint64_t deadline, uint64_t time);
/* From when on a REUSE may have ended it, which no row shows; OP_INFINITE: never. */
uint64_t life_reuse_time(const struct model *model, const struct session *session);
/* May it be forgotten at T, tombstone and all? */
bool life_forgotten(struct model *model, const struct session *session, uint64_t time);
/* Does a watermark lie above `position` that covers a session of these? */
bool life_login_revoked(struct model *model, uint32_t tenant, uint32_t user, uint32_t agent,
                        uint64_t position);
/* May there be no room for a revoke of this cover (0: nobody stood under it yet)? (section 10) */
bool life_marks_full(struct model *model, enum cover_kind kind, uint32_t tenant, uint32_t cover,
                     uint64_t time);
/* May the tenant's auth floor lie above `position` by now? */
bool life_auth_floor(const struct model *model, uint32_t tenant, uint64_t position, uint64_t time);
/* The session without parent that is itself, or above it. */
uint32_t life_root(const struct model *model, uint32_t session);
/* Do all sessions above hold this very pair? */
bool life_held_above(const struct model *model, const struct session *session,
                     const struct grant *grant);
/* The position of the newest watermark over this session or one above it, 0: none. */
uint64_t life_watermark(const struct model *model, const struct session *session);
/* The grant of `permission` that this session holds at T, or NULL. */
const struct grant *life_holds(struct model *model, const struct session *session,
                               uint32_t permission, uint64_t time);
/* Is the task DONE, FAILED or CANCELLED (enum op_task_status), or 0? */
uint32_t life_closed(const struct model *model, const struct task *task);
/* Does the task's copy (permission, G) hold at T? NULL when it has none. */
const struct grant *life_copy(struct model *model, const struct task *task, uint32_t permission,
                              uint64_t time);

/* ---- fence.c ---- */

/* Which of W1–W8 refuse (bit n is Wn). `target` 0: the operation acts on the task itself. `needs`
 * 0: none. */
uint64_t fence_failed(struct model *model, const struct task *task, const struct op_token *token,
                      uint32_t target, uint32_t needs, uint64_t time);
/* Of the bits that failed, the one that is reported. */
uint64_t fence_headline(uint64_t failed);
/* Is this a token of the task that the task still knows (docs/MODEL.md section 5, order (2))? */
bool fence_known(struct model *model, const struct task *task, const struct op_token *token);

#endif
