/* What the files of env/sim share: the structs of world, host and process, and how events are made.
 *
 * Not for code outside env/sim (that is sim.h).
 */
#ifndef ENV_SIM_WORLD_H
#define ENV_SIM_WORLD_H

#include "base/list.h"
#include "env/sim/event.h"
#include "env/sim/random.h"
#include "env/sim/sim.h"

struct sim_disk;

/* One direction between two hosts. */
struct sim_link {
    bool cut;
    uint32_t loss_ppm;
    uint64_t base_us;
    uint64_t jitter_us;
};

enum { SIM_RECENT_POINTS = 64 };

struct sim_point {
    struct list link;
    uint64_t hits;
    char name[64];
};

/* One for each subject, so that a draw for one does not shift another. */
struct sim_streams {
    struct sim_rng ties;
    struct sim_rng net;
    struct sim_rng disk;
    struct sim_rng script;
};

struct sim_log {
    enum env_log_level level;
    void (*sink)(void *arg, const char *line);
    void *arg;
};

struct sim {
    uint64_t seed;
    uint64_t start_us;
    uint64_t now_us;
    uint64_t sequence;
    uint64_t trace;
    uint32_t processes; /* ever started */
    uint32_t hosts_count;
    bool firing;      /* an event or a turn end is running */
    bool in_run;      /* the `run` half of queued work is running */
    struct env *turn; /* the process whose turn is not ended yet */
    struct sim_heap heap;
    struct sim_streams rng;
    struct list scripts;
    struct list points;
    struct sim_point *recent_points[SIM_RECENT_POINTS];
    uint64_t points_hits;
    struct sim_log log;
    struct sim_host *hosts[SIM_HOSTS_MAX];
    struct sim_link *links; /* SIM_HOSTS_MAX squared, [from][to] */
};

/* The clocks of a host are its ticks plus an offset each; ticks follow simulated time at a rate. */
struct sim_clocks {
    uint64_t ticks;   /* at base_us */
    uint64_t base_us; /* simulated time of the last change of rate */
    int32_t ppm;
    bool still; /* a hypervisor stop: ticks stand still */
    bool synchronised;
    uint64_t suspended_at; /* ticks when a suspend began */
    uint64_t mono_us;      /* offsets, modulo 2^64 */
    uint64_t boot_us;
    uint64_t wall_us;
    uint64_t grain_us; /* the boot clock is read in steps of it; 0: to the microsecond */
    struct id128 boot_id;
};

struct sim_host {
    struct sim *sim;
    uint32_t number; /* from 0 */
    bool up;
    bool stopped;
    enum sim_stop stop;
    uint16_t next_port;
    char name[32];
    char address[32];
    struct sim_clocks clocks;
    struct sim_disk *disk;
    struct list processes;
    uint64_t work_base_us;
    uint64_t work_jitter_us;
    bool work_hangs;
};

/* What a process holds; freed with it. */
struct sim_handles {
    struct list timers;
    struct list works;
    struct list conns;
    struct list listeners;
    struct list tls;
    struct list files;
};

/* A planned crash. */
struct sim_plan {
    uint64_t left; /* hits until then; 0: none is planned */
    const char *name;
    enum sim_crash crash;
};

struct env {
    struct sim *sim;
    struct sim_host *host;
    struct list link; /* host->processes */
    uint32_t number;  /* from 1, never used again */
    char name[32];
    bool crashed;
    bool paused;
    bool turn_owed; /* a turn could not end because the process stands still */
    uint64_t slow_us;
    uint64_t events; /* delivered so far */
    uint64_t calls;  /* events and turn ends */
    struct sim_event wake;
    void (*turn_end)(void *arg);
    void *turn_arg;
    struct sim_rng random;
    struct list deferred;
    struct sim_handles handles;
    uint64_t hits;
    struct sim_plan plan;
};

/* Zeroed memory; a world without memory ends the test. */
void *sim_alloc(size_t size);
/* Mixes `value` into the trace hash. */
void sim_trace(struct sim *sim, uint64_t value);
void sim_trace_bytes(struct sim *sim, struct bytes data);

void sim_event_init(struct sim_event *event, enum sim_event_kind kind, struct env *env,
                    void (*fire)(struct sim_event *event));
/* At sim time `at_us` (now, if that has passed), replacing an earlier schedule. */
void sim_event_at(struct sim *sim, struct sim_event *event, uint64_t at_us);
void sim_event_in(struct sim *sim, struct sim_event *event, uint64_t delay_us);
bool sim_event_waits(const struct sim_event *event);
void sim_event_cancel(struct sim *sim, struct sim_event *event);

/* The process may neither run nor be called back now. */
bool sim_standing(const struct env *env);
/* Gives back what was deferred while it stood still. */
void sim_wake_up(struct env *env);
/* Crash without closing its connections towards peers when `power`. */
void sim_process_end(struct env *env, bool power);

/* clock.c */
void sim_clocks_init(struct sim_host *host);
void sim_clocks_boot(struct sim_host *host);
void sim_timers_end(struct env *env);
void sim_timers_free(struct env *env);

/* work.c */
void sim_works_end(struct env *env);
void sim_works_free(struct env *env);
void sim_works_resume(struct sim_host *host);

/* fault.c: counts a hit, and crashes the process when that is planned. */
void sim_fault_hit(struct env *env, const char *name);

/* tls.c */
void sim_tls_free(struct env *env);

/* conn.c and links.c */
void sim_conns_end(struct env *env, bool power);
void sim_conns_free(struct env *env);
void sim_links_init(struct sim *sim, const struct sim_host *host);
/* The host falls silent: the other ends of its connections will notice. */
void sim_links_watch(const struct sim_host *host);
static inline struct sim_link *sim_link_of(struct sim *sim, const struct sim_host *from,
                                           const struct sim_host *to)
{
    return &sim->links[(size_t)from->number * SIM_HOSTS_MAX + to->number];
}

/* disk.c and file.c */
struct sim_disk *sim_disk_create(void);
void sim_disk_destroy(struct sim_disk *disk);
void sim_disk_power_cut(struct sim_host *host);
void sim_files_end(struct env *env);
void sim_files_free(struct env *env);

/* log.c: a line of the world itself, which belongs to no process. */
void sim_log_world(struct sim *sim, const char *format, ...) __attribute__((format(printf, 2, 3)));
void sim_log_init(struct sim *sim);

#endif
