/* Clients over the real world. The one file of the library that names env/uv. */
#include <stdio.h>

#include "client-lib/internal.h"
#include "env/uv/uv.h"

bool tenure_open(const struct tenure_options *options, char *error, size_t error_size,
                 struct tenure_client **ret_client)
{
    struct env *env;
    if (env_uv_create(&env) != ENV_OK) {
        snprintf(error, error_size, "cannot set up an event loop");
        return false;
    }
    if (!tenure_open_env(env, options, error, error_size, ret_client)) {
        env_uv_destroy(env);
        return false;
    }
    (*ret_client)->close_env = env_uv_destroy;
    return true;
}
