/* What a node writes of its own: the messages that raftlog carries for it, the file CLOCK's slots,
 * and what it keeps in its folder's birth. */
#include <inttypes.h>
#include <string.h>

#include "base/assert.h"
#include "node/bootstrap.h"
#include "node/clocks.h"
#include "node/forms.h"
#include "node/level.h"
#include "node/space.h"
#include "raftlog/wire.h"
#include "tests/golden/golden.h"
#include "tests/unit/fsm_law/actions.h"

enum { FRAME_MAX = 256, MEMBERS = 3 };

static const struct {
    const char *name;
    uint8_t kind;
    struct node_clock_message message;
} clocks[] = {
    {"clock ask", PEER_CLOCK_ASK, {.first = 0x1122334455667788}},
    {"clock answer",
     PEER_CLOCK_ANSWER,
     {.first = 0x1122334455667788,
      .has = true,
      .value = 1700000000000003,
      .era = 7,
      .wall = NODE_TIME_WALL_OFFERED,
      .wall_value = 1700000000000004}},
    {"clock answer of an untrue wall",
     PEER_CLOCK_ANSWER,
     {.first = 9, .era = 6, .wall = NODE_TIME_WALL_UNTRUE}},
    {"clock leader",
     PEER_CLOCK_LEADER,
     {.first = 8, .has = true, .value = 1700000000000005, .era = 7}},
    {"clock void", PEER_CLOCK_VOID, {.first = 8}},
    {"clock held", PEER_CLOCK_HELD, {.first = 8, .era = 8}},
};
enum { CLOCKS = sizeof(clocks) / sizeof(clocks[0]) };

/* ---- making ---- */

static void add_message(struct golden *golden, const char *name, uint8_t kind, struct bytes message)
{
    uint8_t buffer[FRAME_MAX];
    struct base_writer writer;
    base_writer_init(&writer, buffer, sizeof(buffer));
    rlog_wire_frame_begin(&writer, kind);
    base_write_bytes(&writer, message);
    golden_add(golden, name, rlog_wire_frame_end(&writer));
}

static void make_birth(struct golden *golden)
{
    static struct node_bootstrap bootstrap;
    memset(&bootstrap, 0, sizeof(bootstrap));
    bootstrap.time = 1700000000000006;
    memset(bootstrap.hash_key, 0xa1, sizeof(bootstrap.hash_key));
    memset(bootstrap.derive_key, 0xa2, sizeof(bootstrap.derive_key));
    bootstrap.limits = small_limits();
    bootstrap.birth.member_count = MEMBERS;
    for (size_t i = 0; i < MEMBERS; i++) {
        snprintf(bootstrap.clients[i], ENV_ADDRESS_MAX, "10.0.0.%zu:7400", i + 1);
    }
    node_birth_write(&bootstrap);
    golden_add(golden, "birth", bootstrap.birth.machine);
}

void golden_node_make(struct golden *golden)
{
    static const struct node_space_message space = {.is_short = true, .free = 123456789};
    static const struct node_level_message level = {.level = 3};
    static const struct node_clock_slot slot = {.sequence = 41,
                                                .has_clock = true,
                                                .era = 7,
                                                .boot_id = {{1, 2, 3, 4}},
                                                .boot_us = 5000000,
                                                .offset = 1699999995000000,
                                                .kept = {true, 1700000000000007, 1700000000000008}};
    uint8_t buffer[NODE_FORM_MAX];
    for (size_t i = 0; i < CLOCKS; i++) {
        add_message(golden, clocks[i].name, clocks[i].kind,
                    node_form_write_clock(buffer, &clocks[i].message));
    }
    add_message(golden, "space", PEER_SPACE, node_form_write_space(buffer, &space));
    add_message(golden, "level", PEER_LEVEL, node_form_write_level(buffer, &level));
    node_form_write_slot(buffer, &slot);
    golden_add(golden, "CLOCK", bytes_of(buffer, sizeof(buffer)));
    make_birth(golden);
}

/* ---- telling ---- */

static void tell_clock(struct bytes body, const char *what, FILE *text)
{
    struct node_clock_message said;
    if (!node_form_read_clock(body, &said)) {
        fprintf(text, "%s is not read\n", what);
        return;
    }
    fprintf(text,
            "%s first=%" PRIu64 " has=%d value=%" PRIu64 " era=%" PRIu64 " wall=%d value=%" PRIu64
            "\n",
            what, said.first, (int)said.has, said.value, said.era, (int)said.wall, said.wall_value);
}

static void tell_space(struct bytes body, FILE *text)
{
    struct node_space_message said;
    if (node_form_read_space(body, &said)) {
        fprintf(text, "space short=%d free=%" PRIu64 "\n", (int)said.is_short, said.free);
    } else {
        fprintf(text, "space is not read\n");
    }
}

static void tell_level(struct bytes body, FILE *text)
{
    struct node_level_message said;
    if (node_form_read_level(body, &said)) {
        fprintf(text, "level knows=%" PRIu64 "\n", said.level);
    } else {
        fprintf(text, "level is not read\n");
    }
}

/* As node/machine.c hands them on. */
static void tell_message(uint8_t kind, struct bytes body, FILE *text)
{
    static const char *const asked[] = {[PEER_CLOCK_ASK] = "clock: what time is it?",
                                        [PEER_CLOCK_ANSWER] = "clock: an answer",
                                        [PEER_CLOCK_LEADER] = "clock: the leader's",
                                        [PEER_CLOCK_VOID] = "clock: yours is wrong",
                                        [PEER_CLOCK_HELD] = "clock: it is held"};
    if (kind == PEER_SPACE) {
        tell_space(body, text);
    } else if (kind == PEER_LEVEL) {
        tell_level(body, text);
    } else if (kind < sizeof(asked) / sizeof(asked[0]) && asked[kind] != NULL) {
        tell_clock(body, asked[kind], text);
    } else {
        fprintf(text, "kind %u is not known\n", kind);
    }
}

static void tell_slot(struct bytes bytes, FILE *text)
{
    struct node_clock_slot slot;
    if (!node_form_read_slot(bytes, &slot)) {
        fprintf(text, "CLOCK is not read\n");
        return;
    }
    fprintf(text,
            "CLOCK sequence=%" PRIu64 " has=%d era=%" PRIu64 " boot=%" PRIu64 " offset=%" PRIu64
            " kept=%d clock=%" PRIu64 " wall=%" PRIu64 "\n",
            slot.sequence, (int)slot.has_clock, slot.era, slot.boot_us, slot.offset,
            (int)slot.kept.known, slot.kept.clock, slot.kept.wall_us);
    golden_hex(text, "  boot id", bytes_of(slot.boot_id.bytes, 16));
}

#define TELL_LIMIT_(tag, name, standard, least, greatest, help)                                    \
    fprintf(text, "  " #name "=%" PRIu64 "\n", bootstrap.limits.name);

static void tell_birth(struct bytes bytes, FILE *text)
{
    static struct node_bootstrap bootstrap;
    struct rlog_birth birth = {.member_count = MEMBERS, .machine = bytes};
    if (!node_birth_read(&birth, &bootstrap)) {
        fprintf(text, "birth is not read: %s\n", node_birth_fault(&birth));
        return;
    }
    fprintf(text, "birth time=%" PRIu64 "\n", bootstrap.time);
    golden_hex(text, "  hash key", bytes_of(bootstrap.hash_key, sizeof(bootstrap.hash_key)));
    golden_hex(text, "  derive key", bytes_of(bootstrap.derive_key, sizeof(bootstrap.derive_key)));
    for (size_t i = 0; i < MEMBERS; i++) {
        fprintf(text, "  client=%s\n", bootstrap.clients[i]);
    }
    OP_LIMITS(TELL_LIMIT_)
}

void golden_node_tell(const struct golden *golden, FILE *text)
{
    for (size_t i = 0; i < golden->count; i++) {
        struct bytes bytes = golden_bytes(&golden->pieces[i]), body;
        uint8_t kind;
        size_t size;
        if (strcmp(golden->pieces[i].name, "CLOCK") == 0) {
            tell_slot(bytes, text);
        } else if (strcmp(golden->pieces[i].name, "birth") == 0) {
            tell_birth(bytes, text);
        } else if (rlog_wire_frame_read(bytes, FRAME_MAX, &kind, &body, &size) ==
                   RLOG_FRAME_WHOLE) {
            tell_message(kind, body, text);
        } else {
            fprintf(text, "%s is no frame\n", golden->pieces[i].name);
        }
    }
}
