/* An agent platform's use of Tenure, whole: a session for a user, a permission asked before an
 * action, a background task with a fence, and a worker that wakes too late. Needs tenure.h and
 * libtenure, and nothing else of Tenure.
 *
 * Usage: agent SERVER[,SERVER...] CA CERTIFICATE KEY
 *
 * The certificate is a service's. Exit status: 0 the late write was refused and all else was done,
 * 1 something went another way, 2 usage or a file, 3 nobody could be asked.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <tenure.h>

enum { TOKEN_MAX = 256, SERVERS_MAX = 8 };

#define SECOND UINT64_C(1000000)
#define MINUTE (60 * SECOND)

static const char user[] = "alice";

/* What the platform keeps of a session or of a claimed task: its id, and the secret that proves it.
 * Texts of a reply live only as long as its result, so they are copied. */
struct handle {
    struct tenure_id id;
    char token[TOKEN_MAX];
};

static bool keep(struct handle *handle, struct tenure_id id, bool has_token,
                 struct tenure_bytes token)
{
    /* Done, but another try has the secret: with retries that can be, and is said. */
    if (!has_token || token.size >= sizeof(handle->token)) {
        return false;
    }
    handle->id = id;
    memcpy(handle->token, token.data, token.size);
    handle->token[token.size] = '\0';
    return true;
}

/* One line for each answer. The class says what is certain; see client-lib/README.md. */
static bool told(const char *what, const struct tenure_result *result)
{
    static const char *const classes[] = {[TENURE_CLASS_DONE] = "done",
                                          [TENURE_CLASS_REFUSED] = "refused",
                                          [TENURE_CLASS_RETRY] = "nothing happened",
                                          [TENURE_CLASS_UNKNOWN] = "it may have happened"};
    enum tenure_class class = tenure_outcome_class(result->outcome);
    printf("%-28s %s", what, classes[class]);
    if (class == TENURE_CLASS_DONE) {
        printf(" at position %" PRIu64 "\n", result->position);
    } else {
        printf(": %s: %s\n", tenure_outcome_name(result->outcome), result->message);
    }
    return class == TENURE_CLASS_DONE;
}

/* ---- the web tier: a login, and the question before each action ---- */

static bool log_in(struct tenure_client *client, struct handle *ret_session)
{
    struct tenure_session_create_request request = {
        .user = tenure_text(user),
        .agent = tenure_text("researcher"),
        .idle = 30 * MINUTE,
        .absolute = 8 * 60 * MINUTE,
        .has_grants = true,
        .grants_count = 4,
        .grants = {{.permission = tenure_text("state:write")},
                   {.permission = tenure_text("task:begin")},
                   {.permission = tenure_text("task:user")},
                   {.permission = tenure_text("tool:search"), .has_ttl = true, .ttl = MINUTE}},
    };
    struct tenure_session_create_reply reply;
    struct tenure_result result;
    tenure_session_create(client, &request, &reply, &result);
    bool done = told("log in", &result) &&
                keep(ret_session, reply.session, reply.has_token, reply.token);
    tenure_result_done(&result);
    return done;
}

/* Asked before each action, not once: a grant ends at its deadline or when it is revoked. */
static bool may(struct tenure_client *client, const struct handle *session, const char *permission)
{
    char what[64];
    struct tenure_permission_check_request request = {.user = tenure_text(user),
                                                      .token = tenure_text(session->token),
                                                      .permission = tenure_text(permission)};
    struct tenure_permission_check_reply reply;
    struct tenure_result result;
    snprintf(what, sizeof(what), "may it %s?", permission);
    tenure_permission_check(client, &request, &reply, &result);
    bool allowed = told(what, &result);
    tenure_result_done(&result);
    return allowed;
}

static bool log_out(struct tenure_client *client, const struct handle *session)
{
    struct tenure_session_end_request request = {.user = tenure_text(user),
                                                 .token = tenure_text(session->token)};
    struct tenure_session_end_reply reply;
    struct tenure_result result;
    tenure_session_end(client, &request, &reply, &result);
    bool done = told("log out", &result);
    tenure_result_done(&result);
    return done;
}

/* ---- background work ---- */

/* Of scope "user": it may go on after the logout. It stays out of sessions that come later. */
static bool begin_work(struct tenure_client *client, const struct handle *session,
                       struct tenure_id *ret_task)
{
    struct tenure_task_begin_request request = {.user = tenure_text(user),
                                                .has_token = true,
                                                .token = tenure_text(session->token),
                                                .kind = tenure_text("crawl"),
                                                .scope = TENURE_TASK_SCOPE_USER,
                                                .ttl = 60 * MINUTE};
    struct tenure_task_begin_reply reply;
    struct tenure_result result;
    tenure_task_begin(client, &request, &reply, &result);
    bool done = told("begin a task", &result);
    *ret_task = reply.task;
    tenure_result_done(&result);
    return done;
}

/* The worker gets a fence: the token that each of its writes carries. */
static bool claim(struct tenure_client *client, struct tenure_id task, struct handle *ret_fence,
                  uint64_t *ret_next)
{
    struct tenure_task_claim_request request = {
        .user = tenure_text(user), .task = task, .lease = 30 * SECOND};
    struct tenure_task_claim_reply reply;
    struct tenure_result result;
    tenure_task_claim(client, &request, &reply, &result);
    bool done = told("claim it", &result) &&
                keep(ret_fence, reply.task, reply.has_fence, reply.fence);
    *ret_next = reply.next;
    tenure_result_done(&result);
    return done;
}

/* Operation numbers make a worker's writes happen once, also when it asks again after a crash. */
static enum tenure_outcome write_result(struct tenure_client *client, const struct handle *fence,
                                        const struct handle *session, uint64_t operation,
                                        const char *what, const char *value)
{
    struct tenure_state_put_request request = {.user = tenure_text(user),
                                               .has_fence = true,
                                               .fence = tenure_text(fence->token),
                                               .has_session = true,
                                               .session = session->id,
                                               .has_operation = true,
                                               .operation = operation,
                                               .key = tenure_text("crawl/pages"),
                                               .value = tenure_text(value)};
    struct tenure_state_put_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_state_put(client, &request, &reply, &result);
    (void)told(what, &result);
    if (outcome == TENURE_FENCED && result.details.has_headline) {
        printf("%-28s rule W%" PRIu64 ": task epoch %" PRIu64 ", session epoch %" PRIu64 "\n", "",
               result.details.headline, result.details.task_epoch, result.details.session_epoch);
    }
    tenure_result_done(&result);
    return outcome;
}

/* ---- the day of an agent ---- */

static int play(struct tenure_client *client)
{
    struct handle morning;
    struct handle evening;
    struct handle fence;
    struct tenure_id task;
    uint64_t operation;
    if (!log_in(client, &morning)) {
        return 3;
    }
    if (!may(client, &morning, "tool:search") || may(client, &morning, "payment:send") ||
        !begin_work(client, &morning, &task) || !claim(client, task, &fence, &operation)) {
        return 1;
    }
    if (write_result(client, &fence, &morning, operation, "write under the fence", "12") !=
        TENURE_OK) {
        return 1;
    }
    /* The worker stands still here; meanwhile its user goes, and comes back. */
    if (!log_out(client, &morning) || !log_in(client, &evening)) {
        return 1;
    }
    enum tenure_outcome late = write_result(client, &fence, &evening, operation + 1,
                                            "write into the next login", "13");
    return late == TENURE_FENCED && log_out(client, &evening) ? 0 : 1;
}

/* "A,B,C", cut at its commas. */
static size_t split(char *list, const char *ret_servers[SERVERS_MAX])
{
    size_t count = 0;
    for (char *at = strtok(list, ","); at != NULL && count < SERVERS_MAX; at = strtok(NULL, ",")) {
        ret_servers[count++] = at;
    }
    return count;
}

int main(int argc, char **argv)
{
    const char *servers[SERVERS_MAX];
    char error[512];
    struct tenure_client *client;
    if (argc != 5) {
        fprintf(stderr, "usage: agent SERVER[,SERVER...] CA CERTIFICATE KEY\n");
        return 2;
    }
    const struct tenure_options options = {.servers = servers,
                                           .server_count = split(argv[1], servers),
                                           .ca = argv[2],
                                           .certificate = argv[3],
                                           .key = argv[4],
                                           .software = "example agent " TENURE_VERSION};
    if (!tenure_open(&options, error, sizeof(error), &client)) {
        fprintf(stderr, "agent: %s\n", error);
        return 2;
    }
    int status = play(client);
    tenure_close(client);
    return status;
}
