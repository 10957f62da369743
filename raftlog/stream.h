/* What the two directions of streams.h share: for stream_in.c, stream_out.c and streams.c only. */
#ifndef RAFTLOG_STREAM_H
#define RAFTLOG_STREAM_H

#include "env/work.h"
#include "raftlog/rlog.h"
#include "raftlog/snapshots.h"
#include "raftlog/streams.h"
#include "raftlog/wire.h"

enum {
    RLOG_STREAM_VERSION = 2, /* 1 had no identity and no checksums */
    /* Longer than the check of a large file takes: a stream that stands still so long has ended. */
    RLOG_STREAM_STALLED_US = 20 * 1000 * 1000,
    RLOG_STREAM_WINDOW = 2 * RLOG_STREAM_CHUNK, /* sent and not yet written, at most */
    RLOG_STREAM_REPEATS_MAX = 16,               /* chunks that arrive damaged, in one stream */
};

/* Of SNAPSHOT_RESULT (wire.def). */
enum rlog_stream_verdict {
    RLOG_STREAM_GO_ON = 0,
    RLOG_STREAM_AGAIN = 1,
    RLOG_STREAM_ENDED = 2,
    RLOG_STREAM_DAMAGED = 3,
};

enum rlog_outgoing_state {
    OUTGOING_NONE,
    OUTGOING_LOOKING,     /* what the file is */
    OUTGOING_OFFERED,     /* waits to hear from where */
    OUTGOING_MOVING,      /* chunks, and answers */
    OUTGOING_INTERRUPTED, /* the connection is gone: another one may come */
};

struct rlog_outgoing {
    struct env_work work;
    struct rlog *rlog;
    enum rlog_outgoing_state state;
    uint64_t to;
    struct rlog_wire_snapshot_begin begin;
    uint64_t sent;
    uint64_t written;  /* by the other side */
    uint64_t moved_us; /* when the other side last said so */
    unsigned repeats;
    bool busy;
    bool doomed;  /* ends when the work has ended */
    bool rewound; /* what the work reads is not wanted any more */
    int rc;
    uint64_t offset; /* of what the work reads */
    uint32_t checksum;
    size_t size;
    uint8_t chunk[RLOG_STREAM_CHUNK];
};

struct rlog_incoming {
    struct env_work work;
    struct rlog *rlog;
    uint64_t from; /* 0: none */
    struct rlog_wire_snapshot_begin begin;
    uint64_t next_from; /* 0: no offer waits */
    struct rlog_wire_snapshot_begin next;
    uint64_t received;
    uint64_t written;
    uint64_t moved_us;       /* when a chunk last came, or was written */
    struct env_timer *timer; /* the pause is over */
    uint64_t pause_us;       /* after the last failure; 0: there was none since the last install */
    uint64_t not_before_us;
    int told_rc; /* of the last failure that was logged, and when */
    uint64_t told_us;
    struct rlog_snapshot_receiver *receiver; /* NULL: not open yet */
    bool busy;
    bool doomed;
    bool again;  /* a damaged chunk was asked for again; what was sent behind it is on its way */
    bool finish; /* the work has the last byte */
    bool fed;    /* the machine holds a second state */
    unsigned repeats;
    int rc;
    uint64_t offset;     /* what the work found, or asks for */
    size_t waiting_size; /* arrived, not yet with the work item */
    size_t writing_size;
    uint8_t waiting[RLOG_STREAM_WINDOW];
    uint8_t writing[RLOG_STREAM_WINDOW];
    struct rlog_snapshot_info info;
    char error[512];
};

struct rlog_streams {
    uint64_t last_stream;
    uint64_t received;           /* bytes, of all streams */
    uint64_t unreadable;         /* index of an image of our own that could not be read, 0: none */
    uint64_t look_not_before_us; /* for that one */
    struct rlog_outgoing outgoing[RLOG_MEMBERS_MAX];
    struct rlog_incoming incoming;
};

uint32_t rlog_stream_checksum(uint64_t stream, uint64_t offset, struct bytes data);

bool rlog_outgoing_result(struct rlog *rlog, uint64_t from, struct bytes body);
bool rlog_incoming_begin(struct rlog *rlog, uint64_t from, struct bytes body);
bool rlog_incoming_chunk(struct rlog *rlog, uint64_t from, struct bytes body);
void rlog_outgoing_lost(struct rlog *rlog, uint64_t peer);
void rlog_outgoing_release(struct rlog *rlog);
void rlog_incoming_create(struct rlog *rlog);
void rlog_incoming_destroy(struct rlog *rlog);
void rlog_incoming_release(struct rlog *rlog);
void rlog_incoming_lost(struct rlog *rlog, uint64_t peer);

#endif
