/* Both directions together: whose message it is, and what all streams hold. Moves no bytes itself.
 */
#include "raftlog/streams.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/hash.h"
#include "raftlog/stream.h"

uint32_t rlog_stream_checksum(uint64_t stream, uint64_t offset, struct bytes data)
{
    uint8_t head[16];
    struct base_writer writer;
    base_writer_init(&writer, head, sizeof head);
    base_write_u64(&writer, stream);
    base_write_u64(&writer, offset);
    return base_crc32c(base_crc32c(0, base_written(&writer)), data);
}

bool rlog_streams_receive(struct rlog *rlog, uint64_t from, uint8_t kind, struct bytes body)
{
    if (kind == RLOG_WIRE_SNAPSHOT_BEGIN) {
        return rlog_incoming_begin(rlog, from, body);
    }
    if (kind == RLOG_WIRE_SNAPSHOT_CHUNK) {
        return rlog_incoming_chunk(rlog, from, body);
    }
    return rlog_outgoing_result(rlog, from, body);
}

void rlog_streams_create(struct rlog *rlog)
{
    rlog->streams = calloc(1, sizeof *rlog->streams);
    ASSERT(rlog->streams != NULL);
    rlog_incoming_create(rlog);
}

void rlog_streams_destroy(struct rlog *rlog)
{
    if (rlog->streams != NULL) {
        rlog_incoming_destroy(rlog);
        free(rlog->streams);
        rlog->streams = NULL;
    }
}

void rlog_streams_lost(struct rlog *rlog, uint64_t peer)
{
    rlog_incoming_lost(rlog, peer);
    rlog_outgoing_lost(rlog, peer);
}

void rlog_streams_release(struct rlog *rlog)
{
    rlog_incoming_release(rlog);
    rlog_outgoing_release(rlog);
}

bool rlog_streams_using_files(const struct rlog *rlog)
{
    if (rlog->streams->incoming.from != 0) {
        return true;
    }
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        const struct rlog_outgoing *out = &rlog->streams->outgoing[i];
        if (out->busy || (out->state != OUTGOING_NONE && out->state != OUTGOING_INTERRUPTED)) {
            return true;
        }
    }
    return false;
}

bool rlog_streams_idle(const struct rlog *rlog)
{
    bool busy = rlog->streams->incoming.busy;
    for (size_t i = 0; i < RLOG_MEMBERS_MAX; i++) {
        busy = busy || rlog->streams->outgoing[i].busy;
    }
    return !busy;
}

uint64_t rlog_streams_received(const struct rlog *rlog)
{
    return rlog->streams->received;
}
