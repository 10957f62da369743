/* The work of crash-load: each lane has one session at a time and one call open. Who owns a key is
 * the only one that writes it, so what has to be read back is known.
 */
#include "tests/cluster/load.h"

#include <stdio.h>
#include <string.h>

#define HOUR UINT64_C(3600000000)

enum {
    TURNS = 40,          /* calls in a session */
    THINK_US = 10000,    /* between two calls, at most */
    SERIES_LENGTH = 2,   /* sessions of one user */
    REFUSED_VERSION = 1, /* of no key: the first command of a cluster writes none */
};

enum action {
    ACTION_CREATE,
    ACTION_PUT,
    ACTION_CONFLICT, /* a put that expects what is not there */
    ACTION_GET,
    ACTION_VALIDATE,
    ACTION_TOUCH,
    ACTION_BEGIN,
    ACTION_CLAIM,
    ACTION_FENCED, /* a put by the task of this session */
    ACTION_STALE,  /* a put by the task of the session before: W4 */
    ACTION_END,
    ACTION_REVOKE,
    ACTION_COUNT_,
};

/* ---- what an answer teaches ---- */

static void keep(char to[LOAD_TOKEN], struct tenure_bytes text)
{
    size_t size = text.size < LOAD_TOKEN ? text.size : LOAD_TOKEN - 1;
    memcpy(to, text.data, size);
    to[size] = '\0';
}

static struct load_book *book_of(struct load_lane *lane)
{
    return &lane->load->books[lane->book];
}

static void learn_create(struct load_lane *lane, const struct tenure_result *result,
                         const void *reply)
{
    const struct tenure_session_create_reply *created = reply;
    if (result->outcome != TENURE_OK || !created->has_token) {
        return;
    }
    struct load_book book = {.id = created->session, .lane = lane->index, .series = lane->series};
    (void)snprintf(book.user, sizeof(book.user), "user-%u-%u", lane->index, lane->series);
    keep(book.token, created->token);
    lane->book = load_book_add(lane->load, &book);
    lane->turn = 0;
    lane->sessions++;
}

static void learn_put(struct load_lane *lane, const struct tenure_result *result)
{
    load_written(lane->load, &book_of(lane)->keys[lane->key], lane->value, result);
}

static void learn_refused(struct load_lane *lane, const struct tenure_result *result)
{
    lane->load->counters.refused++;
    if (tenure_outcome_class(result->outcome) == TENURE_CLASS_DONE) {
        load_complain(lane->load, "a write that has to be refused was accepted at %llu",
                      (unsigned long long)result->position);
    }
}

static void learn_begin(struct load_lane *lane, const struct tenure_result *result,
                        const void *reply)
{
    if (result->outcome == TENURE_OK) {
        lane->task = ((const struct tenure_task_begin_reply *)reply)->task;
        lane->task_book = lane->book;
        lane->has_task = true;
        lane->has_fence = false;
    }
}

static void learn_claim(struct load_lane *lane, const struct tenure_result *result,
                        const void *reply)
{
    const struct tenure_task_claim_reply *claimed = reply;
    if (result->outcome == TENURE_OK && claimed->has_fence) {
        keep(lane->fence, claimed->fence);
        lane->operation = claimed->next;
        lane->has_fence = true;
    }
}

/* Of this session, or of all of the user. */
static void learn_death(struct load_lane *lane, const struct tenure_result *result, bool of_all)
{
    enum tenure_class class = tenure_outcome_class(result->outcome);
    if (class == TENURE_CLASS_REFUSED || class == TENURE_CLASS_RETRY) {
        load_complain(lane->load, "an end was refused: %s", result->message);
        return;
    }
    for (size_t i = 0; i < lane->load->book_count; i++) {
        struct load_book *book = &lane->load->books[i];
        bool meant = i == lane->book ||
                     (of_all && book->lane == lane->index && book->series == lane->series);
        if (meant && book->life != LOAD_DEAD) {
            book->life = class == TENURE_CLASS_DONE ? LOAD_DEAD : LOAD_UNSURE;
        }
    }
    lane->book = SIZE_MAX;
}

/* What each call has to come to while nothing goes wrong; of a lane, not of a reader, who may ask a
 * node that does not lead. The first that does not is told. */
static void count_failure(struct load_lane *lane, const struct tenure_result *result)
{
    bool refused = lane->action == ACTION_CONFLICT || lane->action == ACTION_STALE;
    struct load *load = lane->load;
    if (lane < load->lanes || lane >= load->lanes + LOAD_ROAMERS * LOAD_LANES ||
        tenure_outcome_class(result->outcome) ==
            (refused ? TENURE_CLASS_REFUSED : TENURE_CLASS_DONE)) {
        return;
    }
    if (load->counters.failed++ == 0) {
        (void)snprintf(load->counters.first_failed, sizeof(load->counters.first_failed),
                       "%s of action %u: %.96s", tenure_outcome_name(result->outcome), lane->action,
                       result->message);
    }
}

static void on_answer(void *arg, uint32_t row, const struct tenure_result *result,
                      const void *reply)
{
    struct load_lane *lane = arg;
    (void)row;
    lane->due_us = load_now_us() + load_random(lane->load, THINK_US);
    count_failure(lane, result);
    switch ((enum action)lane->action) {
    case ACTION_CREATE:
        learn_create(lane, result, reply);
        break;
    case ACTION_PUT:
    case ACTION_FENCED:
        learn_put(lane, result);
        break;
    case ACTION_CONFLICT:
    case ACTION_STALE:
        learn_refused(lane, result);
        break;
    case ACTION_BEGIN:
        learn_begin(lane, result, reply);
        break;
    case ACTION_CLAIM:
        learn_claim(lane, result, reply);
        break;
    case ACTION_END:
        learn_death(lane, result, false);
        break;
    case ACTION_REVOKE:
        learn_death(lane, result, true);
        break;
    case ACTION_GET:
    case ACTION_VALIDATE:
    case ACTION_TOUCH:
    case ACTION_COUNT_:
        break;
    }
}

/* ---- calls ---- */

static void call(struct load_lane *lane, enum op_number number, const void *request)
{
    lane->due_us = UINT64_MAX;
    (void)recorder_call(lane->recorder, number, request, on_answer, lane);
}

static void call_create(struct load_lane *lane)
{
    char user[32];
    lane->series = lane->sessions / SERIES_LENGTH;
    (void)snprintf(user, sizeof(user), "user-%u-%u", lane->index, lane->series);
    const struct tenure_session_create_request request = {
        .user = tenure_text(user),
        .agent = tenure_text("agent"),
        .idle = 12 * HOUR,
        .absolute = 24 * HOUR,
        .has_grants = true,
        .grants = {{.permission = tenure_text("state:write")},
                   {.permission = tenure_text("task:begin")},
                   {.permission = tenure_text("task:user")}},
        .grants_count = 3};
    call(lane, OP_session_create, &request);
}

static struct tenure_bytes key_text(char text[8], size_t key)
{
    (void)snprintf(text, 8, "key-%zu", key);
    return tenure_text(text);
}

/* What it expects, or which fence it shows, is what the four kinds of puts differ in. */
static void call_put(struct load_lane *lane, enum action action)
{
    const struct load_book *book = book_of(lane);
    bool refused = action == ACTION_CONFLICT || action == ACTION_STALE;
    bool fenced = action == ACTION_FENCED || action == ACTION_STALE;
    char key[8], value[LOAD_VALUE];
    lane->key = load_random(lane->load, LOAD_KEYS);
    lane->value = ++lane->load->values;
    struct tenure_state_put_request request = {.user = tenure_text(book->user),
                                               .has_token = !fenced,
                                               .token = tenure_text(book->token),
                                               .has_fence = fenced,
                                               .fence = tenure_text(lane->fence),
                                               .has_session = fenced,
                                               .session = book->id,
                                               .has_operation = fenced,
                                               .operation = lane->operation,
                                               .key = key_text(key, lane->key),
                                               .value = load_value(value, lane->value, refused),
                                               .has_expected = action == ACTION_CONFLICT,
                                               .expected = REFUSED_VERSION};
    lane->operation += action == ACTION_FENCED; /* one that is refused uses none up */
    call(lane, OP_state_put, &request);
}

static void call_get(struct load_lane *lane, const struct load_book *book)
{
    char key[8];
    const struct tenure_state_get_request request = {
        .user = tenure_text(book->user),
        .has_token = true,
        .token = tenure_text(book->token),
        .key = key_text(key, load_random(lane->load, LOAD_KEYS))};
    call(lane, OP_state_get, &request);
}

/* Their requests all begin with user and token, and need no more. */
static void call_session(struct load_lane *lane, const struct load_book *book,
                         enum op_number number)
{
    const struct tenure_session_validate_request request = {.user = tenure_text(book->user),
                                                            .token = tenure_text(book->token)};
    _Static_assert(sizeof(request) == sizeof(struct tenure_session_touch_request) &&
                       sizeof(request) >= sizeof(struct tenure_session_end_request),
                   "one list, and its beginning");
    call(lane, number, &request);
}

static void call_begin(struct load_lane *lane)
{
    const struct load_book *book = book_of(lane);
    const struct tenure_task_begin_request request = {.user = tenure_text(book->user),
                                                      .has_token = true,
                                                      .token = tenure_text(book->token),
                                                      .kind = tenure_text("work"),
                                                      .scope = TENURE_TASK_SCOPE_USER,
                                                      .ttl = 24 * HOUR};
    call(lane, OP_task_begin, &request);
}

static void call_claim(struct load_lane *lane)
{
    const struct tenure_task_claim_request request = {
        .user = tenure_text(book_of(lane)->user), .task = lane->task, .lease = HOUR};
    call(lane, OP_task_claim, &request);
}

static void call_revoke(struct load_lane *lane)
{
    const struct tenure_revoke_user_request request = {.user = tenure_text(book_of(lane)->user)};
    call(lane, OP_revoke_user, &request);
}

/* ---- choosing ---- */

/* How often, of a hundred; what cannot be done now is a put. */
static enum action draw(struct load_lane *lane)
{
    static const struct {
        enum action action;
        unsigned share;
    } mix[] = {{ACTION_PUT, 40},  {ACTION_CONFLICT, 8}, {ACTION_GET, 15},  {ACTION_VALIDATE, 7},
               {ACTION_TOUCH, 5}, {ACTION_FENCED, 15},  {ACTION_STALE, 10}};
    uint64_t at = load_random(lane->load, 100);
    for (size_t i = 0; i < sizeof(mix) / sizeof(mix[0]); i++) {
        if (at < mix[i].share) {
            return mix[i].action;
        }
        at -= mix[i].share;
    }
    return ACTION_PUT;
}

static enum action choose(struct load_lane *lane)
{
    if (lane->book == SIZE_MAX) {
        return ACTION_CREATE;
    }
    bool own = lane->has_task && lane->task_book == lane->book;
    if (lane->turn++ == TURNS) {
        uint64_t end = load_random(lane->load, 5); /* two of five stay alive */
        return end < 2 ? ACTION_END : end == 2 ? ACTION_REVOKE : ACTION_CREATE;
    }
    if (own && !lane->has_fence) {
        return ACTION_CLAIM;
    }
    if (!own && lane->turn > TURNS / 2) {
        return ACTION_BEGIN;
    }
    enum action action = draw(lane);
    if ((action == ACTION_FENCED && !own) ||
        (action == ACTION_STALE &&
         (own || !lane->has_fence || lane->load->books[lane->task_book].series != lane->series))) {
        return ACTION_PUT;
    }
    return action;
}

static void act(struct load_lane *lane)
{
    enum action action = choose(lane);
    lane->action = action;
    switch (action) {
    case ACTION_CREATE:
        call_create(lane);
        break;
    case ACTION_PUT:
    case ACTION_CONFLICT:
    case ACTION_FENCED:
    case ACTION_STALE:
        call_put(lane, action);
        break;
    case ACTION_GET:
        call_get(lane, book_of(lane));
        break;
    case ACTION_VALIDATE:
        call_session(lane, book_of(lane), OP_session_validate);
        break;
    case ACTION_TOUCH:
        call_session(lane, book_of(lane), OP_session_touch);
        break;
    case ACTION_BEGIN:
        call_begin(lane);
        break;
    case ACTION_CLAIM:
        call_claim(lane);
        break;
    case ACTION_END:
        call_session(lane, book_of(lane), OP_session_end);
        break;
    case ACTION_REVOKE:
        call_revoke(lane);
        break;
    case ACTION_COUNT_:
        break;
    }
}

/* A reader asks one node alone about what the lanes do. */
static void look(struct load_lane *reader)
{
    struct load *load = reader->load;
    const struct load_lane *lane = &load->lanes[load_random(load, LOAD_ROAMERS * LOAD_LANES)];
    if (lane->book == SIZE_MAX) {
        reader->due_us = load_now_us() + THINK_US;
        return;
    }
    bool gets = load_random(load, 2) == 0;
    reader->action = gets ? ACTION_GET : ACTION_VALIDATE;
    if (gets) {
        call_get(reader, &load->books[lane->book]);
    } else {
        call_session(reader, &load->books[lane->book], OP_session_validate);
    }
}

/* ---- life ---- */

void lanes_init(struct load *load)
{
    for (uint32_t i = 0; i < LOAD_ROAMERS * LOAD_LANES; i++) {
        load->lanes[i] = (struct load_lane){.load = load,
                                            .recorder = &load->roamers[i % LOAD_ROAMERS],
                                            .index = i,
                                            .book = SIZE_MAX};
    }
    for (uint32_t i = 0; i < load->remote.count * LOAD_READERS; i++) {
        load->readers[i] = (struct load_lane){.load = load,
                                              .recorder = &load->stayers[i % load->remote.count],
                                              .index = i,
                                              .book = SIZE_MAX};
    }
}

static uint64_t step(struct load_lane *lanes, size_t count, uint64_t now,
                     void (*begin)(struct load_lane *lane))
{
    uint64_t next = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (!lanes[i].load->quiet && lanes[i].due_us <= now) {
            begin(&lanes[i]);
        }
        next = lanes[i].due_us < next ? lanes[i].due_us : next;
    }
    return next;
}

uint64_t lanes_step(struct load *load)
{
    uint64_t now = load_now_us();
    uint64_t lanes = step(load->lanes, LOAD_ROAMERS * LOAD_LANES, now, act);
    uint64_t readers = step(load->readers, load->remote.count * LOAD_READERS, now, look);
    return lanes < readers ? lanes : readers;
}
