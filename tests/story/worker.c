/* The worker's two commands, over the asynchronous calls of libtenure. */
#include "tests/story/worker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct worker {
    struct tenure_client *client;
    void (*say)(void *arg, const char *line);
    void *arg;
    char fence[256]; /* its whole memory */
    uint64_t next;   /* operation number */
};

static void say_refusal(struct worker *worker, const struct tenure_result *result)
{
    char line[STORY_LINE];
    const struct tenure_details *details = &result->details;
    snprintf(line, sizeof(line),
             "refused %s %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s",
             tenure_outcome_name(result->outcome), details->failed, details->headline,
             details->task_epoch, details->session_epoch, result->position, result->message);
    worker->say(worker->arg, line);
}

static void on_claimed(void *arg, const struct tenure_result *result,
                       const struct tenure_task_claim_reply *reply)
{
    struct worker *worker = arg;
    if (reply == NULL) {
        say_refusal(worker, result);
        return;
    }
    snprintf(worker->fence, sizeof(worker->fence), "%.*s", (int)reply->fence.size,
             (const char *)reply->fence.data);
    worker->next = reply->next;
    char session[TENURE_ID_TEXT];
    tenure_id_text(reply->session, session);
    char line[STORY_LINE];
    snprintf(line, sizeof(line), "claimed %" PRIu64 " %" PRIu64 " %s %" PRIu64, reply->epoch,
             reply->attempt, session, result->position);
    worker->say(worker->arg, line);
}

static void on_written(void *arg, const struct tenure_result *result,
                       const struct tenure_state_put_reply *reply)
{
    struct worker *worker = arg;
    if (reply == NULL) {
        say_refusal(worker, result);
        return;
    }
    worker->next++; /* a refusal does not use its number up */
    char line[STORY_LINE];
    snprintf(line, sizeof(line), "wrote %" PRIu64 " %" PRIu64, reply->version, result->position);
    worker->say(worker->arg, line);
}

static bool claim(struct worker *worker, const char *user, const char *task, uint64_t lease_us)
{
    struct tenure_task_claim_request request = {.user = tenure_text(user), .lease = lease_us};
    if (!tenure_id_of_text(task, &request.task)) {
        return false;
    }
    return tenure_task_claim_start(worker->client, &request, on_claimed, worker) != 0;
}

static bool write_state(struct worker *worker, const char *user, const char *session,
                        const char *key, const char *value)
{
    struct tenure_state_put_request request = {
        .user = tenure_text(user),
        .has_fence = true,
        .fence = tenure_text(worker->fence),
        .has_session = true,
        .has_operation = true,
        .operation = worker->next,
        .key = tenure_text(key),
        .value = tenure_text(value),
    };
    if (!tenure_id_of_text(session, &request.session)) {
        return false;
    }
    return tenure_state_put_start(worker->client, &request, on_written, worker) != 0;
}

bool worker_command(struct worker *worker, const char *line)
{
    char verb[16], user[64], id[64], first[64], second[64];
    int words = sscanf(line, "%15s %63s %63s %63s %63s", verb, user, id, first, second);
    if (words == 4 && strcmp(verb, "claim") == 0) {
        return claim(worker, user, id, strtoull(first, NULL, 10));
    }
    if (words == 5 && strcmp(verb, "write") == 0) {
        return write_state(worker, user, id, first, second);
    }
    return false;
}

struct worker *worker_create(struct tenure_client *client, void (*say)(void *arg, const char *line),
                             void *arg)
{
    struct worker *worker = calloc(1, sizeof(*worker));
    if (worker != NULL) {
        worker->client = client;
        worker->say = say;
        worker->arg = arg;
    }
    return worker;
}

void worker_destroy(struct worker *worker)
{
    free(worker);
}
