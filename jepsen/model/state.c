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
    model->covers = model_names_grow(NULL, &model->cover_capacity, 1, sizeof *model->covers);
    model->cover_count = 1;
    return model;
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
        free(model->tasks[i].left);
        free(model->tasks[i].done);
    }
    for (uint32_t i = 0; i < model->client_count; i++) {
        free(model->clients[i].records);
    }
    for (uint32_t i = 0; i < model->cover_count; i++) {
        free(model->covers[i].marks);
    }
    free(model->covers);
    free(model->cover_of);
    free(model->sessions);
    free(model->tasks);
    free(model->clients);
    free(model->policies);
    free(model->quotas);
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

void state_session_name(struct model *model, struct session *session, struct id128 id)
{
    uint32_t name = state_id(model, id);

    model->session_of = model_names_grow(model->session_of, &model->session_of_end, name + 1,
                                         sizeof *model->session_of);
    model->session_of[name] = (uint32_t)(session - model->sessions);
    session->id = name;
    session->unnamed = false;
}

void state_task_name(struct model *model, struct task *task, struct id128 id)
{
    uint32_t name = state_id(model, id);

    model->task_of = model_names_grow(model->task_of, &model->task_of_end, name + 1,
                                      sizeof *model->task_of);
    model->task_of[name] = (uint32_t)(task - model->tasks);
    task->id = name;
    task->unnamed = false;
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

/* A name that no text has: kind, tenant and name side by side. */
static uint32_t cover_name(struct model *model, enum cover_kind kind, uint32_t tenant,
                           uint32_t name)
{
    uint32_t parts[3] = {kind, kind == COVER_ALL ? 0 : tenant,
                         kind == COVER_USER || kind == COVER_AGENT ? name : 0};
    uint8_t bytes[sizeof parts + 1] = {0};

    memcpy(bytes + 1, parts, sizeof parts);
    return model_names_number(model->names, bytes_of(bytes, sizeof bytes));
}

uint32_t state_cover_of(struct model *model, enum cover_kind kind, uint32_t tenant, uint32_t name)
{
    return object_of(model->cover_of, model->cover_of_end, cover_name(model, kind, tenant, name));
}

uint32_t state_cover(struct model *model, enum cover_kind kind, uint32_t tenant, uint32_t name)
{
    uint32_t number = cover_name(model, kind, tenant, name);
    uint32_t cover = object_of(model->cover_of, model->cover_of_end, number);

    if (cover != 0) {
        return cover;
    }
    cover = model->cover_count;
    model->covers = model_names_grow(model->covers, &model->cover_capacity, model->cover_count + 1,
                                     sizeof *model->covers);
    model->cover_of = model_names_grow(model->cover_of, &model->cover_of_end, number + 1,
                                       sizeof *model->cover_of);
    model->cover_of[number] = model->cover_count++;
    model->covers[cover].kind = kind;
    model->covers[cover].tenant = kind == COVER_ALL ? 0 : tenant;
    return cover;
}

/* Section 10: a revoke moves the newest watermark when nothing is below it. Nothing surely is where
 * nobody was created between that and the one before. */
void state_mark_add(struct model *model, uint32_t cover, struct mark mark)
{
    struct cover *of = &model->covers[cover];

    of->marks = model_names_grow(of->marks, &of->mark_capacity, of->mark_count + 1,
                                 sizeof *of->marks);
    of->marks[of->mark_count++] = mark;
    of->kept += of->kept == 0 || !of->newest_alone;
    of->newest_alone = of->fresh == 0;
    of->fresh = 0;
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
