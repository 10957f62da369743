/* The law of revokes: docs/MODEL.md sections 2 and 4. Who is dead by one is life.c's to say. */
#include "jepsen/model/rules.h"

static struct mark mark_here(const struct model *model, const struct ask *ask)
{
    return (struct mark){
        .position = ask->op->position, .time = ask->time, .time_before = model->time};
}

/* Whom a revoke is of. */
struct revoke {
    enum cover_kind kind;
    uint32_t name;
};

static struct revoke revoke_of(struct model *model, const struct model_op *op)
{
    struct revoke revoke = {COVER_ALL, 0};

    if (op->f == OP_revoke_user) {
        revoke = (struct revoke){COVER_USER, state_name(model, op->request->revoke_user.user)};
    } else if (op->f == OP_revoke_agent) {
        revoke = (struct revoke){COVER_AGENT, state_name(model, op->request->revoke_agent.agent)};
    } else if (op->f == OP_revoke_tenant) {
        revoke.kind = COVER_TENANT;
    }
    return revoke;
}

static void expect_revoke(struct model *model, const struct ask *ask, struct model_expect *expect,
                          uint64_t *ret_watermark)
{
    struct revoke revoke = revoke_of(model, ask->op);
    uint32_t cover = state_cover_of(model, revoke.kind, ask->tenant, revoke.name);

    if (revoke.name == 0 && (revoke.kind == COVER_USER || revoke.kind == COVER_AGENT)) {
        expect_refusal(expect, OP_INVALID, MODEL_S1, "nobody has no name");
        return;
    }
    if (life_marks_full(model, revoke.kind, ask->tenant, cover, ask->time)) {
        expect_also(expect, OP_LIMIT); /* unless some of them went */
    }
    *ret_watermark = ask->op->position;
}

static void apply_revoke(struct model *model, const struct ask *ask)
{
    struct revoke revoke = revoke_of(model, ask->op);

    state_mark_add(model, state_cover(model, revoke.kind, ask->tenant, revoke.name),
                   mark_here(model, ask));
}

#define REVOKE(name)                                                                               \
    void expect_##name(struct model *model, const struct ask *ask, struct model_expect *expect)    \
    {                                                                                              \
        expect_revoke(model, ask, expect, &expect->reply.name.watermark);                          \
    }                                                                                              \
    void apply_##name(struct model *model, const struct ask *ask,                                  \
                      const struct model_answer *answer)                                           \
    {                                                                                              \
        (void)answer;                                                                              \
        apply_revoke(model, ask);                                                                  \
    }
REVOKE(revoke_user)
REVOKE(revoke_agent)
REVOKE(revoke_tenant)
REVOKE(revoke_all)
#undef REVOKE

/* A watermark on one session and all below it, alive or dead: what it began stands under it (W6).
 * That on a root is its lineage's. Returns whose it is, or 0 after refusing. */
static uint32_t expect_own_mark(struct model *model, const struct ask *ask, struct id128 id,
                                struct model_expect *expect)
{
    uint32_t session = state_session_of(model, id);
    const struct session *of = &model->sessions[session];

    if (session == 0 || !ask_owns(model, ask, of->tenant, of->user)) {
        expect_refusal(expect, OP_NOT_FOUND, MODEL_S1, "no such session of this user");
        return 0;
    }
    if (life_forgotten(model, of, ask->time)) {
        expect_also(expect, OP_NOT_FOUND);
    }
    return session;
}

static void apply_own_mark(struct model *model, const struct ask *ask, uint32_t session)
{
    struct session *of = &model->sessions[session];

    if (of->own_first.position == 0) {
        of->own_first = mark_here(model, ask);
    }
    of->own_newest = ask->op->position;
}

void expect_session_revoke(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_session_revoke_request *request = &ask->op->request->session_revoke;

    if (expect_own_mark(model, ask, request->session, expect) != 0) {
        expect->reply.session_revoke.session = request->session;
        expect->reply.session_revoke.watermark = ask->op->position;
    }
}

void apply_session_revoke(struct model *model, const struct ask *ask,
                          const struct model_answer *answer)
{
    (void)answer;
    apply_own_mark(model, ask, state_session_of(model, ask->op->request->session_revoke.session));
}

void expect_revoke_lineage(struct model *model, const struct ask *ask, struct model_expect *expect)
{
    const struct op_revoke_lineage_request *request = &ask->op->request->revoke_lineage;
    uint32_t session = expect_own_mark(model, ask, request->session, expect);

    if (session != 0) {
        uint32_t root = life_root(model, session);

        expect->reply.revoke_lineage.lineage = state_id_of(model, model->sessions[root].id);
        expect->reply.revoke_lineage.watermark = ask->op->position;
    }
}

void apply_revoke_lineage(struct model *model, const struct ask *ask,
                          const struct model_answer *answer)
{
    uint32_t session = state_session_of(model, ask->op->request->revoke_lineage.session);

    (void)answer;
    apply_own_mark(model, ask, life_root(model, session));
}
