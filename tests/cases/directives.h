/* The commands of a case file that are not operations. */
#ifndef TESTS_CASES_DIRECTIVES_H
#define TESTS_CASES_DIRECTIVES_H

#include "tests/cases/words.h"

/* False: the words are not a directive. Prints its answer, if it has one. */
bool directive(struct scenario *scenario, const struct words *words);

#endif
