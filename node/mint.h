/* What a leader draws before it proposes: ids and secrets (model.md section 4). Never stored here.
 */
#ifndef NODE_MINT_H
#define NODE_MINT_H

#include "op/command.h"

struct env;
struct env_hasher;
struct node;

struct node_mint {
    struct env_hasher *hasher;
    uint8_t pool[1024]; /* random bytes, each used once */
    size_t used;
};

void node_mint_init(struct node_mint *mint);
/* Also of one that is all zeros. */
void node_mint_done(struct node_mint *mint);
/* Fills minted_id and minted_verifier of a numbered write, and the secret behind it when its reply
 * has a token (`ret_secret`, zero otherwise). */
void node_mint_command(struct node *node, const struct op_row *row, const union op_request *request,
                       struct op_command *command, uint8_t ret_secret[32]);
/* SHA-256 over a token's incarnation, id and secret. */
void node_mint_verifier(const struct node_mint *mint, struct op_token *token);

#endif
