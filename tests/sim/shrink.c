/* Makes a failing run small: delta debugging over its steps (Zeller, Hildebrandt, 2002).
 *
 *   1. the shortest beginning of the run that fails in the same way
 *   2. without any fault, else without those that it does not need
 *   3. without whole processes, then without single calls
 *   4. with three nodes, and with less time for faults
 *
 * "The same way" is the same property, or the same text but for its numbers. A candidate is played
 * apart, and counts only when it fails so; what it did not come to is left out with it.
 */
#include "tests/sim/run.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct shrink {
    struct run_setup setup; /* of the smallest so far, but for `keep` */
    struct run_taken *best; /* its steps, in the order of time */
    size_t best_count;
    struct run_result *result; /* of the newest candidate */
    char signature[128];
    uint64_t runs;
    uint64_t deadline;
};

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)timespec_get(&now, TIME_UTC);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* "S3" of "S3: W4: ..."; otherwise the text without its numbers. */
static void sign(const char *failure, char *ret_signature, size_t size)
{
    size_t written = 0;
    size_t end = strlen(failure);
    if ((failure[0] == 'S' || failure[0] == 'L') && isdigit((unsigned char)failure[1])) {
        end = strcspn(failure, ":");
        (void)snprintf(ret_signature, size, "%.*s", (int)end, failure);
        return;
    }
    for (size_t i = 0; i < end && written + 1 < size; i++) {
        if (!isdigit((unsigned char)failure[i])) {
            ret_signature[written++] = failure[i];
        }
    }
    ret_signature[written] = '\0';
}

static bool is_call(struct step step)
{
    return step.maker == STEP_CALL || step.maker == STEP_READ || step.maker == STEP_REPEAT ||
           step.maker == STEP_DUEL;
}

static bool is_fault(struct step step)
{
    return !is_call(step);
}

/* The candidate fails as the first one did: it is the best now. */
static bool try_steps(struct shrink *shrink, const struct run_taken *steps, size_t count)
{
    struct step_set keep = {0};
    char signature[sizeof(shrink->signature)];
    if (now_ms() >= shrink->deadline) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        step_set_add(&keep, steps[i].step);
    }
    step_set_sort(&keep);
    shrink->setup.keep = &keep;
    run_play_apart(&shrink->setup, shrink->result);
    shrink->runs++;
    shrink->setup.keep = NULL;
    step_set_done(&keep);
    sign(shrink->result->failure, signature, sizeof(signature));
    if (shrink->result->verdict != RUN_FAILED || strcmp(signature, shrink->signature) != 0) {
        return false;
    }
    shrink->best_count = shrink->result->taken_count;
    memcpy(shrink->best, shrink->result->taken, shrink->best_count * sizeof(shrink->best[0]));
    return true;
}

/* Without the steps [from, to) of those that `which` holds for, counted among themselves. */
static bool try_without(struct shrink *shrink, bool (*which)(struct step step), size_t from,
                        size_t to)
{
    struct run_taken *steps = malloc((shrink->best_count + 1) * sizeof(*steps));
    size_t count = 0;
    size_t seen = 0;
    for (size_t i = 0; steps != NULL && i < shrink->best_count; i++) {
        size_t place = which(shrink->best[i].step) ? seen++ : SIZE_MAX;
        if (place == SIZE_MAX || place < from || place >= to) {
            steps[count++] = shrink->best[i];
        }
    }
    bool smaller = count < shrink->best_count && try_steps(shrink, steps, count);
    free(steps);
    return smaller;
}

static size_t count_of(const struct shrink *shrink, bool (*which)(struct step step))
{
    size_t count = 0;
    for (size_t i = 0; i < shrink->best_count; i++) {
        count += which(shrink->best[i].step);
    }
    return count;
}

/* Chunks from the end, each half as large as the ones before. */
static void minimize(struct shrink *shrink, bool (*which)(struct step step))
{
    for (size_t chunk = count_of(shrink, which); chunk > 0;) {
        bool smaller = false;
        for (size_t to = count_of(shrink, which); to > 0 && now_ms() < shrink->deadline;) {
            size_t from = to > chunk ? to - chunk : 0;
            if (try_without(shrink, which, from, to)) {
                smaller = true;
                size_t left = count_of(shrink, which);
                from = from < left ? from : left;
            }
            to = from;
        }
        if (chunk == 1 && !smaller) {
            return;
        }
        chunk = chunk > 1 ? (chunk + 1) / 2 : 1;
    }
}

/* The shortest beginning, by bisection. */
static void shorten(struct shrink *shrink)
{
    struct run_taken *all = malloc((shrink->best_count + 1) * sizeof(*all));
    size_t good = 0; /* so many steps do not fail */
    size_t bad = shrink->best_count;
    if (all == NULL) {
        return;
    }
    memcpy(all, shrink->best, bad * sizeof(*all));
    while (bad - good > 1 && now_ms() < shrink->deadline) {
        size_t middle = good + (bad - good) / 2;
        if (try_steps(shrink, all, middle)) {
            bad = middle;
        } else {
            good = middle;
        }
    }
    free(all);
}

static void drop_actors(struct shrink *shrink)
{
    for (uint8_t actor = 0; actor < ACTORS_MAX; actor++) {
        struct run_taken *steps = malloc((shrink->best_count + 1) * sizeof(*steps));
        size_t count = 0;
        for (size_t i = 0; steps != NULL && i < shrink->best_count; i++) {
            if (shrink->best[i].step.maker != STEP_CALL || shrink->best[i].step.index != actor) {
                steps[count++] = shrink->best[i];
            }
        }
        if (count < shrink->best_count) {
            (void)try_steps(shrink, steps, count);
        }
        free(steps);
    }
}

/* With less time for faults, and with three nodes. */
static void narrow(struct shrink *shrink)
{
    struct run_setup before = shrink->setup;
    uint64_t last_us = 0;
    for (size_t i = 0; i < shrink->best_count; i++) {
        if (shrink->best[i].step.maker != STEP_READ && shrink->best[i].at_us > last_us) {
            last_us = shrink->best[i].at_us;
        }
    }
    const uint64_t wanted[] = {last_us + SIM_MILLISECOND, last_us + SIM_SECOND,
                               last_us + 5 * SIM_SECOND};
    for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
        if (wanted[i] < before.fault_us) {
            shrink->setup.fault_us = wanted[i];
            if (try_steps(shrink, shrink->best, shrink->best_count)) {
                break;
            }
            shrink->setup.fault_us = before.fault_us;
        }
    }
    if (before.nodes == 0) {
        shrink->setup.nodes = 3;
        if (!try_steps(shrink, shrink->best, shrink->best_count)) {
            shrink->setup.nodes = 0;
        }
    }
}

static void print_command(const struct run_setup *setup)
{
    printf("replay: sim --replay %" PRIu64, setup->seed);
    for (size_t i = 0; i < FAULTS; i++) {
        bool standard = fault_reason((enum fault_kind)i) == NULL;
        if (setup->on[i] != standard) {
            printf(" %s %s", standard ? "--off" : "--on", fault_name((enum fault_kind)i));
        }
    }
    if (setup->nodes != 0) {
        printf(" --nodes %zu", setup->nodes);
    }
    if (setup->rate != 0) {
        printf(" --rate %" PRIu64, setup->rate);
    }
    if (setup->churn) {
        printf(" --churn");
    }
    if (setup->upgrade) {
        printf(" --upgrade");
    }
    printf(" --us %" PRIu64 " --keep ", setup->fault_us);
    if (setup->keep->count == 0) {
        printf("none");
    }
    step_set_write(setup->keep, stdout);
    printf("\n");
}

static void print_best(struct shrink *shrink)
{
    struct step_set keep = {0};
    for (size_t i = 0; i < shrink->best_count; i++) {
        step_set_add(&keep, shrink->best[i].step);
    }
    step_set_sort(&keep);
    shrink->setup.keep = &keep;
    shrink->setup.told = TOLD_TRACE;
    run_play_apart(&shrink->setup, shrink->result);
    printf("the smallest that was found: %s\n", shrink->result->failure);
    print_command(&shrink->setup);
    step_set_done(&keep);
}

static void print_size(const struct shrink *shrink)
{
    printf("%zu faults, %zu calls, %.3f s of faults", count_of(shrink, is_fault),
           count_of(shrink, is_call), (double)shrink->setup.fault_us / 1e6);
}

void run_shrink(const struct run_setup *setup, const struct run_result *result,
                uint64_t seconds_max)
{
    struct shrink shrink = {.setup = *setup, .best_count = result->taken_count};
    uint64_t begun = now_ms();
    shrink.deadline = begun + seconds_max * 1000;
    shrink.setup.told = TOLD_NOTHING;
    shrink.setup.history = NULL;
    shrink.best = malloc(TAKEN_MAX * sizeof(*shrink.best));
    shrink.result = malloc(sizeof(*shrink.result));
    if (shrink.best != NULL && shrink.result != NULL) {
        memcpy(shrink.best, result->taken, shrink.best_count * sizeof(*shrink.best));
        sign(result->failure, shrink.signature, sizeof(shrink.signature));
        printf("shrinking: ");
        print_size(&shrink);
        printf("\n");
        (void)fflush(stdout);
        shorten(&shrink);
        narrow(&shrink);
        minimize(&shrink, is_fault);
        drop_actors(&shrink);
        minimize(&shrink, is_call);
        minimize(&shrink, is_fault);
        narrow(&shrink);
        printf("shrunk by %" PRIu64 " runs in %.1f s to ", shrink.runs,
               (double)(now_ms() - begun) / 1e3);
        print_size(&shrink);
        printf("\n");
        print_best(&shrink);
    }
    free(shrink.best);
    free(shrink.result);
}
