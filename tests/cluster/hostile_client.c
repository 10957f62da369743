/* Connections for hostile.c over the real world. */
#include "tests/cluster/hostile_client.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "env/uv/uv.h"

enum { TURN_US = 2000, PROBE_US = 10000000 };

void fail(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    printf("hostile: ");
    vprintf(format, arguments);
    printf("\n");
    va_end(arguments);
    exit(1);
}

/* ---- guests ---- */

static void on_open(void *arg, struct env_conn *conn, const char *identity)
{
    (void)conn;
    (void)identity;
    ((struct guest *)arg)->open = true;
}

/* Takes the first whole message apart and counts the others. */
static void take_frames(struct guest *guest)
{
    size_t used = 0, size = 0;
    while (op_frame_size(bytes_of(guest->input + used, guest->size - used), OP_FRAME_MAX, &size) &&
           size != 0 && size <= guest->size - used) {
        struct op_fault fault;
        struct bytes body = bytes_of(guest->input + used + OP_FRAME_PREFIX, size - OP_FRAME_PREFIX);
        if (!op_message_read(body, &guest->first, &fault)) {
            fail("the server sent what is no message: %s", fault.text);
        }
        guest->answers++;
        used += size;
    }
    guest->size -= used;
    memmove(guest->input, guest->input + used, guest->size);
}

static void on_data(void *arg, struct env_conn *conn, struct bytes data)
{
    struct guest *guest = arg;
    (void)conn;
    if (!guest->reads) {
        return;
    }
    if (data.size > GUEST_INPUT - guest->size) {
        fail("more of an answer than there should be");
    }
    memcpy(guest->input + guest->size, data.data, data.size);
    guest->size += data.size;
    take_frames(guest);
}

static void on_close(void *arg, struct env_conn *conn, int rc, const char *detail)
{
    struct guest *guest = arg;
    (void)conn;
    (void)rc;
    (void)detail;
    guest->closed = true;
    guest->conn = NULL;
}

void guest_connect(struct guest *guest, struct scene *scene, struct env_tls *tls, bool reads)
{
    static const struct env_conn_handlers handlers = {
        .on_open = on_open, .on_data = on_data, .on_close = on_close};
    *guest = (struct guest){.scene = scene, .reads = reads};
    if (reads) {
        guest->input = malloc(GUEST_INPUT);
    }
    guest->conn = env_connect(scene->env, scene->address, tls, "tenure/1", &handlers, guest);
    if (guest->conn == NULL) {
        fail("cannot connect to %s", scene->address);
    }
}

void guest_say(struct guest *guest, const char *method)
{
    const struct op_hello_request hello = {.version = OP_PROTOCOL_VERSION, .instance = {{7}}};
    uint8_t frame[1024];
    struct base_writer writer;
    base_writer_init(&writer, frame, sizeof(frame));
    bool greets = strcmp(method, OP_METHOD_HELLO) == 0;
    op_request_write(&writer, 1, method, NULL, greets ? &op_hello_request_struct : NULL, &hello);
    if (guest->conn != NULL) {
        env_conn_write(guest->conn, base_written(&writer));
    }
}

void guest_drop(struct guest *guest)
{
    if (guest->conn != NULL) {
        env_conn_close(guest->conn, false);
        (void)scene_wait(guest->scene, guest_is_closed, guest, 5000000);
    }
    free(guest->input);
    guest->input = NULL;
}

bool guest_is_closed(void *arg)
{
    return ((struct guest *)arg)->closed;
}

bool guest_is_settled(void *arg)
{
    const struct guest *guest = arg;
    return guest->open || guest->closed;
}

/* ---- the scene ---- */

static struct env_tls *identity(struct env *env, const char *folder, const char *name)
{
    char ca[512], certificate[512], key[512], error[512];
    struct env_tls *tls = NULL;
    (void)snprintf(ca, sizeof(ca), "%s/ca/ca.pem", folder);
    (void)snprintf(certificate, sizeof(certificate), "%s/%s.pem", folder, name);
    (void)snprintf(key, sizeof(key), "%s/%s.key", folder, name);
    if (env_tls_create(env, ca, certificate, key, error, sizeof(error), &tls) != 0) {
        fail("%s", error);
    }
    return tls;
}

void scene_init(struct scene *scene, const char *address, const char *folder, long pid)
{
    *scene = (struct scene){.address = address, .pid = pid};
    if (env_uv_create(&scene->env) != 0) {
        fail("no loop");
    }
    env_uv_set_log(scene->env, ENV_UV_LOG_TEXT, ENV_LOG_ERROR, "hostile");
    scene->service = identity(scene->env, folder, "client");
    scene->operator= identity(scene->env, folder, "operator");
}

void scene_done(struct scene *scene)
{
    env_uv_destroy(scene->env);
    env_tls_destroy(scene->service);
    env_tls_destroy(scene->operator);
}

long scene_resident(const struct scene *scene)
{
    char path[64], line[256];
    long kib = -1;
    (void)snprintf(path, sizeof(path), "/proc/%ld/status", scene->pid);
    FILE *file = fopen(path, "r");
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        (void)sscanf(line, "VmRSS: %ld kB", &kib);
    }
    if (file == NULL || kib < 0) {
        fail("the server is gone");
    }
    fclose(file);
    return kib;
}

bool scene_wait(struct scene *scene, bool (*condition)(void *arg), void *arg, uint64_t most_us)
{
    uint64_t until = env_mono_us(scene->env) + most_us;
    while (condition == NULL || !condition(arg)) {
        if (env_mono_us(scene->env) >= until) {
            return false;
        }
        env_turn(scene->env, TURN_US);
    }
    return true;
}

/* ---- the well-behaved client ---- */

static bool is_answered(void *arg)
{
    const struct guest *guest = arg;
    return guest->closed || guest->answers >= 2;
}

void scene_probe(struct scene *scene)
{
    struct guest guest;
    uint64_t began = env_mono_us(scene->env);
    guest_connect(&guest, scene, scene->operator, true);
    guest_say(&guest, OP_METHOD_HELLO);
    guest_say(&guest, OP_METHOD_STATUS);
    bool answered = scene_wait(scene, is_answered, &guest, PROBE_US) && guest.answers >= 2;
    uint64_t took = env_mono_us(scene->env) - began;
    scene->worst_us = took > scene->worst_us ? took : scene->worst_us;
    scene->served += answered;
    scene->refused += !answered;
    guest_drop(&guest);
}
