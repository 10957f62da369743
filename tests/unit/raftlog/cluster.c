/* The cluster of cluster.h. */
#include "tests/unit/raftlog/cluster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "env/disk.h"
#include "env/log.h"

enum { WALK_VALUES = 256 };

static uint64_t read_value(struct bytes entry)
{
    struct base_reader reader;
    base_reader_init(&reader, entry);
    return base_read_u64(&reader);
}

/* ---- the machine ---- */

static int machine_birth(void *arg, const struct rlog_birth *birth)
{
    struct cluster_node *node = arg;
    assert_true(birth->member_count == 0 ||
                birth->member_count == node->cluster->birth.member_count);
    node->count = 0;
    node->applied = 0;
    node->partial_size = 0;
    return 0;
}

static void acknowledge(struct cluster_node *node, uint64_t value)
{
    struct cluster *cluster = node->cluster;
    if (sim_process_crashed(node->env)) {
        return; /* it runs to the end of its turn, but nobody hears of it */
    }
    for (size_t i = 0; i < node->pending_count; i++) {
        if (node->pending[i] == value) {
            node->pending[i] = node->pending[--node->pending_count];
            assert_true(cluster->acknowledged_count < CLUSTER_ENTRIES_MAX);
            cluster->acknowledged[cluster->acknowledged_count++] = value;
            node->acknowledged_position = node->count;
            return;
        }
    }
}

static bool machine_apply(void *arg, uint64_t index, uint64_t term, struct bytes entry)
{
    struct cluster_node *node = arg;
    struct cluster *cluster = node->cluster;
    uint64_t value = read_value(entry);
    (void)term;
    assert_true(index > node->applied);
    if (cluster->liars) {
        node->applied = index;
        return true;
    }
    assert_true(index < CLUSTER_ENTRIES_MAX);
    if (cluster->entries[index] == 0) {
        cluster->entries[index] = value;
    }
    assert_int_equal(cluster->entries[index], value);
    node->applied = index;
    assert_true(node->count < CLUSTER_ENTRIES_MAX);
    node->values[node->count++] = value;
    acknowledge(node, value);
    return true;
}

static void machine_appended(void *arg, uint64_t term, bool local, struct bytes entry)
{
    struct cluster_node *node = arg;
    (void)term;
    assert_true(entry.size >= 8);
    node->appended_local += local;
    node->appended_remote += !local;
}

static void machine_role_changed(void *arg, enum rlog_role role, uint64_t term, uint64_t leader)
{
    struct cluster_node *node = arg;
    struct cluster *cluster = node->cluster;
    assert_true(term >= node->term);
    assert_true(cluster->liars || term < CLUSTER_TERMS_MAX);
    if (!cluster->liars && role == RLOG_LEADER) {
        if (cluster->leaders[term] == 0) {
            cluster->leaders[term] = node->id;
        }
        assert_int_equal(cluster->leaders[term], node->id);
    }
    if (role != RLOG_LEADER || term != node->term) {
        node->pending_count = 0; /* unknown */
    }
    node->role = role;
    node->term = term;
    node->leader = leader;
}

static void machine_peer_message(void *arg, uint64_t from, uint8_t kind, struct bytes message)
{
    struct cluster_node *node = arg;
    assert_true(from >= 1 && from <= node->cluster->count && from != node->id);
    assert_int_equal(kind, 7);
    assert_true(bytes_equal(message, bytes_of_text("hello")));
    node->messages++;
}

static void machine_snapshot_begin(void *arg, void (*sink)(void *sink_arg, struct bytes piece),
                                   void *sink_arg)
{
    struct cluster_node *node = arg;
    node->walk_at = 0;
    node->walk_end = node->count;
    node->sink = sink;
    node->sink_arg = sink_arg;
}

/* The number, and bytes that follow from it. */
static struct bytes record_of(const struct cluster *cluster, uint64_t value, uint8_t *buffer)
{
    struct base_writer writer;
    uint64_t noise = value;
    base_writer_init(&writer, buffer, CLUSTER_RECORD_MAX);
    base_write_u64(&writer, value);
    for (size_t i = 8; i < cluster->record; i++) {
        noise = noise * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        base_write_u8(&writer, (uint8_t)(noise >> 56));
    }
    return base_written(&writer);
}

static bool machine_snapshot_step(void *arg)
{
    struct cluster_node *node = arg;
    uint8_t buffer[CLUSTER_RECORD_MAX];
    for (size_t i = 0; i < WALK_VALUES && node->walk_at < node->walk_end; i++) {
        node->sink(node->sink_arg, record_of(node->cluster, node->values[node->walk_at++], buffer));
    }
    return node->walk_at == node->walk_end;
}

static void machine_snapshot_abort(void *arg)
{
    struct cluster_node *node = arg;
    node->sink = NULL;
}

static int machine_restore_begin(void *arg)
{
    struct cluster_node *node = arg;
    assert_null(node->second);
    node->second = calloc(CLUSTER_ENTRIES_MAX, sizeof *node->second);
    assert_non_null(node->second);
    node->second_count = 0;
    node->partial_size = 0;
    return 0;
}

static int machine_restore_feed(void *arg, struct bytes piece)
{
    struct cluster_node *node = arg;
    for (size_t i = 0; !node->cluster->liars && i < piece.size; i++) {
        node->partial[node->partial_size++] = piece.data[i];
        if (node->partial_size == node->cluster->record) {
            node->partial_size = 0;
            node->second[node->second_count++] = read_value(
                bytes_of(node->partial, sizeof node->partial));
        }
    }
    return 0;
}

static int machine_restore_end(void *arg)
{
    struct cluster_node *node = arg;
    return node->partial_size == 0 ? 0 : ENV_INVALID;
}

static void machine_restore_take(void *arg)
{
    struct cluster_node *node = arg;
    uint64_t *values = node->values;
    node->values = node->second;
    node->second = values;
    node->count = node->second_count;
    node->applied = 0; /* the next apply says where the list stands */
    node->restores++;
}

static void machine_restore_drop(void *arg)
{
    struct cluster_node *node = arg;
    assert_non_null(node->second); /* each begin is followed by one drop */
    free(node->second);
    node->second = NULL;
}

static void machine_log_written(void *arg, uint64_t bytes, uint64_t took_us)
{
    struct cluster_node *node = arg;
    (void)took_us;
    assert_true(bytes > 0);
    node->writes++;
}

static void machine_on_fatal(void *arg, int rc, const char *detail)
{
    struct cluster_node *node = arg;
    if (sim_process_crashed(node->env)) {
        return;
    }
    assert_false(node->fatal);
    assert_true(rc < 0);
    node->fatal = true;
    snprintf(node->error, sizeof node->error, "%s", detail);
}

static struct rlog_machine machine_of(struct cluster_node *node)
{
    return (struct rlog_machine){
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
        .log_written = machine_log_written,
        .on_fatal = machine_on_fatal,
    };
}

/* ---- the cluster ---- */

static void on_log(void *arg, const char *line)
{
    struct cluster *cluster = arg;
    snprintf(cluster->log[cluster->log_count++ % 64], CLUSTER_LINE_MAX, "%s", line);
    if (getenv("CLUSTER_LOG") != NULL) {
        fprintf(stderr, "%s\n", line);
    }
}

static void write_certificates(struct cluster_node *node)
{
    char identity[128];
    snprintf(identity, sizeof identity, "tenure://%s/-/peer/%u", node->cluster->birth.cluster,
             (unsigned)node->id);
    assert_int_equal(sim_ca_write(node->host, "/tls/ca", "ca"), 0);
    assert_int_equal(sim_certificate_write(node->host, "/tls/cert", "ca", identity), 0);
    assert_int_equal(sim_key_write(node->host, "/tls/key", "ca", identity), 0);
}

static void format_node(struct cluster_node *node, bool joins)
{
    char error[CLUSTER_LINE_MAX] = "";
    struct env *env = sim_process_start(node->host, "format");
    struct rlog_birth birth = node->cluster->birth;
    if (joins) {
        birth.member_count = 0;
        birth.image = NULL;
    }
    int rc = rlog_format(env, "/data", node->id, &birth, error, sizeof error, &node->store);
    if (rc != 0) {
        fail_msg("format: %s", error);
    }
    sim_process_free(env);
}

static void create_host(struct cluster *cluster, size_t i)
{
    struct cluster_node *node = &cluster->nodes[i];
    char name[8];
    snprintf(name, sizeof name, "n%u", (unsigned)i + 1);
    node->cluster = cluster;
    node->id = i + 1;
    node->host = sim_host_create(cluster->sim, name);
    node->values = calloc(CLUSTER_ENTRIES_MAX, sizeof *node->values);
}

static struct cluster *create(uint64_t seed, size_t count, const struct rlog_image *image)
{
    struct cluster *cluster = calloc(1, sizeof *cluster);
    cluster->sim = sim_create(seed);
    cluster->count = count;
    cluster->next_value = 1;
    cluster->record = 8;
    sim_log_to(cluster->sim, getenv("CLUSTER_LOG") != NULL ? ENV_LOG_DEBUG : ENV_LOG_WARN, on_log,
               cluster);
    snprintf(cluster->birth.cluster, sizeof cluster->birth.cluster, "test");
    memset(cluster->birth.incarnation.bytes, 7, 16);
    cluster->birth.machine = bytes_of_text("machine");
    cluster->birth.member_count = count;
    cluster->birth.image = image;
    rlog_config_init(&cluster->config);
    cluster->config.folder = "/data";
    cluster->config.segment_bytes = 64 * 1024;
    for (size_t i = 0; i < count; i++) {
        create_host(cluster, i);
        cluster->birth.members[i].id = i + 1;
        snprintf(cluster->birth.members[i].address, ENV_ADDRESS_MAX, "%s:%d",
                 sim_host_address(cluster->nodes[i].host), CLUSTER_PORT);
    }
    for (size_t i = 0; i < count; i++) {
        write_certificates(&cluster->nodes[i]);
        format_node(&cluster->nodes[i], false);
    }
    cluster->birth.image = NULL;
    return cluster;
}

struct cluster *cluster_create(uint64_t seed, size_t count)
{
    return create(seed, count, NULL);
}

static void write_values(void *arg, void (*sink)(void *sink_arg, struct bytes piece),
                         void *sink_arg)
{
    const uint64_t *last = arg;
    uint8_t buffer[8];
    for (uint64_t value = 1; value <= *last; value++) {
        struct base_writer writer;
        base_writer_init(&writer, buffer, sizeof buffer);
        base_write_u64(&writer, value);
        sink(sink_arg, base_written(&writer));
    }
}

struct cluster *cluster_create_restored(uint64_t seed, size_t count, uint64_t values)
{
    struct rlog_image image = {.arg = &values, .write = write_values};
    struct cluster *cluster = create(seed, count, &image);
    for (uint64_t value = 1; value <= values; value++) {
        cluster->acknowledged[cluster->acknowledged_count++] = value;
    }
    cluster->next_value = values + 1;
    return cluster;
}

size_t cluster_join(struct cluster *cluster)
{
    size_t i = cluster->count++;
    assert_true(i < CLUSTER_NODES_MAX);
    create_host(cluster, i);
    write_certificates(&cluster->nodes[i]);
    format_node(&cluster->nodes[i], true);
    return i;
}

static void node_free(struct cluster_node *node)
{
    rlog_destroy(node->rlog);
    env_tls_destroy(node->tls);
    sim_process_free(node->env);
    node->rlog = NULL;
    node->tls = NULL;
    node->env = NULL;
    node->pending_count = 0;
    node->role = RLOG_FOLLOWER;
    free(node->second); /* a crash left it */
    node->second = NULL;
}

void cluster_destroy(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        cluster_crash(cluster, i);
        free(cluster->nodes[i].values);
    }
    sim_destroy(cluster->sim);
    free(cluster);
}

int cluster_start(struct cluster *cluster, size_t i)
{
    struct cluster_node *node = &cluster->nodes[i];
    char listen[ENV_ADDRESS_MAX];
    struct rlog_config config = cluster->config;
    struct rlog_machine machine = machine_of(node);
    assert_null(node->env);
    node->env = sim_process_start(node->host, "node");
    node->count = 0;
    node->applied = 0;
    node->writes = 0;
    node->fatal = false;
    node->stopped = false;
    node->error[0] = '\0';
    int rc = env_tls_create(node->env, "/tls/ca", "/tls/cert", "/tls/key", node->error,
                            sizeof node->error, &node->tls);
    assert_int_equal(rc, 0);
    snprintf(listen, sizeof listen, "%s:%d", sim_host_address(node->host), CLUSTER_PORT);
    config.id = config.id != 0 ? config.id : node->id;
    config.listen = listen;
    config.tls = node->tls;
    rc = rlog_start(node->env, &config, &machine, node->error, sizeof node->error, &node->rlog);
    if (rc != 0) {
        node_free(node);
    }
    return rc;
}

void cluster_start_all(struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->nodes[i].env == NULL && cluster_start(cluster, i) != 0) {
            fail_msg("node %u: %s", (unsigned)i + 1, cluster->nodes[i].error);
        }
    }
}

static void remove_file(void *arg, const char *name);

struct removal {
    struct env *env;
    const char *folder;
};

static void remove_tree(struct env *env, const char *folder)
{
    struct removal removal = {env, folder};
    (void)env_folder_list(env, folder, remove_file, &removal);
}

static void remove_file(void *arg, const char *name)
{
    const struct removal *removal = arg;
    char path[256];
    snprintf(path, sizeof path, "%s/%s", removal->folder, name);
    if (strcmp(name, "log") == 0 || strcmp(name, "snapshots") == 0) {
        remove_tree(removal->env, path);
    }
    (void)env_remove(removal->env, path);
}

static void replace_disk(struct cluster *cluster, size_t i, bool joins)
{
    struct cluster_node *node = &cluster->nodes[i];
    assert_null(node->env);
    struct env *env = sim_process_start(node->host, "wipe");
    remove_tree(env, "/data");
    node->term = 0;
    sim_process_free(env);
    format_node(node, joins);
}

void cluster_replace_disk(struct cluster *cluster, size_t i)
{
    replace_disk(cluster, i, false);
}

void cluster_join_again(struct cluster *cluster, size_t i)
{
    replace_disk(cluster, i, true);
}

struct rlog_change cluster_change_of(const struct cluster *cluster, enum rlog_change_kind kind,
                                     size_t i)
{
    const struct cluster_node *node = &cluster->nodes[i];
    struct rlog_change change = {.kind = kind, .member = {.id = node->id, .store = node->store}};
    if (kind == RLOG_ADD) {
        snprintf(change.member.address, ENV_ADDRESS_MAX, "%s:%d", sim_host_address(node->host),
                 CLUSTER_PORT);
        snprintf(change.member.note, ENV_ADDRESS_MAX, "client-%u", (unsigned)node->id);
    }
    return change;
}

bool cluster_change_within(struct cluster *cluster, enum rlog_change_kind kind, size_t i,
                           uint64_t us)
{
    struct rlog_change change = cluster_change_of(cluster, kind, i);
    uint64_t deadline_us = sim_now_us(cluster->sim) + us;
    while (sim_now_us(cluster->sim) < deadline_us) {
        struct cluster_node *leader = cluster_leader(cluster);
        uint64_t index = 0;
        enum rlog_change_verdict verdict = RLOG_CHANGE_ELSEWHERE;
        if (leader != NULL) {
            verdict = rlog_change(leader->rlog, &change, cluster->reason, sizeof cluster->reason,
                                  &index);
            if (verdict == RLOG_CHANGE_LEADS) {
                rlog_step_down(leader->rlog);
            }
        }
        if (verdict == RLOG_CHANGE_SO) {
            return true;
        }
        if (verdict == RLOG_CHANGE_REFUSED) {
            return false;
        }
        cluster_run(cluster, 10 * SIM_MILLISECOND);
    }
    return false;
}

void cluster_change(struct cluster *cluster, enum rlog_change_kind kind, size_t i)
{
    if (!cluster_change_within(cluster, kind, i, 60 * SIM_SECOND)) {
        fail_msg("change %d of node %u: %s", (int)kind, (unsigned)i + 1, cluster->reason);
    }
}

void cluster_crash(struct cluster *cluster, size_t i)
{
    struct cluster_node *node = &cluster->nodes[i];
    if (node->env != NULL) {
        sim_process_crash(node->env);
        node_free(node);
    }
}

void cluster_power_cut(struct cluster *cluster, size_t i)
{
    struct cluster_node *node = &cluster->nodes[i];
    sim_host_power_cut(node->host);
    if (node->env != NULL) {
        node_free(node);
    }
}

static void on_stopped(void *arg)
{
    struct cluster_node *node = arg;
    node->stopped = true;
}

static bool node_is_stopped(void *arg)
{
    const struct cluster_node *node = arg;
    return node->stopped;
}

void cluster_stop(struct cluster *cluster, size_t i)
{
    struct cluster_node *node = &cluster->nodes[i];
    rlog_stop(node->rlog, on_stopped, node);
    assert_true(sim_run_until(cluster->sim, node_is_stopped, node, 10 * SIM_SECOND));
    node_free(node);
}

void cluster_run(struct cluster *cluster, uint64_t us)
{
    (void)sim_run_until(cluster->sim, NULL, NULL, us);
}

struct waiting {
    struct cluster *cluster;
    bool (*condition)(struct cluster *cluster);
};

static bool waiting_holds(void *arg)
{
    const struct waiting *waiting = arg;
    return waiting->condition(waiting->cluster);
}

bool cluster_run_until(struct cluster *cluster, bool (*condition)(struct cluster *cluster),
                       uint64_t us)
{
    struct waiting waiting = {cluster, condition};
    return sim_run_until(cluster->sim, waiting_holds, &waiting, us);
}

struct cluster_node *cluster_leader(struct cluster *cluster)
{
    struct cluster_node *leader = NULL;
    for (size_t i = 0; i < cluster->count; i++) {
        struct cluster_node *node = &cluster->nodes[i];
        if (node->rlog != NULL && !node->fatal && node->role == RLOG_LEADER &&
            (leader == NULL || node->term > leader->term)) {
            leader = node;
        }
    }
    return leader;
}

bool cluster_has_leader(struct cluster *cluster)
{
    return cluster_leader(cluster) != NULL;
}

static void print_nodes(const struct cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        struct rlog_status status = {0};
        if (node->rlog != NULL) {
            rlog_status(node->rlog, &status);
        }
        print_message("node %u: %s role %d term %u leader %u applied %u commit %u stored %u "
                      "last %u voters %u of %u since %u fatal %d %s\n",
                      (unsigned)i + 1, node->rlog != NULL ? "up" : "down", (int)status.role,
                      (unsigned)status.term, (unsigned)status.leader, (unsigned)status.applied,
                      (unsigned)status.commit, (unsigned)status.stored, (unsigned)status.last,
                      (unsigned)status.voters, (unsigned)status.member_count,
                      (unsigned)status.configuration, node->fatal, node->error);
    }
}

struct cluster_node *cluster_wait_leader(struct cluster *cluster)
{
    if (!cluster_run_until(cluster, cluster_has_leader, 20 * SIM_SECOND)) {
        print_nodes(cluster);
        fail_msg("nobody leads");
    }
    return cluster_leader(cluster);
}

static bool same_lists(const struct cluster_node *a, const struct cluster_node *b)
{
    return a->count == b->count && memcmp(a->values, b->values, a->count * sizeof *a->values) == 0;
}

bool cluster_is_even(struct cluster *cluster)
{
    const struct cluster_node *leader = cluster_leader(cluster);
    if (leader == NULL) {
        return false;
    }
    struct rlog_status of_leader;
    rlog_status(leader->rlog, &of_leader);
    for (size_t i = 0; i < cluster->count; i++) {
        const struct cluster_node *node = &cluster->nodes[i];
        if (node->rlog == NULL || node->fatal) {
            continue;
        }
        struct rlog_status status;
        rlog_status(node->rlog, &status);
        if (status.applied != of_leader.last || status.leader != leader->id ||
            !same_lists(node, leader)) {
            return false;
        }
    }
    return true;
}

bool cluster_submit(struct cluster_node *node)
{
    struct cluster *cluster = node->cluster;
    uint8_t buffer[RLOG_ENTRY_MAX];
    struct base_writer writer;
    uint64_t index = 0;
    memset(buffer, (int)(cluster->next_value % 251), 8 + cluster->padding);
    base_writer_init(&writer, buffer, sizeof buffer);
    base_write_u64(&writer, cluster->next_value);
    struct bytes entry = bytes_of(buffer, 8 + cluster->padding);
    if (rlog_submit(node->rlog, entry, &index) != RLOG_SUBMITTED) {
        return false;
    }
    assert_true(node->pending_count < CLUSTER_ENTRIES_MAX / 16);
    node->pending[node->pending_count++] = cluster->next_value++;
    return true;
}

void cluster_write(struct cluster *cluster, size_t count)
{
    size_t wanted = cluster->acknowledged_count + count;
    uint64_t deadline_us = sim_now_us(cluster->sim) + 60 * SIM_SECOND;
    while (cluster->acknowledged_count < wanted) {
        struct cluster_node *leader = cluster_leader(cluster);
        size_t missing = wanted - cluster->acknowledged_count;
        for (size_t i = 0; leader != NULL && i < 64 && leader->pending_count < missing; i++) {
            if (!cluster_submit(leader)) {
                break;
            }
        }
        cluster_run(cluster, SIM_MILLISECOND);
        assert_true(sim_now_us(cluster->sim) < deadline_us);
    }
}

static void check_acknowledged(struct cluster *cluster, const struct cluster_node *node)
{
    bool *seen = calloc(cluster->next_value + 1, sizeof *seen);
    for (size_t i = 0; i < node->count; i++) {
        assert_true(node->values[i] < cluster->next_value);
        assert_false(seen[node->values[i]]); /* nothing twice */
        seen[node->values[i]] = true;
    }
    for (size_t i = 0; i < cluster->acknowledged_count; i++) {
        if (!seen[cluster->acknowledged[i]]) {
            fail_msg("acknowledged number %u is lost on node %u",
                     (unsigned)cluster->acknowledged[i], (unsigned)node->id);
        }
    }
    free(seen);
}

void cluster_settle(struct cluster *cluster, uint64_t us)
{
    if (!cluster_run_until(cluster, cluster_is_even, us)) {
        print_nodes(cluster);
        fail_msg("the nodes do not become even");
    }
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->nodes[i].rlog != NULL && !cluster->nodes[i].fatal) {
            check_acknowledged(cluster, &cluster->nodes[i]);
        }
    }
}

bool cluster_logged(const struct cluster *cluster, const char *text)
{
    size_t count = cluster->log_count < 64 ? cluster->log_count : 64;
    for (size_t i = 0; i < count; i++) {
        if (strstr(cluster->log[i], text) != NULL) {
            return true;
        }
    }
    return false;
}
