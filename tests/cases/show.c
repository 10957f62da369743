/* Prints an answer by the operations' table: outcome, position, marks, then the fields of the
 * reply, or of the details of a refusal.
 *
 *   T=, term=     only where they are not those of the machine: a repeated answer has the first's
 *   repeated      an earlier command had this result
 *   superseded    done, but the secret belongs to another try
 *   token=NAME    this command minted the secret
 */
#include "tests/cases/show.h"

#include <inttypes.h>
#include <string.h>

enum { BLOB_SHOWN_MAX = 48 };

static bool printable(struct bytes text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] <= ' ' || text.data[i] >= 0x7f) {
            return false;
        }
    }
    return text.size > 0;
}

static void show_bytes(struct scenario *scenario, struct bytes text)
{
    if (text.size > BLOB_SHOWN_MAX) {
        case_print(scenario, "bytes(%zu)", text.size);
    } else if (printable(text)) {
        case_print(scenario, "%.*s", (int)text.size, (const char *)text.data);
    } else {
        case_print(scenario, "\"%.*s\"", (int)text.size, (const char *)text.data);
    }
}

static void show_rules(struct scenario *scenario, uint64_t mask)
{
    const char *comma = "";

    for (unsigned rule = 0; rule < 64; rule++) {
        if ((mask >> rule & 1) != 0) {
            case_print(scenario, "%sW%u", comma, rule);
            comma = ",";
        }
    }
}

/* Two details are rules of the fence; every other number is shown as one. */
static void show_number(struct scenario *scenario, const struct op_struct *s,
                        const struct op_field *field, uint64_t number)
{
    bool details = s == &op_details_struct;

    if (details && strcmp(field->name, "failed") == 0) {
        show_rules(scenario, number);
    } else if (details && strcmp(field->name, "headline") == 0) {
        case_print(scenario, "W%" PRIu64, number);
    } else if (number == OP_INFINITE) {
        case_print(scenario, "infinite");
    } else {
        case_print(scenario, "%" PRIu64, number);
    }
}

static void show_fields(struct scenario *scenario, const struct call *call,
                        const struct op_struct *s, const void *value, bool minted);

static void show_list(struct scenario *scenario, const struct call *call,
                      const struct op_field *field, const void *value)
{
    uint32_t count;

    memcpy(&count, (const uint8_t *)value + field->count_offset, sizeof count);
    case_print(scenario, "[");
    for (uint32_t i = 0; i < count; i++) {
        case_print(scenario, "%s", i > 0 ? "," : "");
        show_fields(scenario, call, field->item,
                    (const uint8_t *)value + field->offset + i * field->item->size, false);
    }
    case_print(scenario, " ]");
}

static void show_value(struct scenario *scenario, const struct call *call,
                       const struct op_struct *s, const struct op_field *field, const void *value)
{
    const void *member = (const uint8_t *)value + field->offset;
    const char *text;

    switch (field->kind) {
    case OP_KIND_u64:
        show_number(scenario, s, field, *(const uint64_t *)member);
        return;
    case OP_KIND_time_us:
        case_time_print(scenario, *(const uint64_t *)member);
        return;
    case OP_KIND_boolean:
        case_print(scenario, *(const bool *)member ? "true" : "false");
        return;
    case OP_KIND_enumeration:
        text = op_enum_text(field->enumeration, *(const uint32_t *)member);
        case_print(scenario, "%s", text == NULL ? "?" : text);
        return;
    case OP_KIND_id:
        case_print(scenario, "%s", case_name_of_id(scenario, *(const struct id128 *)member));
        return;
    case OP_KIND_blob:
    case OP_KIND_text:
        show_bytes(scenario, *(const struct bytes *)member);
        return;
    case OP_KIND_token:
        text = call->name.size == 0 ? "minted" : (const char *)call->name.data;
        case_print(scenario, "%.*s", call->name.size == 0 ? 6 : (int)call->name.size, text);
        return;
    case OP_KIND_list:
        show_list(scenario, call, field, value);
        return;
    }
    case_wrong(scenario, "%s: a kind of field that the runner does not know", field->name);
}

static void show_fields(struct scenario *scenario, const struct call *call,
                        const struct op_struct *s, const void *value, bool minted)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        bool present = *((const uint8_t *)value + field->has_offset) != 0;

        if (present && (field->kind != OP_KIND_token || minted)) {
            case_print(scenario, " %s=", field->name);
            show_value(scenario, call, s, field, value);
        }
    }
}

static void show_head(struct scenario *scenario, const struct fsm_reply *reply)
{
    const struct fsm *fsm = scenario->first.fsm;

    case_print(scenario, "%s position=%" PRIu64, op_outcome_name(reply->outcome), reply->position);
    if (reply->time != fsm_time(fsm)) {
        case_print(scenario, " T=");
        case_stamp_print(scenario, reply->time);
    }
    if (reply->term != fsm_term(fsm)) {
        case_print(scenario, " term=%" PRIu64, reply->term);
    }
    case_print(scenario, "%s%s", reply->repeated ? " repeated" : "",
               reply->superseded ? " superseded" : "");
}

static const char *own_name(uint32_t kind)
{
    return kind == OP_COMMAND_TICK      ? "TICK"
           : kind == OP_COMMAND_REUSE   ? "REUSE"
           : kind == OP_COMMAND_DENIALS ? "DENIALS"
                                        : "TERM_START";
}

static void show_own(struct scenario *scenario, const struct call *call,
                     const struct fsm_reply *reply)
{
    const struct fsm *fsm = scenario->first.fsm;

    case_print(scenario, "%s position=%" PRIu64 " T=", own_name(call->kind), reply->position);
    case_stamp_print(scenario, reply->time);
    if (call->kind == OP_COMMAND_TERM_START) {
        case_print(scenario, " term=%" PRIu64, reply->term);
    }
    case_print(scenario, "%s\n", fsm_sweep_due(fsm) ? " sweep=unfinished" : "");
}

void show_answer(struct scenario *scenario, const struct call *call, const struct fsm_reply *reply)
{
    static union op_reply fields;
    struct op_details details;
    struct base_reader reader;
    bool done = op_outcome_class(reply->outcome) == OP_CLASS_DONE;
    const struct op_struct *s;
    void *value = &fields;

    if (call->row == NULL) {
        show_own(scenario, call, reply);
        return;
    }
    s = done ? call->row->reply : &op_details_struct;
    value = done ? (void *)&fields : (void *)&details;
    base_reader_init(&reader, reply->body);
    if (!op_load(&reader, s, value) || !base_reader_finished(&reader)) {
        case_broken(scenario, "%s answers what its row does not allow", call->row->name);
        return;
    }
    if (done && (reply->minted || call_mints(call->row) == 0)) {
        call_bound(scenario, call, value);
    }
    show_head(scenario, reply);
    show_fields(scenario, call, s, value, reply->minted);
    case_print(scenario, "\n");
}
