/* The note in a node's folder that says: damage was found here, this node has no vote. The file
 * "damaged"; what follows from it is repair.h's affair.
 *
 * It is durable before the node does anything else with what it found, and goes only when all that
 * was forgotten is here again: a crash in between leaves no forgetful voter.
 */
#ifndef RAFTLOG_DAMAGE_H
#define RAFTLOG_DAMAGE_H

#include "base/bytes.h"
#include "env/env.h"

enum { RLOG_DAMAGE_TEXT_MAX = 240 };

enum rlog_damage_stage {
    RLOG_DAMAGE_NONE,    /* there is no note */
    RLOG_DAMAGE_FOUND,   /* log and image stand as they were found; nothing of the log is used */
    RLOG_DAMAGE_RENEWED, /* what there is was begun anew since, or was whole: it may be used */
};

struct rlog_damage {
    enum rlog_damage_stage stage;
    bool lost_met;                   /* whom this node met is forgotten (met.h) */
    char text[RLOG_DAMAGE_TEXT_MAX]; /* what was found, one line */
};

/* NONE when there is no note; FOUND when the note itself is damaged. Synchronous. Fails when the
 * disk does, or when the note is of a version or store that is not ours: one line in `error`. */
int rlog_damage_load(struct env *env, const char *folder, struct id128 store_id,
                     struct rlog_damage *ret_damage, char *error, size_t error_size);
/* Replaces the note, or removes it (stage NONE); durable on return. Synchronous. */
int rlog_damage_store(struct env *env, const char *folder, struct id128 store_id,
                      const struct rlog_damage *damage);

#endif
