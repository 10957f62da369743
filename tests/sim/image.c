/* Images that travel in many pieces, and what breaks them off. In some seeds blocks and chunks of
 * images are so small that a transfer takes many of them; there a node is away until the others
 * have an image, and while it gets that, it, who sends it, or the connection between them fails, up
 * to three times, each at a drawn part of the way. Looks at what arrives; judges nothing.
 */
#include "tests/sim/faults.h"

#include "base/sat.h"
#include "raftlog/rlog.h"
#include "raftlog/snapshot_task.h"
#include "raftlog/stream.h"

#include <inttypes.h>

enum {
    PERCENT = 25,
    STREAM = 91, /* of a seed's draws: nothing else is drawn from it */
    REBOOT_SLACK_US = 100000,
    INFLIGHT_MOST = 8, /* so that little log is kept, and who was away wants an image */
};

/* What is large, or goes to slow disks, does so in larger chunks, so that L1's bound is enough. */
void image_plan(const struct run *run, struct plan *plan, bool can)
{
    uint64_t drawn = sim_mix(run->setup->seed ^ sim_mix(STREAM));
    bool slow = plan->disk_us > 2 * SIM_MILLISECOND;
    size_t least = slow && plan->large ? 32768 : slow ? 4096 : plan->large ? 1024 : 64;
    plan->on[FAULT_IMAGE] = run->setup->on[FAULT_IMAGE] && can && drawn % 100 < PERCENT;
    if (plan->on[FAULT_IMAGE]) {
        plan->image.chunk = least << (drawn >> 8) % (least == 64 ? 7 : 3);
        plan->image.block = (size_t)512 << (drawn >> 16) % 6;
        plan->inflight = plan->inflight < INFLIGHT_MOST ? plan->inflight : INFLIGHT_MOST;
        plan->trailing = 4 * plan->inflight;
    }
}

/* ---- the fault ---- */

void fault_image(struct run *run, struct active *active)
{
    struct run_image *image = &run->image;
    image->node = active->node;
    image->armed = false;
    image->struck = 0;
    image->strikes = 1 + (unsigned)run_random(run, IMAGE_STRIKES);
    for (size_t i = 0; i < IMAGE_STRIKES; i++) {
        image->how[i] = (enum image_strike)run_random(run, IMAGE_KINDS);
        image->share[i] = run_random(run, 101);
        image->late_us[i] = 1 + run_random(run, SIM_SECOND);
    }
    active->images = true;
    run->nodes[active->node].away = true;
    node_kill(&run->nodes[active->node]);
}

void fault_image_end(struct run *run, struct active *active)
{
    run->nodes[active->node].away = false;
    run->image.armed = run->image.node == active->node;
}

static void strike_link(struct run *run, const struct run_node *node, const struct run_node *sender,
                        enum image_strike how, uint64_t late_us)
{
    if (how == IMAGE_RESET) {
        sim_net_reset(run->sim, node->host, sender->host);
    } else if (how == IMAGE_RESET_NEAR) {
        sim_net_reset_half(run->sim, node->host, sender->host, late_us);
    } else {
        sim_net_reset_half(run->sim, sender->host, node->host, late_us);
    }
}

static void strike(void *arg)
{
    static const char *const words[IMAGE_KINDS] = {
        [IMAGE_CRASH] = "it crashes",
        [IMAGE_POWER] = "it loses power",
        [IMAGE_SENDER] = "its sender crashes",
        [IMAGE_STEP_DOWN] = "its sender hands over",
        [IMAGE_RESET] = "the connection is reset",
        [IMAGE_RESET_NEAR] = "it forgets the connection",
        [IMAGE_RESET_FAR] = "its sender forgets the connection"};
    struct run *run = arg;
    struct run_image *image = &run->image;
    struct run_node *node = &run->nodes[image->node];
    struct run_node *sender = &run->nodes[image->sender];
    enum image_strike how = image->how[image->struck];
    uint64_t late_us = image->late_us[image->struck];
    image->due = false;
    image->struck++;
    run->counters.images.struck++;
    run_say(run, "node %zu has part of an image of node %zu's: %s", image->node + 1,
            image->sender + 1, words[how]);
    switch (how) {
    case IMAGE_CRASH:
        node_kill(node);
        break;
    case IMAGE_POWER:
        run->slack_us += REBOOT_SLACK_US;
        node_power_cut(node);
        break;
    case IMAGE_SENDER:
        node_kill(sender);
        break;
    case IMAGE_STEP_DOWN:
        if (node_runs(sender)) {
            rlog_step_down(sender->node->rlog);
        }
        break;
    case IMAGE_RESET:
    case IMAGE_RESET_NEAR:
    case IMAGE_RESET_FAR:
        strike_link(run, node, sender, how, late_us);
        break;
    case IMAGE_KINDS:
        break;
    }
}

static void perhaps_strike(struct run *run, size_t node, const struct rlog_incoming *in)
{
    struct run_image *image = &run->image;
    if (!run->plan.on[FAULT_IMAGE] || !image->armed || image->due || image->node != node ||
        image->struck >= image->strikes || in->from > run->node_count) {
        return;
    }
    uint64_t whole = in->begin.size - in->offset;
    if ((in->received - in->offset) * 100 >= whole * image->share[image->struck]) {
        image->due = true;
        image->sender = (size_t)in->from - 1;
        sim_at(run->sim, 0, strike, run);
    }
}

/* ---- what is taken ---- */

/* Images of one index are the same bytes, whoever took them, and whatever went on meanwhile. */
static void watch_taken(struct run *run, struct run_node *node)
{
    const struct rlog *rlog = node->node->rlog;
    uint64_t index = rlog_snapshot_task_index(rlog);
    uint64_t identity = rlog_snapshot_task_identity(rlog);
    uint64_t taken, bytes;
    rlog_snapshot_task_tell(rlog, &taken, &bytes);
    bool own = node->images_life == node->starts && taken == node->images_taken + 1;
    node->images_life = node->starts;
    node->images_taken = taken;
    if (identity == 0 || index >= run->watch.entry_count) {
        return;
    }
    uint64_t *known = &run->watch.entries[index].image;
    if (*known != 0 && *known != identity) {
        run_fail(run,
                 "S8: node %u has an image of index %" PRIu64
                 " that is not the one that another node "
                 "had",
                 node->config.node, index);
    }
    run->counters.images.taken += own;
    run->counters.images.same += own && *known != 0;
    *known = identity;
}

/* ---- what arrives ---- */

void image_watch(struct run *run, struct run_node *node)
{
    watch_taken(run, node);
    const struct rlog_incoming *in = &node->node->rlog->streams->incoming;
    struct run_arriving *seen = &node->arriving;
    if (in->from == 0 || in->receiver == NULL || in->received <= in->offset || in->doomed ||
        in->begin.size <= node->node->rlog->config.image_chunk) {
        return;
    }
    if (seen->life != node->starts || seen->from != in->from || seen->stream != in->begin.stream) {
        bool again = in->offset > 0;
        run->counters.images.begun++;
        run->counters.images.resumed += again;
        run->counters.images.elsewhere += again && seen->identity == in->begin.identity &&
                                          seen->from != in->from;
        *seen = (struct run_arriving){.life = node->starts,
                                      .from = in->from,
                                      .stream = in->begin.stream,
                                      .identity = in->begin.identity,
                                      .index = in->begin.index};
    }
    perhaps_strike(run, (size_t)(node - run->nodes), in);
}

void image_installed(struct run *run, const struct run_node *node, uint64_t index)
{
    run->counters.images.whole += node->arriving.index != 0 && node->arriving.index == index;
}
