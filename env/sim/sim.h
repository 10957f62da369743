/* The simulated world: machines, processes, clocks, network and disks out of one seed.
 *
 * This is the second implementation of env/env.h and its sisters; code under test sees only those
 * headers. This one is for those who drive the world: tests, the simulator, the story. It makes no
 * system call, reads no real clock and takes no decision from a pointer or a hash order: the same
 * seed and the same calls give the same events, and sim_trace_hash proves it.
 *
 *   struct sim *sim = sim_create(seed);
 *   struct sim_host *host = sim_host_create(sim, "n1");        a machine: disk, clocks, address
 *   struct env *env = sim_process_start(host, "tenured");      a process on it
 *   ... hand `env` to the code under test ...
 *   sim_run_until(sim, condition, arg, 10 * SIM_SECOND);
 *   sim_process_crash(env);  node_destroy(node);  sim_process_free(env);
 *   sim_destroy(sim);
 *
 * Invariants
 *   1. Events fire in the order (time, seeded tie, sequence); time never goes back.
 *   2. A process sees events one at a time; its turn-end callback runs after the last one that is
 *      addressed to it at an instant. No callback runs inside a call that the process made.
 *   3. A crashed process gets no callback, ever. Its handles (timers, connections, files, ...) stay
 *      valid memory until sim_process_free: calls on them fail with ENV_CRASHED or do nothing.
 *   4. The callback `done` of queued work never runs after a crash: whoever submitted the work
 *      frees it in its own destroy path.
 *   5. Nothing survives a crash but the host's disk; a power cut also decides over what was written
 *      and not synced.
 *   6. Queued work runs as one event, from its first call to its last, so what a loop does during
 *      it (during a batch's write, say) is covered by tests with real threads alone.
 *
 * All times are microseconds. "Seeded" means drawn from the seed. Everything here is called from
 * outside of any process: from a test, from a condition, or from a sim_at callback.
 */
#ifndef ENV_SIM_SIM_H
#define ENV_SIM_SIM_H

#include "env/env.h"
#include "env/log.h"

struct sim;
struct sim_host;

#define SIM_MILLISECOND UINT64_C(1000)
#define SIM_SECOND UINT64_C(1000000)
enum { SIM_HOSTS_MAX = 128 };

/* ---- the world ---- */

/* Returns owned. Logs to standard error when SIM_LOG is set in the environment. */
struct sim *sim_create(uint64_t seed);
/* Frees hosts and processes too; code under test must have been freed before. */
void sim_destroy(struct sim *sim);
uint64_t sim_seed(const struct sim *sim);
/* Simulated time; begins at a seeded value. */
uint64_t sim_now_us(const struct sim *sim);
/* Over all events so far, their times, addressees and bytes. */
uint64_t sim_trace_hash(const struct sim *sim);
/* For the schedules of tests: a seeded number below `bound` (0 when bound is 0), from a stream that
 * the world itself does not use. */
uint64_t sim_random(struct sim *sim, uint64_t bound);

/* Fires the next event. False when there is none. */
bool sim_step(struct sim *sim);
/* Fires events until `condition` holds (asked before the first event and after each one) or until
 * `max_us` have passed. True when it holds. A NULL condition just lets the time pass. */
bool sim_run_until(struct sim *sim, bool (*condition)(void *arg), void *arg, uint64_t max_us);
/* Calls `callback` once, `delay_us` from now, outside of any process: for schedules of faults. */
void sim_at(struct sim *sim, uint64_t delay_us, void (*callback)(void *arg), void *arg);

/* Lines at `level` and above go to `sink` (one line, no newline); NULL turns the log off. */
void sim_log_to(struct sim *sim, enum env_log_level level,
                void (*sink)(void *arg, const char *line), void *arg);

/* ---- machines ---- */

/* Returns borrowed; lives as long as the sim. Copies `name`. Not more than SIM_HOSTS_MAX. */
struct sim_host *sim_host_create(struct sim *sim, const char *name);
/* "10.0.0.1" for the first, and so on; listen there with a port of choice or 0. */
const char *sim_host_address(const struct sim_host *host);

/* All processes of it crash, un-synced disk state meets the disk's policy, peers are told nothing.
 * The host is off until the next sim_process_start on it, which boots it: boot clock near zero, new
 * boot id. The handles of its processes still want sim_process_free. */
void sim_host_power_cut(struct sim_host *host);

enum sim_stop {
    SIM_STOP_SUSPEND,    /* MONO stands still, BOOT and WALL run on */
    SIM_STOP_HYPERVISOR, /* all its clocks stand still */
};
/* No process of the host runs until sim_host_continue; the network keeps what arrives. */
void sim_host_stop(struct sim_host *host, enum sim_stop kind);
/* Harmless when it runs: a power cut has ended the stop. */
void sim_host_continue(struct sim_host *host);

/* Moves one clock at once; a boot clock never falls below 0. */
void sim_host_step_wall(struct sim_host *host, int64_t by_us);
void sim_host_step_boot(struct sim_host *host, int64_t by_us);
/* All clocks of the host run at (1,000,000 + ppm) / 1,000,000 from now on; |ppm| < 500,000. */
void sim_host_drift(struct sim_host *host, int32_t ppm);
/* From now on the boot clock goes on in steps of this, as where the kernel counts ticks; those of
 * all hosts at the same moments. */
void sim_host_set_grain(struct sim_host *host, uint64_t grain_us);
/* What env_wall_synchronised says; true at first. */
void sim_host_set_synchronised(struct sim_host *host, bool synchronised);

/* ---- processes ---- */

/* Returns owned (sim_process_free). Copies `name`, which the log shows. */
struct env *sim_process_start(struct sim_host *host, const char *name);
/* The process is gone at once (invariants 3 to 5). Its kernel lives on: it closes the connections
 * (a seeded part of what was under way still arrives, or all that was written), and what was
 * written to files stays. */
void sim_process_crash(struct env *env);
/* Frees the env and all its handles; crashes it first when it still runs. NULL is fine. */
void sim_process_free(struct env *env);
bool sim_process_crashed(const struct env *env);
struct sim_host *sim_process_host(const struct env *env);
/* How often the process was called so far, turn ends included: as long as this stands still, and
 * nobody calls its code from outside, nothing of it has changed. */
uint64_t sim_process_calls(const struct env *env);
/* SIGSTOP and SIGCONT: what is addressed to the process waits, clocks and network run on. */
void sim_process_pause(struct env *env);
void sim_process_resume(struct env *env);
/* Each event for this process comes up to `max_us` late (0: none); order is kept per connection. */
void sim_process_slow(struct env *env, uint64_t max_us);

/* ---- fault points (env/fault.h) ----
 *
 * Each disk call is a fault point too, hit before it acts: "disk.open", "disk.read", "disk.write",
 * "disk.allocate", "disk.truncate", "disk.sync", "disk.lock", "disk.create_folder",
 * "disk.sync_folder", "disk.list", "disk.rename", "disk.remove".
 */

enum sim_crash {
    SIM_CRASH_PROCESS, /* as sim_process_crash */
    SIM_CRASH_POWER,   /* as sim_host_power_cut */
};
/* Crashes at the n-th hit from now (1 is the next) of the point `name` by this process; NULL counts
 * every point. One plan a process; n = 0 removes it. Borrows `name`. */
void sim_fault_crash_at(struct env *env, const char *name, uint64_t n, enum sim_crash crash);
/* Hits by all processes since the beginning: of one point, or of all of them (NULL). To try each
 * hit in turn: count them in a run without a plan, then repeat with n = 1, 2, ... */
uint64_t sim_fault_hits(const struct sim *sim, const char *name);
/* Hits by this process. */
uint64_t sim_fault_hits_of(const struct env *env);
/* Calls `visit` with each point that was hit, in order of its first hit. */
void sim_fault_visit(const struct sim *sim,
                     void (*visit)(void *arg, const char *name, uint64_t hits), void *arg);

/* ---- network ----
 *
 * Every ordered pair of hosts is a link. A host is linked to itself too. Bytes of a connection keep
 * their order; loss shows as lateness, as TCP makes it; chunks are split and merged as seeded. An
 * end whose bytes are not acknowledged for 30 s, or that can have heard nothing from the kernel of
 * the other side for 30 s, loses the connection (ENV_RESET), as env/uv sets TCP up.
 */

/* One way: what travels so stalls while it is cut and comes late after; connecting times out
 * (ENV_REFUSED after 5 s). */
void sim_net_cut(struct sim *sim, const struct sim_host *from, const struct sim_host *to, bool cut);
/* Both ways between `host` and every other host. */
void sim_net_isolate(struct sim *sim, const struct sim_host *host, bool cut);
/* Heals every cut. */
void sim_net_heal(struct sim *sim);
/* Each segment takes base + [0, jitter). At first 200 and 600; 20 and 60 within a host. */
void sim_net_delay(struct sim *sim, const struct sim_host *from, const struct sim_host *to,
                   uint64_t base_us, uint64_t jitter_us);
/* So many segments of a million are lost once (each costs a retransmission). At first 0. */
void sim_net_loss(struct sim *sim, const struct sim_host *from, const struct sim_host *to,
                  uint32_t ppm);
/* Resets each connection between the two; a seeded part of what is under way still arrives. */
void sim_net_reset(struct sim *sim, const struct sim_host *a, const struct sim_host *b);
/* Only the ends on `near` hear of a reset, and `near` may connect again at once. What is under way
 * to `far` comes up to `late_us` late, perhaps beside the next connection's bytes; the ends there
 * notice when they send, or by the silence. */
void sim_net_reset_half(struct sim *sim, const struct sim_host *near, const struct sim_host *far,
                        uint64_t late_us);
/* Connections of which this process holds an end, not yet closed. */
size_t sim_net_connections(const struct env *env);

/* ---- certificates ----
 *
 * In the simulated world a certificate is a line of text in a file: nothing is signed. They are
 * written durably, with the folders above them. env_tls_create reads them like the real ones.
 */

int sim_ca_write(struct sim_host *host, const char *path, const char *ca_name);
/* `identity`: the URI SAN. */
int sim_certificate_write(struct sim_host *host, const char *path, const char *ca_name,
                          const char *identity);
/* The same, no longer valid from `until_us` of the host's wall clock. */
int sim_certificate_write_until(struct sim_host *host, const char *path, const char *ca_name,
                                const char *identity, uint64_t until_us);
/* The key of the certificate with the same two names. */
int sim_key_write(struct sim_host *host, const char *path, const char *ca_name,
                  const char *identity);

/* ---- disks ---- */

enum sim_disk_policy {
    SIM_DISK_KEEP,   /* a power cut loses nothing */
    SIM_DISK_LOSE,   /* it loses all that was not synced */
    SIM_DISK_RANDOM, /* each 512-byte sector is kept, lost or torn; of a folder's changes of names,
                        the first few are kept (all seeded). The policy at first. */
};
void sim_disk_set_policy(struct sim_host *host, enum sim_disk_policy policy);
/* At first without a bound. Lowering it below what is used only stops further growth. */
void sim_disk_set_capacity(struct sim_host *host, uint64_t bytes);
uint64_t sim_disk_used(const struct sim_host *host);
/* Queued work begins after base + [0, jitter). At first 50 and 400. */
void sim_disk_latency(struct sim_host *host, uint64_t base_us, uint64_t jitter_us);
/* No queued work begins while it hangs. */
void sim_disk_hang(struct sim_host *host, bool hang);

enum sim_disk_op {
    SIM_DISK_OPEN,
    SIM_DISK_READ,
    SIM_DISK_WRITE,
    SIM_DISK_ALLOCATE,
    SIM_DISK_TRUNCATE,
    SIM_DISK_SYNC,
    SIM_DISK_LOCK,
    SIM_DISK_FOLDER_CREATE,
    SIM_DISK_FOLDER_SYNC,
    SIM_DISK_FOLDER_LIST,
    SIM_DISK_RENAME,
    SIM_DISK_REMOVE,
};
/* From the n-th such call from now (1 is the next) on a path that matches, `times` calls fail with
 * `rc` (UINT64_MAX: for good). '*' in the pattern stands for any text. A failed write has written a
 * seeded part. A failed sync has made a seeded part durable, and what it did not will never become
 * durable by a later sync, as Linux has it. */
void sim_disk_fail(struct sim_host *host, enum sim_disk_op op, const char *pattern, uint64_t n,
                   uint64_t times, int rc);
void sim_disk_fail_clear(struct sim_host *host);

/* For tests, past all faults: a whole file as a process would read it; `ret_data` is owned by the
 * caller (free). */
int sim_disk_read(struct sim_host *host, const char *path, uint8_t **ret_data, size_t *ret_size);
/* Creates or replaces, folders above it included; durable at once. */
int sim_disk_write(struct sim_host *host, const char *path, struct bytes content);
/* Overwrites in place, durably: a misdirected write, a flipped byte. */
int sim_disk_patch(struct sim_host *host, const char *path, uint64_t offset, struct bytes content);
/* Flips one bit at rest; bit 0 is the lowest of the first byte. */
int sim_disk_flip(struct sim_host *host, const char *path, uint64_t bit);
bool sim_disk_exists(struct sim_host *host, const char *path);
/* Calls `visit` with each name in the folder, sorted; NOT_FOUND when there is no such folder. */
int sim_disk_list(struct sim_host *host, const char *path,
                  void (*visit)(void *arg, const char *name), void *arg);

#endif
