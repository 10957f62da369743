/* F-10, F-29, F-41: the name of a session's memory in another store is the server's to derive; who
 * forges one finds nothing there, and no two are equal.
 */
#include "env/crypto.h"
#include "tests/acceptance/stage.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_BYTES = 32, DOCUMENTS = 64, DRAWN = 200 };

struct name {
    uint8_t bytes[NAME_BYTES];
};

static enum tenure_outcome derive(struct tenure_client *client, const struct stage_session *session,
                                  const char *label, struct name *ret_name)
{
    const struct tenure_session_derive_request request = {.user = tenure_text(session->user),
                                                          .token = tenure_text(session->token),
                                                          .label = tenure_text(label)};
    struct tenure_session_derive_reply reply;
    struct tenure_result result;
    enum tenure_outcome outcome = tenure_session_derive(client, &request, &reply, &result);
    memset(ret_name, 0, sizeof(*ret_name));
    if (outcome == TENURE_OK && reply.has_value && reply.value.size == NAME_BYTES) {
        memcpy(ret_name->bytes, reply.value.data, NAME_BYTES);
    }
    tenure_result_done(&result);
    return outcome;
}

static bool equal(const struct name *a, const struct name *b)
{
    return memcmp(a, b, sizeof(*a)) == 0;
}

/* ---- a store of documents by namespace, as a vector store is ---- */

struct store {
    struct name names[DOCUMENTS];
    const char *texts[DOCUMENTS];
    size_t count;
};

static void store_add(struct store *store, const struct name *name, const char *text)
{
    store->names[store->count] = *name;
    store->texts[store->count++] = text;
}

static size_t store_find(const struct store *store, const struct name *name)
{
    size_t found = 0;
    for (size_t i = 0; i < store->count; i++) {
        found += equal(&store->names[i], name);
    }
    return found;
}

/* ---- what an attacker can compute by himself: sample-agent-platform#39 ---- */

static struct name digest_of(const char *parts[], size_t count, const char *between)
{
    char text[1024] = "";
    struct name name;
    size_t size = 0;
    for (size_t i = 0; i < count; i++) {
        size += (size_t)snprintf(text + size, sizeof(text) - size, "%s%s", i == 0 ? "" : between,
                                 parts[i]);
    }
    env_sha256(bytes_of(text, size), name.bytes);
    return name;
}

/* Names as they are guessed: hashes of everything that may be known about the victim. */
static void guess(struct stage *stage, const struct store *store,
                  const struct stage_session *victim, const char *label)
{
    static const char *const between[] = {"", ":", "/", "|", "-", "_"};
    char id[TENURE_ID_TEXT], epoch[32];
    tenure_id_text(victim->id, id);
    (void)snprintf(epoch, sizeof(epoch), "%llu", (unsigned long long)victim->epoch);
    const char *known[] = {"demo", victim->user, id, label, epoch};
    for (size_t first = 0; first < 5; first++) {
        for (size_t count = 1; count <= 5 - first; count++) {
            for (size_t i = 0; i < sizeof(between) / sizeof(between[0]); i++) {
                struct name name = digest_of(known + first, count, between[i]);
                EXPECT(stage, store_find(store, &name) == 0, "a guess finds something");
            }
        }
    }
    struct name plain = {{0}};
    memcpy(plain.bytes, &victim->id, sizeof(victim->id));
    EXPECT(stage, store_find(store, &plain) == 0, "the id itself finds something");
}

/* ---- the rows ---- */

static void forged_names(struct stage *stage)
{
    struct store store = {.count = 0};
    struct stage_session alice, mallory, forged;
    struct name hers, name;
    stage_open(stage, stage->client, "alice", &alice);
    stage_open(stage, stage->client, "mallory", &mallory);
    EXPECT(stage, derive(stage->client, &alice, "memory", &hers) == TENURE_OK, "hers");
    store_add(&store, &hers, "only alice may read this");
    EXPECT(stage, store_find(&store, &hers) == 1, "she finds it");
    EXPECT(stage, derive(stage->client, &mallory, "memory", &name) == TENURE_OK, "his");
    EXPECT(stage, store_find(&store, &name) == 0, "under his own name he finds something");
    EXPECT(stage, derive(stage->client, &mallory, "alice", &name) == TENURE_OK, "a label");
    EXPECT(stage, store_find(&store, &name) == 0, "a label of her name finds something");
    forged = mallory;
    (void)snprintf(forged.user, sizeof(forged.user), "alice");
    EXPECT(stage, derive(stage->client, &forged, "memory", &name) == TENURE_NOT_FOUND, "as alice");
    forged = alice;
    (void)snprintf(forged.user, sizeof(forged.user), "mallory");
    EXPECT(stage, derive(stage->client, &forged, "memory", &name) == TENURE_NOT_FOUND, "her token");
    EXPECT(stage, derive(stage->stranger, &alice, "memory", &name) == TENURE_NOT_FOUND,
           "another tenant");
    EXPECT(stage, store_find(&store, &name) == 0, "a refusal tells a name");
    guess(stage, &store, &alice, "memory");
}

/* For one session and one label the same name always; for anything else another one. */
static void one_name_each(struct stage *stage)
{
    static const char *const labels[] = {"memory",  "memory ", "memor", "Memory", "cache-salt",
                                         "m/emory", "m",       "em",    "mem",    "ory"};
    struct stage_session alice, again;
    struct name first, names[10];
    stage_open(stage, stage->client, "alice", &alice);
    EXPECT(stage, derive(stage->client, &alice, "memory", &first) == TENURE_OK, "first");
    EXPECT(stage, derive(stage->second, &alice, "memory", &names[0]) == TENURE_OK, "elsewhere");
    EXPECT(stage, equal(&first, &names[0]), "another service of the tenant is told another name");
    for (size_t i = 0; i < 10; i++) {
        EXPECT(stage, derive(stage->client, &alice, labels[i], &names[i]) == TENURE_OK, "%s",
               labels[i]);
        for (size_t j = 0; j < i; j++) {
            EXPECT(stage, !equal(&names[i], &names[j]), "\"%s\" and \"%s\"", labels[i], labels[j]);
        }
    }
    stage_open(stage, stage->client, "alice", &again);
    EXPECT(stage, derive(stage->client, &again, "memory", &names[0]) == TENURE_OK, "next login");
    EXPECT(stage, !equal(&first, &names[0]), "the next login has the name of the one before");
    EXPECT(stage, stage_end(stage->client, &alice) == TENURE_OK, "she logs out");
    EXPECT(stage, derive(stage->client, &alice, "memory", &names[0]) == TENURE_ENDED, "no name");
}

/* Names of as many sessions: all different, each bit in about half of them. */
static void no_two_are_equal(struct stage *stage)
{
    static struct name names[DRAWN];
    struct stage_session session;
    for (size_t i = 0; i < DRAWN; i++) {
        stage_open(stage, stage->client, "alice", &session);
        EXPECT(stage, derive(stage->client, &session, "memory", &names[i]) == TENURE_OK, "%zu", i);
        for (size_t j = 0; j < i; j++) {
            EXPECT(stage, !equal(&names[i], &names[j]), "%zu and %zu", i, j);
        }
    }
    for (size_t bit = 0; bit < 8 * NAME_BYTES; bit++) {
        unsigned set = 0;
        for (size_t i = 0; i < DRAWN; i++) {
            set += (unsigned)names[i].bytes[bit / 8] >> bit % 8 & 1U;
        }
        EXPECT(stage, set > DRAWN / 5 && set < 4 * DRAWN / 5, "bit %zu is set in %u", bit, set);
    }
}

int main(int argc, char **argv)
{
    static const struct stage_row rows[] = {
        {"F-10 F-29", "a forged namespace finds nothing", forged_names},
        {"F-10", "one name for a session and a label, for nothing else, and none after the end",
         one_name_each},
        {"F-41", "namespaces do not collide", no_two_are_equal},
    };
    return stage_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}
