/* The field tables of the FSM's records, made from the lists of records.h; no behaviour. */
#include "fsm/records.h"

#include "base/assert.h"
#include "fsm/chain.h"
#include "fsm/name.h"

#define AT_(S, path) (uint16_t)offsetof(struct S, path)
#define FIELD_U32(S, tag, path) {tag, TABLE_U32, AT_(S, path), 4},
#define FIELD_U64(S, tag, path) {tag, TABLE_U64, AT_(S, path), 8},
#define FIELD_ID(S, tag, path) {tag, TABLE_BYTES, AT_(S, path), 16},
#define FIELD_DIGEST(S, tag, path) {tag, TABLE_BYTES, AT_(S, path), 16},
#define FIELD_VERIFIER(S, tag, path) {tag, TABLE_BYTES, AT_(S, path), 32},
#define FIELD_TEXT(S, tag, path) {tag, TABLE_BYTES, AT_(S, path), OP_NAME_MAX},
#define FIELD_U32X2(S, tag, path) FIELD_U32(S, tag, path[0]) FIELD_U32(S, tag + 1, path[1])
#define FIELD_U32X3(S, tag, path) FIELD_U32X2(S, tag, path) FIELD_U32(S, tag + 2, path[2])
#define FIELD_U32X4(S, tag, path) FIELD_U32X3(S, tag, path) FIELD_U32(S, tag + 3, path[3])
#define FIELD_U64X3(S, tag, path)                                                                  \
    FIELD_U64(S, tag, path[0]) FIELD_U64(S, tag + 1, path[1]) FIELD_U64(S, tag + 2, path[2])
#define FIELD_U64FROM(S, tag, path, i)                                                             \
    FIELD_U64(S, tag + i, path[i])                                                                 \
    FIELD_U64(S, tag + i + 1, path[i + 1]) FIELD_U64(S, tag + i + 2, path[i + 2])
#define FIELD_U64X9(S, tag, path)                                                                  \
    FIELD_U64FROM(S, tag, path, 0) FIELD_U64FROM(S, tag, path, 3) FIELD_U64FROM(S, tag, path, 6)
#define FIELD_U64X5(S, tag, path)                                                                  \
    FIELD_U64FROM(S, tag, path, 0) FIELD_U64(S, tag + 3, path[3]) FIELD_U64(S, tag + 4, path[4])
#define FIELD_(S, tag, KIND, name) FIELD_##KIND(S, tag, name)
#define HEAD_FIELD_(S, tag, KIND, name) FIELD_##KIND(S, tag, head.name)
#define META_LIMIT_FIELD_(tag, name, standard, least, greatest, help)                              \
    FIELD_U64(meta_record, 64 + tag, name)

/* Sum of the members' sizes: what sizeof is when there is no padding. */
#define SIZE_U32 4
#define SIZE_U64 8
#define SIZE_ID 16
#define SIZE_DIGEST 16
#define SIZE_VERIFIER 32
#define SIZE_TEXT OP_NAME_MAX
#define SIZE_U32X3 12
#define SIZE_U32X4 16
#define SIZE_U64X3 24
#define SIZE_U64X5 40
#define SIZE_U64X9 72
#define SIZE_(S, tag, KIND, name) +SIZE_##KIND
#define META_LIMIT_SIZE_(tag, name, standard, least, greatest, help) +8

#define TYPE_(S, number, text, FIELDS)                                                             \
    static const struct table_field S##_fields[] = {FIELDS};                                       \
    static const struct table_type S##_type = {                                                    \
        .id = number,                                                                              \
        .name = text,                                                                              \
        .record_size = sizeof(struct S),                                                           \
        .slot_size = sizeof(struct S),                                                             \
        .fields = S##_fields,                                                                      \
        .field_count = sizeof S##_fields / sizeof S##_fields[0],                                   \
    };

/* 1 and 2 are the blocks' and the names' (chain.c, name.c). */
TYPE_(meta_record, 10, "meta",
      META_FIELDS(FIELD_, meta_record) OP_LIMITS(META_LIMIT_FIELD_)
          META_END_FIELDS(FIELD_, meta_record))
TYPE_(tenant_record, 11, "tenants", TENANT_FIELDS(FIELD_, tenant_record))
TYPE_(cover_record, 12, "covers", COVER_FIELDS(FIELD_, cover_record))
TYPE_(watermark_record, 13, "watermarks", WATERMARK_FIELDS(FIELD_, watermark_record))
TYPE_(session_record, 14, "sessions",
      SESSION_HEAD_FIELDS(HEAD_FIELD_, session_record) SESSION_FIELDS(FIELD_, session_record))
TYPE_(tombstone_record, 15, "tombstones",
      SESSION_HEAD_FIELDS(HEAD_FIELD_, tombstone_record) TOMBSTONE_FIELDS(FIELD_, tombstone_record))
TYPE_(task_record, 16, "tasks", TASK_FIELDS(FIELD_, task_record))
TYPE_(key_record, 17, "keys", KEY_FIELDS(FIELD_, key_record))
TYPE_(client_record, 18, "clients", CLIENT_FIELDS(FIELD_, client_record))
TYPE_(request_record, 19, "requests",
      RESULT_FIELDS(HEAD_FIELD_, request_record) REQUEST_FIELDS(FIELD_, request_record))
TYPE_(operation_record, 20, "operations",
      RESULT_FIELDS(HEAD_FIELD_, operation_record) OPERATION_FIELDS(FIELD_, operation_record))
TYPE_(certificate_record, 21, "certificates", CERTIFICATE_FIELDS(FIELD_, certificate_record))
TYPE_(event_record, 22, "events", EVENT_FIELDS(FIELD_, event_record))
TYPE_(denial_record, 23, "denials", DENIAL_FIELDS(FIELD_, denial_record))

#define CHECK_(S, sum) _Static_assert(sizeof(struct S) == 0 sum, #S " has padding");
CHECK_(meta_record, META_FIELDS(SIZE_, ) OP_LIMITS(META_LIMIT_SIZE_) META_END_FIELDS(SIZE_, ))
CHECK_(tenant_record, TENANT_FIELDS(SIZE_, ))
CHECK_(cover_record, COVER_FIELDS(SIZE_, ))
CHECK_(watermark_record, WATERMARK_FIELDS(SIZE_, ))
CHECK_(session_record, SESSION_HEAD_FIELDS(SIZE_, ) SESSION_FIELDS(SIZE_, ))
CHECK_(tombstone_record, SESSION_HEAD_FIELDS(SIZE_, ) TOMBSTONE_FIELDS(SIZE_, ))
CHECK_(task_record, TASK_FIELDS(SIZE_, ))
CHECK_(key_record, KEY_FIELDS(SIZE_, ))
CHECK_(client_record, CLIENT_FIELDS(SIZE_, ))
CHECK_(certificate_record, CERTIFICATE_FIELDS(SIZE_, ))
CHECK_(event_record, EVENT_FIELDS(SIZE_, ))
CHECK_(denial_record, DENIAL_FIELDS(SIZE_, ))
CHECK_(request_record, RESULT_FIELDS(SIZE_, ) REQUEST_FIELDS(SIZE_, ))
CHECK_(operation_record, RESULT_FIELDS(SIZE_, ) OPERATION_FIELDS(SIZE_, ))
_Static_assert(sizeof(struct session_record) <= 384, "a session is meant to stay small");
_Static_assert(sizeof(struct task_record) <= 256, "a task is meant to stay small");
_Static_assert(sizeof(struct request_record) <= 96, "a remembered request is meant to stay small");

const struct table_type *fsm_table_type(enum fsm_table table)
{
    switch (table) {
    case FSM_META:
        return &meta_record_type;
    case FSM_NAMES:
        return &name_type;
    case FSM_BLOCKS:
        return &chain_block_type;
    case FSM_TENANTS:
        return &tenant_record_type;
    case FSM_COVERS:
        return &cover_record_type;
    case FSM_WATERMARKS:
        return &watermark_record_type;
    case FSM_SESSIONS:
        return &session_record_type;
    case FSM_TOMBSTONES:
        return &tombstone_record_type;
    case FSM_TASKS:
        return &task_record_type;
    case FSM_KEYS:
        return &key_record_type;
    case FSM_CLIENTS:
        return &client_record_type;
    case FSM_REQUESTS:
        return &request_record_type;
    case FSM_OPERATIONS:
        return &operation_record_type;
    case FSM_CERTIFICATES:
        return &certificate_record_type;
    case FSM_EVENTS:
        return &event_record_type;
    case FSM_DENIALS:
        return &denial_record_type;
    case FSM_TABLES:
        break;
    }
    UNREACHABLE("no such table");
}
