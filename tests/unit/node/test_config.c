/* The configuration and the bootstrap file: each mistake is one line that says where and what. */
#include "node/config.h"
#include "node/bootstrap.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/time.h"

#define FILE_NAME "config.yaml"

static void write_file(const char *text)
{
    FILE *file = fopen(FILE_NAME, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Replaces the first `from` of a good file by `to`. */
static void write_changed(const char *good, const char *from, const char *to)
{
    static char text[8192];
    const char *at = strstr(good, from);
    assert_non_null(at);
    snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, to, at + strlen(from));
    write_file(text);
}

static void want_line(const char *error, const char *const *parts)
{
    assert_null(strchr(error, '\n'));
    assert_int_equal(strncmp(error, FILE_NAME, strlen(FILE_NAME)), 0);
    for (size_t i = 0; i < 2 && parts[i] != NULL; i++) {
        if (strstr(error, parts[i]) == NULL) {
            fail_msg("\"%s\" does not say \"%s\"", error, parts[i]);
        }
    }
}

struct mistake {
    const char *from;
    const char *to;
    const char *parts[2]; /* what the line has to say */
};

/* ---- the configuration ---- */

static const char good_config[] = "node: 2\n"
                                  "folder: data\n"
                                  "listen: 127.0.0.1:7400\n"
                                  "peer_listen: 127.0.0.1:7401\n"
                                  "ca: /pki/ca.pem\n"
                                  "certificate: pki/own.pem\n"
                                  "key: pki/own.key\n"
                                  "election_ms: 1000\n";

static void a_good_configuration_is_taken(void **state)
{
    (void)state;
    struct node_config config;
    char error[512] = "";
    write_file(good_config);
    if (!node_config_load("./" FILE_NAME, &config, error, sizeof(error))) {
        fail_msg("%s", error);
    }
    assert_int_equal(config.node, 2);
    assert_string_equal(config.folder, "./data"); /* from the file's own folder */
    assert_string_equal(config.ca, "/pki/ca.pem");
    assert_string_equal(config.certificate, "./pki/own.pem");
    assert_string_equal(config.listen, "127.0.0.1:7400");
    assert_int_equal(config.election_ms, 1000);
    assert_int_equal(config.heartbeat_ms, 50); /* a default */
    node_config_done(&config);
}

static void each_mistake_in_it_is_one_line(void **state)
{
    static const struct mistake mistakes[] = {
        {"folder: data", "folder: data\ncolour: red", {"colour", "line: 3"}},
        {"folder: data\n", "", {"folder", NULL}},
        {"node: 2\n", "", {"node is", NULL}},
        {"node: 2", "node: two", {"node", "line: 1"}},
        {"node: 2", "node: -2", {"node", "line: 1"}},
        {"node: 2", "node: 0", {"node is 0", "1 to 65535"}},
        {"node: 2", "node: 65536", {"node is 65536", NULL}},
        {"node: 2", "node: 99999999999", {"node", "line: 1"}},
        {"election_ms: 1000", "election_ms: 99", {"election_ms is 99", "100 to 60000"}},
        {"election_ms: 1000", "election_ms: 100", {"heartbeat_ms is 50", "a quarter"}},
        {"folder: data", "folder: [data]", {"folder", "line: 2"}},
        {"folder: data", "folder: ''", {"folder", NULL}},
        {"node: 2", "node: 2\nnode: 2", {"node", NULL}},
        {"node: 2", "node: {", {"line", NULL}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        struct node_config config;
        char error[512] = "";
        write_changed(good_config, mistakes[i].from, mistakes[i].to);
        if (node_config_load(FILE_NAME, &config, error, sizeof(error))) {
            fail_msg("\"%s\" was taken", mistakes[i].to);
        }
        want_line(error, mistakes[i].parts);
    }
}

static void a_file_that_is_not_there_or_empty_is_one_line(void **state)
{
    (void)state;
    struct node_config config;
    char error[512] = "";
    (void)remove(FILE_NAME);
    assert_false(node_config_load(FILE_NAME, &config, error, sizeof(error)));
    want_line(error, (const char *const[]){NULL, NULL});
    write_file("");
    assert_false(node_config_load(FILE_NAME, &config, error, sizeof(error)));
    want_line(error, (const char *const[]){NULL, NULL});
}

/* ---- the bootstrap file ---- */

static const char good_bootstrap[] = "tenure_bootstrap: 1\n"
                                     "cluster: test\n"
                                     "incarnation: 000102030405060708090a0b0c0d0e0f\n"
                                     "time_us: 1700000000000000\n"
                                     "hash_key: f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\n"
                                     "derive_key: 000102030405060708090a0b0c0d0e0f"
                                     "101112131415161718191a1b1c1d1e1f\n"
                                     "members:\n"
                                     "  - id: 1\n"
                                     "    peer: 10.0.0.1:7401\n"
                                     "    client: 10.0.0.1:7400\n"
                                     "  - id: 2\n"
                                     "    peer: 10.0.0.2:7401\n"
                                     "    client: 10.0.0.2:7400\n"
                                     "  - id: 3\n"
                                     "    peer: 10.0.0.3:7401\n"
                                     "    client: 10.0.0.3:7400\n"
                                     "limits:\n"
                                     "  - name: sessions_max\n"
                                     "    value: 1000\n";

static struct node_bootstrap bootstrap;
static struct node_bootstrap again;

static void a_good_bootstrap_is_taken_and_kept(void **state)
{
    (void)state;
    char error[512] = "";
    write_file(good_bootstrap);
    if (!node_bootstrap_load(FILE_NAME, &bootstrap, error, sizeof(error))) {
        fail_msg("%s", error);
    }
    assert_string_equal(bootstrap.birth.cluster, "test");
    assert_int_equal(bootstrap.birth.incarnation.bytes[15], 15);
    assert_int_equal(bootstrap.hash_key[0], 0xf0);
    assert_int_equal(bootstrap.time, 1700000000000000);
    assert_int_equal(bootstrap.birth.member_count, 3);
    assert_int_equal(bootstrap.limits.sessions_max, 1000);
    node_birth_write(&bootstrap);
    assert_true(node_birth_read(&bootstrap.birth, &again));
    assert_int_equal(again.time, bootstrap.time);
    assert_memory_equal(again.hash_key, bootstrap.hash_key, 16);
    assert_int_equal(bootstrap.derive_key[31], 0x1f);
    assert_memory_equal(again.derive_key, bootstrap.derive_key, sizeof(again.derive_key));
    assert_memory_equal(&again.limits, &bootstrap.limits, sizeof(again.limits));
    assert_string_equal(again.clients[2], "10.0.0.3:7400");
}

static void a_birth_cut_short_anywhere_is_refused(void **state)
{
    (void)state;
    char error[512] = "";
    write_file(good_bootstrap);
    assert_true(node_bootstrap_load(FILE_NAME, &bootstrap, error, sizeof(error)));
    node_birth_write(&bootstrap);
    size_t whole = bootstrap.birth.machine.size;
    for (size_t size = 0; size < whole; size++) {
        bootstrap.birth.machine.size = size;
        assert_false(node_birth_read(&bootstrap.birth, &again));
    }
    bootstrap.birth.machine.size = whole + 1;
    assert_false(node_birth_read(&bootstrap.birth, &again));
}

static void a_birth_of_another_version_says_which_way(void **state)
{
    (void)state;
    char error[512] = "";
    write_file(good_bootstrap);
    assert_true(node_bootstrap_load(FILE_NAME, &bootstrap, error, sizeof(error)));
    node_birth_write(&bootstrap);
    uint8_t now = bootstrap.machine_bytes[0];
    bootstrap.machine_bytes[0] = 1;
    assert_false(node_birth_read(&bootstrap.birth, &again));
    assert_non_null(strstr(node_birth_fault(&bootstrap.birth), "older version"));
    assert_non_null(strstr(node_birth_fault(&bootstrap.birth), "cluster init"));
    bootstrap.machine_bytes[0] = (uint8_t)(now + 1);
    assert_false(node_birth_read(&bootstrap.birth, &again));
    assert_non_null(strstr(node_birth_fault(&bootstrap.birth), "newer version: upgrade"));
    bootstrap.machine_bytes[0] = now;
    bootstrap.birth.machine.size--;
    assert_false(node_birth_read(&bootstrap.birth, &again));
    assert_null(strstr(node_birth_fault(&bootstrap.birth), "newer"));
}

static void each_mistake_in_a_bootstrap_is_one_line(void **state)
{
    static const struct mistake mistakes[] = {
        {"tenure_bootstrap: 1", "tenure_bootstrap: 2", {"form 2", NULL}},
        {"cluster: test\n", "", {"cluster", NULL}},
        {"cluster: test", "cluster: a/b", {"cluster", NULL}},
        {"cluster: test", "cluster: test\ncolour: red", {"colour", "line: 3"}},
        {"0e0f", "0e0g", {"hexadecimal", NULL}},
        {"0e0f", "0e", {"incarnation", NULL}},
        {"fdfeff", "fdfexx", {"hexadecimal", NULL}},
        {"1700000000000000", "0", {"time_us", NULL}},
        {"1700000000000000", "18446744073709551615", {"time_us", NULL}},
        {"  - id: 3\n    peer: 10.0.0.3:7401\n    client: 10.0.0.3:7400\n",
         "",
         {"2 members", NULL}},
        {"id: 3", "id: 2", {"member ids", NULL}},
        {"id: 1", "id: 0", {"member ids", NULL}},
        {"id: 3", "id: 0", {"member ids", NULL}},
        {"id: 3", "id: 65536", {"member ids", NULL}},
        {"    client: 10.0.0.2:7400\n", "", {"client", NULL}},
        {"10.0.0.3:7401", "10.0.0.1:7401", {"address", NULL}},
        {"10.0.0.3:7400", "10.0.0.1:7400", {"address", NULL}},
        {"sessions_max", "sessions_least", {"sessions_least", NULL}},
        {"value: 1000", "value: 0", {"sessions_max", NULL}},
        {"value: 1000", "value: 18446744073709551615", {"sessions_max", NULL}},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
        char error[512] = "";
        write_changed(good_bootstrap, mistakes[i].from, mistakes[i].to);
        if (node_bootstrap_load(FILE_NAME, &bootstrap, error, sizeof(error))) {
            fail_msg("\"%s\" in place of \"%s\" was taken", mistakes[i].to, mistakes[i].from);
        }
        want_line(error, mistakes[i].parts);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_configuration_is_taken),
        cmocka_unit_test(each_mistake_in_it_is_one_line),
        cmocka_unit_test(a_file_that_is_not_there_or_empty_is_one_line),
        cmocka_unit_test(a_good_bootstrap_is_taken_and_kept),
        cmocka_unit_test(a_birth_cut_short_anywhere_is_refused),
        cmocka_unit_test(a_birth_of_another_version_says_which_way),
        cmocka_unit_test(each_mistake_in_a_bootstrap_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
