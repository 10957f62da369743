/* One tenant's load of writes: each lane has a key of its own and writes numbers into it, so that
 * what was acknowledged can be read back. Measures nothing but its own calls.
 *
 * The load is open when it has a rate: calls arrive, whether earlier ones are answered or not. What
 * finds no lane free is counted as not sent. libtenure tries again what is refused, so a lane is
 * busy until its call is done, or time is up.
 */
#ifndef TESTS_BENCH_LOAD_H
#define TESTS_BENCH_LOAD_H

#include "tests/bench/crowd.h"
#include "tests/bench/run.h"

enum { LOAD_CONNECTIONS = 96 };

struct lane {
    struct load *load;
    size_t connection;
    char key[32];
    uint64_t sent, acknowledged; /* numbers */
    uint64_t began_us;
};

/* One tenant's. */
struct load {
    struct crowd *crowd;
    size_t connections, lane_count;
    struct tenure_client *clients[LOAD_CONNECTIONS];
    char tokens[LOAD_CONNECTIONS][RUN_TOKEN];
    struct lane *lanes;
    struct lane **idle;
    size_t idle_count, open;
    uint64_t rate, arrived, began_us, end_us; /* of one load_play */
    /* since load_use */
    uint64_t unsent, done, undone, unknown, refused, again, samples_count;
    uint32_t *samples;
    uint64_t lost;
};

/* As many sessions, each of a connection of its own, as `connections`, under FOLDER/CERTIFICATE.
 * False: it says why on standard error. */
bool load_open(struct load *load, struct crowd *crowd, const char *certificate, size_t connections,
               size_t lanes_each);
void load_close(struct load *load);
/* From now on only the first `lanes`, of which none is open; figures begin at nothing. */
void load_use(struct load *load, size_t lanes);
/* So many calls a second (0: as one call ends the next begins), for so long, or until somebody
 * stops us. Some are open at the end; those that are done later don't count as done. */
void load_play(struct load *load, uint64_t rate, uint64_t span_us);
/* Until nothing is open. */
void load_drain(struct load *load);
/* Asks for every key: counts in `lost` those that are older than what was acknowledged. */
void load_read_back(struct load *load);
/* Of the times of what was done since load_use, in microseconds; 0 when nothing was. */
uint32_t load_percentile(struct load *load, uint64_t percent);

#endif
