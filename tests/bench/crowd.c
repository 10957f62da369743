/* Connections to a running cluster, and the loop that turns them. Starts no call but of status. */
#include "tests/bench/crowd.h"

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

enum { CALL_US = 10000000, LOOK_US = 1000000, PAUSE_US = 20000 };

uint64_t crowd_now_us(void)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    return (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000;
}

void crowd_open(struct crowd *crowd, const char *folder)
{
    sigset_t ends;
    *crowd = (struct crowd){.stopped = false};
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    if (sigprocmask(SIG_BLOCK, &ends, NULL) != 0 ||
        (crowd->signals = signalfd(-1, &ends, SFD_CLOEXEC)) < 0) {
        perror("signalfd");
        exit(EXIT_FAILURE);
    }
    remote_read(&crowd->remote, folder);
    for (size_t i = 0; i < CROWD_CONNECTIONS; i++) {
        crowd->clients[i] = remote_client(&crowd->remote, "client", REMOTE_ALL, NULL, CALL_US);
    }
    for (size_t i = 0; i < crowd->remote.count; i++) {
        crowd->watchers[i] = remote_client(&crowd->remote, "operator", i, "demo", LOOK_US);
    }
}

void crowd_close(struct crowd *crowd)
{
    for (size_t i = 0; i < CROWD_CONNECTIONS; i++) {
        tenure_close(crowd->clients[i]);
    }
    for (size_t i = 0; i < crowd->remote.count; i++) {
        tenure_close(crowd->watchers[i]);
    }
    close(crowd->signals);
}

/* Only those with something to do are turned: a turn costs system calls, and we share processors
 * with the servers. */
void crowd_turn(struct crowd *crowd, uint64_t wait_us)
{
    struct pollfd ready[CROWD_CONNECTIONS + 1];
    uint64_t due[CROWD_CONNECTIONS];
    for (size_t i = 0; i < CROWD_CONNECTIONS; i++) {
        due[i] = tenure_timeout_us(crowd->clients[i]);
        wait_us = due[i] < wait_us ? due[i] : wait_us;
        ready[i] = (struct pollfd){.fd = tenure_fd(crowd->clients[i]), .events = POLLIN};
    }
    ready[CROWD_CONNECTIONS] = (struct pollfd){.fd = crowd->signals, .events = POLLIN};
    struct timespec wait = {.tv_sec = (time_t)(wait_us / 1000000),
                            .tv_nsec = (long)(wait_us % 1000000) * 1000};
    (void)ppoll(ready, CROWD_CONNECTIONS + 1, &wait, NULL);
    for (size_t i = 0; i < CROWD_CONNECTIONS; i++) {
        if (ready[i].revents != 0 || due[i] <= wait_us) {
            tenure_process(crowd->clients[i], 0);
        }
    }
    if (ready[CROWD_CONNECTIONS].revents != 0) {
        crowd->stopped = true;
    }
}

struct crowd_view crowd_look(struct crowd *crowd)
{
    struct crowd_view view = {.serving = false};
    for (size_t i = 0; i < crowd->remote.count; i++) {
        struct tenure_node_status_request request = {0};
        struct tenure_node_status_reply reply;
        struct tenure_result result;
        if (tenure_node_status(crowd->watchers[i], &request, &reply, &result) == TENURE_OK) {
            view.applied[i] = reply.applied;
            view.commit = reply.commit > view.commit ? reply.commit : view.commit;
            view.sessions = reply.sessions > view.sessions ? reply.sessions : view.sessions;
            if (reply.serving) {
                view.serving = true;
                view.leader = i;
                view.term = reply.term;
            }
        }
        tenure_result_done(&result);
    }
    return view;
}

static bool have_applied(const struct crowd *crowd, const struct crowd_view *view, size_t only,
                         uint64_t wanted)
{
    for (size_t i = 0; i < crowd->remote.count; i++) {
        if ((only == REMOTE_ALL || only == i) && view->applied[i] < wanted) {
            return false;
        }
    }
    return wanted > 0;
}

bool crowd_await(struct crowd *crowd, size_t only, uint64_t wait_us)
{
    uint64_t end_us = crowd_now_us() + wait_us;
    uint64_t wanted = 0;
    while (!crowd->stopped && crowd_now_us() < end_us) {
        struct crowd_view view = crowd_look(crowd);
        if (view.serving && wanted == 0) {
            wanted = view.commit;
        }
        if (have_applied(crowd, &view, only, wanted)) {
            return true;
        }
        crowd_turn(crowd, PAUSE_US);
    }
    return false;
}
