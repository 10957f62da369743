/* The specification: what each operation must answer, by docs/MODEL.md, on plain lists.
 *
 * Written from the law alone; it shares no code with fsm/ and is its oracle. It has no clock, no
 * log and no sweep: the caller gives each operation its position and T, in the order of positions,
 * reads after the command of their position. Ids and secrets are taken from the answers that were
 * seen. Where the law leaves room, more than one answer is right (`also`, `free_tags`).
 *
 *   expect:  the law's answer to an operation, nothing changes
 *   judge:   is what was seen that answer?
 *   apply:   the effect of what was seen
 *   step:    the three in one, as the checker uses it
 *
 * A new operation costs one function here (rules.h) and its line in the dispatch of step.c.
 */
#ifndef JEPSEN_MODEL_MODEL_H
#define JEPSEN_MODEL_MODEL_H

#include "jepsen/model/names.h"
#include "op/op.h"

struct model;

/* Which promise is broken (docs/MODEL.md section 9). */
enum model_property {
    MODEL_S1 = 1,
    MODEL_S2,
    MODEL_S3,
    MODEL_S4,
    MODEL_S5,
    MODEL_S6,
    MODEL_S7,
    MODEL_S8,
    MODEL_S9,
    MODEL_S10,
    MODEL_S11,
    MODEL_S12,
    MODEL_S13,
    MODEL_S14,
};

struct model_answer;

struct model_op {
    enum op_number f;
    struct bytes tenant;      /* of the certificate, or the one that an operator named */
    struct bytes certificate; /* its name */
    uint32_t role;            /* enum op_role */
    struct id128 instance;    /* of the calling process */
    uint64_t client;          /* 0: the operation carries no request number */
    uint64_t number;
    uint64_t digest; /* of the request, any function of all its fields */
    uint64_t position;
    uint64_t time; /* T there */
    const union op_request *request;
    /* What was answered, for where the law leaves a choice; NULL: the law chooses itself. */
    const struct model_answer *seen;
    bool unanswered; /* nobody saw its answer: the ids that it made are not known */
};

/* What was answered. Of tokens, `secret` tells one from another. */
struct model_answer {
    enum op_outcome outcome;
    bool superseded; /* an OK that has no secret to give */
    struct op_details details;
    union op_reply reply;
};

struct model_reason {
    enum model_property property;
    char rule[160]; /* one line: what was seen, what the law says */
};

struct model_expect {
    enum op_outcome outcome;      /* the law's answer */
    uint64_t also;                /* bits of other outcomes (< 64) that are right as well */
    enum model_property property; /* what an OK in spite of a refusal breaks */
    const char *rule;             /* why it is refused; NULL for OK */
    struct op_details details;
    uint64_t failed_free; /* fence bits that may be said or not */
    uint64_t causes_free; /* bits of enum op_end_cause that are right as well */
    union op_reply reply; /* of an OK */
    uint64_t free_tags;   /* bits of its fields that the law leaves open (ids, secrets) */
    bool repeated;        /* a retry or a known (task, number): the answer was given before */
    bool bare;            /* … and this request has made no secret: SUPERSEDED, and none in it */
    uint64_t first;       /* of a retry: the position of that answer, which it must repeat */
    uint64_t first_time;
};

/* `names` is borrowed and shared with whoever else numbers texts; `limits` is copied. */
struct model *model_create(struct names *names, const struct op_limits *limits);
void model_destroy(struct model *model);

void model_expect(struct model *model, const struct model_op *op, struct model_expect *ret_expect);
/* False, and why, when the answer is not one that the law allows. Only for answers of class DONE
 * and REFUSED: the others say nothing about the state. */
bool model_judge(const struct model_expect *expect, const struct model_op *op,
                 const struct model_answer *answer, struct model_reason *ret_reason);
/* The effect of an answer of class DONE or REFUSED (a refusal leaves its request record). */
void model_apply(struct model *model, const struct model_op *op, const struct model_answer *answer);

/* model_apply of a command that got no answer, for the one that the law gives it. What it mints has
 * this id and this secret: nobody was told others. */
void model_apply_unanswered(struct model *model, const struct model_op *op, struct id128 minted_id,
                            const uint8_t minted_secret[32]);

/* A later try of a request that was answered may have minted its secret anew; nobody knows. */
void model_doubt(struct model *model, const struct model_op *op);

/* All three. On false nothing is applied. */
bool model_step(struct model *model, const struct model_op *op, const struct model_answer *answer,
                struct model_reason *ret_reason);

/* The law's own answer, for makers of histories: what model_expect says, with the id and secret
 * that the operation mints, if any. Does not apply it. */
void model_answer(struct model *model, const struct model_op *op, struct id128 minted_id,
                  const uint8_t minted_secret[32], struct model_answer *ret_answer);

const char *model_property_text(enum model_property property);

#endif
