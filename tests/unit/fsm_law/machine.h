/* One machine under test and short ways to send it commands and reads; holds no test. */
#ifndef TESTS_FSM_LAW_MACHINE_H
#define TESTS_FSM_LAW_MACHINE_H

#include "fsm/machine.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define SECOND 1000000ull

struct machine {
    struct fsm *fsm;
    void *memory;
    size_t size;
    uint64_t stamp; /* of the next command */
    /* the last answer */
    struct fsm_reply reply;
    uint8_t body[FSM_REPLY_MAX];
    union op_reply fields;
    struct op_details details;
};

/* A call with everything that surrounds it. Zeroed, then begun by call_init. */
struct call {
    enum op_number number;
    struct op_caller caller;
    uint64_t client;
    uint64_t request;
    uint64_t attempt;
    uint64_t lowest;
    struct id128 minted_id;
    uint64_t minted_secret;
    union op_request fields;
};

struct op_limits small_limits(void);
struct fsm_birth birth_of(const struct op_limits *limits);
void machine_init(struct machine *machine, const struct op_limits *limits);
void machine_done(struct machine *machine);

struct bytes text(const char *zero_terminated);
struct id128 id_of(uint64_t number);
/* A token as a client presents it: the verifier follows from id and secret. */
struct op_token token_of(struct id128 id, uint64_t secret);
struct op_token fence_of(struct id128 id, uint64_t attempt, uint64_t secret);

/* Of tenant "acme", certificate "service/NAME". */
struct op_caller caller_of(const char *tenant, const char *name, uint64_t instance);
void call_init(struct call *call, enum op_number number, const struct op_caller *caller,
               uint64_t client, uint64_t request);
/* The entry that a leader would commit for it; `number` may also be an op_command_kind. */
size_t entry_of(const struct call *call, uint64_t stamp, void *buffer, size_t capacity);
size_t entry_of_kind(uint32_t kind, uint64_t stamp, void *buffer, size_t capacity);

/* Applies one entry of one command; its answer is in machine->reply, fields, details. */
enum op_outcome machine_entry(struct machine *machine, struct bytes entry);
enum op_outcome machine_command(struct machine *machine, const struct call *call);
void machine_tick(struct machine *machine);
/* Clock `clock` (0: T). */
enum fsm_read_verdict machine_read(struct machine *machine, const struct call *call,
                                   uint64_t clock);

/* Digest of what the law reads: all but positions, clients, requests, and what only carries them.
 */
struct hash128 law_digest(const struct machine *machine);

#endif
