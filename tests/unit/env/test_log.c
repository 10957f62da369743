/* Law: a log line is one line, whatever bytes it is given, and JSON lines are JSON (env/log.h). */
#include "env/log.h"
#include "tests/unit/env/place.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

enum { TEXT_MAX = 16384, STAMP_SIZE = 27 };

struct capture {
    struct place place;
    int saved;
    char text[TEXT_MAX];
};

static int set_up(void **state)
{
    struct capture *capture = calloc(1, sizeof(*capture));
    char path[PLACE_PATH_MAX];
    assert_non_null(capture);
    place_init(&capture->place);
    int fd = open(place_path(&capture->place, "err", path), O_CREAT | O_RDWR | O_APPEND, 0600);
    assert_true(fd >= 0);
    capture->saved = dup(STDERR_FILENO);
    assert_true(dup2(fd, STDERR_FILENO) >= 0);
    (void)close(fd);
    *state = capture;
    return 0;
}

/* Back to the real standard error, before anything is asserted. */
static const char *finish(struct capture *capture)
{
    (void)dup2(capture->saved, STDERR_FILENO);
    place_read(&capture->place, "err", capture->text, sizeof(capture->text));
    return capture->text;
}

static int tear_down(void **state)
{
    struct capture *capture = *state;
    (void)dup2(capture->saved, STDERR_FILENO);
    (void)close(capture->saved);
    place_done(&capture->place);
    free(capture);
    return 0;
}

/* Checks the stamp's form and returns what follows it. */
static const char *after_stamp(const char *line)
{
    static const char form[] = "dddd-dd-ddTdd:dd:dd.ddddddZ";
    for (size_t i = 0; i < STAMP_SIZE; i++) {
        bool digit = line[i] >= '0' && line[i] <= '9';
        assert_true(form[i] == 'd' ? digit : line[i] == form[i]);
    }
    return line + STAMP_SIZE;
}

static void text_lines_have_level_component_and_node(void **state)
{
    struct capture *capture = *state;
    struct env *env = capture->place.env;
    env_log(env, ENV_LOG_INFO, "raft", "term %d", 7);
    const char *text = finish(capture);
    assert_string_equal(after_stamp(text), " info raft term 7\n");
}

static void the_node_stands_in_each_line(void **state)
{
    struct capture *capture = *state;
    env_uv_set_log(capture->place.env, ENV_UV_LOG_TEXT, ENV_LOG_DEBUG, "n1");
    env_log(capture->place.env, ENV_LOG_DEBUG, "log", "x");
    assert_string_equal(after_stamp(finish(capture)), " debug log [n1] x\n");
}

static void levels_below_the_least_are_dropped(void **state)
{
    struct capture *capture = *state;
    struct env *env = capture->place.env;
    env_log(env, ENV_LOG_DEBUG, "log", "dropped");
    env_uv_set_log(env, ENV_UV_LOG_TEXT, ENV_LOG_ERROR, NULL);
    env_log(env, ENV_LOG_WARN, "log", "dropped");
    env_log(env, ENV_LOG_ERROR, "log", "kept");
    assert_string_equal(after_stamp(finish(capture)), " error log kept\n");
}

static void control_characters_do_not_break_a_line(void **state)
{
    struct capture *capture = *state;
    env_log(capture->place.env, ENV_LOG_WARN, "peer", "a\nb\tc\x1b[31m \xff \xc3\xa4 \xed\xa0\x80");
    assert_string_equal(after_stamp(finish(capture)),
                        " warn peer a\\x0ab\\x09c\\x1b[31m \\xff \xc3\xa4 \\xed\\xa0\\x80\n");
}

static void json_lines_are_json_whatever_comes(void **state)
{
    struct capture *capture = *state;
    struct env *env = capture->place.env;
    env_uv_set_log(env, ENV_UV_LOG_JSON, ENV_LOG_INFO, "n\"1");
    env_log(env, ENV_LOG_WARN, "peer", "a\n\"\\\x01 \xff\xc0\x80 \xc3\xa4 \xf0\x9f\x98\x80 %s",
            "\xe2\x82");
    const char *text = finish(capture);
    json_error_t error;
    json_t *line = json_loads(text, 0, &error);
    assert_non_null(line);
    assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
    const char *time = json_string_value(json_object_get(line, "time"));
    assert_string_equal(after_stamp(time), "");
    assert_string_equal(json_string_value(json_object_get(line, "level")), "warn");
    assert_string_equal(json_string_value(json_object_get(line, "component")), "peer");
    assert_string_equal(json_string_value(json_object_get(line, "node")), "n\"1");
    assert_string_equal(json_string_value(json_object_get(line, "message")),
                        "a\n\"\\\x01 \xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd \xc3\xa4 "
                        "\xf0\x9f\x98\x80 \xef\xbf\xbd\xef\xbf\xbd");
    json_decref(line);
}

static void a_request_has_a_field_of_its_own(void **state)
{
    struct capture *capture = *state;
    struct env *env = capture->place.env;
    env_log_about(env, ENV_LOG_INFO, "request", "7.12", "state.put %s", "OK");
    env_uv_set_log(env, ENV_UV_LOG_JSON, ENV_LOG_INFO, "1");
    env_log_about(env, ENV_LOG_DEBUG, "request", "7.13", "dropped");
    env_log_about(env, ENV_LOG_INFO, "request", "7.\"14", "state.put OK");
    assert_false(env_log_wants(env, ENV_LOG_DEBUG));
    assert_true(env_log_wants(env, ENV_LOG_INFO));
    const char *text = finish(capture);
    const char *second = strchr(text, '\n') + 1;
    assert_int_equal(strncmp(after_stamp(text), " info request request 7.12: state.put OK\n",
                             (size_t)(second - text) - STAMP_SIZE),
                     0);
    json_t *line = json_loads(second, 0, NULL);
    assert_non_null(line);
    assert_string_equal(json_string_value(json_object_get(line, "request")), "7.\"14");
    assert_string_equal(json_string_value(json_object_get(line, "message")), "state.put OK");
    json_decref(line);
}

static void a_long_message_is_cut_and_says_so(void **state)
{
    struct capture *capture = *state;
    char *message = malloc(5000);
    memset(message, 1, 4999);
    message[4999] = '\0';
    env_uv_set_log(capture->place.env, ENV_UV_LOG_JSON, ENV_LOG_INFO, NULL);
    env_log(capture->place.env, ENV_LOG_WARN, "peer", "%s", message);
    const char *text = finish(capture);
    json_error_t error;
    json_t *line = json_loads(text, 0, &error);
    assert_non_null(line);
    const char *cut = json_string_value(json_object_get(line, "message"));
    assert_int_equal(strlen(cut), 1023);
    assert_string_equal(cut + 1019, "\x01...");
    json_decref(line);
    free(message);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(text_lines_have_level_component_and_node),
        CASE(the_node_stands_in_each_line),
        CASE(levels_below_the_least_are_dropped),
        CASE(control_characters_do_not_break_a_line),
        CASE(json_lines_are_json_whatever_comes),
        CASE(a_request_has_a_field_of_its_own),
        CASE(a_long_message_is_cut_and_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
