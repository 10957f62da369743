/* F-06: whatever becomes of a call (cancelled, out of time), its reply never reaches another caller
 * of the same connection. After redis-py#2624, where the reply to a cancelled request was the next
 * one's.
 */
#include "tests/acceptance/stage.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { USERS = 4, ROUNDS = 600, CALLS = 6, TIMEOUT_US = 30000000 };

struct user {
    struct stage_session session;
    char secret[32]; /* the value of its key */
};

struct scene {
    struct stage *stage;
    struct tenure_client *client;
    struct user users[USERS];
    uint64_t random;
    unsigned open;
    uint64_t answered, cancelled;
};

/* One call; each has its place, so that a callback that runs twice is seen. */
struct question {
    struct scene *scene;
    const struct user *user;
    tenure_call call;
    bool cancelled;
    unsigned answers;
};

static uint64_t draw(struct scene *scene, uint64_t below)
{
    scene->random = scene->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (scene->random >> 33) % below;
}

static void on_value(void *arg, const struct tenure_result *result,
                     const struct tenure_state_get_reply *reply)
{
    struct question *question = arg;
    struct scene *scene = question->scene;
    const struct user *user = question->user;
    question->answers++;
    scene->open--;
    if (result->outcome != TENURE_OK) {
        EXPECT(scene->stage, question->cancelled, "not cancelled: %s", result->message);
        scene->cancelled++;
        return;
    }
    scene->answered++;
    EXPECT(scene->stage, memcmp(&reply->session, &user->session.id, sizeof(reply->session)) == 0,
           "%s hears of another session", user->session.user);
    EXPECT(scene->stage,
           reply->value.size == strlen(user->secret) &&
               memcmp(reply->value.data, user->secret, reply->value.size) == 0,
           "%s hears \"%.*s\", not \"%s\"", user->session.user, (int)reply->value.size,
           (const char *)reply->value.data, user->secret);
}

static void ask(struct scene *scene, struct question *question)
{
    *question = (struct question){.scene = scene, .user = &scene->users[draw(scene, USERS)]};
    const struct tenure_state_get_request request = {
        .user = tenure_text(question->user->session.user),
        .has_token = true,
        .token = tenure_text(question->user->session.token),
        .key = tenure_text("secret")};
    question->call = tenure_state_get_start(scene->client, &request, on_value, question);
    scene->open += question->call != 0;
    EXPECT(scene->stage, question->call != 0, "a call is not taken");
}

/* Some of the calls are cancelled, each at another moment of its way: before it is sent, when it is
 * on its way, when its answer is there already. */
static void play_round(struct scene *scene)
{
    struct question questions[CALLS];
    for (size_t i = 0; i < CALLS; i++) {
        ask(scene, &questions[i]);
        for (uint64_t turns = draw(scene, 4); turns > 0; turns--) {
            tenure_process(scene->client, draw(scene, 300));
        }
        size_t which = draw(scene, i + 1);
        if (draw(scene, 2) == 0 && questions[which].answers == 0) {
            questions[which].cancelled = true;
            tenure_cancel(scene->client, questions[which].call);
        }
    }
    while (scene->open > 0) {
        tenure_process(scene->client, TIMEOUT_US);
    }
    for (size_t i = 0; i < CALLS; i++) {
        EXPECT(scene->stage, questions[i].answers == 1, "%u answers", questions[i].answers);
    }
}

static void set(struct scene *scene, struct stage *stage, uint64_t timeout_us)
{
    *scene = (struct scene){.stage = stage, .random = 20624};
    scene->client = remote_client(&stage->remote, "client", REMOTE_ALL, NULL, timeout_us);
    for (size_t i = 0; i < USERS; i++) {
        struct user *user = &scene->users[i];
        (void)snprintf(user->secret, sizeof(user->secret), "secret of user %zu", i);
        stage_open(stage, stage->client, user->secret + strlen("secret of "), &user->session);
        EXPECT(stage, stage_put(stage->client, &user->session, "secret", user->secret) == TENURE_OK,
               "user %zu writes", i);
    }
}

static void cancelled_calls(struct stage *stage)
{
    struct scene scene;
    set(&scene, stage, TIMEOUT_US);
    for (size_t i = 0; i < ROUNDS && stage->failed == 0; i++) {
        play_round(&scene);
    }
    EXPECT(stage, scene.answered > ROUNDS / 4 && scene.cancelled > ROUNDS / 4,
           "%" PRIu64 " answered, %" PRIu64 " cancelled", scene.answered, scene.cancelled);
    tenure_close(scene.client);
}

static void ask_in_a_hurry(struct scene *scene)
{
    struct question questions[CALLS];
    for (size_t i = 0; i < ROUNDS && scene->stage->failed == 0; i++) {
        for (size_t j = 0; j < CALLS; j++) {
            ask(scene, &questions[j]);
            questions[j].cancelled = true; /* it may end without an answer */
        }
        while (scene->open > 0) {
            tenure_process(scene->client, TIMEOUT_US);
        }
    }
}

/* So short a time that most calls end by it, on a connection that goes on being used; more of it
 * where this machine is too slow to answer any. */
static void late_replies(struct stage *stage)
{
    uint64_t late = 0, answered = 0;
    for (uint64_t us = 700; answered == 0 && us < TIMEOUT_US && stage->failed == 0; us *= 2) {
        struct scene scene;
        set(&scene, stage, us);
        ask_in_a_hurry(&scene);
        late += scene.cancelled;
        answered += scene.answered;
        tenure_close(scene.client);
    }
    EXPECT(stage, late > 0, "no call ran out of time");
    EXPECT(stage, answered > 0, "no call was answered in time");
}

/* Writes that are cancelled may have happened, to their own session and to no other. */
static void cancelled_writes(struct stage *stage)
{
    struct scene scene;
    char value[STAGE_VALUE];
    set(&scene, stage, TIMEOUT_US);
    for (size_t i = 0; i < ROUNDS; i++) {
        const struct user *user = &scene.users[draw(&scene, USERS)];
        const struct tenure_state_put_request request = {.user = tenure_text(user->session.user),
                                                         .has_token = true,
                                                         .token = tenure_text(user->session.token),
                                                         .key = tenure_text("secret"),
                                                         .value = tenure_text(user->secret)};
        tenure_call call = tenure_state_put_start(scene.client, &request, NULL, NULL);
        tenure_process(scene.client, draw(&scene, 500));
        tenure_cancel(scene.client, call);
        tenure_process(scene.client, 0);
    }
    for (size_t i = 0; i < USERS; i++) {
        const struct user *user = &scene.users[i];
        EXPECT(stage, stage_get(scene.client, &user->session, "secret", value) == TENURE_OK,
               "user %zu reads", i);
        EXPECT(stage, strcmp(value, user->secret) == 0, "user %zu has \"%s\"", i, value);
    }
    tenure_close(scene.client);
}

int main(int argc, char **argv)
{
    static const struct stage_row rows[] = {
        {"F-06", "a cancelled call's reply reaches nobody", cancelled_calls},
        {"F-06", "a reply that comes too late reaches nobody", late_replies},
        {"F-06", "a cancelled write reaches its own session or none", cancelled_writes},
    };
    return stage_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}
