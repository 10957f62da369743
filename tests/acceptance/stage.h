/* What the themes of this folder share: a running cluster, clients of three certificates, calls
 * that every theme makes, and the table of rows that a program plays. Judges nothing by itself.
 */
#ifndef TESTS_ACCEPTANCE_STAGE_H
#define TESTS_ACCEPTANCE_STAGE_H

#include <stdio.h>

#include "tests/cluster/remote.h"

#define STAGE_SECOND UINT64_C(1000000)
#define STAGE_MINUTE (60 * STAGE_SECOND)
#define STAGE_HOUR (60 * STAGE_MINUTE)

enum { STAGE_TOKEN = 256, STAGE_VALUE = 128 };

struct stage {
    struct remote remote;
    struct tenure_client *client;   /* service demo/local */
    struct tenure_client *second;   /* another service of the same tenant */
    struct tenure_client *stranger; /* a service of another tenant */
    unsigned failed;
};

/* One law, and the rows of docs/FEATURES.md that ask for it. */
struct stage_row {
    const char *rows;
    const char *law;
    void (*play)(struct stage *stage);
};

/* Plays all; prints a line for each. Returns the exit status. */
int stage_main(int argc, char **argv, const struct stage_row *rows, size_t count);

#define EXPECT(stage, condition, ...)                                                              \
    ((condition) ? (void)0 : stage_fail(stage, __FILE__, __LINE__, #condition, __VA_ARGS__))
void stage_fail(struct stage *stage, const char *file, int line, const char *condition,
                const char *format, ...) __attribute__((format(printf, 5, 6)));

struct stage_session {
    struct tenure_id id;
    char user[128];
    char token[STAGE_TOKEN];
    uint64_t epoch;
    uint64_t time; /* T of its creation */
};

/* A session with state:write, task:begin and task:user; fails the row when there is none. */
void stage_open(struct stage *stage, struct tenure_client *client, const char *user,
                struct stage_session *ret_session);
enum tenure_outcome stage_create(struct tenure_client *client,
                                 const struct tenure_session_create_request *request,
                                 struct stage_session *ret_session);
void stage_keep(char to[STAGE_TOKEN], struct tenure_bytes text);
enum tenure_outcome stage_validate(struct tenure_client *client,
                                   const struct stage_session *session);
enum tenure_outcome stage_end(struct tenure_client *client, const struct stage_session *session);
enum tenure_outcome stage_put(struct tenure_client *client, const struct stage_session *session,
                              const char *key, const char *value);
/* The value as text, empty when nobody wrote it. */
enum tenure_outcome stage_get(struct tenure_client *client, const struct stage_session *session,
                              const char *key, char ret_value[STAGE_VALUE]);
enum tenure_outcome stage_check(struct tenure_client *client, const struct stage_session *session,
                                const char *permission);

#endif
