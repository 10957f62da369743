/* A page for a folder of runs: a row for each, with its verdict. */
#include "jepsen/report/report.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { RUNS_MAX = 10000 };

static int is_run(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void row(FILE *page, const char *folder, const char *name)
{
    static const char *const values[] = {"nodes", "workload", "nemesis", "seconds", "rate", "seed"};
    char path[REPORT_PATH], value[REPORT_TEXT];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    report_value(path, "nodes", value);
    if (value[0] == '\0') {
        return; /* no run */
    }
    report_line(path, "result", value);
    fprintf(page, "<tr><td class=\"verdict %s\">%s</td><td><a href=\"", value,
            value[0] == '\0' ? "not ended" : value);
    report_text(page, name);
    fputs("/index.html\">", page);
    report_text(page, name);
    fputs("</a></td>", page);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        report_value(path, values[i], value);
        fputs("<td>", page);
        report_text(page, value);
        fputs("</td>", page);
    }
    fputs("</tr>\n", page);
}

bool report_index(const char *folder)
{
    struct dirent **entries = NULL;
    char path[REPORT_PATH];
    int count = scandir(folder, &entries, is_run, alphasort);
    (void)snprintf(path, sizeof path, "%s/index.html", folder);
    FILE *page = fopen(path, "w+e");
    if (page == NULL || count < 0) {
        return false;
    }
    report_head(page, "Runs of jepsen/run");
    fputs("<table><tr><th>verdict</th><th>run</th><th>nodes</th><th>workload</th><th>nemesis</th>"
          "<th>seconds</th><th>rate</th><th>seed</th></tr>\n",
          page);
    for (int i = 0; i < count; i++) {
        row(page, folder, entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    fputs("</table></body></html>\n", page);
    return fclose(page) == 0;
}
