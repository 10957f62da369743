/* Golden files: what this release writes, kept as it is, and what it means, as text.
 *
 * An article is one format. It makes pieces (named bytes) without any chance in them, and tells in
 * text what pieces mean, by the readers of the product. Where the files lie, and what it means when
 * they do not agree, is main.c's.
 */
#ifndef TESTS_GOLDEN_GOLDEN_H
#define TESTS_GOLDEN_GOLDEN_H

#include <stdio.h>

#include "op/op.h"

enum { GOLDEN_PIECES_MAX = 512, GOLDEN_NAME_MAX = 96 };

struct fsm;

struct golden_piece {
    char name[GOLDEN_NAME_MAX];
    uint8_t *data;
    size_t size;
};

struct golden {
    struct golden_piece pieces[GOLDEN_PIECES_MAX];
    size_t count;
};

struct golden_article {
    const char *name;
    bool rewritten; /* the same bytes come out each time: a compressor's need not */
    bool grows;     /* it may only be added to: not made anew when what is kept means otherwise */
    void (*make)(struct golden *golden);
    void (*tell)(const struct golden *golden, FILE *text);
};

/* Copies. */
void golden_add(struct golden *golden, const char *name, struct bytes bytes);
struct bytes golden_bytes(const struct golden_piece *piece);
/* NULL when there is none. */
const struct golden_piece *golden_find(const struct golden *golden, const char *name);
/* One line: what, and the bytes in hexadecimal. */
void golden_hex(FILE *text, const char *what, struct bytes bytes);
/* One line: a struct's fields. */
void golden_struct(FILE *text, const char *what, const struct op_struct *s, const void *value);
/* Fills all fields, small, always the same for one `seed`. Borrows from static memory, until the
 * next call of the same `which` (0 or 1). `stored`: tokens with verifiers instead of secrets. */
void golden_fill(unsigned which, uint64_t seed, bool stored, const struct op_struct *s,
                 void *ret_value);

/* log.c */
void golden_folder_make(struct golden *golden);
void golden_folder_tell(const struct golden *golden, FILE *text);
void golden_log_make(struct golden *golden);
void golden_log_tell(const struct golden *golden, FILE *text);
/* records.c */
void golden_records_make(struct golden *golden);
void golden_records_tell(const struct golden *golden, FILE *text);
/* A line for each record of the state: its fields that are not zero, by their tags. */
void golden_records_values(const struct fsm *fsm, FILE *text);
/* image.c */
void golden_image_make(struct golden *golden);
void golden_image_tell(const struct golden *golden, FILE *text);
void golden_snapshot_make(struct golden *golden);
void golden_snapshot_tell(const struct golden *golden, FILE *text);
void golden_backup_make(struct golden *golden);
void golden_backup_tell(const struct golden *golden, FILE *text);
/* frames.c */
void golden_frames_make(struct golden *golden);
void golden_frames_tell(const struct golden *golden, FILE *text);
void golden_entries_make(struct golden *golden);
void golden_entries_tell(const struct golden *golden, FILE *text);
void golden_tokens_make(struct golden *golden);
void golden_tokens_tell(const struct golden *golden, FILE *text);
void golden_history_make(struct golden *golden);
void golden_history_tell(const struct golden *golden, FILE *text);
/* peers.c */
void golden_peers_make(struct golden *golden);
void golden_peers_tell(const struct golden *golden, FILE *text);
/* node.c */
void golden_node_make(struct golden *golden);
void golden_node_tell(const struct golden *golden, FILE *text);

#endif
