/* The measures of tenure-measure: each prints one line of JSON, and is false when it could not
 * measure, or when what it saw breaks the law (never early, no answer of another session).
 */
#ifndef TESTS_BENCH_MEASURES_H
#define TESTS_BENCH_MEASURES_H

#include "tests/bench/crowd.h"

/* Creates so many sessions with so many bytes of metadata and says what a session costs in memory:
 * the touched part of the state machine's range, and the process; of the node with the most. */
bool measure_memory(struct crowd *crowd, uint64_t sessions, size_t metadata);
/* Creates so many sessions a second that live so long, asks for each around its deadline until it
 * is refused, and says how late that was, by this process's clock alone (S6). Or kills the leader
 * in the middle of that: then also how long nobody answered. Whoever called starts it again. */
bool measure_expiry(struct crowd *crowd, uint64_t sessions, uint64_t per_second, uint64_t life_us,
                    bool kill);
/* Kills the leader under writes and reads: time to the first write and to the first read that the
 * next leader answered. Whoever called starts the node again. */
bool measure_failover(struct crowd *crowd);

/* The most writes a second that are acknowledged, then what is acknowledged while ten times that is
 * asked for, for so long each: what was acknowledged is read back, the leader has to stay, memory
 * is told. */
bool measure_overload(struct crowd *crowd, uint64_t seconds);
/* A second tenant's latency (its certificate is FOLDER/rival), alone and beside another one's
 * flood, for so long each: so many writes outstanding, as soon as earlier ones are answered or so
 * many a second (0: the first). */
bool measure_tenants(struct crowd *crowd, uint64_t seconds, uint64_t lanes, uint64_t per_second);
/* That flood, until somebody ends it: says "flooding" when it does, and at its end what a second
 * was done and what was refused and tried again. */
bool measure_flood(struct crowd *crowd, uint64_t lanes, uint64_t per_second);
/* So many sessions whose deadlines lie on one point of T, that long from now: what writes and reads
 * of another session took before it and behind it, until all were swept. */
bool measure_storm(struct crowd *crowd, uint64_t sessions, uint64_t life_us);

#endif
