/* S7: what sessions of the run are remembered is read once more, when all faults are over. The
 * checker judges it; nothing is known here. */
#include "jepsen/load/load.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { AT_ONCE = 64 };

static void on_read(void *arg, uint32_t row, const struct tenure_result *result, const void *reply)
{
    uint32_t *open = arg;
    (void)row;
    (void)result;
    (void)reply;
    --*open;
}

void last_reads(struct load *load)
{
    uint32_t open = 0;
    uint64_t from = load->remembered_count > LOAD_REMEMBERED
                        ? load->remembered_count - LOAD_REMEMBERED
                        : 0;
    for (uint64_t i = from; i < load->remembered_count; i++) {
        const struct lane_session *session = &load->remembered[i % LOAD_REMEMBERED];
        for (unsigned key = 0; key < LANE_KEYS; key++) {
            char text[16];
            (void)snprintf(text, sizeof text, "key-%u", key);
            const struct tenure_state_get_request request = {.user = tenure_text(session->user),
                                                             .has_token = true,
                                                             .token = tenure_text(session->token),
                                                             .key = tenure_text(text)};
            open++;
            (void)recorder_call(&load->recorders[i % LOAD_FOLLOWERS], OP_state_get, &request,
                                on_read, &open);
        }
        while (open >= AT_ONCE) {
            load_turn(load, 100000, -1);
        }
    }
    while (open > 0) {
        load_turn(load, 100000, -1);
    }
}
