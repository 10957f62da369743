/* The law of a session's state: who may write and read it. docs/MODEL.md sections 2, 5 and 8. */
#include "jepsen/model/rules.h"

#include "base/hash.h"

/* What a write's (task, n) stands for. */
static uint64_t put_digest(struct model *model, const struct op_state_put_request *request)
{
    static const struct siphash_key key = {{2}};
    uint32_t parts[3] = {state_id(model, request->session), state_name(model, request->key),
                         state_name(model, request->value)};

    return base_siphash64(&key, bytes_of(parts, sizeof parts));
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

static void expect_space(struct model *model, const struct op_state_put_request *request,
                         uint32_t session, struct model_expect *expect)
{
    struct session *of = &model->sessions[session];
    bool known = state_key(of, state_name(model, request->key)) != NULL;
    uint64_t bytes = of->state_bytes + request->key.size + request->value.size;

    if (!known && of->key_count >= model->limits.session_keys_max) {
        expect_refusal(expect, OP_LIMIT, MODEL_S1, "the session has all the keys it may have");
    }
    if (bytes > model->limits.session_state_bytes_max / 2) {
        expect_also(expect, OP_LIMIT); /* how bytes are counted is not said */
    }
}

static void expect_put_by_task(struct model *model, const struct ask *ask,
                               struct model_expect *expect)
{
    const struct op_state_put_request *request = &ask->op->request->state_put;
    struct op_state_put_reply *reply = &expect->reply.state_put;
    uint32_t task = expect_task(model, ask, &request->fence, expect);
    const struct done *done;
    uint32_t session;

    if (task == 0) {
        return;
    }
    session = expect_named(model, ask, task, request->session, expect);
    if (session == 0) {
        return;
    }
    reply->session = request->session;
    reply->version = ask->op->position;
    if (expect_number(model, &model->tasks[task], request->operation, put_digest(model, request),
                      expect, &done)) {
        reply->version = done != NULL ? done->version : 0;
        return;
    }
    if (!expect_fence(model, ask, task, session, "state:write", &request->fence, expect)) {
        expect_space(model, request, session, expect);
    }
}

void expect_state_put(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_state_put_request *request = &ask->op->request->state_put;
    uint32_t session, permission = ask_permission(model, "state:write");

    if (request->has_token == request->has_fence ||
        (request->has_fence && (!request->has_session || !request->has_operation))) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "token, or fence, session and operation");
        expect_also(expect, OP_NOT_FOUND);
        return;
    }
    if (request->has_fence) {
        expect_put_by_task(model, ask, expect);
        return;
    }
    session = expect_session(model, ask, &request->token, expect);
    if (session == 0) {
        return;
    }
    if (life_holds(model, &model->sessions[session], permission, ask->time) == NULL &&
        model->mutation != MODEL_MUTATION_PERMISSION_IGNORED) {
        expect_refusal(expect, OP_DENIED, MODEL_S12, "the session does not hold state:write");
        return;
    }
    expect->reply.state_put.session = request->token.id;
    expect->reply.state_put.version = ask->op->position;
    expect_space(model, request, session, expect);
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

void apply_state_put(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    const struct op_state_put_request *request = &ask->op->request->state_put;
    uint64_t version = answer->reply.state_put.version;
    uint32_t writer = request->has_fence ? state_task_of(model, request->fence.id) : 0;
    struct session *session = &model->sessions[state_session_of(
        model, writer != 0 ? request->session : request->token.id)];
    struct task *task = &model->tasks[writer];

    if (version != ask->op->position || (writer != 0 && model->mutation != MODEL_MUTATION_W9 &&
                                         state_done(task, request->operation) != NULL)) {
        return; /* a known (task, n), told again */
    }
    if (writer != 0) {
        state_done_add(task, (struct done){.n = request->operation,
                                           .digest = put_digest(model, request),
                                           .version = version});
    }
    if (model->mutation != MODEL_MUTATION_LOST_WRITE || ++model->writes % 8 != 0) {
        write_key(model, request, session, writer, version);
    }
}

static void show_key(struct model *model, const struct op_state_get_request *request,
                     uint32_t session, struct op_state_get_reply *reply)
{
    const struct key *key = state_key(&model->sessions[session], state_name(model, request->key));
    struct bytes writer;

    if (key == NULL) {
        return;
    }
    reply->version = key->version;
    reply->value = model_names_bytes(model->names, key->value);
    reply->has_writer = key->writer != 0;
    if (reply->has_writer) {
        writer = model_names_bytes(model->names, model->tasks[key->writer].id);
        for (size_t i = 0; i < sizeof reply->writer.bytes; i++) {
            reply->writer.bytes[i] = writer.data[i];
        }
    }
}

void expect_state_get(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_state_get_request *request = &ask->op->request->state_get;
    uint32_t session, task;

    if (request->has_token == request->has_fence || (request->has_fence && !request->has_session)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "token, or fence and session");
        expect_also(expect, OP_NOT_FOUND);
        return;
    }
    if (!request->has_fence) {
        session = expect_session(model, ask, &request->token, expect);
    } else {
        task = expect_task(model, ask, &request->fence, expect);
        session = task == 0 ? 0 : expect_named(model, ask, task, request->session, expect);
        if (session != 0 && expect_fence(model, ask, task, session, "", &request->fence, expect)) {
            return; /* a task's reads obey W1–W8; nothing is needed, so W7 is met */
        }
    }
    if (session == 0) {
        return;
    }
    expect->reply.state_get.session = request->has_fence ? request->session : request->token.id;
    show_key(model, request, session, &expect->reply.state_get);
}

void apply_state_get(struct model *model, const struct ask *ask, const struct model_answer *answer)
{
    (void)model;
    (void)ask;
    (void)answer;
}
