/* Lists, and how things are found in them. Decides nothing. */
#include "jepsen/model/state.h"

#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct model *model_create(struct names *names, const struct op_limits *limits)
{
    struct model *model = calloc(1, sizeof *model);

    ASSERT(model != NULL);
    model->names = names;
    model->limits = *limits;
    model->sessions = model_names_grow(NULL, &model->session_capacity, 1, sizeof *model->sessions);
    model->session_count = 1;
    model->tasks = model_names_grow(NULL, &model->task_capacity, 1, sizeof *model->tasks);
    model->task_count = 1;
    return model;
}

static void marks_free(struct marks *marks, uint32_t end)
{
    for (uint32_t i = 0; i < end; i++) {
        free(marks[i].items);
    }
    free(marks);
}

void model_destroy(struct model *model)
{
    if (model == NULL) {
        return;
    }
    for (uint32_t i = 0; i < model->session_count; i++) {
        free(model->sessions[i].grants);
        free(model->sessions[i].keys);
        free(model->sessions[i].task_ends);
    }
    for (uint32_t i = 0; i < model->task_count; i++) {
        free(model->tasks[i].pairs);
        free(model->tasks[i].targets);
        free(model->tasks[i].done);
    }
    for (uint32_t i = 0; i < model->client_count; i++) {
        free(model->clients[i].records);
    }
    marks_free(model->user_marks, model->user_mark_end);
    marks_free(model->agent_marks, model->agent_mark_end);
    free(model->sessions);
    free(model->tasks);
    free(model->clients);
    free(model->policies);
    free(model->session_of);
    free(model->task_of);
    free(model);
}

void model_mutate(struct model *model, enum model_mutation mutation)
{
    model->mutation = mutation;
}

uint32_t state_name(struct model *model, struct bytes text)
{
    return model_names_number(model->names, text);
}

uint32_t state_id(struct model *model, struct id128 id)
{
    return model_names_number(model->names, bytes_of(id.bytes, sizeof id.bytes));
}

struct id128 state_id_of(const struct model *model, uint32_t number)
{
    struct bytes bytes = model_names_bytes(model->names, number);
    struct id128 id;

    ASSERT(bytes.size == sizeof id.bytes);
    memcpy(id.bytes, bytes.data, sizeof id.bytes);
    return id;
}

uint32_t state_secret(struct model *model, const struct op_token *token)
{
    return model_names_number(model->names, bytes_of(token->secret, sizeof token->secret));
}

static uint32_t object_of(const uint32_t *objects, uint32_t end, uint32_t name)
{
    return name < end ? objects[name] : 0;
}

uint32_t state_session_of(struct model *model, struct id128 id)
{
    return object_of(model->session_of, model->session_of_end, state_id(model, id));
}

uint32_t state_task_of(struct model *model, struct id128 id)
{
    return object_of(model->task_of, model->task_of_end, state_id(model, id));
}

struct session *state_session_add(struct model *model, struct id128 id)
{
    uint32_t name = state_id(model, id);
    struct session *session;

    model->sessions = model_names_grow(model->sessions, &model->session_capacity,
                                       model->session_count + 1, sizeof *model->sessions);
    model->session_of = model_names_grow(model->session_of, &model->session_of_end, name + 1,
                                         sizeof *model->session_of);
    model->session_of[name] = model->session_count;
    session = &model->sessions[model->session_count++];
    session->id = name;
    return session;
}

struct task *state_task_add(struct model *model, struct id128 id)
{
    uint32_t name = state_id(model, id);
    struct task *task;

    model->tasks = model_names_grow(model->tasks, &model->task_capacity, model->task_count + 1,
                                    sizeof *model->tasks);
    model->task_of = model_names_grow(model->task_of, &model->task_of_end, name + 1,
                                      sizeof *model->task_of);
    model->task_of[name] = model->task_count;
    task = &model->tasks[model->task_count++];
    task->id = name;
    return task;
}

struct client *state_client_of(struct model *model, uint64_t id)
{
    for (uint32_t i = 0; i < model->client_count; i++) {
        if (model->clients[i].id == id) {
            return &model->clients[i];
        }
    }
    return NULL;
}

struct client *state_client_add(struct model *model, uint64_t id)
{
    struct client *client;

    model->clients = model_names_grow(model->clients, &model->client_capacity,
                                      model->client_count + 1, sizeof *model->clients);
    client = &model->clients[model->client_count++];
    client->id = id;
    return client;
}

/* How many of its records have a number of at most `number`. */
static uint32_t records_up_to(const struct client *client, uint64_t number)
{
    uint32_t at = client->count;

    while (at > 0 && client->records[at - 1].number > number) {
        at--;
    }
    return at;
}

struct record *state_record(struct client *client, uint64_t number)
{
    uint32_t at = records_up_to(client, number);

    return at > 0 && client->records[at - 1].number == number ? &client->records[at - 1] : NULL;
}

void state_record_add(struct client *client, struct record record)
{
    uint32_t at = records_up_to(client, record.number);

    client->records = model_names_grow_raw(client->records, &client->capacity, client->count + 1,
                                           sizeof *client->records);
    memmove(client->records + at + 1, client->records + at,
            (client->count - at) * sizeof *client->records);
    client->count++;
    client->records[at] = record;
}

void state_mark_add(struct model *model, bool of_agent, uint32_t name, struct mark mark)
{
    struct marks **all = of_agent ? &model->agent_marks : &model->user_marks;
    uint32_t *end = of_agent ? &model->agent_mark_end : &model->user_mark_end;
    struct marks *marks;

    *all = model_names_grow(*all, end, name + 1, sizeof **all);
    marks = &(*all)[name];
    marks->items = model_names_grow(marks->items, &marks->capacity, marks->count + 1,
                                    sizeof *marks->items);
    marks->items[marks->count++] = mark;
}

struct key *state_key(struct session *session, uint32_t key)
{
    for (uint32_t i = 0; i < session->key_count; i++) {
        if (session->keys[i].key == key) {
            return &session->keys[i];
        }
    }
    return NULL;
}

struct grant *state_grant(struct session *session, uint32_t permission)
{
    for (uint32_t i = 0; i < session->grant_count; i++) {
        if (session->grants[i].permission == permission) {
            return &session->grants[i];
        }
    }
    return NULL;
}

struct done *state_done(struct task *task, uint64_t n)
{
    /* What lies further back than two windows has left the window. */
    for (uint32_t i = task->done_count; i > 0 && task->done_count - i < 2 * WINDOW; i--) {
        if (task->done[i - 1].n == n) {
            return &task->done[i - 1];
        }
    }
    return NULL;
}

void state_done_add(struct task *task, struct done done)
{
    task->done = model_names_grow(task->done, &task->done_capacity, task->done_count + 1,
                                  sizeof *task->done);
    task->done[task->done_count++] = done;
    task->newest = u64_max(task->newest, done.n);
}
