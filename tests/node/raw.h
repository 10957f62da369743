/* A client that says exactly what a test tells it, well formed or not: frames over one connection.
 */
#ifndef TESTS_NODE_RAW_H
#define TESTS_NODE_RAW_H

#include "tests/node/world.h"

struct raw {
    struct world *world;
    struct env_conn *conn;
    bool open;
    bool closed;
    uint8_t *input;
    size_t size;
    size_t capacity;
    uint8_t *message;  /* the one last taken */
    uint64_t received; /* bytes in all */
};

struct raw_answer {
    uint32_t msgid;
    struct op_reply_head head;
    struct op_details details;
    struct bytes result; /* raw map; BYTES_NONE for an error */
};

/* Connects to the node and waits until the connection is open. */
void raw_open(struct raw *raw, struct world *world, size_t which, struct env_tls *tls);
void raw_close(struct raw *raw);
void raw_write(struct raw *raw, struct bytes data);
void raw_hello(struct raw *raw);
void raw_request(struct raw *raw, uint32_t msgid, const char *method,
                 const struct op_envelope *envelope, const struct op_struct *s, const void *value);
/* The next message; false when the connection closes before one comes, or `max_us` pass. */
bool raw_take(struct raw *raw, uint64_t max_us, struct op_message *ret_message);
/* The next message is a response; what it says. */
void raw_answer(struct raw *raw, struct raw_answer *ret_answer);
/* The next message says this, under this msgid. */
void raw_expect(struct raw *raw, uint32_t msgid, enum op_outcome outcome);
void raw_expect_closed(struct raw *raw);

#endif
