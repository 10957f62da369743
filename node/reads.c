/* The way of a read: arrival, round, c, answer. */
#include "node/reads.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/sat.h"
#include "node/internal.h"

struct read_round {
    struct list in_reads;
    struct node *node;
    struct list requests; /* empty once leadership is lost */
};

void node_reads_init(struct node_reads *reads, const struct siphash_key *key)
{
    node_fair_init(&reads->arrived, key);
    list_init(&reads->rounds);
    list_init(&reads->waiting);
    reads->count = 0;
    reads->tick_wanted = 0;
}

bool node_reads_empty(const struct node_reads *reads)
{
    return reads->count == 0;
}

void node_reads_add(struct node *node, struct node_request *request)
{
    struct node_reads *reads = &node->reads;
    struct node_request *other;
    if (reads->count >= READS_MAX &&
        (other = node_fair_make_room(&reads->arrived, request->caller.tenant)) != NULL) {
        reads->count--;
        node_observe_share(node, other);
        node_request_refuse(node, other, OP_OVERLOADED);
    }
    if (reads->count >= READS_MAX) {
        node_observe_share(node, request);
        node_request_refuse(node, request, OP_OVERLOADED);
        return;
    }
    node_request_move(request, REQUEST_ARRIVED);
    node_fair_add(&reads->arrived, request);
    reads->count++;
}

static void refuse(struct node *node, struct node_request *request, enum op_outcome outcome)
{
    node->reads.count--;
    node_request_refuse(node, request, outcome);
}

static void refuse_all(struct node *node, struct list *requests, enum op_outcome outcome)
{
    while (!list_empty(requests)) {
        refuse(node, LIST_ENTRY(requests->next, struct node_request, in_queue), outcome);
    }
}

static void park(struct node *node, struct node_request *request)
{
    ASSERT(request->state == REQUEST_CONFIRMING); /* a T that reached c decides everything */
    list_remove(&request->in_queue);
    node_request_move(request, REQUEST_WAITING);
    list_append(&node->reads.waiting, &request->in_queue);
    node->reads.tick_wanted = u64_max(node->reads.tick_wanted, request->clock);
}

static void join_commands(struct node *node, struct node_request *request)
{
    node->reads.count--;
    list_remove(&request->in_queue);
    node_batch_add(node, request);
}

/* Answers at request->clock, or parks the request until T has reached it. One that may be either
 * joins the commands when it has something to write, and so does a write whose feature level was
 * reached meanwhile. */
static void answer(struct node *node, struct node_request *request)
{
    if (request->row->access == OP_WRITE) {
        join_commands(node, request);
        return;
    }
    union op_request decoded;
    struct op_command command;
    node_request_decode(request, &decoded, &command);
    struct fsm_read read = {.caller = request->caller,
                            .number = request->row->number,
                            .request = &decoded,
                            .clock = request->clock,
                            .command = request->row->access == OP_EITHER ? &command : NULL};
    struct fsm_reply reply;
    switch (fsm_read(node->fsm, &read, node->read_body, FSM_REPLY_MAX, &reply)) {
    case FSM_READ_WAIT:
        park(node, request);
        return;
    case FSM_READ_COMMAND:
        join_commands(node, request);
        return;
    case FSM_READ_ANSWERED:
        node->reads.count--;
        node_request_reply(node, request, &reply, request->clock);
        return;
    }
    UNREACHABLE("all verdicts are named");
}

void node_reads_stale(struct node *node, struct node_request *request)
{
    union op_request decoded;
    node_request_decode(request, &decoded, NULL);
    const struct fsm_read read = {.caller = request->caller,
                                  .number = request->row->number,
                                  .request = &decoded,
                                  .clock = fsm_time(node->fsm)};
    struct fsm_reply reply;
    enum fsm_read_verdict verdict = fsm_read(node->fsm, &read, node->read_body, FSM_REPLY_MAX,
                                             &reply);
    ASSERT(verdict == FSM_READ_ANSWERED); /* at T every deadline is decided */
    node_request_reply(node, request, &reply, 0);
}

/* Of a later level. An earlier try of a write may be on its way still, and be applied when the
 * level has risen: then nobody may say for certain that nothing happens. */
static enum op_outcome not_yet(const struct node_request *request)
{
    union op_request decoded;
    struct op_command command;
    if (request->row->access == OP_READ) {
        return OP_NOT_YET;
    }
    node_request_decode(request, &decoded, &command);
    return command.attempt > 1 ? OP_UNKNOWN : OP_NOT_YET;
}

static void on_confirmed(void *arg, bool confirmed)
{
    struct read_round *round = arg;
    struct node *node = round->node;
    uint64_t clock = 0;
    bool serve = confirmed &&
                 node_lead_clock(node, &clock); /* afresh, after the confirmation: T6 */
    clock = u64_max(clock, fsm_time(node->fsm));
    bool leads = node->lead.state != LEAD_FOLLOWING;
    while (!list_empty(&round->requests)) {
        struct node_request *request = LIST_ENTRY(round->requests.next, struct node_request,
                                                  in_queue);
        if (serve && !node_level_admits(node, op_row_level(request->row))) {
            refuse(node, request, not_yet(request));
        } else if (serve && node_operates(request->row)) {
            node->reads.count--;
            node_operate(node, request);
        } else if (serve) {
            request->clock = clock;
            answer(node, request);
        } else {
            refuse(node, request, leads ? OP_NOT_READY : OP_NOT_LEADER);
        }
    }
    list_remove(&round->in_reads);
    free(round);
}

void node_reads_turn(struct node *node)
{
    struct node_reads *reads = &node->reads;
    struct node_request *request;
    if (reads->arrived.count == 0) {
        return;
    }
    struct read_round *round = calloc(1, sizeof(*round));
    ASSERT(round != NULL);
    round->node = node;
    list_init(&round->requests);
    while ((request = node_fair_next(&reads->arrived)) != NULL) {
        node_fair_take(&reads->arrived, request);
        list_append(&round->requests, &request->in_queue);
        node_request_move(request, REQUEST_CONFIRMING);
    }
    list_append(&reads->rounds, &round->in_reads);
    enum rlog_submit taken = rlog_confirm(node->rlog, on_confirmed, round);
    if (taken != RLOG_SUBMITTED) {
        refuse_all(node, &round->requests, taken == RLOG_BUSY ? OP_OVERLOADED : OP_NOT_LEADER);
        list_remove(&round->in_reads);
        free(round);
    }
}

void node_reads_applied(struct node *node)
{
    struct node_reads *reads = &node->reads;
    uint64_t now = fsm_time(node->fsm);
    uint64_t wanted = 0;
    LIST_FOR_EACH_SAFE(at, following, &reads->waiting)
    {
        struct node_request *request = LIST_ENTRY(at, struct node_request, in_queue);
        if (request->clock <= now) {
            answer(node, request);
        } else {
            wanted = u64_max(wanted, request->clock);
        }
    }
    reads->tick_wanted = wanted;
}

void node_reads_lost(struct node *node)
{
    struct node_reads *reads = &node->reads;
    struct node_request *request;
    while ((request = node_fair_next(&reads->arrived)) != NULL) {
        node_fair_take(&reads->arrived, request);
        refuse(node, request, OP_NOT_LEADER);
    }
    refuse_all(node, &reads->waiting, OP_NOT_LEADER);
    reads->tick_wanted = 0;
    LIST_FOR_EACH(at, &reads->rounds)
    {
        refuse_all(node, &LIST_ENTRY(at, struct read_round, in_reads)->requests, OP_NOT_LEADER);
    }
}

/* After raftlog is gone: rounds that it held will not come back. */
void node_reads_done(struct node *node)
{
    node_reads_lost(node);
    LIST_FOR_EACH_SAFE(at, following, &node->reads.rounds)
    {
        list_remove(at);
        free(LIST_ENTRY(at, struct read_round, in_reads));
    }
}
