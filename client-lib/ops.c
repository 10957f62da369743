/* The typed calls, one pair an operation, made from the op table. */
#include "base/assert.h"
#include "client-lib/internal.h"

/* ---- maps of the public structs ---- */

#define HAS_REQUIRED(S, name) SIZE_MAX
#define HAS_OPTIONAL(S, name) offsetof(struct S, has_##name)

#define LIST_u64(S, name, bound, points)
#define LIST_time_us(S, name, bound, points)
#define LIST_boolean(S, name, bound, points)
#define LIST_enumeration(S, name, bound, points)
#define LIST_id(S, name, bound, points)
#define LIST_blob(S, name, bound, points)
#define LIST_text(S, name, bound, points)
#define LIST_token(S, name, bound, points)
#define LIST_list(S, name, bound, points)                                                          \
    .count_offset = offsetof(struct S, name##_count), .item_size = sizeof(struct tenure_##bound),  \
    .pointer = points, .item = map_##bound,

#define MAP_OF_(S, kind, member, bound, need, points)                                              \
    {.offset = offsetof(struct S, member),                                                         \
     .has_offset = HAS_##need(S, member),                                                          \
     LIST_##kind(S, member, bound, points)},
#define MAP_(S, number, kind, member, bound, need, text)                                           \
    MAP_OF_(S, kind, member, bound, need, false)
#define MAP_REPLY_(S, number, kind, member, bound, need, text)                                     \
    MAP_OF_(S, kind, member, bound, need, true)

#define ITEM_(name, FIELDS, max)                                                                   \
    static const struct tenure_field_map map_##name[] = {FIELDS(MAP_, tenure_##name){.offset = 0}};
OP_ITEMS(ITEM_)

const struct tenure_field_map tenure_details_map[] = {
    OP_DETAILS(MAP_, tenure_details){.offset = 0}};

#define MAPS_(name, REQUEST, REPLY)                                                                \
    static const struct tenure_field_map map_##name##_request[] = {                                \
        REQUEST(MAP_, tenure_##name##_request){.offset = 0}};                                      \
    static const struct tenure_field_map map_##name##_reply[] = {                                  \
        REPLY(MAP_REPLY_, tenure_##name##_reply){.offset = 0}};

#define OP_MAPS_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)           \
    MAPS_(name, OP_##FIELDS##_REQUEST, OP_##FIELDS##_REPLY)
OP_TABLE(OP_MAPS_)
MAPS_(node_status, OP_STATUS_REQUEST, OP_STATUS_REPLY)
MAPS_(cluster_time, OP_TIME_REQUEST, OP_TIME_REPLY)
MAPS_(snapshot_take, OP_SNAPSHOT_TAKE_REQUEST, OP_SNAPSHOT_TAKE_REPLY)
MAPS_(snapshot_read, OP_SNAPSHOT_READ_REQUEST, OP_SNAPSHOT_READ_REPLY)

/* ---- methods ---- */

/* A function pointer comes back as the type that it went in as. */
#define OP_DELIVER_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)        \
    static void deliver_##name(tenure_any_cb callback, void *arg,                                  \
                               const struct tenure_result *result, const void *reply)              \
    {                                                                                              \
        ((tenure_##name##_cb)callback)(arg, result, reply);                                        \
    }
OP_TABLE(OP_DELIVER_)

#define OP_METHOD_(number, name_, FIELDS, access, roles, needs, idempotency, besides, help)        \
    case OP_##name_:                                                                               \
        return (struct tenure_method){.request_map = map_##name_##_request,                        \
                                      .reply_map = map_##name_##_reply,                            \
                                      .reply_size = sizeof(struct tenure_##name_##_reply),         \
                                      .deliver = deliver_##name_};

static struct tenure_method public_half(enum op_number number)
{
    switch (number) {
        OP_TABLE(OP_METHOD_)
    case OP_NUMBER_NONE_:
        break;
    }
    UNREACHABLE("every number is a row's");
}

struct tenure_method tenure_method_of(enum op_number number)
{
    struct tenure_method method = public_half(number);
    method.row = op_row_of_number(number);
    method.name = method.row->method;
    method.request = method.row->request;
    method.reply = method.row->reply;
    return method;
}

/* ---- the public calls ---- */

#define OP_CALLS_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)          \
    enum tenure_outcome tenure_##name(                                                             \
        struct tenure_client *client, const struct tenure_##name##_request *request,               \
        struct tenure_##name##_reply *ret_reply, struct tenure_result *ret_result)                 \
    {                                                                                              \
        struct tenure_method method = tenure_method_of(OP_##name);                                 \
        return tenure_call_wait(client, &method, request, ret_reply, ret_result);                  \
    }                                                                                              \
    tenure_call tenure_##name##_start(struct tenure_client *client,                                \
                                      const struct tenure_##name##_request *request,               \
                                      tenure_##name##_cb callback, void *arg)                      \
    {                                                                                              \
        struct tenure_method method = tenure_method_of(OP_##name);                                 \
        return tenure_call_start(client, &method, request, (tenure_any_cb)callback, arg);          \
    }
OP_TABLE(OP_CALLS_)

enum tenure_outcome tenure_node_status(struct tenure_client *client,
                                       const struct tenure_node_status_request *request,
                                       struct tenure_node_status_reply *ret_reply,
                                       struct tenure_result *ret_result)
{
    struct tenure_method method = {.name = OP_METHOD_STATUS,
                                   .own = true,
                                   .request = &op_status_request_struct,
                                   .reply = &op_status_reply_struct,
                                   .request_map = map_node_status_request,
                                   .reply_map = map_node_status_reply,
                                   .reply_size = sizeof(*ret_reply)};
    return tenure_call_wait(client, &method, request, ret_reply, ret_result);
}

enum tenure_outcome tenure_cluster_time(struct tenure_client *client,
                                        const struct tenure_cluster_time_request *request,
                                        struct tenure_cluster_time_reply *ret_reply,
                                        struct tenure_result *ret_result)
{
    struct tenure_method method = {.name = OP_METHOD_TIME,
                                   .request = &op_time_request_struct,
                                   .reply = &op_time_reply_struct,
                                   .request_map = map_cluster_time_request,
                                   .reply_map = map_cluster_time_reply,
                                   .reply_size = sizeof(*ret_reply)};
    return tenure_call_wait(client, &method, request, ret_reply, ret_result);
}

enum tenure_outcome tenure_snapshot_take(struct tenure_client *client,
                                         const struct tenure_snapshot_take_request *request,
                                         struct tenure_snapshot_take_reply *ret_reply,
                                         struct tenure_result *ret_result)
{
    struct tenure_method method = {.name = OP_METHOD_SNAPSHOT_TAKE,
                                   .request = &op_snapshot_take_request_struct,
                                   .reply = &op_snapshot_take_reply_struct,
                                   .request_map = map_snapshot_take_request,
                                   .reply_map = map_snapshot_take_reply,
                                   .reply_size = sizeof(*ret_reply)};
    return tenure_call_wait(client, &method, request, ret_reply, ret_result);
}

enum tenure_outcome tenure_snapshot_read(struct tenure_client *client,
                                         const struct tenure_snapshot_read_request *request,
                                         struct tenure_snapshot_read_reply *ret_reply,
                                         struct tenure_result *ret_result)
{
    struct tenure_method method = {.name = OP_METHOD_SNAPSHOT_READ,
                                   .request = &op_snapshot_read_request_struct,
                                   .reply = &op_snapshot_read_reply_struct,
                                   .request_map = map_snapshot_read_request,
                                   .reply_map = map_snapshot_read_reply,
                                   .reply_size = sizeof(*ret_reply)};
    return tenure_call_wait(client, &method, request, ret_reply, ret_result);
}
