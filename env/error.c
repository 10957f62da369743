/* The texts of the env's errors. Knows nothing of where they come from. */
#include "env/env.h"

const char *env_error_text(int rc)
{
    switch ((enum env_error)rc) {
    case ENV_OK:
        return "no error";
#define ENV_ERROR_TEXT_(number, NAME, text)                                                        \
    case ENV_##NAME:                                                                               \
        return text;
        ENV_ERRORS(ENV_ERROR_TEXT_)
#undef ENV_ERROR_TEXT_
    }
    return "unknown error";
}
