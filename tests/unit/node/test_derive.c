/* Derived values: HMAC-SHA256 over length-framed texts; no two sources share one input. */
#include "node/derive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "env/crypto.h"

static const uint8_t key[NODE_DERIVE_KEY] = {1, 2, 3};

static struct node_derive_source source_of(const char *tenant, uint8_t session, const char *label)
{
    return (struct node_derive_source){
        .tenant = bytes_of_text(tenant), .session = {{session}}, .label = bytes_of_text(label)};
}

/* The input, byte by byte: whoever writes another implementation needs no more than this. */
static void a_value_is_the_code_of_framed_texts(void **state)
{
    static const char input[] = "\x17\0\0\0\0\0\0\0tenure session.derive 1"
                                "\4\0\0\0\0\0\0\0acme"
                                "\x10\0\0\0\0\0\0\0\7\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
                                "\6\0\0\0\0\0\0\0memory";
    const struct node_derive_source source = source_of("acme", 7, "memory");
    uint8_t value[32], expected[32];

    (void)state;
    node_derive(key, &source, value);
    env_hmac_sha256(bytes_of(key, sizeof(key)), bytes_of(input, sizeof(input) - 1), expected);
    assert_memory_equal(value, expected, sizeof(value));
}

static void another_source_or_key_has_another_value(void **state)
{
    static const struct {
        const char *tenant;
        uint8_t session;
        const char *label;
    } sources[] = {{"acme", 7, "memory"}, {"acme", 8, "memory"},  {"acme", 7, "memory2"},
                   {"acm", 7, "ememory"}, {"acme2", 7, "memory"}, {"", 7, "acmememory"},
                   {"acme", 7, ""}};
    enum { SOURCES = sizeof(sources) / sizeof(sources[0]) };
    static const uint8_t other[NODE_DERIVE_KEY] = {1, 2, 4};
    uint8_t values[SOURCES + 1][32];

    (void)state;
    for (size_t i = 0; i < SOURCES; i++) {
        const struct node_derive_source source = source_of(sources[i].tenant, sources[i].session,
                                                           sources[i].label);
        node_derive(key, &source, values[i]);
    }
    const struct node_derive_source first = source_of("acme", 7, "memory");
    node_derive(other, &first, values[SOURCES]);
    for (size_t i = 0; i <= SOURCES; i++) {
        for (size_t k = 0; k < i; k++) {
            assert_memory_not_equal(values[i], values[k], sizeof(values[i]));
        }
    }
}

/* RFC 4231, test case 2. */
static void the_code_is_the_standards(void **state)
{
    static const uint8_t expected[32] = {0x5b, 0xdc, 0xc1, 0x46, 0xbf, 0x60, 0x75, 0x4e,
                                         0x6a, 0x04, 0x24, 0x26, 0x08, 0x95, 0x75, 0xc7,
                                         0x5a, 0x00, 0x3f, 0x08, 0x9d, 0x27, 0x39, 0x83,
                                         0x9d, 0xec, 0x58, 0xb9, 0x64, 0xec, 0x38, 0x43};
    uint8_t code[32];

    (void)state;
    env_hmac_sha256(bytes_of_text("Jefe"), bytes_of_text("what do ya want for nothing?"), code);
    assert_memory_equal(code, expected, sizeof(code));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_value_is_the_code_of_framed_texts),
        cmocka_unit_test(another_source_or_key_has_another_value),
        cmocka_unit_test(the_code_is_the_standards),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
