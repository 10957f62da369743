/* The trace of a replay: what happened, in words. Judges nothing, draws nothing. */
#include "tests/sim/run.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void run_say(struct run *run, const char *format, ...)
{
    if (run->setup->told != TOLD_NOTHING) {
        va_list arguments;
        va_start(arguments, format);
        printf("%12" PRIu64 " ", sim_now_us(run->sim) - run->begun_us);
        vprintf(format, arguments);
        printf("\n");
        va_end(arguments);
    }
}

/* ---- an operation's fields ---- */

/* The end of an id tells it from others. */
static void say_id(const struct id128 *id)
{
    printf("%02x%02x%02x", id->bytes[13], id->bytes[14], id->bytes[15]);
}

static void say_token(const struct op_token *token, size_t kind)
{
    say_id(&token->id);
    if (kind == OP_TOKEN_fence) {
        printf("(E %" PRIu64 ", A %" PRIu64 ")", token->epoch, token->attempt);
    }
}

static void say_text(const struct bytes *text)
{
    enum { SHOWN = 24 };
    size_t size = text->size < SHOWN ? text->size : SHOWN;
    for (size_t i = 0; i < size; i++) {
        putchar(text->data[i] >= ' ' && text->data[i] <= '~' ? text->data[i] : '?');
    }
    printf("%s", size < text->size ? ".." : "");
}

static void say_fields(const struct op_struct *s, const uint8_t *value);

static void say_field(const struct op_field *field, const uint8_t *value)
{
    const void *at = value + field->offset;
    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        printf("%" PRIu64, *(const uint64_t *)at);
        break;
    case OP_KIND_boolean:
        printf("%s", *(const bool *)at ? "yes" : "no");
        break;
    case OP_KIND_enumeration:
        printf("%s", op_enum_text(field->enumeration, *(const uint32_t *)at));
        break;
    case OP_KIND_id:
        say_id(at);
        break;
    case OP_KIND_token:
        say_token(at, field->bound);
        break;
    case OP_KIND_blob:
    case OP_KIND_text:
        say_text(at);
        break;
    case OP_KIND_list:
        for (uint32_t i = 0; i < *(const uint32_t *)(const void *)(value + field->count_offset);
             i++) {
            printf("%s", i == 0 ? "[" : " +");
            say_fields(field->item, value + field->offset + i * field->item->size);
        }
        printf("]");
        break;
    }
}

static void say_fields(const struct op_struct *s, const uint8_t *value)
{
    for (size_t i = 0; i < s->field_count; i++) {
        const struct op_field *field = &s->fields[i];
        if (field->required || *(const bool *)(value + field->has_offset)) {
            printf(" %s ", field->name);
            say_field(field, value);
        }
    }
}

/* ---- calls and answers ---- */

void tell_call(struct run *run, uint32_t row, const union op_request *request)
{
    const struct event *event = &run->history->events[row];
    if (run->setup->told == TOLD_NOTHING) {
        return;
    }
    printf("%12" PRIu64 " ", sim_now_us(run->sim) - run->begun_us);
    if (step_can_be_left_out(run->step)) {
        printf("%c%u.%" PRIu32 " ", step_letter(run->step), run->step.index, run->step.ordinal);
    }
    printf("client %" PRIu32 " calls %s (row %" PRIu32 ")", event->proc,
           op_row_of_number(event->f)->name, row);
    say_fields(op_row_of_number(event->f)->request, (const uint8_t *)request);
    printf("\n");
}

void tell_answer(struct run *run, uint32_t row, const struct tenure_result *result,
                 const void *reply)
{
    const struct event *event = &run->history->events[row];
    if (run->setup->told == TOLD_NOTHING) {
        return;
    }
    printf("%12" PRIu64 "   row %" PRIu32 " %s: %s at %" PRIu64 ", T %" PRIu64,
           sim_now_us(run->sim) - run->begun_us, row, op_row_of_number(event->f)->name,
           tenure_outcome_name(result->outcome), result->position, result->time);
    if (result->attempts > 1) {
        printf(", %" PRIu32 " tries", result->attempts);
    }
    if (result->message[0] != '\0') {
        printf(" (%s)", result->message);
    }
    if (reply != NULL) {
        say_fields(op_row_of_number(event->f)->reply, reply);
    }
    printf("\n");
}
