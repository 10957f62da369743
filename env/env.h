/* The world as the code sees it: one `struct env` a process (or a simulated process).
 *
 * Nothing outside env/uv touches the kernel, a clock, a random source, a thread, TLS or a disk.
 * There are two implementations of these headers, chosen at link time: env/uv (libuv, OpenSSL,
 * Linux) and env/sim (deterministic). An env is single-threaded: all its calls and callbacks happen
 * on the thread that runs it, but for the `run` half of queued work.
 *
 * Errors are negative `int rc` from env/error.def, never errno values.
 */
#ifndef ENV_ENV_H
#define ENV_ENV_H

#include "base/bytes.h"

struct env;

#define ENV_ERRORS(E)                                                                              \
    E(1, FAILED, "failed")                                                                         \
    E(2, NOT_FOUND, "no such file or folder")                                                      \
    E(3, EXISTS, "exists already")                                                                 \
    E(4, NO_SPACE, "the disk is full")                                                             \
    E(5, IO, "the disk reported an error")                                                         \
    E(6, DENIED, "permission denied")                                                              \
    E(7, REFUSED, "connection refused")                                                            \
    E(8, RESET, "connection lost")                                                                 \
    E(9, TLS, "TLS handshake failed")                                                              \
    E(10, ADDRESS, "not a usable address")                                                         \
    E(11, LIMIT, "a limit is reached")                                                             \
    E(12, INVALID, "not valid")                                                                    \
    E(13, CLOSED, "closed")                                                                        \
    E(14, IN_USE, "in use by another process")                                                     \
    E(15, CRASHED, "the simulated process has crashed")

#define ENV_ERROR_(number, NAME, text) ENV_##NAME = -(number),
enum env_error { ENV_OK = 0, ENV_ERRORS(ENV_ERROR_) };
#undef ENV_ERROR_

/* "the disk is full"; static storage. */
const char *env_error_text(int rc);

/* Creating an env is the implementation's affair (env/uv/uv.h, env/sim/sim.h). */

#endif
