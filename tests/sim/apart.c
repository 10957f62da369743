/* A run in a process of its own: what ends that process, or never ends, is a failure of the run.
 *
 * The child plays into memory that it shares with its parent; what it writes to standard error is
 * kept, and becomes the failure's text when it dies.
 */
#include "tests/sim/run.h"

#include "base/assert.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* Real seconds for a run; the slowest build under load needs a tenth of it. */
static unsigned seconds_max(const struct run_setup *setup)
{
    return 120 + (unsigned)(setup->fault_us / SIM_SECOND) * 2;
}

static _Noreturn void play_child(const struct run_setup *setup, struct run_result *result,
                                 FILE *errors)
{
    if (setup->told != TOLD_LOG) {
        (void)dup2(fileno(errors), STDERR_FILENO);
    }
    (void)alarm(seconds_max(setup));
    run_play(setup, result);
    exit(EXIT_SUCCESS);
}

/* The line that says what is wrong, else the first one. */
static void find_cause(FILE *errors, char *ret_line, size_t size)
{
    static const char *const marks[] = {"assertion failed", "runtime error", "ERROR: "};
    char line[512];
    ret_line[0] = '\0';
    rewind(errors);
    while (fgets(line, sizeof(line), errors) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++) {
            if (strstr(line, marks[i]) != NULL) {
                snprintf(ret_line, size, "%s", line);
                return;
            }
        }
        if (ret_line[0] == '\0') {
            snprintf(ret_line, size, "%s", line);
        }
    }
}

static void bury_child(const struct run_setup *setup, int status, FILE *errors,
                       struct run_result *result)
{
    char cause[512];
    if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS) {
        return;
    }
    find_cause(errors, cause, sizeof(cause));
    result->verdict = RUN_FAILED;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM) {
        snprintf(result->failure, sizeof(result->failure),
                 "L1: the run does not end: %u s of real time", seconds_max(setup));
    } else if (WIFSIGNALED(status)) {
        snprintf(result->failure, sizeof(result->failure), "L1: a process died of %s: %s",
                 strsignal(WTERMSIG(status)), cause);
    } else {
        snprintf(result->failure, sizeof(result->failure), "L1: a process ended with %d: %s",
                 WEXITSTATUS(status), cause);
    }
}

void run_play_apart(const struct run_setup *setup, struct run_result *ret_result)
{
    struct run_result *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                                     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    FILE *errors = tmpfile();
    int status = 0;
    ASSERT(shared != MAP_FAILED && errors != NULL);
    (void)fflush(NULL);
    pid_t child = fork();
    ASSERT(child >= 0);
    if (child == 0) {
        play_child(setup, shared, errors);
    }
    ASSERT(waitpid(child, &status, 0) == child);
    bury_child(setup, status, errors, shared);
    memcpy(ret_result, shared,
           offsetof(struct run_result, taken) + shared->taken_count * sizeof(shared->taken[0]));
    (void)fclose(errors);
    (void)munmap(shared, sizeof(*shared));
}
