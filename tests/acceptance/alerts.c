/* F-17, F-27, F-28, F-33, F-42, F-55, F-61, F-64: what is told of sessions, and of who asks for
 * what is not his: one alert at the sixth, to whom it concerns.
 */
#include "tests/acceptance/stage.h"

#include <string.h>

enum { ALERT_AT = 6, PATIENCE_S = 5 };

struct place {
    uint64_t position, k;
};

/* What was told between a place and now. */
struct heard {
    unsigned alerts, created, ended;
    struct tenure_id session; /* of the newest alert */
    char user[128];
    char name[128];
    uint64_t lifetime;
    uint64_t time; /* T of the newest page */
};

static bool is(struct tenure_bytes text, const char *name)
{
    return text.size == strlen(name) && memcmp(text.data, name, text.size) == 0;
}

static void copy(char to[128], struct tenure_bytes text)
{
    (void)snprintf(to, 128, "%.*s", (int)text.size, (const char *)text.data);
}

static void hear_one(const struct tenure_event *event, struct heard *heard)
{
    if (event->kind == TENURE_EVENT_KIND_FOREIGN_ACCESS) {
        heard->alerts++;
        heard->session = event->has_session ? event->session : (struct tenure_id){{0}};
        copy(heard->user, event->user);
        copy(heard->name, event->name);
    }
    heard->created += event->kind == TENURE_EVENT_KIND_SESSION_CREATED;
    if (event->kind == TENURE_EVENT_KIND_SESSION_ENDED) {
        heard->ended++;
        heard->lifetime = event->lifetime;
    }
}

/* All that is behind the place, which goes on with it. */
static void hear(struct stage *stage, struct tenure_client *client, struct place *place,
                 struct heard *heard)
{
    bool more = true;
    while (more) {
        const struct tenure_events_read_request request = {.has_after = place->position != 0,
                                                           .after = place->position,
                                                           .has_k = place->position != 0,
                                                           .k = place->k};
        struct tenure_events_read_reply reply;
        struct tenure_result result;
        (void)tenure_events_read(client, &request, &reply, &result);
        EXPECT(stage, result.outcome == TENURE_OK, "%s", result.message);
        more = result.outcome == TENURE_OK && reply.more;
        for (size_t i = 0; result.outcome == TENURE_OK && i < reply.events_count; i++) {
            hear_one(&reply.events[i], heard);
        }
        if (result.outcome == TENURE_OK) {
            *place = (struct place){reply.next, reply.k};
            heard->time = result.time;
        }
        tenure_result_done(&result);
    }
}

/* Asks on until an alert is told, or `seconds` of the cluster's time have passed; a write now and
 * then lets that go on. */
static void wait_for_alert(struct stage *stage, struct tenure_client *client, struct place *place,
                           unsigned seconds, struct heard *heard)
{
    struct stage_session other;
    stage_open(stage, stage->client, "clock", &other);
    uint64_t until = other.time + seconds * STAGE_SECOND;
    while (heard->alerts == 0 && other.time < until) {
        hear(stage, client, place, heard);
        stage_open(stage, stage->client, "clock", &other);
        (void)stage_end(stage->client, &other);
    }
}

static void try_as(struct stage *stage, struct tenure_client *client, const char *user,
                   const struct stage_session *victim, unsigned count)
{
    struct stage_session stolen = *victim;
    (void)snprintf(stolen.user, sizeof(stolen.user), "%s", user);
    for (unsigned i = 0; i < count; i++) {
        enum tenure_outcome outcome = stage_validate(client, &stolen);
        EXPECT(stage, outcome == TENURE_NOT_FOUND, "%s", tenure_outcome_name(outcome));
    }
}

/* Shows her own token, and the stolen one as a session that the task may write into. */
static void reach_for(struct stage *stage, struct tenure_client *client,
                      const struct stage_session *own, const struct stage_session *victim)
{
    struct tenure_task_begin_request begin = {.user = tenure_text(own->user),
                                              .has_token = true,
                                              .token = tenure_text(own->token),
                                              .kind = tenure_text("theft"),
                                              .scope = TENURE_TASK_SCOPE_SESSION,
                                              .ttl = STAGE_HOUR,
                                              .has_targets = true,
                                              .targets_count = 1};
    struct tenure_task_begin_reply begun;
    struct tenure_result result;
    begin.targets[0].token = tenure_text(victim->token);
    (void)tenure_task_begin(client, &begin, &begun, &result);
    EXPECT(stage, result.outcome == TENURE_NOT_FOUND, "%s", result.message);
    tenure_result_done(&result);
}

static bool same_id(struct tenure_id a, struct tenure_id b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static void the_sixth(struct stage *stage)
{
    struct stage_session alice;
    struct place place = {0, 0};
    struct heard heard = {.alerts = 0};
    stage_open(stage, stage->client, "alice", &alice);
    try_as(stage, stage->client, "mallory", &alice, ALERT_AT - 1);
    wait_for_alert(stage, stage->client, &place, 1, &heard);
    EXPECT(stage, heard.alerts == 0, "after five there are %u", heard.alerts);
    try_as(stage, stage->client, "mallory", &alice, 1);
    wait_for_alert(stage, stage->client, &place, PATIENCE_S, &heard);
    EXPECT(stage, heard.alerts == 1, "after six there are %u", heard.alerts);
    EXPECT(stage, is(tenure_text(heard.user), "mallory"), "it is about \"%s\"", heard.user);
    EXPECT(stage, is(tenure_text(heard.name), "service/local"), "by \"%s\"", heard.name);
    EXPECT(stage, same_id(heard.session, alice.id), "whose session is her tenant's to know");
    heard.alerts = 0;
    try_as(stage, stage->client, "mallory", &alice, 5 * ALERT_AT);
    wait_for_alert(stage, stage->client, &place, 1, &heard);
    EXPECT(stage, heard.alerts == 0, "it is told again within the window");
}

static void from_another_tenant(struct stage *stage)
{
    struct stage_session alice, own;
    struct place place = {0, 0}, theirs = {0, 0};
    struct heard heard = {.alerts = 0}, heard_there = {.alerts = 0};
    stage_open(stage, stage->client, "alice", &alice);
    stage_open(stage, stage->stranger, "eve", &own);
    hear(stage, stage->client, &place, &heard);
    heard.alerts = 0;
    try_as(stage, stage->stranger, "eve", &alice, ALERT_AT - 1);
    reach_for(stage, stage->stranger, &own, &alice);
    wait_for_alert(stage, stage->client, &place, PATIENCE_S, &heard);
    EXPECT(stage, heard.alerts == 1, "the owner's tenant is told %u times", heard.alerts);
    EXPECT(stage, same_id(heard.session, alice.id), "of another session");
    EXPECT(stage, is(tenure_text(heard.user), "alice"), "of \"%s\"", heard.user);
    hear(stage, stage->stranger, &theirs, &heard_there);
    EXPECT(stage, heard_there.alerts == 1, "the caller's is told %u times", heard_there.alerts);
    EXPECT(stage, same_id(heard_there.session, (struct tenure_id){{0}}), "whose it was");
    EXPECT(stage, heard_there.created == 1, "it sees %u sessions of its own", heard_there.created);
}

static void lives(struct stage *stage)
{
    struct stage_session alice;
    struct place place = {0, 0};
    struct heard heard = {.alerts = 0};
    hear(stage, stage->client, &place, &heard);
    heard = (struct heard){.alerts = 0};
    stage_open(stage, stage->client, "alice", &alice);
    hear(stage, stage->client, &place, &heard);
    EXPECT(stage, heard.created == 1 && heard.ended == 0, "%u began, %u ended", heard.created,
           heard.ended);
    EXPECT(stage, stage_end(stage->client, &alice) == TENURE_OK, "she logs out");
    hear(stage, stage->client, &place, &heard);
    EXPECT(stage, heard.created == 1 && heard.ended == 1, "%u began, %u ended", heard.created,
           heard.ended);
    EXPECT(stage, heard.lifetime > 0 && heard.lifetime < STAGE_MINUTE, "it lived %llu us",
           (unsigned long long)heard.lifetime);
}

int main(int argc, char **argv)
{
    static const struct stage_row rows[] = {
        {"F-27 F-55 F-61 F-64", "the beginning and the end of a session are told, once each",
         lives},
        {"F-17 F-28 F-33 F-42", "the sixth foreign attempt is one alert", the_sixth},
        {"F-17 F-28", "whose it was is told to its owner's tenant alone", from_another_tenant},
    };
    return stage_main(argc, argv, rows, sizeof(rows) / sizeof(rows[0]));
}
