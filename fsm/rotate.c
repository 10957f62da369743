/* Rotation: a session's new secret, and what becomes of the old ones. Tries of one request, which
 * replace a secret too, are dedupe.c's: what they replace is wrong and no more than that.
 *
 *  1. A session has one secret that counts. The newest four that rotations replaced are known, with
 *     the T of their end, for as long as the session is not swept.
 *  2. Only a use of one of those, by a living session and later than the grace, is theft.
 *  3. A rotation moves the absolute deadline forward never, to another policy's limit perhaps.
 */
#include "fsm/machine.h"

#include "base/assert.h"
#include "base/sat.h"

#include <string.h>

enum { OLDER_MAX = 4, OLDER_BYTES = 40 };

struct older {
    uint8_t verifier[32];
    uint64_t replaced; /* T */
};

uint32_t fsm_older_blocks(const struct session_record *session)
{
    return chain_blocks((size_t)session->older_count * OLDER_BYTES);
}

static void older_read(const struct fsm *fsm, const struct session_record *session,
                       struct older *ret_older)
{
    uint8_t image[OLDER_MAX * OLDER_BYTES];
    struct base_reader reader;

    ASSERT(session->older_count <= OLDER_MAX);
    chain_read(fsm_blocks(fsm), session->older_chain, image,
               (size_t)session->older_count * OLDER_BYTES);
    base_reader_init(&reader, bytes_of(image, (size_t)session->older_count * OLDER_BYTES));
    for (uint32_t i = 0; i < session->older_count; i++) {
        memcpy(ret_older[i].verifier, base_read_bytes(&reader, 32).data, 32);
        ret_older[i].replaced = base_read_u64(&reader);
    }
}

/* The present verifier becomes the newest of the older ones. */
static void older_push(struct fsm *fsm, struct session_record *session, uint64_t now)
{
    uint8_t image[OLDER_MAX * OLDER_BYTES];
    struct older older[OLDER_MAX + 1];
    struct base_writer writer;

    older_read(fsm, session, older + 1);
    memcpy(older[0].verifier, session->head.verifier, sizeof older[0].verifier);
    older[0].replaced = now;
    session->older_count = session->older_count < OLDER_MAX ? session->older_count + 1 : OLDER_MAX;
    base_writer_init(&writer, image, sizeof image);
    for (uint32_t i = 0; i < session->older_count; i++) {
        base_write_bytes(&writer, bytes_of(older[i].verifier, sizeof older[i].verifier));
        base_write_u64(&writer, older[i].replaced);
    }
    chain_free(fsm_blocks(fsm), session->older_chain);
    session->older_chain = chain_write(fsm_blocks(fsm), base_written(&writer));
}

/* ---- rotating ---- */

uint32_t fsm_rotation_blocks(void)
{
    return chain_blocks(OLDER_MAX * OLDER_BYTES);
}

struct session_record *fsm_rotate_secret(struct fsm_context *ctx, uint32_t slot)
{
    struct session_record *session = table_write(ctx->fsm->tables[FSM_SESSIONS], slot);

    older_push(ctx->fsm, session, ctx->now);
    memcpy(session->head.verifier, ctx->command->minted_verifier, sizeof session->head.verifier);
    session->head.secret_made = ctx->position;
    ctx->minted = session->head.selector;
    return session;
}

static enum op_outcome rotate_check(struct fsm_context *ctx,
                                    const struct op_session_rotate_request *request,
                                    struct fsm_policy *ret_policy)
{
    if (!request->has_policy) {
        return OP_OK;
    }
    return fsm_policy_admit(ctx, request->policy, request->has_evidence, request->evidence,
                            ret_policy);
}

/* Invariant 3. */
static void take_policy(struct fsm_context *ctx, struct session_record *session, struct bytes name,
                        const struct fsm_policy *policy)
{
    struct names *names = ctx->fsm->names;
    uint32_t before = session->policy;

    session->policy = names_hold(names, name);
    ASSERT(session->policy != SLOT_NONE);
    if (before != SLOT_NONE) {
        names_release(names, before);
    }
    session->idle_us = policy->idle;
    session->absolute_cap = u64_min(session->absolute_cap, sat_add(ctx->now, policy->absolute));
    session->absolute_deadline = u64_min(session->absolute_deadline, session->absolute_cap);
}

static struct session_record *rotate(struct fsm_context *ctx, uint32_t slot,
                                     const struct op_session_rotate_request *request,
                                     const struct fsm_policy *policy)
{
    struct session_record *session = fsm_rotate_secret(ctx, slot);

    if (request->has_policy) {
        take_policy(ctx, session, request->policy, policy);
    }
    if (request->has_evidence) {
        session->evidence = request->evidence;
    }
    session->idle_deadline = sat_add(ctx->now, session->idle_us);
    fsm_schedule(ctx->fsm, FSM_SESSIONS, slot);
    return session;
}

static enum op_outcome rotate_room(struct fsm_context *ctx,
                                   const struct op_session_rotate_request *request)
{
    uint32_t names = request->has_policy ? fsm_name_missing(ctx->fsm, request->policy) : 0;
    enum op_outcome outcome = fsm_room(ctx, FSM_NAMES, names);

    return outcome == OP_OK ? fsm_room(ctx, FSM_BLOCKS, fsm_rotation_blocks()) : outcome;
}

enum op_outcome fsm_do_session_rotate(struct fsm_context *ctx,
                                      const struct op_session_rotate_request *request,
                                      struct op_session_rotate_reply *reply)
{
    struct fsm_policy policy = {0, 0, OP_EVIDENCE_NONE};
    struct fsm_session session;
    const struct session_record *record;
    enum op_outcome outcome = fsm_find_session(ctx, request->user, &request->token, &session);

    if (outcome == OP_OK) {
        outcome = fsm_refuse_dead(ctx, &session);
    }
    if (outcome == OP_OK) {
        outcome = rotate_check(ctx, request, &policy);
    }
    if (outcome == OP_OK) {
        outcome = rotate_room(ctx, request);
    }
    if (outcome != OP_OK) {
        return outcome;
    }
    record = rotate(ctx, session.slot, request, &policy);
    reply->has_session = true;
    reply->session = record->head.selector;
    reply->has_token = true;
    reply->token.incarnation = ctx->fsm->incarnation;
    reply->token.id = record->head.selector;
    reply->has_epoch = true;
    reply->epoch = record->head.created;
    reply->has_idle = true;
    reply->idle = sat_sub(record->idle_deadline, ctx->now);
    reply->has_absolute = true;
    reply->absolute = sat_sub(record->absolute_deadline, ctx->now);
    return OP_OK;
}

/* ---- use of what a rotation replaced ---- */

static bool is_theft(struct fsm_context *ctx, const struct fsm_session *session,
                     const uint8_t *verifier)
{
    struct older older[OLDER_MAX];
    bool theft = false;

    if (session->record == NULL || !fsm_alive(ctx, session)) {
        return false;
    }
    older_read(ctx->fsm, session->record, older);
    for (uint32_t i = 0; i < session->record->older_count; i++) {
        theft |= base_equal_constant_time(older[i].verifier, verifier, sizeof older[i].verifier) &&
                 sat_add(older[i].replaced, ctx->fsm->limits.rotation_grace_us) <= ctx->now;
    }
    return theft;
}

bool fsm_reused(struct fsm *fsm, const struct op_token *token)
{
    struct fsm_context ctx = {.fsm = fsm, .now = fsm_time(fsm), .clock = fsm_time(fsm)};
    struct fsm_session session = fsm_session_of(fsm, token->id);

    return id128_equal(token->incarnation, fsm->incarnation) &&
           is_theft(&ctx, &session, token->verifier);
}

void fsm_reuse(struct fsm_context *ctx)
{
    struct fsm *fsm = ctx->fsm;
    struct fsm_session session = fsm_session_of(fsm, ctx->command->minted_id);
    struct session_record *record;

    if (!is_theft(ctx, &session, ctx->command->minted_verifier)) {
        return; /* another REUSE, or something else, was ordered before it */
    }
    session = fsm_root_of(fsm, &session); /* it lives, so all above it do */
    record = table_write(fsm->tables[FSM_SESSIONS], session.slot);
    record->status_cause = SESSION_ENDED | ((uint32_t)OP_END_CAUSE_COMPROMISED << 16);
    record->end_position = ctx->position;
    record->end_time = ctx->now;
    record->head.revoked = ctx->position;
    fsm_schedule(fsm, FSM_SESSIONS, session.slot);
}
