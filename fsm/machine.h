/* Inside of the FSM: the machine, the context of one command or read, and what the law's files ask
 * of one another. Not for other folders (tests look at the counters).
 */
#ifndef FSM_MACHINE_H
#define FSM_MACHINE_H

#include "fsm/chain.h"
#include "fsm/deadline.h"
#include "fsm/fsm.h"
#include "fsm/index.h"
#include "fsm/name.h"
#include "fsm/records.h"
#include "fsm/sorted.h"

enum fsm_index {
    INDEX_TENANT,      /* by name */
    INDEX_COVER,       /* by (kind, tenant, name), none where the kind has none */
    INDEX_SESSION,     /* by selector */
    INDEX_TOMBSTONE,   /* by selector */
    INDEX_TASK,        /* by id */
    INDEX_KEY,         /* by (session, key) */
    INDEX_CLIENT,      /* by position */
    INDEX_REQUEST,     /* by (client, number) */
    INDEX_OPERATION,   /* by (task, number) */
    INDEX_CERTIFICATE, /* by (tenant, name) */
    INDEX_EVENT,       /* by (tenant, number) */
    INDEX_DENIAL,      /* by the texts of tenant, certificate and user */
    FSM_INDEXES,
};

/* Heaps, each over one table. The first two are the sweep's work whatever the time is; those from
 * HEAP_SESSION on are deadlines. */
enum fsm_heap {
    HEAP_REVOKED,  /* covers with a session below a watermark, by that watermark's position */
    HEAP_ENDED,    /* ended sessions, by position of their end */
    HEAP_CROWDED,  /* tenants with tombstones in their list, the longest list first */
    HEAP_EVENTFUL, /* tenants, the one that keeps most events first */
    HEAP_SESSION,  /* sessions, by their next deadline */
    HEAP_TASK,     /* tasks, by the time at which they are forgotten */
    HEAP_TOMBSTONE,
    HEAP_CLIENT,
    HEAP_WATERMARK, /* watermarks with nothing below, by the time at which they may go */
    HEAP_DENIAL,    /* denials, by the time at which none of them counts any more */
    FSM_HEAPS,
};

/* Sorted sets: what lists go through. */
enum fsm_sorted {
    SORTED_KEYS,     /* of a session, by their bytes */
    SORTED_SESSIONS, /* of a user, by C */
    SORTED_TASKS,    /* of a user, by B */
    SORTED_OWN,      /* the same, by own session and then by B */
    FSM_SORTED,
};

/* What a test of the constant path reads. */
struct fsm_counters {
    uint64_t lookups;     /* of sessions and tasks by id */
    uint64_t comparisons; /* of verifiers */
    uint64_t replies;     /* bodies built */
};

enum { FSM_RESULT_MAX = 512, FSM_RESULT_BLOCKS = 3, FSM_OPERATION_WINDOW = 64 };

struct fsm {
    struct op_limits limits;
    struct siphash_key key;
    struct id128 incarnation;
    uint64_t level_max; /* what this node knows */
    struct store *store;
    struct table *tables[FSM_TABLES];
    struct index *indexes[FSM_INDEXES];
    struct deadlines *heaps[FSM_HEAPS];
    struct sorted *sorted[FSM_SORTED];
    struct names *names;
    struct fsm_counters counters;
    fsm_ended_cb on_ended; /* NULL: nobody counts */
    void *on_ended_arg;
    const char *restore_error;
    union op_request request; /* decoded from the command that is being applied */
    union op_reply reply;
    struct op_details details;
    uint8_t body[FSM_RESULT_MAX];
    uint8_t value[64 * 1024]; /* what a reply's long fields point into */
};

/* One command or one read. */
struct fsm_context {
    struct fsm *fsm;
    const struct op_caller *caller;
    const struct op_row *row;
    const struct op_command *command; /* NULL in a read */
    uint64_t position;                /* the command's own, or the one that a read is answered at */
    uint64_t now;                     /* T */
    uint64_t clock;                   /* c of T6; equal to `now` in a command */
    bool undecided;                   /* a deadline lies in (now, clock] */
    uint32_t tenant;                  /* the caller's, or SLOT_NONE */
    uint32_t client;                  /* slot, or SLOT_NONE */
    struct op_details *details;
    /* -- set by handlers -- */
    bool writes;             /* in a read of OP_EITHER: it has something to write */
    struct id128 minted;     /* the object whose secret this command minted; zero for none */
    uint32_t operation_task; /* operation (task, number) that this command carries out */
    uint64_t operation_number;
    bool first; /* `answer` is the result of an earlier command */
    struct fsm_reply answer;
};

/* ---- dispatch: one handler per row of OP_TABLE, declared and called from the table alone ---- */
#define FSM_HANDLER_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)       \
    enum op_outcome fsm_do_##name(struct fsm_context *ctx,                                         \
                                  const struct op_##name##_request *request,                       \
                                  struct op_##name##_reply *reply);
OP_TABLE(FSM_HANDLER_)
#undef FSM_HANDLER_

/* Checks the role, then calls the row's handler. The reply must be zeroed. */
enum op_outcome fsm_dispatch(struct fsm_context *ctx, const union op_request *request,
                             union op_reply *reply);

/* ---- refusals (refuse.c) ---- */
enum op_outcome fsm_refuse_field(struct fsm_context *ctx, const char *field);
enum op_outcome fsm_refuse_permission(struct fsm_context *ctx, struct bytes permission);
enum op_outcome fsm_refuse_resource(struct fsm_context *ctx, const char *field);
enum op_outcome fsm_refuse_binding(struct fsm_context *ctx, const char *field);
/* LIMIT, or SWEEPING while the sweep has work. */
enum op_outcome fsm_refuse_full(struct fsm_context *ctx, const char *limit);
/* OK when `need` more records fit into the table; otherwise as fsm_refuse_full. Of blocks, what
 * results may need stays reserved. */
enum op_outcome fsm_room(struct fsm_context *ctx, enum fsm_table table, uint32_t need);
/* OK when this command's result can be remembered. What takes away has a part of its own. */
enum op_outcome fsm_result_room(struct fsm_context *ctx);
/* 1 when the text is not interned yet. */
uint32_t fsm_name_missing(const struct fsm *fsm, struct bytes text);

/* ---- life.c ---- */

/* A session, swept or not. Views into tables: until its next change. */
struct fsm_session {
    const struct session_head *head;     /* NULL: none */
    const struct session_record *record; /* NULL: it is a tombstone */
    const struct tombstone_record *stone;
    uint32_t slot;
};

struct fsm_end {
    bool ended;
    enum op_end_cause cause;
    uint64_t time;     /* T at which it ended */
    uint64_t position; /* of the command that ended it; 0: a deadline did */
};

bool fsm_deadline_passed(struct fsm_context *ctx, uint64_t deadline);
/* How the session ended, whether it was swept or not; the earliest cause in log order. */
struct fsm_end fsm_session_end_of(struct fsm_context *ctx, const struct fsm_session *session);
bool fsm_alive(struct fsm_context *ctx, const struct fsm_session *session);
/* The T at which the tombstone of a session that ended at `end_time` is forgotten. */
uint64_t fsm_forgotten_time(const struct fsm *fsm, const struct session_head *head,
                            uint64_t end_time);
/* What a task is: as it was written, or CANCELLED by what became of a task above it. */
enum task_status fsm_task_status_of(const struct fsm *fsm, const struct task_record *task);
/* The T at which a task is forgotten. */
uint64_t fsm_task_forgotten_time(const struct fsm *fsm, const struct task_record *task);
/* OK, ENDED or EXPIRED, with the cause in the details. */
enum op_outcome fsm_refuse_dead(struct fsm_context *ctx, const struct fsm_session *session);

/* OK, or CLOSED_TASK with the status in the details. */
enum op_outcome fsm_refuse_closed(struct fsm_context *ctx, const struct task_record *task);

/* ---- lookup.c: the one path of section 4 ---- */

struct fsm_task {
    uint32_t slot;
    const struct task_record *record; /* NULL: none */
    struct fsm_session own;
    bool newest; /* the secret presented is the newest attempt's */
};

/* Without any check of who asks: for links inside the state. */
struct fsm_session fsm_session_of(const struct fsm *fsm, struct id128 selector);
uint32_t fsm_task_of(const struct fsm *fsm, struct id128 id);
/* OK or NOT_FOUND: a session that this caller's `user` owns, by token. */
enum op_outcome fsm_find_session(struct fsm_context *ctx, struct bytes user,
                                 const struct op_token *token, struct fsm_session *ret_session);
/* As above by id alone: for a session that a task writes into (W2). */
enum op_outcome fsm_find_target(struct fsm_context *ctx, struct bytes user, struct id128 selector,
                                struct fsm_session *ret_session);
/* OK or NOT_FOUND: a task of this user, by fence: any of its last four verifiers. */
enum op_outcome fsm_find_fence(struct fsm_context *ctx, struct bytes user,
                               const struct op_token *token, struct fsm_task *ret_task);
/* Both: the task by its fence, and the session that it means, its own when `session` is NULL. Both
 * lookups are made, whatever the first says. */
enum op_outcome fsm_find_fenced(struct fsm_context *ctx, struct bytes user,
                                const struct op_token *fence, const struct id128 *session,
                                struct fsm_task *ret_task, struct fsm_session *ret_target);
/* As above by id alone: for a claim. */
enum op_outcome fsm_find_task(struct fsm_context *ctx, struct bytes user, struct id128 id,
                              struct fsm_task *ret_task);
/* Mutable head of a session, swept or not. */
struct session_head *fsm_head_write(struct fsm *fsm, const struct fsm_session *session);

/* ---- policy.c ---- */
struct fsm_policy {
    uint64_t idle, absolute; /* the longest that sessions under it may ask for */
    uint32_t evidence;       /* the least that has to be shown, enum op_evidence */
};

/* A policy built in, or the tenant's; false when there is none of that name. */
bool fsm_policy_of(const struct fsm_context *ctx, struct bytes name, struct fsm_policy *ret_policy);

/* ---- quota.c ---- */
/* OK when `used` + `more` is within the caller's tenant's quota (enum op_quota), or nothing more is
 * asked for; otherwise SWEEPING, or QUOTA with its name. */
enum op_outcome fsm_quota_room(struct fsm_context *ctx, uint32_t quota, uint64_t used,
                               uint64_t more);
/* For one session more of this user, one task more of this session, one client more, and the bytes
 * of this session's state to become so many. */
enum op_outcome fsm_quota_session(struct fsm_context *ctx, struct bytes user);
enum op_outcome fsm_quota_task(struct fsm_context *ctx, const struct session_head *own);
enum op_outcome fsm_quota_client(struct fsm_context *ctx);
enum op_outcome fsm_quota_bytes(struct fsm_context *ctx, const struct session_record *session,
                                uint64_t bytes);

/* ---- rotate.c ---- */
/* Carries REUSE out: ends the lineage of a session whose replaced secret was used again. */
void fsm_reuse(struct fsm_context *ctx);
/* Blocks that the older verifiers of a session take. */
uint32_t fsm_older_blocks(const struct session_record *session);
/* Blocks that a rotation may take. */
uint32_t fsm_rotation_blocks(void);
/* The session's secret is the one that this command minted; the one before is kept as replaced. The
 * caller has counted the blocks. Returns the record, mutable to the end of the command. */
struct session_record *fsm_rotate_secret(struct fsm_context *ctx, uint32_t slot);
/* OK, or why what is shown is too little for the policy of that name, which there has to be. */
enum op_outcome fsm_policy_admit(struct fsm_context *ctx, struct bytes name, bool shown,
                                 uint32_t evidence, struct fsm_policy *ret_policy);

/* ---- task_list.c ---- */
/* A task takes its place in the lists of its user, and leaves it: when it begins, when it is about
 * to be forgotten, before and after its own session changes. */
void fsm_task_list(struct fsm *fsm, const struct fsm_session *own, uint32_t slot);
void fsm_task_unlist(struct fsm *fsm, const struct fsm_session *own, uint32_t slot);

/* ---- session_list.c ---- */
/* A page looks at no more than so many records: what is dead and not yet swept counts too. */
enum { FSM_PAGE_RECORDS = 1024 };
/* What a list shows of a session; its texts are the names'. */
void fsm_session_line(const struct fsm_context *ctx, const struct session_record *session,
                      struct op_item_listed_session *ret_item);

/* ---- state.c ---- */
/* Who reads the state of which session. */
struct fsm_state_reader {
    struct bytes user;
    const struct op_token *token; /* NULL: none */
    const struct op_token *fence; /* NULL: none */
    const struct id128 *session;  /* NULL: none */
};
/* A pointer to an optional field, or NULL. */
#define FSM_GIVEN(request, field) ((request)->has_##field ? &(request)->field : NULL)
/* OK, with the session, which is alive; or why it may not be read. */
enum op_outcome fsm_state_readable(struct fsm_context *ctx, const struct fsm_state_reader *reader,
                                   struct fsm_session *ret_session);
/* The bytes of a session's state count no more: its keys were swept. */
void fsm_state_gone(struct fsm *fsm, uint32_t session);
/* The text of a key, copied into `buffer`. */
enum { FSM_KEY_MAX = 256 };
struct bytes fsm_key_text(const struct fsm *fsm, const struct key_record *key,
                          uint8_t buffer[FSM_KEY_MAX]);

/* ---- grant.c ---- */
struct fsm_grant {
    uint32_t permission; /* name */
    bool elevated;       /* given by an elevation: nothing extends it */
    uint64_t given;      /* G */
    uint64_t deadline;   /* OP_INFINITE for none */
};
struct fsm_grants {
    uint32_t count;
    struct fsm_grant list[OP_MAX_grant];
};

enum { FSM_GRANT_BYTES = 20 };
/* Lists of pairs in chains; each pair in a chain counts one use of its permission's name. */
void fsm_grants_read(const struct fsm *fsm, uint32_t chain, uint32_t count,
                     struct fsm_grants *ret_grants);
uint32_t fsm_grants_write(struct fsm *fsm, const struct fsm_grants *grants);
void fsm_grants_free(struct fsm *fsm, uint32_t chain, uint32_t count);
uint32_t fsm_grants_blocks(uint32_t count);
const struct fsm_grant *fsm_grants_find(const struct fsm_grants *grants, uint32_t permission);

/* All that the session's record or its tombstone keeps, lapsed or not. */
void fsm_session_grants(const struct fsm *fsm, const struct fsm_session *session,
                        struct fsm_grants *ret_grants);
/* What still holds: of a live session all with a deadline to come; of a dead one those without. */
void fsm_grants_held(struct fsm_context *ctx, const struct fsm_session *session,
                     struct fsm_grants *ret_grants);
bool fsm_session_holds(struct fsm_context *ctx, const struct fsm_session *session,
                       struct bytes permission, struct fsm_grant *ret_grant);
/* Does every session above hold the same pair? */
bool fsm_held_above(const struct fsm *fsm, const struct fsm_session *session,
                    const struct fsm_grant *grant);
/* The pairs of a task that still hold (W7, its half about the own session). */
void fsm_task_grants(struct fsm_context *ctx, const struct fsm_task *task,
                     struct fsm_grants *ret_grants);
/* OK when so many pairs may be a session's, and names and blocks for them are there. */
enum op_outcome fsm_grants_room(struct fsm_context *ctx, uint32_t names, uint32_t count,
                                uint32_t more_blocks);
/* Replaces a session's grants; the names are counted here. */
void fsm_session_grants_set(struct fsm *fsm, uint32_t slot, const struct fsm_grants *grants);

/* ---- child.c ---- */
/* What a session takes over from the one that it is opened below. */
struct fsm_descent {
    struct fsm_session parent; /* no head: it is a root */
    struct fsm_grants held;    /* by whoever opens it */
    uint64_t floor;            /* F */
};
/* OK for a root too. Sets ctx->first when a task asks again. */
enum op_outcome fsm_child_ask(struct fsm_context *ctx,
                              const struct op_session_create_request *request,
                              struct fsm_descent *descent);

/* ---- filter.c ---- */
/* As it is stored: each pattern a short text. No bytes: any resource. */
struct fsm_filter {
    uint32_t size;
    uint8_t image[OP_MAX_pattern * (2 + OP_RESOURCE_MAX)];
};

bool fsm_resource_valid(struct bytes resource);
/* Has the request patterns only, and at least one if it has any? */
bool fsm_filter_valid(const struct op_session_create_request *request);
/* OK with the filter of a session that is opened below `parent` (no head: below none), or
 * OUT_OF_SCOPE when it would reach more than that. */
enum op_outcome fsm_filter_ask(struct fsm_context *ctx,
                               const struct op_session_create_request *request,
                               const struct fsm_session *parent, struct fsm_filter *ret_filter);
/* Of a session, or of its tombstone while that has tasks. */
void fsm_session_filter(const struct fsm *fsm, const struct fsm_session *session,
                        struct fsm_filter *ret_filter);
/* OK, or OUT_OF_SCOPE: also when there is a filter and no resource (NULL). */
enum op_outcome fsm_filter_reaches(struct fsm_context *ctx, const struct fsm_session *session,
                                   const struct bytes *resource);
/* The patterns, their texts in `buffer`, which has room for a filter's image. Returns how many. */
uint32_t fsm_filter_list(struct fsm *fsm, const struct fsm_session *session, uint8_t *buffer,
                         struct op_item_pattern *ret_patterns);

/* ---- network.c ---- */
/* As it is stored: the fingerprint and each network, as short texts. No bytes: not bound. */
struct fsm_binding {
    uint32_t size;
    uint8_t image[2 + OP_FINGERPRINT_MAX + OP_MAX_network * (2 + OP_NETWORK_MAX)];
};

bool fsm_address_valid(struct bytes address);
/* Has the request networks only, and at least one if it has any? */
bool fsm_networks_valid(const struct op_session_create_request *request);
/* OK with the binding of a session that is opened below `parent` (no head: below none), or
 * BOUND_ELSEWHERE when it would be wider than that. */
enum op_outcome fsm_binding_ask(struct fsm_context *ctx,
                                const struct op_session_create_request *request,
                                const struct fsm_session *parent, struct fsm_binding *ret_binding);
/* OK, or BOUND_ELSEWHERE: also when something is asked for and not said (NULL). Of a living one. */
enum op_outcome fsm_binding_admits(struct fsm_context *ctx, const struct fsm_session *session,
                                   const struct bytes *address, const struct bytes *fingerprint);
/* Fingerprint (none: empty) and networks, their bytes in `buffer`, which has room for an image.
 * Returns how many networks. */
uint32_t fsm_binding_list(struct fsm *fsm, const struct session_record *session, uint8_t *buffer,
                          struct bytes *ret_fingerprint, struct op_item_network *ret_networks);

/* ---- fence.c ---- */
#define FENCE_RULE(number) (1u << (number))

struct fence_question {
    const struct fsm_task *task;
    const struct op_token *token;     /* NULL: a claim, which has no attempt yet */
    const struct fsm_session *target; /* the own session for what acts on the task */
    bool on_task;                     /* acts on the task: of W3 only the second half, W5 is met */
    const char *permission;           /* "" meets W7 */
};
/* OK, or FENCED with mask, headline and epochs in the details. W1 to W8, all evaluated. */
enum op_outcome fsm_fence(struct fsm_context *ctx, const struct fence_question *question);

/* W6: has a revoke after E reached what the task stands under? */
bool fsm_task_revoked(const struct fsm *fsm, const struct fsm_task *task);

/* ---- lineage.c: what a task keeps of the sessions that it stands under ---- */
/* Its parent, swept or not; none for a root. */
struct fsm_session fsm_parent_of(const struct fsm *fsm, const struct fsm_session *session);
/* The session that has no parent: itself, or above it. */
struct fsm_session fsm_root_of(const struct fsm *fsm, const struct fsm_session *session);
/* A task more of this session, whose tombstone is kept until then. */
void fsm_task_pin(struct fsm *fsm, struct id128 own, uint64_t until);
/* OK when that is possible. Blocks that it may take are asked for apart. */
enum op_outcome fsm_pin_room(struct fsm_context *ctx, const struct fsm_session *own);
uint32_t fsm_pin_blocks(const struct fsm_session *own);
/* The parent's list of children that are not swept yet. */
void fsm_child_link(struct fsm *fsm, uint32_t parent, uint32_t child);
void fsm_child_unlink(struct fsm *fsm, uint32_t child);
void fsm_task_unpin(struct fsm *fsm, struct id128 own);
/* Blocks that this frees now: of tombstones that no other task needs. */
uint32_t fsm_unpin_blocks(const struct fsm *fsm, const struct fsm_session *own);
/* OK when the task may leave its lineage for this session's: it remembers so many. */
enum op_outcome fsm_lineage_room(struct fsm_context *ctx, const struct fsm_task *task,
                                 const struct fsm_session *adopter);
/* Remembers the lineage of `own`, unless the adopter's is the same. */
void fsm_lineage_leave(struct fsm *fsm, struct task_record *task, const struct fsm_session *own,
                       const struct fsm_session *adopter);
/* Was one that it left revoked after `epoch`? */
bool fsm_lineage_revoked(const struct fsm *fsm, const struct task_record *task);
void fsm_lineages_free(struct fsm *fsm, const struct task_record *task);

/* ---- task.c, claim.c ---- */
/* OPEN: nobody owns it, and no secret opens it; the caller has counted the blocks. */
void fsm_task_disown(struct fsm *fsm, struct task_record *task);

/* ---- window.c: W9 ---- */
/* OK: new; what it answers will be remembered (the caller checks for room in FSM_OPERATIONS). Sets
 * ctx->first with the first result when it is known (the outcome returned is that result's). */
enum op_outcome fsm_window_admit(struct fsm_context *ctx, const struct fsm_task *task,
                                 uint64_t number);
/* Remembers ctx->answer as the result of ctx->operation_…. */
void fsm_window_record(struct fsm_context *ctx);
void fsm_window_free(struct fsm *fsm, uint32_t task);

/* ---- dedupe.c ---- */
/* True when the command is answered without its handler: outcome, and perhaps ctx->first. */
bool fsm_dedupe_answer(struct fsm_context *ctx, enum op_outcome *ret_outcome);
/* Remembers ctx->answer as the result of this request, unless its class is RETRY or UNKNOWN. */
void fsm_dedupe_record(struct fsm_context *ctx);
/* Is this the first try of a number that its client may use now and has not used? */
bool fsm_dedupe_fresh(struct fsm *fsm, const struct op_command *command);
void fsm_dedupe_free(struct fsm *fsm, uint32_t client, uint64_t from, uint64_t count);
uint32_t fsm_request_of(const struct fsm *fsm, uint32_t client, uint64_t number);
/* Copies a result into ctx->answer and sets ctx->first. */
void fsm_result_take(struct fsm_context *ctx, const struct result_head *result);
void fsm_result_keep(struct fsm_context *ctx, struct result_head *result, uint32_t of);

/* ---- client.c ---- */
/* The client of this certificate, not silent for too long, or SLOT_NONE. */
uint32_t fsm_client_of(struct fsm *fsm, uint64_t now, const struct op_caller *caller,
                       uint64_t position);
uint32_t fsm_tenant_of(const struct fsm *fsm, struct bytes name);
void fsm_client_drop(struct fsm *fsm, uint32_t slot);

/* ---- cover.c: watermarks ---- */
/* Has a cover of this kind a name, of a user or an agent? */
bool fsm_cover_named(enum cover_kind kind);
/* `name` is looked at where the kind is named, `tenant` where it is a tenant's. */
uint32_t fsm_cover_of(const struct fsm *fsm, enum cover_kind kind, uint32_t tenant,
                      struct bytes name);
/* Finds or makes it; the caller has checked that names and covers fit. */
uint32_t fsm_cover_hold(struct fsm *fsm, enum cover_kind kind, uint32_t tenant, struct bytes name);
/* First watermark above `position`; SLOT_NONE when there is none. */
uint32_t fsm_watermark_above(const struct fsm *fsm, uint32_t cover, uint64_t position);
/* Position of the newest watermark, 0 for none. */
uint64_t fsm_watermark_newest(const struct fsm *fsm, uint32_t cover);
/* OK when a revoke of this cover (SLOT_NONE: nobody made it yet) can be kept. */
enum op_outcome fsm_watermark_room(struct fsm_context *ctx, enum cover_kind kind, uint32_t cover);
/* Moves the cover's newest watermark when nothing is below it, for the new one stands for all that
 * it could deny; otherwise adds one. The caller has checked the room. */
void fsm_watermark_add(struct fsm *fsm, uint32_t cover, uint64_t position, uint64_t time);
void fsm_watermark_drop(struct fsm *fsm, uint32_t slot);
/* A session or tombstone begins or stops to refer to its covers. */
void fsm_covers_join(struct fsm *fsm, const struct session_head *head);
void fsm_covers_leave(struct fsm *fsm, const struct session_head *head);
/* The covers' lists of unswept sessions. */
void fsm_covers_link(struct fsm *fsm, uint32_t session);
void fsm_covers_unlink(struct fsm *fsm, uint32_t session);
/* One task more or less whose own session this is. */
void fsm_covers_task(struct fsm *fsm, const struct session_head *own, int change);

/* ---- tombstone.c ---- */
/* Makes room within the bounds, then the tombstone of a dead session; frees nothing of the session.
 * The covers' counts and the grants' names go over to it. */
void fsm_tombstone_make(struct fsm *fsm, const struct session_record *session, struct fsm_end end,
                        uint32_t kept_chain, uint32_t kept_count);
void fsm_tombstone_free(struct fsm *fsm, uint32_t slot);
/* After its last task went. Frees so many blocks. */
uint32_t fsm_tombstone_blocks(const struct tombstone_record *stone);
void fsm_tombstone_unpin(struct fsm *fsm, uint32_t slot);

/* ---- schedule.c: the heaps that follow from records ---- */
void fsm_schedule(struct fsm *fsm, enum fsm_table table, uint32_t slot);

/* ---- event.c: what is told to the tenant, once, in the order of positions ---- */
struct fsm_event {
    enum op_event_kind kind;
    struct id128 session, task, parent; /* zero: none */
    struct bytes user, name;            /* copied */
    enum op_end_cause cause;
    uint64_t epoch, attempt, given; /* 0: none */
    uint64_t ended, lifetime;
};

/* Appends it to the tenant's, at the position of `ctx`; never refused: older ones go. */
void fsm_event_add(struct fsm_context *ctx, uint32_t tenant, const struct fsm_event *event);
/* The kept event of that number. */
const struct event_record *fsm_event_of(const struct fsm *fsm, uint32_t tenant, uint64_t number);

/* ---- event_command.c ---- */
/* Tells what the command did that was just carried out, with what it asked and what it is answered;
 * a row that has nothing to tell tells nothing. */
void fsm_event_command(struct fsm_context *ctx, const union op_request *request,
                       const union op_reply *reply);
/* Tells of a REUSE that was just applied, if it found a theft. */
void fsm_event_reuse(struct fsm_context *ctx);
/* Tells that the sweep found this session dead, unless the command that ended it has told so, and
 * which of its tasks are orphans by that. */
void fsm_event_swept(struct fsm_context *ctx, const struct fsm_session *session,
                     const struct fsm_end *end);
/* Units of the sweep that this takes. */
uint32_t fsm_event_units(const struct session_record *session);

/* ---- denial.c ---- */
/* Carries DENIALS out: counts, and tells the sixth within the window as an event. */
void fsm_denials(struct fsm_context *ctx);
void fsm_denial_free(struct fsm *fsm, uint32_t slot);
uint64_t fsm_hash_denial(const struct fsm *fsm, const struct denial_record *denial);

/* ---- sweep.c ---- */
enum { FSM_SWEEP_UNITS = 4096 };
void fsm_sweep(struct fsm_context *ctx);

/* ---- hashes of the indexes (lookup.c) ---- */
uint64_t fsm_hash_id(const struct fsm *fsm, struct id128 id);
uint64_t fsm_hash_pair(const struct fsm *fsm, uint64_t a, uint64_t b);
uint64_t fsm_hash_cover(const struct fsm *fsm, uint32_t kind, uint32_t tenant, uint32_t name);
uint64_t fsm_hash_key(const struct fsm *fsm, uint32_t session, struct bytes key);

/* ---- small readers ---- */
static inline struct table *fsm_blocks(const struct fsm *fsm)
{
    return fsm->tables[FSM_BLOCKS];
}

static inline const struct meta_record *fsm_meta(const struct fsm *fsm)
{
    return (const struct meta_record *)table_read(fsm->tables[FSM_META], 1);
}

static inline enum session_status fsm_session_status(const struct session_record *session)
{
    return (enum session_status)(session->status_cause & 0xffffu);
}

static inline enum op_end_cause fsm_session_cause(const struct session_record *session)
{
    return (enum op_end_cause)(session->status_cause >> 16);
}

#endif
