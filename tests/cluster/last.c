/* Everything that crash-load was told is there, read once more; nothing that was refused. */
#include "tests/cluster/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { AT_ONCE = 64, SHOWN = 32 };

struct look {
    struct load *load;
    size_t book, key;
    unsigned *open;
};

static bool is_value(struct tenure_bytes value, uint64_t expected)
{
    char text[LOAD_VALUE];
    struct tenure_bytes right = load_value(text, expected, false);
    return value.size == right.size && memcmp(value.data, right.data, right.size) == 0;
}

static void check_key(struct look *look, const struct tenure_state_get_reply *reply)
{
    const struct load_key *key = &look->load->books[look->book].keys[look->key];
    bool good = key->written == 0 ? reply->version == 0 : is_value(reply->value, key->written);
    for (size_t i = 0; i < key->maybe_count; i++) {
        good = good || is_value(reply->value, key->maybe[i]);
    }
    look->load->counters.read_back++;
    if (!good) {
        load_complain(look->load, "session %zu, key %zu: \"%.*s\" at %llu, not %llu", look->book,
                      look->key, reply->value.size < SHOWN ? (int)reply->value.size : SHOWN,
                      (const char *)reply->value.data, (unsigned long long)reply->version,
                      (unsigned long long)key->written);
    }
}

static void on_read(void *arg, uint32_t row, const struct tenure_result *result, const void *reply)
{
    struct look *look = arg;
    struct load_book *book = &look->load->books[look->book];
    (void)row;
    if (result->outcome == TENURE_OK && book->life != LOAD_DEAD) {
        check_key(look, reply);
    } else if (result->outcome != TENURE_ENDED || book->life == LOAD_LIVE) {
        load_complain(look->load, "session %zu, which %s: %s", look->book,
                      book->life == LOAD_DEAD ? "was ended" : "lives", result->message);
    }
    --*look->open;
    free(look);
}

static void ask(struct load *load, size_t book, size_t key, unsigned *open)
{
    struct look *look = malloc(sizeof(*look));
    char text[16];
    (void)snprintf(text, sizeof(text), "key-%zu", key);
    const struct tenure_state_get_request request = {.user = tenure_text(load->books[book].user),
                                                     .has_token = true,
                                                     .token = tenure_text(load->books[book].token),
                                                     .key = tenure_text(text)};
    if (look == NULL) {
        abort();
    }
    *look = (struct look){.load = load, .book = book, .key = key, .open = open};
    ++*open;
    (void)recorder_call(&load->roamers[book % LOAD_ROAMERS], OP_state_get, &request, on_read, look);
}

void last_reads(struct load *load)
{
    unsigned open = 0;
    for (size_t book = 0; book < load->book_count; book++) {
        load->counters.sessions++;
        for (size_t key = 0; key < LOAD_KEYS; key++) {
            ask(load, book, key, &open);
        }
        while (open >= AT_ONCE) {
            load_turn(load, 100000, -1);
        }
    }
    while (open > 0) {
        load_turn(load, 100000, -1);
    }
}
