/* Reads in front of a leader that stands still: the other nodes elect one that writes, and only
 * then the reads are sent to the old one, which finds them when it goes on. Whatever it answers has
 * to be true then.
 */
#include "tests/cluster/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR UINT64_C(3600000000)

enum { HELD_READS = 8, HELD_USER_MAX = 32 };

/* Each of the other nodes tries; the one that leads gets to its end. */
enum step { STEP_CREATE, STEP_PUT, STEP_END, STEP_OVER };

struct writer {
    struct held *held;
    struct recorder *recorder;
    size_t node;
    enum step step;
    size_t written, ended; /* sessions: one gets a value, one is ended */
    uint64_t value;
};

struct held {
    struct load *load;
    size_t away;
    unsigned references; /* open calls, and whoever began it */
    bool over;           /* a writer got to its end */
    bool sent;
    struct writer writers[REMOTE_NODES_MAX];
    char user[HELD_USER_MAX];
};

static void write_next(struct writer *writer);

static void let_go(struct held *held)
{
    if (--held->references == 0) {
        free(held);
    }
}

static void call(struct held *held, struct recorder *recorder, enum op_number number,
                 const void *request, recorder_cb callback, void *arg)
{
    held->references++;
    (void)recorder_call(recorder, number, request, callback, arg);
}

/* ---- the reads ---- */

static void on_read(void *arg, uint32_t row, const struct tenure_result *result, const void *reply)
{
    struct held *held = arg;
    (void)row;
    (void)reply;
    enum tenure_class class = tenure_outcome_class(result->outcome);
    held->load->counters.held += class != TENURE_CLASS_UNKNOWN;
    held->load->counters.held_refused += class == TENURE_CLASS_RETRY;
    let_go(held);
}

static void read_all(struct held *held, const struct writer *writer)
{
    struct recorder *recorder = &held->load->stayers[held->away];
    const struct load_book *written = &held->load->books[writer->written];
    const struct load_book *ended = &held->load->books[writer->ended];
    const struct tenure_state_get_request get = {.user = tenure_text(written->user),
                                                 .has_token = true,
                                                 .token = tenure_text(written->token),
                                                 .key = tenure_text("key-0")};
    const struct tenure_session_validate_request validate = {.user = tenure_text(ended->user),
                                                             .token = tenure_text(ended->token)};
    for (size_t i = 0; i < HELD_READS; i++) {
        call(held, recorder, OP_state_get, &get, on_read, held);
        call(held, recorder, OP_session_validate, &validate, on_read, held);
    }
    held->sent = true;
}

/* ---- the writes ---- */

static void on_created(struct writer *writer, const struct tenure_session_create_reply *reply)
{
    struct load *load = writer->held->load;
    struct load_book book = {.id = reply->session, .lane = UINT32_MAX};
    if (!reply->has_token || reply->token.size >= LOAD_TOKEN) {
        return;
    }
    memcpy(book.user, writer->held->user, sizeof(book.user));
    memcpy(book.token, reply->token.data, reply->token.size);
    size_t *to = writer->written == SIZE_MAX ? &writer->written : &writer->ended;
    *to = load_book_add(load, &book);
    if (writer->ended != SIZE_MAX) {
        writer->step = STEP_PUT;
    }
}

static void on_ended(struct writer *writer, const struct tenure_result *result)
{
    struct load_book *book = &writer->held->load->books[writer->ended];
    enum tenure_class class = tenure_outcome_class(result->outcome);
    if (class == TENURE_CLASS_DONE) {
        book->life = LOAD_DEAD;
        writer->step = STEP_OVER;
    } else if (class == TENURE_CLASS_UNKNOWN) {
        book->life = LOAD_UNSURE;
        writer->step = STEP_CREATE; /* another one, or the reads could say anything */
        writer->ended = SIZE_MAX;
    }
}

static void on_written(void *arg, uint32_t row, const struct tenure_result *result,
                       const void *reply)
{
    struct writer *writer = arg;
    struct held *held = writer->held;
    bool done = tenure_outcome_class(result->outcome) == TENURE_CLASS_DONE;
    (void)row;
    switch (writer->step) {
    case STEP_CREATE:
        if (done) {
            on_created(writer, reply);
        }
        break;
    case STEP_PUT:
        load_written(held->load, &held->load->books[writer->written].keys[0], writer->value,
                     result);
        writer->step = done ? STEP_END : STEP_PUT;
        break;
    case STEP_END:
        on_ended(writer, result);
        break;
    case STEP_OVER:
        break;
    }
    if (writer->step == STEP_OVER && !held->over) {
        held->over = true;
        read_all(held, writer);
    } else if (writer->step != STEP_OVER && !held->over && !held->load->quiet) {
        write_next(writer);
    }
    let_go(held);
}

static void create(struct writer *writer)
{
    const struct tenure_session_create_request request = {
        .user = tenure_text(writer->held->user),
        .agent = tenure_text("held"),
        .idle = 12 * HOUR,
        .absolute = 24 * HOUR,
        .has_grants = true,
        .grants = {{.permission = tenure_text("state:write")}},
        .grants_count = 1};
    call(writer->held, writer->recorder, OP_session_create, &request, on_written, writer);
}

static void put(struct writer *writer)
{
    const struct load_book *book = &writer->held->load->books[writer->written];
    char value[LOAD_VALUE];
    writer->value = ++writer->held->load->values;
    const struct tenure_state_put_request request = {
        .user = tenure_text(book->user),
        .has_token = true,
        .token = tenure_text(book->token),
        .key = tenure_text("key-0"),
        .value = load_value(value, writer->value, false)};
    call(writer->held, writer->recorder, OP_state_put, &request, on_written, writer);
}

static void finish(struct writer *writer)
{
    const struct load_book *book = &writer->held->load->books[writer->ended];
    const struct tenure_session_end_request request = {.user = tenure_text(book->user),
                                                       .token = tenure_text(book->token)};
    call(writer->held, writer->recorder, OP_session_end, &request, on_written, writer);
}

static void write_next(struct writer *writer)
{
    switch (writer->step) {
    case STEP_CREATE:
        create(writer);
        break;
    case STEP_PUT:
        put(writer);
        break;
    case STEP_END:
        finish(writer);
        break;
    case STEP_OVER:
        break;
    }
}

/* ---- life ---- */

void held_begin(struct load *load, struct held **held, size_t away)
{
    struct held *made = calloc(1, sizeof(*made));
    if (made == NULL) {
        abort();
    }
    *held = made;
    made->load = load;
    made->away = away;
    made->references = 1;
    (void)snprintf(made->user, sizeof(made->user), "held-%llu", (unsigned long long)++load->values);
    for (size_t i = 0; i < load->remote.count; i++) {
        made->writers[i] = (struct writer){.held = made,
                                           .recorder = &load->stayers[i],
                                           .node = i,
                                           .written = SIZE_MAX,
                                           .ended = SIZE_MAX};
        if (i != away) {
            write_next(&made->writers[i]);
        }
    }
}

bool held_sent(const struct held *held)
{
    return held->sent;
}

void held_destroy(struct held *held)
{
    if (held != NULL) {
        held->over = true; /* whoever still tries may stop */
        let_go(held);
    }
}
