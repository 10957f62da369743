/* A queue that tenants share: each in turn, each in its own order, and the longest gives way. */
#include "node/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

enum { MANY = 1000 };

struct stage {
    struct node_fair fair;
    struct node_request *requests[MANY + 8];
    size_t count;
};

static struct node_request *add(struct stage *stage, const char *tenant, size_t size)
{
    struct node_request *request = calloc(1, sizeof *request);

    assert_non_null(request);
    stage->requests[stage->count] = request;
    request->caller.tenant = bytes_of_text(tenant);
    request->command_size = size;
    request->msgid = (uint32_t)++stage->count;
    list_init(&request->in_queue);
    node_fair_add(&stage->fair, request);
    return request;
}

static uint32_t take(struct stage *stage)
{
    struct node_request *request = node_fair_next(&stage->fair);

    if (request == NULL) {
        return 0;
    }
    node_fair_take(&stage->fair, request);
    return request->msgid;
}

static void begin(struct stage *stage)
{
    static const struct siphash_key key = {{7}};

    memset(stage, 0, sizeof *stage);
    node_fair_init(&stage->fair, &key);
}

static void end(struct stage *stage)
{
    for (size_t i = 0; i < stage->count; i++) {
        free(stage->requests[i]);
    }
}

static void each_tenant_has_its_turn(void **state)
{
    static struct stage stage;
    uint32_t late, later, taken = 0, at = 0, one, before = 0;

    (void)state;
    begin(&stage);
    for (size_t i = 0; i < MANY; i++) {
        (void)add(&stage, "flood", 100);
    }
    late = add(&stage, "neighbour", 100)->msgid;
    later = add(&stage, "neighbour", 100)->msgid;
    assert_int_equal(stage.fair.count, MANY + 2);
    assert_int_equal(stage.fair.bytes, (MANY + 2) * 100);
    while ((one = take(&stage)) != 0) {
        taken++;
        if (one == late || one == later) {
            at = taken;
            assert_true(taken <= 4);
        } else {
            assert_true(one > before); /* in its own order */
            before = one;
        }
    }
    assert_int_equal(taken, MANY + 2);
    assert_int_equal(at, 4);
    assert_int_equal(stage.fair.bytes, 0);
    end(&stage);
}

static void what_is_put_back_comes_first_again(void **state)
{
    static struct stage stage;
    struct node_request *first, *second;

    (void)state;
    begin(&stage);
    first = add(&stage, "acme", 1);
    second = add(&stage, "acme", 2);
    (void)add(&stage, "acme", 3);
    assert_int_equal(take(&stage), 1);
    assert_int_equal(take(&stage), 2);
    node_fair_return(&stage.fair, second);
    node_fair_return(&stage.fair, first);
    assert_int_equal(stage.fair.bytes, 6);
    for (uint32_t i = 1; i <= 3; i++) {
        assert_int_equal(take(&stage), i);
    }
    assert_int_equal(take(&stage), 0);
    end(&stage);
}

static void the_longest_gives_way(void **state)
{
    static struct stage stage;
    struct node_request *newest = NULL, *before = NULL;

    (void)state;
    begin(&stage);
    for (size_t i = 0; i < 5; i++) {
        before = newest;
        newest = add(&stage, "flood", 10);
    }
    (void)add(&stage, "neighbour", 10);
    assert_null(node_fair_make_room(&stage.fair, bytes_of_text("flood")));
    assert_ptr_equal(node_fair_make_room(&stage.fair, bytes_of_text("neighbour")), newest);
    assert_int_equal(stage.fair.count, 5);
    assert_ptr_equal(node_fair_make_room(&stage.fair, bytes_of_text("third")), before);
    assert_int_equal(take(&stage), 6); /* the neighbour: the flood had its turns */
    assert_int_equal(take(&stage), 1);
    end(&stage);
}

/* Who is refused is told to come back when half of the queue is gone, as things went of late. */
static void a_hint_follows_the_queue(void **state)
{
    static struct node_batch batch;

    (void)state;
    batch.queue.count = batch.per_second = batch.counted = 0;
    assert_int_equal(node_batch_hint(&batch), NODE_OVERLOADED_HINT_US);
    batch.queue.count = 16384;
    batch.per_second = 16384;
    assert_int_equal(node_batch_hint(&batch), 500000);
    batch.per_second = 1000000;
    assert_int_equal(node_batch_hint(&batch), NODE_OVERLOADED_HINT_US);
    batch.per_second = 100;
    assert_int_equal(node_batch_hint(&batch), BATCH_HINT_MOST_US);
    batch.counted = 32768; /* it was nearly idle, and is no more */
    assert_int_equal(node_batch_hint(&batch), 250000);
}

/* A queue that fills for the first time: nobody is sent away for as long as a call lives. */
static void a_rate_that_is_not_known_sends_nobody_away_for_long(void **state)
{
    static struct node_batch batch;

    (void)state;
    batch.queue.count = 16384;
    batch.per_second = batch.counted = 0;
    assert_int_equal(node_batch_hint(&batch), NODE_OVERLOADED_HINT_US);
    batch.per_second = 1;
    assert_int_equal(node_batch_hint(&batch), 1000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_tenant_has_its_turn),
        cmocka_unit_test(what_is_put_back_comes_first_again),
        cmocka_unit_test(the_longest_gives_way),
        cmocka_unit_test(a_hint_follows_the_queue),
        cmocka_unit_test(a_rate_that_is_not_known_sends_nobody_away_for_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
