/* The command line of tenurectl: every row of the op table is a command with its fields as options.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client-lib/cli/cli.h"

enum { WORDS_MAX = 24 };

struct parsed {
    struct cli_table table;
    struct cli_memory memory;
    struct cli_run run;
    struct cli_error error;
    bool good;
};

/* Words are separated by single spaces; the first is the program. */
static void parse(struct parsed *parsed, const char *line)
{
    char *argv[WORDS_MAX] = {NULL};
    int argc = 0;
    *parsed = (struct parsed){.good = false};
    cli_table_init(&parsed->table);
    char *copy = cli_take_text(&parsed->memory, line, strlen(line));
    for (char *word = strtok(copy, " "); word != NULL; word = strtok(NULL, " ")) {
        assert_true(argc < WORDS_MAX);
        argv[argc++] = word;
    }
    parsed->good = cli_parse(&parsed->table, argc, argv, &parsed->memory, &parsed->run,
                             &parsed->error);
}

static void done(struct parsed *parsed)
{
    cli_memory_done(&parsed->memory);
    cli_table_done(&parsed->table);
}

static const struct cli_option *option_of(const struct cli_command *command,
                                          const struct op_field *field)
{
    for (size_t i = 0; i < command->option_count; i++) {
        if (command->options[i].field == field) {
            return &command->options[i];
        }
    }
    return NULL;
}

static void every_row_is_a_command(void **state)
{
    struct cli_table table;
    size_t count;
    const struct op_row *rows = op_rows(&count);
    (void)state;
    cli_table_init(&table);
    assert_true(count >= 12);
    for (size_t i = 0; i < count; i++) {
        char words[CLI_WORD_MAX];
        snprintf(words, sizeof(words), "%s", rows[i].method);
        *strchr(words, '.') = ' ';
        const struct cli_command *command = cli_find(&table, words);
        assert_non_null(command);
        assert_ptr_equal(command->row, &rows[i]);
        for (size_t k = 0; k < rows[i].request->field_count; k++) {
            const struct op_field *field = &rows[i].request->fields[k];
            const struct cli_option *option = option_of(command, field);
            assert_non_null(option);
            assert_int_equal(option->required, field->required);
            assert_int_equal(option->repeatable, field->kind == OP_KIND_list);
            assert_true(option->argument[0] != '\0');
        }
    }
    cli_table_done(&table);
}

static void no_name_is_there_twice(void **state)
{
    struct cli_table table;
    (void)state;
    cli_table_init(&table);
    for (size_t i = 0; i < table.count; i++) {
        const struct cli_command *command = &table.commands[i];
        assert_ptr_equal(cli_find(&table, command->words), command);
        assert_true(strlen(command->help) > 0);
        for (size_t k = 0; k < command->option_count; k++) {
            for (size_t l = 0; l < k; l++) {
                assert_string_not_equal(command->options[k].name, command->options[l].name);
            }
        }
    }
    cli_table_done(&table);
}

static void options_stand_anywhere(void **state)
{
    struct parsed parsed;
    (void)state;
    parse(&parsed, "tenurectl -o json --timeout=2s status --at 7 --ca F");
    assert_true(parsed.good);
    assert_string_equal(parsed.run.command->words, "status");
    assert_int_equal(parsed.run.output, CLI_JSON);
    assert_string_equal(cli_text_of(&parsed.run, "timeout"), "2s");
    assert_string_equal(cli_text_of(&parsed.run, "at"), "7");
    assert_string_equal(cli_text_of(&parsed.run, "ca"), "F");
    assert_null(cli_text_of(&parsed.run, "cert"));
    done(&parsed);
}

static void an_option_behind_a_command_is_the_commands(void **state)
{
    struct parsed parsed;
    (void)state;
    parse(&parsed, "tenurectl --key my.key state get --user u --key k");
    assert_true(parsed.good);
    assert_string_equal(cli_text_of(&parsed.run, "key"), "my.key");
    assert_int_equal(parsed.run.given_count, 3);
    assert_non_null(parsed.run.given[2].option->field);
    assert_string_equal(parsed.run.given[2].text, "k");
    done(&parsed);
}

static void lists_repeat(void **state)
{
    struct parsed parsed;
    (void)state;
    parse(&parsed, "tenurectl session create --user u --agent a --idle 1m --absolute 1h "
                   "--grants a --grants b=2s");
    assert_true(parsed.good);
    assert_int_equal(parsed.run.given_count, 6);
    done(&parsed);
}

static void help_needs_nothing_else(void **state)
{
    struct parsed parsed;
    (void)state;
    parse(&parsed, "tenurectl session create --help");
    assert_true(parsed.good && parsed.run.help);
    done(&parsed);
    parse(&parsed, "tenurectl help session create");
    assert_true(parsed.good);
    assert_string_equal(parsed.run.positional, "session create");
    done(&parsed);
    parse(&parsed, "tenurectl -V");
    assert_true(parsed.good && parsed.run.version);
    done(&parsed);
}

static void wrong_usage_is_one_line(void **state)
{
    static const struct {
        const char *line;
        const char *says; /* in the error */
    } bad[] = {
        {"tenurectl foo", "\"foo\" is no command"},
        {"tenurectl session foo", "\"session foo\" is no command"},
        {"tenurectl --foo status", "--foo is no option"},
        {"tenurectl status --foo", "tenurectl status --help"},
        {"tenurectl status --at", "--at: give POSITION"},
        {"tenurectl status --at 1 --at 2", "given twice"},
        {"tenurectl status --wait-leader=1", "takes no value"},
        {"tenurectl status 7", "\"7\" is too much"},
        {"tenurectl status -x", "-x is no option"},
        {"tenurectl status -ojson", "-ojson is no option"},
        {"tenurectl -o xml status", "give table or json"},
        {"tenurectl cluster time", "give TIME_US"},
        {"tenurectl cluster time 1 2", "is too much"},
        {"tenurectl revoke user", "give --user TEXT"},
        {"tenurectl -o table", "give a command"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct parsed parsed;
        parse(&parsed, bad[i].line);
        assert_false(parsed.good);
        if (strstr(parsed.error.text, bad[i].says) == NULL) {
            fail_msg("%s: \"%s\" does not say \"%s\"", bad[i].line, parsed.error.text, bad[i].says);
        }
        assert_null(strchr(parsed.error.text, '\n'));
        done(&parsed);
    }
}

static void numbers_have_bounds(void **state)
{
    struct parsed parsed;
    uint64_t number = 0;
    (void)state;
    parse(&parsed, "tenurectl status --at 11");
    assert_true(cli_number_of(&parsed.run, "at", 3, 1, 11, &number, &parsed.error));
    assert_int_equal(number, 11);
    assert_false(cli_number_of(&parsed.run, "at", 3, 1, 10, &number, &parsed.error));
    assert_false(cli_number_of(&parsed.run, "at", 3, 12, 20, &number, &parsed.error));
    assert_true(cli_number_of(&parsed.run, "days", 3, 1, 10, &number, &parsed.error));
    assert_int_equal(number, 3);
    done(&parsed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_is_a_command),
        cmocka_unit_test(no_name_is_there_twice),
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(an_option_behind_a_command_is_the_commands),
        cmocka_unit_test(lists_repeat),
        cmocka_unit_test(help_needs_nothing_else),
        cmocka_unit_test(wrong_usage_is_one_line),
        cmocka_unit_test(numbers_have_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
