/* Buckets, and whose turn it is; see fair.h. */
#include "node/fair.h"

#include "base/assert.h"

static struct node_fair_bucket *bucket_of(struct node_fair *fair, struct bytes tenant)
{
    return &fair->buckets[base_siphash64(&fair->key, tenant) % FAIR_BUCKETS];
}

static struct node_request *request_at(struct list *at)
{
    return LIST_ENTRY(at, struct node_request, in_queue);
}

void node_fair_init(struct node_fair *fair, const struct siphash_key *key)
{
    list_init(&fair->turn);
    fair->key = *key;
    fair->count = fair->bytes = 0;
    for (size_t i = 0; i < FAIR_BUCKETS; i++) {
        list_init(&fair->buckets[i].requests);
        list_init(&fair->buckets[i].in_turn);
        fair->buckets[i].count = 0;
    }
}

static void count_in(struct node_fair *fair, struct node_fair_bucket *bucket,
                     const struct node_request *request)
{
    if (bucket->count++ == 0) {
        list_append(&fair->turn, &bucket->in_turn);
    }
    fair->count++;
    fair->bytes += request->command_size;
}

static void take_out(struct node_fair *fair, struct node_fair_bucket *bucket,
                     struct node_request *request)
{
    ASSERT(bucket->count > 0);
    list_remove(&request->in_queue);
    list_remove(&bucket->in_turn);
    fair->count--;
    fair->bytes -= request->command_size;
    if (--bucket->count > 0) {
        list_append(&fair->turn, &bucket->in_turn);
    }
}

void node_fair_add(struct node_fair *fair, struct node_request *request)
{
    struct node_fair_bucket *bucket = bucket_of(fair, request->caller.tenant);
    count_in(fair, bucket, request);
    list_append(&bucket->requests, &request->in_queue);
}

struct node_request *node_fair_next(const struct node_fair *fair)
{
    if (list_empty(&fair->turn)) {
        return NULL;
    }
    return request_at(LIST_ENTRY(fair->turn.next, struct node_fair_bucket, in_turn)->requests.next);
}

void node_fair_take(struct node_fair *fair, struct node_request *request)
{
    ASSERT(request == node_fair_next(fair));
    take_out(fair, LIST_ENTRY(fair->turn.next, struct node_fair_bucket, in_turn), request);
}

void node_fair_return(struct node_fair *fair, struct node_request *request)
{
    struct node_fair_bucket *bucket = bucket_of(fair, request->caller.tenant);
    count_in(fair, bucket, request);
    list_prepend(&bucket->requests, &request->in_queue);
}

struct node_request *node_fair_make_room(struct node_fair *fair, struct bytes tenant)
{
    struct node_fair_bucket *longest = bucket_of(fair, tenant);
    const struct node_fair_bucket *own = longest;
    for (size_t i = 0; i < FAIR_BUCKETS; i++) {
        longest = fair->buckets[i].count > longest->count ? &fair->buckets[i] : longest;
    }
    if (longest == own) {
        return NULL;
    }
    struct node_request *newest = request_at(longest->requests.previous);
    take_out(fair, longest, newest);
    return newest;
}
