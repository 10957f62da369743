/* The node's own struct, and what its files ask of each other. Not for anybody else. */
#ifndef NODE_INTERNAL_H
#define NODE_INTERNAL_H

#include "env/clock.h"
#include "env/log.h"
#include "fsm/fsm.h"
#include "node/backup.h"
#include "node/batch.h"
#include "node/clock_file.h"
#include "node/clocks.h"
#include "node/collection.h"
#include "node/connection.h"
#include "node/digests.h"
#include "node/lead.h"
#include "node/level.h"
#include "node/mint.h"
#include "node/node.h"
#include "node/observe.h"
#include "node/operate.h"
#include "node/piece.h"
#include "node/reads.h"
#include "node/space.h"

struct node {
    struct env *env;
    const struct node_config *config;
    struct node_handlers handlers;
    struct env_tls *tls;
    struct rlog *rlog;
    struct node_bootstrap *bootstrap; /* what this cluster was born with */
    struct fsm *fsm;
    void *range;
    size_t range_size;
    struct id128 incarnation;
    struct {
        struct fsm *fsm; /* being restored beside the one that serves, or replaced by it */
        void *range;
        char error[128]; /* of the work: why it refuses its image */
    } second;
    struct node_time time;
    struct clock_file clock_file;
    struct node_clocks clocks;
    struct node_collection collection;
    struct node_lead lead;
    struct node_batch *batch;
    struct node_reads reads;
    struct node_operations operations;
    struct node_listener listener;
    struct node_mint mint;
    struct node_digests digests;
    struct node_space space;
    struct node_level level;
    struct node_backup backup;
    struct node_pieces pieces;
    struct node_observed observed;
    uint8_t *scratch;      /* NODE_SCRATCH bytes: one response being built */
    uint8_t *read_body;    /* FSM_REPLY_MAX bytes: one read's answer */
    char birth_error[512]; /* why the cluster's settings cannot be served here; empty: they can */
    char misfit[128];      /* what of an entry, or of an image, this version does not know */
    char refused[128];     /* why the newest image of a leader was refused */
    bool stopping;
    bool handed_over; /* the stop has reached raftlog */
    bool log_stopped; /* raftlog has stopped: answers and the clock's last write are left */
    bool stopped;
    bool failed;
};

enum { NODE_SCRATCH = OP_FRAME_MAX + OP_FRAME_PREFIX };

/* node/machine.c: raftlog's machine, made of this node's FSM. */
struct rlog_machine node_machine_of(struct node *node);
bool node_machine_create(struct node *node, const struct rlog_birth *birth, char *error,
                         size_t error_size);

/* node/dispatch.c: one whole message of a client. */
void node_dispatch_message(struct node *node, struct node_connection *connection,
                           const struct op_message *message);

/* node/admin.c: hello, node.status, cluster.time, snapshot.*: answered by this node, not by the
 * log. */
bool node_admin_message(struct node *node, struct node_connection *connection,
                        const struct op_message *message);

/* Answers that a node gives of itself (node/admin.c). `text`: one line for a person, or NULL. */
void node_answer(struct node *node, struct node_connection *connection, uint32_t msgid,
                 const struct op_struct *s, const void *value);
void node_refuse(struct node *node, struct node_connection *connection, uint32_t msgid,
                 enum op_outcome outcome, const char *text);
#define NODE_PIECE_REPLACED "this server has another snapshot by now"

/* A digest as it is shown: 16 bytes. */
void node_digest_bytes(struct hash128 digest, uint8_t ret_bytes[16]);

/* node/node.c: head of an answer that this node gives of itself. */
struct op_reply_head node_head(struct node *node, enum op_outcome outcome);
/* Client address of the known leader; empty when there is none. */
struct bytes node_leader_address(const struct node *node);
void node_fatal(struct node *node, const char *detail);

#endif
