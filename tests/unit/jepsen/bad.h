/* A history that is known to be bad, and how it is judged. Not whose promise it breaks: test_bad.c
 * and test_bad_rights.c. */
#ifndef TESTS_JEPSEN_BAD_H
#define TESTS_JEPSEN_BAD_H

#include "tests/unit/jepsen/scene.h"

struct bad {
    void (*play)(struct scene *scene);
    enum model_property property;
    const char *rule; /* part of it */
};

/* Fails the test unless the checker refuses it for that promise by that rule, and taking any one
 * operation away (with what depends on it) makes it good. */
void bad_check(const struct bad *bad);

#endif
