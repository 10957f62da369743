/* A background worker of the story: it holds its fence in memory and knows nothing else.
 *
 * Commands, one a line:
 *   claim USER TASK LEASE_US        owns the task; answers
 *                                   "claimed EPOCH ATTEMPT SESSION POSITION" or a refusal
 *   write USER SESSION KEY VALUE    writes with the fence that it holds; answers
 *                                   "wrote VERSION POSITION" or a refusal
 * A refusal: "refused OUTCOME FAILED HEADLINE TASK_EPOCH SESSION_EPOCH POSITION MESSAGE".
 */
#ifndef TESTS_STORY_WORKER_H
#define TESTS_STORY_WORKER_H

#include "tests/story/story.h"

struct worker;

/* Borrows `client`. `say` gets each answer as a line without a newline. */
struct worker *worker_create(struct tenure_client *client, void (*say)(void *arg, const char *line),
                             void *arg);
void worker_destroy(struct worker *worker);
/* False when the line is no command. */
bool worker_command(struct worker *worker, const char *line);

#endif
