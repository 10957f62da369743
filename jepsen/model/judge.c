/* Compares an answer with the law's. Knows fields by op's tables, not what they mean. */
#include "jepsen/model/model.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const void *at(const void *value, size_t offset)
{
    return (const uint8_t *)value + offset;
}

static bool present(const struct op_field *field, const void *value)
{
    return field->required || *(const bool *)at(value, field->has_offset);
}

static const struct op_field *differing(const struct op_struct *s, const void *seen,
                                        const void *law, uint64_t free_tags);

/* Item by item: the law says the order too. */
static bool same_list(const struct op_field *field, const void *a, const void *b)
{
    uint32_t count = *(const uint32_t *)at(a, field->count_offset);

    if (count != *(const uint32_t *)at(b, field->count_offset)) {
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        size_t offset = field->offset + i * field->item->size;

        if (differing(field->item, at(a, offset), at(b, offset), 0) != NULL) {
            return false;
        }
    }
    return true;
}

/* Tokens are nobody's to compare here: secrets are adopted. */
static bool same(const struct op_field *field, const void *a, const void *b)
{
    const void *x = at(a, field->offset), *y = at(b, field->offset);

    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        return *(const uint64_t *)x == *(const uint64_t *)y;
    case OP_KIND_boolean:
        return *(const bool *)x == *(const bool *)y;
    case OP_KIND_enumeration:
        return *(const uint32_t *)x == *(const uint32_t *)y;
    case OP_KIND_id:
        return id128_equal(*(const struct id128 *)x, *(const struct id128 *)y);
    case OP_KIND_blob:
    case OP_KIND_text:
        return bytes_equal(*(const struct bytes *)x, *(const struct bytes *)y);
    case OP_KIND_list:
        return same_list(field, a, b);
    case OP_KIND_token:
        return true;
    }
    return true;
}

static const struct op_field *differing(const struct op_struct *s, const void *seen,
                                        const void *law, uint64_t free_tags)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];

        if ((free_tags & (1ULL << field->tag)) || field->kind == OP_KIND_token) {
            continue;
        }
        if (present(field, seen) != present(field, law) ||
            (present(field, seen) && !same(field, seen, law))) {
            return field;
        }
    }
    return NULL;
}

/* The promise that an answer breaks which the law does not give, by what it says. */
static enum model_property blamed(const struct model_expect *expect, enum op_outcome seen)
{
    if (expect->outcome == OP_OK && expect->repeated) {
        return MODEL_S3; /* W9: an operation that was carried out has its first result */
    }
    if (expect->outcome != OP_OK) {
        return seen == OP_OK || expect->repeated ? expect->property : MODEL_S1;
    }
    if (seen == OP_EXPIRED) {
        return MODEL_S4;
    }
    if (seen == OP_FENCED || seen == OP_OP_MISMATCH || seen == OP_TAKEN) {
        return MODEL_S3;
    }
    if (seen == OP_NOT_FOUND) {
        return MODEL_S7;
    }
    return seen == OP_NUMBER_REUSED || seen == OP_CLIENT_UNKNOWN ? MODEL_S9 : MODEL_S1;
}

static bool refuse(struct model_reason *reason, enum model_property property, const char *rule)
{
    reason->property = property;
    (void)snprintf(reason->rule, sizeof reason->rule, "%s", rule);
    return false;
}

static bool judge_reply(const struct model_expect *expect, const struct model_op *op,
                        const struct model_answer *answer, struct model_reason *reason)
{
    const struct op_row *row = op_row_of_number(op->f);
    const struct op_field *field = differing(row->reply, &answer->reply, &expect->reply,
                                             expect->free_tags);

    if (expect->bare && (!answer->superseded || present(op_minted_token(row), &answer->reply))) {
        return refuse(reason, MODEL_S9,
                      "what a task asked for again has no secret, and says SUPERSEDED");
    }
    if (field == NULL) {
        return true;
    }
    reason->property = expect->repeated || strcmp(field->name, "epoch") == 0 ? MODEL_S3 : MODEL_S1;
    if (op->f == OP_permission_check || op->f == OP_grant_add || op->f == OP_grant_list ||
        op->f == OP_session_elevate) {
        reason->property = MODEL_S12;
    }
    (void)snprintf(reason->rule, sizeof reason->rule, "%s answered OK with another %s", row->name,
                   field->name);
    return false;
}

static bool judge_fence(const struct model_expect *expect, const struct model_answer *answer,
                        struct model_reason *reason)
{
    const struct op_details *seen = &answer->details, *law = &expect->details;
    uint64_t cared = ~expect->failed_free;

    if (law->has_failed && (law->failed & (1ULL << 3 | 1ULL << 6)) != 0) {
        /* What a dead session holds is W3's and W6's matter, so that each rule can fail alone; the
         * law does not say that W7 keeps silent about it. */
        cared &= ~(1ULL << 7);
    }
    if (seen->has_failed && law->has_failed && (seen->failed & cared) != (law->failed & cared)) {
        reason->property = MODEL_S3;
        (void)snprintf(reason->rule, sizeof reason->rule,
                       "FENCED by rules 0x%" PRIx64 ", the law says 0x%" PRIx64, seen->failed,
                       law->failed);
        return false;
    }
    if (((seen->has_headline && law->has_headline && seen->headline != law->headline) ||
         (seen->has_task_epoch && law->has_task_epoch && seen->task_epoch != law->task_epoch) ||
         (seen->has_session_epoch && law->has_session_epoch &&
          seen->session_epoch != law->session_epoch) ||
         (seen->has_task_attempt && law->has_task_attempt &&
          seen->task_attempt != law->task_attempt))) {
        return refuse(reason, MODEL_S3, "FENCED with another headline, epoch or attempt");
    }
    return true;
}

static bool judge_details(const struct model_expect *expect, const struct model_answer *answer,
                          struct model_reason *reason)
{
    const struct op_details *seen = &answer->details, *law = &expect->details;

    if (seen->has_cause && law->has_cause && seen->cause != law->cause &&
        (seen->cause >= 64 || (expect->causes_free & (1ULL << seen->cause)) == 0)) {
        (void)snprintf(reason->rule, sizeof reason->rule, "ended by %s, the law says %s",
                       op_cause_text(seen->cause), op_cause_text(law->cause));
        reason->property = MODEL_S4;
        return false;
    }
    if (seen->has_version && law->has_version && seen->version != law->version) {
        return refuse(reason, MODEL_S1, "CONFLICT with a version that the key has not");
    }
    return judge_fence(expect, answer, reason);
}

bool model_judge(const struct model_expect *expect, const struct model_op *op,
                 const struct model_answer *answer, struct model_reason *ret_reason)
{
    const char *name = op_row_of_number(op->f)->name;
    bool as_law = answer->outcome == expect->outcome;

    if (!as_law && (answer->outcome >= 64 || (expect->also & (1ULL << answer->outcome)) == 0)) {
        ret_reason->property = blamed(expect, answer->outcome);
        (void)snprintf(ret_reason->rule, sizeof ret_reason->rule,
                       "%s answered %s, the law says %s%s%s", name,
                       op_outcome_name(answer->outcome), op_outcome_name(expect->outcome),
                       expect->rule != NULL ? ": " : "", expect->rule != NULL ? expect->rule : "");
        return false;
    }
    if (expect->first != 0 && (op->position != expect->first || op->time != expect->first_time)) {
        return refuse(ret_reason, MODEL_S9,
                      "a retry was told another position or T than the first");
    }
    if (!as_law) {
        return true;
    }
    return answer->outcome == OP_OK ? judge_reply(expect, op, answer, ret_reason)
                                    : judge_details(expect, answer, ret_reason);
}
