/* How late sessions expire, seen from outside: by this process's clock alone (docs/MODEL.md S6).
 *
 * A deadline D lies in [call + D - clock, return + D - clock] of the call that made the session.
 * From a little before it, a chain of validates asks for the session, one after the other, until
 * one is refused. Lateness is from the lower end to the return of the first refusal, so it counts a
 * round trip, the width of that interval, and what the node waited (T6). An OK that was asked for
 * behind the upper end is late too; a refusal that returned before the lower end is early: never.
 * Where it is asked for, the leader is killed when half of the chains have begun.
 */
#include "tests/bench/measures.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/bench/run.h"
#include "tests/bench/servers.h"

enum { OPEN_MAX = 4096, BEFORE_US = 2000, WAIT_US = 100000 };

struct expiry;

struct mortal {
    struct expiry *expiry;
    uint64_t call_us; /* of its creation, then of the newest validate */
    uint64_t lower_us;
    uint64_t upper_us;
    char token[RUN_TOKEN];
};

struct expiry {
    struct crowd *crowd;
    struct mortal *all;
    uint64_t count;
    uint64_t per_second;
    uint64_t life_us;
    uint64_t began_us;
    uint64_t created; /* calls that began */
    uint64_t asked;   /* chains that began */
    uint64_t open;
    uint64_t validates;
    uint64_t ok_late_us;          /* greatest, of an OK asked for behind the upper end */
    struct run_counters counters; /* of chains: started, done, errors, samples */
    uint64_t early;
    uint32_t *late_us;
    uint64_t kill_at;   /* chains begun; UINT64_MAX: never */
    size_t killed;      /* which node, from 1; 0: none */
    uint64_t term;      /* of the leader that dies */
    uint64_t killed_us; /* when */
    uint64_t again_us;  /* the first answer of a later term; 0: none */
};

static void fail(struct expiry *expiry, const struct tenure_result *result)
{
    if (expiry->counters.errors++ == 0) {
        fprintf(stderr, "tenure-measure: %s: %s\n", tenure_outcome_name(result->outcome),
                result->message);
    }
}

/* ---- birth ---- */

static void on_create(void *arg, const struct tenure_result *result,
                      const struct tenure_session_create_reply *reply)
{
    struct mortal *mortal = arg;
    struct expiry *expiry = mortal->expiry;
    expiry->open--;
    if (reply == NULL) {
        fail(expiry, result);
        return;
    }
    uint64_t left_us = result->time + reply->idle - result->clock;
    mortal->lower_us = mortal->call_us + left_us;
    mortal->upper_us = crowd_now_us() + left_us;
    (void)snprintf(mortal->token, sizeof(mortal->token), "%.*s", (int)reply->token.size,
                   (const char *)reply->token.data);
}

static void create(struct expiry *expiry)
{
    struct mortal *mortal = &expiry->all[expiry->created];
    struct tenure_session_create_request request = {.user = tenure_text("bench"),
                                                    .agent = tenure_text("bench-expiry"),
                                                    .idle = expiry->life_us,
                                                    .absolute = expiry->life_us};
    mortal->expiry = expiry;
    mortal->call_us = crowd_now_us();
    expiry->open++;
    (void)tenure_session_create_start(expiry->crowd->clients[expiry->created % CROWD_CONNECTIONS],
                                      &request, on_create, mortal);
    expiry->created++;
}

/* ---- death ---- */

static void ask(struct mortal *mortal);

static void died(struct mortal *mortal, uint64_t now_us)
{
    struct expiry *expiry = mortal->expiry;
    expiry->counters.done++;
    if (now_us < mortal->lower_us) {
        expiry->early++;
        return;
    }
    expiry->late_us[expiry->counters.samples++] = (uint32_t)(now_us - mortal->lower_us);
}

static void on_validate(void *arg, const struct tenure_result *result,
                        const struct tenure_session_validate_reply *reply)
{
    struct mortal *mortal = arg;
    struct expiry *expiry = mortal->expiry;
    expiry->open--;
    if (expiry->killed != 0 && expiry->again_us == 0 && result->term > expiry->term) {
        expiry->again_us = crowd_now_us();
    }
    if (reply != NULL) {
        if (mortal->call_us > mortal->upper_us &&
            mortal->call_us - mortal->upper_us > expiry->ok_late_us) {
            expiry->ok_late_us = mortal->call_us - mortal->upper_us;
        }
        ask(mortal);
    } else if (result->outcome == TENURE_EXPIRED) {
        died(mortal, crowd_now_us());
    } else {
        fail(expiry, result);
    }
}

static void ask(struct mortal *mortal)
{
    struct expiry *expiry = mortal->expiry;
    struct tenure_session_validate_request request = {.user = tenure_text("bench"),
                                                      .token = tenure_text(mortal->token)};
    mortal->call_us = crowd_now_us();
    expiry->open++;
    expiry->validates++;
    (void)tenure_session_validate_start(
        expiry->crowd->clients[(size_t)(mortal - expiry->all) % CROWD_CONNECTIONS], &request,
        on_validate, mortal);
}

/* ---- the run ---- */

/* Begins what is due, in order. Returns how long until the next is. */
static uint64_t step(struct expiry *expiry)
{
    uint64_t now = crowd_now_us();
    uint64_t due = expiry->began_us + expiry->created * 1000000 / expiry->per_second;
    while (expiry->created < expiry->count && due <= now && expiry->open < OPEN_MAX) {
        create(expiry);
        due = expiry->began_us + expiry->created * 1000000 / expiry->per_second;
    }
    uint64_t next = expiry->created < expiry->count ? due : UINT64_MAX;
    while (expiry->asked < expiry->created) {
        struct mortal *mortal = &expiry->all[expiry->asked];
        if (mortal->lower_us == 0) {
            break; /* not answered yet, or never made */
        }
        if (mortal->lower_us > now + BEFORE_US) {
            next = mortal->lower_us - BEFORE_US < next ? mortal->lower_us - BEFORE_US : next;
            break;
        }
        expiry->counters.started++;
        expiry->asked++;
        ask(mortal);
    }
    return next <= now ? 0 : next - now < WAIT_US ? next - now : WAIT_US;
}

static bool kill_leader(struct expiry *expiry)
{
    struct crowd_view view = crowd_look(expiry->crowd);
    expiry->kill_at = UINT64_MAX;
    expiry->term = view.term;
    expiry->killed_us = crowd_now_us();
    expiry->killed = view.leader + 1;
    return view.serving && servers_kill(expiry->crowd->remote.folder, expiry->killed);
}

static bool play(struct expiry *expiry)
{
    expiry->began_us = crowd_now_us();
    while (!expiry->crowd->stopped && expiry->counters.errors == 0 &&
           (expiry->asked < expiry->count || expiry->open > 0)) {
        crowd_turn(expiry->crowd, step(expiry));
        if (expiry->asked >= expiry->kill_at && !kill_leader(expiry)) {
            fprintf(stderr, "tenure-measure: there was no leader to kill\n");
            expiry->counters.errors++;
        }
    }
    while (expiry->open > 0 && expiry->counters.errors > 0) {
        crowd_turn(expiry->crowd, WAIT_US);
    }
    return expiry->counters.done == expiry->count && expiry->early == 0;
}

static int compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

static void print(struct expiry *expiry)
{
    static const struct {
        const char *name;
        uint64_t of_thousand;
    } shares[] = {{"min", 0}, {"p50", 500}, {"p99", 990}, {"p999", 999}, {"max", 1000}};
    uint64_t count = expiry->counters.samples;
    qsort(expiry->late_us, count, sizeof(*expiry->late_us), compare);
    printf("{\"measure\": \"%s\", \"sessions\": %" PRIu64 ", \"expired\": %" PRIu64
           ", \"early\": %" PRIu64 ", \"validates\": %" PRIu64,
           expiry->killed == 0 ? "expiry" : "lateness", expiry->count, expiry->counters.done,
           expiry->early, expiry->validates);
    for (size_t i = 0; count > 0 && i < sizeof(shares) / sizeof(shares[0]); i++) {
        printf(", \"%s_us\": %" PRIu32, shares[i].name,
               expiry->late_us[(count - 1) * shares[i].of_thousand / 1000]);
    }
    if (expiry->killed != 0) {
        printf(", \"killed\": %zu, \"again_us\": %" PRIu64, expiry->killed,
               expiry->again_us == 0 ? 0 : expiry->again_us - expiry->killed_us);
    }
    printf(", \"ok_late_us\": %" PRIu64 "}\n", expiry->ok_late_us);
}

bool measure_expiry(struct crowd *crowd, uint64_t sessions, uint64_t per_second, uint64_t life_us,
                    bool kill)
{
    struct expiry expiry = {.crowd = crowd,
                            .count = sessions,
                            .per_second = per_second,
                            .life_us = life_us,
                            .kill_at = kill ? sessions / 2 : UINT64_MAX};
    expiry.all = calloc(sessions, sizeof(*expiry.all));
    expiry.late_us = calloc(sessions, sizeof(*expiry.late_us));
    bool fine = expiry.all != NULL && expiry.late_us != NULL && play(&expiry);
    if (expiry.late_us != NULL) {
        print(&expiry);
    }
    free(expiry.all);
    free(expiry.late_us);
    return fine;
}
