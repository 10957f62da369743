/* The law of a session's state: who may write and read it. docs/MODEL.md sections 2, 5 and 8. */
#include "jepsen/model/rules.h"

#include "base/hash.h"

/* A put or a delete. */
struct change {
    bool has_token, has_fence, has_session, has_operation, has_expected, is_put;
    const struct op_token *token, *fence;
    struct id128 session;
    uint64_t operation, expected;
    struct bytes key, value;
};

static struct change change_of(const struct model_op *op)
{
    const struct op_state_put_request *put = &op->request->state_put;
    const struct op_state_delete_request *delete = &op->request->state_delete;

    if (op->f == OP_state_put) {
        return (struct change){
            put->has_token, put->has_fence, put->has_session, put->has_operation, put->has_expected,
            true,           &put->token,    &put->fence,      put->session,       put->operation,
            put->expected,  put->key,       put->value};
    }
    return (struct change){delete->has_token,
                           delete->has_fence,
                           delete->has_session,
                           delete->has_operation,
                           delete->has_expected,
                           false,
                           &delete->token,
                           &delete->fence,
                           delete->session,
                           delete->operation,
                           delete->expected,
                           delete->key,
                           BYTES_NONE};
}

/* What a change's (task, n) stands for. */
static uint64_t change_digest(struct model *model, const struct change *change)
{
    static const struct siphash_key key = {{2}};
    uint32_t parts[7] = {state_id(model, change->session),
                         state_name(model, change->key),
                         change->is_put ? state_name(model, change->value) : 0,
                         change->is_put,
                         change->has_expected,
                         (uint32_t)change->expected,
                         (uint32_t)(change->expected >> 32)};

    return base_siphash64(&key, bytes_of(parts, sizeof parts));
}

/* Compare and set: what was expected and is not there refuses. */
static bool expect_version(struct model *model, const struct change *change, uint32_t session,
                           struct model_expect *expect)
{
    const struct key *key = state_key(&model->sessions[session], state_name(model, change->key));
    uint64_t version = key == NULL ? 0 : key->version;

    if (!change->has_expected || change->expected == version ||
        model->mutation == MODEL_MUTATION_EXPECTED_IGNORED) {
        return true;
    }
    expect_refusal(expect, OP_CONFLICT, MODEL_S1, "the key has another version");
    expect->details.has_version = true;
    expect->details.version = version;
    return false;
}

/* The session that a task names, of its own tenant and user, or 0 after refusing: W2. */
static uint32_t expect_named(struct model *model, const struct ask *ask, uint32_t task,
                             struct id128 id, struct model_expect *expect)
{
    uint32_t session = state_session_of(model, id);
    const struct session *of = &model->sessions[session];
    const struct task *from = &model->tasks[task];

    if (session == 0 || (model->mutation != MODEL_MUTATION_W2 &&
                         (of->tenant != from->tenant || of->user != from->user))) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S3,
                       "W2: task and session are not of one tenant and user");
        return 0;
    }
    if (session != from->session && life_forgotten(model, of, ask->time)) {
        expect_also(expect, OP_NOT_FOUND);
    }
    return session;
}

static void expect_space(struct model *model, const struct ask *ask, uint32_t session,
                         struct model_expect *expect)
{
    const struct op_state_put_request *request = &ask->op->request->state_put;
    struct session *of = &model->sessions[session];
    struct key *known = state_key(of, state_name(model, request->key));
    uint64_t bytes = of->state_bytes + request->key.size + request->value.size;

    if (known == NULL && of->key_count >= model->limits.session_keys_max) {
        expect_refusal(expect, OP_LIMIT, MODEL_S1, "the session has all the keys it may have");
    }
    if (bytes > model->limits.session_state_bytes_max / 2) {
        expect_also(expect, OP_LIMIT); /* how bytes are counted is not said */
    }
    if (known != NULL) {
        bytes -= request->key.size + model_names_bytes(model->names, known->value).size;
    }
    expect_quota(model, ask, OP_QUOTA_SESSION_KEYS, (struct tally){of->key_count, 0},
                 known == NULL ? 1 : 0, expect);
    expect_byte_quotas(model, ask, session, bytes, expect);
}

/* The session that may be changed, or 0; `ret_again`: what was answered to a known (task, n). */
static uint32_t expect_change_by_task(struct model *model, const struct ask *ask,
                                      const struct change *change, struct model_expect *expect,
                                      const struct done **ret_again)
{
    uint32_t task = expect_task(model, ask, change->fence, expect);
    uint32_t session;

    if (task == 0) {
        return 0;
    }
    session = expect_named(model, ask, task, change->session, expect);
    if (session == 0 ||
        expect_number(model, &model->tasks[task], change->operation, change_digest(model, change),
                      expect, ret_again) ||
        expect_fence(model, ask, task, session, "state:write", change->fence, expect)) {
        return 0;
    }
    return session;
}

/* As above, by a task or by the session itself. */
static uint32_t expect_change(struct model *model, const struct ask *ask,
                              const struct change *change, struct model_expect *expect,
                              const struct done **ret_again)
{
    uint32_t session, permission = ask_permission(model, "state:write");

    *ret_again = NULL;
    if (change->has_token == change->has_fence ||
        (change->has_fence && (!change->has_session || !change->has_operation))) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "token, or fence, session and operation");
        expect_also(expect, OP_NOT_FOUND);
        return 0;
    }
    if (change->has_fence) {
        return expect_change_by_task(model, ask, change, expect, ret_again);
    }
    session = expect_session(model, ask, change->token, expect);
    if (session != 0 &&
        life_holds(model, &model->sessions[session], permission, ask->time) == NULL &&
        model->mutation != MODEL_MUTATION_PERMISSION_IGNORED) {
        expect_refusal(expect, OP_DENIED, MODEL_S12, "the session does not hold state:write");
        return 0;
    }
    return session;
}

void expect_state_put(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    struct op_state_put_reply *reply = &expect->reply.state_put;
    struct change change = change_of(ask->op);
    const struct done *again;
    uint32_t session = expect_change(model, ask, &change, expect, &again);

    reply->session = change.has_fence ? change.session : change.token->id;
    reply->version = again != NULL ? again->version : ask->op->position;
    if (session != 0 && expect_version(model, &change, session, expect)) {
        expect_space(model, ask, session, expect);
    }
}

void expect_state_delete(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    struct op_state_delete_reply *reply = &expect->reply.state_delete;
    struct change change = change_of(ask->op);
    const struct done *again;
    uint32_t session = expect_change(model, ask, &change, expect, &again);
    const struct key *key = state_key(&model->sessions[session], state_name(model, change.key));

    reply->session = change.has_fence ? change.session : change.token->id;
    reply->deleted = again != NULL ? again->version : ask->op->position;
    if (again != NULL) {
        expect->free_tags = TAG(3);
    } else if (session != 0 && expect_version(model, &change, session, expect)) {
        reply->version = key == NULL ? 0 : key->version;
    }
}

static void write_key(struct model *model, const struct op_state_put_request *request,
                      struct session *session, uint32_t writer, uint64_t version)
{
    uint32_t name = state_name(model, request->key);
    struct key *key = state_key(session, name);

    if (key == NULL) {
        session->keys = model_names_grow(session->keys, &session->key_capacity,
                                         session->key_count + 1, sizeof *session->keys);
        key = &session->keys[session->key_count++];
        key->key = name;
        session->state_bytes += request->key.size;
    } else {
        session->state_bytes -= model_names_bytes(model->names, key->value).size;
    }
    session->state_bytes += request->value.size;
    key->value = state_name(model, request->value);
    key->writer = writer;
    key->version = version;
}

/* The session that is changed, or NULL: a known (task, n) is only told again. */
static struct session *apply_change(struct model *model, const struct ask *ask, uint64_t version,
                                    uint32_t *ret_writer)
{
    struct change change = change_of(ask->op);
    struct task *task;

    *ret_writer = change.has_fence ? state_task_of(model, change.fence->id) : 0;
    task = &model->tasks[*ret_writer];
    if (version != ask->op->position || (*ret_writer != 0 && model->mutation != MODEL_MUTATION_W9 &&
                                         state_done(task, change.operation) != NULL)) {
        return NULL;
    }
    if (*ret_writer != 0) {
        state_done_add(task, (struct done){.n = change.operation,
                                           .digest = change_digest(model, &change),
                                           .version = version});
    }
    return &model->sessions[state_session_of(model,
                                             *ret_writer != 0 ? change.session : change.token->id)];
}

void apply_state_put(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    uint64_t version = answer->reply.state_put.version;
    uint32_t writer;
    struct session *session = apply_change(model, ask, version, &writer);

    if (session != NULL &&
        (model->mutation != MODEL_MUTATION_LOST_WRITE || ++model->writes % 8 != 0)) {
        write_key(model, &ask->op->request->state_put, session, writer, version);
    }
}

void apply_state_delete(struct model *model, const struct ask *ask,
                        const struct model_answer *answer)
{
    struct bytes name = ask->op->request->state_delete.key;
    uint32_t writer;
    struct session *session = apply_change(model, ask, answer->reply.state_delete.deleted, &writer);
    struct key *key = session == NULL ? NULL : state_key(session, state_name(model, name));

    if (key != NULL && model->mutation != MODEL_MUTATION_DELETE_IGNORED) {
        session->state_bytes -= name.size + model_names_bytes(model->names, key->value).size;
        *key = session->keys[--session->key_count];
    }
}

static void show_key(struct model *model, const struct op_state_get_request *request,
                     uint32_t session, struct op_state_get_reply *reply)
{
    const struct key *key = state_key(&model->sessions[session], state_name(model, request->key));

    if (key == NULL) {
        return;
    }
    reply->version = key->version;
    reply->value = model_names_bytes(model->names, key->value);
    reply->has_writer = key->writer != 0;
    if (reply->has_writer) {
        reply->writer = state_id_of(model, model->tasks[key->writer].id);
    }
}

uint32_t expect_state_read(struct model *model, const struct ask *ask,
                           const struct state_reader *reader, struct model_expect *expect)
{
    uint32_t session, task;

    if ((reader->token == NULL) == (reader->fence == NULL) ||
        (reader->fence == NULL && reader->session != NULL)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "token, or fence and perhaps session");
        expect_also(expect, OP_NOT_FOUND);
        return 0;
    }
    if (reader->fence == NULL) {
        return expect_session(model, ask, reader->token, expect);
    }
    task = expect_task(model, ask, reader->fence, expect);
    session = task == 0                 ? 0
              : reader->session == NULL ? model->tasks[task].session /* its own */
                                        : expect_named(model, ask, task, *reader->session, expect);
    if (session != 0 && expect_fence(model, ask, task, session, "", reader->fence, expect)) {
        return 0; /* a task's reads obey W1–W8; nothing is needed, so W7 is met */
    }
    return session;
}

void expect_state_get(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_state_get_request *request = &ask->op->request->state_get;
    const struct state_reader reader = {.token = request->has_token ? &request->token : NULL,
                                        .fence = request->has_fence ? &request->fence : NULL,
                                        .session = request->has_session ? &request->session : NULL};
    uint32_t session = expect_state_read(model, ask, &reader, expect);

    if (session != 0) {
        expect->reply.state_get.session = state_id_of(model, model->sessions[session].id);
        show_key(model, request, session, &expect->reply.state_get);
    }
}

void apply_state_get(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}
