/* The one header that shows raft.h to engine*.c, translate.c and guard.c; and what they share. */
#ifndef RAFTLOG_ENGINE_RAFT_H
#define RAFTLOG_ENGINE_RAFT_H

#include <raft.h>

#include "raftlog/engine.h"
#include "raftlog/rlog.h"

struct rlog_engine {
    struct rlog *rlog;
    struct raft raft;
    bool opened; /* raft_init was done */
    bool halted; /* no events of its own any more */
    struct env_timer *timer;
    uint64_t timer_at_ms; /* what the timer is set to; 0: not set */
    uint64_t tick_ms;     /* when the last TIMEOUT was stepped */
    uint64_t commit;      /* M9: never goes back */
    uint64_t applied;
    uint64_t own_first;           /* leader: first index of our own term; 0: not appended yet */
    uint64_t configuration_index; /* of the applied configuration */
    bool told;                    /* the machine knows told_* */
    enum rlog_role told_role;
    uint64_t told_term;
    uint64_t told_leader;
    const struct rlog_snapshot_info *arriving; /* during rlog_engine_install */
};

/* A message as libraft wants it, and what we own of it. */
struct rlog_received {
    struct raft_message message;
    struct raft_entry *entries; /* our array; the message may point into its middle */
};

/* Steps one event (its time is set here) and carries out the update. An error of an event that is
 * not a client's ends the node, unless `ret_rc` asks for it. `ret_flags` may be NULL. */
void rlog_engine_step(struct rlog_engine *engine, struct raft_event *event, int *ret_rc,
                      unsigned *ret_flags);
void rlog_engine_on_timer(void *arg);
/* Steps a received AppendEntries in parts, so that the core sees each CHANGE alone (M1, M1b). */
void rlog_engine_append(struct rlog_engine *engine, struct rlog_received *received);
/* Tells the core that the CHANGE at `index`, of our log, is committed. */
void rlog_engine_configure(struct rlog_engine *engine, uint64_t index);
/* Whether this node may vote and stand: its disk is the one that the roll names for it. */
bool rlog_engine_votes(const struct rlog_engine *engine);
/* False when the bytes are not a configuration; nothing to close then. */
bool rlog_engine_decode(struct bytes encoded, struct raft_configuration *ret_configuration);

/* Encodes and queues the messages of one update. */
void rlog_translate_send(struct rlog_engine *engine, const struct raft_message *messages,
                         unsigned count);
/* False when malformed. The entries' payloads borrow from `body`; free with rlog_received_done. */
bool rlog_translate_receive(const struct rlog *rlog, uint64_t from, uint8_t kind, struct bytes body,
                            struct rlog_received *ret_received);
void rlog_received_done(struct rlog_received *received);

enum raft_entry_type rlog_raft_type(enum rlog_entry_type type);
enum rlog_entry_type rlog_entry_type_of(enum raft_entry_type type);

#endif
