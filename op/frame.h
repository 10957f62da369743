/* MessagePack-RPC as Tenure speaks it with clients (docs/PROTOCOL.md): frames in and out.
 *
 * On the wire: u32 big-endian size, then one message.
 *   request      [0, msgid, method, [params]]   params is one map: envelope and operation fields
 *   response     [1, msgid, error, result]      error is nil or a map; result is nil or a map
 *   notification [2, method, [params]]          cancel {msgid} to a server, goaway {} from one
 * The first request of a connection is `hello`.
 *
 * Decoding is ours: schema-directed, bounded, non-allocating, strict (depth <= 8, shortest forms,
 * no duplicate keys, no unknown keys, no trailing bytes, texts not empty and UTF-8 without control
 * characters).
 * Encoding is msgpack-c's.
 */
#ifndef OP_FRAME_H
#define OP_FRAME_H

#include "op/op.h"

/* Greatest frames, prefix included: before hello is answered; towards a server (a command of more
 * than OP_COMMAND_BYTES_MAX is refused anyway); towards a client. */
enum {
    OP_FRAME_HELLO_MAX = 64 * 1024,
    OP_FRAME_REQUEST_MAX = 128 * 1024,
    OP_FRAME_MAX = 1024 * 1024,
    OP_FRAME_PREFIX = 4
};
enum { OP_PROTOCOL_VERSION = 1 };

/* Methods that are no operation. */
#define OP_METHOD_HELLO "hello"
#define OP_METHOD_STATUS "node.status"
#define OP_METHOD_TIME "cluster.time"
#define OP_METHOD_SNAPSHOT_TAKE "snapshot.take"
#define OP_METHOD_SNAPSHOT_READ "snapshot.read"
#define OP_METHOD_CANCEL "cancel"
#define OP_METHOD_GOAWAY "goaway"

/* Size of the frame that `buffered` begins with, prefix included: 0 when fewer than 4 bytes are
 * there. False when it exceeds `frame_max` (which includes the prefix too); then `ret_size` is
 * untouched and the connection is of no further use. */
bool op_frame_size(struct bytes buffered, size_t frame_max, size_t *ret_size);

enum op_message_kind {
    OP_MESSAGE_REQUEST = 0,
    OP_MESSAGE_RESPONSE = 1,
    OP_MESSAGE_NOTIFICATION = 2
};

/* What a decoder says of bytes that it refuses: one English line, static storage, and where. */
struct op_fault {
    enum op_outcome outcome; /* PROTOCOL (message unusable) or INVALID (a field is wrong) */
    const char *text;        /* reads on from the field's name: "user: too long" */
    const char *field;       /* or NULL */
};

struct op_message {
    enum op_message_kind kind;
    uint32_t msgid;
    struct bytes method; /* requests, notifications */
    struct bytes params; /* the raw bytes of the one map */
    struct bytes error;  /* responses: raw map, BYTES_NONE when nil */
    struct bytes result; /* responses: raw map, BYTES_NONE when nil */
};

/* Takes the message apart without looking into its maps. `frame` has no prefix. */
bool op_message_read(struct bytes frame, struct op_message *ret_message,
                     struct op_fault *ret_fault);

/* ---- hello ---- */
#define OP_HELLO_REQUEST(F, S)                                                                     \
    F(S, 1, u64, version, 0, REQUIRED, "protocol version")                                         \
    F(S, 2, id, instance, 0, REQUIRED, "random, of the calling process")                           \
    F(S, 3, text, software, OP_NAME_MAX, OPTIONAL, "name and version of the client's software")
#define OP_HELLO_REPLY(F, S)                                                                       \
    F(S, 1, u64, version, 0, REQUIRED, "protocol version")                                         \
    F(S, 2, text, cluster, OP_NAME_MAX, REQUIRED, "the cluster's name")                            \
    F(S, 3, id, incarnation, 0, REQUIRED, "the cluster's incarnation")                             \
    F(S, 4, u64, node, 0, REQUIRED, "id of the node that answers")                                 \
    F(S, 5, text, leader, OP_NAME_MAX, OPTIONAL, "client address of the leader, when known")

/* ---- node status: answered by any node from itself, never part of the log ---- */
enum { OP_DAMAGE_MAX = 400 };
#define OP_STATUS_REQUEST(F, S)                                                                    \
    F(S, 1, u64, at, 0, OPTIONAL, "the digest at this position (the end of an entry)")
#define OP_STATUS_REPLY(F, S)                                                                      \
    F(S, 1, u64, node, 0, REQUIRED, "id of the node that answers")                                 \
    F(S, 2, text, role, 16, REQUIRED, "leader, candidate or follower")                             \
    F(S, 3, u64, term, 0, REQUIRED, "current term")                                                \
    F(S, 4, u64, leader_node, 0, OPTIONAL, "id of the leader, when known")                         \
    F(S, 5, text, leader, OP_NAME_MAX, OPTIONAL, "client address of the leader, when known")       \
    F(S, 6, u64, position, 0, REQUIRED, "applied position")                                        \
    F(S, 7, blob, digest, 16, REQUIRED, "state digest at that position")                           \
    F(S, 8, u64, time, 0, REQUIRED, "cluster time T in microseconds")                              \
    F(S, 9, boolean, has_clock, 0, REQUIRED, "the node has a clock")                               \
    F(S, 10, u64, commit, 0, REQUIRED, "commit index")                                             \
    F(S, 11, u64, applied, 0, REQUIRED, "applied index")                                           \
    F(S, 12, u64, last, 0, REQUIRED, "last log index")                                             \
    F(S, 13, u64, snapshot, 0, REQUIRED, "index of the newest snapshot")                           \
    F(S, 14, u64, sessions, 0, OPTIONAL, "sessions in the table; operators only")                  \
    F(S, 15, u64, tasks, 0, OPTIONAL, "tasks in the table; operators only")                        \
    F(S, 16, boolean, serving, 0, REQUIRED, "is the leader and serves")                            \
    F(S, 17, text, version, OP_NAME_MAX, REQUIRED, "software version")                             \
    F(S, 18, u64, disk_free, 0, OPTIONAL, "bytes that are free where its folder is")               \
    F(S, 19, boolean, disk_short, 0, OPTIONAL, "that is too little: it hands leadership over")     \
    F(S, 20, boolean, log_waits, 0, OPTIONAL,                                                      \
      "its disk is full: it stores nothing until there "                                           \
      "is space")                                                                                  \
    F(S, 21, boolean, read_only, 0, OPTIONAL,                                                      \
      "it leads, and takes only what ends or completes: "                                          \
      "it, or a majority, is short of space")                                                      \
    F(S, 22, text, damage, OP_DAMAGE_MAX, OPTIONAL,                                                \
      "it found damage on its disk and has no vote: what, "                                        \
      "and how far its repair is")                                                                 \
    F(S, 23, u64, level, 0, OPTIONAL, "feature level of the cluster, as far as it has applied")    \
    F(S, 24, u64, knows, 0, OPTIONAL, "greatest feature level that its program knows")

/* ---- cluster time: an operator states the time when no clock survived (docs/MODEL.md T3) ---- */
#define OP_TIME_REQUEST(F, S)                                                                      \
    F(S, 1, u64, time, 0, REQUIRED, "Unix time in microseconds; T becomes at least this")
#define OP_TIME_REPLY(F, S) F(S, 1, u64, time, 0, REQUIRED, "the leader's clock as it is now")

/* ---- backup: an operator reads a node's newest snapshot, piece by piece ---- */
enum { OP_SNAPSHOT_PIECE = 256 * 1024, OP_SNAPSHOT_LIMITS_MAX = 1024 };
#define OP_SNAPSHOT_TAKE_REQUEST(F, S)                                                             \
    F(S, 1, u64, position, 0, REQUIRED, "the least position that it has to hold")
#define OP_SNAPSHOT_TAKE_REPLY(F, S)                                                               \
    F(S, 1, u64, index, 0, REQUIRED, "names the snapshot on this node")                            \
    F(S, 2, u64, position, 0, REQUIRED, "the position that it holds")                              \
    F(S, 3, u64, time, 0, REQUIRED, "T at that position, in microseconds")                         \
    F(S, 4, blob, digest, 16, REQUIRED, "state digest at that position")                           \
    F(S, 5, text, cluster, OP_NAME_MAX, REQUIRED, "the cluster's name")                            \
    F(S, 6, id, incarnation, 0, REQUIRED, "the cluster's incarnation")                             \
    F(S, 7, u64, sessions, 0, REQUIRED, "sessions in the table")                                   \
    F(S, 8, u64, tasks, 0, REQUIRED, "tasks in the table")                                         \
    F(S, 9, blob, hash_key, 16, REQUIRED, "key of the state's hashes; a secret")                   \
    F(S, 10, blob, limits, OP_SNAPSHOT_LIMITS_MAX, REQUIRED, "the replicated limits, as stored")
#define OP_SNAPSHOT_READ_REQUEST(F, S)                                                             \
    F(S, 1, u64, index, 0, REQUIRED, "what snapshot.take answered")                                \
    F(S, 2, u64, offset, 0, REQUIRED, "the first byte that is wanted")
#define OP_SNAPSHOT_READ_REPLY(F, S)                                                               \
    F(S, 1, blob, data, OP_SNAPSHOT_PIECE, REQUIRED, "256 KiB; fewer only at the end")

/* ---- what the notification `cancel` says; `goaway` says nothing ---- */
#define OP_CANCEL(F, S)                                                                            \
    F(S, 1, u64, msgid, 0, REQUIRED, "the request that nobody waits for any more")

struct op_hello_request {
    OP_HELLO_REQUEST(OP_MEMBER_, op_hello_request)
};
struct op_hello_reply {
    OP_HELLO_REPLY(OP_MEMBER_, op_hello_reply)
};
struct op_status_request {
    OP_STATUS_REQUEST(OP_MEMBER_, op_status_request)
};
struct op_status_reply {
    OP_STATUS_REPLY(OP_MEMBER_, op_status_reply)
};
struct op_time_request {
    OP_TIME_REQUEST(OP_MEMBER_, op_time_request)
};
struct op_time_reply {
    OP_TIME_REPLY(OP_MEMBER_, op_time_reply)
};
struct op_snapshot_take_request {
    OP_SNAPSHOT_TAKE_REQUEST(OP_MEMBER_, op_snapshot_take_request)
};
struct op_snapshot_take_reply {
    OP_SNAPSHOT_TAKE_REPLY(OP_MEMBER_, op_snapshot_take_reply)
};
struct op_snapshot_read_request {
    OP_SNAPSHOT_READ_REQUEST(OP_MEMBER_, op_snapshot_read_request)
};
struct op_snapshot_read_reply {
    OP_SNAPSHOT_READ_REPLY(OP_MEMBER_, op_snapshot_read_reply)
};

struct op_cancel {
    OP_CANCEL(OP_MEMBER_, op_cancel)
};

extern const struct op_struct op_hello_request_struct;
extern const struct op_struct op_hello_reply_struct;
extern const struct op_struct op_status_request_struct;
extern const struct op_struct op_status_reply_struct;
extern const struct op_struct op_cancel_struct;
extern const struct op_struct op_time_request_struct;
extern const struct op_struct op_time_reply_struct;
extern const struct op_struct op_snapshot_take_request_struct;
extern const struct op_struct op_snapshot_take_reply_struct;
extern const struct op_struct op_snapshot_read_request_struct;
extern const struct op_struct op_snapshot_read_reply_struct;

/* What every result and every error carries (docs/MODEL.md section 1). */
struct op_reply_head {
    enum op_outcome outcome;
    uint64_t position;
    uint64_t time;  /* T */
    uint64_t clock; /* the leader's, between arrival and this answer; 0 when it has none */
    uint64_t term;
    bool superseded;      /* done, but without its secret: a later try has it */
    bool stale;           /* of a node as it stands: true at `position`, and perhaps no more */
    struct bytes leader;  /* client address to go to, for NOT_LEADER; may be empty */
    struct bytes message; /* what to tell a person; empty: the outcome's own message */
};

/* Decodes one map into up to two structs at once (envelope and request): every key must belong to
 * one of them. Either may be NULL. Both are zeroed first. Tokens are parsed; a malformed one is a
 * fault of kind INVALID. */
bool op_map_read(struct bytes map, const struct op_struct *first, void *ret_first,
                 const struct op_struct *second, void *ret_second, struct op_fault *ret_fault);

/* Whole frames, prefix included; the writer fails when they do not fit. */
void op_request_write(struct base_writer *writer, uint32_t msgid, const char *method,
                      const struct op_envelope *envelope, const struct op_struct *s,
                      const void *value);
/* An outcome of class DONE becomes a result (head and fields), all others an error (head, details).
 * `s` and `value` may be NULL when there are no fields. */
void op_response_write(struct base_writer *writer, uint32_t msgid, const struct op_reply_head *head,
                       const struct op_details *details, const struct op_struct *s,
                       const void *value);
/* `msgid` is written for OP_METHOD_CANCEL alone. */
void op_notification_write(struct base_writer *writer, const char *method, uint32_t msgid);

/* Takes a response apart: head and details always, the fields of `s` when it is a result. Unknown
 * keys are skipped here, so that a newer server can say more. */
bool op_response_read(const struct op_message *message, struct op_reply_head *ret_head,
                      struct op_details *ret_details, const struct op_struct *s, void *ret_value,
                      struct op_fault *ret_fault);

#endif
