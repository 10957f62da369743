/* hostile ADDRESS FOLDER PID ATTACK COUNT [TARGET]: attacks one server of a cluster of
 * cluster/local with so many connections, and looks at what becomes of its memory and of a client
 * that behaves.
 *
 *   halfopen   TCP connections that never say a word; to TARGET, the peers' port, when it is given
 *   idle       clients that say hello and nothing more
 *   slow       a byte a second
 *   unread     they ask and ask and never read an answer
 *
 * Prints one line of figures. Exit status 1: the line before it says what went wrong.
 */
#include "tests/cluster/hostile_client.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <arpa/inet.h>

enum {
    AT_ONCE = 64,             /* handshakes of ours under way */
    PROBE_WORST_US = 3500000, /* two lost calls; without a bound on handshakes it is 5 s */
    CLOSE_US = 20000000,      /* for what the server has to close by itself */
    TCP_KIB = 16,             /* of the server's memory for each connection: without TLS, with it */
    TLS_KIB = 64,
    FLOOD_KIB = 48 * 1024, /* for a client that does not read: 32 MiB open, 4 MiB unsent, slack */
    FLAT_KIB = 32 * 1024,
};

static struct guest *guests;
static size_t count;

/* ---- half-open ---- */

static int dial(const char *address)
{
    char host[64] = "";
    unsigned port = 0;
    struct sockaddr_in to = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0 || sscanf(address, "%63[0-9.]:%u", host, &port) != 2 ||
        inet_pton(AF_INET, host, &to.sin_addr) != 1) {
        fail("socket: %s", strerror(errno));
    }
    to.sin_port = htons((uint16_t)port);
    if (connect(fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
        fail("connect: %s", strerror(errno));
    }
    return fd;
}

/* Did the server end it? A read would say so. */
static bool is_over(int fd)
{
    char byte;
    ssize_t got = recv(fd, &byte, 1, MSG_DONTWAIT);
    return got == 0 || (got < 0 && errno != EAGAIN);
}

static long halfopen(struct scene *scene)
{
    int *fds = calloc(count, sizeof(*fds));
    long most = 0;
    for (size_t i = 0; i < count; i++) {
        fds[i] = dial(scene->target);
        if (i % (count / 20 + 1) == 0) {
            scene_probe(scene);
        }
    }
    uint64_t until = env_mono_us(scene->env) + CLOSE_US;
    for (size_t over = 0; over < count;) {
        over = 0;
        for (size_t i = 0; i < count; i++) {
            over += is_over(fds[i]);
        }
        most = scene_resident(scene) > most ? scene_resident(scene) : most;
        scene_probe(scene);
        if (env_mono_us(scene->env) > until) {
            fail("%zu of %zu half-open connections were not closed in time", count - over, count);
        }
    }
    for (size_t i = 0; i < count; i++) {
        close(fds[i]);
    }
    free(fds);
    return most;
}

/* ---- crowds with TLS ---- */

static void gather(struct scene *scene, bool greets)
{
    for (size_t i = 0; i < count; i++) {
        guest_connect(&guests[i], scene, i % 2 == 0 ? scene->service : scene->operator, false);
        if (greets) {
            guest_say(&guests[i], OP_METHOD_HELLO);
        }
        if (i >= AT_ONCE) {
            (void)scene_wait(scene, guest_is_settled, &guests[i - AT_ONCE], CLOSE_US);
        }
        if (i % (count / 20 + 1) == 0) {
            scene_probe(scene);
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (!scene_wait(scene, guest_is_settled, &guests[i], CLOSE_US) || !guests[i].open) {
            fail("connection %zu of %zu did not open", i, count);
        }
    }
}

static size_t still_open(void)
{
    size_t open = 0;
    for (size_t i = 0; i < count; i++) {
        open += !guests[i].closed;
    }
    return open;
}

static bool all_closed(void *arg)
{
    (void)arg;
    return still_open() == 0;
}

static long idle(struct scene *scene)
{
    gather(scene, true);
    for (int i = 0; i < 10; i++) {
        scene_probe(scene);
    }
    if (still_open() != count) {
        fail("%zu of %zu idle connections were closed", count - still_open(), count);
    }
    return scene_resident(scene);
}

/* Hello, a byte a second: nobody gets to its end within hello_ms. */
static long slow(struct scene *scene)
{
    static const uint8_t frame[64] = {0, 0, 0, 0x44, 0x94, 0, 1, 0xa5};
    gather(scene, false);
    for (size_t at = 0; at < 30 && !all_closed(NULL); at++) {
        for (size_t i = 0; i < count; i++) {
            if (guests[i].conn != NULL) {
                env_conn_write(guests[i].conn, bytes_of(frame + at, 1));
            }
        }
        scene_probe(scene);
        (void)scene_wait(scene, all_closed, NULL, 1000000);
    }
    if (!all_closed(NULL)) {
        fail("%zu of %zu slow connections were not closed", still_open(), count);
    }
    return scene_resident(scene);
}

/* Each asks as much as the server will take from it, and reads nothing. */
static long unread(struct scene *scene)
{
    long most = 0;
    gather(scene, true);
    for (size_t i = 0; i < count; i++) {
        env_conn_pause(guests[i].conn, true);
    }
    for (int round = 0; round < 60; round++) {
        for (size_t i = 0; i < count; i++) {
            for (int n = 0; n < 4000 && guests[i].conn != NULL &&
                            env_conn_queued(guests[i].conn) < 1024 * 1024;
                 n++) {
                guest_say(&guests[i], OP_METHOD_STATUS);
            }
        }
        scene_probe(scene);
        most = scene_resident(scene) > most ? scene_resident(scene) : most;
    }
    return most;
}

/* ---- all ---- */

struct attack {
    const char *name;
    long (*run)(struct scene *scene); /* the most that was resident */
    long bound_kib;                   /* for each connection */
};

static const struct attack attacks[] = {
    {"halfopen", halfopen, TCP_KIB},
    {"idle", idle, TLS_KIB},
    {"slow", slow, TLS_KIB},
    {"unread", unread, FLOOD_KIB},
};

static void run(const struct attack *attack, struct scene *scene)
{
    long before = scene_resident(scene);
    scene_probe(scene);
    long most = attack->run(scene);
    long bound = attack->bound_kib * (long)count + FLAT_KIB;
    for (size_t i = 0; i < count; i++) {
        if (guests[i].conn != NULL) {
            env_conn_close(guests[i].conn, false);
        }
    }
    if (attack->run != halfopen && !scene_wait(scene, all_closed, NULL, CLOSE_US)) {
        fail("our own connections do not close");
    }
    scene_probe(scene);
    printf("%s: %zu connections, resident before %ld KiB, at most %ld KiB (%ld bytes each), "
           "%u probes, the slowest %llu ms\n",
           attack->name, count, before, most, (most - before) * 1024 / (long)count, scene->served,
           (unsigned long long)(scene->worst_us / 1000));
    if (most - before > bound) {
        fail("%s: the server took %ld KiB more, the bound is %ld KiB", attack->name, most - before,
             bound);
    }
    if (scene->refused > 0 || scene->worst_us > PROBE_WORST_US) {
        fail("%s: %u of the clients that behave were not served, or waited too long", attack->name,
             scene->refused);
    }
}

int main(int argc, char **argv)
{
    static struct scene scene;
    if (argc != 6 && argc != 7) {
        fprintf(stderr, "usage: hostile ADDRESS FOLDER PID ATTACK COUNT [TARGET]\n");
        return 2;
    }
    count = (size_t)strtoul(argv[5], NULL, 10);
    guests = calloc(count + 1, sizeof(*guests));
    scene_init(&scene, argv[1], argv[2], strtol(argv[3], NULL, 10));
    scene.target = argv[argc == 7 ? 6 : 1];
    for (size_t i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
        if (strcmp(attacks[i].name, argv[4]) == 0 && count > 0) {
            run(&attacks[i], &scene);
            scene_done(&scene);
            free(guests);
            return 0;
        }
    }
    fail("there is no attack %s", argv[4]);
}
