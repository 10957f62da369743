/* golden make FOLDER: writes the golden files of what this program writes; none of them when one
 *   that may only grow has not.
 * golden check FOLDER: reads them; what they mean must be what they say, and what is written must
 *   still be what they hold. The newest folder.
 * golden read FOLDER: the first half of that. Folders of releases before.
 *
 * A file: for each piece a line "piece SIZE NAME" and its bytes in hexadecimal, 32 a line, "zeros
 * N" for N lines of zeros; then "text", and to the end what the pieces mean.
 */
#include "tests/golden/golden.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/assert.h"
#include "base/encode.h"
#include "jepsen/check/json.h"
#include "tests/unit/op/fill.h"

enum { LINE_BYTES = 32, LINE_MAX = 256, PATH_MAX_ = 1024 };

static const struct golden_article articles[] = {
    {"folder", true, false, golden_folder_make, golden_folder_tell},
    {"log", true, false, golden_log_make, golden_log_tell},
    {"records", true, true, golden_records_make, golden_records_tell},
    {"image", true, false, golden_image_make, golden_image_tell},
    {"snapshot", false, false, golden_snapshot_make, golden_snapshot_tell},
    {"backup", false, false, golden_backup_make, golden_backup_tell},
    {"entries", true, false, golden_entries_make, golden_entries_tell},
    {"peers", true, false, golden_peers_make, golden_peers_tell},
    {"node", true, false, golden_node_make, golden_node_tell},
    {"clients", true, false, golden_frames_make, golden_frames_tell},
    {"tokens", true, false, golden_tokens_make, golden_tokens_tell},
    {"history", true, false, golden_history_make, golden_history_tell},
};
enum { ARTICLES = sizeof(articles) / sizeof(articles[0]) };

/* ---- pieces ---- */

void golden_add(struct golden *golden, const char *name, struct bytes bytes)
{
    ASSERT(golden->count < GOLDEN_PIECES_MAX);
    struct golden_piece *piece = &golden->pieces[golden->count++];
    snprintf(piece->name, sizeof(piece->name), "%s", name);
    piece->data = malloc(bytes.size + 1);
    ASSERT(piece->data != NULL);
    memcpy(piece->data, bytes.data, bytes.size);
    piece->size = bytes.size;
}

struct bytes golden_bytes(const struct golden_piece *piece)
{
    return bytes_of(piece->data, piece->size);
}

const struct golden_piece *golden_find(const struct golden *golden, const char *name)
{
    for (size_t i = 0; i < golden->count; i++) {
        if (strcmp(golden->pieces[i].name, name) == 0) {
            return &golden->pieces[i];
        }
    }
    return NULL;
}

static void golden_free(struct golden *golden)
{
    for (size_t i = 0; golden != NULL && i < golden->count; i++) {
        free(golden->pieces[i].data);
    }
    free(golden);
}

void golden_hex(FILE *text, const char *what, struct bytes bytes)
{
    fprintf(text, "%s=", what);
    for (size_t i = 0; i < bytes.size; i++) {
        fprintf(text, "%02x", bytes.data[i]);
    }
    putc('\n', text);
}

void golden_struct(FILE *text, const char *what, const struct op_struct *s, const void *value)
{
    json_t *fields = json_of_struct(s, value);
    char *line = json_dumps(fields, JSON_COMPACT | JSON_SORT_KEYS);
    ASSERT(line != NULL);
    fprintf(text, "%s %s\n", what, line);
    free(line);
    json_decref(fields);
}

void golden_fill(unsigned which, uint64_t seed, bool stored, const struct op_struct *s,
                 void *ret_value)
{
    static uint8_t memory[2][FILL_MEMORY];
    struct fill fill = {
        .random = seed, .mode = FILL_SMALL, .verifiers = stored, .memory = memory[which]};
    fill_struct(&fill, s, ret_value);
}

/* ---- files ---- */

static void write_piece(FILE *file, const struct golden_piece *piece)
{
    static const uint8_t nothing[LINE_BYTES];
    size_t zeros = 0;
    fprintf(file, "piece %zu %s\n", piece->size, piece->name);
    for (size_t at = 0; at < piece->size; at += LINE_BYTES) {
        size_t left = piece->size - at;
        size_t size = left < LINE_BYTES ? left : LINE_BYTES;
        char line[2 * LINE_BYTES + 1];
        if (size == LINE_BYTES && memcmp(piece->data + at, nothing, size) == 0) {
            zeros++;
            continue;
        }
        if (zeros > 0) {
            fprintf(file, "zeros %zu\n", zeros);
            zeros = 0;
        }
        hex_write(line, bytes_of(piece->data + at, size));
        fprintf(file, "%s\n", line);
    }
    if (zeros > 0) {
        fprintf(file, "zeros %zu\n", zeros);
    }
}

/* Returns owned. */
static char *text_of(const struct golden_article *article, const struct golden *golden)
{
    char *text = NULL;
    size_t size = 0;
    FILE *file = open_memstream(&text, &size);
    ASSERT(file != NULL);
    article->tell(golden, file);
    fclose(file);
    return text;
}

static struct golden *make(const struct golden_article *article)
{
    struct golden *golden = calloc(1, sizeof(*golden));
    ASSERT(golden != NULL);
    article->make(golden);
    return golden;
}

static int write_article(const struct golden_article *article, const char *path)
{
    struct golden *golden = make(article);
    char *text = text_of(article, golden);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        fprintf(stderr, "golden: %s cannot be written\n", path);
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < golden->count; i++) {
        write_piece(file, &golden->pieces[i]);
    }
    fprintf(file, "text\n%s", text);
    int rc = fclose(file) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
    free(text);
    golden_free(golden);
    return rc;
}

static bool piece_line(struct golden_piece *piece, size_t *at, char *line)
{
    size_t zeros, left = piece->size - *at;
    if (sscanf(line, "zeros %zu", &zeros) == 1) {
        if (zeros > left / LINE_BYTES) {
            return false;
        }
        *at += zeros * LINE_BYTES; /* the memory is zeros */
        return true;
    }
    size_t size = left < LINE_BYTES ? left : LINE_BYTES;
    line[strcspn(line, "\n")] = '\0';
    if (size == 0 || !hex_read(bytes_of_text(line), piece->data + *at, size)) {
        return false;
    }
    *at += size;
    return true;
}

/* The pieces; `file` stands behind the line "text" then. NULL: it is no such file. */
static struct golden *read_pieces(FILE *file)
{
    struct golden *golden = calloc(1, sizeof(*golden));
    struct golden_piece *piece = NULL;
    char line[LINE_MAX];
    size_t at = 0;
    ASSERT(golden != NULL);
    while (fgets(line, sizeof(line), file) != NULL) {
        bool begins = strncmp(line, "piece ", 6) == 0, ends = strcmp(line, "text\n") == 0;
        if ((begins || ends) && piece != NULL && at != piece->size) {
            break;
        }
        if (ends) {
            return golden;
        }
        if (begins && golden->count < GOLDEN_PIECES_MAX) {
            piece = &golden->pieces[golden->count++];
            if (sscanf(line, "piece %zu %95[^\n]", &piece->size, piece->name) != 2) {
                break;
            }
            piece->data = calloc(1, piece->size + 1);
            ASSERT(piece->data != NULL);
            at = 0;
        } else if (piece == NULL || !piece_line(piece, &at, line)) {
            break;
        }
    }
    golden_free(golden);
    return NULL;
}

/* All that is left, owned. */
static char *read_rest(FILE *file)
{
    char *text = NULL;
    size_t size = 0;
    int c;
    FILE *into = open_memstream(&text, &size);
    ASSERT(into != NULL);
    while ((c = getc(file)) != EOF) {
        putc(c, into);
    }
    fclose(into);
    return text;
}

/* ---- checking ---- */

static void first_difference(const char *kept, const char *now)
{
    unsigned line = 1;
    size_t from = 0;
    for (size_t i = 0; kept[i] != '\0' && kept[i] == now[i]; i++) {
        if (kept[i] == '\n') {
            line++;
            from = i + 1;
        }
    }
    printf("  line %u of its text\n  kept: %.*s\n  now:  %.*s\n", line,
           (int)strcspn(kept + from, "\n"), kept + from, (int)strcspn(now + from, "\n"),
           now + from);
}

static bool same_bytes(const char *path, const struct golden *kept, const struct golden *now)
{
    bool same = true;
    for (size_t i = 0; i < now->count; i++) {
        const struct golden_piece *piece = golden_find(kept, now->pieces[i].name);
        if (piece == NULL || !bytes_equal(golden_bytes(piece), golden_bytes(&now->pieces[i]))) {
            printf("%s: %s is %s\n", path, now->pieces[i].name,
                   piece == NULL ? "not among them" : "written with other bytes by now");
            same = false;
        }
    }
    return same;
}

static bool check_article(const struct golden_article *article, const char *path, bool newest)
{
    FILE *file = fopen(path, "r");
    struct golden *kept = file == NULL ? NULL : read_pieces(file);
    if (kept == NULL) {
        printf("%s is missing, or is no golden file\n", path);
        return false;
    }
    char *text = read_rest(file);
    char *now = text_of(article, kept);
    bool same = strcmp(text, now) == 0;
    fclose(file);
    if (!same) {
        printf("%s is read to another meaning by now:\n", path);
        first_difference(text, now);
    }
    if (newest && article->rewritten) {
        struct golden *made = make(article);
        same = same_bytes(path, kept, made) && same;
        golden_free(made);
    }
    free(now);
    free(text);
    golden_free(kept);
    return same;
}

/* What may only grow is not made anew when it has done otherwise. */
static bool may_write(const struct golden_article *article, const char *path)
{
    FILE *file = article->grows ? fopen(path, "r") : NULL;
    if (file == NULL) {
        return true;
    }
    fclose(file);
    if (check_article(article, path, false)) {
        return true;
    }
    printf("%s is left as it is: what is new belongs behind the rest. If no release has what was\n"
           "taken away or moved, and no data folder of anybody, remove that file first.\n",
           path);
    return false;
}

static const char advice[] =
    "A format of the golden files has changed (tests/golden/README.md).\n"
    "  Was it meant? If not, take it back: nodes, clients and backups of that release are there.\n"
    "  If a release has the old form: keep its reader, write the new form only once the cluster's\n"
    "  feature level allows it (docs/ARCHITECTURE.md), raise the level, and add a new folder with\n"
    "  tests/golden/make LEVEL; the old folder stays as it is.\n"
    "  If no release has it yet: tests/golden/make, and read the difference before you commit.\n";

enum how { MAY_MAKE, MAKE, READ, CHECK };

static int each(const char *folder, enum how how)
{
    int rc = EXIT_SUCCESS;
    for (size_t i = 0; i < ARTICLES; i++) {
        const struct golden_article *article = &articles[i];
        char path[PATH_MAX_];
        snprintf(path, sizeof(path), "%s/%s", folder, article->name);
        bool done = how == MAY_MAKE ? may_write(article, path)
                    : how == MAKE   ? write_article(article, path) == EXIT_SUCCESS
                                    : check_article(article, path, how == CHECK);
        rc = done ? rc : EXIT_FAILURE;
    }
    return rc;
}

int main(int argc, char **argv)
{
    bool making = argc == 3 && strcmp(argv[1], "make") == 0;
    bool newest = argc == 3 && strcmp(argv[1], "check") == 0;
    if (!making && !newest && (argc != 3 || strcmp(argv[1], "read") != 0)) {
        fprintf(stderr, "usage: golden make|check|read FOLDER\n");
        return 2;
    }
    if (making) {
        (void)mkdir(argv[2], 0777);
        return each(argv[2], MAY_MAKE) == EXIT_SUCCESS ? each(argv[2], MAKE) : EXIT_FAILURE;
    }
    int rc = each(argv[2], newest ? CHECK : READ);
    if (rc != EXIT_SUCCESS) {
        fputs(advice, stdout);
    }
    return rc;
}
