/* tenure-story: the story on real processes. Nodes are cluster/local's, workers are tenure-worker,
 * both by process id; everything lives on a loopback address and in a folder of its own.
 *
 * What it does not do: build anything (./demo does), or know how a cluster is set up
 * (cluster/local does).
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "tests/story/story.h"

enum { PATH_BYTES = PATH_MAX, HEAR_MS = 30000 };

extern char **environ;

struct process_worker {
    pid_t pid; /* 0: not started */
    int to;    /* its standard input */
    FILE *from;
};

struct world {
    char root[PATH_BYTES];   /* of the repository */
    char build[PATH_BYTES];  /* where the programs are */
    char parent[PATH_BYTES]; /* a temporary folder of our own */
    char folder[PATH_BYTES]; /* of the cluster, in it */
    char servers[STORY_NODES][64];
    char ca[PATH_BYTES];
    char certificate[PATH_BYTES];
    char key[PATH_BYTES];
    struct process_worker workers[STORY_WORKERS];
    struct story_stage stage;
};

static bool complain(const char *what)
{
    fprintf(stderr, "tenure-story: %s: %s\n", what, strerror(errno));
    return false;
}

/* ---- running programs ---- */

static bool run(char *const words[])
{
    pid_t pid;
    int rc = posix_spawn(&pid, words[0], NULL, NULL, words, environ);
    int status = 0;
    if (rc != 0) {
        errno = rc;
        return complain(words[0]);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* cluster/local VERB [NODE], about our cluster. */
static bool local(const struct world *world, const char *verb, const char *node)
{
    char script[PATH_BYTES + 32];
    snprintf(script, sizeof(script), "%s/cluster/local", world->root);
    char *words[8] = {script, (char *)verb};
    size_t count = 2;
    if (node != NULL) {
        words[count++] = (char *)node;
    }
    words[count++] = (char *)"--folder";
    words[count++] = (char *)world->folder;
    words[count++] = (char *)"--build";
    words[count++] = (char *)world->build;
    return run(words);
}

/* ---- where the cluster is ---- */

/* The value after "KEY: " or "  - ", without quotes; NULL when the line is another one. */
static char *value_of(char *line, const char *key)
{
    size_t length = strlen(key);
    if (strncmp(line, key, length) != 0) {
        return NULL;
    }
    char *value = line + length + strspn(line + length, " \"");
    value[strcspn(value, "\"\n")] = '\0';
    return value;
}

/* A path of the file is relative to the cluster's folder. */
static void take_path(const struct world *world, char *line, const char *key, char ret[PATH_BYTES])
{
    const char *value = value_of(line, key);
    if (value != NULL) {
        snprintf(ret, PATH_BYTES, "%.*s/%.*s", PATH_BYTES / 2, world->folder, PATH_BYTES / 2 - 2,
                 value);
    }
}

/* The file that cluster/local writes for clients. */
static bool read_settings(struct world *world)
{
    char path[PATH_BYTES + 32];
    char line[1024];
    size_t count = 0;
    snprintf(path, sizeof(path), "%s/client.yaml", world->folder);
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        return complain(path);
    }
    while (fgets(line, sizeof(line), file) != NULL) {
        const char *server = value_of(line, "  - ");
        if (server != NULL && count < STORY_NODES) {
            snprintf(world->servers[count++], sizeof(world->servers[0]), "%.63s", server);
        }
        take_path(world, line, "ca: ", world->ca);
        take_path(world, line, "cert: ", world->certificate);
        take_path(world, line, "key: ", world->key);
    }
    fclose(file);
    errno = EINVAL;
    return count == STORY_NODES && world->key[0] != '\0' ? true : complain(path);
}

static struct tenure_client *open_client(struct world *world, size_t first, size_t count)
{
    const char *servers[STORY_NODES];
    for (size_t i = 0; i < count; i++) {
        servers[i] = world->servers[first + i];
    }
    struct tenure_options options = {.servers = servers,
                                     .server_count = count,
                                     .ca = world->ca,
                                     .certificate = world->certificate,
                                     .key = world->key,
                                     .software = "story",
                                     .timeout_us = count == 1 ? 1000000 : 10000000,
                                     .stay = count == 1};
    char error[512];
    struct tenure_client *client = NULL;
    if (!tenure_open(&options, error, sizeof(error), &client)) {
        fprintf(stderr, "tenure-story: %s\n", error);
    }
    return client;
}

/* ---- the stage: workers ---- */

static bool spawn_worker(struct world *world, struct process_worker *worker)
{
    int in[2];
    int out[2];
    if (pipe(in) != 0 || pipe(out) != 0) {
        return complain("pipe");
    }
    char program[PATH_BYTES + 64];
    snprintf(program, sizeof(program), "%s/tests/story/tenure-worker", world->build);
    char *words[] = {program,           world->ca,         world->certificate, world->key,
                     world->servers[0], world->servers[1], world->servers[2],  NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in[0], STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
    posix_spawn_file_actions_addclose(&actions, in[1]);
    posix_spawn_file_actions_addclose(&actions, out[0]);
    int rc = posix_spawn(&worker->pid, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    close(in[0]);
    close(out[1]);
    worker->to = in[1];
    worker->from = fdopen(out[0], "r");
    errno = rc;
    return rc == 0 && worker->from != NULL ? true : complain(program);
}

static bool worker_start(void *arg, size_t which)
{
    struct world *world = arg;
    return spawn_worker(world, &world->workers[which]);
}

static bool worker_tell(void *arg, size_t which, const char *line)
{
    struct world *world = arg;
    return dprintf(world->workers[which].to, "%s\n", line) > 0 ? true : complain("a worker");
}

static bool worker_hear(void *arg, size_t which, char ret_line[STORY_LINE])
{
    struct world *world = arg;
    struct pollfd ready = {.fd = fileno(world->workers[which].from), .events = POLLIN};
    if (poll(&ready, 1, HEAR_MS) != 1) { /* it answers one line at a time: nothing is buffered */
        errno = ETIMEDOUT;
        return complain("a worker");
    }
    if (fgets(ret_line, STORY_LINE, world->workers[which].from) == NULL) {
        return complain("a worker");
    }
    ret_line[strcspn(ret_line, "\n")] = '\0';
    return true;
}

static bool worker_freeze(void *arg, size_t which)
{
    struct world *world = arg;
    pid_t pid = world->workers[which].pid;
    int status = 0;
    return kill(pid, SIGSTOP) == 0 && waitpid(pid, &status, WUNTRACED) == pid && WIFSTOPPED(status)
               ? true
               : complain("SIGSTOP");
}

static bool worker_thaw(void *arg, size_t which)
{
    struct world *world = arg;
    return kill(world->workers[which].pid, SIGCONT) == 0 ? true : complain("SIGCONT");
}

/* ---- the stage: nodes and time ---- */

static bool node_kill(void *arg, size_t which)
{
    char node[8];
    snprintf(node, sizeof(node), "%zu", which + 1);
    return local(arg, "kill", node);
}

static bool node_start(void *arg, size_t which)
{
    char node[8];
    snprintf(node, sizeof(node), "%zu", which + 1);
    return local(arg, "start", node);
}

/* Time is what the story is about here; the clients live on meanwhile. */
static void let_pass(void *arg, uint64_t us)
{
    struct world *world = arg;
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    uint64_t end = (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000 + us;
    for (uint64_t now = end - us; now < end;
         now = (uint64_t)at.tv_sec * 1000000 + (uint64_t)at.tv_nsec / 1000) {
        tenure_process(world->stage.client, end - now);
        clock_gettime(CLOCK_MONOTONIC, &at);
    }
}

/* ---- life ---- */

static bool stage_set(struct world *world)
{
    if (!read_settings(world)) {
        return false;
    }
    world->stage = (struct story_stage){
        .arg = world,
        .worker_start = worker_start,
        .worker_tell = worker_tell,
        .worker_hear = worker_hear,
        .worker_freeze = worker_freeze,
        .worker_thaw = worker_thaw,
        .node_kill = node_kill,
        .node_start = node_start,
        .wait = let_pass,
        .client = open_client(world, 0, STORY_NODES),
    };
    bool opened = world->stage.client != NULL;
    for (size_t i = 0; i < STORY_NODES; i++) {
        world->stage.nodes[i] = open_client(world, i, 1);
        opened = opened && world->stage.nodes[i] != NULL;
    }
    return opened;
}

/* The player's whole life; its workers are in its process group and end with that. */
static int play(struct world *world)
{
    bool played = stage_set(world) && story_play(&world->stage);
    tenure_close(world->stage.client);
    for (size_t i = 0; i < STORY_NODES; i++) {
        tenure_close(world->stage.nodes[i]);
    }
    return played ? EXIT_SUCCESS : EXIT_FAILURE;
}

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

/* Plays in a process group of its own, so that whatever happens to it, all of it can be ended. */
static bool supervise(struct world *world)
{
    fflush(stdout);
    pid_t player = fork();
    if (player == 0) {
        (void)setpgid(0, 0);
        signal(SIGINT, SIG_DFL);
        signal(SIGTERM, SIG_DFL);
        exit(play(world));
    }
    (void)setpgid(player, player); /* whoever of the two comes first */
    int status = 0;
    pid_t ended = 0;
    while (player > 0 && ended != player && interrupted == 0) {
        ended = waitpid(player, &status, 0);
    }
    (void)kill(-player, SIGKILL);
    if (ended != player) {
        (void)waitpid(player, &status, 0);
        fprintf(stderr, "tenure-story: interrupted\n");
    }
    return ended == player && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SUCCESS;
}

static void world_end(struct world *world, bool keep)
{
    if (keep) {
        (void)local(world, "env", NULL);
        printf("# to end it: '%s/cluster/local' down --folder '%s' && rm -r '%s'\n", world->root,
               world->folder, world->parent);
        return;
    }
    (void)local(world, "down", NULL);
    char *words[] = {(char *)"/bin/rm", (char *)"-rf", world->parent, NULL};
    (void)run(words);
}

static const char usage[] =
    "Usage: tenure-story [--keep] [--root DIR] [--build DIR]\n"
    "\n"
    "Plays the story on three nodes of this machine, and exits with 0 when every answer was as it\n"
    "has to be.\n"
    "\n"
    "      --keep       leave the cluster up, and print how to talk to it and to end it\n"
    "      --root DIR   the repository (default: .)\n"
    "      --build DIR  the build whose programs are used (default: build/dev)\n"
    "  -h, --help       print this, then exit\n";

static int parse(int argc, char **argv, const char **ret_root, const char **ret_build,
                 bool *ret_keep)
{
    enum { KEEP = 1000, ROOT, BUILD };
    static const struct option options[] = {{"keep", no_argument, NULL, KEEP},
                                            {"root", required_argument, NULL, ROOT},
                                            {"build", required_argument, NULL, BUILD},
                                            {"help", no_argument, NULL, 'h'},
                                            {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
        switch (option) {
        case KEEP:
            *ret_keep = true;
            break;
        case ROOT:
            *ret_root = optarg;
            break;
        case BUILD:
            *ret_build = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            exit(EXIT_SUCCESS);
        default:
            return 2;
        }
    }
    if (optind != argc) {
        fprintf(stderr, "tenure-story: %s: no argument is expected (see --help)\n", argv[optind]);
        return 2;
    }
    return 0;
}

static bool make_folder(struct world *world)
{
    const char *parent = getenv("TMPDIR");
    snprintf(world->parent, sizeof(world->parent), "%s/tenure-story-XXXXXX",
             parent == NULL ? "/tmp" : parent);
    if (mkdtemp(world->parent) == NULL) {
        return complain(world->parent);
    }
    snprintf(world->folder, sizeof(world->folder), "%.*s/cluster", PATH_BYTES - 16, world->parent);
    return true;
}

int main(int argc, char **argv)
{
    static struct world world;
    const char *root = ".";
    const char *build = "build/dev";
    bool keep = false;
    int rc = parse(argc, argv, &root, &build, &keep);
    if (rc != 0) {
        return rc;
    }
    if (realpath(root, world.root) == NULL || realpath(build, world.build) == NULL) {
        complain("--root or --build");
        return EXIT_FAILURE;
    }
    signal(SIGPIPE, SIG_IGN);
    struct sigaction action = {.sa_handler = on_signal}; /* waits end early: no SA_RESTART */
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    if (!make_folder(&world)) {
        return EXIT_FAILURE;
    }
    bool started = local(&world, "up", NULL);
    bool played = started && interrupted == 0 && supervise(&world);
    world_end(&world, keep && started && interrupted == 0);
    return played ? EXIT_SUCCESS : EXIT_FAILURE;
}
