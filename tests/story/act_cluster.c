/* The acts about the cluster: its leader dies, comes back, and all hold one state. */
#include "tests/story/acts.h"

#include <inttypes.h>
#include <string.h>

/* ---- act 3: the leader dies ---- */

static bool leader_of(struct story *story, size_t *ret_node, uint64_t *ret_term)
{
    bool found = false;
    for (size_t i = 0; i < STORY_NODES; i++) {
        struct tenure_node_status_request request = {.has_at = false};
        struct tenure_node_status_reply reply;
        struct tenure_result result;
        tenure_node_status(story->stage->nodes[i], &request, &reply, &result);
        if (result.outcome == TENURE_OK && reply.serving && (!found || reply.term > *ret_term)) {
            *ret_node = i;
            *ret_term = reply.term;
            found = true;
        }
        tenure_result_done(&result);
    }
    return found;
}

bool story_act_leader_dies(struct story *story)
{
    const struct story_stage *stage = story->stage;
    story_chapter("The leader is killed.");
    uint64_t term = 0;
    if (!story_demand(story, leader_of(story, &story->killed, &term),
                      "no node says that it serves")) {
        return false;
    }
    if (!story_demand(story, stage->node_kill(stage->arg, story->killed), "it cannot be killed")) {
        return false;
    }
    story_say("  node %zu led in term %" PRIu64 " and is killed", story->killed + 1, term);
    struct tenure_session_validate_reply reply;
    struct tenure_result result;
    story_validate(story, "alice", story->second.token, &reply, &result);
    if (story_demand_done(story, "validating the new session", &result) &&
        story_demand(story, result.term > term, "the term did not rise")) {
        story_say("  another node serves in term %" PRIu64 ": session %.8s is alive, epoch %" PRIu64
                  ", position %" PRIu64,
                  result.term, story->second.id_text, reply.epoch, result.position);
    }
    tenure_result_done(&result);
    return true;
}

/* ---- act 8: the killed node comes back; all three agree ---- */

static bool status_at(struct story *story, size_t node, uint64_t position,
                      struct tenure_node_status_reply *ret_reply, uint8_t ret_digest[16])
{
    struct tenure_node_status_request request = {.has_at = position != 0, .at = position};
    struct tenure_result result;
    tenure_node_status(story->stage->nodes[node], &request, ret_reply, &result);
    bool known = result.outcome == TENURE_OK && ret_reply->digest.size == 16;
    if (known) {
        memcpy(ret_digest, ret_reply->digest.data, 16);
    }
    tenure_result_done(&result);
    return known;
}

enum { CATCH_UP_TRIES = 200, CATCH_UP_US = 50000 };

void story_act_same_state(struct story *story)
{
    const struct story_stage *stage = story->stage;
    story_chapter("The killed node comes back and catches up.");
    if (!story_demand(story, stage->node_start(stage->arg, story->killed),
                      "it cannot be started")) {
        return;
    }
    struct tenure_node_status_reply reply;
    uint8_t digest[STORY_NODES][16];
    uint64_t position = 0;
    for (size_t i = 0; i < STORY_NODES; i++) {
        uint8_t ignored[16];
        if (i != story->killed && status_at(story, i, 0, &reply, ignored) &&
            reply.position > position) {
            position = reply.position;
        }
    }
    for (size_t i = 0; i < STORY_NODES; i++) {
        bool known = false;
        for (int tries = 0; tries < CATCH_UP_TRIES && !known; tries++) {
            known = status_at(story, i, position, &reply, digest[i]);
            if (!known) {
                stage->wait(stage->arg, CATCH_UP_US);
            }
        }
        if (!story_demand(story, known, "node %zu does not reach position %" PRIu64, i + 1,
                          position)) {
            return;
        }
        char text[TENURE_ID_TEXT];
        struct tenure_id id;
        memcpy(&id, digest[i], sizeof(id));
        tenure_id_text(id, text);
        story_say("  node %zu at position %" PRIu64 ": digest %s%s", i + 1, position, text,
                  i == story->killed ? " (it was dead)" : "");
    }
    for (size_t i = 1; i < STORY_NODES; i++) {
        story_demand(story, memcmp(digest[0], digest[i], 16) == 0, "node %zu holds another state",
                     i + 1);
    }
}
