/* What each server says of itself, asked of all at once: one thread and one client a server. */
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/encode.h"
#include "client-lib/cli/cli.h"
#include "client-lib/cli/json.h"
#include "env/clock.h"

#define ANSWER_US 2000000
#define WAIT_US 30000000
#define POLL_ANSWER_US 500000
#define POLL_PAUSE_US 50000

/* What all threads of one round share. */
struct round {
    struct tenure_node_status_request request;
    bool wait_leader;
    uint64_t wait_us;
    atomic_bool found; /* some server leads and serves: nobody waits any longer */
};

struct row {
    struct round *round;
    const char *server;
    struct tenure_options options; /* for this server alone */
    struct tenure_node_status_reply reply;
    struct tenure_result result;
    struct cli_error error; /* when there could be no client at all */
    bool opened;
    bool answered;
};

static void ask(struct row *row, struct tenure_client *client)
{
    tenure_result_done(&row->result);
    memset(&row->reply, 0, sizeof(row->reply));
    enum tenure_outcome outcome = tenure_node_status(client, &row->round->request, &row->reply,
                                                     &row->result);
    row->answered = tenure_outcome_class(outcome) == TENURE_CLASS_DONE;
}

/* Asks until somebody serves, at most for the round's time. */
static void ask_until_leader(struct row *row, struct tenure_client *client)
{
    uint64_t end = env_mono_us(client->env) + row->round->wait_us;
    do {
        ask(row, client);
        if (row->answered && row->reply.serving) {
            atomic_store(&row->round->found, true);
        }
        if (!atomic_load(&row->round->found)) {
            tenure_process(client, POLL_PAUSE_US);
        }
    } while (!atomic_load(&row->round->found) && env_mono_us(client->env) < end);
}

static void *ask_one(void *arg)
{
    struct row *row = arg;
    struct tenure_client *client;
    row->opened = tenure_open(&row->options, row->error.text, sizeof(row->error.text), &client);
    if (!row->opened) {
        return NULL;
    }
    if (row->round->wait_leader) {
        ask_until_leader(row, client);
    } else {
        ask(row, client);
    }
    tenure_close(client);
    return NULL;
}

/* False when there could be no client: a file of the configuration is wrong. */
static bool ask_all(struct row *rows, size_t count, struct cli_error *ret_error)
{
    pthread_t threads[CLI_SERVERS_MAX];
    bool started[CLI_SERVERS_MAX] = {false};
    bool opened = true;
    for (size_t i = 0; i < count; i++) {
        started[i] = pthread_create(&threads[i], NULL, ask_one, &rows[i]) == 0;
    }
    for (size_t i = 0; i < count; i++) {
        if (!started[i]) {
            opened = cli_fail(ret_error, "cannot start a thread");
            continue;
        }
        pthread_join(threads[i], NULL);
        if (opened && !rows[i].opened) {
            opened = cli_fail(ret_error, "%s", rows[i].error.text);
        }
    }
    return opened;
}

/* ---- the table ---- */

enum { CELL_COUNT = 18, CELL_MAX = 136 };

static const char *const headlines[CELL_COUNT] = {
    "server",   "id",       "role",     "serving", "term",   "leader",
    "position", "digest",   "T",        "clock",   "commit", "applied",
    "last",     "snapshot", "sessions", "tasks",   "disk",   "level"};

static void number_cell(char cell[CELL_MAX], uint64_t number)
{
    snprintf(cell, CELL_MAX, "%" PRIu64, number);
}

static void digest_text(struct tenure_bytes digest, char ret_text[CELL_MAX])
{
    if (digest.size * 2 < CELL_MAX) {
        hex_write(ret_text, bytes_of(digest.data, digest.size));
    }
}

static void text_cell(char cell[CELL_MAX], struct tenure_bytes text)
{
    snprintf(cell, CELL_MAX, "%.*s", (int)text.size, text.size == 0 ? "" : (const char *)text.data);
}

/* The worst of what it says of its disk. */
static const char *disk_text(const struct tenure_node_status_reply *reply)
{
    if (reply->has_damage) {
        return "damaged";
    }
    if (!reply->has_disk_short) {
        return "-";
    }
    return reply->log_waits    ? "full"
           : reply->read_only  ? "read-only"
           : reply->disk_short ? "short"
                               : "ok";
}

/* "1" where the program knows no more, "1/2" where it knows more than the cluster uses. */
static void level_cell(char cell[CELL_MAX], const struct tenure_node_status_reply *reply)
{
    if (reply->has_level && reply->has_knows && reply->knows != reply->level) {
        snprintf(cell, CELL_MAX, "%" PRIu64 "/%" PRIu64, reply->level, reply->knows);
    } else if (reply->has_level) {
        number_cell(cell, reply->level);
    }
}

static void fill_cells(const struct row *row, char cells[CELL_COUNT][CELL_MAX])
{
    const struct tenure_node_status_reply *reply = &row->reply;
    char time[CLI_TIME_TEXT];
    for (size_t i = 0; i < CELL_COUNT; i++) {
        snprintf(cells[i], CELL_MAX, "-");
    }
    snprintf(cells[0], CELL_MAX, "%s", row->server);
    if (!row->answered) {
        bool refused = tenure_outcome_class(row->result.outcome) == TENURE_CLASS_REFUSED;
        snprintf(cells[2], CELL_MAX, "%s", refused ? "refused" : "unreachable");
        return;
    }
    cli_time_write(reply->time, time);
    number_cell(cells[1], reply->node);
    text_cell(cells[2], reply->role);
    snprintf(cells[3], CELL_MAX, "%s", reply->serving ? "yes" : "no");
    number_cell(cells[4], reply->term);
    if (reply->has_leader_node) {
        number_cell(cells[5], reply->leader_node);
    }
    number_cell(cells[6], reply->position);
    digest_text(reply->digest, cells[7]);
    snprintf(cells[8], CELL_MAX, "%s", time);
    snprintf(cells[9], CELL_MAX, "%s", reply->has_clock ? "yes" : "no");
    const uint64_t rest[] = {reply->commit, reply->applied, reply->last, reply->snapshot};
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++) {
        number_cell(cells[10 + i], rest[i]);
    }
    if (reply->has_sessions) {
        number_cell(cells[14], reply->sessions);
    }
    if (reply->has_tasks) {
        number_cell(cells[15], reply->tasks);
    }
    snprintf(cells[16], CELL_MAX, "%s", disk_text(reply));
    level_cell(cells[17], reply);
}

static void print_line(char cells[CELL_COUNT][CELL_MAX], const size_t widths[CELL_COUNT])
{
    for (size_t i = 0; i < CELL_COUNT; i++) {
        printf("%-*s%s", i + 1 < CELL_COUNT ? (int)widths[i] : 0, cells[i],
               i + 1 < CELL_COUNT ? "  " : "\n");
    }
}

static void print_table(struct cli_memory *memory, const struct row *rows, size_t count)
{
    char(*cells)[CELL_COUNT][CELL_MAX] = cli_take(memory, (count + 1) * sizeof(*cells));
    size_t widths[CELL_COUNT] = {0};
    for (size_t i = 0; i < CELL_COUNT; i++) {
        snprintf(cells[0][i], CELL_MAX, "%s", headlines[i]);
    }
    for (size_t r = 0; r < count; r++) {
        fill_cells(&rows[r], cells[r + 1]);
    }
    for (size_t r = 0; r <= count; r++) {
        for (size_t i = 0; i < CELL_COUNT; i++) {
            widths[i] = strlen(cells[r][i]) > widths[i] ? strlen(cells[r][i]) : widths[i];
        }
    }
    for (size_t r = 0; r <= count; r++) {
        print_line(cells[r], widths);
    }
}

/* ---- JSON ---- */

#define HAS_REQUIRED(name) SIZE_MAX
#define HAS_OPTIONAL(name) offsetof(struct tenure_node_status_reply, has_##name)
#define MAP_(S, tag, kind, name, bound, need, help)                                                \
    {.offset = offsetof(struct S, name), .has_offset = HAS_##need(name)},
static const struct tenure_field_map reply_map[] = {
    OP_STATUS_REPLY(MAP_, tenure_node_status_reply)};

static json_t *row_json(struct cli_memory *memory, const struct row *row)
{
    json_t *object = json_object();
    cli_result_json(object, &row->result);
    if (!row->answered) {
        json_object_set_new(object, "message", json_string(row->result.message));
    } else {
        char cells[CELL_COUNT][CELL_MAX];
        json_t *reply = cli_struct_json(memory, &op_status_reply_struct, reply_map, &row->reply);
        json_object_update(object, reply);
        json_decref(reply);
        fill_cells(row, cells);
        json_object_set_new(object, "digest", json_string(cells[7]));
    }
    json_object_set_new(object, "server", json_string(row->server));
    return object;
}

static void print_json(struct cli_memory *memory, const struct row *rows, size_t count)
{
    json_t *list = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(list, row_json(memory, &rows[i]));
    }
    cli_print_json(stdout, list);
}

/* ---- the command ---- */

static bool serves(const struct row *row)
{
    return row->answered && row->reply.serving;
}

static void complain_of(const struct row *row)
{
    char line[1024];
    cli_refusal_line(&row->result, line, sizeof(line));
    fprintf(stderr, "tenurectl: %s: %s; %s\n", row->server, line, cli_advice(row->result.outcome));
}

/* What a table has no room for. */
static void tell_damage(const struct row *row)
{
    if (row->answered && row->reply.has_damage) {
        fprintf(stderr, "tenurectl: %s: node %" PRIu64 " has no vote: %.*s\n", row->server,
                row->reply.node, (int)row->reply.damage.size, (const char *)row->reply.damage.data);
    }
}

/* The worst of all servers; but who waits for a leader is content with one. */
static int verdict(const struct cli_run *run, const struct row *rows, size_t count)
{
    int code = CLI_DONE;
    bool serving = false;
    for (size_t i = 0; i < count; i++) {
        int own = (int)cli_exit_of(rows[i].result.outcome);
        code = own > code ? own : code;
        serving = serving || serves(&rows[i]);
    }
    if (rows[0].round->wait_leader && serving) {
        return CLI_DONE;
    }
    for (size_t i = 0; i < count; i++) {
        if (!rows[i].answered && run->output == CLI_TABLE) {
            complain_of(&rows[i]);
        }
    }
    return rows[0].round->wait_leader
               ? cli_complain(run->output,
                              "no server leads and serves: is a majority up? "
                              "tenurectl status tells what each says",
                              CLI_RETRIES)
               : code;
}

static int report(const struct cli_run *run, struct row *rows, size_t count)
{
    if (run->output == CLI_JSON) {
        print_json(run->memory, rows, count);
    } else {
        print_table(run->memory, rows, count);
    }
    for (size_t i = 0; i < count; i++) {
        if (run->output == CLI_TABLE && !rows[0].round->wait_leader) {
            tell_damage(&rows[i]);
        }
    }
    int code = verdict(run, rows, count);
    for (size_t i = 0; i < count; i++) {
        tenure_result_done(&rows[i].result);
    }
    return code;
}

static bool take_round(const struct cli_run *run, const struct cli_settings *settings,
                       struct round *round, struct cli_error *ret_error)
{
    round->request.has_at = cli_text_of(run, "at") != NULL;
    round->wait_leader = cli_text_of(run, "wait-leader") != NULL;
    round->wait_us = settings->timeout_given ? settings->options.timeout_us : WAIT_US;
    atomic_init(&round->found, false);
    if (round->wait_leader && round->request.has_at) {
        return cli_fail(ret_error, "status: give --at or --wait-leader, not both");
    }
    return cli_number_of(run, "at", 0, 1, UINT64_MAX, &round->request.at, ret_error);
}

int cli_run_status(const struct cli_run *run)
{
    struct cli_settings settings;
    struct cli_error error;
    enum cli_exit code;
    struct round round = {.wait_leader = false};
    if (!cli_settings_load(run, &settings, &error, &code)) {
        return cli_complain(run->output, error.text, code);
    }
    if (!take_round(run, &settings, &round, &error)) {
        return cli_complain(run->output, error.text, CLI_USAGE);
    }
    size_t count = settings.options.server_count;
    struct row *rows = cli_take(run->memory, count * sizeof(*rows));
    for (size_t i = 0; i < count; i++) {
        rows[i] = (struct row){
            .round = &round, .server = settings.options.servers[i], .options = settings.options};
        rows[i].options.servers = &rows[i].server;
        rows[i].options.server_count = 1;
        rows[i].options.stay = true;
        rows[i].options.timeout_us = round.wait_leader        ? POLL_ANSWER_US
                                     : settings.timeout_given ? settings.options.timeout_us
                                                              : ANSWER_US;
    }
    if (!ask_all(rows, count, &error)) {
        return cli_complain(run->output, error.text, CLI_LOCAL);
    }
    return report(run, rows, count);
}
