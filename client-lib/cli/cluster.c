/* The birth of a cluster, and stating the time to one that lost all its clocks. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "client-lib/cli/cli.h"
#include "env/clock.h"
#include "env/random.h"
#include "env/uv/uv.h"

#define FIRST_POSITION_STEP (UINT64_C(1) << 32) /* docs/MODEL.md section 6 */

enum { MEMBERS_MIN = 3, MEMBERS_MAX = 9, NAME_MAX_BYTES = 63, NODE_ID_MAX = 65535 };

static const struct limit {
    const char *name;
    uint64_t standard;
    uint64_t least;
    uint64_t greatest;
    const char *help;
} limits_of_table[] = {
#define LIMIT_(tag, name, standard, least, greatest, help) {#name, standard, least, greatest, help},
    OP_LIMITS(LIMIT_)
#undef LIMIT_
};

void cli_print_limits(FILE *out)
{
    fprintf(out, "\nLimits (name, default, least, greatest); times in microseconds:\n");
    for (size_t i = 0; i < sizeof(limits_of_table) / sizeof(limits_of_table[0]); i++) {
        const struct limit *limit = &limits_of_table[i];
        fprintf(out, "  %-24s %14" PRIu64 " %10" PRIu64 " %14" PRIu64 "  %s\n", limit->name,
                limit->standard, limit->least, limit->greatest, limit->help);
    }
}

struct member {
    uint64_t id;
    const char *peer;
    const char *client;
};

struct birth {
    const char *name;
    struct member members[MEMBERS_MAX];
    size_t member_count;
    struct op_limits limits;
};

static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

/* HOST:PORT or [V6]:PORT; whether it can be used shows when a node listens there. */
static bool address_form(const char *address)
{
    const char *colon = strrchr(address, ':');
    uint64_t port;
    return colon != NULL && colon != address && strlen(address) < ENV_ADDRESS_MAX &&
           strspn(address, "0123456789abcdefABCDEF.:[]%") == strlen(address) &&
           cli_number_read(colon + 1, &port) && port > 0 && port <= UINT16_MAX;
}

static bool take_member(const struct cli_run *run, const char *text, struct birth *birth,
                        struct cli_error *ret_error)
{
    const char *equals = strchr(text, '=');
    const char *comma = equals == NULL ? NULL : strchr(equals, ',');
    struct member member;
    if (comma == NULL) {
        return cli_fail(ret_error, "--member %s: give ID=PEER_ADDRESS,CLIENT_ADDRESS", text);
    }
    const char *id = cli_take_text(run->memory, text, (size_t)(equals - text));
    member.peer = cli_take_text(run->memory, equals + 1, (size_t)(comma - equals - 1));
    member.client = comma + 1;
    if (!cli_number_read(id, &member.id) || member.id == 0 || member.id > NODE_ID_MAX) {
        return cli_fail(ret_error, "--member %s: id %s: give a number from 1 to %d", text, id,
                        NODE_ID_MAX);
    }
    if (!address_form(member.peer) || !address_form(member.client)) {
        return cli_fail(ret_error,
                        "--member %s: %s: give a numeric address and a port, such as 10.0.0.1:7401",
                        text, address_form(member.peer) ? member.client : member.peer);
    }
    if (birth->member_count == MEMBERS_MAX) {
        return cli_fail(ret_error, "--member: give 3, 5, 7 or 9");
    }
    birth->members[birth->member_count++] = member;
    return true;
}

static bool take_limit(const char *text, struct birth *birth, struct cli_error *ret_error)
{
    const char *equals = strchr(text, '=');
    uint64_t value;
    if (equals == NULL || !cli_number_read(equals + 1, &value)) {
        return cli_fail(ret_error, "--limit %s: give NAME=VALUE with a number", text);
    }
    struct bytes name = bytes_of(text, (size_t)(equals - text));
    if (op_limits_set(&birth->limits, name, value)) {
        return true;
    }
    for (size_t i = 0; i < sizeof(limits_of_table) / sizeof(limits_of_table[0]); i++) {
        if (bytes_equal(bytes_of_text(limits_of_table[i].name), name)) {
            return cli_fail(ret_error, "--limit %s: give a value from %" PRIu64 " to %" PRIu64,
                            text, limits_of_table[i].least, limits_of_table[i].greatest);
        }
    }
    return cli_fail(ret_error,
                    "--limit %s: there is no such limit: see tenurectl cluster init --help", text);
}

static bool same_address(const struct member *a, const struct member *b)
{
    return strcmp(a->peer, b->peer) == 0 || strcmp(a->client, b->client) == 0 ||
           strcmp(a->peer, b->client) == 0 || strcmp(a->client, b->peer) == 0;
}

static bool check_members(const struct birth *birth, struct cli_error *ret_error)
{
    const struct member *members = birth->members;
    for (size_t i = 0; i < birth->member_count; i++) {
        if (strcmp(members[i].peer, members[i].client) == 0) {
            return cli_fail(ret_error, "member %" PRIu64 ": give two addresses that differ",
                            members[i].id);
        }
        for (size_t j = 0; j < i; j++) {
            if (members[i].id == members[j].id || same_address(&members[i], &members[j])) {
                return cli_fail(ret_error,
                                "members %" PRIu64 " and %" PRIu64
                                ": ids and addresses have to differ",
                                members[j].id, members[i].id);
            }
        }
    }
    if (birth->member_count < MEMBERS_MIN || birth->member_count % 2 == 0) {
        return cli_fail(ret_error,
                        "%zu members: a cluster has 3, 5, 7 or 9: give --member for each",
                        birth->member_count);
    }
    return true;
}

static bool take_birth(const struct cli_run *run, const struct cli_restored *restored,
                       struct birth *birth, struct cli_error *ret_error)
{
    birth->name = cli_text_of(run, "name");
    op_limits_init(&birth->limits);
    if (restored != NULL) {
        birth->name = birth->name == NULL ? restored->cluster : birth->name;
        birth->limits = *restored->limits;
    }
    size_t size = strlen(birth->name);
    if (size == 0 || size > NAME_MAX_BYTES || strspn(birth->name, safe) != size) {
        return cli_fail(ret_error,
                        "--name %s: give 1 to %d letters, digits, dots, dashes, "
                        "underscores",
                        birth->name, NAME_MAX_BYTES);
    }
    for (size_t i = 0; i < run->given_count; i++) {
        const char *name = run->given[i].option->name;
        const char *text = run->given[i].text;
        if ((strcmp(name, "member") == 0 && !take_member(run, text, birth, ret_error)) ||
            (strcmp(name, "limit") == 0 && !take_limit(text, birth, ret_error))) {
            return false;
        }
    }
    return check_members(birth, ret_error);
}

/* All limits stand in the file, so that it says what the cluster is born with. */
static void print_limits(FILE *out, const struct op_limits *limits)
{
    fprintf(out, "limits:\n");
#define LIMIT_(tag, name_, standard, least, greatest, help)                                        \
    fprintf(out, "  - name: %s\n    value: %" PRIu64 "\n", #name_, limits->name_);
    OP_LIMITS(LIMIT_)
#undef LIMIT_
}

/* In double quotes, as YAML has it: a file's name may hold any byte but its end and a slash. */
static void print_quoted(FILE *out, const char *text)
{
    putc('"', out);
    for (const char *at = text; *at != '\0'; at++) {
        unsigned char byte = (unsigned char)*at;
        if (byte == '"' || byte == '\\') {
            fprintf(out, "\\%c", byte);
        } else if (byte < 0x20 || byte == 0x7f) {
            fprintf(out, "\\x%02x", byte);
        } else {
            putc(byte, out);
        }
    }
    putc('"', out);
}

/* What tenured --init reads, beside the file, and where the new incarnation begins (docs/MODEL.md
 * section 6). */
static void print_restored(FILE *out, const struct cli_restored *restored, uint64_t wall)
{
    char incarnation[33];
    char digest[33];
    uint64_t above = restored->position + FIRST_POSITION_STEP;
    const char *slash = strrchr(restored->image, '/');
    hex_write(incarnation, bytes_of(restored->incarnation, 16));
    hex_write(digest, bytes_of(restored->digest, 16));
    fprintf(out, "restore:\n  image: ");
    print_quoted(out, slash == NULL ? restored->image : slash + 1);
    fprintf(out,
            "\n  incarnation: \"%s\"\n  at: %" PRIu64 "\n  digest: \"%s\"\n  position: %" PRIu64
            "\n",
            incarnation, restored->position, digest, above > wall ? above : wall);
}

static void print_birth(FILE *out, struct env *env, const struct birth *birth,
                        const struct cli_restored *restored)
{
    uint8_t random[2][16];
    char incarnation[33];
    char hash_key[33];
    uint8_t derivation[32];
    char derive_key[65];
    env_random(env, random, sizeof(random));
    env_random(env, derivation, sizeof(derivation));
    hex_write(derive_key, bytes_of(derivation, sizeof(derivation)));
    hex_write(incarnation, bytes_of(random[0], 16));
    hex_write(hash_key, bytes_of(restored == NULL ? random[1] : restored->hash_key, 16));
    uint64_t wall = env_wall_us(env);
    fprintf(out,
            "# The birth of a cluster: the same file for `tenured --init` on every node.\n"
            "# derive_key is a secret: keep this file as you keep private keys.\n"
            "tenure_bootstrap: 1\n"
            "cluster: \"%s\"\n"
            "incarnation: \"%s\"\n"
            "time_us: %" PRIu64 "\n"
            "hash_key: \"%s\"\n"
            "derive_key: \"%s\"\n"
            "members:\n",
            birth->name, incarnation, wall, hash_key, derive_key);
    for (size_t i = 0; i < birth->member_count; i++) {
        fprintf(out, "  - id: %" PRIu64 "\n    peer: \"%s\"\n    client: \"%s\"\n",
                birth->members[i].id, birth->members[i].peer, birth->members[i].client);
    }
    print_limits(out, &birth->limits);
    if (restored != NULL) {
        print_restored(out, restored, wall);
    }
}

bool cli_birth_check(const struct cli_run *run, const struct cli_restored *restored,
                     struct cli_error *ret_error, enum cli_exit *ret_code)
{
    struct birth birth = {.name = NULL};
    struct env *env;
    *ret_code = CLI_USAGE;
    if (!take_birth(run, restored, &birth, ret_error)) {
        return false;
    }
    *ret_code = CLI_LOCAL;
    if (env_uv_create(&env) != ENV_OK) {
        return cli_fail(ret_error, "cannot set up an event loop");
    }
    uint64_t wall = env_wall_us(env);
    char time[CLI_TIME_TEXT];
    env_uv_destroy(env);
    cli_time_write(restored == NULL ? 0 : restored->time, time);
    return restored == NULL || wall >= restored->time ||
           cli_fail(ret_error,
                    "this machine's clock lies before the backup's cluster time %s: set it right "
                    "first",
                    time);
}

bool cli_birth_write(const struct cli_run *run, const struct cli_restored *restored,
                     const char *path, struct cli_error *ret_error)
{
    struct birth birth = {.name = NULL};
    struct env *env;
    if (!take_birth(run, restored, &birth, ret_error)) {
        return false;
    }
    if (env_uv_create(&env) != ENV_OK) {
        return cli_fail(ret_error, "cannot set up an event loop");
    }
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    if (out != NULL) {
        print_birth(out, env, &birth, restored);
    }
    env_uv_destroy(env);
    bool written = out != NULL && fclose(out) == 0;
    written = written ? cli_file_create(path, 0600, text, ret_error)
                      : cli_fail(ret_error, "out of memory");
    free(text);
    return written;
}

int cli_run_cluster_init(const struct cli_run *run)
{
    struct cli_error error;
    enum cli_exit code;
    const char *path = cli_text_of(run, "out");
    if (!cli_birth_check(run, NULL, &error, &code)) {
        return cli_complain(run->output, error.text, code);
    }
    if (!cli_birth_write(run, NULL, path, &error)) {
        return cli_complain(run->output, error.text, CLI_LOCAL);
    }
    cli_print_made(run, &(struct cli_made){"file", path}, 1);
    return CLI_DONE;
}

/* ---- cluster time ---- */

static int state_time(const struct cli_run *run, const struct cli_settings *settings)
{
    struct cli_error error;
    struct tenure_client *client;
    if (!tenure_open(&settings->options, error.text, sizeof(error.text), &client)) {
        return cli_complain(run->output, error.text, CLI_LOCAL);
    }
    struct tenure_cluster_time_request request = {.time = env_wall_us(client->env)};
    struct tenure_cluster_time_reply reply;
    struct tenure_result result = {.outcome = TENURE_OK};
    struct cli_printer printer = {run->output, stdout, stderr};
    if (strcmp(run->positional, "now") != 0) {
        (void)cli_number_read(run->positional, &request.time);
    }
    enum tenure_outcome outcome = tenure_cluster_time(client, &request, &reply, &result);
    if (tenure_outcome_class(outcome) == TENURE_CLASS_DONE) {
        const struct tenure_field_map map[] = {
            {.offset = offsetof(struct tenure_cluster_time_reply, time), .has_offset = SIZE_MAX}};
        const struct tenure_method method = {.reply = &op_time_reply_struct, .reply_map = map};
        cli_print_reply(&printer, &method, &reply, &result);
    } else {
        cli_print_refusal(&printer, &result);
    }
    tenure_result_done(&result);
    tenure_close(client);
    return (int)cli_exit_of(outcome);
}

int cli_run_cluster_time(const struct cli_run *run)
{
    struct cli_settings settings;
    struct cli_error error;
    enum cli_exit code;
    uint64_t time;
    if (strcmp(run->positional, "now") != 0 && !cli_number_read(run->positional, &time)) {
        return cli_complain(run->output,
                            "cluster time: give Unix time in microseconds, or \"now\" for this "
                            "machine's wall clock",
                            CLI_USAGE);
    }
    if (!cli_settings_load(run, &settings, &error, &code)) {
        return cli_complain(run->output, error.text, code);
    }
    return state_time(run, &settings);
}
