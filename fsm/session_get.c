/* Reading a session's record: all of it that its owner may know. Counts are of what lives with the
 * session alone; of tasks and grants the sweep would show.
 */
#include "fsm/machine.h"

#include "base/sat.h"

/* In the machine's memory for long fields: metadata, filter, binding. */
enum { METADATA_MAX = 4096, BINDING_AT = METADATA_MAX + sizeof(((struct fsm_filter *)0)->image) };

static void get_texts(struct fsm *fsm, const struct session_record *session,
                      struct op_session_get_reply *reply)
{
    const struct cover_record *agent = table_read(fsm->tables[FSM_COVERS],
                                                  session->head.cover[COVER_AGENT]);

    reply->has_agent = true;
    reply->agent = names_text(fsm->names, agent->name);
    reply->has_policy = session->policy != SLOT_NONE;
    if (reply->has_policy) {
        reply->policy = names_text(fsm->names, session->policy);
    }
    reply->has_metadata = session->metadata_size > 0;
    if (reply->has_metadata) {
        chain_read(fsm_blocks(fsm), session->metadata_chain, fsm->value, session->metadata_size);
        reply->metadata = bytes_of(fsm->value, session->metadata_size);
    }
}

enum op_outcome fsm_do_session_get(struct fsm_context *ctx,
                                   const struct op_session_get_request *request,
                                   struct op_session_get_reply *reply)
{
    struct fsm_session session;
    const struct session_record *record;
    enum op_outcome outcome = fsm_find_session(ctx, request->user, &request->token, &session);

    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    record = session.record;
    get_texts(ctx->fsm, record, reply);
    reply->has_session = reply->has_epoch = reply->has_age = true;
    reply->session = record->head.selector;
    reply->epoch = record->head.created;
    reply->age = sat_sub(ctx->now, record->head.created_time);
    reply->has_evidence = record->evidence != OP_EVIDENCE_NONE;
    reply->evidence = record->evidence;
    reply->has_idle = reply->has_absolute = reply->has_longest = reply->has_pause = true;
    reply->idle = sat_sub(record->idle_deadline, ctx->now);
    reply->absolute = sat_sub(record->absolute_deadline, ctx->now);
    reply->longest = sat_sub(record->absolute_cap, ctx->now);
    reply->pause = record->idle_us;
    reply->has_keys = reply->has_size = true;
    reply->has_parent = !id128_is_zero(record->head.parent);
    reply->parent = record->head.parent;
    reply->has_floor = record->head.fence_floor != OP_INFINITE;
    reply->floor = record->head.fence_floor;
    reply->filter_count = fsm_filter_list(ctx->fsm, &session, ctx->fsm->value + METADATA_MAX,
                                          reply->filter);
    reply->has_filter = reply->filter_count > 0;
    reply->networks_count = fsm_binding_list(ctx->fsm, record, ctx->fsm->value + BINDING_AT,
                                             &reply->fingerprint, reply->networks);
    reply->has_networks = reply->networks_count > 0;
    reply->has_fingerprint = reply->fingerprint.size > 0;
    reply->keys = record->key_count;
    reply->size = record->state_bytes;
    return OP_OK;
}
