/* Tells what happened: tale.h. */
#include "tests/unit/jepsen/tale.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

struct op_item_event *tale_happen(struct tale *tale, enum op_event_kind kind, struct id128 session)
{
    struct op_item_event *item = &tale->ring[tale->count];

    assert_in_range(tale->count, 0, TALE_EVENTS - 1);
    *item = (struct op_item_event){.position = tale->scene.maker.position,
                                   .number = ++tale->count,
                                   .time = tale->scene.maker.time,
                                   .kind = kind,
                                   .has_user = true,
                                   .user = bytes_of_text("alice"),
                                   .has_session = true,
                                   .session = session,
                                   .has_by = true,
                                   .by = bytes_of_text("acme")};
    return item;
}

void tale_name(struct op_item_event *item, const char *text)
{
    item->has_name = true;
    item->name = bytes_of_text(text);
}

void tale_die(struct tale *tale, struct id128 session, uint64_t ended, enum op_end_cause cause,
              uint64_t lived)
{
    struct op_item_event *item = tale_happen(tale, OP_EVENT_KIND_SESSION_ENDED, session);

    item->has_cause = item->has_ended = item->has_lifetime = true;
    item->cause = cause;
    item->ended = ended;
    item->lifetime = lived;
}

void tale_create(struct tale *tale)
{
    struct op_item_event *item;

    scene_create(&tale->scene, "alice", "A", 60, 60);
    item = tale_happen(tale, OP_EVENT_KIND_SESSION_CREATED, tale->scene.token.id);
    item->has_epoch = true;
    item->epoch = tale->scene.maker.position;
    tale_name(item, "A");
}

struct op_item_event *tale_give(struct tale *tale, const char *permission)
{
    struct op_item_event *item;

    scene_grant(&tale->scene, permission, 0);
    item = tale_happen(tale, OP_EVENT_KIND_GRANT_ADDED, tale->scene.token.id);
    item->has_given = true;
    item->given = tale->scene.maker.answer.reply.grant_add.given;
    tale_name(item, permission);
    return item;
}

/* A session that was logged out, one that lives, and a grant of it. */
void tale_begin(struct tale *tale)
{
    memset(tale, 0, sizeof *tale);
    scene_init(&tale->scene);
    tale_create(tale);
    tale->first = tale->scene.token.id;
    tale->first_made = tale->scene.maker.time;
    maker_wait(&tale->scene.maker, 1000);
    scene_end(&tale->scene);
    tale_die(tale, tale->first, tale->scene.maker.time, OP_END_CAUSE_LOGOUT, 1000);
    tale_create(tale);
    tale_give(tale, "p1");
}

struct op_events_read_reply tale_page(const struct tale *tale, uint32_t from, uint32_t count)
{
    struct op_events_read_reply reply = {.events_count = count};

    if (from > 0) {
        reply.next = tale->ring[from - 1].position;
        reply.k = tale->ring[from - 1].k;
    }
    for (uint32_t i = 0; i < count; i++) {
        reply.events[i] = tale->ring[from + i];
        reply.next = reply.events[i].position;
        reply.k = reply.events[i].k;
    }
    reply.more = from + count < tale->count;
    return reply;
}

void tale_answer(struct tale *tale, const struct op_events_read_request *request,
                 enum op_outcome outcome, const struct op_events_read_reply *reply,
                 const struct op_details *details)
{
    struct maker *maker = &tale->scene.maker;
    static union op_request asked;
    static union op_reply replied;
    struct history_call call = {
        .proc = 9,
        .seq = maker->history->count,
        .attempt = 1,
        .f = OP_events_read,
        .caller = {bytes_of_text("acme"), bytes_of_text("acme"), OP_ROLE_SERVICE, {{0x77}}},
        .call_ns = maker->ns,
        .request = &asked};
    struct history_answer back = {.outcome = outcome,
                                  .ret_ns = maker->ns + 5,
                                  .position = maker->position,
                                  .time = maker->time,
                                  .clock = maker->time,
                                  .term = 1,
                                  .details = details,
                                  .reply = reply == NULL ? NULL : &replied};

    asked.events_read = *request;
    if (reply != NULL) {
        replied.events_read = *reply;
    }
    history_return(maker->history, history_invoke(maker->history, &call), &back);
    maker->ns += 10;
}

struct op_events_read_request tale_behind(const struct tale *tale, uint32_t from)
{
    struct op_events_read_request request = {.has_after = from > 0, .has_k = from > 0};

    if (from > 0) {
        request.after = tale->ring[from - 1].position;
        request.k = tale->ring[from - 1].k;
    }
    return request;
}

/* Reads `count` behind the first `from`, as it should be. */
void tale_read_on(struct tale *tale, uint32_t from, uint32_t count)
{
    struct op_events_read_request request = tale_behind(tale, from);
    struct op_events_read_reply reply = tale_page(tale, from, count);

    tale_answer(tale, &request, OP_OK, &reply, NULL);
}

void tale_reply_with(struct tale *tale, uint32_t from, const struct op_events_read_reply *reply)
{
    struct op_events_read_request request = tale_behind(tale, from);

    tale_answer(tale, &request, OP_OK, reply, NULL);
}

struct op_item_event *tale_revoke_one(struct tale *tale)
{
    union op_request *request = &tale->scene.request;
    struct op_item_event *item;

    memset(request, 0, sizeof *request);
    request->session_revoke.user = bytes_of_text("alice");
    request->session_revoke.session = tale->scene.token.id;
    maker_call(&tale->scene.maker, &tale->scene.caller, OP_session_revoke, request);
    item = tale_happen(tale, OP_EVENT_KIND_SESSION_REVOKED, tale->scene.token.id);
    tale_die(tale, tale->scene.token.id, tale->scene.maker.time, OP_END_CAUSE_REVOKED, 0);
    item[1].k = 1;
    return item;
}

struct op_item_event *tale_revoke_user(struct tale *tale)
{
    struct op_item_event *item;

    scene_revoke_user(&tale->scene, "bob");
    item = tale_happen(tale, OP_EVENT_KIND_USER_REVOKED, ID128_ZERO);
    item->has_session = false;
    item->user = bytes_of_text("bob");
    return item;
}

/* A task, and its claim: the two newest events. */
struct op_item_event *tale_work(struct tale *tale)
{
    struct op_item_event *item;

    scene_begin(&tale->scene, OP_TASK_SCOPE_SESSION, 60);
    item = tale_happen(tale, OP_EVENT_KIND_TASK_BEGUN, tale->scene.token.id);
    item->has_task = item->has_epoch = true;
    item->task = tale->scene.task;
    item->epoch = tale->scene.maker.position;
    tale_name(item, "work");
    scene_claim(&tale->scene, 30);
    (void)tale_happen(tale, OP_EVENT_KIND_TASK_CLAIMED, tale->scene.token.id);
    item[1].has_task = item[1].has_epoch = item[1].has_attempt = true;
    item[1].task = tale->scene.task;
    item[1].epoch = item->epoch;
    item[1].attempt = tale->scene.maker.position;
    tale_name(&item[1], "acme");
    return item;
}

/* Below the newest session. */
struct op_item_event *tale_open_child(struct tale *tale)
{
    struct op_session_create_request *request = &tale->scene.request.session_create;
    struct op_token parent = tale->scene.token;
    struct op_item_event *item;

    memset(&tale->scene.request, 0, sizeof tale->scene.request);
    request->user = bytes_of_text("alice");
    request->agent = bytes_of_text("A");
    request->idle = request->absolute = 60000000;
    request->has_parent = true;
    request->parent = parent;
    maker_call(&tale->scene.maker, &tale->scene.caller, OP_session_create, &tale->scene.request);
    item = tale_happen(tale, OP_EVENT_KIND_SESSION_CREATED,
                       tale->scene.maker.answer.reply.session_create.session);
    item->has_epoch = item->has_parent = true;
    item->epoch = tale->scene.maker.position;
    item->parent = parent.id;
    tale_name(item, "A");
    return item;
}
