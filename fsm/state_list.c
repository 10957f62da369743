/* Listing the keys of a session's state, page by page, in the order of their bytes. Who may read
 * them is state.c's to say.
 *
 * A page costs one search and then a step for each key that it shows, however many there are.
 */
#include "fsm/machine.h"

#include <string.h>

struct place {
    const struct fsm *fsm;
    struct bytes after;
};

static const struct key_record *key_at(const struct fsm *fsm, uint32_t slot)
{
    return table_read(fsm->tables[FSM_KEYS], slot);
}

static bool behind(const void *arg, uint32_t slot)
{
    const struct place *place = arg;
    uint8_t text[FSM_KEY_MAX];

    return bytes_compare(fsm_key_text(place->fsm, key_at(place->fsm, slot), text), place->after) >
           0;
}

/* Texts lie one behind the other in the machine's buffer for long fields. */
static void list_key(struct fsm *fsm, uint32_t slot, struct op_state_list_reply *reply)
{
    const struct key_record *key = key_at(fsm, slot);
    uint8_t *text = fsm->value + (size_t)reply->keys_count * FSM_KEY_MAX;

    reply->keys[reply->keys_count++] = (struct op_item_listed_key){
        .has_key = true,
        .key = fsm_key_text(fsm, key, text),
        .has_version = true,
        .version = key->version,
        .has_size = true,
        .size = key->value_size,
        .has_writer = !id128_is_zero(key->writer),
        .writer = key->writer,
    };
}

_Static_assert(OP_MAX_listed_key *FSM_KEY_MAX <= sizeof(((struct fsm *)NULL)->value),
               "the texts of a page fit");

static void list(struct fsm *fsm, uint32_t session, struct bytes after, uint64_t max,
                 struct op_state_list_reply *reply)
{
    const struct sorted *keys = fsm->sorted[SORTED_KEYS];
    struct place place = {fsm, after};
    uint32_t slot = sorted_first(keys, session, behind, &place);

    for (; slot != SLOT_NONE && reply->keys_count < max; slot = sorted_next(keys, session, slot)) {
        list_key(fsm, slot, reply);
    }
    reply->has_next = slot != SLOT_NONE;
    if (reply->has_next) {
        reply->next = reply->keys[reply->keys_count - 1].key;
    }
}

enum op_outcome fsm_do_state_list(struct fsm_context *ctx,
                                  const struct op_state_list_request *request,
                                  struct op_state_list_reply *reply)
{
    const struct fsm_state_reader reader = {.user = request->user,
                                            .token = FSM_GIVEN(request, token),
                                            .fence = FSM_GIVEN(request, fence),
                                            .session = FSM_GIVEN(request, session)};
    uint64_t max = request->has_max ? request->max : OP_MAX_listed_key;
    struct fsm_session session;
    enum op_outcome outcome;

    if (max == 0 || max > OP_MAX_listed_key) {
        return fsm_refuse_field(ctx, "max");
    }
    outcome = fsm_state_readable(ctx, &reader, &session);
    if (outcome != OP_OK) {
        return outcome;
    }
    reply->has_session = reply->has_keys = true;
    reply->session = session.head->selector;
    if (session.record != NULL) {
        list(ctx->fsm, session.slot, request->has_after ? request->after : BYTES_NONE, max, reply);
    }
    return OP_OK;
}
