/* What the attacks of hostile.c are made of: connections to one server, a client that is served
 * meanwhile, and the server's memory. Attacks nobody by itself.
 */
#ifndef TESTS_CLUSTER_HOSTILE_CLIENT_H
#define TESTS_CLUSTER_HOSTILE_CLIENT_H

#include "env/clock.h"
#include "env/loop.h"
#include "env/net.h"
#include "op/frame.h"

enum { GUEST_INPUT = 64 * 1024 };

struct scene {
    struct env *env;
    const char *address; /* for clients */
    const char *target;  /* of half-open connections */
    long pid;            /* the server's */
    struct env_tls *service;
    struct env_tls *operator;
    uint64_t worst_us; /* the longest that the well-behaved client waited */
    unsigned served, refused;
};

/* One connection. */
struct guest {
    struct scene *scene;
    struct env_conn *conn;
    bool open;
    bool closed;
    bool reads; /* keeps what it gets, whole frames; otherwise drops it */
    uint8_t *input;
    size_t size;
    unsigned answers;
    struct op_message first; /* points into `input` */
};

/* Prints one line and ends the process with 1. */
_Noreturn void fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
void scene_init(struct scene *scene, const char *address, const char *folder, long pid);
void scene_done(struct scene *scene);
/* KiB of the server's memory that are resident. */
long scene_resident(const struct scene *scene);
/* Lets the loop turn until the condition holds; false after `most_us`. */
bool scene_wait(struct scene *scene, bool (*condition)(void *arg), void *arg, uint64_t most_us);

void guest_connect(struct guest *guest, struct scene *scene, struct env_tls *tls, bool reads);
void guest_say(struct guest *guest, const char *method);
void guest_drop(struct guest *guest);
bool guest_is_closed(void *arg);
bool guest_is_settled(void *arg); /* open or closed */

/* A new client comes, says hello, asks for the status, and goes: how long that takes is kept. */
void scene_probe(struct scene *scene);

#endif
