/* What the acts of the story share: its memory, and how it says and demands. */
#ifndef TESTS_STORY_ACTS_H
#define TESTS_STORY_ACTS_H

#include "tests/story/story.h"

#define SECOND UINT64_C(1000000)

/* A session as its owner remembers it. */
struct login {
    struct tenure_id id;
    char id_text[TENURE_ID_TEXT];
    char token[256];
    uint64_t epoch;
};

struct task {
    struct tenure_id id;
    char id_text[TENURE_ID_TEXT];
    uint64_t epoch;
};

struct story {
    const struct story_stage *stage;
    struct login first;  /* alice's session before she logged out */
    struct login second; /* and the one after */
    struct task tasks[STORY_WORKERS];
    size_t killed; /* the node that was the leader */
    size_t failures;
};

/* ---- saying and demanding ---- */

/* One line of what was answered. */
__attribute__((format(printf, 1, 2))) void story_say(const char *format, ...);
/* Says and counts what differs from the story; gives `holds` back. */
__attribute__((format(printf, 3, 4))) bool story_demand(struct story *story, bool holds,
                                                        const char *format, ...);
bool story_demand_done(struct story *story, const char *what, const struct tenure_result *result);
void story_chapter(const char *title);

/* ---- calls that several acts make ---- */

bool story_login(struct story *story, const char *user, struct login *ret);
enum tenure_outcome story_validate(struct story *story, const char *user, const char *token,
                                   struct tenure_session_validate_reply *ret_reply,
                                   struct tenure_result *ret_result);

/* ---- the acts, in order; false: the story cannot go on ---- */

bool story_act_tasks(struct story *story);       /* a session and two tasks */
bool story_act_new_session(struct story *story); /* the workers freeze, alice logs out and in */
bool story_act_leader_dies(struct story *story);
void story_act_late_writes(struct story *story); /* the workers wake up */
void story_act_bob(struct story *story);
void story_act_grant(struct story *story);
void story_act_revoke(struct story *story);
void story_act_same_state(struct story *story); /* the dead node comes back */

#endif
