/* tenure-bench: how many calls a running cluster answers, and how fast. Asserts no speed.
 *
 * Usage: tenure-bench OP OUTSTANDING SECONDS CA CERTIFICATE KEY SERVER...
 *   OP  create, validate or state_put
 *
 * Eight connections share OUTSTANDING calls; as one ends, its slot starts the next. One line of
 * JSON: calls per second, latencies in microseconds, what failed.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <tenure.h>
#include <time.h>

enum { CONNECTIONS = 8, OUTSTANDING_MAX = 65536, SAMPLES_MAX = 8000000, KEYS = 100 };

#define SECOND UINT64_C(1000000)

struct bench;

/* One of the calls that are outstanding at a time. */
struct slot {
    struct bench *bench;
    struct tenure_client *client;
    uint64_t began_us;
};

struct bench {
    void (*start)(struct slot *slot);
    struct tenure_client *clients[CONNECTIONS];
    char token[256];
    uint64_t end_us;
    uint64_t started;
    uint64_t done;
    uint64_t failed;
    size_t open;
    uint32_t *samples; /* latencies, µs */
    size_t sample_count;
};

static uint64_t now_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * SECOND + (uint64_t)at.tv_nsec / 1000;
}

static void begin(struct slot *slot)
{
    slot->began_us = now_us();
    slot->bench->open++;
    slot->bench->started++;
    slot->bench->start(slot);
}

static void ended(struct slot *slot, const struct tenure_result *result)
{
    struct bench *bench = slot->bench;
    uint64_t now = now_us();
    bench->open--;
    if (result->outcome == TENURE_OK) {
        bench->done++;
    } else if (bench->failed++ == 0) {
        fprintf(stderr, "tenure-bench: %s: %s\n", tenure_outcome_name(result->outcome),
                result->message);
    }
    if (bench->sample_count < SAMPLES_MAX) {
        bench->samples[bench->sample_count++] = (uint32_t)(now - slot->began_us);
    }
    if (now < bench->end_us) {
        begin(slot);
    }
}

/* ---- the operations ---- */

static void on_put(void *arg, const struct tenure_result *result,
                   const struct tenure_state_put_reply *reply)
{
    (void)reply;
    ended(arg, result);
}

static void start_put(struct slot *slot)
{
    static const char value[] = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    char key[16];
    snprintf(key, sizeof(key), "key-%u", (unsigned)(slot->bench->started % KEYS));
    struct tenure_state_put_request request = {.user = tenure_text("bench"),
                                               .has_token = true,
                                               .token = tenure_text(slot->bench->token),
                                               .key = tenure_text(key),
                                               .value = tenure_text(value)};
    (void)tenure_state_put_start(slot->client, &request, on_put, slot);
}

static void on_validate(void *arg, const struct tenure_result *result,
                        const struct tenure_session_validate_reply *reply)
{
    (void)reply;
    ended(arg, result);
}

static void start_validate(struct slot *slot)
{
    struct tenure_session_validate_request request = {.user = tenure_text("bench"),
                                                      .token = tenure_text(slot->bench->token)};
    (void)tenure_session_validate_start(slot->client, &request, on_validate, slot);
}

static struct tenure_session_create_request session(void)
{
    return (struct tenure_session_create_request){
        .user = tenure_text("bench"),
        .agent = tenure_text("bench"),
        .idle = 3600 * SECOND,
        .absolute = 3600 * SECOND,
        .has_grants = true,
        .grants_count = 1,
        .grants = {{.permission = tenure_text("state:write")}},
    };
}

static void on_create(void *arg, const struct tenure_result *result,
                      const struct tenure_session_create_reply *reply)
{
    (void)reply;
    ended(arg, result);
}

static void start_create(struct slot *slot)
{
    struct tenure_session_create_request request = session();
    (void)tenure_session_create_start(slot->client, &request, on_create, slot);
}

static const struct {
    const char *name;
    void (*start)(struct slot *slot);
} operations[] = {{"create", start_create}, {"validate", start_validate}, {"state_put", start_put}};

/* ---- the run ---- */

static bool open_clients(struct bench *bench, char **argv, size_t server_count)
{
    struct tenure_options options = {.ca = argv[4],
                                     .certificate = argv[5],
                                     .key = argv[6],
                                     .servers = (const char *const *)&argv[7],
                                     .server_count = server_count,
                                     .software = "tenure-bench"};
    char error[512];
    for (size_t i = 0; i < CONNECTIONS; i++) {
        if (!tenure_open(&options, error, sizeof(error), &bench->clients[i])) {
            fprintf(stderr, "tenure-bench: %s\n", error);
            return false;
        }
    }
    return true;
}

static bool open_session(struct bench *bench)
{
    struct tenure_session_create_request request = session();
    struct tenure_session_create_reply reply;
    struct tenure_result result;
    bool opened = tenure_session_create(bench->clients[0], &request, &reply, &result) == TENURE_OK;
    if (opened) {
        snprintf(bench->token, sizeof(bench->token), "%.*s", (int)reply.token.size,
                 (const char *)reply.token.data);
    } else {
        fprintf(stderr, "tenure-bench: %s: %s\n", tenure_outcome_name(result.outcome),
                result.message);
    }
    tenure_result_done(&result);
    return opened;
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static uint32_t percentile(const struct bench *bench, uint64_t of_thousand)
{
    return bench->samples[(bench->sample_count - 1) * of_thousand / 1000];
}

static void report(struct bench *bench, const char *name, size_t outstanding, uint64_t took_us)
{
    qsort(bench->samples, bench->sample_count, sizeof(*bench->samples), compare);
    printf("{\"op\": \"%s\", \"outstanding\": %zu, \"per_second\": %.0f, \"p50_us\": %" PRIu32
           ", \"p99_us\": %" PRIu32 ", \"p999_us\": %" PRIu32 ", \"failed\": %" PRIu64 "}\n",
           name, outstanding, (double)bench->done * 1e6 / (double)took_us, percentile(bench, 500),
           percentile(bench, 990), percentile(bench, 999), bench->failed);
}

static void run(struct bench *bench, const char *name, size_t outstanding, uint64_t seconds)
{
    struct slot *slots = calloc(outstanding, sizeof(*slots));
    bench->samples = malloc(SAMPLES_MAX * sizeof(*bench->samples));
    if (slots == NULL || bench->samples == NULL) {
        fprintf(stderr, "tenure-bench: out of memory\n");
        exit(EXIT_FAILURE);
    }
    uint64_t began = now_us();
    bench->end_us = began + seconds * SECOND;
    for (size_t i = 0; i < outstanding; i++) {
        slots[i] = (struct slot){.bench = bench, .client = bench->clients[i % CONNECTIONS]};
        begin(&slots[i]);
    }
    size_t used = outstanding < CONNECTIONS ? outstanding : CONNECTIONS;
    while (bench->open > 0) {
        for (size_t i = 0; i < used; i++) {
            tenure_process(bench->clients[i], used == 1 ? 1000 : 0);
        }
    }
    report(bench, name, outstanding, now_us() - began);
    free(slots);
    free(bench->samples);
}

int main(int argc, char **argv)
{
    static struct bench bench;
    size_t outstanding = argc > 3 ? strtoul(argv[2], NULL, 10) : 0;
    uint64_t seconds = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    for (size_t i = 0; argc > 7 && i < sizeof(operations) / sizeof(operations[0]); i++) {
        if (strcmp(argv[1], operations[i].name) == 0) {
            bench.start = operations[i].start;
        }
    }
    if (bench.start == NULL || outstanding == 0 || outstanding > OUTSTANDING_MAX || seconds == 0) {
        fprintf(stderr, "usage: tenure-bench create|validate|state_put OUTSTANDING SECONDS CA "
                        "CERTIFICATE KEY SERVER...\n");
        return 2;
    }
    if (!open_clients(&bench, argv, (size_t)argc - 7) || !open_session(&bench)) {
        return EXIT_FAILURE;
    }
    run(&bench, argv[1], outstanding, seconds);
    for (size_t i = 0; i < CONNECTIONS; i++) {
        tenure_close(bench.clients[i]);
    }
    return bench.failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
