/* The acts about access: a stranger, a grant with a deadline, a revoke. */
#include "tests/story/acts.h"

#include <inttypes.h>
#include <string.h>

#include "op/token.h" /* bob forges tokens from ids that he has seen */

/* ---- act 5: bob tries alice's sessions ---- */

/* A token with a real id, a real incarnation and a secret that bob made up. */
static void forge(const struct story *story, const struct tenure_id *id, char *text, size_t size)
{
    struct op_token token;
    bool read = op_token_read(bytes_of_text(story->second.token), OP_TOKEN_session, &token);
    memcpy(&token.id, id, sizeof(token.id));
    memset(token.secret, 0xb0, sizeof(token.secret));
    struct base_writer writer;
    base_writer_init(&writer, text, size - 1);
    op_token_write(&writer, OP_TOKEN_session, &token);
    text[read ? base_written(&writer).size : 0] = '\0';
}

void story_act_bob(struct story *story)
{
    story_chapter("Bob presents alice's ended session, her live one, and one that never was.");
    struct tenure_id random_id;
    memcpy(&random_id, &story->first.id, sizeof(random_id));
    for (size_t i = 0; i < sizeof(random_id.bytes); i++) {
        random_id.bytes[i] = (uint8_t)(random_id.bytes[i] ^ story->second.id.bytes[15 - i] ^ 0x5a);
    }
    const struct tenure_id *ids[3] = {&story->first.id, &story->second.id, &random_id};
    static const char *const names[3] = {"ended", "live", "random"};
    struct tenure_result first;
    for (size_t i = 0; i < 3; i++) {
        char token[256];
        forge(story, ids[i], token, sizeof(token));
        struct tenure_session_validate_reply reply;
        struct tenure_result result;
        story_validate(story, "bob", token, &reply, &result);
        char id[TENURE_ID_TEXT];
        tenure_id_text(*ids[i], id);
        story_say("  bob, with the %-6s id %.8s: %s: %s", names[i], id,
                  tenure_outcome_name(result.outcome), result.message);
        story_demand(story, result.outcome == TENURE_NOT_FOUND, "bob learned something");
        static const struct tenure_details none;
        story_demand(story, memcmp(&result.details, &none, sizeof(none)) == 0, "there are details");
        if (i == 0) {
            first = result;
        }
        story_demand(story,
                     result.outcome == first.outcome && strcmp(result.message, first.message) == 0,
                     "the answers differ");
        tenure_result_done(&result);
    }
}

/* ---- act 6: a grant for two seconds ---- */

static enum tenure_outcome check(struct story *story, const char *permission,
                                 struct tenure_permission_check_reply *ret_reply,
                                 struct tenure_result *ret_result)
{
    struct tenure_permission_check_request request = {.user = tenure_text("alice"),
                                                      .token = tenure_text(story->second.token),
                                                      .permission = tenure_text(permission)};
    return tenure_permission_check(story->stage->client, &request, ret_reply, ret_result);
}

void story_act_grant(struct story *story)
{
    story_chapter("Alice is granted payments:send for two seconds.");
    struct tenure_grant_add_request request = {.user = tenure_text("alice"),
                                               .token = tenure_text(story->second.token),
                                               .permission = tenure_text("payments:send"),
                                               .has_ttl = true,
                                               .ttl = 2 * SECOND};
    struct tenure_grant_add_reply grant;
    struct tenure_result result;
    tenure_grant_add(story->stage->client, &request, &grant, &result);
    bool granted = story_demand_done(story, "the grant", &result) &&
                   story_demand(story, grant.has_left && grant.left == 2 * SECOND,
                                "the grant is not for two seconds");
    uint64_t deadline = result.time + 2 * SECOND;
    tenure_result_done(&result);
    if (!granted) {
        return;
    }
    struct tenure_permission_check_reply reply;
    check(story, "payments:send", &reply, &result);
    if (story_demand_done(story, "checking it at once", &result)) {
        story_say("  at once: allowed, %.3f s left", (double)reply.left / 1e6);
    }
    uint64_t left = reply.left;
    tenure_result_done(&result);
    story->stage->wait(story->stage->arg, left + SECOND / 10);
    check(story, "payments:send", &reply, &result);
    if (story_demand(story, result.outcome == TENURE_DENIED,
                     "it was answered %s after its deadline",
                     tenure_outcome_name(result.outcome)) &&
        story_demand(story, result.clock >= deadline, "it was denied before its deadline")) {
        story_say("  %.3f s after its deadline: %s: %s", (double)(result.clock - deadline) / 1e6,
                  tenure_outcome_name(result.outcome), result.message);
    }
    tenure_result_done(&result);
}

/* ---- act 7: one revoke ends three sessions ---- */

void story_act_revoke(struct story *story)
{
    story_chapter("Carol has three sessions; one revoke ends them all.");
    struct login carol[3];
    for (size_t i = 0; i < 3; i++) {
        if (!story_login(story, "carol", &carol[i])) {
            return;
        }
    }
    struct tenure_revoke_user_request request = {.user = tenure_text("carol")};
    struct tenure_revoke_user_reply revoke;
    struct tenure_result result;
    tenure_revoke_user(story->stage->client, &request, &revoke, &result);
    uint64_t position = result.position;
    if (story_demand_done(story, "the revoke", &result)) {
        story_say("  everything that carol has open is revoked at position %" PRIu64, position);
    }
    tenure_result_done(&result);
    for (size_t i = 0; i < 3; i++) {
        struct tenure_session_validate_reply reply;
        story_validate(story, "carol", carol[i].token, &reply, &result);
        bool ended = result.outcome == TENURE_ENDED && result.details.has_cause;
        if (story_demand(story, ended && result.details.cause == TENURE_END_CAUSE_REVOKED,
                         "a revoked session answered %s", tenure_outcome_name(result.outcome))) {
            story_say("  carol's session %.8s (epoch %" PRIu64 " < %" PRIu64 "): %s: %s",
                      carol[i].id_text, carol[i].epoch, position,
                      tenure_outcome_name(result.outcome),
                      tenure_end_cause_text(result.details.cause));
        }
        story_demand(story, carol[i].epoch < position, "the session is newer than the revoke");
        tenure_result_done(&result);
    }
}
