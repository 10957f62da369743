/* What others see while many sessions die at once (docs/MODEL.md T9): sessions whose deadlines lie
 * on one point of T, writes and reads of one that lives, timed before that point and behind it.
 *
 * A session's deadline is aimed at: T at its creation is known to the caller as answers tell
 * it. What was hit is measured from the replies (`width_us`: in which most of the deadlines lie).
 */
#include "tests/bench/measures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/one.h"

enum {
    MAKERS = 96, /* creations outstanding */
    LANES = 32,  /* writes outstanding, and reads */
    SAMPLES_MAX = 8000000,
    BEFORE_US = 2000000,
    WAIT_US = 100000,
    LOOK_US = 250000,
    GIVE_UP_US = 300000000,
};

struct samples {
    uint32_t *all;
    uint64_t count;
};

struct storm {
    struct crowd *crowd;
    uint64_t count, started, made;
    uint64_t target; /* T at which they die */
    uint64_t offset; /* T - MONO, by the newest answer */
    uint64_t *deadlines;
    uint64_t errors, open;
    char token[RUN_TOKEN];              /* of the one that lives */
    struct samples writes[2], reads[2]; /* before the point, behind it */
    uint64_t began_us, end_us;          /* MONO: of the point, and until when it is looked at */
};

struct slot {
    struct storm *storm;
    struct tenure_client *client;
    uint64_t began_us;
};

static bool fine(struct storm *storm, const struct tenure_result *result)
{
    storm->open--;
    if (result->outcome == TENURE_OK) {
        storm->offset = result->clock - crowd_now_us();
        return true;
    }
    if (storm->errors++ == 0) {
        fprintf(stderr, "tenure-measure: %s: %s\n", tenure_outcome_name(result->outcome),
                result->message);
    }
    return false;
}

/* ---- those that will die ---- */

static void create(struct slot *slot);

static void on_create(void *arg, const struct tenure_result *result,
                      const struct tenure_session_create_reply *reply)
{
    struct slot *slot = arg;
    struct storm *storm = slot->storm;
    if (fine(storm, result)) {
        storm->deadlines[storm->made++] = result->time + reply->absolute;
    }
    create(slot);
}

static void create(struct slot *slot)
{
    struct storm *storm = slot->storm;
    uint64_t now = crowd_now_us() + storm->offset;
    char user[RUN_NAME];
    if (storm->started == storm->count || storm->crowd->stopped || storm->errors > 0 ||
        now >= storm->target) {
        return;
    }
    (void)snprintf(user, sizeof(user), "mortal-%" PRIu64, storm->started++ / RUN_SESSIONS_PER_USER);
    struct tenure_session_create_request request = {.user = tenure_text(user),
                                                    .agent = tenure_text("bench-storm"),
                                                    .idle = storm->target - now,
                                                    .absolute = storm->target - now};
    storm->open++;
    (void)tenure_session_create_start(slot->client, &request, on_create, slot);
}

static void drain(struct storm *storm)
{
    while (storm->open > 0) {
        crowd_turn(storm->crowd, WAIT_US);
    }
}

static void make(struct storm *storm)
{
    struct slot slots[MAKERS];
    for (size_t i = 0; i < MAKERS; i++) {
        slots[i] = (struct slot){storm, storm->crowd->clients[i % CROWD_CONNECTIONS], 0};
        create(&slots[i]);
    }
    drain(storm);
}

/* ---- what is timed ---- */

static void put(struct slot *slot);
static void validate(struct slot *slot);

static bool timed(struct slot *slot, const struct tenure_result *result, struct samples samples[2])
{
    struct storm *storm = slot->storm;
    uint64_t now = crowd_now_us();
    struct samples *of = &samples[now >= storm->began_us];
    if (fine(storm, result) && of->count < SAMPLES_MAX) {
        of->all[of->count++] = (uint32_t)(now - slot->began_us);
    }
    return now < storm->end_us && !storm->crowd->stopped && storm->errors == 0;
}

static void on_put(void *arg, const struct tenure_result *result,
                   const struct tenure_state_put_reply *reply)
{
    struct slot *slot = arg;
    (void)reply;
    if (timed(slot, result, slot->storm->writes)) {
        put(slot);
    }
}

static void put(struct slot *slot)
{
    slot->began_us = crowd_now_us();
    slot->storm->open++;
    one_put(slot->client, slot->storm->token, "key", "value", on_put, slot);
}

static void on_validate(void *arg, const struct tenure_result *result,
                        const struct tenure_session_validate_reply *reply)
{
    struct slot *slot = arg;
    (void)reply;
    if (timed(slot, result, slot->storm->reads)) {
        validate(slot);
    }
}

static void validate(struct slot *slot)
{
    slot->began_us = crowd_now_us();
    slot->storm->open++;
    one_validate(slot->client, slot->storm->token, on_validate, slot);
}

/* Until one session is left, and two seconds more. Returns how long the sweep took. */
static uint64_t watch(struct storm *storm)
{
    struct slot writers[LANES], readers[LANES];
    uint64_t swept_us = 0, look_us = storm->began_us;
    storm->end_us = storm->began_us + GIVE_UP_US;
    for (size_t i = 0; i < LANES; i++) {
        writers[i] = (struct slot){storm, storm->crowd->clients[i % CROWD_CONNECTIONS], 0};
        readers[i] = writers[i];
        put(&writers[i]);
        validate(&readers[i]);
    }
    while (storm->open > 0) {
        uint64_t now = crowd_now_us();
        if (swept_us == 0 && now >= look_us) {
            look_us = now + LOOK_US;
            if (crowd_look(storm->crowd).sessions <= 1) {
                swept_us = now;
                storm->end_us = now + BEFORE_US;
            }
        }
        crowd_turn(storm->crowd, LOOK_US / 10);
    }
    return swept_us == 0 ? 0 : swept_us - storm->began_us;
}

/* ---- the run ---- */

static int by_width(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a;
    uint64_t right = *(const uint64_t *)b;
    return left < right ? -1 : left > right;
}

static int by_time(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static void print_samples(const char *what, const char *when, struct samples *samples)
{
    uint64_t last = samples->count == 0 ? 0 : samples->count - 1;
    qsort(samples->all, samples->count, sizeof(*samples->all), by_time);
    printf(", \"%s_%s\": %" PRIu64 ", \"%s_%s_p50_us\": %" PRIu32 ", \"%s_%s_p99_us\": %" PRIu32
           ", \"%s_%s_max_us\": %" PRIu32,
           what, when, samples->count, what, when, samples->all[last / 2], what, when,
           samples->all[last * 99 / 100], what, when, samples->all[last]);
}

/* What the middle 90 % of the deadlines lie in. */
static uint64_t width_of(struct storm *storm)
{
    if (storm->made == 0) {
        return 0;
    }
    qsort(storm->deadlines, storm->made, sizeof(*storm->deadlines), by_width);
    return storm->deadlines[(storm->made - 1) * 95 / 100] -
           storm->deadlines[(storm->made - 1) * 5 / 100];
}

static void print(struct storm *storm, uint64_t swept_us)
{
    printf("{\"measure\": \"storm\", \"sessions\": %" PRIu64 ", \"width_us\": %" PRIu64
           ", \"errors\": %" PRIu64 ", \"swept_us\": %" PRIu64,
           storm->made, width_of(storm), storm->errors, swept_us);
    print_samples("writes", "before", &storm->writes[0]);
    print_samples("writes", "behind", &storm->writes[1]);
    print_samples("reads", "before", &storm->reads[0]);
    print_samples("reads", "behind", &storm->reads[1]);
    printf("}\n");
}

static bool play(struct storm *storm, uint64_t life_us)
{
    uint64_t clock;
    if (!one_open(storm->crowd->clients[0], "bench-storm-survivor", storm->token, &clock)) {
        return false;
    }
    storm->offset = clock - crowd_now_us();
    storm->target = crowd_now_us() + storm->offset + life_us;
    make(storm);
    storm->began_us = storm->target - storm->offset;
    uint64_t now = crowd_now_us();
    if (storm->errors > 0 || storm->made < storm->count || now + BEFORE_US > storm->began_us) {
        fprintf(stderr, "tenure-measure: %" PRIu64 " of %" PRIu64 " sessions made in time\n",
                storm->made, storm->count);
        return false;
    }
    while (!storm->crowd->stopped && crowd_now_us() + BEFORE_US < storm->began_us) {
        crowd_turn(storm->crowd, WAIT_US);
    }
    uint64_t swept_us = watch(storm);
    print(storm, swept_us);
    return storm->errors == 0 && swept_us != 0;
}

bool measure_storm(struct crowd *crowd, uint64_t sessions, uint64_t life_us)
{
    struct storm storm = {.crowd = crowd, .count = sessions};
    struct samples *const all[] = {&storm.writes[0], &storm.writes[1], &storm.reads[0],
                                   &storm.reads[1]};
    bool room = (storm.deadlines = calloc(sessions, sizeof(*storm.deadlines))) != NULL;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        room = (all[i]->all = calloc(SAMPLES_MAX, sizeof(*all[i]->all))) != NULL && room;
    }
    bool done = room && play(&storm, life_us);
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        free(all[i]->all);
    }
    free(storm.deadlines);
    return done;
}
