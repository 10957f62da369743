/* The names of a case file: which id, secret and client each stands for. Draws what a leader would
 * draw, but the same in every run. */
#include "tests/cases/scenario.h"

#include <string.h>

bool case_copy(char *buffer, size_t size, struct bytes text)
{
    if (text.size >= size) {
        return false;
    }
    if (text.size > 0) {
        memcpy(buffer, text.data, text.size);
    }
    buffer[text.size] = '\0';
    return true;
}

static struct binding *find(struct scenario *scenario, struct bytes name)
{
    for (size_t i = 0; i < scenario->binding_count; i++) {
        if (bytes_equal(bytes_of_text(scenario->bindings[i].name), name)) {
            return &scenario->bindings[i];
        }
    }
    return NULL;
}

struct binding *case_bind(struct scenario *scenario, struct bytes name, enum binding_kind kind)
{
    struct binding *binding = find(scenario, name);

    if (binding == NULL) {
        if (scenario->binding_count == CASE_BINDINGS_MAX) {
            case_wrong(scenario, "too many names");
        }
        binding = &scenario->bindings[scenario->binding_count++];
    }
    memset(binding, 0, sizeof *binding);
    binding->kind = kind;
    if (name.size == 0 || !case_copy(binding->name, sizeof binding->name, name)) {
        case_wrong(scenario, "no name, or too long a name");
    }
    return binding;
}

const struct binding *case_binding(const struct scenario *scenario, struct bytes name)
{
    for (size_t i = 0; i < scenario->binding_count; i++) {
        if (bytes_equal(bytes_of_text(scenario->bindings[i].name), name)) {
            return &scenario->bindings[i];
        }
    }
    return NULL;
}

const char *case_name_of_id(const struct scenario *scenario, struct id128 id)
{
    if (id128_is_zero(id)) {
        return "none";
    }
    if (id128_equal(id, case_incarnation())) {
        return "incarnation";
    }
    for (size_t i = 0; i < scenario->binding_count; i++) {
        const struct binding *binding = &scenario->bindings[i];

        if (binding->kind <= BOUND_SESSION && id128_equal(binding->id, id)) {
            return binding->name;
        }
    }
    return "?";
}

static struct id128 id_of(uint64_t number, uint8_t family)
{
    struct id128 id = {{0}};

    for (size_t i = 0; i < 8; i++) {
        id.bytes[i] = (uint8_t)(number >> (8 * i));
    }
    id.bytes[15] = family;
    return id;
}

struct id128 case_draw_id(struct scenario *scenario)
{
    return id_of(++scenario->drawn, 0xee);
}

uint64_t case_draw_secret(struct scenario *scenario)
{
    return ++scenario->drawn;
}

struct id128 case_incarnation(void)
{
    return id_of(77, 0x11);
}

/* Stands for SHA-256: the machine only compares. */
void case_verifier(struct id128 id, uint64_t secret, uint8_t ret_verifier[32])
{
    static const struct siphash_key keys[4] = {{{1}}, {{2}}, {{3}}, {{4}}};
    uint8_t input[24];

    memcpy(input, id.bytes, 16);
    memcpy(input + 16, &secret, 8);
    for (size_t i = 0; i < 4; i++) {
        uint64_t part = base_siphash64(&keys[i], bytes_of(input, sizeof input));

        memcpy(ret_verifier + 8 * i, &part, 8);
    }
}
