/* Verifiers: SHA-256 over incarnation, id and secret, and over nothing else. */
#include "node/mint.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "env/crypto.h"

static struct op_token token_of(uint8_t incarnation, uint8_t id, uint8_t secret)
{
    struct op_token token;
    memset(&token, 0, sizeof(token));
    memset(token.incarnation.bytes, incarnation, sizeof(token.incarnation.bytes));
    memset(token.id.bytes, id, sizeof(token.id.bytes));
    memset(token.secret, secret, sizeof(token.secret));
    return token;
}

static void verify(struct op_token *token)
{
    struct node_mint mint;
    node_mint_init(&mint);
    node_mint_verifier(&mint, token);
    node_mint_done(&mint);
}

static void a_verifier_is_the_hash_of_three_parts(void **state)
{
    (void)state;
    struct op_token token = token_of(1, 2, 3);
    verify(&token);
    uint8_t input[64];
    uint8_t expected[32];
    memset(input, 1, 16);
    memset(input + 16, 2, 16);
    memset(input + 32, 3, 32);
    env_sha256(bytes_of(input, sizeof(input)), expected);
    assert_memory_equal(token.verifier, expected, sizeof(expected));
}

static void each_part_counts_and_no_other_does(void **state)
{
    (void)state;
    struct op_token first = token_of(1, 2, 3);
    verify(&first);
    const struct op_token others[] = {token_of(9, 2, 3), token_of(1, 9, 3), token_of(1, 2, 9)};
    for (size_t i = 0; i < 3; i++) {
        struct op_token other = others[i];
        verify(&other);
        assert_memory_not_equal(first.verifier, other.verifier, sizeof(first.verifier));
    }
    struct op_token shown = token_of(1, 2, 3);
    shown.epoch = 5; /* shown, never trusted */
    shown.attempt = 6;
    verify(&shown);
    assert_memory_equal(first.verifier, shown.verifier, sizeof(first.verifier));
}

static void what_makes_or_replaces_a_secret_alone_has_a_token(void **state)
{
    (void)state;
    size_t count = 0;
    const struct op_row *rows = op_rows(&count);
    for (size_t i = 0; i < count; i++) {
        bool mints = rows[i].number == OP_session_create || rows[i].number == OP_task_claim ||
                     rows[i].number == OP_session_rotate || rows[i].number == OP_session_elevate ||
                     rows[i].number == OP_task_hand_over;
        assert_int_equal(op_minted_token(&rows[i]) != NULL, mints);
    }
}

static void a_secret_is_for_what_the_request_names(void **state)
{
    (void)state;
    assert_null(op_minted_for(op_row_of_number(OP_session_create)));
    assert_string_equal(op_minted_for(op_row_of_number(OP_task_claim))->name, "task");
    assert_string_equal(op_minted_for(op_row_of_number(OP_session_rotate))->name, "token");
    assert_string_equal(op_minted_for(op_row_of_number(OP_session_elevate))->name, "token");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_verifier_is_the_hash_of_three_parts),
        cmocka_unit_test(each_part_counts_and_no_other_does),
        cmocka_unit_test(what_makes_or_replaces_a_secret_alone_has_a_token),
        cmocka_unit_test(a_secret_is_for_what_the_request_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
