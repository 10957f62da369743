/* The same law on real files: what was reported as stored is there, also after a process was
 * killed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "env/loop.h"
#include "raftlog/log.h"
#include "raftlog/snapshots.h"
#include "raftlog/store.h"
#include "raftlog/vote.h"
#include "tests/unit/env/place.h"

enum { SEGMENT = 16 * 1024, ERROR_SIZE = 512 };

struct node {
    struct env *env;
    char folder[PLACE_PATH_MAX];
    char log_folder[PLACE_PATH_MAX + 16];
    struct rlog_store store;
    struct rlog_log *log;
    uint64_t stored;
    int failures;
    int report_to; /* a pipe, or -1 */
    char error[ERROR_SIZE];
};

static void stored(void *arg, uint64_t index)
{
    struct node *node = arg;

    node->stored = index;
    if (node->report_to >= 0) {
        assert_int_equal(write(node->report_to, &index, sizeof index), sizeof index);
    }
}

static void failed(void *arg, int rc, const char *detail)
{
    struct node *node = arg;

    (void)rc;
    (void)detail;
    node->failures++;
}

static void node_format(struct env *env, const char *folder)
{
    struct rlog_birth birth = {.cluster = "blue", .member_count = 1};
    char error[ERROR_SIZE];

    birth.members[0].id = 1;
    assert_int_equal(rlog_store_format(env, folder, 1, &birth, bytes_of_text("member 1"), SEGMENT,
                                       error, sizeof error, NULL),
                     ENV_OK);
}

static void node_open(struct node *node, struct env *env, const char *folder, uint64_t snapshot)
{
    struct rlog_log_handlers handlers = {.arg = node, .stored = stored, .failed = failed};
    struct rlog_log_config config = {.folder = node->log_folder, .segment_bytes = SEGMENT};

    memset(node, 0, sizeof *node);
    node->env = env;
    node->report_to = -1;
    (void)snprintf(node->folder, sizeof node->folder, "%s", folder);
    (void)snprintf(node->log_folder, sizeof node->log_folder, "%s/log", folder);
    assert_int_equal(rlog_store_open(env, folder, &node->store, node->error, ERROR_SIZE), ENV_OK);
    config.store_id = node->store.store_id;
    assert_int_equal(rlog_log_open(env, &config, snapshot, snapshot == 0 ? 0 : 1, &handlers,
                                   node->error, ERROR_SIZE, &node->log),
                     ENV_OK);
}

static void node_close(struct node *node)
{
    rlog_log_destroy(node->log);
    rlog_store_close(&node->store);
}

static void append(struct node *node, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint64_t index = rlog_log_last(node->log) + 1;
        char payload[200];
        int size = snprintf(payload, sizeof payload, "%0*d", (int)(8 + index * 37 % 150),
                            (int)index);
        struct rlog_log_entry entry = {
            .term = 1, .type = RLOG_COMMAND, .payload = bytes_of(payload, (size_t)size)};

        assert_int_equal(rlog_log_append(node->log, &entry), index);
    }
}

static void check(const struct node *node)
{
    uint64_t start = rlog_log_start(node->log);

    for (uint64_t i = start > 2 ? start : 2; i <= rlog_log_last(node->log); i++) {
        struct rlog_log_entry entry = rlog_log_entry(node->log, i);
        char payload[200];
        int size = snprintf(payload, sizeof payload, "%0*d", (int)(8 + i * 37 % 150), (int)i);

        assert_true(bytes_equal(entry.payload, bytes_of(payload, (size_t)size)));
    }
}

static void settle(struct node *node)
{
    for (int turns = 0; !rlog_log_idle(node->log) && node->failures == 0; turns++) {
        assert_true(turns < 100000);
        env_turn(node->env, 1000000);
    }
    assert_int_equal(node->failures, 0);
}

static void test_a_log_lives(void **state)
{
    struct place place;
    struct node node;
    char folder[PLACE_PATH_MAX];

    (void)state;
    place_init(&place);
    node_format(place.env, place_path(&place, "node", folder));
    node_open(&node, place.env, folder, 0);
    for (int i = 0; i < 100; i++) {
        append(&node, 20);
        env_turn(place.env, 0);
        if (i % 10 == 5) {
            rlog_log_truncate(node.log, rlog_log_last(node.log) - 3);
        }
    }
    settle(&node);
    assert_int_equal(node.stored, rlog_log_last(node.log));
    check(&node);
    rlog_log_prune(node.log, 1000);
    append(&node, 1);
    settle(&node);
    node_close(&node);

    node_open(&node, place.env, folder, 1100);
    assert_int_equal(rlog_log_last(node.log), 1962);
    assert_true(rlog_log_start(node.log) > 700 && rlog_log_start(node.log) <= 1000);
    check(&node);
    rlog_log_restart(node.log, 5000, 1);
    append(&node, 5);
    settle(&node);
    node_close(&node);

    node_open(&node, place.env, folder, 5000);
    assert_int_equal(rlog_log_start(node.log), 5001);
    assert_int_equal(rlog_log_last(node.log), 5005);
    check(&node);
    append(&node, 50);
    env_turn(place.env, 0);
    node_close(&node); /* in the middle of a batch */
    place_done(&place);
}

/* Killed at any moment by the kernel: the child tells each index that was reported to it. */
static _Noreturn void child_run(const char *folder, int report_to)
{
    struct env *env = NULL;
    struct node node;

    assert_int_equal(env_uv_create(&env), ENV_OK);
    node_open(&node, env, folder, 0);
    node.report_to = report_to;
    for (;;) {
        append(&node, 7);
        env_turn(env, 0);
    }
}

static uint64_t kill_after(const char *folder, uint64_t index_least)
{
    uint64_t index = 0;
    int ends[2];
    int status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        char number[16];

        /* A new image: threads of this process do not live on in a fork. */
        (void)snprintf(number, sizeof number, "%d", ends[1]);
        execl("/proc/self/exe", "unit_raftlog_disk_real", folder, number, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    while (index < index_least) {
        assert_int_equal(read(ends[0], &index, sizeof index), sizeof index);
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    while (read(ends[0], &index, sizeof index) == sizeof index) {
    }
    close(ends[0]);
    return index;
}

static void test_survives_being_killed(void **state)
{
    struct place place;
    char folder[PLACE_PATH_MAX];
    uint64_t last = 1;

    (void)state;
    place_init(&place);
    node_format(place.env, place_path(&place, "node", folder));
    for (uint64_t life = 0; life < 8; life++) {
        uint64_t reported = kill_after(folder, last + 1 + 61 * life);
        struct node node;

        node_open(&node, place.env, folder, 0);
        last = rlog_log_last(node.log);
        assert_true(last >= reported);
        check(&node);
        node_close(&node);
    }
    place_done(&place);
}

static void test_a_vote_lives(void **state)
{
    struct id128 store_id = {"store-of-the-one"};
    struct rlog_vote vote = {0, 0};
    struct place place;
    char error[ERROR_SIZE];

    (void)state;
    place_init(&place);
    assert_int_equal(
        rlog_vote_format(place.env, place.folder, store_id, (struct rlog_vote){.term = 1}), ENV_OK);
    for (uint64_t term = 1; term < 20; term++) {
        assert_int_equal(
            rlog_vote_load(place.env, place.folder, store_id, &vote, error, sizeof error), ENV_OK);
        assert_int_equal(vote.term, term);
        assert_int_equal(vote.voted_for, term == 1 ? 0 : 3);
        assert_int_equal(rlog_vote_store(place.env, place.folder, store_id, vote,
                                         (struct rlog_vote){term + 1, 3}),
                         ENV_OK);
    }
    place_done(&place);
}

/* ---- snapshots ---- */

struct writing {
    bool done;
    int rc;
};

static void writing_done(void *arg, int rc)
{
    struct writing *writing = arg;

    writing->done = true;
    writing->rc = rc;
}

static int count_feed(void *arg, struct bytes piece)
{
    uint64_t *sum = arg;

    for (size_t i = 0; i < piece.size; i++) {
        *sum = *sum * 31 + piece.data[i];
    }
    return ENV_OK;
}

static void test_a_snapshot_lives(void **state)
{
    struct rlog_snapshot_meta meta = {.index = 9, .term = 1, .configuration = {NULL, 0}};
    struct rlog_snapshot_writer *writer;
    struct rlog_snapshot_info info;
    struct writing writing = {.done = false};
    struct place place;
    uint64_t sum = 0, again = 0;
    char error[ERROR_SIZE];
    uint8_t piece[5000];

    (void)state;
    place_init(&place);
    writer = rlog_snapshot_writer_create(place.env, place.folder, &meta, writing_done, &writing);
    for (unsigned i = 0; i < 300; i++) {
        for (size_t at = 0; at < sizeof piece; at++) {
            piece[at] = (uint8_t)(i * at / 7);
        }
        (void)count_feed(&sum, bytes_of(piece, sizeof piece));
        rlog_snapshot_writer_piece(writer, bytes_of(piece, sizeof piece));
        env_turn(place.env, 0);
    }
    rlog_snapshot_writer_finish(writer);
    place_wait(&place, &writing.done, 20);
    assert_int_equal(writing.rc, ENV_OK);
    rlog_snapshot_writer_destroy(writer);
    assert_int_equal(rlog_snapshots_newest(place.env, place.folder, &info, error, sizeof error),
                     ENV_OK);
    assert_int_equal(info.meta.index, 9);
    assert_int_equal(
        rlog_snapshot_restore(place.env, place.folder, 9, count_feed, &again, error, sizeof error),
        ENV_OK);
    assert_true(sum == again);

    writer = rlog_snapshot_writer_create(place.env, place.folder, &meta, writing_done, &writing);
    rlog_snapshot_writer_piece(writer, bytes_of(piece, sizeof piece));
    env_turn(place.env, 0);
    rlog_snapshot_writer_destroy(writer); /* given up */
    place_done(&place);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_log_lives),
        cmocka_unit_test(test_survives_being_killed),
        cmocka_unit_test(test_a_vote_lives),
        cmocka_unit_test(test_a_snapshot_lives),
    };

    if (argc == 3) {
        child_run(argv[1], (int)strtol(argv[2], NULL, 10));
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
