/* F-05 F-16 F-71 F-94 F-95 F-97 F-98. The story's acts, in order: what is said was answered. */
#include "tests/story/acts.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* ---- saying and demanding ---- */

void story_say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
}

bool story_demand(struct story *story, bool holds, const char *format, ...)
{
    if (holds) {
        return true;
    }
    va_list arguments;
    va_start(arguments, format);
    printf("  NOT AS IT HAS TO BE: ");
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    fflush(stdout);
    story->failures++;
    return false;
}

bool story_demand_done(struct story *story, const char *what, const struct tenure_result *result)
{
    return story_demand(story, result->outcome == TENURE_OK, "%s was answered %s (%s)", what,
                        tenure_outcome_name(result->outcome), result->message);
}

void story_chapter(const char *title)
{
    story_say("\n%s", title);
}

/* ---- calls that several acts make ---- */

bool story_login(struct story *story, const char *user, struct login *ret)
{
    struct tenure_session_create_request request = {
        .user = tenure_text(user),
        .agent = tenure_text("assistant"),
        .idle = 1800 * SECOND,
        .absolute = 86400 * SECOND,
        .has_grants = true,
        .grants_count = 3,
        .grants = {{.permission = tenure_text("state:write")},
                   {.permission = tenure_text("task:begin")},
                   {.permission = tenure_text("task:user")}},
    };
    struct tenure_session_create_reply reply;
    struct tenure_result result;
    tenure_session_create(story->stage->client, &request, &reply, &result);
    bool done = story_demand_done(story, "opening a session", &result);
    if (done) {
        ret->id = reply.session;
        ret->epoch = reply.epoch;
        tenure_id_text(reply.session, ret->id_text);
        snprintf(ret->token, sizeof(ret->token), "%.*s", (int)reply.token.size,
                 (const char *)reply.token.data);
        story_say("  %s opens session %.8s: epoch %" PRIu64 ", position %" PRIu64 ", token %.8s...",
                  user, ret->id_text, reply.epoch, result.position, ret->token);
    }
    tenure_result_done(&result);
    return done;
}

enum tenure_outcome story_validate(struct story *story, const char *user, const char *token,
                                   struct tenure_session_validate_reply *ret_reply,
                                   struct tenure_result *ret_result)
{
    struct tenure_session_validate_request request = {.user = tenure_text(user),
                                                      .token = tenure_text(token)};
    return tenure_session_validate(story->stage->client, &request, ret_reply, ret_result);
}

bool story_play(const struct story_stage *stage)
{
    struct story story = {.stage = stage};
    if (story_act_tasks(&story) && story_act_new_session(&story) && story_act_leader_dies(&story)) {
        story_act_late_writes(&story);
        story_act_bob(&story);
        story_act_grant(&story);
        story_act_revoke(&story);
        story_act_same_state(&story);
    }
    if (story.failures == 0) {
        story_say("\nEvery answer was as it has to be.");
    } else {
        story_say("\n%zu answers were not as they have to be.", story.failures);
    }
    return story.failures == 0;
}
