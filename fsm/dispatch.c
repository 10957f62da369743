/* From an operation's number to its handler: made from OP_TABLE alone, so that a new row needs
 * nothing here. */
#include "fsm/machine.h"

#include "base/assert.h"

typedef enum op_outcome (*handler)(struct fsm_context *ctx, const union op_request *request,
                                   union op_reply *reply);

#define CALL_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)              \
    static enum op_outcome call_##name(struct fsm_context *ctx, const union op_request *request,   \
                                       union op_reply *reply)                                      \
    {                                                                                              \
        return fsm_do_##name(ctx, &request->name, &reply->name);                                   \
    }
OP_TABLE(CALL_)

#define ENTRY_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)             \
    [number] = call_##name,
static const handler handlers[] = {OP_TABLE(ENTRY_)};

enum op_outcome fsm_dispatch(struct fsm_context *ctx, const union op_request *request,
                             union op_reply *reply)
{
    size_t number = (size_t)ctx->row->number;

    ASSERT(number < sizeof handlers / sizeof handlers[0] && handlers[number] != NULL);
    if ((ctx->row->roles & ctx->caller->role) == 0) {
        return OP_FORBIDDEN;
    }
    return handlers[number](ctx, request, reply);
}
