/* Exactly once, the client's half (docs/PROTOCOL.md section 4): registration, numbers, attempts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/sat.h"
#include "tests/unit/client/world.h"

enum { MANY = 700 };

/* ---- registration and numbers ---- */

static void test_registers_once_at_the_first_numbered_call(void **state)
{
    struct world *world = *state;
    struct outcome read = {0};
    struct outcome first = {0};
    struct outcome second = {0};
    call_validate(world->client, &read, 1);
    world_end_of(world, &read);
    assert_int_equal(world->server->registrations, 0);
    assert_false(world->server->last.envelope.has_number);
    call_revoke(world->client, &first);
    call_revoke(world->client, &second);
    world_end_of(world, &second);
    assert_int_equal(first.outcome, TENURE_OK);
    assert_int_equal(second.outcome, TENURE_OK);
    assert_int_equal(world->server->registrations, 1);
    struct outcome third = {0};
    call_revoke(world->client, &third);
    world_end_of(world, &third);
    assert_int_equal(world->server->registrations, 1);
    assert_int_equal(third.watermark, 103); /* number 3 */
    assert_int_equal(world->server->last.envelope.client, 41);
    assert_true(
        id128_equal(world->server->last.envelope.incarnation, world->server->hello.incarnation));
}

static void refuse_register(struct server *server, const struct request *request)
{
    (void)server;
    server_answer(request, OP_FORBIDDEN, NULL);
}

static void test_refused_registration_refuses_the_call(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    world->server->register_scripted = true;
    world->server->script = refuse_register;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_FORBIDDEN);
    assert_int_equal(outcome.attempts, 0);
}

static void test_lowest_is_the_lowest_open_number(void **state)
{
    struct world *world = *state;
    struct outcome outcomes[4] = {{0}};
    world->server->script = NULL;
    call_revoke(world->client, &outcomes[0]);
    call_revoke(world->client, &outcomes[1]);
    world_requests(world, 2);
    assert_int_equal(world->server->last.envelope.number, 2);
    assert_int_equal(world->server->last.envelope.lowest, 1);
    server_obey(world->server, &world->server->last); /* the second ends before the first */
    world_end_of(world, &outcomes[1]);
    call_revoke(world->client, &outcomes[2]);
    world_requests(world, 3);
    assert_int_equal(world->server->last.envelope.number, 3);
    assert_int_equal(world->server->last.envelope.lowest, 1);
    world_end_of(world, &outcomes[0]); /* by its deadline */
    world_end_of(world, &outcomes[2]);
    call_revoke(world->client, &outcomes[3]);
    world_requests(world, 4);
    assert_int_equal(world->server->last.envelope.number, 4);
    assert_int_equal(world->server->last.envelope.lowest, 4);
    server_obey(world->server, &world->server->last);
    world_end_of(world, &outcomes[3]);
}

/* ---- the same number again ---- */

struct tries {
    struct request seen[8];
    size_t count;
    size_t answered; /* obeyed from this one on */
    enum op_outcome before;
};

static void answer_late(struct server *server, const struct request *request)
{
    struct tries *tries = server->arg;
    assert_true(tries->count < 8);
    tries->seen[tries->count++] = *request;
    if (tries->count > tries->answered) {
        server_obey(server, request);
    } else {
        server_answer(request, tries->before, NULL);
    }
}

static void assert_same_but_attempt(const struct request *a, const struct request *b)
{
    assert_int_equal(a->envelope.number, b->envelope.number);
    assert_int_equal(a->envelope.client, b->envelope.client);
    assert_int_equal(a->envelope.attempt + 1, b->envelope.attempt);
    assert_int_not_equal(a->msgid, b->msgid);
    assert_int_equal(a->fields_size, b->fields_size);
    assert_memory_equal(a->fields, b->fields, a->fields_size);
}

static void test_unknown_is_asked_again_under_the_same_number(void **state)
{
    struct world *world = *state;
    struct tries tries = {.answered = 3, .before = OP_UNKNOWN};
    struct outcome outcome = {0};
    world->server->script = answer_late;
    world->server->arg = &tries;
    call_end(world->client, &outcome, 9);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(outcome.attempts, 4);
    for (size_t i = 0; i + 1 < tries.count; i++) {
        assert_same_but_attempt(&tries.seen[i], &tries.seen[i + 1]);
    }
    assert_int_equal(tries.seen[0].envelope.attempt, 1);
}

static void test_lost_link_means_the_same_number_again(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    world->server->script = NULL;
    call_end(world->client, &outcome, 9);
    world_requests(world, 1);
    struct request first = world->server->last;
    server_close(server_newest(world->server));
    world_requests(world, 2);
    assert_same_but_attempt(&first, &world->server->last);
    server_obey(world->server, &world->server->last);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(world->server->registrations, 1);
}

/* ---- a forgotten client, a new incarnation ---- */

static void forget_once(struct server *server, const struct request *request)
{
    unsigned *forgotten = server->arg;
    if ((*forgotten)++ == 0) {
        server_answer(request, OP_CLIENT_UNKNOWN, NULL);
    } else {
        server_obey(server, request);
    }
}

static void test_client_unknown_on_a_first_try_registers_again(void **state)
{
    struct world *world = *state;
    unsigned forgotten = 0;
    struct outcome outcome = {0};
    world->server->script = forget_once;
    world->server->arg = &forgotten;
    call_revoke(world->client, &outcome);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_OK);
    assert_int_equal(world->server->registrations, 2);
    assert_int_equal(world->server->last.envelope.attempt, 1);
    assert_int_equal(outcome.attempts, 2);
}

static void test_client_unknown_after_a_lost_try_is_unknown(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    world->server->script = NULL;
    call_revoke(world->client, &outcome);
    world_requests(world, 1);
    server_close(server_newest(world->server));
    world_requests(world, 2);
    server_answer(&world->server->last, OP_CLIENT_UNKNOWN, NULL);
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_UNKNOWN);
    assert_int_equal(world->server->count, 2);
    struct outcome next = {0};
    world->server->script = server_obey;
    call_revoke(world->client, &next);
    world_end_of(world, &next);
    assert_int_equal(next.watermark, 101);
    assert_int_equal(world->server->registrations, 2);
}

/* After three quarters of the silence that the cluster bears it may have forgotten us when the next
 * try is lost: that one could never be told for certain. */
static void test_long_silence_registers_anew_before_the_call(void **state)
{
    struct world *world = *state;
    struct outcome first = {0}, second = {0}, third = {0};
    world->server->silence = 4000000;
    call_revoke(world->client, &first);
    world_end_of(world, &first);
    world_pass(world, 2900000);
    call_revoke(world->client, &second);
    world_end_of(world, &second);
    assert_int_equal(world->server->registrations, 1);
    world_pass(world, 2900000); /* since an answer, not since registering */
    call_revoke(world->client, &second);
    world_end_of(world, &second);
    assert_int_equal(world->server->registrations, 1);
    world_pass(world, 3100000);
    call_revoke(world->client, &third);
    world_end_of(world, &third);
    assert_int_equal(third.outcome, TENURE_OK);
    assert_int_equal(third.attempts, 1);
    assert_int_equal(world->server->registrations, 2);
    assert_int_equal(world->server->last.envelope.number, 1);
}

struct full_cluster {
    unsigned asked;          /* to register */
    enum op_outcome outcome; /* from the second time on */
};

static void refuse_second_register(struct server *server, const struct request *request)
{
    struct full_cluster *full = server->arg;
    if (request->row->number == OP_client_register && full->asked++ > 0) {
        server_answer(request, full->outcome, NULL);
    } else {
        server_obey(server, request);
    }
}

/* The cluster may be full of clients, and know the one that was silent still. */
static void takes_back_when(struct world *world, enum op_outcome outcome)
{
    struct full_cluster full = {.outcome = outcome};
    struct outcome first = {0}, second = {0}, third = {0};
    world->server->silence = 4000000;
    world->server->register_scripted = true;
    world->server->script = refuse_second_register;
    world->server->arg = &full;
    call_revoke(world->client, &first);
    world_end_of(world, &first);
    world_pass(world, 3100000);
    call_revoke(world->client, &second);
    world_end_of(world, &second);
    assert_int_equal(second.outcome, TENURE_OK);
    assert_int_equal(world->server->last.envelope.number, 2);
    assert_int_equal(full.asked, 2);
    call_revoke(world->client, &third); /* it was heard: no reason to ask again */
    world_end_of(world, &third);
    assert_int_equal(third.outcome, TENURE_OK);
    assert_int_equal(full.asked, 2);
}

static void test_registration_that_was_given_up_serves_when_there_is_no_room(void **state)
{
    takes_back_when(*state, OP_LIMIT);
}

/* It may stay full for as long as nobody states the time. */
static void test_registration_that_was_given_up_serves_until_the_sweep_is_done(void **state)
{
    takes_back_when(*state, OP_SWEEPING);
}

/* T7: what is answered as a read was heard by nobody. */
static void test_touch_that_wrote_nothing_breaks_no_silence(void **state)
{
    struct world *world = *state;
    struct outcome first = {0}, touch = {0}, last = {0};
    world->server->silence = 4000000;
    call_revoke(world->client, &first);
    world_end_of(world, &first);
    world_pass(world, 2000000);
    call_touch(world->client, &touch, 9);
    world_end_of(world, &touch);
    assert_int_equal(touch.outcome, TENURE_OK);
    world_pass(world, 1100000);
    call_revoke(world->client, &last);
    world_end_of(world, &last);
    assert_int_equal(world->server->registrations, 2);
}

/* What became of a call that was not answered is unknown: the next one's `lowest` keeps it from
 * being applied later still, so it goes under the same registration. */
static void test_unanswered_call_keeps_the_registration_for_one_more(void **state)
{
    struct world *world = *state;
    struct outcome first = {0}, lost = {0}, next = {0};
    world->server->silence = 2000000;
    call_revoke(world->client, &first);
    world_end_of(world, &first);
    world->server->script = NULL;
    call_revoke(world->client, &lost);
    world_end_of(world, &lost);
    assert_int_equal(tenure_outcome_class(lost.outcome), TENURE_CLASS_UNKNOWN);
    world->server->script = server_obey;
    call_revoke(world->client, &next);
    world_end_of(world, &next);
    assert_int_equal(next.outcome, TENURE_OK);
    assert_int_equal(world->server->registrations, 1);
    assert_int_equal(world->server->last.envelope.lowest, 3);
}

/* What is open and may have happened keeps its number, however long its answer takes (K1). */
static void test_silence_ends_no_registration_with_open_numbers(void **state)
{
    struct world *world = *state;
    struct outcome doubtful = {0}, fresh = {0};
    world->server->silence = 1000000;
    world->server->script = NULL;
    call_revoke(world->client, &doubtful);
    world_requests(world, 1);
    struct request asked = world->server->last;
    world_pass(world, 900000);
    call_revoke(world->client, &fresh);
    world_requests(world, 2);
    assert_int_equal(world->server->registrations, 1);
    assert_int_equal(world->server->last.envelope.number, 2);
    server_obey(world->server, &asked);
    server_obey(world->server, &world->server->last);
    world_end_of(world, &doubtful);
    world_end_of(world, &fresh);
    assert_int_equal(doubtful.outcome, TENURE_OK);
    assert_int_equal(fresh.outcome, TENURE_OK);
}

/* K1: what may have happened under a dead registration is never sent under its successor. */
static void test_doubtful_number_never_moves_to_the_next_registration(void **state)
{
    struct world *world = *state;
    struct outcome doubtful = {0};
    struct outcome fresh = {0};
    world->server->script = NULL;
    call_revoke(world->client, &doubtful);
    world_requests(world, 1);
    struct request first = world->server->last;
    call_revoke(world->client, &fresh);
    world_requests(world, 2);
    server_answer(&first, OP_UNKNOWN, NULL);                      /* backs off, in doubt */
    server_answer(&world->server->last, OP_CLIENT_UNKNOWN, NULL); /* a first try: goes again */
    world->server->script = server_obey;
    world_end_of(world, &fresh);
    world_end_of(world, &doubtful);
    assert_int_equal(fresh.outcome, TENURE_OK);
    assert_int_equal(fresh.watermark, 101);
    assert_int_equal(doubtful.outcome, TENURE_UNKNOWN);
    assert_int_equal(world->server->count, 3);
}

static void test_new_incarnation_makes_what_is_outstanding_unknown(void **state)
{
    struct world *world = *state;
    struct outcome outcome = {0};
    world->server->script = NULL;
    call_revoke(world->client, &outcome);
    world_requests(world, 1);
    world->server->hello.incarnation.bytes[0] ^= 1;
    server_close(server_newest(world->server));
    world_end_of(world, &outcome);
    assert_int_equal(outcome.outcome, TENURE_UNKNOWN);
    assert_int_equal(world->server->count, 1);
    struct outcome next = {0};
    world->server->script = server_obey;
    call_revoke(world->client, &next);
    world_end_of(world, &next);
    assert_int_equal(next.outcome, TENURE_OK);
    assert_int_equal(world->server->registrations, 2);
    assert_true(
        id128_equal(world->server->last.envelope.incarnation, world->server->hello.incarnation));
}

/* ---- K4: the bound on open numbers ---- */

struct window {
    uint64_t most; /* number - lowest + 1 */
    uint64_t limit;
    uint64_t lowest;
    struct request kept[MANY];
    size_t kept_count;
};

static void keep(struct server *server, const struct request *request)
{
    struct window *window = server->arg;
    uint64_t open = request->envelope.number - request->envelope.lowest + 1;
    window->most = u64_max(window->most, open);
    window->kept[window->kept_count++] = *request;
}

static void test_no_more_numbers_are_open_than_the_cluster_remembers(void **state)
{
    struct world *world = *state;
    struct window *window = calloc(1, sizeof(*window));
    struct outcome *outcomes = calloc(MANY, sizeof(*outcomes));
    world->server->script = keep;
    world->server->arg = window;
    for (size_t i = 0; i < MANY; i++) {
        call_revoke(world->client, &outcomes[i]);
    }
    world_requests(world, 256);
    world_pass(world, 100 * SIM_MILLISECOND);
    assert_int_equal(world->server->count, 256);
    struct outcome read = {0};
    call_validate(world->client, &read, 1); /* what needs no number does not wait for one */
    world_requests(world, 257);
    server_obey(world->server, &world->server->last);
    world_end_of(world, &read);
    world->server->script = server_obey; /* all but the first: it holds the window shut */
    for (size_t i = 1; i < 256; i++) {
        server_obey(world->server, &window->kept[i]);
    }
    world_pass(world, 100 * SIM_MILLISECOND);
    assert_int_equal(world->server->count, 257);
    server_obey(world->server, &window->kept[0]);
    world_end_of(world, &outcomes[MANY - 1]);
    assert_int_equal(window->most, 256);
    for (size_t i = 0; i < MANY; i++) {
        assert_int_equal(outcomes[i].ends, 1);
        assert_int_equal(outcomes[i].outcome, TENURE_OK);
        assert_int_equal(outcomes[i].watermark, 101 + i);
    }
    free(outcomes);
    free(window);
}

/* As the cluster does it (fsm/dedupe.c), with a bound of `limit`. */
static void bound(struct server *server, const struct request *request)
{
    struct window *window = server->arg;
    window->lowest = u64_max(window->lowest, request->envelope.lowest);
    if (request->envelope.number - window->lowest >= window->limit) {
        struct op_details details = {.has_limit = true, .limit = bytes_of_text("client_open_max")};
        server_answer(request, OP_OVERLOADED, &details);
        return;
    }
    server_obey(server, request);
}

static void test_a_cluster_with_a_lower_bound_is_obeyed(void **state)
{
    struct world *world = *state;
    struct window *window = calloc(1, sizeof(*window));
    struct outcome *outcomes = calloc(MANY, sizeof(*outcomes));
    window->limit = 40;
    world->server->script = bound;
    world->server->arg = window;
    for (size_t i = 0; i < MANY; i++) {
        call_revoke(world->client, &outcomes[i]);
    }
    for (size_t i = 0; i < MANY; i++) {
        world_end_of(world, &outcomes[i]);
        assert_int_equal(outcomes[i].outcome, TENURE_OK);
    }
    assert_in_range(world->client->registration.window, 20, 40);
    free(outcomes);
    free(window);
}

static void test_two_clients_on_one_env_are_two(void **state)
{
    struct world *world = *state;
    const char *servers[] = {world->server->address};
    struct tenure_client *other = world_client(world, servers, 1, false);
    struct outcome one = {0};
    struct outcome two = {0};
    call_revoke(world->client, &one);
    call_revoke(other, &two);
    world_end_of(world, &one);
    world_end_of(world, &two);
    assert_int_equal(one.watermark, 101);
    assert_int_equal(two.watermark, 101);
    assert_int_equal(world->server->registrations, 2);
    assert_int_equal(server_open_count(world->server), 2);
    assert_false(id128_equal(world->client->instance, other->instance));
    tenure_close(other);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_registers_once_at_the_first_numbered_call),
        CASE(test_refused_registration_refuses_the_call),
        CASE(test_lowest_is_the_lowest_open_number),
        CASE(test_unknown_is_asked_again_under_the_same_number),
        CASE(test_lost_link_means_the_same_number_again),
        CASE(test_client_unknown_on_a_first_try_registers_again),
        CASE(test_client_unknown_after_a_lost_try_is_unknown),
        CASE(test_long_silence_registers_anew_before_the_call),
        CASE(test_registration_that_was_given_up_serves_when_there_is_no_room),
        CASE(test_registration_that_was_given_up_serves_until_the_sweep_is_done),
        CASE(test_touch_that_wrote_nothing_breaks_no_silence),
        CASE(test_unanswered_call_keeps_the_registration_for_one_more),
        CASE(test_silence_ends_no_registration_with_open_numbers),
        CASE(test_doubtful_number_never_moves_to_the_next_registration),
        CASE(test_new_incarnation_makes_what_is_outstanding_unknown),
        CASE(test_no_more_numbers_are_open_than_the_cluster_remembers),
        CASE(test_a_cluster_with_a_lower_bound_is_obeyed),
        CASE(test_two_clients_on_one_env_are_two),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
