/* What many runs exercised, taken together: adds, prints, and judges whether it was enough (V1). */
#include "tests/sim/sums.h"

#include "base/sat.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

void sums_add(struct run_counters *sum, const struct run_counters *one)
{
    sum->steps += one->steps;
    sum->simulated_us += one->simulated_us;
    sum->restarts += one->restarts;
    sum->installs += one->installs;
    sum->waits += one->waits;
    sum->digests += one->digests;
    sum->retried += one->retried;
    sum->superseded += one->superseded;
    sum->events += one->events;
    sum->compacted += one->compacted;
    sum->alerts += one->alerts;
    sum->children += one->children;
    sum->repeated += one->repeated;
    sum->placed += one->placed;
    sum->times_stated += one->times_stated;
    sum->times_told += one->times_told;
    sum->commands += one->commands;
    sum->judged_us += one->judged_us;
    sum->churn.added += one->churn.added;
    sum->churn.promoted += one->churn.promoted;
    sum->churn.removed += one->churn.removed;
    sum->churn.replaced += one->churn.replaced;
    sum->churn.transferred += one->churn.transferred;
    sum->churn.leaders += one->churn.leaders;
    sum->churn.mistakes += one->churn.mistakes;
    sum->churn.images += one->churn.images;
    sum->losses.backups += one->losses.backups;
    sum->losses.restored += one->losses.restored;
    sum->losses.stale += one->losses.stale;
    sum->images.begun += one->images.begun;
    sum->images.resumed += one->images.resumed;
    sum->images.elsewhere += one->images.elsewhere;
    sum->images.struck += one->images.struck;
    sum->images.whole += one->images.whole;
    sum->images.taken += one->images.taken;
    sum->images.same += one->images.same;
    sum->upgrade.upgraded += one->upgrade.upgraded;
    sum->upgrade.raised += one->upgrade.raised;
    sum->upgrade.stopped += one->upgrade.stopped;
    sum->upgrade.strangers += one->upgrade.strangers;
    sum->upgrade.mixed += one->upgrade.mixed;
    sum->upgrade.held += one->upgrade.held;
    sum->upgrade.without += one->upgrade.without;
    sum->upgrade.replaced += one->upgrade.replaced;
    sum->longest_recovery_us = u64_max(sum->longest_recovery_us, one->longest_recovery_us);
    for (size_t i = 0; i < FAULTS; i++) {
        sum->faults[i] += one->faults[i];
    }
    for (size_t i = 0; i < sizeof(sum->calls) / sizeof(sum->calls[0]); i++) {
        sum->calls[i] += one->calls[i];
    }
    for (size_t i = 0; i < sizeof(sum->outcomes) / sizeof(sum->outcomes[0]); i++) {
        sum->outcomes[i] += one->outcomes[i];
    }
    sum->check.operations += one->check.operations;
    sum->check.definite += one->check.definite;
    sum->check.unknown += one->check.unknown;
    sum->check.leader_changes += one->check.leader_changes;
    sum->check.fenced += one->check.fenced;
    sum->check.near_deadline += one->check.near_deadline;
    sum->check.revokes += one->check.revokes;
    sum->check.blind_sessions += one->check.blind_sessions;
}

static double seconds_of(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec) / 1e6;
}

double sums_cpu_seconds(void)
{
    struct rusage self, children;
    (void)getrusage(RUSAGE_SELF, &self);
    (void)getrusage(RUSAGE_CHILDREN, &children);
    return seconds_of(&self) + seconds_of(&children);
}

static double ratio(double a, double b)
{
    return b > 0 ? a / b : 0.0;
}

static void print_speed(const struct run_counters *sum, uint64_t seeds, double real)
{
    double simulated = (double)sum->simulated_us / 1e6;
    double busy = sums_cpu_seconds();
    double operations = (double)sum->check.operations;
    printf("%" PRIu64 " seeds, %.0f simulated s in %.1f s (%.1f s of one core): %.0f times real "
           "time\n",
           seeds, simulated, real, busy, ratio(simulated, busy));
    printf("in a simulated s %.0f events and %.1f operations; checked %.0f operations in a s\n",
           ratio((double)sum->steps, simulated), ratio(operations, simulated),
           ratio(operations, (double)sum->judged_us / 1e6));
}

void sums_print(const struct run_counters *sum, uint64_t seeds, double real)
{
    print_speed(sum, seeds, real);
    printf("operations %" PRIu64 ", definite %" PRIu64 ", unknown %" PRIu64 " (in the log %" PRIu64
           "), retried %" PRIu64 ", superseded %" PRIu64 ", sent again %" PRIu64
           ", commands applied %" PRIu64 "\n",
           sum->check.operations, sum->check.definite, sum->check.unknown, sum->placed,
           sum->retried, sum->superseded, sum->repeated, sum->commands);
    printf("leader changes %" PRIu64 ", restarts %" PRIu64 ", snapshots installed %" PRIu64
           ", times stated %" PRIu64 ", told by wall clocks %" PRIu64 ", longest recovery %" PRIu64
           " ms\n",
           sum->check.leader_changes, sum->restarts, sum->installs, sum->times_stated,
           sum->times_told, sum->longest_recovery_us / 1000);
    printf("fenced %" PRIu64 ", near a deadline %" PRIu64 ", waits for T %" PRIu64
           ", revokes %" PRIu64 ", equal digests %" PRIu64 ", sessions searched %" PRIu64
           ", events told %" PRIu64 ", told to be lost %" PRIu64 ", alerts told %" PRIu64
           ", sessions below others %" PRIu64 ", elevations %" PRIu64 ", adoptions %" PRIu64 "\n",
           sum->check.fenced, sum->check.near_deadline, sum->waits, sum->check.revokes,
           sum->digests, sum->check.blind_sessions, sum->events, sum->compacted, sum->alerts,
           sum->children, sum->calls[OP_session_elevate], sum->calls[OP_task_adopt]);
    printf("members added %" PRIu64 ", joined by a snapshot %" PRIu64 ", promoted %" PRIu64
           ", removed %" PRIu64 ", leaders removed %" PRIu64 ", disks replaced %" PRIu64
           ", not without being named %" PRIu64 ", leadership sent %" PRIu64 "\n",
           sum->churn.added, sum->churn.images, sum->churn.promoted, sum->churn.removed,
           sum->churn.leaders, sum->churn.replaced, sum->churn.mistakes, sum->churn.transferred);
    printf("images sent in chunks %" PRIu64 ", broken off %" PRIu64 ", resumed %" PRIu64
           ", by another node %" PRIu64 ", installed %" PRIu64 "; taken %" PRIu64
           ", the same as another's %" PRIu64 "\n",
           sum->images.begun, sum->images.struck, sum->images.resumed, sum->images.elsewhere,
           sum->images.whole, sum->images.taken, sum->images.same);
    printf("nodes upgraded %" PRIu64 ", level raised %" PRIu64 ", taken back and stopped %" PRIu64
           ", members added at mixed levels %" PRIu64 ", joined below and stopped %" PRIu64
           ", removed who held the level %" PRIu64 ", raised without one who left %" PRIu64
           ", new disks of the program before %" PRIu64 "\n",
           sum->upgrade.upgraded, sum->upgrade.raised, sum->upgrade.stopped, sum->upgrade.mixed,
           sum->upgrade.strangers, sum->upgrade.held, sum->upgrade.without, sum->upgrade.replaced);
    printf("backups %" PRIu64 ", clusters restored %" PRIu64 ", answers there that nothing is known"
           " %" PRIu64 "\n",
           sum->losses.backups, sum->losses.restored, sum->losses.stale);
    printf("faults:");
    for (size_t i = 0; i < FAULTS; i++) {
        if (sum->faults[i] != 0) {
            printf(" %s %" PRIu64, fault_name((enum fault_kind)i), sum->faults[i]);
        }
    }
    printf("\noutcomes:");
    for (size_t i = 0; i < sizeof(sum->outcomes) / sizeof(sum->outcomes[0]); i++) {
        if (sum->outcomes[i] != 0) {
            printf(" %s %" PRIu64, tenure_outcome_name((enum tenure_outcome)i), sum->outcomes[i]);
        }
    }
    printf("\n");
}

bool sums_exercised(const struct run_counters *sum, uint64_t seeds, const struct run_setup *setup)
{
    bool on[FAULTS];
    memcpy(on, setup->on, sizeof(on));
    on[FAULT_RIVALS] = on[FAULT_RIVALS] && !setup->churn; /* plan.c: these exclude one another */
    on[FAULT_LOST] = on[FAULT_LOST] && !setup->churn && !setup->upgrade;
    on[FAULT_REBORN] = on[FAULT_REBORN] && on[FAULT_LOST];
    /* From so many seeds on it is asked for; what is rare in ALL of them, the rarest in MOST. */
    enum { MANY = 20, ALL = 100, MOST = 1000 };
    bool good = true;
    bool churn = on[FAULT_CHURN];
    bool image = on[FAULT_IMAGE];
    bool upgrade = on[FAULT_UPGRADE];
    bool both = churn && upgrade;
    if (seeds < MANY) {
        return true;
    }
    const struct {
        const char *name;
        uint64_t count;
        uint64_t least; /* in a thousand seeds */
        uint64_t from;  /* so many seeds */
    } all[] = {{"leader change", sum->check.leader_changes, 2000, MANY},
               {"refusal by the fence", sum->check.fenced, 20000, MANY},
               {"answer near a deadline", sum->check.near_deadline, 10000, MANY},
               {"unknown outcome", sum->check.unknown + sum->placed, 200, MANY},
               {"read that waits for T", sum->waits, on[FAULT_DISKS_HANG] ? 80 : 0, MOST},
               {"revoke", sum->check.revokes, 1000, MANY},
               {"repeated call", sum->retried, 5000, MANY},
               {"comparison of digests", sum->digests, 100000, MANY},
               {"snapshot of another node's", sum->installs, 200, MANY},
               {"image sent in chunks", sum->images.begun, image ? 200 : 0, ALL},
               {"image resumed", sum->images.resumed, image ? 20 : 0, ALL},
               {"image resumed by another node", sum->images.elsewhere, image ? 10 : 0, MOST},
               {"image sent in chunks that is installed", sum->images.whole, image ? 150 : 0, ALL},
               {"image that is the same as another node's", sum->images.same,
                on[FAULT_SNAPSHOT] ? 2000 : 0, ALL},
               {"level that rises", sum->upgrade.raised, upgrade ? 10 : 0, ALL},
               {"node taken back that stops", sum->upgrade.stopped, upgrade ? 30 : 0, MOST},
               {"member added at mixed levels", sum->upgrade.mixed, both ? 20 : 0, MOST},
               {"node that joins below the level", sum->upgrade.strangers, both ? 2 : 0, MOST},
               {"level without who left", sum->upgrade.without, both ? 4 : 0, MOST},
               {"new disk of the program before", sum->upgrade.replaced, both ? 4 : 0, MOST},
               {"restored cluster", sum->losses.restored, on[FAULT_LOST] ? 10 : 0, MOST},
               {"session below another", sum->children, 500, ALL},
               {"elevation", sum->calls[OP_session_elevate], 300, ALL},
               {"adoption", sum->calls[OP_task_adopt], 3, MOST},
               {"refusal by a quota", sum->outcomes[TENURE_QUOTA], 100, MOST},
               {"range of events told to be lost", sum->compacted, 100, MOST},
               {"alert told", sum->alerts, 500, MOST},
               {"time told by wall clocks", sum->times_told, 10, MOST},
               {"member promoted", sum->churn.promoted, churn ? 200 : 0, ALL},
               {"member removed", sum->churn.removed, churn ? 100 : 0, ALL},
               {"leader removed", sum->churn.leaders, churn ? 20 : 0, MOST},
               {"disk replaced", sum->churn.replaced, churn ? 20 : 0, MOST},
               {"member that joined by a snapshot", sum->churn.images, churn ? 20 : 0, MOST}};
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        if (seeds >= all[i].from && all[i].count * MOST < all[i].least * seeds) {
            printf("INVALID: %s: %" PRIu64 ", not %" PRIu64 "\n", all[i].name, all[i].count,
                   all[i].least * seeds / MOST);
            good = false;
        }
    }
    for (size_t i = 0; i < FAULTS; i++) {
        if (seeds >= ALL && on[i] && i != FAULT_BIRTH && sum->faults[i] == 0) {
            printf("INVALID: no fault %s\n", fault_name((enum fault_kind)i));
            good = false;
        }
    }
    return good;
}
