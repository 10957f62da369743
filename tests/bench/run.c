/* The closed loop of a measured run. What a call is, calls.c knows. */
#include "tests/bench/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WAIT_US = 100000 };

static bool goes_on(const struct run *run)
{
    return !run->crowd->stopped && run->counters.started < run->starts_max &&
           crowd_now_us() < run->end_us;
}

static void begin(struct run_slot *slot)
{
    struct run *run = slot->run;
    if (!goes_on(run)) {
        return;
    }
    slot->began_us = crowd_now_us();
    if (call_start(slot, run->kind)) {
        run->open++;
        run->counters.started++;
    }
}

static void sample(struct run *run, uint64_t took_us)
{
    if (run->counters.samples < RUN_SAMPLES_MAX) {
        run->samples[run->counters.samples++] = took_us < UINT32_MAX ? (uint32_t)took_us
                                                                     : UINT32_MAX;
    }
}

void run_ended(struct run_slot *slot, const struct tenure_result *result, bool elided)
{
    struct run *run = slot->run;
    run->open--;
    if (result->outcome != TENURE_OK) {
        if (run->counters.errors++ == 0) {
            fprintf(stderr, "tenure-bench: %s: %s\n", tenure_outcome_name(result->outcome),
                    result->message);
        }
        sample(run, crowd_now_us() - slot->began_us);
    } else if (elided) {
        run->counters.elided++;
    } else {
        run->counters.done++;
        sample(run, crowd_now_us() - slot->began_us);
    }
    begin(slot);
}

void run_play(struct run *run)
{
    struct run_slot *slots = calloc(run->outstanding, sizeof(*slots));
    if (run->samples == NULL) {
        run->samples = malloc(RUN_SAMPLES_MAX * sizeof(*run->samples));
    }
    if (slots == NULL || run->samples == NULL) {
        fprintf(stderr, "tenure-bench: out of memory\n");
        exit(EXIT_FAILURE);
    }
    run->counters = (struct run_counters){.started = 0};
    run->began_us = crowd_now_us();
    for (size_t i = 0; i < run->outstanding; i++) {
        slots[i].run = run;
        slots[i].client = run->crowd->clients[i % CROWD_CONNECTIONS];
        begin(&slots[i]);
    }
    while (run->open > 0) {
        crowd_turn(run->crowd, WAIT_US);
    }
    run->took_us = crowd_now_us() - run->began_us;
    free(slots);
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

uint32_t run_percentile(struct run *run, uint64_t of_thousand)
{
    uint64_t count = run->counters.samples;
    if (count == 0) {
        return 0;
    }
    qsort(run->samples, count, sizeof(*run->samples), compare);
    return run->samples[(count - 1) * of_thousand / 1000];
}

void run_done(struct run *run)
{
    free(run->pool.all);
    free(run->victims.all);
    free(run->samples);
    run->pool.all = run->victims.all = NULL;
    run->samples = NULL;
}
