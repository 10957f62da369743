/* What a case file talks about: names, clients, and the machines that it drives. */
#ifndef TESTS_CASES_SCENARIO_H
#define TESTS_CASES_SCENARIO_H

#include "fsm/machine.h"

enum { CASE_NAME_MAX = 40, CASE_BINDINGS_MAX = 1024, CASE_CLIENTS_MAX = 256 };
enum { CASE_TEXT_BYTES = 512 * 1024, CASE_OUTPUT_BYTES = 256 * 1024 };

enum binding_kind {
    BOUND_OBJECT, /* an id without a secret: a task */
    BOUND_SESSION,
    BOUND_FENCE,
    BOUND_CLIENT,
};

/* A name in a case file, and the random things that it stands for. */
struct binding {
    char name[CASE_NAME_MAX];
    enum binding_kind kind;
    struct id128 id; /* of the session, of the task (its fences have it too) */
    uint64_t secret;
    uint64_t epoch;
    uint64_t attempt;
    uint64_t client;          /* registration position */
    char user[CASE_NAME_MAX]; /* whose it is, for the runner's own questions */
    char tenant[CASE_NAME_MAX];
};

/* How a client numbers its requests. */
struct case_client {
    uint64_t position;
    uint64_t next;
    uint64_t lowest;
    uint64_t heard;
    bool standing; /* made by the runner for a certificate that calls */
    char tenant[CASE_NAME_MAX];
    char name[CASE_NAME_MAX];
};

struct replica {
    struct fsm *fsm;
    void *memory;
    size_t size;
};

/* One answer, kept beyond its callback. */
struct answer {
    struct fsm_reply reply;
    uint8_t body[FSM_RESULT_MAX];
};

struct scenario {
    const char *file;
    size_t line; /* of the command at hand, for errors */
    struct fsm_birth birth;
    struct replica first;
    struct replica
        second;     /* gets the same entries, and is restored from the first again and again */
    uint64_t stamp; /* of the next entry */
    uint64_t drawn; /* ids and secrets drawn so far */
    struct binding bindings[CASE_BINDINGS_MAX];
    size_t binding_count;
    struct case_client clients[CASE_CLIENTS_MAX];
    size_t client_count;
    struct fsm_counters counted; /* before the last command */
    struct hash128 marked;       /* by `mark` */
    uint8_t *image;              /* of a snapshot */
    size_t image_size;
    size_t image_capacity;
    bool broken; /* an invariant of the runner failed: no expectation can make that good */
    char text[CASE_TEXT_BYTES];
    size_t text_used;
    char output[CASE_OUTPUT_BYTES];
    size_t output_used;
};

/* Ends the run: the case file itself is wrong. */
_Noreturn void case_wrong(const struct scenario *scenario, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Says that an invariant failed, and remembers it. */
void case_broken(struct scenario *scenario, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Appends to what the block answers. */
void case_print(struct scenario *scenario, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Room for text that lives until the next command is read. */
char *case_text(struct scenario *scenario, size_t size);

/* ---- names.c ---- */
struct binding *case_bind(struct scenario *scenario, struct bytes name, enum binding_kind kind);
/* NULL when nothing has that name. */
const struct binding *case_binding(const struct scenario *scenario, struct bytes name);
/* The first name given to this id, "none" for zero, "?" for an id that no name stands for. */
const char *case_name_of_id(const struct scenario *scenario, struct id128 id);
struct id128 case_draw_id(struct scenario *scenario);
uint64_t case_draw_secret(struct scenario *scenario);
struct id128 case_incarnation(void);
void case_verifier(struct id128 id, uint64_t secret, uint8_t ret_verifier[32]);
bool case_copy(char *buffer, size_t size, struct bytes text);

/* ---- times (words.c): "1h30m", "250ms", "infinite" ---- */
bool case_time_read(struct bytes text, uint64_t *ret_us);
void case_time_print(struct scenario *scenario, uint64_t us);
/* A point of cluster time: in seconds, as `at` takes it. */
void case_stamp_print(struct scenario *scenario, uint64_t us);
bool case_number_read(struct bytes text, uint64_t *ret_number);

#endif
