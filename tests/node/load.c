/* The writers of load.h. */
#include "tests/node/load.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { VALUE_MAX = 16384, PACE_US = 25000 };

static void on_written(void *arg, const struct tenure_result *result,
                       const struct tenure_state_put_reply *reply)
{
    struct load_key *key = arg;
    key->open = false;
    if (reply != NULL) {
        key->acked = key->sent;
        key->load->done++;
        return;
    }
    key->load->failed++;
    if (result->outcome != TENURE_UNREACHABLE && !key->load->ending) {
        enum tenure_class class = tenure_outcome_class(result->outcome);
        if (class != TENURE_CLASS_UNKNOWN && class != TENURE_CLASS_RETRY) {
            fail_msg("%s: %s (%.*s)", key->name, tenure_outcome_name(result->outcome),
                     (int)result->details.limit.size, (const char *)result->details.limit.data);
        }
    }
}

static void write_next(struct load_key *key)
{
    static char value[VALUE_MAX + 1];
    struct load *load = key->load;
    memset(value, '.', sizeof(value));
    int size = snprintf(value, sizeof(value), "%" PRIu64, ++key->sent);
    value[size] = '.';
    size_t whole = load->value_size > (size_t)size ? load->value_size : (size_t)size;
    const struct tenure_state_put_request request = {
        .user = tenure_text(load->session.user),
        .has_token = true,
        .token = tenure_text(load->session.token),
        .key = tenure_text(key->name),
        .value = {.data = (const uint8_t *)value, .size = whole},
    };
    key->open = true;
    assert_int_not_equal(tenure_state_put_start(load->client, &request, on_written, key), 0);
}

static void on_timer(void *arg)
{
    struct load *load = arg;
    for (size_t i = 0; i < LOAD_KEYS; i++) {
        if (!load->keys[i].open) {
            write_next(&load->keys[i]);
        }
    }
    env_timer_start(load->timer, load->pace_us);
}

void load_start(struct load *load, struct world *world, size_t value_size)
{
    *load = (struct load){.world = world, .value_size = value_size, .pace_us = PACE_US};
    assert_true(value_size <= VALUE_MAX);
    load->client = world_client(world, WORLD_NODES, "service");
    uint64_t day = 86400 * SIM_SECOND;
    assert_int_equal(world_create(load->client, "writer", day, day, &load->session), TENURE_OK);
    for (size_t i = 0; i < LOAD_KEYS; i++) {
        struct load_key *key = &load->keys[i];
        key->load = load;
        snprintf(key->name, sizeof(key->name), "key-%zu", i);
    }
    load->timer = env_timer_create(world->console, on_timer, load);
    assert_non_null(load->timer);
    env_timer_start(load->timer, 0);
}

static bool nothing_open(void *arg)
{
    const struct load *load = arg;
    for (size_t i = 0; i < LOAD_KEYS; i++) {
        if (load->keys[i].open) {
            return false;
        }
    }
    return true;
}

void load_finish(struct load *load)
{
    load->ending = true;
    env_timer_destroy(load->timer);
    assert_true(sim_run_until(load->world->sim, nothing_open, load, 30 * SIM_SECOND));
    for (size_t i = 0; i < LOAD_KEYS; i++) {
        const struct load_key *key = &load->keys[i];
        char value[64];
        enum tenure_outcome outcome = world_get(load->client, &load->session, key->name, value);
        assert_int_equal(outcome, TENURE_OK);
        uint64_t seen = strtoull(value, NULL, 10);
        if (seen < key->acked || seen > key->sent) {
            fail_msg("%s holds %" PRIu64 ": %" PRIu64 " was acknowledged, %" PRIu64 " asked for",
                     key->name, seen, key->acked, key->sent);
        }
    }
    tenure_close(load->client);
}
