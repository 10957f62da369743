/* The records of the FSM's tables and their fields; no behaviour.
 *
 * A list of fields is RECORD(F, S): F(S, tag, KIND, name). From it come the struct (the image: no
 * padding, no pointer) and the table of fields that snapshots are written from. Tags and table ids
 * are never reused. Every link between records is a slot number and part of the image, so that
 * lists keep their order over a restore. A new field stands at the end of its record, never inside
 * of it: the digest is of the image's bytes, and an older image has to keep its own (walk.c;
 * tests/golden, records, sees to it).
 */
#ifndef FSM_RECORDS_H
#define FSM_RECORDS_H

#include "fsm/table.h"
#include "op/op.h"

#define RECORD_MEMBER_U32(name) uint32_t name;
#define RECORD_MEMBER_U64(name) uint64_t name;
#define RECORD_MEMBER_ID(name) struct id128 name;
#define RECORD_MEMBER_DIGEST(name) uint8_t name[16];
#define RECORD_MEMBER_VERIFIER(name) uint8_t name[32];
#define RECORD_MEMBER_TEXT(name) uint8_t name[OP_NAME_MAX];
#define RECORD_MEMBER_U32X3(name) uint32_t name[3];
#define RECORD_MEMBER_U32X4(name) uint32_t name[4];
#define RECORD_MEMBER_U64X3(name) uint64_t name[3];
#define RECORD_MEMBER_U64X9(name) uint64_t name[9];
#define RECORD_MEMBER_U64X5(name) uint64_t name[5];
#define RECORD_MEMBER_(S, tag, KIND, name) RECORD_MEMBER_##KIND(name)

/* ---- cluster: one record ---- */
#define META_FIELDS(F, S)                                                                          \
    F(S, 1, U64, time) /* T */                                                                     \
    F(S, 2, U64, position)                                                                         \
    F(S, 3, U64, term)                                                                             \
    F(S, 4, ID, incarnation)                                                                       \
    F(S, 5, U64, auth_floor) /* of all tenants */                                                  \
    F(S, 6, U64, pinned)     /* sessions and tombstones with pins */
/* Behind the limits. A limit of a later release stands behind these, in a list of its own. */
#define META_END_FIELDS(F, S) F(S, 7, U64, level) /* feature level */
#define META_LIMIT_MEMBER_(tag, name, standard, least, greatest, help) uint64_t name;
struct meta_record {
    META_FIELDS(RECORD_MEMBER_, meta_record)
    OP_LIMITS(META_LIMIT_MEMBER_)
    META_END_FIELDS(RECORD_MEMBER_, meta_record)
};

/* ---- tenant: made by the first client of it, never removed ---- */
#define TENANT_FIELDS(F, S)                                                                        \
    F(S, 1, U64, auth_floor)                                                                       \
    F(S, 2, U32, name)                                                                             \
    F(S, 3, U32, stone_first) /* tombstones without tasks, oldest first */                         \
    F(S, 4, U32, stone_last)                                                                       \
    F(S, 5, U32, stone_count)                                                                      \
    F(S, 6, U32, watermark_count)                                                                  \
    F(S, 7, U32, policy_count)                                                                     \
    F(S, 8, U32, policy_chain)                                                                     \
    F(S, 9, U32, event_count)     /* kept: the newest so many of its events */                     \
    F(S, 10, U64, event_number)   /* of the newest one, kept or not */                             \
    F(S, 11, U64, event_position) /* its place */                                                  \
    F(S, 12, U64, lost_position)  /* place of the newest that is not kept; 0: none is lost */      \
    F(S, 13, U32, event_k)                                                                         \
    F(S, 14, U32, lost_k)                                                                          \
    F(S, 15, U32, client_count)                                                                    \
    F(S, 16, U32, quotas_set)  /* bits, by enum op_quota */                                        \
    F(S, 18, U64X9, quota)     /* by enum op_quota less one; tags 18 to 26 */                      \
    F(S, 17, U64, state_bytes) /* of its sessions, swept or not */
struct tenant_record {
    TENANT_FIELDS(RECORD_MEMBER_, tenant_record)
};

/* ---- cover: what a watermark can be set on, and the sessions under it ---- */
enum cover_kind { COVER_USER, COVER_AGENT, COVER_TENANT, COVER_ALL, COVER_KINDS };
#define COVER_FIELDS(F, S)                                                                         \
    F(S, 1, U32, kind)                                                                             \
    F(S, 2, U32, tenant)        /* none: everyone's */                                             \
    F(S, 3, U32, name)          /* none: all of the tenant's */                                    \
    F(S, 4, U32, heads)         /* sessions and tombstones that refer to it */                     \
    F(S, 5, U32, fresh)         /* those created above its newest watermark */                     \
    F(S, 6, U32, session_first) /* sessions not yet swept, by C */                                 \
    F(S, 7, U32, session_last)                                                                     \
    F(S, 8, U32, watermark_first) /* by position */                                                \
    F(S, 9, U32, watermark_last)                                                                   \
    F(S, 10, U32, spare)                                                                           \
    F(S, 11, U32, session_count) /* in that list */                                                \
    F(S, 12, U32, task_count)    /* whose own session, swept or not, is under it */
struct cover_record {
    COVER_FIELDS(RECORD_MEMBER_, cover_record)
};

/* ---- watermark: one revoke ---- */
#define WATERMARK_FIELDS(F, S)                                                                     \
    F(S, 1, U64, position)                                                                         \
    F(S, 2, U64, time)                                                                             \
    F(S, 3, U32, cover)                                                                            \
    F(S, 4, U32, below) /* heads whose first watermark this is */                                  \
    F(S, 5, U32, next)                                                                             \
    F(S, 6, U32, previous)
struct watermark_record {
    WATERMARK_FIELDS(RECORD_MEMBER_, watermark_record)
};

/* ---- session ---- */

/* What a session and its tombstone have in common. */
#define SESSION_HEAD_FIELDS(F, S)                                                                  \
    F(S, 1, ID, selector)                                                                          \
    F(S, 2, VERIFIER, verifier)                                                                    \
    F(S, 3, U64, created)      /* C */                                                             \
    F(S, 4, U64, fence_floor)  /* F */                                                             \
    F(S, 5, U64, created_time) /* T at C */                                                        \
    F(S, 6, U64, secret_made)  /* first position of the request that made the present secret */    \
    F(S, 7, U64, tasks_until)  /* when the last of its tasks is forgotten */                       \
    F(S, 13, U32X4, cover)     /* by enum cover_kind; tags 13 to 16 */                             \
    F(S, 10, U32, tenant)                                                                          \
    F(S, 11, U32, task_count)                                                                      \
    F(S, 12, U64,                                                                                  \
      revoked)          /* position of the newest revoke of this session and all below, 0: none */ \
    F(S, 17, U32, pins) /* tasks that its tombstone is kept for: its own, and of its lineage */    \
    F(S, 18, U32, depth) /* 1: it has no parent */                                                 \
    F(S, 19, ID, parent) /* zero for none */
struct session_head {
    SESSION_HEAD_FIELDS(RECORD_MEMBER_, session_head)
};

enum session_status { SESSION_LIVE = 1, SESSION_ENDED = 2 };
enum { GRANTS_INLINE = 3 };

#define SESSION_FIELDS(F, S)                                                                       \
    F(S, 20, U64, idle_us)                                                                         \
    F(S, 21, U64, idle_deadline)                                                                   \
    F(S, 22, U64, absolute_deadline)                                                               \
    F(S, 23, U64, end_position) /* of the command that ended it; 0 while LIVE */                   \
    F(S, 24, U64, end_time)                                                                        \
    F(S, 25, U64, state_bytes)                                                                     \
    F(S, 51, U32X4, cover_next)     /* tags 51 to 54 */                                            \
    F(S, 55, U32X4, cover_previous) /* tags 55 to 58 */                                            \
    F(S, 30, U64X3, grant_given)    /* tags 30 to 32; used when grant_count <= GRANTS_INLINE */    \
    F(S, 33, U64X3, grant_deadline)                                                                \
    F(S, 36, U32X3, grant_permission)                                                              \
    F(S, 39, U32, grant_count)                                                                     \
    F(S, 40, U32, grant_chain)                                                                     \
    F(S, 41, U32, metadata_chain)                                                                  \
    F(S, 42, U32, metadata_size)                                                                   \
    F(S, 43, U32, key_first)                                                                       \
    F(S, 44, U32, key_count)                                                                       \
    F(S, 45, U32, status_cause) /* status in the low half, enum op_end_cause above */              \
    F(S, 46, U64, absolute_cap) /* no renewal goes beyond it */                                    \
    F(S, 47, U32, policy)       /* name; none: its limits are its own */                           \
    F(S, 48, U32, evidence)     /* enum op_evidence, 0 for none */                                 \
    F(S, 49, U32, older_chain)  /* verifiers that rotations replaced, and when; newest first */    \
    F(S, 50, U32, older_count)                                                                     \
    F(S, 59, U32, child_first)    /* of those not yet swept, by C */                               \
    F(S, 60, U32, child_next)     /* of the same parent */                                         \
    F(S, 61, U32, child_previous) /* of the first: the last */                                     \
    F(S, 62, U32, child_count)                                                                     \
    F(S, 63, U32, filter_chain) /* patterns, each a short text; none: any resource */              \
    F(S, 64, U32, filter_size)                                                                     \
    F(S, 65, U32,                                                                                  \
      binding_chain) /* networks and fingerprint; none: it may be used from anywhere */            \
    F(S, 66, U32, binding_size)
struct session_record {
    struct session_head head;
    SESSION_FIELDS(RECORD_MEMBER_, session_record)
};

/* ---- tombstone: a session after its sweep ---- */
#define TOMBSTONE_FIELDS(F, S)                                                                     \
    F(S, 20, U64, end_time)                                                                        \
    F(S, 21, U32, cause)                                                                           \
    F(S, 22, U32, kept_chain) /* grants without deadline that it held, while it has tasks */       \
    F(S, 23, U32, kept_count)                                                                      \
    F(S, 24, U32, next) /* in its tenant's list */                                                 \
    F(S, 25, U32, previous)                                                                        \
    F(S, 26, U32, spare)                                                                           \
    F(S, 27, U32, filter_chain) /* as its session had it, while it has tasks */                    \
    F(S, 28, U32, filter_size)
struct tombstone_record {
    struct session_head head;
    TOMBSTONE_FIELDS(RECORD_MEMBER_, tombstone_record)
};

/* ---- task ---- */
enum task_status {
    TASK_OPEN = OP_TASK_STATUS_OPEN,
    TASK_CLAIMED = OP_TASK_STATUS_CLAIMED,
    TASK_DONE = OP_TASK_STATUS_DONE,
    TASK_FAILED = OP_TASK_STATUS_FAILED,
    TASK_CANCELLED = OP_TASK_STATUS_CANCELLED
};
enum { TASK_VERIFIERS_OLDER = 3 };
#define TASK_FIELDS(F, S)                                                                          \
    F(S, 1, ID, id)                                                                                \
    F(S, 2, ID, session)  /* its own session, swept or not */                                      \
    F(S, 3, ID, parent)   /* zero: begun by a session */                                           \
    F(S, 4, ID, instance) /* owner: process */                                                     \
    F(S, 5, VERIFIER, verifier)                                                                    \
    F(S, 6, U64, begun)   /* B */                                                                  \
    F(S, 7, U64, epoch)   /* E */                                                                  \
    F(S, 8, U64, attempt) /* A */                                                                  \
    F(S, 9, U64, lease_deadline)                                                                   \
    F(S, 10, U64, deadline)                                                                        \
    F(S, 11, U64, newest) /* greatest operation number applied */                                  \
    F(S, 12, U32, owner)  /* certificate's name; none while OPEN */                                \
    F(S, 13, U32, kind)                                                                            \
    F(S, 14, U32, scope)       /* enum op_task_scope */                                            \
    F(S, 15, U32, status)      /* enum task_status, as written; life.c has what it is */           \
    F(S, 16, U32, depth)       /* 1: begun by a session */                                         \
    F(S, 17, U32, older_chain) /* verifiers of the attempts before, newest first */                \
    F(S, 18, U32, older_count)                                                                     \
    F(S, 19, U32, pair_chain)                                                                      \
    F(S, 20, U32, pair_count)                                                                      \
    F(S, 21, U32, target_chain)                                                                    \
    F(S, 22, U32, target_count)                                                                    \
    F(S, 23, U32, spare)                                                                           \
    F(S, 24, U32, result_chain) /* of DONE and FAILED */                                           \
    F(S, 25, U32, result_size)                                                                     \
    F(S, 26, U32, lineage_chain) /* roots of those that it belonged to and does no more */         \
    F(S, 27, U32, lineage_count)
struct task_record {
    TASK_FIELDS(RECORD_MEMBER_, task_record)
};

/* ---- one key of a session's state ---- */
#define KEY_FIELDS(F, S)                                                                           \
    F(S, 1, U64, version)                                                                          \
    F(S, 2, ID, writer) /* the task; zero: the session itself */                                   \
    F(S, 3, U32, session)                                                                          \
    F(S, 4, U32, key_chain)                                                                        \
    F(S, 5, U32, key_size)                                                                         \
    F(S, 6, U32, value_chain)                                                                      \
    F(S, 7, U32, value_size)                                                                       \
    F(S, 8, U32, next) /* of the same session */
struct key_record {
    KEY_FIELDS(RECORD_MEMBER_, key_record)
};

/* ---- client and what it asked ---- */
#define CLIENT_FIELDS(F, S)                                                                        \
    F(S, 1, U64, position) /* its id */                                                            \
    F(S, 2, U64, lowest)                                                                           \
    F(S, 3, U64, heard) /* T of its newest command */                                              \
    F(S, 4, U32, tenant)                                                                           \
    F(S, 5, U32, name)                                                                             \
    F(S, 6, U32, remembered) /* requests */                                                        \
    F(S, 8, U32, certificate)
struct client_record {
    CLIENT_FIELDS(RECORD_MEMBER_, client_record)
};

/* ---- certificate: while it has clients ---- */
#define CERTIFICATE_FIELDS(F, S)                                                                   \
    F(S, 1, U32, tenant)                                                                           \
    F(S, 2, U32, name)                                                                             \
    F(S, 3, U32, clients)                                                                          \
    F(S, 4, U32, spare)
struct certificate_record {
    CERTIFICATE_FIELDS(RECORD_MEMBER_, certificate_record)
};

/* What a command answered: kept for its repetition. */
#define RESULT_FIELDS(F, S)                                                                        \
    F(S, 1, U64, position)                                                                         \
    F(S, 2, U64, time)                                                                             \
    F(S, 3, U64, term)                                                                             \
    F(S, 4, U32, outcome)                                                                          \
    F(S, 5, U32, body_chain)                                                                       \
    F(S, 6, U32, body_size)                                                                        \
    F(S, 7, U32, of) /* slot: client of a request, task of an operation */
struct result_head {
    RESULT_FIELDS(RECORD_MEMBER_, result_head)
};

#define REQUEST_FIELDS(F, S)                                                                       \
    F(S, 20, U64, number)                                                                          \
    F(S, 21, U64, tries) /* the highest seen */                                                    \
    F(S, 22, DIGEST, digest)                                                                       \
    F(S, 23, ID, object) /* whose secret it minted; zero for none */                               \
    F(S, 24, U32, mints) /* enum op_token_kind of that object; 0 for none */                       \
    F(S, 25, U32, spare)
struct request_record {
    struct result_head head;
    REQUEST_FIELDS(RECORD_MEMBER_, request_record)
};

#define OPERATION_FIELDS(F, S)                                                                     \
    F(S, 20, U64, number)                                                                          \
    F(S, 21, U64, attempt)                                                                         \
    F(S, 22, DIGEST, digest)
struct operation_record {
    struct result_head head;
    OPERATION_FIELDS(RECORD_MEMBER_, operation_record)
};

/* ---- event: what happened in a tenant, once; its texts are its own ---- */
#define EVENT_FIELDS(F, S)                                                                         \
    F(S, 1, U64, position)                                                                         \
    F(S, 2, U64, time)   /* T there */                                                             \
    F(S, 3, U64, number) /* of its tenant's, from 1, none left out */                              \
    F(S, 4, ID, session) /* zero: none; likewise below */                                          \
    F(S, 5, ID, task)                                                                              \
    F(S, 6, U64, epoch)                                                                            \
    F(S, 7, U64, attempt)                                                                          \
    F(S, 8, U64, given)                                                                            \
    F(S, 9, U64, ended)                                                                            \
    F(S, 10, U64, lifetime)                                                                        \
    F(S, 11, U32, tenant)                                                                          \
    F(S, 12, U32, k)                                                                               \
    F(S, 13, U32, kind)  /* enum op_event_kind */                                                  \
    F(S, 14, U32, cause) /* enum op_end_cause */                                                   \
    F(S, 15, U32, user_size)                                                                       \
    F(S, 16, U32, name_size)                                                                       \
    F(S, 17, U32, by_size)                                                                         \
    F(S, 18, U32, spare)                                                                           \
    F(S, 19, TEXT, user)                                                                           \
    F(S, 20, TEXT, name)                                                                           \
    F(S, 21, TEXT, by)                                                                             \
    F(S, 22, ID, parent)
struct event_record {
    EVENT_FIELDS(RECORD_MEMBER_, event_record)
};

/* ---- denials of one certificate that acts for one user ---- */
enum { DENIALS_RECENT = 5 };
/* The latter counts nothing: it says when the tenant that `user` names was told of that certificate
 * of another tenant. */
enum denial_kind { DENIAL_COUNT, DENIAL_TOLD };
#define DENIAL_FIELDS(F, S)                                                                        \
    F(S, 1, U64X5, recent) /* T of the newest, newest first, 0: none; tags 1 to 5 */               \
    F(S, 6, U64, alerted)  /* T of the newest alert, 0: none */                                    \
    F(S, 7, U32, tenant_size)                                                                      \
    F(S, 8, U32, name_size)                                                                        \
    F(S, 9, U32, user_size)                                                                        \
    F(S, 10, U32, kind)    /* enum denial_kind */                                                  \
    F(S, 11, TEXT, tenant) /* as its certificate says: perhaps no client of it ever came */        \
    F(S, 12, TEXT, name)                                                                           \
    F(S, 13, TEXT, user)
struct denial_record {
    DENIAL_FIELDS(RECORD_MEMBER_, denial_record)
};

/* In the order of the store's plan. */
enum fsm_table {
    FSM_META,
    FSM_NAMES,
    FSM_BLOCKS,
    FSM_TENANTS,
    FSM_COVERS,
    FSM_WATERMARKS,
    FSM_SESSIONS,
    FSM_TOMBSTONES,
    FSM_TASKS,
    FSM_KEYS,
    FSM_CLIENTS,
    FSM_REQUESTS,
    FSM_OPERATIONS,
    FSM_CERTIFICATES,
    FSM_EVENTS,
    FSM_DENIALS,
    FSM_TABLES,
};

/* The type of a table, by enum fsm_table. */
const struct table_type *fsm_table_type(enum fsm_table table);

#endif
