/* Words into options. Plays nothing. */
#include "tests/sim/options.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char options_usage[] =
    "usage: sim --seed N | --seeds A..B | --of-commit N | --known FILE | --replay N | --faults\n"
    "           [option]...\n"
    "\n"
    "Runs the real nodes and the real client library in a simulated world under faults, checks\n"
    "them after every step, and hands the history to the checker. A failing seed ends with the\n"
    "smallest trace that shows it, and the command that replays that.\n"
    "\n"
    "  --seed N         one seed\n"
    "  --seeds A..B     all of them, the last included\n"
    "  --of-commit N    N seeds, others for each commit; --part 1/2: the first half of them\n"
    "  --known FILE     the seeds of that file, each with its own options\n"
    "  --replay N       one seed, with its log, its faults and its answers\n"
    "  --faults         the faults, and why some are off\n"
    "  --minutes M      simulated time of faults in each seed (default: 30 s); --us N: in us\n"
    "  --nodes 1|3|5|7  so many nodes; otherwise the seed draws it\n"
    "  --rate N         about so many operations in a simulated second, 1 to 1000\n"
    "  --on NAME        switches a fault on; --off NAME off; --off all\n"
    "  --churn          members change in every seed, not in a fifth of them\n"
    "  --upgrade        likewise programs: nodes that know a feature level more\n"
    "  --keep LIST      only these steps of the seed (\"none\": none of them)\n"
    "  --shrink         of a failing seed, goes on until nothing more can be left out, not for a\n"
    "                   minute; --no-shrink: not at all\n"
    "  --history FILE   writes the history of the last seed there, as JSON lines\n"
    "  --keep-going     plays the seeds after a failing one too\n"
    "  --traces         prints the trace hash of each seed\n"
    "  --here           plays in this process, for a debugger\n"
    "  -h, --help       prints this\n"
    "\n"
    "Exit codes: 0 every seed is OK, 1 one failed, 2 usage, 4 INVALID: nothing was shown.\n";

enum { SHRINK_SECONDS = 60, SHRINK_LONG_SECONDS = 3600 };

void options_init(struct options *options)
{
    *options = (struct options){.part = 1,
                                .parts = 1,
                                .shrink_seconds = SHRINK_SECONDS,
                                .setup = {.fault_us = 30 * SIM_SECOND}};
    for (size_t kind = 0; kind < FAULTS; kind++) {
        options->setup.on[kind] = fault_reason((enum fault_kind)kind) == NULL;
    }
}

void options_done(struct options *options)
{
    step_set_done(&options->keep);
}

/* ---- values ---- */

static bool number_of(const char *text, uint64_t *ret_value, const char **ret_end)
{
    char *end;
    if (text == NULL || text[0] < '0' || text[0] > '9') {
        return false;
    }
    *ret_value = strtoull(text, &end, 10);
    *ret_end = end;
    return true;
}

static bool whole_number(const char *text, uint64_t *ret_value)
{
    const char *end;
    return number_of(text, ret_value, &end) && *end == '\0';
}

static bool range_of(const char *text, struct options *options)
{
    const char *end;
    return number_of(text, &options->first, &end) && strncmp(end, "..", 2) == 0 &&
           whole_number(end + 2, &options->last) && options->first <= options->last;
}

static bool part_of(const char *text, struct options *options)
{
    const char *end;
    return number_of(text, &options->part, &end) && *end == '/' &&
           whole_number(end + 1, &options->parts) && options->part > 0 &&
           options->part <= options->parts;
}

static bool set_fault(struct options *options, const char *name, bool on)
{
    enum fault_kind kind;
    if (!on && strcmp(name, "all") == 0) {
        memset(options->setup.on, 0, sizeof(options->setup.on));
        return true;
    }
    if (!fault_of(name, &kind)) {
        return false;
    }
    options->setup.on[kind] = on;
    return true;
}

static bool set_keep(struct options *options, const char *text)
{
    options->has_keep = true;
    return strcmp(text, "none") == 0 || step_set_read(&options->keep, text);
}

static bool set_seeds(struct options *options, const char *option, const char *value)
{
    options->has_seed = true;
    if (strcmp(option, "--seeds") == 0) {
        return range_of(value, options);
    }
    if (strcmp(option, "--of-commit") == 0) {
        return whole_number(value, &options->of_commit) && options->of_commit > 0;
    }
    if (strcmp(option, "--known") == 0) {
        options->known = value;
        return true;
    }
    options->setup.told = strcmp(option, "--replay") == 0 ? TOLD_LOG : TOLD_NOTHING;
    return whole_number(value, &options->first) && whole_number(value, &options->last);
}

static bool names_seeds(const char *option)
{
    return strcmp(option, "--seed") == 0 || strcmp(option, "--replay") == 0 ||
           strcmp(option, "--seeds") == 0 || strcmp(option, "--of-commit") == 0 ||
           strcmp(option, "--known") == 0;
}

static bool set_value(struct options *options, const char *option, const char *value)
{
    struct run_setup *setup = &options->setup;
    uint64_t number;
    if (names_seeds(option)) {
        return set_seeds(options, option, value);
    }
    if (strcmp(option, "--minutes") == 0 && whole_number(value, &number) && number > 0) {
        setup->fault_us = number * 60 * SIM_SECOND;
        return true;
    }
    if (strcmp(option, "--nodes") == 0 && whole_number(value, &number)) {
        setup->nodes = (size_t)number;
        return number == 1 || number == 3 || number == 5 || number == 7;
    }
    if (strcmp(option, "--rate") == 0 && whole_number(value, &setup->rate)) {
        return setup->rate >= 1 && setup->rate <= 1000;
    }
    if (strcmp(option, "--history") == 0) {
        setup->history = value;
        return true;
    }
    return (strcmp(option, "--us") == 0 && whole_number(value, &setup->fault_us)) ||
           (strcmp(option, "--part") == 0 && part_of(value, options)) ||
           (strcmp(option, "--keep") == 0 && set_keep(options, value)) ||
           (strcmp(option, "--on") == 0 && set_fault(options, value, true)) ||
           (strcmp(option, "--off") == 0 && set_fault(options, value, false));
}

static bool set_flag(struct options *options, const char *option)
{
    if (strcmp(option, "--shrink") == 0 || strcmp(option, "--no-shrink") == 0) {
        options->shrink_seconds = strcmp(option, "--shrink") == 0 ? SHRINK_LONG_SECONDS : 0;
        return true;
    }
    bool *flag = strcmp(option, "--churn") == 0        ? &options->setup.churn
                 : strcmp(option, "--upgrade") == 0    ? &options->setup.upgrade
                 : strcmp(option, "--faults") == 0     ? &options->list
                 : strcmp(option, "--help") == 0       ? &options->help
                 : strcmp(option, "-h") == 0           ? &options->help
                 : strcmp(option, "--keep-going") == 0 ? &options->keep_going
                 : strcmp(option, "--traces") == 0     ? &options->traces
                 : strcmp(option, "--here") == 0       ? &options->here
                                                       : NULL;
    if (flag != NULL) {
        *flag = true;
    }
    return flag != NULL;
}

/* ---- words ---- */

int options_read(struct options *options, const char *word, const char *next)
{
    if (set_flag(options, word)) {
        return 1;
    }
    return next != NULL && set_value(options, word, next) ? 2 : 0;
}

bool options_of(int argc, char **argv, struct options *options)
{
    options_init(options);
    for (int i = 1; i < argc;) {
        int words = options_read(options, argv[i], i + 1 < argc ? argv[i + 1] : NULL);
        if (words == 0) {
            fprintf(stderr, "sim: what is \"%s\"?\n", argv[i]);
            return false;
        }
        i += words;
    }
    return options->has_seed || options->list || options->help;
}
