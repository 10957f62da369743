/* The node's YAML files, its configuration and the bootstrap file: refused in one line, or within
 * all bounds; and a bootstrap that is taken comes back whole out of a data folder's birth record.
 *
 * An input is one byte that chooses the file, and the file.
 */
#include "node/bootstrap.h"
#include "node/config.h"
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void try_config(const char *path)
{
    struct node_config config;
    char error[1024] = "";

    if (!node_config_load(path, &config, error, sizeof error)) {
        ASSERT(fuzz_is_line(error));
        return;
    }
    ASSERT(node_config_check(&config, error, sizeof error));
    ASSERT(config.heartbeat_ms * 4 <= config.election_ms && config.node >= 1);
    ASSERT(config.folder[0] == '/' && config.key[0] == '/'); /* the file's own folder is absolute */
    node_config_done(&config);
}

static void try_bootstrap(const char *path)
{
    static struct node_bootstrap bootstrap, again;
    char error[1024] = "";

    if (!node_bootstrap_load(path, &bootstrap, error, sizeof error)) {
        ASSERT(fuzz_is_line(error));
        return;
    }
    ASSERT(op_limits_check(&bootstrap.limits) == NULL && bootstrap.time > 0);
    ASSERT(bootstrap.birth.member_count >= 3 && bootstrap.birth.member_count <= RLOG_MEMBERS_MAX);
    node_birth_write(&bootstrap);
    ASSERT(bootstrap.birth.machine.size > 0);
    ASSERT(node_birth_read(&bootstrap.birth, &again));
    ASSERT(memcmp(&again.limits, &bootstrap.limits, sizeof again.limits) == 0);
    ASSERT(memcmp(again.hash_key, bootstrap.hash_key, sizeof again.hash_key) == 0);
    ASSERT(again.time == bootstrap.time);
    for (size_t i = 0; i < bootstrap.birth.member_count; i++) {
        ASSERT(strcmp(again.clients[i], bootstrap.clients[i]) == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static int fd = -1;
    char path[64];

    if (fd < 0) {
        fd = memfd_create("yaml", 0);
        ASSERT(fd >= 0);
    }
    if (size == 0) {
        return 0;
    }
    ASSERT(ftruncate(fd, 0) == 0);
    ASSERT(pwrite(fd, data + 1, size - 1, 0) == (ssize_t)(size - 1));
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    if (data[0] % 2 == 0) {
        try_config(path);
    } else {
        try_bootstrap(path);
    }
    return 0;
}

static const char bootstrap_text[] = "\1tenure_bootstrap: 1\ncluster: prod\n"
                                     "incarnation: 000102030405060708090a0b0c0d0e0f\n"
                                     "time_us: 1700000000000000\n"
                                     "hash_key: 000102030405060708090a0b0c0d0e0f\n"
                                     "derive_key: 000102030405060708090a0b0c0d0e0f"
                                     "000102030405060708090a0b0c0d0e0f\nmembers:\n";

static void put_bootstrap(struct base_writer *writer, int members, bool limits)
{
    char line[256];

    base_write_bytes(writer, bytes_of(bootstrap_text, sizeof bootstrap_text - 1));
    for (int i = 1; i <= members; i++) {
        (void)snprintf(line, sizeof line,
                       "  - id: %d\n    peer: \"10.0.0.%d:7401\"\n    client: \"10.0.0.%d:7400\"\n",
                       i, i, i);
        base_write_bytes(writer, bytes_of_text(line));
    }
    if (!limits) {
        return;
    }
    base_write_bytes(writer, bytes_of_text("limits:\n"));
#define LIMIT_(tag, name, standard, least, greatest, help)                                         \
    (void)snprintf(line, sizeof line, "  - name: %s\n    value: %llu\n", #name,                    \
                   (unsigned long long)(standard));                                                \
    base_write_bytes(writer, bytes_of_text(line));
    OP_LIMITS(LIMIT_)
#undef LIMIT_
}

/* A line of the help names a key, and a number's bounds as "(1 to 9; ...". */
static void put_key(void *arg, const char *help)
{
    struct base_writer *writer = arg;
    const char *bounds = strchr(help, '(');
    char key[64] = "", line[256];
    int least = 0;

    ASSERT(sscanf(help, " %63s", key) == 1);
    if (bounds != NULL && sscanf(bounds, "(%d to", &least) == 1) {
        (void)snprintf(line, sizeof line, "%s: %d\n", key, least);
    } else {
        (void)snprintf(line, sizeof line, "%s: \"127.0.0.1:7400\"\n", key);
    }
    base_write_bytes(writer, bytes_of_text(line));
}

static void put_config(struct base_writer *writer)
{
    base_write_u8(writer, 0);
    node_config_help(put_key, writer);
}

bool fuzz_seed(uint64_t n, struct base_writer *writer)
{
    if (n < 2) {
        put_config(writer);
        writer->at -= n; /* and one that is cut */
    } else if (n < 6) {
        put_bootstrap(writer, (int)(n - 1) * 2 - 1, n == 4);
    } else if (n == 6) {
        base_write_u8(writer, 0);
        base_write_bytes(writer, bytes_of_text("a: &x [*x, {b: !t |\n  c}]\n--- # d\n? e\n: f\n"));
    }
    return n < 7;
}
