/* What the files of jepsen-report share: a run as it was read from its folder. Judges nothing: the
 * verdict is tenure-check's.
 *
 *   main.c    reads the folder, writes the page's frame and tables
 *   draw.c    the timeline, as one picture
 *   index.c   a page for a folder of runs
 */
#ifndef JEPSEN_REPORT_REPORT_H
#define JEPSEN_REPORT_REPORT_H

#include "jepsen/check/history.h"

#include <stdio.h>

enum { REPORT_MARKS = 4096, REPORT_TERMS = 4096, REPORT_TEXT = 160, REPORT_PATH = 1024 };

/* A line of the run's timeline. */
struct mark {
    double at_s; /* since the first one */
    char kind[32], name[32], text[REPORT_TEXT];
};

/* When answers of a term came, and who led in it. */
struct reign {
    double from_s, to_s;
    uint32_t term, node; /* node 0: no log says */
};

struct report {
    char folder[REPORT_PATH];
    struct history *history;
    double zero_s; /* of the machine's clock: the first mark */
    double length_s;
    struct mark marks[REPORT_MARKS];
    uint32_t mark_count;
    struct reign reigns[REPORT_TERMS];
    uint32_t reign_count;
};

/* Seconds of the run at which the row was called or answered. */
double report_at(const struct report *report, uint64_t ns);
bool report_answered(const struct event *event);
void report_text(FILE *page, const char *text); /* with what HTML asks for */
void report_draw(const struct report *report, FILE *page);
/* Writes FOLDER/index.html of the runs in it. */
bool report_index(const char *folder);
/* The head of a page, up to its title. */
void report_head(FILE *page, const char *title);
/* The value of a line "NAME VALUE" of FOLDER/run; empty when there is none. */
void report_value(const char *folder, const char *name, char ret_value[REPORT_TEXT]);
/* The first line of FOLDER/FILE. */
void report_line(const char *folder, const char *file, char ret_line[REPORT_TEXT]);

#endif
