/* A history: what was asked, when, and what was answered. Keeps it small, judges nothing.
 *
 * Feed it in memory (history_invoke, then history_return for each operation that was answered), or
 * read JSON lines (history_read). The format is in README.md. Rows may come in any order.
 *
 * One row is one try. Tries of one operation share (client, number); the checker takes them for one
 * operation, invoked when the first was sent.
 */
#ifndef JEPSEN_CHECK_HISTORY_H
#define JEPSEN_CHECK_HISTORY_H

#include "jepsen/model/model.h"

#include <stdio.h>

#define HISTORY_NEVER UINT64_MAX

/* One row. Times are nanoseconds of one clock that all processes of the history share. */
struct event {
    uint64_t call_ns;
    uint64_t ret_ns;                /* HISTORY_NEVER: no answer */
    uint64_t position, time, clock; /* of the answer; T and the leader's clock in µs */
    uint64_t client, number;
    uint32_t term;
    uint32_t proc, seq;
    uint32_t caller;         /* name of four numbers: see history_caller */
    uint32_t request, reply; /* where their fields are kept */
    uint16_t attempt;        /* try */
    uint8_t f;               /* enum op_number */
    uint8_t outcome;         /* enum op_outcome */
    bool superseded;
    bool again;   /* sent once more under its number, since an earlier try may have happened */
    bool command; /* it is one, or may be: of OP_EITHER, unless the answer says otherwise */
};

struct history {
    struct names *names;
    struct event *events;
    uint32_t count, capacity;
    uint32_t *words; /* fields, packed */
    uint32_t word_count, word_capacity;
};

struct history_caller {
    struct bytes tenant, certificate;
    uint32_t role;
    struct id128 instance;
};

struct history_call {
    uint32_t proc, seq;
    uint16_t attempt;
    bool again;
    enum op_number f;
    struct history_caller caller;
    uint64_t client, number; /* 0, 0 for what carries no request number */
    uint64_t call_ns;
    const union op_request *request;
};

struct history_answer {
    enum op_outcome outcome;
    bool superseded;
    uint64_t ret_ns, position, time, clock, term;
    const struct op_details *details; /* or NULL */
    const union op_reply *reply;      /* or NULL */
};

struct history *history_create(void);
void history_destroy(struct history *history);

/* Copies everything; returns the row's index. Its outcome is UNKNOWN until it is answered. A token
 * is known by its secret, or by its verifier where the secret is all zeros: be consistent. */
uint32_t history_invoke(struct history *history, const struct history_call *call);
void history_return(struct history *history, uint32_t row, const struct history_answer *answer);
/* Where a command of unknown outcome was applied, for those who can see the log. */
void history_place(struct history *history, uint32_t row, uint64_t position, uint64_t time);
/* Appends a copy of another history's row. */
void history_copy(struct history *history, const struct history *from, uint32_t row);

/* `ret_value` is of the row's request (reply, details) struct; borrows from the names. */
void history_request(const struct history *history, const struct event *event,
                     union op_request *ret_request);
void history_reply(const struct history *history, const struct event *event,
                   union op_reply *ret_reply);
void history_details(const struct history *history, const struct event *event,
                     struct op_details *ret_details);
struct history_caller history_caller_of(const struct history *history, const struct event *event);
/* A number that equal requests share. */
uint64_t history_digest(const struct history *history, const struct event *event);
bool history_is_write(const struct event *event);
/* DONE or REFUSED: the answer says what happened. */
bool history_definite(const struct event *event);

/* ---- JSON lines (json.c) ---- */

/* Reads one line into a new row; false, and what is wrong, when it is none. */
bool history_read_line(struct history *history, const char *line, size_t size, char *ret_fault,
                       size_t fault_size);
/* Reads all lines of a file; empty ones are skipped. False with "line N: …". */
bool history_read(struct history *history, FILE *file, char *ret_fault, size_t fault_size);
/* Writes one row as a line. False when the file does not take it. */
bool history_write_row(const struct history *history, uint32_t row, FILE *file);
bool history_write(const struct history *history, FILE *file);

#endif
