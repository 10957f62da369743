/* F-15, F-56, F-62, F-65: nobody can plant a session: ids and secrets are drawn by the server, a
 * login is a new session, and a secret that was replaced is refused, and soon evidence of theft.
 */
#include "op/token.h"
#include "tests/acceptance/stage.h"

#include <stdlib.h>
#include <string.h>

enum { DRAWN = 400, WAIT_CALLS = 200000 };

static void parse(const char *text, struct op_token *ret_token)
{
    if (!op_token_read(bytes_of_text(text), OP_TOKEN_session, ret_token)) {
        abort();
    }
}

/* ---- what is drawn ---- */

/* In so many draws each bit is set in about half; ten standard deviations are allowed. */
static void count_bits(struct stage *stage, const uint8_t *drawn[], size_t size, const char *what)
{
    for (size_t bit = 0; bit < 8 * size; bit++) {
        unsigned set = 0;
        for (size_t i = 0; i < DRAWN; i++) {
            set += (unsigned)drawn[i][bit / 8] >> bit % 8 & 1U;
        }
        EXPECT(stage, set > DRAWN / 4 && set < 3 * DRAWN / 4, "bit %zu of %s is set in %u of %d",
               bit, what, set, DRAWN);
    }
    for (size_t i = 0; i < DRAWN; i++) {
        for (size_t j = 0; j < i; j++) {
            EXPECT(stage, memcmp(drawn[i], drawn[j], size) != 0, "%s %zu and %zu are equal", what,
                   i, j);
        }
    }
}

static void nobody_can_guess(struct stage *stage)
{
    static struct op_token tokens[DRAWN];
    const uint8_t *ids[DRAWN], *secrets[DRAWN];
    struct stage_session session;
    for (size_t i = 0; i < DRAWN; i++) {
        stage_open(stage, stage->client, "alice", &session);
        parse(session.token, &tokens[i]);
        EXPECT(stage, memcmp(&tokens[i].id, &session.id, sizeof(session.id)) == 0,
               "the token's id is another one");
        EXPECT(stage, strstr(session.token, "alice") == NULL, "it names the user");
        EXPECT(stage, id128_equal(tokens[i].incarnation, tokens[0].incarnation),
               "another incarnation");
        ids[i] = tokens[i].id.bytes;
        secrets[i] = tokens[i].secret;
    }
    count_bits(stage, ids, sizeof(tokens[0].id), "the id");
    count_bits(stage, secrets, sizeof(tokens[0].secret), "the secret");
}

/* ---- fixation ---- */

static enum tenure_outcome rotate(struct tenure_client *client, const char *policy,
                                  struct stage_session *session, uint64_t *ret_time)
{
    const struct tenure_session_rotate_request request = {
        .user = tenure_text(session->user),
        .token = tenure_text(session->token),
        .has_policy = policy != NULL,
        .policy = tenure_text(policy != NULL ? policy : ""),
        .has_evidence = policy != NULL,
        .evidence = TENURE_EVIDENCE_REAUTHENTICATION};
    struct tenure_session_rotate_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_rotate(client, &request, &reply, &result);
    if (outcome == TENURE_OK) {
        stage_keep(session->token, reply.token);
    }
    *ret_time = result.time;
    tenure_result_done(&result);
    return outcome;
}

/* An attacker opens a session as a guest and gets a victim to use it. The victim logs in: that is
 * another session, and the planted token sees nothing of it. */
static void planted_before_login(struct stage *stage)
{
    struct stage_session planted, login, tried;
    char value[STAGE_VALUE];
    stage_open(stage, stage->client, "guest", &planted);
    EXPECT(stage, stage_put(stage->client, &planted, "basket", "guest's") == TENURE_OK, "a guest");
    stage_open(stage, stage->client, "alice", &login);
    EXPECT(stage, stage_put(stage->client, &login, "basket", "alice's") == TENURE_OK, "she writes");
    EXPECT(stage, memcmp(&planted.id, &login.id, sizeof(login.id)) != 0, "a login is new");
    tried = planted;
    (void)snprintf(tried.user, sizeof(tried.user), "alice");
    EXPECT(stage, stage_get(stage->client, &tried, "basket", value) == TENURE_NOT_FOUND,
           "the planted token says \"%s\"", value);
    EXPECT(stage, stage_get(stage->client, &planted, "basket", value) == TENURE_OK, "it is his");
    EXPECT(stage, strcmp(value, "guest's") == 0, "it is \"%s\"", value);
}

/* A session that gains privileges gets a new secret; whoever had the old one has nothing. */
static void planted_before_elevation(struct stage *stage)
{
    struct stage_session session, old;
    char value[STAGE_VALUE];
    uint64_t at;
    const struct tenure_session_create_request request = {
        .user = tenure_text("alice"),
        .agent = tenure_text("agent"),
        .idle = TENURE_INFINITE,
        .absolute = TENURE_INFINITE,
        .has_policy = true,
        .policy = tenure_text("standard"),
        .has_grants = true,
        .grants = {{.permission = tenure_text("state:write")}},
        .grants_count = 1};
    EXPECT(stage, stage_create(stage->client, &request, &session) == TENURE_OK, "she logs in");
    EXPECT(stage, stage_put(stage->client, &session, "key", "kept") == TENURE_OK, "and writes");
    old = session;
    EXPECT(stage, rotate(stage->client, "elevated", &session, &at) == TENURE_OK, "she rises");
    EXPECT(stage, strcmp(old.token, session.token) != 0, "the secret stays the same");
    EXPECT(stage, stage_validate(stage->client, &old) == TENURE_NOT_FOUND, "the old one opens");
    EXPECT(stage, stage_put(stage->client, &old, "key", "x") == TENURE_NOT_FOUND, "it writes");
    EXPECT(stage, rotate(stage->client, NULL, &old, &at) == TENURE_NOT_FOUND, "it rotates");
    EXPECT(stage, stage_end(stage->client, &old) == TENURE_NOT_FOUND, "it ends the session");
    EXPECT(stage, stage_get(stage->client, &session, "key", value) == TENURE_OK, "hers reads");
    EXPECT(stage, strcmp(value, "kept") == 0, "her state is \"%s\"", value);
}

/* ---- theft ---- */

/* Asks until cluster time has passed `time`, or the session is dead. */
static enum tenure_outcome ask_until(struct stage *stage, const struct stage_session *session,
                                     uint64_t time, uint32_t *ret_cause)
{
    const struct tenure_session_validate_request request = {.user = tenure_text(session->user),
                                                            .token = tenure_text(session->token)};
    struct tenure_session_validate_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = TENURE_OK;
    bool passed = false;
    for (size_t i = 0; i < WAIT_CALLS && outcome == TENURE_OK && !passed; i++) {
        outcome = tenure_session_validate(stage->client, &request, &reply, &result);
        passed = result.clock > time && result.time > time;
        *ret_cause = result.details.has_cause ? result.details.cause : 0;
        tenure_result_done(&result);
    }
    return outcome;
}

/* This cluster's rotation_grace_us is a second (tests/acceptance/run). */
static void stolen(struct stage *stage)
{
    struct stage_session session, old;
    uint64_t rotated = 0;
    uint32_t cause = 0;
    stage_open(stage, stage->client, "alice", &session);
    old = session;
    EXPECT(stage, rotate(stage->client, NULL, &session, &rotated) == TENURE_OK, "she rotates");
    EXPECT(stage, stage_validate(stage->client, &old) == TENURE_NOT_FOUND, "an honest mistake");
    EXPECT(stage, stage_validate(stage->client, &session) == TENURE_OK, "costs nothing");
    EXPECT(stage, ask_until(stage, &session, rotated + STAGE_SECOND, &cause) == TENURE_OK,
           "nor does time");
    EXPECT(stage, stage_validate(stage->client, &old) == TENURE_NOT_FOUND, "a thief finds nothing");
    enum tenure_outcome outcome = ask_until(stage, &session, UINT64_MAX, &cause);
    EXPECT(stage, outcome == TENURE_ENDED && cause == TENURE_END_CAUSE_COMPROMISED,
           "the stolen session: %s, cause %u", tenure_outcome_name(outcome), cause);
    stage_open(stage, stage->client, "alice", &old);
    EXPECT(stage, stage_validate(stage->client, &old) == TENURE_OK, "she logs in again");
}

int main(int argc, char **argv)
{
    static const struct stage_row rows[] = {
        {"F-15 F-65", "ids and secrets cannot be guessed, and say nothing", nobody_can_guess},
        {"F-56", "a session that was planted before a login is not the login's",
         planted_before_login},
        {"F-56", "a secret from before an elevation is worth nothing", planted_before_elevation},
        {"F-62", "the use of a replaced secret ends the session as compromised", stolen},
    };
    return stage_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}
