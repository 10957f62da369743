/* Calls of libtenure as rows of a history. Draws no workload and judges nothing.
 *
 * `struct recorder` is for whoever runs clients of its own (real processes); the parts
 * above it are what the simulator uses too, which notes calls in its own way.
 */
#ifndef JEPSEN_RECORD_RECORD_H
#define JEPSEN_RECORD_RECORD_H

#include "client-lib/internal.h"
#include "jepsen/check/history.h"

/* op's struct of a public one, by the library's own converter. Returns owned. */
void *recorder_op_of(const struct op_struct *s, const struct tenure_field_map *map,
                     const void *value);
/* The answer of a row. One of unknown outcome says nothing: the row stays as it is. Returns the
 * reply as op's struct, owned; NULL when there is none. */
void *recorder_return(struct history *history, uint32_t row, const struct tenure_result *result,
                      const void *reply, uint64_t ret_ns);
/* The request number of a row, known once it was sent. What carries no number belongs to no client.
 * The try is the last one: the library heeds the answers of no other. */
void recorder_number(struct history *history, uint32_t row, uint64_t client, uint64_t number,
                     uint32_t attempt);

/* The library registers itself unseen: this is its row. It was invoked at `from_ns` or later, and
 * had returned at `until_ns`. */
struct recorder_registration {
    uint64_t client; /* its position */
    uint64_t time;   /* T there */
    uint64_t term;
    uint64_t silence;
    uint64_t from_ns, until_ns;
};
void recorder_register(struct history *history, const struct history_caller *caller,
                       const struct recorder_registration *registration);

/* ---- clients whose calls are rows ---- */

enum { RECORDER_GENERATIONS = 64 };

struct recorder {
    struct history *history;      /* borrowed */
    struct tenure_client *client; /* borrowed */
    struct history_caller caller; /* texts are borrowed */
    uint32_t proc;
    uint32_t seq;
    uint32_t open; /* calls without an answer yet */
    uint64_t from_ns;
    uint64_t registered;                    /* the newest generation that has a row */
    uint64_t clients[RECORDER_GENERATIONS]; /* the client's id in each */
};

/* `reply` as tenure.h has it, NULL unless the class is DONE; both are gone when it returns. */
typedef void (*recorder_cb)(void *arg, uint32_t row, const struct tenure_result *result,
                            const void *reply);

/* `certificate`: of a service, its name. */
void recorder_init(struct recorder *recorder, struct history *history, uint32_t proc,
                   struct tenure_client *client, const char *tenant, const char *certificate);
/* Starts a call of the public request struct of that operation; returns its row. The callback runs
 * once, after the answer stands in the history. */
uint32_t recorder_call(struct recorder *recorder, enum op_number number, const void *request,
                       recorder_cb callback, void *arg);

#endif
