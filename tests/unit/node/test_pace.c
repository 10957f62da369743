/* A flood through a log that takes time for each round and for each byte: where rounds take the
 * time, the window costs no throughput; where bytes do, nobody waits for more of them.
 */
#include "node/pace.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { STEP_US = 50, SECOND = 1000000, COMMAND = 1024, ENTRY = 64 * 1024, FLYING_MAX = 1024 };

struct entry {
    struct node_pace_entry pace;
    uint64_t sent_us;
};

/* What is sent while a round runs goes with the next; then entries are applied one by one. */
struct model {
    uint64_t round_us, bytes_per_ms;
    size_t window; /* a fixed one; 0: the pace's */
    struct node_pace pace;
    struct entry flying[FLYING_MAX];
    size_t first, written, in_round, last; /* of flying, counted from the start on */
    size_t bytes;
    uint64_t now, round_ends, applied_until;
    uint64_t done, took_sum, took_count; /* of the second half */
    uint64_t length_us;
};

static void send(struct model *model, size_t size)
{
    struct entry *entry = &model->flying[model->last++ % FLYING_MAX];
    entry->pace = (struct node_pace_entry){.ahead = model->bytes, .bytes = size};
    entry->sent_us = model->now;
    model->bytes += size;
}

static void fill(struct model *model)
{
    size_t window = model->window != 0 ? model->window : model->pace.window;
    while (model->bytes < window && model->last - model->first < FLYING_MAX) {
        size_t room = (window - model->bytes + COMMAND - 1) / COMMAND * COMMAND;
        send(model, room < ENTRY ? room : ENTRY);
    }
}

static void write_round(struct model *model)
{
    if (model->round_ends <= model->now) {
        model->written = model->in_round;
        if (model->in_round < model->last) {
            model->in_round = model->last;
            model->round_ends = model->now + model->round_us;
        }
    }
}

static void apply(struct model *model)
{
    while (model->first < model->written && model->applied_until <= model->now) {
        struct entry *entry = &model->flying[model->first++ % FLYING_MAX];
        entry->pace.took_us = model->now - entry->sent_us;
        model->bytes -= entry->pace.bytes;
        model->applied_until = model->now + entry->pace.bytes * 1000 / model->bytes_per_ms;
        node_pace_applied(&model->pace, &entry->pace);
        if (model->now > model->length_us / 2) {
            model->done += entry->pace.bytes;
            model->took_sum += entry->pace.took_us;
            model->took_count++;
        }
    }
}

/* A second of small entries, and then the flood. */
static void run(struct model *model, uint64_t round_us, uint64_t bytes_per_ms, size_t window)
{
    *model = (struct model){.round_us = round_us,
                            .bytes_per_ms = bytes_per_ms,
                            .window = window,
                            .length_us = 21 * (uint64_t)SECOND};
    node_pace_init(&model->pace);
    for (; model->now < model->length_us; model->now += STEP_US) {
        if (model->now >= SECOND) {
            fill(model);
        } else if (model->first == model->last) {
            send(model, COMMAND);
        }
        write_round(model);
        apply(model);
    }
}

static uint64_t took(const struct model *model)
{
    return model->took_sum / model->took_count;
}

static struct model narrow, wide, paced;

static void run_all(uint64_t round_us, uint64_t bytes_per_ms)
{
    run(&narrow, round_us, bytes_per_ms, PACE_BYTES_LEAST);
    run(&wide, round_us, bytes_per_ms, PACE_BYTES_MOST);
    run(&paced, round_us, bytes_per_ms, 0);
    print_message(
        "%5u us, %5u B/ms: %u %% of the wide window's bytes (narrow: %u %%), entries take "
        "%u %% of the narrow one's time (wide: %u %%), window %u KiB\n",
        (unsigned)round_us, (unsigned)bytes_per_ms, (unsigned)(paced.done * 100 / wide.done),
        (unsigned)(narrow.done * 100 / wide.done), (unsigned)(took(&paced) * 100 / took(&narrow)),
        (unsigned)(took(&wide) * 100 / took(&narrow)), (unsigned)(paced.pace.window / 1024));
}

static void a_slow_log_takes_all_that_it_can(void **state)
{
    static const uint64_t rounds_us[] = {10000, 20000, 50000};
    (void)state;
    for (size_t i = 0; i < sizeof(rounds_us) / sizeof(rounds_us[0]); i++) {
        run_all(rounds_us[i], 100000);
        assert_true(paced.done * 100 >= wide.done * 90);
        assert_true(narrow.done * 100 <= wide.done * 50); /* there is something to win */
        assert_true(took(&paced) <= PACE_TIMES * rounds_us[i]);
    }
}

static void a_slow_node_has_no_more_than_it_needs_under_way(void **state)
{
    static const uint64_t rounds_us[] = {200, 1000, 3000};
    (void)state;
    for (size_t i = 0; i < sizeof(rounds_us) / sizeof(rounds_us[0]); i++) {
        run_all(rounds_us[i], 5000);
        assert_true(paced.done * 100 >= wide.done * 75);
        assert_true(paced.done * 100 >= narrow.done * 99);
        /* As long as a narrow window's, or what PACE_TIMES lone ones take, which are of 4 KiB. */
        assert_true(took(&paced) * 100 <= took(&narrow) * 130 || took(&paced) <= 5 * rounds_us[i]);
        assert_true(took(&wide) >= took(&narrow) * 3); /* there is something to lose */
    }
}

/* Both: it takes what it can, and nobody waits for more than a few rounds. */
static void a_slow_log_of_a_slow_node(void **state)
{
    (void)state;
    run_all(10000, 5000);
    assert_true(paced.done * 100 >= wide.done * 80);
    assert_true(took(&paced) <= (PACE_TIMES + 1) * 10000);
    assert_true(took(&wide) >= took(&paced) * 2);
}

/* A flood that begins finds nothing ahead of its first entries, and the processor busy. What they
 * take is not what a lone entry takes: nobody would find out while the flood lasts. */
static void the_beginning_of_a_flood_is_no_measure(void **state)
{
    struct node_pace pace;
    (void)state;
    node_pace_init(&pace);
    for (size_t i = 0; i < 100; i++) {
        node_pace_applied(&pace, &(struct node_pace_entry){.bytes = 300, .took_us = 2000});
    }
    for (size_t i = 0; i < 6; i++) {
        node_pace_applied(&pace, &(struct node_pace_entry){.bytes = 300, .took_us = 20000});
    }
    assert_in_range(pace.lone_us, 2000, 4000);
    for (size_t i = 0; i < 1000; i++) { /* but a disk that grew slow is */
        node_pace_applied(&pace, &(struct node_pace_entry){.bytes = 300, .took_us = 20000});
    }
    assert_in_range(pace.lone_us, 19000, 20000);
    node_pace_applied(&pace, &(struct node_pace_entry){.bytes = 300, .took_us = 1500});
    assert_int_equal(pace.lone_us, 1500);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_log_takes_all_that_it_can),
        cmocka_unit_test(a_slow_node_has_no_more_than_it_needs_under_way),
        cmocka_unit_test(a_slow_log_of_a_slow_node),
        cmocka_unit_test(the_beginning_of_a_flood_is_no_measure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
