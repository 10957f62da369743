/* jepsen-report FOLDER...: a page for each run, FOLDER/index.html, with nothing that is not in it.
 * jepsen-report --index FOLDER: a page for the runs in a folder. */
#include "jepsen/report/report.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- small files ---- */

static FILE *open_in(const char *folder, const char *name)
{
    char path[REPORT_PATH + 300];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    return fopen(path, "re");
}

static void chop(char *line)
{
    line[strcspn(line, "\r\n")] = '\0';
}

void report_line(const char *folder, const char *file, char ret_line[REPORT_TEXT])
{
    FILE *from = open_in(folder, file);
    ret_line[0] = '\0';
    if (from != NULL) {
        if (fgets(ret_line, REPORT_TEXT, from) == NULL) {
            ret_line[0] = '\0';
        }
        chop(ret_line);
        fclose(from);
    }
}

void report_value(const char *folder, const char *name, char ret_value[REPORT_TEXT])
{
    char line[REPORT_TEXT];
    FILE *from = open_in(folder, "run");
    size_t size = strlen(name);
    ret_value[0] = '\0';
    while (from != NULL && fgets(line, sizeof line, from) != NULL) {
        chop(line);
        if (strncmp(line, name, size) == 0 && line[size] == ' ') {
            (void)snprintf(ret_value, REPORT_TEXT, "%s", line + size + 1);
        }
    }
    if (from != NULL) {
        fclose(from);
    }
}

/* ---- reading a run ---- */

/* The timeline is of the boot clock, histories of the monotonic one. */
static double boot_ahead_s(void)
{
    struct timespec boot, mono;
    clock_gettime(CLOCK_BOOTTIME, &boot);
    clock_gettime(CLOCK_MONOTONIC, &mono);
    return (double)(boot.tv_sec - mono.tv_sec) + (double)(boot.tv_nsec - mono.tv_nsec) / 1e9;
}

double report_at(const struct report *report, uint64_t ns)
{
    return (double)ns / 1e9 - report->zero_s;
}

bool report_answered(const struct event *event)
{
    return event->ret_ns != HISTORY_NEVER;
}

static void take_mark(struct report *report, const char *line, double ahead)
{
    struct mark *mark = &report->marks[report->mark_count];
    double at = 0;
    *mark = (struct mark){.at_s = 0};
    if (report->mark_count == REPORT_MARKS || sscanf(line, "%lf\t%31[^\t]\t%31[^\t]\t%159[^\n]",
                                                     &at, mark->kind, mark->name, mark->text) < 3) {
        return;
    }
    if (report->mark_count++ == 0) {
        report->zero_s = at - ahead;
    }
    mark->at_s = at - ahead - report->zero_s;
    report->length_s = mark->at_s;
}

static void read_timeline(struct report *report)
{
    char line[512];
    FILE *from = open_in(report->folder, "timeline");
    double ahead = boot_ahead_s();
    while (from != NULL && fgets(line, sizeof line, from) != NULL) {
        take_mark(report, line, ahead);
    }
    if (from != NULL) {
        fclose(from);
    }
}

static void read_histories(struct report *report)
{
    char path[REPORT_PATH + 300], fault[200];
    struct dirent *entry;
    (void)snprintf(path, sizeof path, "%s/history", report->folder);
    DIR *folder = opendir(path);
    while (folder != NULL && (entry = readdir(folder)) != NULL) {
        if (strstr(entry->d_name, ".jsonl") == NULL) {
            continue;
        }
        (void)snprintf(path, sizeof path, "%s/history/%s", report->folder, entry->d_name);
        FILE *from = fopen(path, "re");
        if (from == NULL || !history_read(report->history, from, fault, sizeof fault)) {
            fprintf(stderr, "jepsen-report: %s cannot be read\n", path);
        }
        if (from != NULL) {
            fclose(from);
        }
    }
    if (folder != NULL) {
        closedir(folder);
    }
}

static struct reign *reign_of(struct report *report, uint32_t term)
{
    for (uint32_t i = 0; i < report->reign_count; i++) {
        if (report->reigns[i].term == term) {
            return &report->reigns[i];
        }
    }
    if (report->reign_count == REPORT_TERMS) {
        return NULL;
    }
    report->reigns[report->reign_count] = (struct reign){.term = term, .from_s = 1e12};
    return &report->reigns[report->reign_count++];
}

/* A term's answers tell when; a retry's term is the first's, so its time says nothing. */
static void find_reigns(struct report *report)
{
    for (uint32_t i = 0; i < report->history->count; i++) {
        const struct event *event = &report->history->events[i];
        if (event->term == 0 || !report_answered(event) || event->attempt > 1) {
            continue;
        }
        struct reign *reign = reign_of(report, event->term);
        double at = report_at(report, event->ret_ns);
        if (reign != NULL) {
            reign->from_s = at < reign->from_s ? at : reign->from_s;
            reign->to_s = at > reign->to_s ? at : reign->to_s;
        }
    }
}

/* "… lead [2] serving term 7" */
static void read_leaders(struct report *report, const char *name)
{
    char line[1024];
    unsigned node, term;
    FILE *from = open_in(report->folder, name);
    while (from != NULL && fgets(line, sizeof line, from) != NULL) {
        const char *found = strstr(line, " lead [");
        if (found != NULL && sscanf(found, " lead [%u] serving term %u", &node, &term) == 2) {
            struct reign *reign = reign_of(report, term);
            if (reign != NULL) {
                reign->node = node;
            }
        }
    }
    if (from != NULL) {
        fclose(from);
    }
}

/* ---- writing ---- */

void report_text(FILE *page, const char *text)
{
    for (; *text != '\0'; text++) {
        switch (*text) {
        case '<':
            fputs("&lt;", page);
            break;
        case '>':
            fputs("&gt;", page);
            break;
        case '&':
            fputs("&amp;", page);
            break;
        case '"':
            fputs("&quot;", page);
            break;
        default:
            fputc(*text, page);
            break;
        }
    }
}

void report_head(FILE *page, const char *title)
{
    fputs("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>", page);
    report_text(page, title);
    fputs("</title><style>\n"
          "body{font:14px/1.4 system-ui,sans-serif;margin:24px;color:#222;background:#fff}\n"
          "h1{font-size:20px}h2{font-size:16px;margin-top:28px}\n"
          "table{border-collapse:collapse}td,th{padding:3px 10px;text-align:left;"
          "border-bottom:1px solid #ddd}td.n{text-align:right}\n"
          "pre{background:#f6f6f6;padding:10px;overflow-x:auto;white-space:pre-wrap;"
          "word-break:break-all}\n"
          ".verdict{font-weight:bold}.OK{color:#1a7f37}.VIOLATION{color:#c1121f}"
          ".UNDECIDED,.INVALID{color:#b36b00}\n"
          ".picture{overflow-x:auto}text{font-size:11px;fill:#333}.label{text-anchor:end}"
          ".axis{text-anchor:middle}.in{fill:#fff}.grid{stroke:#e3e3e3}\n"
          ".fault{fill:#d1495b}rect.done,circle.done{fill:#4a90c2}"
          "rect.refused,circle.refused{fill:#e0a030}rect.retry,circle.retry{fill:#999}"
          "rect.unknown,circle.unknown{fill:#c1121f}\n"
          ".n0{fill:#888}.n1{fill:#30638e}.n2{fill:#00798c}.n3{fill:#8a5a9e}.n4{fill:#b36b00}"
          ".n5{fill:#4f772d}.n6{fill:#9e2a2b}.n7{fill:#495057}\n"
          "</style></head><body><h1>",
          page);
    report_text(page, title);
    fputs("</h1>\n", page);
}

static void write_file(const struct report *report, FILE *page, const char *name, const char *title)
{
    char line[4096];
    FILE *from = open_in(report->folder, name);
    if (from == NULL) {
        return;
    }
    fprintf(page, "<h2>%s</h2><pre>", title);
    while (fgets(line, sizeof line, from) != NULL) {
        report_text(page, line);
    }
    fputs("</pre>\n", page);
    fclose(from);
}

static int by_size(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return left < right ? -1 : left > right;
}

static void write_operation(const struct report *report, FILE *page, enum op_number f,
                            double *times)
{
    uint32_t count = 0, answered = 0, done = 0;
    for (uint32_t i = 0; i < report->history->count; i++) {
        const struct event *event = &report->history->events[i];
        if (event->f == f) {
            count++;
            done += op_outcome_class((enum op_outcome)event->outcome) == OP_CLASS_DONE;
            if (report_answered(event)) {
                times[answered++] = (double)(event->ret_ns - event->call_ns) / 1e6;
            }
        }
    }
    const struct op_row *row = op_row_of_number(f);
    if (count == 0 || row == NULL) {
        return;
    }
    qsort(times, answered, sizeof *times, by_size);
    fprintf(page,
            "<tr><td>%s</td><td class=\"n\">%" PRIu32 "</td><td class=\"n\">%" PRIu32
            "</td><td class=\"n\">%.1f</td><td class=\"n\">%.1f</td><td class=\"n\">%.1f</td>"
            "</tr>\n",
            row->name, count, done, answered == 0 ? 0 : times[answered / 2],
            answered == 0 ? 0 : times[(uint64_t)answered * 99 / 100],
            answered == 0 ? 0 : times[answered - 1]);
}

static void write_operations(const struct report *report, FILE *page)
{
    double *times = malloc((report->history->count + 1) * sizeof *times);
    fputs("<h2>Operations</h2><table><tr><th>operation</th><th>calls</th><th>done</th>"
          "<th>median, ms</th><th>99 %, ms</th><th>longest, ms</th></tr>\n",
          page);
    for (unsigned f = 1; times != NULL && f < 256; f++) {
        write_operation(report, page, (enum op_number)f, times);
    }
    fputs("</table>\n", page);
    free(times);
}

static bool write_page(const struct report *report)
{
    char path[REPORT_PATH + 300], result[REPORT_TEXT];
    (void)snprintf(path, sizeof path, "%s/index.html", report->folder);
    FILE *page = fopen(path, "w+e");
    if (page == NULL) {
        return false;
    }
    report_line(report->folder, "result", result);
    report_head(page, "A run of jepsen/run");
    fprintf(page, "<p class=\"verdict %s\">%s</p>\n", result, result);
    report_draw(report, page);
    write_file(report, page, "complaints", "What the harness found");
    write_file(report, page, "verdict", "Verdict of tenure-check, and the operations that show it");
    write_file(report, page, "run", "What was asked for");
    write_operations(report, page);
    write_file(report, page, "timeline", "Timeline");
    fputs("</body></html>\n", page);
    return fclose(page) == 0;
}

/* ---- life ---- */

static bool make_page(const char *folder)
{
    struct report *report = calloc(1, sizeof *report);
    char name[32];
    bool good = false;
    if (report != NULL) {
        report->history = history_create();
        (void)snprintf(report->folder, sizeof report->folder, "%s", folder);
        read_timeline(report);
        read_histories(report);
        find_reigns(report);
        for (unsigned node = 1; node <= 9; node++) {
            (void)snprintf(name, sizeof name, "node-%u.log", node);
            read_leaders(report, name);
        }
        good = write_page(report);
        history_destroy(report->history);
    }
    free(report);
    return good;
}

int main(int argc, char **argv)
{
    bool good = true;
    if (argc == 3 && strcmp(argv[1], "--index") == 0) {
        return report_index(argv[2]) ? EXIT_SUCCESS : EXIT_FAILURE;
    }
    if (argc < 2) {
        fprintf(stderr, "usage: jepsen-report FOLDER... | --index FOLDER\n");
        return 2;
    }
    for (int i = 1; i < argc; i++) {
        good = make_page(argv[i]) && good;
    }
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
