/* Processes of a cluster of cluster/local, by the ids and start times that it wrote down. */
#include "tests/bench/servers.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct process {
    int pid;
    unsigned long long started; /* field 22 of /proc/PID/stat */
    unsigned long long ticks;   /* fields 14 and 15 */
};

/* The second field is a name in parentheses, in which anything may stand. */
static bool read_stat(struct process *process)
{
    char path[64], line[1024];
    (void)snprintf(path, sizeof(path), "/proc/%d/stat", process->pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    bool read = fgets(line, sizeof(line), file) != NULL;
    fclose(file);
    char *rest = read ? strrchr(line, ')') : NULL;
    unsigned long long user, kernel;
    if (rest == NULL || sscanf(rest,
                               ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu %*s %*s "
                               "%*s %*s %*s %*s %llu",
                               &user, &kernel, &process->started) != 3) {
        return false;
    }
    process->ticks = user + kernel;
    return true;
}

static bool find(const char *folder, size_t node, struct process *ret_process)
{
    char path[600];
    unsigned long long started;
    (void)snprintf(path, sizeof(path), "%s/node-%zu/pid", folder, node);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    int fields = fscanf(file, "%d %llu", &ret_process->pid, &started);
    fclose(file);
    return fields == 2 && ret_process->pid > 0 && read_stat(ret_process) &&
           ret_process->started == started;
}

bool servers_cpu(const char *folder, size_t node, double *ret_seconds)
{
    struct process process;
    bool found = find(folder, node, &process);
    if (found) {
        *ret_seconds = (double)process.ticks / (double)sysconf(_SC_CLK_TCK);
    }
    return found;
}

bool servers_cpu_all(const char *folder, size_t nodes, double *ret_seconds)
{
    double sum = 0, one;
    for (size_t node = 1; node <= nodes; node++) {
        if (!servers_cpu(folder, node, &one)) {
            return false;
        }
        sum += one;
    }
    *ret_seconds = sum;
    return true;
}

bool servers_memory(const char *folder, size_t node, struct servers_memory *ret_memory)
{
    struct process process;
    char path[64], line[1024];
    uint64_t kib, size = 0, largest = 0;
    *ret_memory = (struct servers_memory){.fsm = 0};
    if (!find(folder, node, &process)) {
        return false;
    }
    (void)snprintf(path, sizeof(path), "/proc/%d/smaps", process.pid);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return false;
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "Size: %" SCNu64, &kib) == 1) {
            size = kib;
        } else if (sscanf(line, "Rss: %" SCNu64, &kib) == 1) {
            ret_memory->resident += kib * 1024;
            if (size > largest) {
                largest = size;
                ret_memory->fsm = kib * 1024;
            }
        }
    }
    fclose(file);
    return ret_memory->resident > 0;
}

bool servers_kill(const char *folder, size_t node)
{
    struct process process;
    return find(folder, node, &process) && kill(process.pid, SIGKILL) == 0;
}
