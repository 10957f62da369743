/* What was not done, for people and for programs: why, and what to do. Decides nothing. */
#include <string.h>

#include "client-lib/cli/cli.h"
#include "client-lib/cli/json.h"

static const struct {
    enum tenure_outcome outcome;
    const char *advice;
} advices[] = {
    {TENURE_NOT_FOUND,
     "check the user, the token or id, and the tenant: which is wrong is not told"},
    {TENURE_ENDED, "what ended stays so: create a session, or begin a task"},
    {TENURE_EXPIRED, "what expired stays so: create a session, or begin a task"},
    {TENURE_FENCED, "this task may not act there any more: begin another, or claim it anew"},
    {TENURE_DENIED, "give the permission: tenurectl help grant add"},
    {TENURE_OP_MISMATCH, "take the next free operation number: a claim tells it"},
    {TENURE_INVALID, "correct the argument: COMMAND --help says what it takes"},
    {TENURE_FORBIDDEN, "take a certificate of another role: operator or service"},
    {TENURE_QUOTA, "end what is not needed, or ask for a higher quota: tenurectl quota list"},
    {TENURE_LIMIT, "end what is not needed, or wait for the sweep of what is dead"},
    {TENURE_TAKEN, "wait for its lease to end, or let its owner hand it over"},
    {TENURE_PROTOCOL, "take a tenurectl of the servers' version"},
    {TENURE_CLOSED_TASK, "begin another task"},
    {TENURE_UNPROVEN, "authenticate the user again, and say so with --evidence"},
    {TENURE_LOGIN_REVOKED, "let the user log in again"},
    {TENURE_CONFLICT, "read the key again, and decide anew"},
    {TENURE_NOT_ADOPTABLE, "begin another task"},
    {TENURE_OUT_OF_SCOPE, "name a resource within the session's filter: tenurectl session get"},
    {TENURE_BOUND_ELSEWHERE, "say where the client calls from, or let the user log in from there"},
    {TENURE_NO_TIME, "as an operator: tenurectl help cluster time"},
    {TENURE_NO_SPACE, "make room on the disks of the nodes: tenurectl status tells of which"},
    {TENURE_UNREACHABLE, "check --servers, and that the nodes run: tenurectl status"},
    {TENURE_NOT_READY, "try again soon; tenurectl status --wait-leader waits for it"},
};

const char *cli_advice(enum tenure_outcome outcome)
{
    for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++) {
        if (advices[i].outcome == outcome) {
            return advices[i].advice;
        }
    }
    switch (tenure_outcome_class(outcome)) {
    case TENURE_CLASS_DONE:
        return "nothing is to be done";
    case TENURE_CLASS_REFUSED:
        return "nothing changed; asking again gives the same answer";
    case TENURE_CLASS_RETRY:
        return "nothing happened: try again, or give a longer --timeout";
    case TENURE_CLASS_UNKNOWN:
        break;
    }
    return "it may have happened: look before repeating it";
}

/* As a refusal's "class"; the first two are no answers of a cluster. */
static const char *class_of(enum cli_exit code)
{
    switch (code) {
    case CLI_DONE:
        return "DONE";
    case CLI_LOCAL:
        return "LOCAL";
    case CLI_USAGE:
        return "USAGE";
    case CLI_REFUSED:
        return "REFUSED";
    case CLI_RETRIES:
        return "RETRY";
    case CLI_UNCERTAIN:
        break;
    }
    return "UNKNOWN";
}

int cli_complain(enum cli_output output, const char *text, enum cli_exit code)
{
    if (output == CLI_TABLE) {
        fprintf(stderr, "tenurectl: %s\n", text);
        return (int)code;
    }
    json_t *object = json_object();
    json_t *message = json_string(text);
    json_object_set_new(object, "class", json_string(class_of(code)));
    json_object_set_new(object, "message", message != NULL ? message : json_string("(not UTF-8)"));
    cli_print_json(stderr, object);
    return (int)code;
}

void cli_print_made(const struct cli_run *run, const struct cli_made *made, size_t count)
{
    json_t *object = json_object();
    for (size_t i = 0; i < count; i++) {
        if (run->output == CLI_TABLE) {
            printf("%s\n", made[i].path);
        }
        json_object_set_new(object, made[i].name, json_string(made[i].path));
    }
    if (run->output == CLI_JSON) {
        cli_print_json(stdout, object);
    } else {
        json_decref(object);
    }
}
