/* Short words for making a small history by hand: one user, one session, one task at a time. */
#ifndef TESTS_JEPSEN_SCENE_H
#define TESTS_JEPSEN_SCENE_H

#include "tests/unit/jepsen/maker.h"

struct scene {
    struct maker maker;
    struct maker_caller caller;
    const char *user;
    struct op_token token; /* of the newest session */
    struct id128 task;     /* the newest */
    struct op_token fence; /* the newest */
    union op_request request;
    uint64_t grant_ttl; /* seconds, of what a session is created with; 0: none */
    bool no_grants;     /* a session is created without any */
};

void scene_init(struct scene *scene);
void scene_done(struct scene *scene);
/* The next call alone is answered by a wrong law; what follows is played by the right one. */
void scene_lie(struct scene *scene, enum model_mutation mutation);
/* The newest row's answer, with its reply and details. */
struct history_answer scene_answer(struct scene *scene);

void scene_create(struct scene *scene, const char *user, const char *agent, uint64_t idle_s,
                  uint64_t absolute_s);
void scene_validate(struct scene *scene);
void scene_end(struct scene *scene);
void scene_revoke_user(struct scene *scene, const char *user);
void scene_revoke_agent(struct scene *scene, const char *agent);
void scene_grant(struct scene *scene, const char *permission, uint64_t ttl_s);
void scene_check(struct scene *scene, const char *permission);
void scene_begin(struct scene *scene, uint32_t scope, uint64_t ttl_s);
void scene_claim(struct scene *scene, uint64_t lease_s);
void scene_put(struct scene *scene, const char *key, const char *value);
void scene_get(struct scene *scene, const char *key);
void scene_task_put(struct scene *scene, struct id128 session, uint64_t operation, const char *key,
                    const char *value);

#endif
