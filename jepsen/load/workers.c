/* Workers: processes of their own, which can be made to stand still. They get their orders, one a
 * line, by a pipe: "WORKLOAD ORDER". */
#include "jepsen/load/load.h"

#include "base/assert.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- from outside ---- */

static void start_one(struct load *load, char **argv, uint32_t number)
{
    struct worker *worker = &load->workers[number - 1];
    int ends[2];
    char text[16];
    (void)snprintf(text, sizeof text, "%u", (unsigned)number);
    ASSERT(pipe2(ends, O_CLOEXEC) == 0);
    worker->orders = ends[1];
    worker->pid = fork();
    ASSERT(worker->pid >= 0);
    if (worker->pid == 0) {
        if (dup2(ends[0], STDIN_FILENO) >= 0 && setenv("JEPSEN_WORKER", text, 1) == 0) {
            execv("/proc/self/exe", argv);
        }
        _exit(127);
    }
    close(ends[0]);
    (void)fcntl(worker->orders, F_SETFL, O_NONBLOCK);
}

void workers_start(struct load *load, char **argv, uint32_t count)
{
    (void)signal(SIGPIPE, SIG_IGN);
    for (uint32_t i = 1; i <= count; i++) {
        start_one(load, argv, i);
    }
    load->worker_count = count;
}

bool workers_end(struct load *load)
{
    bool good = true;
    for (uint32_t i = 0; i < load->worker_count; i++) {
        (void)kill(load->workers[i].pid, SIGCONT);
        close(load->workers[i].orders);
    }
    for (uint32_t i = 0; i < load->worker_count; i++) {
        int status = 0;
        (void)waitpid(load->workers[i].pid, &status, 0);
        good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
    return good;
}

void lane_order(struct lane *lane, uint32_t worker, const char *workload, const char *order)
{
    char line[LOAD_ORDER + 64];
    int size = snprintf(line, sizeof line, "%s %.120s\n", workload, order);
    ssize_t written = write(lane->load->workers[worker].orders, line, (size_t)size);
    (void)written; /* one that stands still for long loses orders */
}

bool lane_freeze(struct lane *lane, uint32_t worker)
{
    struct worker *frozen = &lane->load->workers[worker];
    if (frozen->frozen || kill(frozen->pid, SIGSTOP) != 0) {
        return false;
    }
    frozen->frozen = true;
    return true;
}

void lane_thaw(struct lane *lane, uint32_t worker)
{
    struct worker *frozen = &lane->load->workers[worker];
    frozen->frozen = false;
    (void)kill(frozen->pid, SIGCONT);
}

/* ---- from inside ---- */

static void give(struct load *load, const char *line)
{
    const char *space = strchr(line, ' ');
    const struct workload *workload = space == NULL ? NULL
                                                    : load_workload(line, (size_t)(space - line));
    if (workload == NULL || workload->work == NULL) {
        return;
    }
    for (uint32_t i = 0; i < load->lane_count; i++) {
        struct lane *lane = &load->lanes[i];
        if (lane->idle) {
            lane->idle = false;
            lane->workload = workload;
            (void)snprintf(lane->order, sizeof lane->order, "%s", space + 1);
            lane->due_us = 0;
            return;
        }
    }
}

/* One byte at a time: orders are few, and none is left in a buffer that poll cannot see. */
bool workers_obey(struct load *load)
{
    char line[LOAD_ORDER + 64], byte = 0;
    struct pollfd ready = {.fd = STDIN_FILENO, .events = POLLIN};
    while (poll(&ready, 1, 0) > 0) {
        for (size_t size = 0; size < sizeof line; size++) {
            if (read(STDIN_FILENO, &byte, 1) != 1) {
                return false;
            }
            line[size] = byte == '\n' ? '\0' : byte;
            if (byte == '\n') {
                give(load, line);
                break;
            }
        }
    }
    return true;
}
