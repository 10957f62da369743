/* Makes and checks hellos. Does not send them. */
#include "raftlog/greeting.h"

#include <stdio.h>

#include "base/encode.h"
#include "raftlog/engine.h"
#include "raftlog/rlog.h"

enum { ENGINE_VERSION = 2201 }; /* libraft 0.22.1, as its own RAFT_VERSION_NUMBER counts */

bool rlog_greeting_knows_more(const struct rlog *rlog, struct rlog_told told)
{
    return told.configuration > rlog_engine_settled(rlog) ||
           (told.change != 0 && rlog_engine_ends_before(rlog, told.change_term, told.change));
}

struct rlog_told rlog_greeting_told(const struct rlog_wire_hello *hello)
{
    return (struct rlog_told){.configuration = hello->configuration,
                              .change_term = hello->change_term,
                              .change = hello->change};
}

struct rlog_wire_hello rlog_greeting(const struct rlog *rlog, uint64_t to)
{
    uint64_t change_term = 0;
    uint64_t change = rlog_engine_unsettled(rlog, &change_term);
    return (struct rlog_wire_hello){
        .magic = RLOG_WIRE_MAGIC,
        .version = RLOG_WIRE_VERSION,
        .version_min = RLOG_WIRE_VERSION_MIN,
        .engine = ENGINE_VERSION,
        .node = rlog->config.id,
        .to = to,
        .store = rlog->store.store_id,
        .incarnation = rlog->store.birth.incarnation,
        .wall_us = env_wall_us(rlog->env),
        .configuration = rlog_engine_settled(rlog),
        .change_term = change_term,
        .change = change,
        .cluster = bytes_of_text(rlog->store.birth.cluster),
    };
}

void rlog_greeting_replaced(uint64_t id, struct id128 store, char *reason, size_t reason_size)
{
    char text[33];
    hex_write(text, bytes_of(store.bytes, sizeof store.bytes));
    snprintf(reason, reason_size,
             "node %llu's disk was replaced: if the old one is lost, make the new one with tenured "
             "--join and say tenurectl member replace --node %llu --store %s",
             (unsigned long long)id, (unsigned long long)id, text);
}

/* Of the same protocol and cluster. */
static bool check_cluster(const struct rlog *rlog, const struct rlog_wire_hello *hello,
                          char *reason, size_t reason_size)
{
    const struct rlog_birth *birth = &rlog->store.birth;
    if (hello->version < RLOG_WIRE_VERSION_MIN || hello->version_min > RLOG_WIRE_VERSION) {
        snprintf(reason, reason_size,
                 "it speaks versions %u to %u of the peer protocol, we %d to %d",
                 hello->version_min, hello->version, RLOG_WIRE_VERSION_MIN, RLOG_WIRE_VERSION);
        return false;
    }
    if (!bytes_equal(hello->cluster, bytes_of_text(birth->cluster))) {
        snprintf(reason, reason_size, "it belongs to another cluster");
        return false;
    }
    if (!id128_equal(hello->incarnation, birth->incarnation)) {
        snprintf(reason, reason_size,
                 "its cluster of the same name was born apart from ours (another incarnation)");
        return false;
    }
    return true;
}

bool rlog_greeting_check(const struct rlog *rlog, uint64_t from, struct bytes body,
                         struct rlog_wire_hello *ret_hello, char *reason, size_t reason_size)
{
    struct rlog_wire_hello hello;
    if (!rlog_wire_read_hello(body, &hello) || hello.magic != RLOG_WIRE_MAGIC) {
        snprintf(reason, reason_size, "its greeting is not a Tenure peer's");
        return false;
    }
    if (!check_cluster(rlog, &hello, reason, reason_size)) {
        return false;
    }
    if (hello.node != from || hello.to != rlog->config.id) {
        snprintf(reason, reason_size, "it says that it is node %llu and speaks to node %llu",
                 (unsigned long long)hello.node, (unsigned long long)hello.to);
        return false;
    }
    bool knows_more = rlog_greeting_knows_more(rlog, rlog_greeting_told(&hello));
    if (!knows_more && !rlog_members_known(&rlog->members, from)) {
        snprintf(reason, reason_size,
                 "node %llu is no member: it was removed, or not added yet (tenurectl member add)",
                 (unsigned long long)from);
        return false;
    }
    if (!knows_more && !rlog_members_fits(&rlog->members, from, hello.store)) {
        rlog_greeting_replaced(from, hello.store, reason, reason_size);
        return false;
    }
    *ret_hello = hello;
    return true;
}
