/* The manual pages tenured(8), and tenured.yaml(5) from node/config.def. Reads no configuration. */
#include "node/manual.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/troff.h"
#include "node/config.def"
#include "node/node.h"

#define FOOT " " TENURE_DATE " \"Tenure " NODE_VERSION "\" \"Tenure\"\n"

static const char daemon_page[] =
    ".TH TENURED 8" FOOT ".SH NAME\ntenured \\- one node of a Tenure cluster\n"
    ".SH SYNOPSIS\n"
    ".B tenured \\-\\-config\n.I FILE\n"
    ".br\n.B tenured \\-\\-config\n.I FILE\n.B \\-\\-init\n.I BOOTSTRAP\n"
    ".br\n.B tenured \\-\\-config\n.I FILE\n.B \\-\\-check\\-config\n"
    ".SH DESCRIPTION\n"
    ".B tenured\nserves clients, and holds its part of the replicated log in its data folder.\n"
    "It runs in the foreground until it is told to stop.\n"
    "A minority of a cluster\\(aqs nodes may be down, in any way.\n"
    ".PP\n"
    "A data folder is made once, from the bootstrap file of the whole cluster, which\n"
    ".B tenurectl cluster init\nwrites.\n"
    "Without\n.B \\-\\-init\nno data folder is ever made: an empty one is an error.\n"
    ".SH OPTIONS\n"
    ".TP\n\\fB\\-c\\fR, \\fB\\-\\-config\\fR \\fIFILE\\fR\n"
    "This node\\(aqs configuration; see\n.BR tenured.yaml (5).\n"
    ".TP\n\\fB\\-\\-init\\fR \\fIBOOTSTRAP\\fR\n"
    "Make the configured folder from the bootstrap file, then exit. A folder that is not empty is\n"
    "refused.\n"
    ".TP\n.B \\-\\-check\\-config\nSay whether the configuration is good, then exit.\n"
    ".TP\n.B \\-\\-metrics\nPrint what /metrics shows, as Markdown, then exit.\n"
    ".TP\n\\fB\\-\\-man\\fR 5|8\nPrint a manual page, as troff, then exit.\n"
    ".TP\n\\fB\\-V\\fR, \\fB\\-\\-version\\fR\nPrint the version, then exit.\n"
    ".TP\n\\fB\\-h\\fR, \\fB\\-\\-help\\fR\nPrint the options and the configuration keys, then "
    "exit.\n"
    ".SH SIGNALS\n"
    "SIGTERM and SIGINT stop it: no new requests, leadership is handed over, open replies are "
    "sent.\n"
    ".SH OUTPUT\n"
    "One line on standard output when it listens, with the addresses; the log goes to standard\n"
    "error.\n"
    ".SH EXIT STATUS\n"
    ".TP\n.B 0\nIt was stopped as asked, or did what its option says.\n"
    ".TP\n.B 1\nIt failed; the last line says why.\n"
    ".TP\n.B 2\nWrong usage.\n"
    ".SH SEE ALSO\n.BR tenurectl (1),\n.BR tenured.yaml (5)\n";

static const char file_head[] =
    ".TH TENURED.YAML 5" FOOT
    ".SH NAME\ntenured.yaml \\- configuration of one node of a Tenure cluster\n"
    ".SH DESCRIPTION\n"
    "The file that\n.B tenured \\-\\-config\nnames: one mapping in YAML. Relative paths are "
    "taken from\n"
    "the folder of the file. An unknown key, a wrong value and a missing key are one line that "
    "names\n"
    "the place in the file, and the node does not start;\n.B tenured \\-\\-check\\-config\n"
    "says so without starting one.\n"
    ".PP\n"
    "What the whole cluster shares (its members, its limits) is not here: it stands in the "
    "bootstrap\n"
    "file that the cluster was born from.\n"
    ".SH KEYS\n";

static const char file_tail[] =
    ".PP\n"
    "A heartbeat is at most a quarter of the election timeout, and an election timeout at most a\n"
    "tenth of the cluster\\(aqs shortest worker lease.\n"
    ".SH EXAMPLES\n.EX\n"
    "node: 1\n"
    "folder: /var/lib/tenure\n"
    "listen: \\(dq10.0.0.1:7400\\(dq\n"
    "peer_listen: \\(dq10.0.0.1:7401\\(dq\n"
    "ca: /etc/tenure/ca.pem\n"
    "certificate: /etc/tenure/node\\-1.pem\n"
    "key: /etc/tenure/node\\-1.key\n"
    ".EE\n"
    ".SH SEE ALSO\n.BR tenured (8),\n.BR tenurectl (1)\n";

static void print_key(const char *name, const char *help)
{
    char escaped[512];
    base_troff(escaped, sizeof(escaped), name);
    printf(".TP\n.B %s\n", escaped);
    base_troff(escaped, sizeof(escaped), help);
    printf("%s", escaped);
}

/* A default of 0 below the bounds stands for none. */
static void print_bounds(uint64_t standard, uint64_t least, uint64_t greatest)
{
    printf("; from %" PRIu64 " to %" PRIu64, least, greatest);
    if (standard < least) {
        printf("; required.\n");
    } else {
        printf("; default %" PRIu64 ".\n", standard);
    }
}

static void print_file_page(void)
{
    printf("%s", file_head);
#define TEXT_(name, help)                                                                          \
    print_key(#name, help);                                                                        \
    printf("; required.\n");
#define OPTION_(name, help)                                                                        \
    print_key(#name, help);                                                                        \
    printf("; may be left out.\n");
#define NUMBER_(name, standard, least, greatest, help)                                             \
    print_key(#name, help);                                                                        \
    print_bounds(standard, least, greatest);
    NODE_CONFIG(TEXT_, OPTION_, NUMBER_)
#undef TEXT_
#undef OPTION_
#undef NUMBER_
    printf("%s", file_tail);
}

bool node_manual_print(const char *section)
{
    if (strcmp(section, "8") == 0) {
        printf("%s", daemon_page);
        return true;
    }
    if (strcmp(section, "5") == 0) {
        print_file_page();
        return true;
    }
    return false;
}
