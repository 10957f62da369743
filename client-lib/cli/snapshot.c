/* Backups: saving one from a running cluster, looking into one, and the files from which a restored
 * cluster is born. The node that is formatted from them ends all that lived (node/restore.h). */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/encode.h"
#include "client-lib/cli/backup.h"
#include "client-lib/cli/json.h"
#include "env/clock.h"
#include "env/crypto.h"
#include "env/random.h"

enum { SAVE_TRIES = 5 }; /* a newer snapshot may take the place of the one that is being read */

/* ---- looking ---- */

static const char *id_text(struct cli_memory *memory, struct bytes bytes)
{
    char *text = cli_take(memory, 2 * bytes.size + 1);
    hex_write(text, bytes);
    return text;
}

static void print_facts(const struct cli_run *run, const struct backup_facts *facts, uint64_t bytes)
{
    char time[CLI_TIME_TEXT];
    const char *incarnation = id_text(run->memory, bytes_of(facts->incarnation.bytes, 16));
    const char *digest = id_text(run->memory, bytes_of(facts->digest, sizeof(facts->digest)));
    cli_time_write(facts->time, time);
    if (run->output == CLI_TABLE) {
        printf("cluster      %s\nincarnation  %s\nposition     %" PRIu64 "\nT            %s\n"
               "digest       %s\nsessions     %" PRIu64 "\ntasks        %" PRIu64
               "\nbytes        %" PRIu64 "\n",
               facts->cluster, incarnation, facts->position, time, digest, facts->sessions,
               facts->tasks, bytes);
        return;
    }
    json_t *object = json_object();
    json_object_set_new(object, "cluster", json_string(facts->cluster));
    json_object_set_new(object, "incarnation", json_string(incarnation));
    json_object_set_new(object, "position", json_integer((json_int_t)facts->position));
    json_object_set_new(object, "time", json_integer((json_int_t)facts->time));
    json_object_set_new(object, "digest", json_string(digest));
    json_object_set_new(object, "sessions", json_integer((json_int_t)facts->sessions));
    json_object_set_new(object, "tasks", json_integer((json_int_t)facts->tasks));
    json_object_set_new(object, "bytes", json_integer((json_int_t)bytes));
    cli_print_json(stdout, object);
}

static bool read_key(const struct cli_run *run, uint8_t ret_key[BACKUP_KEY],
                     struct cli_error *ret_error)
{
    return backup_key_read(run->memory, cli_text_of(run, "backup-key"), ret_key, ret_error);
}

int cli_run_snapshot_inspect(const struct cli_run *run)
{
    struct backup *backup = cli_take(run->memory, sizeof(*backup));
    uint8_t key[BACKUP_KEY];
    struct backup_facts facts;
    struct cli_error error;
    struct bytes piece;
    if (run->positional == NULL) {
        return cli_complain(run->output, "snapshot inspect: name the backup's file", CLI_USAGE);
    }
    bool good = read_key(run, key, &error) &&
                backup_open(backup, run->positional, key, &facts, &error);
    env_wipe(key, sizeof(key));
    while (good) {
        good = backup_read(backup, &piece, &error);
        if (good && piece.size == 0) {
            break;
        }
    }
    backup_close(backup);
    if (!good) {
        return cli_complain(run->output, error.text, CLI_LOCAL);
    }
    print_facts(run, &facts, backup->bytes);
    return CLI_DONE;
}

/* ---- saving ---- */

struct saving {
    const struct cli_run *run;
    struct tenure_client *client; /* of one server, that is stayed with */
    struct backup *backup;
    const char *path;
    uint8_t key[BACKUP_KEY];
    uint64_t position; /* that it has to hold */
    struct backup_facts facts;
    struct tenure_result result; /* of the last call */
    struct cli_error error;      /* what went wrong here, and not there; else empty */
};

static bool copy_facts(const struct tenure_snapshot_take_reply *reply,
                       struct backup_facts *ret_facts)
{
    struct base_reader reader;
    memset(ret_facts, 0, sizeof(*ret_facts));
    base_reader_init(&reader, bytes_of(reply->limits.data, reply->limits.size));
    if (reply->digest.size != sizeof(ret_facts->digest) ||
        reply->hash_key.size != sizeof(ret_facts->hash_key) || reply->cluster.size > OP_NAME_MAX ||
        !op_limits_read(&reader, &ret_facts->limits)) {
        return false;
    }
    ret_facts->position = reply->position;
    ret_facts->time = reply->time;
    ret_facts->sessions = reply->sessions;
    ret_facts->tasks = reply->tasks;
    memcpy(ret_facts->digest, reply->digest.data, reply->digest.size);
    memcpy(ret_facts->hash_key, reply->hash_key.data, reply->hash_key.size);
    memcpy(ret_facts->cluster, reply->cluster.data, reply->cluster.size);
    memcpy(ret_facts->incarnation.bytes, reply->incarnation.bytes, 16);
    return true;
}

/* All pieces of one snapshot into the file. */
static bool save_pieces(struct saving *saving, uint64_t index)
{
    struct tenure_snapshot_read_request request = {.index = index};
    struct tenure_snapshot_read_reply reply;
    size_t size;
    do {
        tenure_result_done(&saving->result);
        if (tenure_snapshot_read(saving->client, &request, &reply, &saving->result) != TENURE_OK) {
            return false;
        }
        size = reply.data.size;
        if (size > 0 &&
            !backup_write(saving->backup, bytes_of(reply.data.data, size), &saving->error)) {
            return false;
        }
        request.offset += size;
    } while (size == OP_SNAPSHOT_PIECE);
    return true;
}

static bool save_once(struct saving *saving)
{
    const struct tenure_snapshot_take_request request = {.position = saving->position};
    struct tenure_snapshot_take_reply reply;
    uint8_t salt[16];
    tenure_result_done(&saving->result);
    if (tenure_snapshot_take(saving->client, &request, &reply, &saving->result) != TENURE_OK) {
        return false;
    }
    if (!copy_facts(&reply, &saving->facts)) {
        return cli_fail(&saving->error, "the server is of another version");
    }
    uint64_t index = reply.index;
    env_random(saving->client->env, salt, sizeof(salt));
    if (!backup_create(saving->backup, saving->path, saving->key, salt, &saving->facts,
                       &saving->error)) {
        return false;
    }
    if (save_pieces(saving, index) && backup_finish(saving->backup, &saving->error)) {
        return true;
    }
    backup_drop(saving->backup);
    return false;
}

/* From one server. */
static bool save_from(struct saving *saving, const struct tenure_options *options,
                      const char *server)
{
    struct tenure_options of_one = *options;
    bool saved = false;
    of_one.servers = &server;
    of_one.server_count = 1;
    of_one.stay = true;
    if (!tenure_open(&of_one, saving->error.text, sizeof(saving->error.text), &saving->client)) {
        return false;
    }
    for (int i = 0; i < SAVE_TRIES && !saved && saving->error.text[0] == '\0'; i++) {
        saved = save_once(saving);
        if (!saved && saving->result.outcome != TENURE_NOT_FOUND &&
            tenure_outcome_class(saving->result.outcome) != TENURE_CLASS_RETRY) {
            break;
        }
    }
    tenure_close(saving->client);
    return saved;
}

/* A position that a confirmed read answers: what ended before has its place at or below it. */
static bool ask_position(struct saving *saving, const struct tenure_options *options)
{
    const struct tenure_cluster_get_request request = {0};
    struct tenure_cluster_get_reply reply;
    struct tenure_client *client;
    if (!tenure_open(options, saving->error.text, sizeof(saving->error.text), &client)) {
        return false;
    }
    bool asked = tenure_cluster_get(client, &request, &reply, &saving->result) == TENURE_OK;
    saving->position = saving->result.position;
    tenure_close(client);
    return asked;
}

static int save(struct saving *saving, const struct cli_settings *settings)
{
    const struct tenure_options *options = &settings->options;
    struct cli_printer printer = {saving->run->output, stdout, stderr};
    bool saved = false;
    if (ask_position(saving, options)) {
        for (size_t i = 0; i < options->server_count && !saved && saving->error.text[0] == '\0';
             i++) {
            saved = save_from(saving, options, options->servers[i]);
        }
    }
    int code = CLI_DONE;
    if (saved) {
        print_facts(saving->run, &saving->facts, saving->backup->bytes);
    } else if (saving->error.text[0] != '\0') {
        code = cli_complain(saving->run->output, saving->error.text, CLI_LOCAL);
    } else {
        cli_print_refusal(&printer, &saving->result);
        code = (int)cli_exit_of(saving->result.outcome);
    }
    tenure_result_done(&saving->result);
    return code;
}

int cli_run_snapshot_save(const struct cli_run *run)
{
    struct saving *saving = cli_take(run->memory, sizeof(*saving));
    struct cli_settings settings;
    enum cli_exit code;
    saving->run = run;
    saving->path = cli_text_of(run, "out");
    saving->backup = cli_take(run->memory, sizeof(*saving->backup));
    if (cli_file_exists(saving->path)) {
        (void)cli_fail(&saving->error, "%s exists already: move it away, or name another",
                       saving->path);
        return cli_complain(run->output, saving->error.text, CLI_LOCAL);
    }
    if (!read_key(run, saving->key, &saving->error)) {
        return cli_complain(run->output, saving->error.text, CLI_LOCAL);
    }
    if (!cli_settings_load(run, &settings, &saving->error, &code)) {
        return cli_complain(run->output, saving->error.text, code);
    }
    int done = save(saving, &settings);
    env_wipe(saving->key, sizeof(saving->key));
    return done;
}

/* ---- restoring ---- */

static bool write_piece(int fd, struct bytes piece)
{
    while (piece.size > 0) {
        ssize_t size = write(fd, piece.data, piece.size);
        if (size < 0 && errno != EINTR) {
            return false;
        }
        size_t done = size < 0 ? 0 : (size_t)size;
        piece = bytes_of(piece.data + done, piece.size - done);
    }
    return true;
}

/* The snapshot in the clear, as nodes have it in their folders. */
static bool write_image(struct backup *backup, const char *path, struct cli_error *ret_error)
{
    struct bytes piece;
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) {
        return cli_fail(ret_error, "cannot write %s: %s", path, strerror(errno));
    }
    bool whole = backup_read(backup, &piece, ret_error);
    bool written = true;
    while (whole && written && piece.size > 0) {
        written = write_piece(fd, piece);
        whole = backup_read(backup, &piece, ret_error);
    }
    if (whole && (!written || fsync(fd) != 0)) {
        whole = cli_fail(ret_error, "cannot write %s: %s", path, strerror(errno));
    }
    (void)close(fd);
    if (!whole || !written) {
        (void)unlink(path);
    }
    return whole && written;
}

int cli_run_snapshot_restore(const struct cli_run *run)
{
    struct backup *backup = cli_take(run->memory, sizeof(*backup));
    uint8_t key[BACKUP_KEY];
    struct backup_facts facts;
    struct cli_error error;
    const char *image = cli_text_of(run, "image");
    const char *out = cli_text_of(run, "out");
    enum cli_exit code = CLI_LOCAL;
    bool opened = read_key(run, key, &error) &&
                  backup_open(backup, cli_text_of(run, "in"), key, &facts, &error);
    env_wipe(key, sizeof(key));
    if (!opened) {
        return cli_complain(run->output, error.text, CLI_LOCAL);
    }
    const struct cli_restored restored = {.cluster = facts.cluster,
                                          .image = image,
                                          .position = facts.position,
                                          .time = facts.time,
                                          .incarnation = facts.incarnation.bytes,
                                          .digest = facts.digest,
                                          .hash_key = facts.hash_key,
                                          .limits = &facts.limits};
    bool done = cli_birth_check(run, &restored, &error, &code) &&
                write_image(backup, image, &error);
    backup_close(backup);
    if (done && !cli_birth_write(run, &restored, out, &error)) {
        (void)unlink(image);
        done = false;
    }
    if (!done) {
        return cli_complain(run->output, error.text, code);
    }
    const struct cli_made made[] = {{"file", out}, {"image", image}};
    cli_print_made(run, made, 2);
    return CLI_DONE;
}
