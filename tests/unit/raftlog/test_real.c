/* The same code in the real world: three nodes in one process, real files, sockets and TLS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <ftw.h>

#include <cmocka.h>

#include "env/clock.h"
#include "env/crypto.h"
#include "env/disk.h"
#include "env/loop.h"
#include "env/net.h"
#include "env/random.h"
#include "env/uv/uv.h"
#include "raftlog/raftlog.h"

enum { NODES = 3, VALUES_MAX = 8192, PATH_SIZE = 128, WAIT_US = 20 * 1000 * 1000 };

struct node {
    uint64_t id;
    struct env *env;
    struct env_tls *tls;
    struct rlog *rlog;
    char folder[PATH_SIZE];
    enum rlog_role role;
    uint64_t term;
    bool stopped;
    unsigned restores;
    uint64_t values[VALUES_MAX];
    uint64_t second[VALUES_MAX]; /* being restored */
    size_t second_size;
    size_t count, walk;
    void (*sink)(void *arg, struct bytes piece);
    void *sink_arg;
};

struct world {
    char folder[64];
    struct rlog_birth birth;
    struct node nodes[NODES];
    uint64_t next;
};

/* ---- the machine: a list of numbers ---- */

static int machine_birth(void *arg, const struct rlog_birth *birth)
{
    (void)arg;
    return birth->member_count == NODES ? 0 : ENV_INVALID;
}

static bool machine_apply(void *arg, uint64_t index, uint64_t term, struct bytes entry)
{
    struct node *node = arg;
    (void)index;
    (void)term;
    assert_int_equal(entry.size, 8);
    assert_true(node->count < VALUES_MAX);
    memcpy(&node->values[node->count++], entry.data, 8);
    return true;
}

static void machine_appended(void *arg, uint64_t term, bool local, struct bytes entry)
{
    (void)arg;
    (void)term;
    (void)local;
    (void)entry;
}

static void machine_role_changed(void *arg, enum rlog_role role, uint64_t term, uint64_t leader)
{
    struct node *node = arg;
    (void)leader;
    node->role = role;
    node->term = term;
}

static void machine_peer_message(void *arg, uint64_t from, uint8_t kind, struct bytes message)
{
    (void)arg;
    (void)from;
    (void)kind;
    (void)message;
}

static void machine_snapshot_begin(void *arg, void (*sink)(void *sink_arg, struct bytes piece),
                                   void *sink_arg)
{
    struct node *node = arg;
    node->walk = node->count;
    node->sink = sink;
    node->sink_arg = sink_arg;
}

static bool machine_snapshot_step(void *arg)
{
    struct node *node = arg;
    node->sink(node->sink_arg, bytes_of(node->values, node->walk * sizeof *node->values));
    return true;
}

static void machine_snapshot_abort(void *arg)
{
    (void)arg;
}

static int machine_restore_begin(void *arg)
{
    struct node *node = arg;
    node->second_size = 0;
    return 0;
}

static int machine_restore_feed(void *arg, struct bytes piece)
{
    struct node *node = arg;
    assert_true(node->second_size + piece.size <= sizeof node->second);
    memcpy((uint8_t *)node->second + node->second_size, piece.data, piece.size);
    node->second_size += piece.size;
    return 0;
}

static int machine_restore_end(void *arg)
{
    (void)arg;
    return 0;
}

static void machine_restore_take(void *arg)
{
    struct node *node = arg;
    memcpy(node->values, node->second, node->second_size);
    node->count = node->second_size / 8;
    node->restores++;
}

static void machine_restore_drop(void *arg)
{
    struct node *node = arg;
    node->second_size = 0;
}

static void machine_on_fatal(void *arg, int rc, const char *detail)
{
    (void)arg;
    fail_msg("fatal %d: %s", rc, detail);
}

/* ---- the world ---- */

static void write_text(struct env *env, const char *folder, const char *name, const char *text)
{
    char path[2 * PATH_SIZE];
    struct env_file *file = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(env_file_open(env, path, ENV_OPEN_CREATE, &file), 0);
    assert_int_equal(env_file_write(file, 0, bytes_of_text(text)), 0);
    env_file_close(file);
}

static void ignore_accept(void *arg, struct env_conn *conn)
{
    (void)arg;
    env_conn_close(conn, false);
}

/* On an address of this run's own, a port that is free now. */
static void pick_address(struct world *world, struct node *node, const uint8_t *random)
{
    char any[ENV_ADDRESS_MAX];
    struct env_listener *listener = NULL;
    snprintf(any, sizeof any, "127.%u.%u.%u:0", 1 + random[0] % 250, random[1],
             1 + random[2] % 250);
    assert_int_equal(env_listen(node->env, any, node->tls, "none", ignore_accept, NULL,
                                world->birth.members[node->id - 1].address, &listener),
                     0);
    env_listener_close(listener);
    world->birth.members[node->id - 1].id = node->id;
}

static void issue(struct world *world, struct node *node, const char *ca, const char *ca_key)
{
    static char certificate[ENV_PEM_MAX];
    static char key[ENV_PEM_MAX];
    char identity[64], error[512], ca_path[PATH_SIZE], cert_path[PATH_SIZE], key_path[PATH_SIZE];
    char name[16];
    snprintf(identity, sizeof identity, "tenure://real/-/peer/%u", (unsigned)node->id);
    assert_int_equal(env_pki_issue(ca, ca_key, identity, 1, certificate, key), 0);
    snprintf(name, sizeof name, "cert%u", (unsigned)node->id);
    write_text(node->env, world->folder, name, certificate);
    snprintf(cert_path, sizeof cert_path, "%s/%s", world->folder, name);
    snprintf(name, sizeof name, "key%u", (unsigned)node->id);
    write_text(node->env, world->folder, name, key);
    snprintf(key_path, sizeof key_path, "%s/%s", world->folder, name);
    snprintf(ca_path, sizeof ca_path, "%s/ca", world->folder);
    int rc = env_tls_create(node->env, ca_path, cert_path, key_path, error, sizeof error,
                            &node->tls);
    if (rc != 0) {
        fail_msg("%s", error);
    }
}

static struct world *world_create(void)
{
    static char ca[ENV_PEM_MAX];
    static char ca_key[ENV_PEM_MAX];
    struct world *world = calloc(1, sizeof *world);
    uint8_t random[3];
    char error[512];
    snprintf(world->folder, sizeof world->folder, "real-XXXXXX");
    assert_non_null(mkdtemp(world->folder));
    assert_int_equal(env_pki_ca("test", 1, ca, ca_key), 0);
    snprintf(world->birth.cluster, sizeof world->birth.cluster, "real");
    memset(world->birth.incarnation.bytes, 3, 16);
    world->birth.member_count = NODES;
    for (size_t i = 0; i < NODES; i++) {
        struct node *node = &world->nodes[i];
        node->id = i + 1;
        assert_int_equal(env_uv_create(&node->env), 0);
        env_uv_set_log(node->env, ENV_UV_LOG_TEXT, ENV_LOG_ERROR, NULL);
        if (i == 0) {
            write_text(node->env, world->folder, "ca", ca);
            env_random(node->env, random, sizeof random);
        }
        issue(world, node, ca, ca_key);
        pick_address(world, node, random);
        snprintf(node->folder, sizeof node->folder, "%s/n%u", world->folder, (unsigned)i + 1);
    }
    for (size_t i = 0; i < NODES; i++) {
        struct node *node = &world->nodes[i];
        if (rlog_format(node->env, node->folder, node->id, &world->birth, error, sizeof error,
                        NULL) != 0) {
            fail_msg("%s", error);
        }
    }
    return world;
}

static void node_start(struct world *world, struct node *node)
{
    char error[512];
    struct rlog_config config;
    struct rlog_machine machine = {
        .arg = node,
        .birth = machine_birth,
        .apply = machine_apply,
        .appended = machine_appended,
        .role_changed = machine_role_changed,
        .peer_message = machine_peer_message,
        .snapshot_begin = machine_snapshot_begin,
        .snapshot_step = machine_snapshot_step,
        .snapshot_abort = machine_snapshot_abort,
        .restore_begin = machine_restore_begin,
        .restore_feed = machine_restore_feed,
        .restore_end = machine_restore_end,
        .restore_take = machine_restore_take,
        .restore_drop = machine_restore_drop,
        .on_fatal = machine_on_fatal,
    };
    rlog_config_init(&config);
    config.id = node->id;
    config.folder = node->folder;
    config.listen = world->birth.members[node->id - 1].address;
    config.tls = node->tls;
    config.election_us = 1000 * 1000; /* other programs run on this machine */
    config.segment_bytes = 64 * 1024;
    config.snapshot_bytes = 8 * 1024;
    config.trailing = 32;
    node->count = 0;
    node->stopped = false;
    if (rlog_start(node->env, &config, &machine, error, sizeof error, &node->rlog) != 0) {
        fail_msg("%s", error);
    }
}

static void turn(struct world *world)
{
    for (size_t i = 0; i < NODES; i++) {
        env_turn(world->nodes[i].env, 500);
    }
}

static bool wait_for(struct world *world, bool (*condition)(struct world *world))
{
    uint64_t until_us = env_mono_us(world->nodes[0].env) + WAIT_US;
    while (!condition(world)) {
        if (env_mono_us(world->nodes[0].env) > until_us) {
            return false;
        }
        turn(world);
    }
    return true;
}

static struct node *leader_of(struct world *world)
{
    struct node *leader = NULL;
    for (size_t i = 0; i < NODES; i++) {
        struct node *node = &world->nodes[i];
        if (node->rlog != NULL && node->role == RLOG_LEADER &&
            (leader == NULL || node->term > leader->term)) {
            leader = node;
        }
    }
    return leader;
}

static bool has_all(struct world *world)
{
    for (size_t i = 0; i < NODES; i++) {
        const struct node *node = &world->nodes[i];
        if (node->rlog != NULL && node->count < world->next) {
            return false;
        }
    }
    return true;
}

static void on_stopped(void *arg)
{
    struct node *node = arg;
    node->stopped = true;
}

static bool one_stopped(struct world *world)
{
    for (size_t i = 0; i < NODES; i++) {
        if (world->nodes[i].stopped) {
            return true;
        }
    }
    return false;
}

static void node_stop(struct world *world, struct node *node)
{
    rlog_stop(node->rlog, on_stopped, node);
    assert_true(wait_for(world, one_stopped));
    rlog_destroy(node->rlog);
    node->rlog = NULL;
    node->stopped = false;
}

static void write_numbers(struct world *world, size_t count)
{
    uint64_t until_us = env_mono_us(world->nodes[0].env) + WAIT_US;
    for (size_t i = 0; i < count;) {
        struct node *leader = leader_of(world);
        uint64_t index = 0;
        bool submitted = leader != NULL && rlog_submit(leader->rlog, bytes_of(&world->next, 8),
                                                       &index) == RLOG_SUBMITTED;
        if (submitted) {
            world->next++;
            i++;
        }
        if (!submitted || i % 16 == 0) {
            turn(world);
            assert_true(env_mono_us(world->nodes[0].env) < until_us);
        }
    }
    assert_true(wait_for(world, has_all));
}

static void on_confirmed(void *arg, bool confirmed)
{
    int *answer = arg;
    *answer = confirmed ? 1 : -1;
}

static int remove_one(const char *path, const struct stat *status, int flag, struct FTW *place)
{
    (void)status;
    (void)flag;
    (void)place;
    return remove(path);
}

static void world_destroy(struct world *world)
{
    for (size_t i = 0; i < NODES; i++) {
        node_stop(world, &world->nodes[i]);
    }
    for (size_t i = 0; i < NODES; i++) {
        env_tls_destroy(world->nodes[i].tls);
        env_uv_destroy(world->nodes[i].env);
    }
    assert_int_equal(nftw(world->folder, remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
    free(world);
}

static void replicates_restarts_and_confirms(void **state)
{
    (void)state;
    struct world *world = world_create();
    for (size_t i = 0; i < NODES; i++) {
        node_start(world, &world->nodes[i]);
    }
    write_numbers(world, 500);

    int answer = 0;
    struct node *leader = leader_of(world);
    assert_int_equal(rlog_confirm(leader->rlog, on_confirmed, &answer), RLOG_SUBMITTED);
    for (unsigned i = 0; i < 1000 && answer == 0; i++) {
        turn(world);
    }
    assert_int_equal(answer, 1);

    /* The leader hands over; it comes back behind what the others keep in their logs. */
    node_stop(world, leader);
    write_numbers(world, 3000);
    unsigned before = leader->restores;
    node_start(world, leader);
    assert_true(wait_for(world, has_all));
    assert_true(leader->restores > before);

    for (size_t i = 0; i < NODES; i++) {
        assert_int_equal(world->nodes[i].count, world->next);
        for (uint64_t value = 0; value < world->next; value++) {
            assert_int_equal(world->nodes[i].values[value], value);
        }
    }
    world_destroy(world);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replicates_restarts_and_confirms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
