/* Rows as JSON lines, in and out: the format of README.md. */
#include "jepsen/check/history.h"
#include "jepsen/check/json.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* ---- out ---- */

static void set_u64(json_t *object, const char *name, uint64_t value)
{
    (void)json_object_set_new(object, name, json_integer((json_int_t)value));
}

static const char *type_of(const struct event *event)
{
    switch (op_outcome_class(event->outcome)) {
    case OP_CLASS_DONE:
        return "ok";
    case OP_CLASS_REFUSED:
        return "fail";
    case OP_CLASS_RETRY:
        return "retry";
    case OP_CLASS_UNKNOWN:
        break;
    }
    return "info";
}

static json_t *json_of_caller(const struct history *history, const struct event *event)
{
    struct history_caller caller = history_caller_of(history, event);
    json_t *object = json_object();

    (void)json_object_set_new(object, "tenant",
                              json_stringn((const char *)caller.tenant.data, caller.tenant.size));
    (void)json_object_set_new(
        object, "certificate",
        json_stringn((const char *)caller.certificate.data, caller.certificate.size));
    set_u64(object, "role", caller.role);
    (void)json_object_set_new(object, "instance", json_of_id(caller.instance));
    return object;
}

static json_t *json_of_result(const struct history *history, const struct event *event)
{
    union op_reply reply;
    struct op_details details;
    json_t *object;

    if (event->outcome == OP_OK) {
        history_reply(history, event, &reply);
        object = json_of_struct(op_row_of_number(event->f)->reply, &reply);
    } else {
        history_details(history, event, &details);
        object = json_of_struct(&op_details_struct, &details);
    }
    (void)json_object_set_new(object, "outcome", json_string(op_outcome_name(event->outcome)));
    if (event->superseded) {
        (void)json_object_set_new(object, "superseded", json_true());
    }
    return object;
}

static json_t *json_of_row(const struct history *history, const struct event *event)
{
    const struct op_row *row = op_row_of_number(event->f);
    union op_request request;
    json_t *object = json_object();

    history_request(history, event, &request);
    set_u64(object, "proc", event->proc);
    set_u64(object, "seq", event->seq);
    set_u64(object, "try", event->attempt);
    if (event->again) {
        (void)json_object_set_new(object, "again", json_true());
    }
    (void)json_object_set_new(object, "f", json_string(row->name));
    (void)json_object_set_new(object, "caller", json_of_caller(history, event));
    if (event->client != 0) {
        set_u64(object, "client", event->client);
        set_u64(object, "number", event->number);
    }
    (void)json_object_set_new(object, "args", json_of_struct(row->request, &request));
    (void)json_object_set_new(object, "type", json_string(type_of(event)));
    set_u64(object, "call_ns", event->call_ns);
    (void)json_object_set_new(
        object, "ret_ns",
        event->ret_ns == HISTORY_NEVER ? json_null() : json_integer((json_int_t)event->ret_ns));
    set_u64(object, "term", event->term);
    set_u64(object, "position", event->position);
    set_u64(object, "T", event->time);
    set_u64(object, "clock", event->clock);
    (void)json_object_set_new(object, "result", json_of_result(history, event));
    return object;
}

bool history_write_row(const struct history *history, uint32_t row, FILE *file)
{
    json_t *object = json_of_row(history, &history->events[row]);
    bool good = json_dumpf(object, file, JSON_COMPACT) == 0 && fputc('\n', file) != EOF;

    json_decref(object);
    return good;
}

bool history_write(const struct history *history, FILE *file)
{
    for (uint32_t row = 0; row < history->count; row++) {
        if (!history_write_row(history, row, file)) {
            return false;
        }
    }
    return true;
}

/* ---- in ---- */

/* Everything that one line comes to; large, so it is kept on the heap. */
struct line {
    struct json_scratch scratch;
    union op_request request;
    union op_reply reply;
    struct op_details details;
    struct history_call call;
    struct history_answer answer;
    const char *field; /* what was looked at last */
};

static bool get_u64(const json_t *object, struct line *line, const char *name, bool required,
                    uint64_t *ret_value)
{
    const json_t *value = json_object_get(object, name);

    line->field = name;
    *ret_value = 0;
    return value == NULL ? !required : json_to_u64(value, ret_value);
}

static bool get_text(const json_t *object, struct line *line, const char *name,
                     struct bytes *ret_text)
{
    const json_t *value = json_object_get(object, name);

    line->field = name;
    *ret_text = bytes_of(json_string_value(value), json_string_length(value));
    return json_is_string(value);
}

static bool read_caller(const json_t *object, struct line *line)
{
    const json_t *caller = json_object_get(object, "caller");
    struct history_caller *to = &line->call.caller;
    uint64_t role;

    if (!get_text(caller, line, "tenant", &to->tenant) ||
        !get_text(caller, line, "certificate", &to->certificate) ||
        !get_u64(caller, line, "role", true, &role) || role > OP_ROLE_OPERATOR) {
        return false;
    }
    to->role = (uint32_t)role;
    line->field = "instance";
    return json_to_id(json_object_get(caller, "instance"), &to->instance);
}

static bool read_call(const json_t *object, struct line *line)
{
    uint64_t proc, seq, attempt;
    struct bytes method;
    const struct op_row *row = NULL;
    size_t count;
    const struct op_row *rows = op_rows(&count);

    if (!get_u64(object, line, "proc", true, &proc) || proc > UINT32_MAX ||
        !get_u64(object, line, "seq", true, &seq) || seq > UINT32_MAX ||
        !get_u64(object, line, "try", true, &attempt) || attempt > UINT16_MAX ||
        !get_u64(object, line, "call_ns", true, &line->call.call_ns) ||
        !get_u64(object, line, "client", false, &line->call.client) ||
        !get_u64(object, line, "number", false, &line->call.number) || !read_caller(object, line) ||
        !get_text(object, line, "f", &method)) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        row = bytes_equal(bytes_of_text(rows[i].name), method) ? &rows[i] : row;
    }
    if (row == NULL) {
        return false;
    }
    line->call.proc = (uint32_t)proc;
    line->call.seq = (uint32_t)seq;
    line->call.attempt = (uint16_t)attempt;
    line->call.again = json_is_true(json_object_get(object, "again"));
    line->call.f = row->number;
    line->call.request = &line->request;
    line->field = "args";
    return json_to_struct(json_object_get(object, "args"), row->request, &line->scratch,
                          &line->request, &line->field);
}

static bool outcome_of(struct bytes name, enum op_outcome *ret_outcome)
{
    for (uint64_t number = 0; number < 128; number++) {
        enum op_outcome outcome;

        if (op_outcome_of(number, &outcome) &&
            bytes_equal(bytes_of_text(op_outcome_name(outcome)), name)) {
            *ret_outcome = outcome;
            return true;
        }
    }
    return false;
}

static bool read_answer(const json_t *object, struct line *line)
{
    const json_t *result = json_object_get(object, "result");
    const json_t *returned = json_object_get(object, "ret_ns");
    struct history_answer *answer = &line->answer;
    struct bytes name;

    answer->ret_ns = HISTORY_NEVER;
    line->field = "ret_ns";
    if ((returned != NULL && !json_is_null(returned) && !json_to_u64(returned, &answer->ret_ns)) ||
        !get_u64(object, line, "term", false, &answer->term) || answer->term > UINT32_MAX ||
        !get_u64(object, line, "position", false, &answer->position) ||
        !get_u64(object, line, "T", false, &answer->time) ||
        !get_u64(object, line, "clock", false, &answer->clock) ||
        !get_text(result, line, "outcome", &name) || !outcome_of(name, &answer->outcome)) {
        return false;
    }
    answer->superseded = json_is_true(json_object_get(result, "superseded"));
    answer->details = &line->details;
    answer->reply = &line->reply;
    return answer->outcome == OP_OK ? json_to_struct(result, op_row_of_number(line->call.f)->reply,
                                                     &line->scratch, &line->reply, &line->field)
                                    : json_to_struct(result, &op_details_struct, &line->scratch,
                                                     &line->details, &line->field);
}

bool history_read_line(struct history *history, const char *text, size_t size, char *ret_fault,
                       size_t fault_size)
{
    json_error_t error;
    json_t *object = json_loadb(text, size, JSON_REJECT_DUPLICATES, &error);
    struct line *line = calloc(1, sizeof *line);
    bool good = false;

    if (object == NULL || line == NULL) {
        (void)snprintf(ret_fault, fault_size, "no JSON: %s", error.text);
    } else if (!read_call(object, line) || !read_answer(object, line)) {
        (void)snprintf(ret_fault, fault_size, "%s: missing or wrong", line->field);
    } else {
        history_return(history, history_invoke(history, &line->call), &line->answer);
        good = true;
    }
    json_decref(object);
    free(line);
    return good;
}

bool history_read(struct history *history, FILE *file, char *ret_fault, size_t fault_size)
{
    size_t size = 0;
    uint32_t lines = 0, width = 0;
    char *text = NULL, fault[160];
    bool good = true;
    int c;

    while (good && (c = fgetc(file)) != EOF) {
        if (c != '\n') {
            text = model_names_grow(text, &width, (uint32_t)size + 1, 1);
            text[size++] = (char)c;
            continue;
        }
        lines++;
        if (size > 0 && !history_read_line(history, text, size, fault, sizeof fault)) {
            (void)snprintf(ret_fault, fault_size, "line %" PRIu32 ": %s", lines, fault);
            good = false;
        }
        size = 0;
    }
    if (good && size > 0) {
        (void)snprintf(ret_fault, fault_size, "line %" PRIu32 ": ends without a newline",
                       lines + 1);
        good = false;
    }
    free(text);
    return good;
}
