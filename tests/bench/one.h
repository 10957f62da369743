/* The calls that several measures load a cluster with: one session, written to and validated again
 * and again. Times nothing, and looks at no answer. */
#ifndef TESTS_BENCH_ONE_H
#define TESTS_BENCH_ONE_H

#include "tests/bench/run.h"

/* A session of an hour for the user that all of these calls name. False: it says why on standard
 * error. `ret_clock`: the leader's clock in the answer; may be NULL. */
bool one_open(struct tenure_client *client, const char *agent, char ret_token[RUN_TOKEN],
              uint64_t *ret_clock);
/* As the library's functions of these names, for that session. */
void one_put(struct tenure_client *client, const char *token, const char *key, const char *value,
             tenure_state_put_cb callback, void *arg);
void one_get(struct tenure_client *client, const char *token, const char *key,
             tenure_state_get_cb callback, void *arg);
void one_validate(struct tenure_client *client, const char *token,
                  tenure_session_validate_cb callback, void *arg);

#endif
