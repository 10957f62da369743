/* Judges histories that are known to be bad: bad.h. */
#include "tests/unit/jepsen/bad.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

/* What a row makes, as others name it: an id, a client, or an attempt. */
struct made {
    struct id128 id;
    uint64_t client, attempt;
    bool found;
};

static void look_at_token(void *arg, struct op_token *token)
{
    struct made *made = arg;

    made->found = made->found || (made->attempt != 0 ? token->attempt == made->attempt
                                                     : id128_equal(token->id, made->id));
}

static struct made made_by(const struct history *history, uint32_t row)
{
    const struct event *event = &history->events[row];
    struct made made = {.id = {{0xee}}};
    union op_reply reply;

    if (event->outcome != OP_OK) {
        return made;
    }
    history_reply(history, event, &reply);
    if (event->f == OP_session_create) {
        made.id = reply.session_create.session;
    } else if (event->f == OP_task_begin) {
        made.id = reply.task_begin.task;
    } else if (event->f == OP_task_claim) {
        made.attempt = reply.task_claim.attempt;
    } else if (event->f == OP_client_register) {
        made.client = reply.client_register.client;
    }
    return made;
}

static bool depends(const struct history *history, uint32_t row, struct made made)
{
    const struct event *event = &history->events[row];
    const struct op_struct *s = op_row_of_number(event->f)->request;
    static union op_request request;

    history_request(history, event, &request);
    op_visit_tokens(s, &request, look_at_token, &made);
    for (size_t i = 0; i < s->field_count && made.attempt == 0; i++) {
        if (s->fields[i].kind == OP_KIND_id) {
            made.found = made.found || memcmp((uint8_t *)&request + s->fields[i].offset,
                                              made.id.bytes, sizeof made.id.bytes) == 0;
        }
    }
    return made.found || (made.client != 0 && event->client == made.client);
}

static void take_away(const struct history *history, uint32_t row, bool *gone)
{
    struct made made = made_by(history, row);

    gone[row] = true;
    for (uint32_t other = 0; other < history->count; other++) {
        if (!gone[other] && depends(history, other, made)) {
            take_away(history, other, gone);
        }
    }
}

static enum check_kind verdict_without(const struct history *history, uint32_t row)
{
    bool gone[64] = {false};
    struct history *rest = history_create();
    struct check_options options;
    struct check_verdict verdict;

    check_options_init(&options);
    assert_true(history->count <= 64);
    take_away(history, row, gone);
    for (uint32_t i = 0; i < history->count; i++) {
        if (!gone[i]) {
            history_copy(rest, history, i);
        }
    }
    check_history(rest, &options, &verdict);
    if (verdict.kind != CHECK_OK) {
        check_print(rest, &verdict, stderr);
    }
    history_destroy(rest);
    return verdict.kind;
}

void bad_check(const struct bad *bad)
{
    struct check_options options;
    struct check_verdict verdict;
    struct scene scene;

    check_options_init(&options);
    scene_init(&scene);
    bad->play(&scene);
    check_history(scene.maker.history, &options, &verdict);
    print_message("%s: %s\n", model_property_text(bad->property), verdict.rule);
    assert_int_equal(verdict.kind, CHECK_VIOLATION);
    assert_string_equal(model_property_text(verdict.property), model_property_text(bad->property));
    assert_non_null(strstr(verdict.rule, bad->rule));
    assert_in_range(verdict.op_count, 1, scene.maker.history->count);
    for (uint32_t row = 0; row < scene.maker.history->count; row++) {
        assert_int_equal(verdict_without(scene.maker.history, row), CHECK_OK);
    }
    scene_done(&scene);
}
