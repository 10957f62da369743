/* Random ids and secrets, drawn by the leader before it proposes. */
#include "node/mint.h"

#include <string.h>

#include "env/crypto.h"
#include "env/random.h"
#include "node/internal.h"
#include "op/token.h"

void node_mint_init(struct node_mint *mint)
{
    mint->used = sizeof(mint->pool);
    mint->hasher = env_hasher_create();
}

void node_mint_done(struct node_mint *mint)
{
    env_hasher_destroy(mint->hasher);
}

static void draw(struct node *node, void *buffer, size_t size)
{
    struct node_mint *mint = &node->mint;
    if (mint->used + size > sizeof(mint->pool)) {
        env_random(node->env, mint->pool, sizeof(mint->pool));
        mint->used = 0;
    }
    memcpy(buffer, mint->pool + mint->used, size);
    env_wipe(mint->pool + mint->used, size);
    mint->used += size;
}

void node_mint_verifier(const struct node_mint *mint, struct op_token *token)
{
    uint8_t input[64];
    op_token_verifier_input(token, input);
    env_hasher_sha256(mint->hasher, bytes_of(input, sizeof(input)), token->verifier);
    env_wipe(input, sizeof(input));
}

static struct id128 token_id(const struct op_row *row, const union op_request *request,
                             const struct op_command *command)
{
    const struct op_field *field = op_minted_for(row);
    struct id128 id = command->minted_id;
    if (field == NULL) {
        return id;
    }
    const uint8_t *at = (const uint8_t *)request + field->offset;
    if (field->kind == OP_KIND_token) {
        return ((const struct op_token *)(const void *)at)->id;
    }
    memcpy(&id, at, sizeof(id));
    return id;
}

void node_mint_command(struct node *node, const struct op_row *row, const union op_request *request,
                       struct op_command *command, uint8_t ret_secret[32])
{
    memset(ret_secret, 0, 32);
    if (row->idempotency != OP_NUMBERED) {
        return;
    }
    draw(node, &command->minted_id, sizeof(command->minted_id));
    if (command->attempt > 1) {
        /* model.md section 6: a retry's secret is for the object that the first try made */
        (void)fsm_minted_before(node->fsm, &command->caller, command->client, command->request,
                                &command->minted_id);
    }
    if (op_minted_token(row) == NULL) {
        return;
    }
    struct op_token token = {.incarnation = fsm_incarnation(node->fsm),
                             .id = token_id(row, request, command)};
    command->minted_id = token.id;
    draw(node, token.secret, sizeof(token.secret));
    node_mint_verifier(&node->mint, &token);
    memcpy(command->minted_verifier, token.verifier, sizeof(token.verifier));
    memcpy(ret_secret, token.secret, sizeof(token.secret));
    env_wipe(&token, sizeof(token));
}
