/* What the parts of a random history share: whom and what it knows, and how it draws. */
#ifndef TESTS_JEPSEN_MIX_H
#define TESTS_JEPSEN_MIX_H

#include "tests/unit/jepsen/maker.h"

enum { SESSIONS_MAX = 64, TASKS_MAX = 64, PERMISSIONS = 5 };

#define SECOND 1000000ULL

struct known_session {
    struct op_token token;
    const char *user;
    uint8_t tenant;
    uint64_t idle_deadline;
    struct known_session *parent; /* of a child */
    uint32_t depth;
    bool asked[PERMISSIONS]; /* opened with */
};

struct known_task {
    struct id128 id;
    struct id128 session;      /* that it was begun in, or adopted by last */
    struct op_token fences[3]; /* newest first; attempt 0: none */
    const char *user;
    uint8_t tenant;
    uint64_t next, deadline, lease;
};

struct mix {
    struct maker *maker;
    struct maker_caller callers[5]; /* two tenants, two workers of each; an operator */
    struct known_session sessions[SESSIONS_MAX];
    uint32_t session_count;
    struct known_task tasks[TASKS_MAX];
    uint32_t task_count, values;
    bool trees;       /* many sessions are children, of children too */
    uint64_t version; /* of the newest write */
    struct {
        uint64_t position, k;
    } places[2]; /* by tenant: up to where its events were told */
    char value[32];
    union op_request request;
    enum op_number f;
    struct maker_caller *caller;
};

static const char *const users[] = {"alice", "bob", "carol"};
static const char *const agents[] = {"writer", "reader"};
static const char *const permissions[PERMISSIONS] = {"state:write", "task:begin", "task:user", "p1",
                                                     "task:adopt"};
static const char *const patterns[] = {"a/b", "a/*", "a/**", "a/b/**", "*/b", "**"};
static const char *const resources[] = {"a", "a/b", "a/bc", "a/b/c", "x/b"};
static const char *const networks[] = {"10.1.0.0/16", "10.1.2.0/25", "2001:db8::/47"};
static const char *const addresses[] = {"10.1.2.3", "10.1.2.200", "::ffff:10.1.2.4",
                                        "2001:db8:2::1"};
#define PLACE(mix, f)                                                                              \
    ((mix)->request.f.has_address = (mix)->request.f.has_fingerprint = !mix_one_in(mix, 6),        \
     (mix)->request.f.address = mix_pick(mix, addresses, 4),                                       \
     (mix)->request.f.fingerprint = mix_pick(mix, addresses, 2))
static const char *const policies[] = {"team", "vault", "standard", "elevated", "privileged"};
static const char *const keys[] = {"k1", "k2", "k3"};

uint64_t mix_below(struct mix *mix, uint64_t n);
bool mix_one_in(struct mix *mix, uint64_t n);
struct bytes mix_pick(struct mix *mix, const char *const *texts, uint64_t count);
struct maker_caller *mix_caller_of(struct mix *mix, uint8_t tenant);
struct bytes mix_user_of(struct mix *mix, const char *user);
void mix_spoil(struct mix *mix, struct op_token *token);
struct known_session *mix_some_session(struct mix *mix);
struct known_task *mix_some_task(struct mix *mix);
struct op_token mix_some_fence(struct mix *mix, const struct known_task *task);
void mix_go(struct mix *mix);
struct known_session *mix_session_of(struct mix *mix, struct id128 id);
struct known_session *mix_deep_session(struct mix *mix);
void mix_create(struct mix *mix);
void mix_ask_of(struct mix *mix, enum op_number f, const struct known_session *session);
void mix_ask_session(struct mix *mix, enum op_number f);
void mix_give_again(struct mix *mix);
void mix_revoke_one(struct mix *mix, const struct known_session *session);
void mix_revoke(struct mix *mix);
void mix_list_sessions(struct mix *mix);
void mix_list_children(struct mix *mix);
void mix_rotate(struct mix *mix);
void mix_elevate(struct mix *mix);
void mix_check_fence(struct mix *mix);
void mix_list_tasks(struct mix *mix);
void mix_begin(struct mix *mix);
void mix_claim(struct mix *mix);
void mix_heartbeat(struct mix *mix);
void mix_adopt(struct mix *mix);
void mix_hand_over(struct mix *mix);
void mix_close_task(struct mix *mix);
void mix_put(struct mix *mix);
void mix_delete(struct mix *mix);
void mix_get(struct mix *mix);

#endif
