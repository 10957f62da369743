/* Denials that the leader gathers for its next DENIALS: who was answered NOT_FOUND, how often.
 * Keeps the promise of one command every 100 ms and of bounded rows; what they lead to is the
 * FSM's. What was not committed when the leader is lost, is lost with it (docs/MODEL.md section 4).
 */
#ifndef NODE_DENIALS_H
#define NODE_DENIALS_H

#include "op/command.h"
#include "op/denials.h"

/* Of one certificate no more rows go into one command than a quarter of them: it shall not keep the
 * others' out. */
enum { DENIALS_SPACING_US = 100000, DENIALS_SHARE = OP_DENIALS_MAX / 4 };

/* Does another tenant, or another user, have this session or task? (fsm_foreign) */
typedef bool (*node_foreign_cb)(void *arg, const struct op_caller *caller, struct bytes user,
                                struct id128 object);

struct node_denial {
    uint8_t texts[3 * OP_NAME_MAX]; /* tenant, certificate, user, one behind the other */
    uint16_t tenant_size, name_size, user_size;
    struct id128 object;
    uint32_t count;
};

struct node_denials {
    struct node_denial rows[OP_DENIALS_MAX];
    size_t count;
    uint32_t overflow;
    uint64_t last_us; /* BOOTTIME of the newest DENIALS */
    uint8_t body[OP_DENIALS_BYTES_MAX];
};

/* Forgets what is gathered. */
void node_denials_clear(struct node_denials *denials);
/* One more of this caller, who asked what `request` of `row` says (which it leaves as it is). Noted
 * as asked about is the first of its ids and tokens that is foreign to him. Where none is: the id
 * that it names, or the one token that it shows; nothing where it shows several. */
void node_denials_note(struct node_denials *denials, const struct op_caller *caller,
                       const struct op_row *row, union op_request *request, node_foreign_cb foreign,
                       void *arg);
/* How long until a DENIALS may go; OP_INFINITE: there is nothing to say. */
uint64_t node_denials_delay(const struct node_denials *denials, uint64_t boot_us);
/* Appends DENIALS to an entry. What it says stays gathered until node_denials_sent. */
void node_denials_add(struct node_denials *denials, struct base_writer *writer);
void node_denials_sent(struct node_denials *denials, uint64_t boot_us);

#endif
