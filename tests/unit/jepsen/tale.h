/* A scene, and beside it the events that a right machine would have kept of it. Judges nothing. */
#ifndef TESTS_JEPSEN_TALE_H
#define TESTS_JEPSEN_TALE_H

#include "tests/unit/jepsen/scene.h"

enum { TALE_EVENTS = 16 };

/* What a right machine would have kept of the scene. */
struct tale {
    struct scene scene;
    struct op_item_event ring[TALE_EVENTS];
    uint32_t count;
    struct id128 first; /* session */
    uint64_t first_made;
    bool small; /* there is room for two events of a tenant */
};

/* One event more, of the newest command. */
struct op_item_event *tale_happen(struct tale *tale, enum op_event_kind kind, struct id128 session);
void tale_name(struct op_item_event *item, const char *text);
/* A session's end, by a command or by the sweep of the newest TICK. */
void tale_die(struct tale *tale, struct id128 session, uint64_t ended, enum op_end_cause cause,
              uint64_t lived);

/* ---- a command, and its event ---- */

void tale_create(struct tale *tale);
struct op_item_event *tale_give(struct tale *tale, const char *permission);
void tale_begin(struct tale *tale);
struct op_item_event *tale_revoke_one(struct tale *tale);
struct op_item_event *tale_revoke_user(struct tale *tale);
struct op_item_event *tale_work(struct tale *tale);
struct op_item_event *tale_open_child(struct tale *tale);

/* ---- events_read ---- */

/* `count` events from the index `from` on. */
struct op_events_read_reply tale_page(const struct tale *tale, uint32_t from, uint32_t count);
/* Asks for what is behind the event before the index `from`. */
struct op_events_read_request tale_behind(const struct tale *tale, uint32_t from);
/* A row of events_read with that answer. */
void tale_answer(struct tale *tale, const struct op_events_read_request *request,
                 enum op_outcome outcome, const struct op_events_read_reply *reply,
                 const struct op_details *details);
void tale_read_on(struct tale *tale, uint32_t from, uint32_t count);
void tale_reply_with(struct tale *tale, uint32_t from, const struct op_events_read_reply *reply);

#endif
