/* Answers as lines of text: names instead of ids, no secret, no hash. */
#ifndef TESTS_CASES_SHOW_H
#define TESTS_CASES_SHOW_H

#include "tests/cases/call.h"

/* One line, without its end. Takes over what the answer says about the call's names. */
void show_answer(struct scenario *scenario, const struct call *call, const struct fsm_reply *reply);

#endif
