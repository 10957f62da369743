/* Two copies of the vote, each in a file of its own; both are durable before a vote counts. Knows
 * nothing of elections.
 *
 * No sequence number is needed: (term, voted for) only ever grows, nobody (0) before somebody, and
 * never from one to another within a term. A store writes file 0, syncs, writes file 1, syncs:
 *   - a crash in between leaves one file torn or older; the other is whole, and is the vote before
 *     (nothing was answered yet) or the new one (nothing was promised against it);
 *   - a file that is damaged after that has a whole twin with the same vote, so that no damage to
 *     one file takes a vote back. Loading writes both files again before it tells the vote.
 */
#include "raftlog/vote.h"

#include "base/assert.h"
#include "env/disk.h"
#include "env/fault.h"
#include "raftlog/path.h"
#include "raftlog/sealed.h"

#include <stdio.h>

enum { VOTE_BODY = 16, VOTE_FILE = RLOG_SEALED_EXTRA + VOTE_BODY, VOTE_FILES = 2 };

static const struct rlog_sealed_kind vote_kind = {RLOG_MAGIC('t', 'n', 'V', 'O'), 1};
static const char *const vote_names[VOTE_FILES] = {"vote-0", "vote-1"};

static bool vote_follows(struct rlog_vote before, struct rlog_vote after)
{
    return after.term > before.term ||
           (after.term == before.term &&
            (before.voted_for == 0 || before.voted_for == after.voted_for));
}

static int vote_write(struct env *env, const char *folder, int number, enum env_open_mode mode,
                      struct id128 store_id, struct rlog_vote vote)
{
    struct siphash_key key = rlog_store_key(store_id);
    char path[RLOG_FILE_PATH_MAX];
    uint8_t body[VOTE_BODY], block[VOTE_FILE];
    struct base_writer writer;
    struct env_file *file;
    int rc;

    base_writer_init(&writer, body, sizeof body);
    base_write_u64(&writer, vote.term);
    base_write_u64(&writer, vote.voted_for);
    (void)rlog_seal(block, vote_kind, &key, base_written(&writer));
    if (!rlog_path(path, folder, vote_names[number])) {
        return ENV_INVALID;
    }
    rc = env_file_open(env, path, mode, &file);
    if (rc != ENV_OK) {
        return rc;
    }
    env_fault(env, "vote.before_write");
    rc = env_file_write(file, 0, bytes_of(block, sizeof block));
    if (rc == ENV_OK) {
        env_fault(env, "vote.before_sync");
        rc = env_file_sync(file);
    }
    env_file_close(file);
    env_fault(env, "vote.after_sync");
    return rc;
}

/* As rlog_unseal, and what the disk says. */
static int vote_read(struct env *env, const char *folder, int number, struct id128 store_id,
                     struct rlog_vote *ret_vote)
{
    struct siphash_key key = rlog_store_key(store_id);
    char path[RLOG_FILE_PATH_MAX];
    uint8_t block[VOTE_FILE];
    struct base_reader reader;
    struct rlog_vote vote;
    struct env_file *file;
    struct bytes body;
    size_t size = 0;
    int rc;

    if (!rlog_path(path, folder, vote_names[number])) {
        return ENV_INVALID;
    }
    rc = env_file_open(env, path, ENV_OPEN_READ, &file);
    if (rc != ENV_OK) {
        return rc;
    }
    rc = env_file_read(file, 0, block, sizeof block, &size);
    env_file_close(file);
    if (rc == ENV_OK) {
        rc = rlog_unseal(bytes_of(block, size), vote_kind, &key, &body, NULL);
    }
    if (rc != ENV_OK) {
        return rc;
    }
    base_reader_init(&reader, body);
    vote.term = base_read_u64(&reader);
    vote.voted_for = base_read_u64(&reader);
    if (!base_reader_finished(&reader)) {
        return ENV_INVALID;
    }
    *ret_vote = vote;
    return ENV_OK;
}

int rlog_vote_format(struct env *env, const char *folder, struct id128 store_id,
                     struct rlog_vote vote)
{
    for (int i = 0; i < VOTE_FILES; i++) {
        int rc = vote_write(env, folder, i, ENV_OPEN_CREATE, store_id, vote);

        if (rc != ENV_OK) {
            return rc;
        }
    }
    return env_folder_sync(env, folder);
}

/* The newer of the whole ones, and which file holds it. */
static int vote_choose(const int rc[VOTE_FILES], const struct rlog_vote votes[VOTE_FILES],
                       int *ret_good)
{
    if (rc[0] != ENV_OK && rc[1] != ENV_OK) {
        return rc[0] == ENV_INVALID || rc[0] == ENV_NOT_FOUND ? rc[1] : rc[0];
    }
    if (rc[0] != ENV_OK || rc[1] != ENV_OK) {
        *ret_good = rc[0] == ENV_OK ? 0 : 1;
        return ENV_OK;
    }
    *ret_good = vote_follows(votes[1], votes[0]) ? 0 : 1;
    return vote_follows(votes[1 - *ret_good], votes[*ret_good]) ? ENV_OK : ENV_INVALID;
}

/* Both files again, the good one first: when only the process died, a file was perhaps never
 * synced, or its sync had failed and another one would say yes and do nothing. */
static int vote_renew(struct env *env, const char *folder, struct id128 store_id,
                      struct rlog_vote vote, const int rc[VOTE_FILES], int good)
{
    int bad = 1 - good;
    int result = vote_write(env, folder, good, ENV_OPEN_WRITE, store_id, vote);

    if (result == ENV_OK) {
        result = vote_write(env, folder, bad,
                            rc[bad] == ENV_NOT_FOUND ? ENV_OPEN_CREATE : ENV_OPEN_WRITE, store_id,
                            vote);
    }
    return result == ENV_OK ? env_folder_sync(env, folder) : result;
}

int rlog_vote_load(struct env *env, const char *folder, struct id128 store_id,
                   struct rlog_vote *ret_vote, char *error, size_t error_size)
{
    struct rlog_vote votes[VOTE_FILES] = {{0, 0}, {0, 0}};
    int rc[VOTE_FILES];
    int good = 0;
    int result;

    for (int i = 0; i < VOTE_FILES; i++) {
        rc[i] = vote_read(env, folder, i, store_id, &votes[i]);
        if (rc[i] != ENV_OK && rc[i] != ENV_INVALID && rc[i] != ENV_LIMIT && rc[i] != ENV_DENIED &&
            rc[i] != ENV_NOT_FOUND) {
            (void)snprintf(error, error_size, "vote: %s: %s", vote_names[i], env_error_text(rc[i]));
            return rc[i];
        }
        if (rc[i] == ENV_LIMIT) { /* the older one may be what it took back */
            (void)snprintf(error, error_size, "vote: %s is " RLOG_LATER_FORMAT, vote_names[i]);
            return rc[i];
        }
    }
    result = vote_choose(rc, votes, &good);
    if (result != ENV_OK) {
        (void)snprintf(error, error_size,
                       result == ENV_DENIED
                           ? "vote: the files belong to another node's store"
                           : "vote is damaged: neither of its files is whole; remove this node "
                             "from the cluster and add it again");
        return result;
    }
    result = vote_renew(env, folder, store_id, votes[good], rc, good);
    if (result != ENV_OK) {
        (void)snprintf(error, error_size, "vote: writing it again: %s", env_error_text(result));
        return result;
    }
    *ret_vote = votes[good];
    return ENV_OK;
}

int rlog_vote_store(struct env *env, const char *folder, struct id128 store_id,
                    struct rlog_vote before, struct rlog_vote after)
{
    ASSERT(vote_follows(before, after));
    for (int i = 0; i < VOTE_FILES; i++) {
        int rc = vote_write(env, folder, i, ENV_OPEN_WRITE, store_id, after);

        if (rc != ENV_OK) {
            return rc;
        }
    }
    return ENV_OK;
}
