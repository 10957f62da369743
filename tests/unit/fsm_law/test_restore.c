/* Law: an entry that cannot be understood changes nothing; an image that is not this cluster's, or
 * is damaged, is refused with a word why; a machine touches what it uses and no more. */
#include "tests/unit/fsm_law/actions.h"

#include <string.h>
#include <sys/mman.h>

enum { IMAGE_MAX = 1 << 20 };

struct image {
    size_t size;
    uint8_t bytes[IMAGE_MAX];
};

static struct image image;
static struct machine machine;

static void collect(void *arg, struct bytes piece)
{
    struct image *into = arg;

    assert_true(into->size + piece.size <= IMAGE_MAX);
    memcpy(into->bytes + into->size, piece.data, piece.size);
    into->size += piece.size;
}

static int setup(void **state)
{
    struct op_limits limits = small_limits();
    struct actor actor;
    struct session session;

    (void)state;
    machine_init(&machine, &limits);
    actor_init(&actor, &machine, "acme", "service/front");
    session = open_session(&actor, "alice", "a");
    assert_int_equal(put(&actor, &session, "key"), OP_OK);
    image.size = 0;
    fsm_snapshot_begin(machine.fsm, collect, &image);
    while (!fsm_snapshot_step(machine.fsm, 1)) {
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    machine_done(&machine);
    return 0;
}

static bool restored(struct fsm *fsm)
{
    fsm_restore_begin(fsm);
    return fsm_restore_feed(fsm, bytes_of(image.bytes, image.size)) && fsm_restore_end(fsm);
}

static void an_image_restores_over_another_state(void **state)
{
    struct hash128 digest = fsm_digest(machine.fsm);
    struct actor actor;

    (void)state;
    actor_init(&actor, &machine, "rival", "service/front");
    (void)open_session(&actor, "alice", "a");
    assert_false(hash128_equal(digest, fsm_digest(machine.fsm)));
    assert_true(restored(machine.fsm));
    assert_true(hash128_equal(digest, fsm_digest(machine.fsm)));
    assert_string_equal(fsm_restore_error(machine.fsm), "");
}

static void refused_with_a_word(struct fsm_birth birth, const char *word)
{
    struct machine other;

    other.size = fsm_memory_size(&birth.limits);
    other.memory = mmap(NULL, other.size, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert_true(other.memory != MAP_FAILED);
    other.fsm = fsm_create(other.memory, other.size, &birth);
    assert_false(restored(other.fsm));
    assert_non_null(strstr(fsm_restore_error(other.fsm), word));
    (void)munmap(other.memory, other.size);
}

static void an_image_of_another_incarnation_is_refused(void **state)
{
    struct op_limits limits = small_limits();
    struct fsm_birth birth = birth_of(&limits);

    (void)state;
    birth.incarnation = id_of(78);
    refused_with_a_word(birth, "incarnation");
}

static void an_image_under_other_limits_is_refused(void **state)
{
    struct op_limits limits = small_limits();

    (void)state;
    limits.tombstone_us += 1;
    refused_with_a_word(birth_of(&limits), "limits");
}

static void a_flipped_bit_is_refused(void **state)
{
    (void)state;
    for (size_t at = 0; at < image.size; at += 7) {
        struct op_limits limits = small_limits();

        image.bytes[at] ^= 16;
        machine_done(&machine);
        machine_init(&machine, &limits);
        assert_false(restored(machine.fsm));
        assert_true(strlen(fsm_restore_error(machine.fsm)) > 0);
        image.bytes[at] ^= 16;
    }
    assert_true(image.size > 500);
}

static void an_entry_that_is_not_understood_changes_nothing(void **state)
{
    static uint8_t entry[4096];
    struct hash128 digest = fsm_digest(machine.fsm);
    struct op_caller caller = caller_of("acme", "service/front", 1);
    struct call call;
    size_t size;

    (void)state;
    call_init(&call, OP_revoke_user, &caller, 1, 9);
    call.fields.revoke_user.user = text("alice");
    size = entry_of(&call, machine.stamp + SECOND, entry, sizeof entry);
    for (size_t cut = 0; cut < size; cut++) {
        assert_false(fsm_apply(machine.fsm, bytes_of(entry, cut), NULL, NULL));
    }
    entry[0] ^= 0x80; /* a version of the future */
    assert_false(fsm_apply(machine.fsm, bytes_of(entry, size), NULL, NULL));
    assert_true(hash128_equal(digest, fsm_digest(machine.fsm)));
    entry[0] ^= 0x80;
    assert_true(fsm_apply(machine.fsm, bytes_of(entry, size), NULL, NULL));
    assert_false(hash128_equal(digest, fsm_digest(machine.fsm)));
}

static void the_usual_limits_reserve_much_and_touch_little(void **state)
{
    struct machine usual;
    struct op_limits limits;
    unsigned char *resident;
    size_t pages;
    size_t touched = 0;

    (void)state;
    op_limits_init(&limits);
    machine_init(&usual, &limits);
    assert_true(usual.size <= 16ull << 30);
    pages = (usual.size + 4095) / 4096;
    resident = mmap(NULL, pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_true(resident != MAP_FAILED);
    assert_int_equal(mincore(usual.memory, usual.size, resident), 0);
    for (size_t i = 0; i < pages; i++) {
        touched += resident[i] & 1;
    }
    print_message("%u MiB reserved, %u pages touched\n", (unsigned)(usual.size >> 20),
                  (unsigned)touched);
    assert_true(touched < 1000);
    (void)munmap(resident, pages);
    machine_done(&usual);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_image_restores_over_another_state),
        TEST(an_image_of_another_incarnation_is_refused),
        TEST(an_image_under_other_limits_is_refused),
        TEST(a_flipped_bit_is_refused),
        TEST(an_entry_that_is_not_understood_changes_nothing),
        TEST(the_usual_limits_reserve_much_and_touch_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
