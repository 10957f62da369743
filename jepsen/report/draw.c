/* The picture of a run: faults, who led, answers in a second, how long they took. */
#include "jepsen/report/report.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEFT = 150,
    WIDTH = 1000,
    LANE = 18,
    RATE_HIGH = 110,
    LATENCY_HIGH = 150,
    GAP = 34,
    SECONDS_MAX = 24 * 3600,
    NAMES_MAX = 32,
};

enum class { DONE, REFUSED, RETRY, UNKNOWN, CLASSES };
static const char *const class_names[CLASSES] = {"done", "refused", "retry", "unknown"};

static enum class class_of(const struct event *event) {
    switch (op_outcome_class((enum op_outcome)event->outcome)){
        case OP_CLASS_DONE : return DONE; case OP_CLASS_REFUSED : return REFUSED;
        case OP_CLASS_RETRY : return RETRY;
        case OP_CLASS_UNKNOWN : return UNKNOWN;
    }
return UNKNOWN;
}

static double x_of(const struct report *report, double at_s)
{
    double share = report->length_s > 0 ? at_s / report->length_s : 0;
    return LEFT + WIDTH * (share < 0 ? 0 : share > 1 ? 1 : share);
}

static void label(FILE *page, double y, const char *text)
{
    fprintf(page, "<text class=\"label\" x=\"%d\" y=\"%.0f\">", LEFT - 10, y);
    report_text(page, text);
    fputs("</text>\n", page);
}

/* ---- faults ---- */

/* When what began at mark `from` ended: its own end, or the next fault's, or the run's. */
static double end_of(const struct report *report, uint32_t from)
{
    for (uint32_t i = from + 1; i < report->mark_count; i++) {
        const struct mark *mark = &report->marks[i];
        bool same = strcmp(mark->name, report->marks[from].name) == 0;
        if ((same && (strcmp(mark->kind, "end") == 0 || strcmp(mark->kind, "begin") == 0)) ||
            strcmp(mark->kind, "calm") == 0 || strcmp(mark->kind, "settle") == 0) {
            return mark->at_s;
        }
    }
    return report->length_s;
}

static uint32_t name_lane(const char *names[NAMES_MAX], uint32_t *count, const char *name)
{
    for (uint32_t i = 0; i < *count; i++) {
        if (strcmp(names[i], name) == 0) {
            return i;
        }
    }
    if (*count < NAMES_MAX) {
        names[(*count)++] = name;
    }
    return *count - 1;
}

static double draw_faults(const struct report *report, FILE *page, double y)
{
    const char *names[NAMES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < report->mark_count; i++) {
        const struct mark *mark = &report->marks[i];
        if (strcmp(mark->kind, "begin") != 0 || strcmp(mark->name, "run") == 0) {
            continue;
        }
        uint32_t lane = name_lane(names, &count, mark->name);
        double from = x_of(report, mark->at_s), to = x_of(report, end_of(report, i));
        const struct mark *next = i + 1 < report->mark_count ? &report->marks[i + 1] : mark;
        bool told = strcmp(next->name, mark->name) == 0 && strcmp(next->kind, "end") != 0;
        fprintf(page,
                "<rect class=\"fault\" x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%d\"><title>",
                from, y + lane * LANE, to - from < 2 ? 2.0 : to - from, LANE - 4);
        report_text(page, told ? next->text : mark->name);
        fprintf(page, " at %.1f s</title></rect>\n", mark->at_s);
    }
    for (uint32_t i = 0; i < count; i++) {
        label(page, y + i * LANE + 11, names[i]);
    }
    return y + count * LANE;
}

/* ---- leaders ---- */

static double draw_leaders(const struct report *report, FILE *page, double y)
{
    label(page, y + 11, "leader (node, term)");
    for (uint32_t i = 0; i < report->reign_count; i++) {
        const struct reign *reign = &report->reigns[i];
        double from = x_of(report, reign->from_s), to = x_of(report, reign->to_s);
        fprintf(page,
                "<rect class=\"n%u\" x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%d\">"
                "<title>node %u, term %u, from %.1f s to %.1f s</title></rect>\n",
                reign->node % 8, from, y, to - from < 2 ? 2.0 : to - from, LANE - 4, reign->node,
                reign->term, reign->from_s, reign->to_s);
        if (to - from > 30) {
            fprintf(page, "<text class=\"in\" x=\"%.1f\" y=\"%.0f\">%u, %u</text>\n", from + 4,
                    y + 11, reign->node, reign->term);
        }
    }
    return y + LANE;
}

/* ---- rate ---- */

static double draw_rate(const struct report *report, FILE *page, double y)
{
    size_t seconds = (size_t)report->length_s + 1;
    uint32_t(*counts)[CLASSES] = calloc(seconds, sizeof *counts);
    uint32_t most = 1;
    for (uint32_t i = 0; counts != NULL && i < report->history->count; i++) {
        const struct event *event = &report->history->events[i];
        double at = report_at(report, report_answered(event) ? event->ret_ns : event->call_ns);
        if (at >= 0 && at < (double)seconds) {
            counts[(size_t)at][class_of(event)]++;
        }
    }
    for (size_t s = 0; counts != NULL && s < seconds; s++) {
        uint32_t all = counts[s][0] + counts[s][1] + counts[s][2] + counts[s][3];
        most = all > most ? all : most;
    }
    for (size_t s = 0; counts != NULL && s < seconds; s++) {
        double top = y + RATE_HIGH, x = x_of(report, (double)s);
        double width = x_of(report, (double)s + 1) - x;
        for (size_t class = 0; class < CLASSES; class ++) {
            double high = (double)counts[s][class] * RATE_HIGH / most;
            top -= high;
            if (high > 0) {
                fprintf(page,
                        "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\">"
                        "<title>%zu s: %u %s</title></rect>\n",
                        class_names[class], x, top, width, high, s, counts[s][class],
                        class_names[class]);
            }
        }
    }
    free(counts);
    label(page, y + 10, "answers in a second");
    fprintf(page, "<text class=\"label\" x=\"%d\" y=\"%.0f\">%u</text>\n", LEFT - 10, y + 26, most);
    return y + RATE_HIGH;
}

/* ---- latency: a dot for each answer, 0.1 ms to 100 s by powers of ten ---- */

static double latency_y(double y, double ms)
{
    double share = (log10(ms < 0.1 ? 0.1 : ms) + 1) / 6;
    return y + LATENCY_HIGH * (1 - (share > 1 ? 1 : share));
}

static double draw_latency(const struct report *report, FILE *page, double y)
{
    uint32_t every = report->history->count / 6000 + 1; /* a page that a browser bears */
    label(page, latency_y(y, 100000) + 4, "time to answer");
    for (int power = -1; power <= 5; power++) {
        double at = latency_y(y, pow(10, power));
        fprintf(page, "<line class=\"grid\" x1=\"%d\" x2=\"%d\" y1=\"%.1f\" y2=\"%.1f\"/>", LEFT,
                LEFT + WIDTH, at, at);
        if (power >= 0 && power < 5) {
            fprintf(page, "<text class=\"label\" x=\"%d\" y=\"%.1f\">%g ms</text>\n", LEFT - 10,
                    at + 4, pow(10, power));
        }
    }
    for (uint32_t i = 0; i < report->history->count; i++) {
        const struct event *event = &report->history->events[i];
        double ms = (double)(event->ret_ns - event->call_ns) / 1e6;
        if (report_answered(event) && (i % every == 0 || ms > 1000)) {
            fprintf(page, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"1.5\"/>\n",
                    class_names[class_of(event)], x_of(report, report_at(report, event->ret_ns)),
                    latency_y(y, ms));
        }
    }
    return y + LATENCY_HIGH;
}

static void draw_axis(const struct report *report, FILE *page, double y)
{
    double step = report->length_s <= 120 ? 10 : report->length_s <= 900 ? 60 : 600;
    for (double at = 0; at <= report->length_s; at += step) {
        fprintf(page,
                "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"0\" y2=\"%.0f\"/>"
                "<text class=\"axis\" x=\"%.1f\" y=\"%.0f\">%g s</text>\n",
                x_of(report, at), x_of(report, at), y, x_of(report, at), y + 16, at);
    }
}

void report_draw(const struct report *report, FILE *page)
{
    double high = LANE * (NAMES_MAX + 1) + RATE_HIGH + LATENCY_HIGH + 4 * GAP, y = 6;
    long head;
    fputs("<div class=\"picture\">\n", page);
    head = ftell(page);
    /* The height is known at the end: as wide a number stands here meanwhile. */
    fprintf(page, "<svg width=\"%d\" height=\"%6.0f\">\n", LEFT + WIDTH + 20, high);
    y = draw_faults(report, page, y) + 8;
    y = draw_leaders(report, page, y) + GAP / 2;
    y = draw_rate(report, page, y) + GAP / 2;
    y = draw_latency(report, page, y);
    draw_axis(report, page, y);
    fputs("</svg></div>\n", page);
    (void)fseek(page, head, SEEK_SET);
    fprintf(page, "<svg width=\"%d\" height=\"%6.0f\">\n", LEFT + WIDTH + 20, y + 24);
    (void)fseek(page, 0, SEEK_END);
}
