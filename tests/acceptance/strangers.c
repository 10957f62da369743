/* F-10, F-16, F-17, F-29, F-41, F-43, F-65, F-66: who does not own a session finds
 * nothing, whatever he forges, and cannot tell why. The forgeries are tried on every operation that
 * the table has.
 */
#include "client-lib/internal.h"
#include "op/token.h"
#include "tests/acceptance/stage.h"

#include <stdlib.h>
#include <string.h>

enum { FORGERIES_MAX = 16, REQUEST_BYTES = 64 * 1024 };

#define SECRET "only alice may read this"

struct forgery {
    const char *what;
    char user[128];
    char token[STAGE_TOKEN];
    bool by_stranger; /* with the other tenant's certificate */
};

/* ---- making tokens ---- */

static void parse(const char *text, enum op_token_kind kind, struct op_token *ret_token)
{
    if (!op_token_read(bytes_of_text(text), kind, ret_token)) {
        abort();
    }
}

static void print(const struct op_token *token, enum op_token_kind kind, char ret_text[STAGE_TOKEN])
{
    struct base_writer writer;
    base_writer_init(&writer, (uint8_t *)ret_text, STAGE_TOKEN - 1);
    op_token_write(&writer, kind, token);
    ret_text[base_written(&writer).size] = '\0';
}

struct forger {
    enum op_token_kind kind;
    struct op_token victim, own;
    const char *victim_user, *own_user;
    struct forgery all[FORGERIES_MAX];
    size_t count;
};

static void forge(struct forger *forger, const char *what, const char *user,
                  const struct op_token *token, bool by_stranger)
{
    struct forgery *made = &forger->all[forger->count++];
    *made = (struct forgery){.what = what, .by_stranger = by_stranger};
    (void)snprintf(made->user, sizeof(made->user), "%s", user);
    print(token, forger->kind, made->token);
}

static void forge_all(struct forger *forger)
{
    struct op_token token = forger->victim;
    forge(forger, "the right token under another user", forger->own_user, &token, false);
    forge(forger, "the right token and user in another tenant", forger->victim_user, &token, true);
    forge(forger, "an own token under the victim's user", forger->victim_user, &forger->own, false);
    memcpy(token.secret, forger->own.secret, sizeof(token.secret));
    forge(forger, "the victim's id with an own secret", forger->victim_user, &token, false);
    forge(forger, "the same under the own user", forger->own_user, &token, false);
    memset(token.secret, 0, sizeof(token.secret));
    forge(forger, "no secret at all", forger->victim_user, &token, false);
    token = forger->victim;
    token.secret[31] ^= 1;
    forge(forger, "one bit of the secret", forger->victim_user, &token, false);
    token = forger->victim;
    token.id.bytes[0] ^= 0x80;
    forge(forger, "an id that nobody has", forger->victim_user, &token, false);
    token = forger->victim;
    token.incarnation.bytes[15] ^= 1;
    forge(forger, "another incarnation", forger->victim_user, &token, false);
}

/* ---- asking every operation ---- */

/* A request with every required field, in the public form; the forged token and user in it. */
struct question {
    const struct op_row *row;
    const struct forgery *forgery;
    enum op_token_kind kind;
    struct tenure_id session; /* the victim's */
    uint8_t bytes[REQUEST_BYTES];
    bool shows; /* it has a token of that kind */
};

static void put_text(struct question *question, size_t offset, const char *text)
{
    struct tenure_bytes view = tenure_text(text);
    memcpy(question->bytes + offset, &view, sizeof(view));
}

/* A task's id is that of the fence that is shown. */
static void put_id(struct question *question, const struct op_field *field, size_t offset)
{
    struct op_token token;
    memcpy(question->bytes + offset, &question->session, sizeof(question->session));
    if (strcmp(field->name, "task") == 0 && question->kind == OP_TOKEN_fence) {
        parse(question->forgery->token, OP_TOKEN_fence, &token);
        memcpy(question->bytes + offset, &token.id, sizeof(token.id));
    }
}

/* One item, whose texts are all the same word. */
static void put_item(struct question *question, const struct op_field *field,
                     const struct tenure_field_map *map)
{
    uint64_t one = 1;
    memcpy(question->bytes + map->count_offset, &one, sizeof(size_t));
    for (size_t i = 0; i < field->item->field_count; i++) {
        if (field->item->fields[i].kind == OP_KIND_text) {
            put_text(question, map->offset + map->item[i].offset, "key");
        }
    }
}

static void fill_field(struct question *question, const struct op_field *field,
                       const struct tenure_field_map *map)
{
    uint64_t number = field->kind == OP_KIND_time_us ? STAGE_MINUTE : 1;
    bool token = field->kind == OP_KIND_token && field->bound == (size_t)question->kind;
    /* Of what is optional only what a fence asks for: the session, and the operation's number. */
    bool asked = question->kind == OP_TOKEN_fence &&
                 (field->kind == OP_KIND_id || strcmp(field->name, "operation") == 0);
    if (!token && (field->kind == OP_KIND_token || (!field->required && !asked))) {
        return;
    }
    switch (field->kind) {
    case OP_KIND_u64:
    case OP_KIND_time_us:
        memcpy(question->bytes + map->offset, &number, sizeof(number));
        break;
    case OP_KIND_boolean:
        break;
    case OP_KIND_enumeration:
        memcpy(question->bytes + map->offset, &(uint32_t){1}, sizeof(uint32_t));
        break;
    case OP_KIND_id:
        put_id(question, field, map->offset);
        break;
    case OP_KIND_token:
        put_text(question, map->offset, question->forgery->token);
        question->shows = true;
        break;
    case OP_KIND_blob:
    case OP_KIND_text:
        put_text(question, map->offset,
                 strcmp(field->name, "user") == 0 ? question->forgery->user : "key");
        break;
    case OP_KIND_list:
        put_item(question, field, map);
        break;
    }
    if (map->has_offset != SIZE_MAX) {
        question->bytes[map->has_offset] = true;
    }
}

/* False: the operation asks for no such token. */
static bool compose(struct question *question)
{
    struct tenure_method method = tenure_method_of(question->row->number);
    memset(question->bytes, 0, sizeof(question->bytes));
    question->shows = false;
    bool other = false;
    for (size_t i = 0; i < method.request->field_count; i++) {
        const struct op_field *field = &method.request->fields[i];
        fill_field(question, field, &method.request_map[i]);
        other = other || (field->required && field->kind == OP_KIND_token &&
                          field->bound != (size_t)question->kind);
    }
    return question->shows && !other;
}

/* What an answer says, beside the fields that every answer has. */
static bool same_answer(const struct tenure_result *a, const struct tenure_result *b)
{
    return a->outcome == b->outcome && strcmp(a->message, b->message) == 0 &&
           memcmp(&a->details, &b->details, sizeof(a->details)) == 0 &&
           a->superseded == b->superseded;
}

static void ask(struct stage *stage, struct question *question, struct tenure_result *first)
{
    struct tenure_method method = tenure_method_of(question->row->number);
    struct tenure_client *client = question->forgery->by_stranger ? stage->stranger : stage->client;
    static uint8_t reply[REQUEST_BYTES];
    struct tenure_result result;
    (void)tenure_call_wait(client, &method, question->bytes, reply, &result);
    EXPECT(stage, result.outcome == TENURE_NOT_FOUND, "%s, %s: %s: %s", question->row->name,
           question->forgery->what, tenure_outcome_name(result.outcome), result.message);
    if (first->message[0] == '\0') {
        *first = result;
        first->memory = NULL;
    }
    EXPECT(stage, same_answer(first, &result), "%s, %s: \"%s\", elsewhere \"%s\"",
           question->row->name, question->forgery->what, result.message, first->message);
    tenure_result_done(&result);
}

/* Every forgery on every operation that a token of that kind opens. Returns how many they were. */
static size_t ask_all(struct stage *stage, const struct forger *forger, struct tenure_id session)
{
    static struct question question;
    struct tenure_result first = {.outcome = TENURE_OK};
    size_t count, asked = 0;
    const struct op_row *rows = op_rows(&count);
    for (size_t i = 0; i < count; i++) {
        bool fits = (rows[i].roles & OP_ROLE_SERVICE) != 0;
        for (size_t j = 0; fits && j < forger->count; j++) {
            question.row = &rows[i];
            question.forgery = &forger->all[j];
            question.kind = forger->kind;
            question.session = session;
            fits = compose(&question);
            if (fits) {
                ask(stage, &question, &first);
                asked++;
            }
        }
    }
    return asked;
}

/* ---- the rows ---- */

static void nothing_happened(struct stage *stage, const struct stage_session *alice)
{
    char value[STAGE_VALUE];
    EXPECT(stage, stage_get(stage->client, alice, "key", value) == TENURE_OK, "she reads");
    EXPECT(stage, strcmp(value, SECRET) == 0, "her state is \"%s\"", value);
    EXPECT(stage, stage_check(stage->client, alice, "key") == TENURE_DENIED, "nobody gave her one");
    EXPECT(stage, stage_validate(stage->client, alice) == TENURE_OK, "her session lives");
}

static void forged_sessions(struct stage *stage)
{
    static struct forger forger;
    struct stage_session alice, mallory;
    char value[STAGE_VALUE];
    stage_open(stage, stage->client, "alice", &alice);
    stage_open(stage, stage->client, "mallory", &mallory);
    EXPECT(stage, stage_put(stage->client, &alice, "key", SECRET) == TENURE_OK, "she writes");
    forger = (struct forger){
        .kind = OP_TOKEN_session, .victim_user = alice.user, .own_user = mallory.user};
    parse(alice.token, OP_TOKEN_session, &forger.victim);
    parse(mallory.token, OP_TOKEN_session, &forger.own);
    forge_all(&forger);
    size_t asked = ask_all(stage, &forger, alice.id);
    EXPECT(stage, asked >= 13 * forger.count, "only %zu questions", asked);
    nothing_happened(stage, &alice);
    EXPECT(stage, stage_get(stage->client, &mallory, "key", value) == TENURE_OK, "his own");
    EXPECT(stage, value[0] == '\0', "he has \"%s\"", value);
}

static void begin_task(struct stage *stage, const struct stage_session *session,
                       struct tenure_task_claim_reply *ret_claimed, char ret_fence[STAGE_TOKEN])
{
    const struct tenure_task_begin_request begin = {.user = tenure_text(session->user),
                                                    .has_token = true,
                                                    .token = tenure_text(session->token),
                                                    .kind = tenure_text("work"),
                                                    .scope = TENURE_TASK_SCOPE_SESSION,
                                                    .ttl = STAGE_HOUR};
    struct tenure_task_begin_reply begun;
    struct tenure_result result;
    (void)tenure_task_begin(stage->client, &begin, &begun, &result);
    EXPECT(stage, result.outcome == TENURE_OK, "%s", result.message);
    tenure_result_done(&result);
    const struct tenure_task_claim_request claim = {
        .user = tenure_text(session->user), .task = begun.task, .lease = STAGE_MINUTE};
    (void)tenure_task_claim(stage->client, &claim, ret_claimed, &result);
    EXPECT(stage, result.outcome == TENURE_OK, "%s", result.message);
    stage_keep(ret_fence, ret_claimed->fence);
    tenure_result_done(&result);
}

static void forged_fences(struct stage *stage)
{
    static struct forger forger;
    struct stage_session alice, mallory;
    struct tenure_task_claim_reply claimed;
    char hers[STAGE_TOKEN], his[STAGE_TOKEN];
    stage_open(stage, stage->client, "alice", &alice);
    stage_open(stage, stage->client, "mallory", &mallory);
    EXPECT(stage, stage_put(stage->client, &alice, "key", SECRET) == TENURE_OK, "she writes");
    begin_task(stage, &mallory, &claimed, his);
    begin_task(stage, &alice, &claimed, hers);
    forger = (struct forger){
        .kind = OP_TOKEN_fence, .victim_user = alice.user, .own_user = mallory.user};
    parse(hers, OP_TOKEN_fence, &forger.victim);
    parse(his, OP_TOKEN_fence, &forger.own);
    forge_all(&forger);
    size_t asked = ask_all(stage, &forger, alice.id);
    EXPECT(stage, asked >= 7 * forger.count, "only %zu questions", asked);
    nothing_happened(stage, &alice);
    const struct tenure_task_heartbeat_request beat = {
        .user = tenure_text("alice"), .fence = tenure_text(hers), .lease = STAGE_MINUTE};
    struct tenure_task_heartbeat_reply reply;
    struct tenure_result result;
    (void)tenure_task_heartbeat(stage->client, &beat, &reply, &result);
    EXPECT(stage, result.outcome == TENURE_OK, "her task goes on: %s", result.message);
    tenure_result_done(&result);
}

/* A session's id may be logged, so it opens nothing by itself: aegra#336, deer-flow#3472,
 * adk-python#1641, agent-service-toolkit#305. */
static void foreign_ids(struct stage *stage)
{
    struct stage_session alice;
    struct tenure_result result;
    struct tenure_session_revoke_reply reply;
    stage_open(stage, stage->client, "alice", &alice);
    struct tenure_session_revoke_request request = {.user = tenure_text("mallory"),
                                                    .session = alice.id};
    (void)tenure_session_revoke(stage->client, &request, &reply, &result);
    EXPECT(stage, result.outcome == TENURE_NOT_FOUND, "%s", result.message);
    tenure_result_done(&result);
    request.user = tenure_text("alice");
    (void)tenure_session_revoke(stage->stranger, &request, &reply, &result);
    EXPECT(stage, result.outcome == TENURE_NOT_FOUND, "%s", result.message);
    tenure_result_done(&result);
    EXPECT(stage, stage_validate(stage->client, &alice) == TENURE_OK, "her session lives");
    EXPECT(stage, stage_validate(stage->second, &alice) == TENURE_OK, "the tenant's other service");
}

/* Each bit of what a token carries, with a checksum that is right again. */
static void every_bit(struct stage *stage)
{
    struct stage_session alice, forged;
    struct op_token token;
    stage_open(stage, stage->client, "alice", &alice);
    forged = alice;
    parse(alice.token, OP_TOKEN_session, &token);
    uint8_t *const parts[] = {token.incarnation.bytes, token.id.bytes, token.secret};
    const size_t sizes[] = {16, 16, 32};
    for (size_t part = 0; part < 3; part++) {
        for (size_t bit = 0; bit < 8 * sizes[part]; bit++) {
            parts[part][bit / 8] ^= (uint8_t)(1U << bit % 8);
            print(&token, OP_TOKEN_session, forged.token);
            enum tenure_outcome outcome = stage_validate(stage->client, &forged);
            EXPECT(stage, outcome == TENURE_NOT_FOUND, "part %zu, bit %zu: %s", part, bit,
                   tenure_outcome_name(outcome));
            parts[part][bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
    }
    EXPECT(stage, stage_validate(stage->client, &alice) == TENURE_OK, "the right one opens");
}

/* Whatever is no token is one error, and goes nowhere. */
static void every_character(struct stage *stage)
{
    struct stage_session alice, forged;
    stage_open(stage, stage->client, "alice", &alice);
    for (size_t i = 0; alice.token[i] != '\0'; i++) {
        forged = alice;
        forged.token[i] = forged.token[i] == 'A' ? 'B' : 'A';
        enum tenure_outcome outcome = stage_validate(stage->client, &forged);
        EXPECT(stage, outcome == TENURE_INVALID, "character %zu: %s", i,
               tenure_outcome_name(outcome));
        forged = alice;
        forged.token[i] = '\0';
        outcome = stage_validate(stage->client, &forged);
        EXPECT(stage, outcome == TENURE_INVALID, "cut at %zu: %s", i, tenure_outcome_name(outcome));
    }
    forged = alice;
    (void)snprintf(forged.token, sizeof(forged.token), "%.200s=", alice.token);
    EXPECT(stage, stage_validate(stage->client, &forged) == TENURE_INVALID, "one more character");
}

/* Names are compared byte by byte and are never a program of anything. */
static void names_are_names(struct stage *stage)
{
    static const char *const names[] = {"alice' OR '1'='1",
                                        "alice\"; DROP TABLE sessions; --",
                                        "alice%",
                                        "../alice",
                                        "alice\n",
                                        " alice",
                                        "ALICE",
                                        "alice*",
                                        "${alice}",
                                        "{\"$ne\":null}",
                                        "\xc3\xa0lice",
                                        "alice/../alice"};
    struct stage_session alice, other;
    char value[STAGE_VALUE];
    stage_open(stage, stage->client, "alice", &alice);
    EXPECT(stage, stage_put(stage->client, &alice, "key", SECRET) == TENURE_OK, "she writes");
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        other = alice;
        (void)snprintf(other.user, sizeof(other.user), "%s", names[i]);
        enum tenure_outcome outcome = stage_get(stage->client, &other, "key", value);
        EXPECT(stage, outcome == TENURE_NOT_FOUND || outcome == TENURE_INVALID, "%s: %s", names[i],
               tenure_outcome_name(outcome));
        outcome = stage_get(stage->client, &alice, names[i], value);
        EXPECT(stage, outcome == TENURE_OK && value[0] == '\0', "key %s: %s", names[i],
               tenure_outcome_name(outcome));
    }
    EXPECT(stage, stage_get(stage->client, &alice, "key", value) == TENURE_OK, "she reads");
    EXPECT(stage, strcmp(value, SECRET) == 0, "her state is \"%s\"", value);
}

/* No field of a request lets its caller choose an id of what is made. */
static void ids_are_minted(struct stage *stage)
{
    size_t count;
    const struct op_row *rows = op_rows(&count);
    for (size_t i = 0; i < count; i++) {
        bool mints = rows[i].number == OP_session_create || rows[i].number == OP_task_begin;
        for (size_t j = 0; mints && j < rows[i].request->field_count; j++) {
            const struct op_field *field = &rows[i].request->fields[j];
            EXPECT(stage, field->kind != OP_KIND_id, "%s takes %s", rows[i].name, field->name);
        }
    }
    struct stage_session one, two;
    stage_open(stage, stage->client, "alice", &one);
    stage_open(stage, stage->client, "alice", &two);
    EXPECT(stage, memcmp(&one.id, &two.id, sizeof(one.id)) != 0, "the same request, two sessions");
    struct tenure_task_claim_reply first, second;
    char fence[STAGE_TOKEN], other[STAGE_TOKEN];
    begin_task(stage, &one, &first, fence);
    begin_task(stage, &one, &second, other);
    EXPECT(stage, memcmp(&first.task, &second.task, sizeof(first.task)) != 0,
           "the same request, two tasks");
    EXPECT(stage, strcmp(fence, other) != 0, "two tasks, one fence");
}

int main(int argc, char **argv)
{
    static const struct stage_row rows[] = {
        {"F-10 F-17 F-29", "a forged session finds nothing, and every answer is the same",
         forged_sessions},
        {"F-10 F-17", "a forged fence finds nothing, and every answer is the same", forged_fences},
        {"F-17 F-41", "an id alone opens nothing", foreign_ids},
        {"F-65 F-66", "a token with any bit changed opens nothing", every_bit},
        {"F-65 F-66", "what is no token is one error: its checksum covers it all", every_character},
        {"F-43", "a name is a name, and a key is a key", names_are_names},
        {"F-16", "ids are the server's", ids_are_minted},
    };
    return stage_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}
