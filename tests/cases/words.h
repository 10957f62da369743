/* A line of a case file taken apart: a command and its key=value words. */
#ifndef TESTS_CASES_WORDS_H
#define TESTS_CASES_WORDS_H

#include "tests/cases/scenario.h"

enum { CASE_WORDS_MAX = 64 };

struct word {
    struct bytes key;
    struct bytes value; /* without its quotes */
    bool plain;         /* no "=": all of it is the key */
};

struct words {
    size_t count;
    struct word list[CASE_WORDS_MAX];
};

/* Splits at blanks; a value may stand in double quotes. The words point into `line`. */
void case_words(const struct scenario *scenario, struct bytes line, struct words *ret_words);
bool case_word_is(struct bytes word, const char *text);
/* Cuts `text` at the first `separator`: the part before it; `text` becomes the rest (empty, with
 * data NULL, when there was none). */
struct bytes case_cut(struct bytes *text, char separator);

#endif
