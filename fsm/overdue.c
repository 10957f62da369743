/* How many dead sessions the sweep has left behind. Sweeps nothing, and is asked by nobody who
 * decides: answers follow from life.c.
 *
 *  1. A session is counted with the nearest of itself and those above it that died by itself: by a
 *     deadline, by its end, or under a watermark. So each is counted once.
 *  2. One that died by itself is found in one heap: by its deadline while it is LIVE, by its end
 *     when it is ENDED; what died by neither, by the first of its covers that denies it.
 *  3. T rises with the position, so a heap that is ordered by positions of ends or of watermarks is
 *     ordered by their times.
 */
#include "fsm/machine.h"

#include "base/sat.h"

struct overdue {
    const struct fsm *fsm;
    uint64_t time;
    uint32_t looks; /* so many more */
    uint32_t count;
};

static bool look(struct overdue *overdue)
{
    overdue->looks -= overdue->looks > 0 ? 1 : 0;
    return overdue->looks > 0;
}

static const struct session_record *session_at(const struct overdue *overdue, uint32_t slot)
{
    return table_read(overdue->fsm->tables[FSM_SESSIONS], slot);
}

/* Died by a deadline, or by its end. */
static bool died(const struct overdue *overdue, const struct session_record *session)
{
    return fsm_session_status(session) == SESSION_LIVE
               ? u64_min(session->idle_deadline, session->absolute_deadline) <= overdue->time
               : session->end_time <= overdue->time;
}

static bool denied_by(const struct overdue *overdue, const struct session_record *session,
                      size_t kind)
{
    const struct fsm *fsm = overdue->fsm;
    uint32_t slot = fsm_watermark_above(fsm, session->head.cover[kind], session->head.created);
    const struct watermark_record *watermark;

    if (slot == SLOT_NONE) {
        return false;
    }
    watermark = table_read(fsm->tables[FSM_WATERMARKS], slot);
    return watermark->time <= overdue->time;
}

/* The first cover that denies it; COVER_KINDS for none. */
static size_t denied_first(const struct overdue *overdue, const struct session_record *session)
{
    size_t kind = 0;

    while (kind < COVER_KINDS && !denied_by(overdue, session, kind)) {
        kind++;
    }
    return kind;
}

/* It, and what is dead for no other reason than that it stands below it. */
static void count_with_below(struct overdue *overdue, uint32_t slot)
{
    const struct session_record *session = session_at(overdue, slot);

    overdue->count++;
    for (uint32_t child = session->child_first; child != SLOT_NONE && look(overdue);
         child = session_at(overdue, child)->child_next) {
        const struct session_record *below = session_at(overdue, child);

        if (!died(overdue, below) && denied_first(overdue, below) == COVER_KINDS) {
            count_with_below(overdue, child);
        }
    }
}

static bool by_itself(void *arg, uint32_t slot, uint64_t deadline)
{
    struct overdue *overdue = arg;

    (void)deadline;
    if (!look(overdue) || !died(overdue, session_at(overdue, slot))) {
        return false;
    }
    count_with_below(overdue, slot);
    return true;
}

static bool by_cover(void *arg, uint32_t slot, uint64_t deadline)
{
    struct overdue *overdue = arg;
    const struct cover_record *cover = table_read(overdue->fsm->tables[FSM_COVERS], slot);
    uint32_t at = cover->session_first;
    bool any = false;

    (void)deadline;
    while (at != SLOT_NONE && look(overdue)) {
        const struct session_record *session = session_at(overdue, at);

        if (!denied_by(overdue, session, cover->kind)) {
            break; /* nor anybody behind it: they are younger */
        }
        any = true;
        if (!died(overdue, session) && denied_first(overdue, session) == cover->kind) {
            count_with_below(overdue, at);
        }
        at = session->cover_next[cover->kind];
    }
    return any;
}

uint32_t fsm_overdue(const struct fsm *fsm, uint64_t time)
{
    struct overdue overdue = {fsm, time, FSM_OVERDUE_LOOKS, 0};

    deadlines_visit(fsm->heaps[HEAP_SESSION], by_itself, &overdue);
    deadlines_visit(fsm->heaps[HEAP_ENDED], by_itself, &overdue);
    deadlines_visit(fsm->heaps[HEAP_REVOKED], by_cover, &overdue);
    return overdue.count;
}
