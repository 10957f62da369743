/* How fast the witness is and how much memory it takes: a million operations. No test: it prints.
 */
#include "tests/unit/jepsen/maker.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

enum { SESSIONS = 2000, KEYS = 8 };

static double seconds(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double megabytes(void)
{
    struct rusage usage;

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)usage.ru_maxrss / 1024;
}

static void make(struct maker *maker, uint32_t rows)
{
    static struct op_token tokens[SESSIONS];
    struct maker_caller caller = {.tenant = "acme"};
    union op_request request;
    char text[32], key[8];

    memset(&request, 0, sizeof request);
    maker_call(maker, &caller, OP_client_register, &request);
    for (uint32_t i = 0; maker->history->count < rows; i++) {
        uint64_t which = maker_random(maker, SESSIONS);

        memset(&request, 0, 512);
        if (i < SESSIONS) {
            request.session_create.user = bytes_of_text(i % 2 ? "alice" : "bob");
            request.session_create.agent = bytes_of_text("agent");
            request.session_create.idle = request.session_create.absolute = OP_DAY;
            request.session_create.has_grants = true;
            request.session_create.grants_count = 1;
            request.session_create.grants[0].permission = bytes_of_text("state:write");
            maker_call(maker, &caller, OP_session_create, &request);
            tokens[i] = maker->answer.reply.session_create.token;
            continue;
        }
        (void)snprintf(key, sizeof key, "k%u", (unsigned)maker_random(maker, KEYS));
        (void)snprintf(text, sizeof text, "value-%u", i);
        if (i % 2 == 0) {
            request.state_put.user = bytes_of_text(which % 2 ? "alice" : "bob");
            request.state_put.has_token = true;
            request.state_put.token = tokens[which];
            request.state_put.key = bytes_of_text(key);
            request.state_put.value = bytes_of_text(text);
            maker_call(maker, &caller, OP_state_put, &request);
        } else {
            request.state_get.user = bytes_of_text(which % 2 ? "alice" : "bob");
            request.state_get.has_token = true;
            request.state_get.token = tokens[which];
            request.state_get.key = bytes_of_text(key);
            maker_call(maker, &caller, OP_state_get, &request);
        }
        maker_wait(maker, 100);
    }
}

int main(int argc, char **argv)
{
    uint32_t rows = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000000;
    struct check_options options;
    struct check_verdict verdict;
    struct maker maker;
    double start;

    check_options_init(&options);
    maker_init(&maker, 1, MODEL_MUTATION_NONE);
    make(&maker, rows);
    model_destroy(maker.model); /* the maker's own law does not count */
    maker.model = NULL;
    (void)printf("history of %" PRIu32 " rows: peak %.0f MB with its maker\n", rows, megabytes());
    for (int all = 0; all < 2; all++) {
        options.witness_only = all == 0;
        options.blind_steps = 0;
        start = seconds();
        check_history(maker.history, &options, &verdict);
        (void)printf("%s: %d in %.2f s of processor time, peak %.0f MB\n",
                     all ? "orders, sweeps and witness" : "orders and witness", (int)verdict.kind,
                     seconds() - start, megabytes());
    }
    maker_done(&maker);
    return 0;
}
