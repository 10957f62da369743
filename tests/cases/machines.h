/* The machines that a case file drives, and what must hold whatever the file expects. */
#ifndef TESTS_CASES_MACHINES_H
#define TESTS_CASES_MACHINES_H

#include "tests/cases/scenario.h"

/* Begins anew with these limits: fresh machines, no names, no clients, TERM_START of term 1. */
void machines_begin(struct scenario *scenario, const struct op_limits *limits);
void machines_end(struct scenario *scenario);
/* Small tables and otherwise the defaults; clients live for a day, so that only the files about
 * silence meet it. */
void machines_limits(struct op_limits *ret_limits);

/* Applies an entry to both machines. `answers`: one for each command; NULL to drop them. */
void machines_apply(struct scenario *scenario, struct bytes entry, struct answer *answers);
/* T is raised to `stamp` and nothing else happens: an entry without commands. */
void machines_pass(struct scenario *scenario);
/* An entry of one command that no client asks for. */
void machines_apply_own(struct scenario *scenario, uint32_t kind, uint64_t term,
                        struct answer *ret_answer);
/* Asks both machines; they must agree. `body` of FSM_REPLY_MAX is what the reply points into. */
enum fsm_read_verdict machines_read(struct scenario *scenario, const struct fsm_read *read,
                                    uint8_t *body, struct fsm_reply *ret_reply);
/* The second machine becomes a restored image of the first. */
void machines_restore(struct scenario *scenario);

/* Digest of all that the law reads: every record but the position, the term, clients, and what
 * their requests answered. */
struct hash128 machines_law(const struct fsm *fsm);

/* ---- questions.c: the sweep changes no answer ---- */
enum { QUESTIONS_OF_ONE = 8 };

struct questions {
    size_t count;
    struct hash128 answers[QUESTIONS_OF_ONE * CASE_BINDINGS_MAX];
};
/* Asks about every session and fence that has a name. */
void questions_ask(struct scenario *scenario, struct questions *ret_questions);
/* Asks again; an answer that differs breaks the scenario. */
void questions_compare(struct scenario *scenario, const struct questions *before);

#endif
