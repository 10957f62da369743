/* What the processes of a cluster of cluster/local cost: processor time and memory, from /proc.
 * Needs their ids in the cluster's folder; signals none but as asked.
 */
#ifndef TESTS_BENCH_SERVERS_H
#define TESTS_BENCH_SERVERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Processor seconds that node N (from 1) has used, in user and kernel mode. False: no process of
 * the cluster, or another one has its id by now. */
bool servers_cpu(const char *folder, size_t node, double *ret_seconds);
/* Of `nodes` nodes together. */
bool servers_cpu_all(const char *folder, size_t nodes, double *ret_seconds);

struct servers_memory {
    uint64_t fsm;      /* touched bytes of the state machine's range: the largest mapping */
    uint64_t resident; /* bytes of the process */
};
bool servers_memory(const char *folder, size_t node, struct servers_memory *ret_memory);
/* SIGKILL. False as above. */
bool servers_kill(const char *folder, size_t node);

#endif
