/* Memory: where there is none, calls and clients are refused, and the program goes on; what held a
 * token is wiped before it is freed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/client/world.h"

/* What the linker gives us in place of the C library's (CMakeLists.txt). */
void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void __real_free(void *memory);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void __wrap_free(void *memory);

static size_t missing; /* there is no memory for exactly so many bytes; 0: there is for all */
static unsigned missed;
static const uint8_t *watched; /* to be zero up to `watched_size` when it is freed */
static size_t watched_size;
static unsigned freed_clean;
static unsigned freed_dirty;

static bool fails(size_t size)
{
    bool failing = missing != 0 && size == missing;
    missed += failing;
    return failing;
}

void *__wrap_malloc(size_t size)
{
    return fails(size) ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
    return fails(count * size) ? NULL : __real_calloc(count, size);
}

void __wrap_free(void *memory)
{
    if (memory != NULL && memory == watched) {
        bool dirty = false;
        for (size_t i = 0; i < watched_size; i++) {
            dirty = dirty || watched[i] != 0;
        }
        freed_dirty += dirty;
        freed_clean += !dirty;
        watched = NULL;
    }
    __real_free(memory);
}

static void test_a_client_that_has_no_memory_is_not_opened(void **state)
{
    struct world *world = *state;
    char tenant[98];
    char software[102];
    const char *servers[11];
    for (size_t i = 0; i < 11; i++) {
        servers[i] = "a-server-with-an-address-that-nothing-else-is-as-long-as:1";
    }
    memset(tenant, 't', sizeof(tenant));
    memset(software, 's', sizeof(software));
    tenant[sizeof(tenant) - 1] = software[sizeof(software) - 1] = '\0';
    struct tenure_options options = {.servers = servers,
                                     .server_count = 11,
                                     .ca = "/pki/ca.pem",
                                     .certificate = "/pki/own.pem",
                                     .key = "/pki/own.key",
                                     .tenant = tenant,
                                     .software = software};
    const size_t sizes[] = {sizeof(struct tenure_client), OP_FRAME_MAX,   sizeof(servers),
                            strlen(servers[0]) + 1,       sizeof(tenant), sizeof(software)};
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char error[256] = "";
        struct tenure_client *client;
        missing = sizes[i];
        missed = 0;
        bool opened = tenure_open_env(world->app, &options, error, sizeof(error), &client);
        missing = 0;
        assert_false(opened);
        assert_int_equal(missed, 1);
        assert_string_equal(error, "out of memory");
    }
}

static void test_a_call_that_has_no_memory_is_not_begun(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    struct tenure_revoke_user_request request = {.user = tenure_text("alice")};
    struct tenure_revoke_user_reply reply;
    struct tenure_result result;
    missing = sizeof(struct tenure_pending);
    assert_int_equal(call_revoke(world->client, &outcome), 0);
    enum tenure_outcome got = tenure_revoke_user(world->client, &request, &reply, &result);
    missing = 0;
    assert_int_equal(got, TENURE_UNREACHABLE);
    assert_string_equal(result.message, "out of memory");
    assert_int_equal(outcome.ends, 0);
    assert_int_equal(tenure_revoke_user(world->client, &request, &reply, &result), TENURE_OK);
    tenure_result_done(&result);
}

static void test_what_came_in_is_wiped(void **state)
{
    struct world *world = *state;
    struct tenure_revoke_user_request request = {.user = tenure_text("alice")};
    struct tenure_revoke_user_reply reply;
    struct tenure_result result;
    assert_int_equal(tenure_revoke_user(world->client, &request, &reply, &result), TENURE_OK);
    tenure_result_done(&result);
    const struct tenure_link *link = &world->client->link;
    for (size_t i = link->input_size; i < 64; i++) {
        assert_int_equal(link->input[i], 0); /* behind what is still to be read */
    }
    memset(link->input + link->input_size, 0x5a, 64);
    watched = link->input;
    watched_size = link->input_capacity;
    freed_clean = freed_dirty = 0;
    const char *servers[] = {world->server->address};
    tenure_close(world->client);
    assert_int_equal(freed_clean, 1);
    assert_int_equal(freed_dirty, 0);
    world->client = world_client(world, servers, 1, false);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_a_client_that_has_no_memory_is_not_opened),
        CASE(test_a_call_that_has_no_memory_is_not_begun),
        CASE(test_what_came_in_is_wiped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
