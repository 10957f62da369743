/* tenure-worker: the story's worker as a process. Commands come in by standard input, answers go
 * out by standard output; what it knows it holds in memory.
 *
 * Usage: tenure-worker CA CERTIFICATE KEY SERVER...
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tests/story/worker.h"

struct input {
    char bytes[4 * STORY_LINE];
    size_t size;
    bool ended;
};

static void on_say(void *arg, const char *line)
{
    (void)arg;
    puts(line);
    fflush(stdout);
}

/* Takes whole lines out of the input. */
static void take_lines(struct input *input, struct worker *worker)
{
    char *end;
    while ((end = memchr(input->bytes, '\n', input->size)) != NULL) {
        *end = '\0';
        if (!worker_command(worker, input->bytes)) {
            printf("refused USAGE 0 0 0 0 0 not a command: %s\n", input->bytes);
            fflush(stdout);
        }
        size_t used = (size_t)(end + 1 - input->bytes);
        memmove(input->bytes, end + 1, input->size - used);
        input->size -= used;
    }
}

static void read_input(struct input *input, struct worker *worker)
{
    ssize_t got = read(STDIN_FILENO, input->bytes + input->size,
                       sizeof(input->bytes) - input->size);
    if (got <= 0) {
        input->ended = true;
        return;
    }
    input->size += (size_t)got;
    take_lines(input, worker);
}

static int wait_ms(const struct tenure_client *client)
{
    uint64_t wait_us = tenure_timeout_us(client);
    return wait_us > 60000000 ? 60000 : (int)((wait_us + 999) / 1000);
}

/* One loop for the client's descriptor and our own: how libtenure is embedded. */
static void run(struct tenure_client *client, struct worker *worker)
{
    struct input input = {.size = 0};
    while (!input.ended) {
        tenure_process(client, 0);
        struct pollfd ready[2] = {{.fd = STDIN_FILENO, .events = POLLIN},
                                  {.fd = tenure_fd(client), .events = POLLIN}};
        if (poll(ready, 2, wait_ms(client)) > 0 && ready[0].revents != 0) {
            read_input(&input, worker);
        }
    }
}

int main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "usage: tenure-worker CA CERTIFICATE KEY SERVER...\n");
        return 2;
    }
    struct tenure_options options = {.ca = argv[1],
                                     .certificate = argv[2],
                                     .key = argv[3],
                                     .servers = (const char *const *)&argv[4],
                                     .server_count = (size_t)argc - 4,
                                     .software = "tenure-worker",
                                     .timeout_us = 10000000};
    char error[512];
    struct tenure_client *client;
    if (!tenure_open(&options, error, sizeof(error), &client)) {
        fprintf(stderr, "tenure-worker: %s\n", error);
        return EXIT_FAILURE;
    }
    struct worker *worker = worker_create(client, on_say, NULL);
    if (worker != NULL) {
        run(client, worker);
    }
    tenure_close(client);
    worker_destroy(worker);
    return EXIT_SUCCESS;
}
