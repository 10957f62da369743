/* What a Raft entry of ours holds: one stamp and many commands. Version 1.
 *
 *   entry    u8 version (1), u8 kind (enum op_entry_kind), u64 stamp, u32 count, then commands
 *   command  u32 size of what follows, then its head and its request in stored form
 *
 * No secret is ever in here: tokens are stored as verifiers (op/op.h).
 */
#ifndef OP_COMMAND_H
#define OP_COMMAND_H

#include "op/op.h"

enum { OP_ENTRY_VERSION = 1 };

enum { OP_COMMAND_BYTES_MAX = 96 * 1024, OP_ENTRY_BYTES_MAX = 100 * 1024 };
enum { OP_BATCH_BYTES = 64 * 1024, OP_BATCH_COMMANDS = 1024 };

enum op_entry_kind { OP_ENTRY_COMMANDS = 1 };

/* Numbers of the commands that no client asks for; operations have theirs from ops.def (< 1000). */
enum op_command_kind {
    OP_COMMAND_TICK = 1000,       /* carries nothing: time passes, the sweep works */
    OP_COMMAND_TERM_START = 1001, /* a new leader's first: term, and whether time is known */
    OP_COMMAND_REUSE = 1002,      /* a secret was shown that a rotation had replaced long before */
    OP_COMMAND_DENIALS = 1003,    /* who was told NOT_FOUND since the last one (op/denials.h) */
    OP_COMMAND_LEVEL = 1004,      /* all members can do so much: the cluster's feature level */
};

/* Who calls: taken from the certificate and the connection's hello, never from the request. */
struct op_caller {
    struct bytes tenant;
    struct bytes name;     /* of the certificate: "role/name" */
    uint32_t role;         /* enum op_role */
    struct id128 instance; /* random, of the calling process */
};

struct op_command {
    uint32_t number; /* enum op_number or op_command_kind */
    /* -- client commands -- */
    struct op_caller caller;
    uint64_t client; /* 0: not registered (client_register only) */
    struct id128 incarnation;
    uint64_t request; /* request number; 0 for FREE operations */
    uint64_t attempt; /* try */
    uint64_t lowest;
    uint8_t digest[16];           /* of the whole request */
    uint8_t operation_digest[16]; /* of the request without its tokens */
    /* What the leader drew before proposing. The id, for an object that the operation may create:
     * for every numbered one, since a reply does not say that its id is new (task_begin). A retry
     * of what minted has the first try's id. The verifier: zero where the reply has no token. */
    struct id128 minted_id;
    uint8_t minted_verifier[32];
    struct bytes body; /* the request in stored form; of DENIALS its rows */
    /* -- TERM_START -- */
    uint64_t term;
    /* -- LEVEL -- */
    uint64_t level;
    /* -- REUSE: minted_id and minted_verifier are the session's id and the old verifier -- */
};

struct op_entry_head {
    uint64_t stamp; /* leader's clock in µs, sampled after the last command arrived */
    uint32_t count;
};

/* Begins an entry; the stamp and the count are filled in by op_entry_finish. */
void op_entry_begin(struct base_writer *writer);
/* Appends one command. On overflow the writer fails: check before with op_command_size. */
void op_entry_add(struct base_writer *writer, const struct op_command *command);
size_t op_command_size(const struct op_command *command);
void op_entry_finish(struct base_writer *writer, uint64_t stamp, uint32_t count);

/* Reads the head, then commands one at a time; false on malformed bytes, which a log only has when
 * it is damaged or of a newer version. */
bool op_entry_read(struct base_reader *reader, struct op_entry_head *ret_head);
bool op_command_read(struct base_reader *reader, struct op_command *ret_command);

/* What of an entry that cannot be applied this version does not know: for the line that a node
 * stops with. */
enum op_misfit {
    OP_MISFIT_VERSION, /* of the entry */
    OP_MISFIT_KIND,    /* of the entry */
    OP_MISFIT_COMMAND, /* a command's number */
    OP_MISFIT_LEVEL,   /* it raises the cluster's feature level: to that one */
    OP_MISFIT_CONTENT, /* of a command whose number is known: the number; 0: of none */
};
/* `level`: the greatest that is known. */
enum op_misfit op_entry_misfit(struct bytes entry, uint64_t level, uint32_t *ret_number);

#endif
