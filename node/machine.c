/* raftlog's machine, made of this node's FSM, clock and requests. */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "env/range.h"
#include "node/internal.h"

enum { SNAPSHOT_SLOTS_A_STEP = 512 }; /* about a millisecond of walking: tests/bench/hold.c */

/* An empty one, in a range of its own; NULL when there is no room for that. */
static struct fsm *make_fsm(const struct node *node, void **ret_range)
{
    const struct node_bootstrap *bootstrap = node->bootstrap;
    struct fsm_birth birth = {.incarnation = node->incarnation,
                              .time = bootstrap->time,
                              .limits = bootstrap->limits,
                              .level = node->config->level};
    memcpy(birth.hash_key.bytes, bootstrap->hash_key, sizeof(bootstrap->hash_key));
    *ret_range = env_range_reserve(node->range_size);
    return *ret_range == NULL ? NULL : fsm_create(*ret_range, node->range_size, &birth);
}

bool node_machine_create(struct node *node, const struct rlog_birth *birth, char *error,
                         size_t error_size)
{
    struct node_bootstrap *bootstrap = node->bootstrap;
    if (!node_birth_read(birth, bootstrap)) {
        snprintf(error, error_size, "%s/BIRTH %s", node->config->folder, node_birth_fault(birth));
        return false;
    }
    uint64_t lease_least = 10 * (uint64_t)node->config->election_ms * 1000; /* T8 */
    if (bootstrap->limits.lease_min_us < lease_least) {
        snprintf(error, error_size,
                 "the cluster's shortest lease is below ten election timeouts: set election_ms to "
                 "at most %llu",
                 (unsigned long long)(bootstrap->limits.lease_min_us / 10000));
        return false;
    }
    env_range_release(node->range, node->range_size); /* of a birth before this one */
    node->range_size = fsm_memory_size(&bootstrap->limits);
    node->incarnation = birth->incarnation;
    node->fsm = make_fsm(node, &node->range);
    if (node->fsm == NULL) {
        snprintf(error, error_size,
                 "cannot reserve %llu MiB of address range for the cluster's limits: allow more "
                 "address space (ulimit -v) or use a larger machine",
                 (unsigned long long)(node->range_size >> 20));
        return false;
    }
    fsm_watch_ended(node->fsm, node_observe_ended, node);
    return true;
}

static int on_birth(void *arg, const struct rlog_birth *birth)
{
    struct node *node = arg;
    return node_machine_create(node, birth, node->birth_error, sizeof(node->birth_error))
               ? ENV_OK
               : ENV_INVALID;
}

/* What this version does not know, for the line that the node stops with. */
static void note_misfit(struct node *node, struct bytes entry)
{
    static const char *const texts[] = {
        [OP_MISFIT_VERSION] = "knows no entries of version",
        [OP_MISFIT_KIND] = "knows no entries of kind",
        [OP_MISFIT_COMMAND] = "knows no command",
        [OP_MISFIT_LEVEL] = "knows no feature level",
        [OP_MISFIT_CONTENT] = "does not know all of command",
    };
    uint32_t number;
    enum op_misfit what = op_entry_misfit(entry, node->config->level, &number);
    if (what == OP_MISFIT_CONTENT && number == 0) {
        snprintf(node->misfit, sizeof(node->misfit), "tenured %s does not know an entry's form",
                 NODE_VERSION);
    } else {
        snprintf(node->misfit, sizeof(node->misfit), "tenured %s %s %u", NODE_VERSION, texts[what],
                 number);
    }
}

static bool on_apply(void *arg, uint64_t index, uint64_t term, struct bytes entry)
{
    struct node *node = arg;
    if (!node_batch_apply(node, index, term, entry)) {
        note_misfit(node, entry);
        return false;
    }
    node_digests_add(&node->digests, fsm_position(node->fsm), fsm_digest(node->fsm));
    node_lead_applied(node, index, term);
    node_reads_applied(node);
    return true;
}

/* The clock follows the leader's stamps before anything of theirs is applied (T2). */
static void on_appended(void *arg, uint64_t term, bool local, struct bytes entry)
{
    struct node *node = arg;
    struct base_reader reader;
    base_reader_init(&reader, entry);
    struct op_entry_head head;
    if (!op_entry_read(&reader, &head)) {
        return; /* apply will refuse it */
    }
    if (!local) {
        node_clocks_follow(node, term, head.stamp);
    }
}

static void on_role_changed(void *arg, enum rlog_role role, uint64_t term, uint64_t leader)
{
    node_observe_leader(arg, leader);
    node_lead_role_changed(arg, role, term, leader);
}

static void on_peer_message(void *arg, uint64_t from, uint8_t kind, struct bytes message)
{
    if (kind == PEER_SPACE) {
        node_space_message(arg, from, message);
    } else if (kind == PEER_LEVEL) {
        node_level_message(arg, from, message);
    } else {
        node_clocks_message(arg, from, kind, message);
    }
}

static void on_snapshot_begin(void *arg, void (*sink)(void *sink_arg, struct bytes piece),
                              void *sink_arg)
{
    struct node *node = arg;
    node_backup_begun(node);
    fsm_snapshot_begin(node->fsm, sink, sink_arg);
}

static bool on_snapshot_step(void *arg)
{
    struct node *node = arg;
    return fsm_snapshot_step(node->fsm, SNAPSHOT_SLOTS_A_STEP);
}

static void on_snapshot_abort(void *arg)
{
    struct node *node = arg;
    fsm_snapshot_abort(node->fsm);
}

/* These run on other threads but at start, and see nothing of the node but what birth fixed. */
static int on_restore_begin(void *arg)
{
    struct node *node = arg;
    node->second.error[0] = '\0';
    node->second.fsm = make_fsm(node, &node->second.range);
    if (node->second.fsm == NULL) {
        return ENV_LIMIT;
    }
    fsm_restore_begin(node->second.fsm);
    return ENV_OK;
}

static int restored(struct node *node, bool ok)
{
    if (!ok) {
        snprintf(node->second.error, sizeof(node->second.error), "%s",
                 fsm_restore_error(node->second.fsm));
    }
    return ok ? ENV_OK : ENV_INVALID;
}

static int on_restore_feed(void *arg, struct bytes piece)
{
    struct node *node = arg;
    return restored(node, fsm_restore_feed(node->second.fsm, piece));
}

static int on_restore_end(void *arg)
{
    struct node *node = arg;
    return restored(node, fsm_restore_end(node->second.fsm));
}

static void on_restore_take(void *arg)
{
    struct node *node = arg;
    node->refused[0] = '\0';
    struct fsm *fsm = node->fsm;
    void *range = node->range;
    node->fsm = node->second.fsm;
    node->range = node->second.range;
    node->second.fsm = fsm;
    node->second.range = range;
    fsm_watch_ended(node->fsm, node_observe_ended, node);
    node_observe_count(node, METRIC_RESTORES);
    node_digests_init(&node->digests);
    node_digests_add(&node->digests, fsm_position(node->fsm), fsm_digest(node->fsm));
    node_backup_restored(node);
}

static void on_restore_drop(void *arg)
{
    struct node *node = arg;
    env_range_release(node->second.range, node->range_size);
    node->second.range = NULL;
    node->second.fsm = NULL;
}

static void on_restore_refused(void *arg)
{
    struct node *node = arg;
    snprintf(node->refused, sizeof(node->refused), "%s", node->second.error);
}

static void on_log_written(void *arg, uint64_t bytes, uint64_t took_us)
{
    node_observe_log(arg, bytes, took_us);
}

static void on_fatal(void *arg, int rc, const char *detail)
{
    struct node *node = arg;
    char line[1024];
    const char *why = node->misfit[0] != '\0' ? node->misfit : node->refused;
    snprintf(line, sizeof(line), "%s (%s)", detail, why[0] != '\0' ? why : env_error_text(rc));
    node_fatal(node, line);
}

struct rlog_machine node_machine_of(struct node *node)
{
    return (struct rlog_machine){
        .arg = node,
        .birth = on_birth,
        .apply = on_apply,
        .appended = on_appended,
        .role_changed = on_role_changed,
        .peer_message = on_peer_message,
        .snapshot_begin = on_snapshot_begin,
        .snapshot_step = on_snapshot_step,
        .snapshot_abort = on_snapshot_abort,
        .restore_begin = on_restore_begin,
        .restore_feed = on_restore_feed,
        .restore_end = on_restore_end,
        .restore_take = on_restore_take,
        .restore_drop = on_restore_drop,
        .restore_refused = on_restore_refused,
        .log_written = on_log_written,
        .on_fatal = on_fatal,
    };
}
