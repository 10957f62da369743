/* Runs any operation of the op table: fill, call, print. Knows none of them. */
#include <string.h>

#include "client-lib/cli/cli.h"

/* Room for any request and any reply. */
union any_request {
#define OP_MEMBER_REQUEST_(number, name, FIELDS, access, roles, needs, idempotency, besides, help) \
    struct tenure_##name##_request name;
    OP_TABLE(OP_MEMBER_REQUEST_)
};
union any_reply {
#define OP_MEMBER_REPLY_(number, name, FIELDS, access, roles, needs, idempotency, besides, help)   \
    struct tenure_##name##_reply name;
    OP_TABLE(OP_MEMBER_REPLY_)
};

static int call(const struct cli_run *run, const struct cli_settings *settings,
                const struct tenure_method *method, const union any_request *request)
{
    struct cli_error error;
    struct tenure_client *client;
    if (!tenure_open(&settings->options, error.text, sizeof(error.text), &client)) {
        return cli_complain(run->output, error.text, CLI_LOCAL);
    }
    union any_reply reply;
    struct tenure_result result = {.outcome = TENURE_OK};
    struct cli_printer printer = {run->output, stdout, stderr};
    memset(&reply, 0, sizeof(reply));
    enum tenure_outcome outcome = tenure_call_wait(client, method, request, &reply, &result);
    if (tenure_outcome_class(outcome) == TENURE_CLASS_DONE) {
        cli_print_reply(&printer, method, &reply, &result);
    } else {
        cli_print_refusal(&printer, &result);
    }
    tenure_result_done(&result);
    tenure_close(client);
    return (int)cli_exit_of(outcome);
}

int cli_run_operation(const struct cli_run *run)
{
    struct tenure_method method = tenure_method_of(run->command->row->number);
    union any_request *request = cli_take(run->memory, sizeof(*request));
    struct cli_error error;
    for (size_t i = 0; i < run->given_count; i++) {
        if (run->given[i].option->field != NULL &&
            !cli_fill(run->memory, method.request, method.request_map, request, &run->given[i],
                      &error)) {
            return cli_complain(run->output, error.text, CLI_USAGE);
        }
    }
    struct cli_settings settings;
    enum cli_exit code;
    if (!cli_settings_load(run, &settings, &error, &code)) {
        return cli_complain(run->output, error.text, code);
    }
    return call(run, &settings, &method, request);
}
