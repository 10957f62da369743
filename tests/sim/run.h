/* One seed of the simulator: its plan, its world, and what was seen of it. Inside tests/sim.
 *
 * A run is played in three phases: faults and calls; faults stop and the cluster has to answer
 * (L1); the last reads, then the verdict. All times are simulated microseconds, unless they say ns.
 */
#ifndef TESTS_SIM_RUN_H
#define TESTS_SIM_RUN_H

#include "client-lib/internal.h"
#include "env/sim/sim.h"
#include "jepsen/check/check.h"
#include "node/internal.h"
#include "raftlog/log.h"
#include "tests/sim/image.h"
#include "tests/sim/lost.h"
#include "tests/sim/steps.h"
#include "tests/sim/upgrade.h"

enum {
    NODES_MAX = 7,
    ACTORS_MAX = 8,
    FENCES_MAX = 4,
    SESSIONS_MAX = 24,
    TASKS_MAX = 24,
    TOKEN_MAX = 160,
    USERS = 4,
    AGENTS = 2,
    KEYS = 5,
    ACTIVE_MAX = 3,
    GENERATIONS = 64,
    TIMELESS_MAX = 64,
};

#define RUN_T0 UINT64_C(1700000000000000)

/* ---- the plan: what a seed draws (plan.c) ---- */

enum fault_kind {
    FAULT_CRASH,
    FAULT_CRASH_POINT,
    FAULT_CRASH_RECOVERY,
    FAULT_CRASH_ALL,
    FAULT_POWER_POINT,
    FAULT_POWER_CUT,
    FAULT_POWER_CUT_ALL,
    FAULT_POWER_ANSWER,
    FAULT_FAILED_SYNC,
    FAULT_DISK_HANG,
    FAULT_DISK_SLOW,
    FAULT_DISK_FULL,
    FAULT_DISKS_FULL,
    FAULT_BIT_FLIP,
    FAULT_MISDIRECT,
    FAULT_CUT_ONE,
    FAULT_CUT_LEADER,
    FAULT_CUT_HALVES,
    FAULT_DUEL,
    FAULT_RIVALS,
    FAULT_CUT_RING,
    FAULT_CUT_BRIDGE,
    FAULT_ONE_WAY,
    FAULT_CUT_CLIENT,
    FAULT_DELAY,
    FAULT_LOSS,
    FAULT_RESET,
    FAULT_RESET_HALF,
    FAULT_PAUSE,
    FAULT_SUSPEND,
    FAULT_HYPERVISOR,
    FAULT_SLOW,
    FAULT_WALL_STEP,
    FAULT_BOOT_STEP,
    FAULT_DRIFT,
    FAULT_SNAPSHOT,
    FAULT_TRANSFER,
    FAULT_STEP_DOWN,
    FAULT_AWAY,
    FAULT_BIRTH,
    FAULT_CLIENT_CRASH,
    FAULT_WORKER_PAUSE,
    FAULT_CHURN, /* this one and what follows has draws of its own, in some seeds */
    FAULT_IMAGE,
    FAULT_UPGRADE,
    FAULT_LOST,
    FAULT_DISKS_HANG,
    FAULT_REBORN, /* behind FAULT_LOST */
    FAULTS,
};

struct plan {
    size_t nodes;
    size_t services;
    size_t workers;
    uint32_t election_ms;
    uint32_t heartbeat_ms;
    uint64_t trailing;       /* log entries kept behind a snapshot */
    unsigned inflight;       /* log entries sent and not yet answered, at most */
    uint64_t snapshot_bytes; /* a snapshot is due after so much log */
    size_t append_bytes;     /* of entries in one message to another node */
    uint64_t segment_bytes;  /* of its segments, but for the first part of a life's first one */
    uint64_t fault_us;       /* how long faults happen */
    uint64_t gap_us;         /* between the beginnings of two faults, on average */
    uint64_t think_us;       /* between two calls of one process, on average */
    uint64_t timeout_us;
    uint64_t grain_us; /* clocks and lifetimes are whole numbers of it, so that they meet */
    uint64_t idle_us;  /* of sessions: from a second to this */
    uint64_t absolute_us;
    struct op_limits limits;
    enum sim_disk_policy disk;
    bool clocks;      /* clock faults may happen in this seed */
    bool steady;      /* one boot clock jumps, leaders change, nothing else: no slack for it */
    uint64_t doubt;   /* of 100 kernels, so many do not call their wall clock synchronised (T3) */
    bool birth;       /* faults happen before the first leader serves, too */
    bool busy;        /* many calls, and nodes that are away for long */
    bool duels;       /* many of them */
    bool bare;        /* faults stop on a bare majority first (L1) */
    bool root;        /* an operator revokes, too: of a tenant, or of all */
    uint64_t disk_us; /* queued work on disks takes up to this long */
    bool large;       /* values of many KiB: an image has several chunks */
    struct image_sizes image;
    bool trees;   /* sessions are opened below others, several deep */
    bool upgrade; /* one node after another gets a later program */
    bool lost;    /* at the end all nodes and disks, and a backup is restored */
    bool on[FAULTS];
};

/* ---- machines ---- */

struct run;

enum duel_state { DUEL_PREPARES, DUEL_DEAF, DUEL_CUT };

struct run_node {
    struct run *run;
    struct sim_host *host;
    struct env *env;
    struct node *node; /* NULL while it is dead */
    struct node_config config;
    char listen[ENV_ADDRESS_MAX];
    char peer_listen[ENV_ADDRESS_MAX];
    char error[512];
    bool stopped;
    bool failed;
    bool may_fail;      /* its disk fails */
    bool mended;        /* its disk has failed, and it was not started since */
    bool away;          /* nobody starts it until the fault that took it ends */
    bool damaged;       /* damage at rest struck its disk: it may have no vote for that */
    bool out;           /* no member, and nobody starts it (churn.c) */
    bool member;        /* as far as the operator knows */
    bool votes;         /* the same */
    bool joins;         /* its disk is empty: watch.c has seen nothing of it */
    uint64_t out_at;    /* no member any more, its process goes on until then */
    struct id128 store; /* of the disk that it joined with */
    uint64_t start_at;  /* when it is started again */
    uint64_t calls;     /* of this process, at watch.c's last look; UINT64_MAX: look again */
    uint64_t applied;   /* seen by watch.c, of this process */
    uint64_t commit;    /* seen by watch.c, of this process */
    uint64_t wanted;    /* the T that its reads wait for, seen by watch.c; 0: none */
    uint64_t term;      /* seen by watch.c, of all processes */
    uint64_t fsm_time;
    uint32_t starts, burials;
    struct run_program program;
    struct run_arriving arriving;
    uint32_t images_life; /* of the process that had taken so many */
    uint64_t images_taken;
};

/* A write as it was asked for. */
struct run_put {
    struct tenure_id session;
    uint64_t operation; /* 0: none */
    uint64_t key;
    size_t size;
    bool has_expected;
    uint64_t expected;
    uint8_t value[48];
};

/* What a worker holds. */
struct run_fence {
    char user[16];
    char token[TOKEN_MAX];
    struct tenure_id task;
    struct tenure_id session;
    uint64_t attempt;
    uint64_t first; /* that its claim named; below it are the attempts before */
    uint64_t next;
    struct run_put last;                          /* of those with small values */
    struct tenure_session_create_request opening; /* the last child; its texts are constants */
    char agent[32];                               /* but this one */
    struct tenure_task_begin_request beginning;   /* the last sub-task; its texts are constants */
    bool opened;
    bool began;
    bool held;
};

/* A request that is sent once more (repeat.c). */
struct run_repeat {
    struct tenure_client *client;   /* a second one, of the same process */
    struct tenure_pending *pending; /* NULL: none */
    struct tenure_pending bound;    /* stands for the lowest open number */
    struct env_timer *timer;
    struct step step;
    uint64_t original; /* id of the call that it repeats */
    uint64_t number;   /* the original's, once it is known */
    uint64_t registration;
    uint32_t tries;
    uint32_t draw;
    uint32_t row;
    bool later;   /* by a try above those of the original */
    bool another; /* under the number of another call */
    bool sent;
    /* A claim that is repeated when a later claim has outdone it. */
    bool outdone;
    bool holds;      /* the number stays open in the actor's client */
    bool due;        /* the later claim was answered OK, `after_us` ago */
    uint64_t second; /* its id; 0: not yet */
    uint64_t after_us;
    struct run_fence *fence;
    char user[16];
    struct tenure_id task;
    uint64_t lease;
};

struct run_actor {
    struct run *run;
    struct sim_host *host;
    struct env *env; /* NULL while it is dead */
    struct tenure_client *client;
    struct env_timer *timer;
    struct run_repeat repeat;
    struct run_fence fences[FENCES_MAX];
    uint64_t clients[GENERATIONS]; /* the id of each registration of this process */
    uint64_t start_at;
    uint32_t seq;
    uint32_t open;
    uint32_t turns;    /* steps so far */
    uint64_t stood_us; /* when its process last stood still */
    uint64_t done_us;  /* when a command of its client was last answered */
    bool stands;
    bool worker;
    bool root;             /* an operator, who does nothing but revoke */
    bool quiet;            /* begins nothing more */
    uint64_t foreign_left; /* calls that it still makes as `foreign_user` */
    uint64_t foreign_user;
    struct tenure_id event_origin; /* of the place up to which it knows the events */
    uint64_t event_position;       /* 0: it knows none */
    uint64_t event_k;
};

struct run_session {
    char user[16];
    char agent[16];
    char token[TOKEN_MAX];
    char old_token[TOKEN_MAX]; /* that a rotation replaced; empty: none */
    struct tenure_id id;
    struct tenure_id parent; /* of a child */
    uint32_t depth;          /* 1: it is none; less than it is where its parent is not known */
    uint32_t asked;          /* bits of PERMISSIONS: it was opened with them */
    struct step step;        /* that created it */
    uint64_t since_us;
    uint64_t made; /* position at which its secret was made */
    bool known;
    uint64_t versions[KEYS]; /* that somebody was told last; 0: none */
};

struct run_task {
    char user[16];
    struct step step; /* that began it */
    uint64_t since_us;
    struct tenure_id id;
    struct tenure_id session;
    bool known;
};

/* ---- the operator who changes the members (churn.c) ---- */

enum churn_state {
    CHURN_IDLE,
    CHURN_FORMATS, /* a disk for who is to join */
    CHURN_ADDS,
    CHURN_PROMOTES,
    CHURN_REMOVES,
    CHURN_LOSES, /* a disk, once all know whose it is */
    CHURN_REFORMATS,
    CHURN_MISTAKES, /* adds who is a member, with another disk: has to be refused */
    CHURN_REPLACES,
    CHURN_TRANSFERS,
};

struct run_churn {
    struct env *env; /* of its process; NULL: there was nothing to do yet */
    struct tenure_client *client;
    enum churn_state state;
    size_t node;       /* whom it is about */
    bool grows;        /* towards all machines, otherwise towards three */
    bool early;        /* a joiner is started before it is added; a leaver stopped before */
    bool led;          /* it led when it was to be removed */
    bool later;        /* who gets a disk gets the later program (upgrade.c) */
    uint64_t leave_us; /* so long goes the process of a leaver on */
    uint64_t begun_us;
    uint64_t next_us; /* asks then */
    bool asked, answered;
    enum tenure_outcome outcome;
    char message[256];
};

/* ---- what was seen ---- */

/* One entry of the one true log. */
struct run_entry {
    enum rlog_entry_type type;
    uint64_t term;
    uint8_t *payload; /* owned; NULL before the log */
    size_t size;
    uint64_t position;
    uint64_t time;
    struct hash128 digest;
    bool has_digest;
    uint64_t image; /* identity of the image of this index, 0: none was seen */
};

struct run_command {
    uint64_t client, number, position, time;
};

/* A registered client, as the log tells of it. */
struct run_client {
    uint64_t id;   /* position of its registration */
    uint64_t time; /* T there */
    uint64_t term;
    struct id128 instance;
    bool worker;     /* of a worker's certificate */
    bool root;       /* of an operator's */
    uint64_t lowest; /* what lies below is answered as forgotten, never applied */
    uint64_t heard;  /* T of its newest command */
    uint64_t before; /* a client of this process that the cluster had to know still; 0: none */
    bool used;       /* it has sent a command */
};

/* Who led a term: a node, and which of its processes. */
struct run_leader {
    uint8_t node; /* its number; 0: nobody was seen to */
    uint32_t life;
};

struct run_watch {
    struct run_entry *entries; /* by index; [0] is before the log */
    size_t entry_count, entry_capacity;
    struct run_command *commands; /* of clients, that the law lets pass */
    size_t command_count, command_capacity;
    struct run_client *clients;
    size_t client_count, client_capacity;
    uint64_t *silent; /* clients that were given up, as their processes were silent */
    size_t silent_count, silent_capacity;
    struct run_leader *leaders; /* by term */
    size_t term_count;
};

struct run_counters {
    uint64_t steps;
    uint64_t simulated_us;
    uint64_t faults[FAULTS];
    uint64_t calls[128]; /* by operation: answered DONE */
    uint64_t outcomes[96];
    uint64_t restarts;
    uint64_t installs; /* of a snapshot, from the leader */
    uint64_t waits;    /* of reads, for T (T6) */
    uint64_t digests;  /* compared with another node's */
    uint64_t retried;
    uint64_t repeated; /* sent once more past the library */
    uint64_t superseded;
    uint64_t events, compacted; /* told, and answers that some are lost */
    uint64_t alerts;            /* told: of repeated foreign access */
    uint64_t children;          /* sessions that were opened below another one */
    uint64_t placed;            /* unknown outcomes that were found in the log */
    uint64_t times_stated;
    uint64_t times_told; /* by wall clocks: T3 */
    uint64_t commands;
    struct {
        uint64_t added, promoted, removed, replaced, transferred;
        uint64_t leaders;  /* of the removed: they led when that was asked */
        uint64_t mistakes; /* refused: a member with another disk */
        uint64_t images;   /* who joined by a snapshot */
    } churn;
    struct run_images images;
    struct run_upgrades upgrade;
    struct run_losses losses;
    uint64_t longest_recovery_us;
    uint64_t judged_us; /* processor time that the checker took */
    struct check_counters check;
};

struct active {
    enum fault_kind kind;
    bool running;
    size_t node;
    size_t actor;
    uint64_t until;
    uint64_t baseline;
    bool images; /* when it ends the others have a snapshot, and little log that reaches back */
};

/* ---- a run from outside ---- */

enum run_told { TOLD_NOTHING, TOLD_TRACE, TOLD_LOG };

/* What determines a run. */
struct run_setup {
    uint64_t seed;
    size_t nodes;  /* 0: the seed draws it */
    uint64_t rate; /* operations in a simulated second, about; 0: as the seed draws it */
    uint64_t fault_us;
    bool on[FAULTS];
    bool churn;                  /* in every seed members change, where that is on */
    bool upgrade;                /* likewise programs */
    const struct step_set *keep; /* NULL: all steps */
    enum run_told told;
    const char *history; /* NULL: not written */
};

enum run_verdict { RUN_OK, RUN_FAILED, RUN_INVALID };
enum { TAKEN_MAX = 65536 };

struct run_taken {
    struct step step;
    uint64_t at_us; /* since faults began to happen */
};

/* What came of it. */
struct run_result {
    enum run_verdict verdict;
    char failure[1024]; /* empty: none */
    uint64_t trace;     /* the world's hash, at the end */
    struct run_counters counters;
    size_t taken_count;
    struct run_taken taken[TAKEN_MAX]; /* the steps, in the order of time */
};

struct run {
    const struct run_setup *setup;
    struct run_result *result;
    struct sim_rng rng; /* of this step */
    struct step step;
    struct plan plan;
    struct sim *sim;
    uint64_t begun_us;
    uint64_t faults_us; /* when faults began to happen */
    uint64_t next_fault_us;
    uint32_t fault_ordinal, probes;
    uint64_t born_us;        /* when T was T0 */
    struct sim_host *office; /* the operator's */
    struct run_node nodes[NODES_MAX];
    size_t node_count; /* machines: the founders, and those that may join */
    struct node_bootstrap bootstrap;
    struct run_churn churn;
    struct run_image image;
    struct run_lost lost;
    uint64_t level; /* that the log has raised, as far as anybody applied it */
    struct run_actor actors[ACTORS_MAX + NODES_MAX]; /* behind: of each node, for duels */
    size_t actor_count;
    struct run_session sessions[SESSIONS_MAX];
    struct run_task tasks[TASKS_MAX];
    uint64_t next_session, next_task;
    struct history *history;
    struct run_watch watch;
    struct active active[ACTIVE_MAX];
    struct check_span timeless[TIMELESS_MAX];
    uint32_t timeless_count;
    bool damaged; /* damage at rest has struck: its victims may have no vote yet */
    bool rivals;  /* a second candidate waits for the first to win (rivals.c) */
    size_t rival, rival_old;
    uint64_t duel_begun_us, duel_until_us;
    enum duel_state duel_state;
    bool duel_elects;      /* it hands over, and does not hear what came of it */
    size_t duel_old;       /* who led when it was cut off */
    uint64_t stated_us;    /* when the time was last stated, or told by wall clocks; 0: never */
    uint64_t stepped_term; /* the newest in which wall clocks told it */
    uint64_t calm_us;    /* since then nothing goes wrong: a call has to be answered; 0: not yet */
    bool strikes_answer; /* the next write that is answered ends most nodes */
    uint64_t slack_us;   /* by how much the faults may have moved the cluster's clock */
    struct run_counters counters;
    char failure[1024]; /* empty: none so far */
};

/* The first failure counts. */
void run_fail(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Tells the trace of a replay (tell.c). */
void run_say(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* From the stream of the step that is under way. */
uint64_t run_random(struct run *run, uint64_t bound);
bool run_chance(struct run *run, uint64_t percent);
/* Begins to draw for that step; returns what run_leave wants. */
struct run_draws {
    struct step step;
    struct sim_rng rng;
};
struct run_draws run_enter(struct run *run, struct step step);
void run_leave(struct run *run, struct run_draws before);
/* The step under way is not left out. */
bool run_keeps(const struct run *run);
/* The step under way happens. */
void run_takes(struct run *run);
/* Lets time pass, watching; false when something failed. */
bool run_pass(struct run *run, uint64_t us);

/* plan.c */
void plan_draw(struct run *run);

/* nodes.c */
void nodes_create(struct run *run);
void nodes_destroy(struct run *run);
/* Buries what a fault has ended, starts what is due. */
void nodes_step(struct run *run);
/* As many as may be missing are taken away until nodes_return. */
void nodes_leave(struct run *run);
void nodes_return(struct run *run);
void node_kill(struct run_node *node);
void node_power_cut(struct run_node *node);
bool node_runs(const struct run_node *node);
/* Gives it an empty disk that is to join, as `tenured --join` does. False: not now. */
bool node_join(struct run_node *node);
/* Its disk becomes empty. It does not run. */
void node_wipe(struct run_node *node);
/* Starts it for the first time on the disk that it has. */
void node_begin(struct run_node *node);
/* The founder whose disk alone is ever damaged or lost, where one is. */
size_t nodes_victim(const struct run *run);
size_t nodes_voters(const struct run *run);
/* Index of the serving leader of the highest term, or NODES_MAX. */
size_t nodes_leader(const struct run *run);
size_t nodes_timeless(const struct run *run);
void certify(struct sim_host *host, const char *identity);

/* actors.c */
void actors_create(struct run *run);
void actors_destroy(struct run *run);
void actors_step(struct run *run);
void actor_kill(struct run_actor *actor);
/* The client that only talks to that node. */
void actor_start_second(struct run *run, size_t node);
/* Returns owned. `only`: the node that it talks to; NODES_MAX: all of them. */
struct tenure_client *actors_open_client(struct run *run, struct env *env, uint64_t timeout_us,
                                         const char *tenant, size_t only);
/* An operator states the time when no clock survived. */
void operator_step(struct run *run);

/* calls.c */
/* Begins a call drawn from the mix of this process. */
void call_any(struct run_actor *actor);
void call_probe(struct run_actor *actor);
void call_last_reads(struct run_actor *actor, size_t session);

/* record.c */
/* Returns the call's id. */
uint64_t record_call(struct run_actor *actor, enum op_number number, const void *request,
                     struct run_fence *fence);
/* A call was sent once more, `arg` is its own. */
void record_mark(void *arg);
/* The row of a request that is sent once more; its answer. */
uint32_t record_repeat(struct run_actor *actor, const struct run_repeat *repeat, uint32_t attempt);
void record_repeated(struct run_actor *actor, const struct run_repeat *repeat,
                     const struct tenure_result *result, const void *reply);
/* Tells of the registrations of all clients, from the log: the library makes them unseen. */
void record_registrations(struct run *run);
/* Says of each unknown command where the log has it, or that it never happened. */
void record_place(struct run *run);

/* repeat.c */
/* Takes `client`. */
void repeat_open(struct run_actor *actor, struct tenure_client *client);
/* What it has sent is no row of the history any more: its answer is nobody's. */
void repeat_forget(struct run_actor *actor);
void repeat_close(struct run_actor *actor);
/* A numbered call has begun: perhaps it is to be repeated. `original`: its id; `fence`: where a
 * claim's goes, or NULL. */
void repeat_choose(struct run_actor *actor, const struct tenure_method *method, const void *request,
                   uint64_t original, struct run_fence *fence);
/* A call has ended; its struct is valid until the return. */
void repeat_answered(struct run_actor *actor, const struct tenure_pending *original,
                     enum tenure_outcome outcome);

/* churn.c */
/* Goes on with the change that is under way. */
void churn_step(struct run *run);
bool churn_is_idle(const struct run *run);
/* The node's disk is being made, or its vote. */
bool churn_changes(const struct run *run, size_t node);
/* Nothing more goes wrong: who was stopped to be taken out is started again, since another one may
 * have no vote. */
void churn_calm(struct run *run);
/* After that: what was begun has to come to an end, and who was taken out stops. */
void churn_finish(struct run *run);
void churn_destroy(struct run *run);

/* watch.c */
/* After an event. */
void watch_step(struct run *run);
/* Somebody may have called nodes from outside of the world: looks at all of them. */
void watch_all(struct run *run);
void watch_done(struct run *run);
/* A restored cluster begins, as this node has it, and no entry is known. */
void watch_reborn(struct run *run, const struct run_node *node);

/* faults.c */
const char *fault_name(enum fault_kind kind);
/* NULL: the product survives it, so it is on by default. */
const char *fault_reason(enum fault_kind kind);
bool fault_of(const char *name, enum fault_kind *ret_kind);
/* Ends what is over. */
void faults_expire(struct run *run);
/* A client has just heard that its write is done. */
void faults_answered(struct run *run);
/* A node begins to lead a term. */
void faults_led(struct run *run, const struct run_node *node);
/* Draws those whose time has come, and begins them where they can be. */
void faults_begin(struct run *run);
void faults_heal(struct run *run);

/* tell.c */
void tell_call(struct run *run, uint32_t row, const union op_request *request);
void tell_answer(struct run *run, uint32_t row, const struct tenure_result *result,
                 const void *reply);

/* play.c */
void run_play(const struct run_setup *setup, struct run_result *ret_result);

/* apart.c: the same in a process of its own, so that a broken assertion, a wild pointer or a loop
 * without end are failures of the run. */
void run_play_apart(const struct run_setup *setup, struct run_result *ret_result);

/* shrink.c: the smallest run that fails as this one did, told, with the command that replays it. */
void run_shrink(const struct run_setup *setup, const struct run_result *result,
                uint64_t seconds_max);

#endif
