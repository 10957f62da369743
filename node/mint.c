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

const struct op_field *node_mint_token_field(const struct op_row *row)
{
    for (size_t i = 0; i < row->reply->field_count; i++) {
        if (row->reply->fields[i].kind == OP_KIND_token) {
            return &row->reply->fields[i];
        }
    }
    return NULL;
}

void node_mint_verifier(struct op_token *token)
{
    uint8_t input[64];
    op_token_verifier_input(token, input);
    env_sha256(bytes_of(input, sizeof(input)), token->verifier);
    env_wipe(input, sizeof(input));
}

/* A fence token is for the task that the request names; a session's for the id that we mint. */
static struct id128 token_id(const struct op_row *row, const union op_request *request,
                             const struct op_command *command)
{
    for (size_t i = 0; i < row->request->field_count; i++) {
        const struct op_field *field = &row->request->fields[i];
        if (field->kind == OP_KIND_id && strcmp(field->name, "task") == 0) {
            struct id128 id;
            memcpy(&id, (const uint8_t *)request + field->offset, sizeof(id));
            return id;
        }
    }
    return command->minted_id;
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
    if (node_mint_token_field(row) == NULL) {
        return;
    }
    struct op_token token = {.incarnation = fsm_incarnation(node->fsm),
                             .id = token_id(row, request, command)};
    draw(node, token.secret, sizeof(token.secret));
    node_mint_verifier(&token);
    memcpy(command->minted_verifier, token.verifier, sizeof(token.verifier));
    memcpy(ret_secret, token.secret, sizeof(token.secret));
    env_wipe(&token, sizeof(token));
}
