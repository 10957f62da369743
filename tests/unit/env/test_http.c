/* Law: the HTTP port serves what was published last, to GET and HEAD; plain on loopback alone, and
 * elsewhere only to certificates that are named (env/uv/http.h). */
#include "env/uv/http.h"
#include "tests/unit/env/place.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <openssl/ssl.h>

enum { ANSWER_MAX = 64 * 1024, TIMEOUT_S = 20, CROWD = 80 };

struct stage {
    struct place place;
    struct env_http *http;
    char answer[ANSWER_MAX];
};

static const char *const callers[] = {"-/monitor/", "-/operator/", NULL};

static int set_up(void **state)
{
    struct stage *stage = calloc(1, sizeof(*stage));
    assert_non_null(stage);
    place_init(&stage->place);
    *state = stage;
    return 0;
}

static int tear_down(void **state)
{
    struct stage *stage = *state;
    env_http_stop(stage->http);
    place_done(&stage->place);
    free(stage);
    return 0;
}

static int start(struct stage *stage, const char *address, char *error, size_t error_size)
{
    char paths[3][PLACE_PATH_MAX];
    const struct env_http_config config = {
        .address = address,
        .ca_path = place_path(&stage->place, "one.ca", paths[0]),
        .certificate_path = place_path(&stage->place, "node.pem", paths[1]),
        .key_path = place_path(&stage->place, "node.key", paths[2]),
        .callers = callers};
    return env_http_start(&config, error, error_size, &stage->http);
}

static void publish(struct stage *stage, const char *path, bool verbose, unsigned status,
                    uint64_t stale_us, const char *text)
{
    const struct env_http_page page = {.path = path,
                                       .verbose = verbose,
                                       .status = status,
                                       .stale_us = stale_us,
                                       .text = bytes_of_text(text)};
    env_http_publish(stage->http, &page);
}

static int dial(const struct stage *stage)
{
    const char *port = strrchr(env_http_address(stage->http), ':') + 1;
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_port = htons((uint16_t)strtoul(port, NULL, 10)),
                                  .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)), 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
    return fd;
}

/* Everything that comes until the other side closes. Where it has a time limit, recv is interrupted
 * without any handler when the process is stopped and goes on (signal(7)). */
static const char *hear(struct stage *stage, int fd)
{
    size_t have = 0;
    ssize_t got;
    do {
        got = recv(fd, stage->answer + have, ANSWER_MAX - 1 - have, 0);
        have += got > 0 ? (size_t)got : 0;
    } while (got > 0 || (got < 0 && errno == EINTR));
    if (have == 0 && got < 0) {
        have = (size_t)snprintf(stage->answer, ANSWER_MAX, "recv: %s", strerror(errno));
    }
    stage->answer[have] = '\0';
    (void)close(fd);
    return stage->answer;
}

static const char *ask(struct stage *stage, const char *method, const char *path)
{
    char request[512];
    int size = snprintf(request, sizeof(request),
                        "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", method, path);
    int fd = dial(stage);
    assert_int_equal(send(fd, request, (size_t)size, MSG_NOSIGNAL), size);
    return hear(stage, fd);
}

static void expect(struct stage *stage, const char *method, const char *path, const char *status,
                   const char *body)
{
    const char *answer = ask(stage, method, path);
    const char *end = strstr(answer, "\r\n\r\n");
    if (strncmp(answer, "HTTP/1.1 ", 9) != 0 || strncmp(answer + 9, status, 3) != 0 ||
        end == NULL || strcmp(end + 4, body) != 0) {
        fail_msg("%s %s: %s", method, path, answer);
    }
}

static void what_was_published_last_is_served(void **state)
{
    struct stage *stage = *state;
    char error[512] = "";
    assert_int_equal(start(stage, "127.0.0.1:0", error, sizeof(error)), ENV_OK);
    expect(stage, "GET", "/metrics", "404", "there is /metrics, /livez and /readyz\n");
    publish(stage, "/metrics", false, 200, 0, "a 1\n");
    publish(stage, "/readyz", false, 503, 0, "not ready\n");
    publish(stage, "/readyz", true, 503, 0, "[-] clock\nnot ready\n");
    expect(stage, "GET", "/metrics", "200", "a 1\n");
    expect(stage, "GET", "/metrics?verbose", "200", "a 1\n");
    expect(stage, "GET", "/readyz", "503", "not ready\n");
    expect(stage, "GET", "/readyz?verbose", "503", "[-] clock\nnot ready\n");
    expect(stage, "GET", "/readyz?verbose=1&x=y", "503", "[-] clock\nnot ready\n");
    expect(stage, "HEAD", "/metrics", "200", "");
    expect(stage, "GET", "/metrics/x", "404", "there is /metrics, /livez and /readyz\n");
    publish(stage, "/metrics", false, 200, 0, "a 2, and more than before\n");
    expect(stage, "GET", "/metrics", "200", "a 2, and more than before\n");
    publish(stage, "/metrics", false, 200, 0, "");
    expect(stage, "GET", "/metrics", "200", "");
}

static void only_reading_is_served(void **state)
{
    static const char *const methods[] = {"POST", "PUT", "DELETE", "OPTIONS", "NONSENSE"};
    struct stage *stage = *state;
    char error[512] = "";
    assert_int_equal(start(stage, "127.0.0.1:0", error, sizeof(error)), ENV_OK);
    publish(stage, "/metrics", false, 200, 0, "a 1\n");
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
        expect(stage, methods[i], "/metrics", "405", "only GET and HEAD, without a body\n");
    }
    expect(stage, "GET", "/metrics", "200", "a 1\n");
}

static void a_loop_that_stands_still_is_told(void **state)
{
    struct stage *stage = *state;
    char error[512] = "";
    assert_int_equal(start(stage, "127.0.0.1:0", error, sizeof(error)), ENV_OK);
    publish(stage, "/livez", false, 200, 1, "alive\n"); /* a microsecond */
    publish(stage, "/readyz", false, 200, UINT64_C(1) << 40, "ready\n");
    expect(stage, "GET", "/livez", "503", "the loop of this node stands still\n");
    expect(stage, "GET", "/readyz", "200", "ready\n");
}

/* In a process of its own. */
static void wait_for_one_answer(struct stage *stage, int fd)
{
    struct timeval timeout = {.tv_sec = TIMEOUT_S};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    (void)send(fd, "?", 1, MSG_NOSIGNAL);
    _exit(strcmp(hear(stage, fd), "HTTP/1.1 200") == 0 ? 0 : 1);
}

/* As /proc tells it: S is asleep, where it waits for something. */
static char state_of(pid_t process)
{
    char path[64];
    char state = '?';
    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)process);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
    (void)fclose(file);
    return state;
}

static void stop_while_it_waits(pid_t process)
{
    int status;
    while (state_of(process) != 'S') {
        (void)sched_yield();
    }
    assert_int_equal(kill(process, SIGSTOP), 0);
    assert_int_equal(waitpid(process, &status, WUNTRACED), process);
    assert_true(WIFSTOPPED(status));
    assert_int_equal(kill(process, SIGCONT), 0);
    assert_int_equal(waitpid(process, &status, WCONTINUED), process);
    assert_true(WIFCONTINUED(status));
}

/* Of this test itself: an answer once came empty, as it does when its process is stopped for a
 * moment. */
static void who_waits_for_an_answer_may_be_stopped(void **state)
{
    struct stage *stage = *state;
    int ends[2];
    int status;
    char asked;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(ends[0]);
        wait_for_one_answer(stage, ends[1]);
    }
    (void)close(ends[1]);
    assert_int_equal(recv(ends[0], &asked, 1, 0), 1);
    stop_while_it_waits(child);
    stop_while_it_waits(child);
    assert_int_equal(send(ends[0], "HTTP/1.1 200", 12, MSG_NOSIGNAL), 12);
    (void)close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void a_crowd_that_says_nothing_holds_nobody(void **state)
{
    struct stage *stage = *state;
    char error[512] = "";
    int crowd[CROWD];
    assert_int_equal(start(stage, "127.0.0.1:0", error, sizeof(error)), ENV_OK);
    for (size_t i = 0; i < CROWD; i++) {
        crowd[i] = dial(stage);
    }
    publish(stage, "/metrics", false, 200, 0, "a 1\n"); /* returns: the loop goes on */
    for (size_t i = 0; i < CROWD; i++) {
        (void)close(crowd[i]);
    }
    const char *answer;
    do {
        answer = ask(stage, "GET", "/metrics"); /* it may not yet have seen that they are gone */
    } while (answer[0] == '\0');
    assert_int_equal(strncmp(answer, "HTTP/1.1 200", 12), 0);
}

/* ---- TLS ---- */

/* As which identity; NULL: none. Returns the status code, 0 when it did not get that far. */
static int ask_secured(struct stage *stage, const char *name, int version)
{
    char path[PLACE_PATH_MAX];
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    assert_non_null(context);
    assert_int_equal(SSL_CTX_set_max_proto_version(context, version), 1);
    if (name != NULL) {
        char file[64];
        snprintf(file, sizeof(file), "%s.pem", name);
        assert_int_equal(
            SSL_CTX_use_certificate_chain_file(context, place_path(&stage->place, file, path)), 1);
        snprintf(file, sizeof(file), "%s.key", name);
        assert_int_equal(SSL_CTX_use_PrivateKey_file(context, place_path(&stage->place, file, path),
                                                     SSL_FILETYPE_PEM),
                         1);
    }
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    SSL *ssl = SSL_new(context);
    int fd = dial(stage);
    int status = 0;
    assert_int_equal(SSL_set_fd(ssl, fd), 1);
    if (SSL_connect(ssl) == 1 && SSL_write(ssl, request, sizeof(request) - 1) > 0) {
        char answer[512] = "";
        int got = SSL_read(ssl, answer, sizeof(answer) - 1);
        if (got > 12 && strncmp(answer, "HTTP/1.1 ", 9) == 0) {
            status = (int)strtol(answer + 9, NULL, 10);
        }
    }
    SSL_free(ssl);
    SSL_CTX_free(context);
    (void)close(fd);
    return status;
}

static void issue_all(struct stage *stage)
{
    static const char *const identities[][2] = {
        {"node", "tenure://c/-/peer/1"},         {"monitor", "tenure://c/-/monitor/prometheus"},
        {"operator", "tenure://c/-/operator/a"}, {"service", "tenure://c/acme/service/web"},
        {"peer", "tenure://c/-/peer/2"},         {"foreign", "tenure://d/-/monitor/prometheus"},
        {"longer", "tenure://c/-/monitor/a/b"},  {"nameless", "tenure://c/-/monitor/"},
        {"tenant", "tenure://c/acme/monitor/a"}};
    place_make_ca(&stage->place, "one");
    place_make_ca(&stage->place, "two");
    for (size_t i = 0; i < sizeof(identities) / sizeof(identities[0]); i++) {
        place_issue(&stage->place, "one", identities[i][0], identities[i][1]);
    }
    place_issue(&stage->place, "two", "stranger", "tenure://c/-/monitor/prometheus");
}

static void elsewhere_only_named_certificates_may_look(void **state)
{
    static const char *const refused[] = {"service", "peer",     "foreign", "longer",
                                          "tenant",  "nameless", NULL};
    struct stage *stage = *state;
    char error[512] = "";
    issue_all(stage);
    assert_int_equal(start(stage, "0.0.0.0:0", error, sizeof(error)), ENV_OK);
    publish(stage, "/metrics", false, 200, 0, "a 1\n");
    assert_int_equal(ask_secured(stage, "monitor", TLS1_3_VERSION), 200);
    assert_int_equal(ask_secured(stage, "operator", TLS1_3_VERSION), 200);
    for (size_t i = 0; refused[i] != NULL; i++) {
        assert_int_equal(ask_secured(stage, refused[i], TLS1_3_VERSION), 403);
    }
    assert_int_equal(ask_secured(stage, NULL, TLS1_3_VERSION), 403);
    assert_int_not_equal(ask_secured(stage, "stranger", TLS1_3_VERSION), 200);
    assert_int_equal(ask_secured(stage, "monitor", TLS1_2_VERSION), 0);
    assert_null(strstr(ask(stage, "GET", "/metrics"), "a 1"));
}

static void a_port_that_cannot_be_says_why(void **state)
{
    static const struct {
        const char *address;
        const char *error;
    } cases[] = {{"localhost:1", "localhost:1: not a usable address"},
                 {"127.0.0.1", "127.0.0.1: not a usable address"},
                 {"0.0.0.0:0", "one.ca: cannot be read"},
                 {"[::]:0", "one.ca: cannot be read"}};
    struct stage *stage = *state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char error[512] = "";
        assert_true(start(stage, cases[i].address, error, sizeof(error)) < 0);
        assert_null(stage->http);
        if (strstr(error, cases[i].error) == NULL || strchr(error, '\n') != NULL) {
            fail_msg("%s: \"%s\"", cases[i].address, error);
        }
    }
    char error[512] = "";
    assert_int_equal(start(stage, "127.0.0.1:0", error, sizeof(error)), ENV_OK);
    struct env_http *first = stage->http;
    char address[ENV_ADDRESS_MAX];
    snprintf(address, sizeof(address), "%s", env_http_address(first));
    stage->http = NULL;
    assert_true(start(stage, address, error, sizeof(error)) < 0);
    assert_non_null(strstr(error, "cannot listen on"));
    stage->http = first;
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(what_was_published_last_is_served),
        CASE(only_reading_is_served),
        CASE(a_loop_that_stands_still_is_told),
        CASE(who_waits_for_an_answer_may_be_stopped),
        CASE(a_crowd_that_says_nothing_holds_nobody),
        CASE(elsewhere_only_named_certificates_may_look),
        CASE(a_port_that_cannot_be_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
