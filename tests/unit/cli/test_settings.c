/* How tenurectl finds the cluster: options before the environment, the environment before the file.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client-lib/cli/cli.h"

struct loaded {
    struct cli_table table;
    struct cli_memory memory;
    struct cli_run run;
    struct cli_settings settings;
    struct cli_error error;
    enum cli_exit code;
    bool good;
};

static void load(struct loaded *loaded, int argc, char **argv)
{
    *loaded = (struct loaded){.good = false};
    cli_table_init(&loaded->table);
    assert_true(
        cli_parse(&loaded->table, argc, argv, &loaded->memory, &loaded->run, &loaded->error));
    loaded->good = cli_settings_load(&loaded->run, &loaded->settings, &loaded->error,
                                     &loaded->code);
}

static void done(struct loaded *loaded)
{
    cli_memory_done(&loaded->memory);
    cli_table_done(&loaded->table);
}

#define LOAD(loaded, ...)                                                                          \
    do {                                                                                           \
        char *words_[] = {"tenurectl", __VA_ARGS__, "status"};                                     \
        load(loaded, (int)(sizeof(words_) / sizeof(words_[0])), words_);                           \
    } while (0)

static void write_file(const char *name, const char *content)
{
    FILE *file = fopen(name, "w");
    assert_non_null(file);
    fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static void a_file_is_enough(void **state)
{
    struct loaded loaded;
    (void)state;
    write_file("full.yaml", "servers:\n  - 127.0.0.1:1\n  - \"[::1]:2\"\nca: ca.pem\n"
                            "cert: /etc/c.pem\nkey: c.key\ntenant: acme\ntimeout: 2s\n");
    LOAD(&loaded, "--config", "./full.yaml");
    assert_true(loaded.good);
    assert_int_equal(loaded.settings.options.server_count, 2);
    assert_string_equal(loaded.settings.options.servers[1], "[::1]:2");
    assert_string_equal(loaded.settings.options.ca, "./ca.pem");
    assert_string_equal(loaded.settings.options.certificate, "/etc/c.pem");
    assert_string_equal(loaded.settings.options.key, "./c.key");
    assert_string_equal(loaded.settings.options.tenant, "acme");
    assert_true(loaded.settings.options.timeout_us == 2000000);
    done(&loaded);
}

static void nearer_wins(void **state)
{
    struct loaded loaded;
    (void)state;
    write_file("near.yaml", "servers: [f:1]\nca: f\ncert: f\nkey: f\ntenant: f\n");
    setenv("TENURE_CONFIG", "near.yaml", 1);
    setenv("TENURE_CA", "e", 1);
    setenv("TENURE_CERT", "e", 1);
    setenv("TENURE_TENANT", "", 1);
    LOAD(&loaded, "--ca", "o", "--servers", "o:1,o:2");
    unsetenv("TENURE_CONFIG");
    unsetenv("TENURE_CA");
    unsetenv("TENURE_CERT");
    unsetenv("TENURE_TENANT");
    assert_true(loaded.good);
    assert_string_equal(loaded.settings.options.ca, "o");
    assert_string_equal(loaded.settings.options.certificate, "e");
    assert_string_equal(loaded.settings.options.key, "f");
    assert_string_equal(loaded.settings.options.tenant, "f");
    assert_int_equal(loaded.settings.options.server_count, 2);
    assert_true(loaded.settings.options.timeout_us == 5000000);
    done(&loaded);
}

static void refuse(const char *content, enum cli_exit code, const char *says)
{
    struct loaded loaded;
    write_file("bad.yaml", content);
    LOAD(&loaded, "--config", "bad.yaml");
    assert_false(loaded.good);
    if (strstr(loaded.error.text, says) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", loaded.error.text, says);
    }
    assert_int_equal(loaded.code, code);
    assert_null(strchr(loaded.error.text, '\n'));
    done(&loaded);
}

static void wrong_files_are_one_line(void **state)
{
    (void)state;
    refuse("servers: [a:1]\nca: x\ncert: x\nkey: x\ncolour: red\n", CLI_LOCAL, "colour");
    refuse("servers: [a:1]\nca: x\ncert: x\nkey: x\ncolour: red\n", CLI_LOCAL, "line: 5");
    refuse("servers: [a:1]\nca: x\ncert: x\n", CLI_USAGE, "key: not known");
    refuse("servers: 7: 8\n", CLI_LOCAL, "bad.yaml");
    refuse("", CLI_LOCAL, "bad.yaml");
    refuse("servers: [a:1]\nca: x\ncert: x\nkey: x\ntimeout: 5\n", CLI_USAGE, "no duration");
    refuse("servers: [a:1]\nca: x\ncert: x\nkey: x\ntimeout: 0s\n", CLI_USAGE, "no duration");
}

static void missing_things_are_one_line(void **state)
{
    struct loaded loaded;
    (void)state;
    LOAD(&loaded, "--config", "no-such.yaml");
    assert_false(loaded.good);
    assert_int_equal(loaded.code, CLI_LOCAL);
    assert_non_null(strstr(loaded.error.text, "no-such.yaml"));
    done(&loaded);
    LOAD(&loaded, "--ca", "x");
    assert_false(loaded.good);
    assert_int_equal(loaded.code, CLI_USAGE);
    assert_non_null(strstr(loaded.error.text, "--servers"));
    assert_non_null(strstr(loaded.error.text, "TENURE_SERVERS"));
    done(&loaded);
    LOAD(&loaded, "--servers", "a:1,,b:2", "--ca", "x", "--cert", "x", "--key", "x");
    assert_false(loaded.good);
    done(&loaded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_is_enough),
        cmocka_unit_test(nearer_wins),
        cmocka_unit_test(wrong_files_are_one_line),
        cmocka_unit_test(missing_things_are_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
