/* Sets of steps, their streams of draws, and their text. Plays nothing. */
#include "tests/sim/steps.h"

#include "base/assert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A step's letter; a blank: it is never left out, so it has no text. */
static const char letters[STEP_MAKERS + 1] = "  fn crdu";

static bool has_index(char letter)
{
    return letter != 'f';
}

uint64_t step_key(struct step step)
{
    return (uint64_t)step.maker << 40 | (uint64_t)step.index << 32 | step.ordinal;
}

bool step_can_be_left_out(struct step step)
{
    return letters[step.maker] != ' ';
}

char step_letter(struct step step)
{
    return letters[step.maker];
}

struct sim_rng step_stream(uint64_t seed, struct step step)
{
    enum { BEYOND_THE_WORLDS_OWN = 62 };
    return sim_rng_of(seed, UINT64_C(1) << BEYOND_THE_WORLDS_OWN | step_key(step));
}

static int compare(const void *a, const void *b)
{
    uint64_t x = step_key(*(const struct step *)a);
    uint64_t y = step_key(*(const struct step *)b);
    return (x > y) - (x < y);
}

bool step_set_has(const struct step_set *set, struct step step)
{
    return set->count > 0 &&
           bsearch(&step, set->at, set->count, sizeof(set->at[0]), compare) != NULL;
}

void step_set_add(struct step_set *set, struct step step)
{
    if (set->count == set->capacity) {
        set->capacity = set->capacity == 0 ? 256 : 2 * set->capacity;
        set->at = realloc(set->at, set->capacity * sizeof(set->at[0]));
        ASSERT(set->at != NULL);
    }
    set->at[set->count++] = step;
}

void step_set_sort(struct step_set *set)
{
    size_t kept = 0;
    if (set->count > 1) {
        qsort(set->at, set->count, sizeof(set->at[0]), compare);
    }
    for (size_t i = 0; i < set->count; i++) {
        if (kept == 0 || compare(&set->at[kept - 1], &set->at[i]) != 0) {
            set->at[kept++] = set->at[i];
        }
    }
    set->count = kept;
}

void step_set_done(struct step_set *set)
{
    free(set->at);
    *set = (struct step_set){0};
}

/* ---- text ---- */

static bool read_number(const char **text, uint32_t *ret_number)
{
    char *end;
    if (**text < '0' || **text > '9') {
        return false;
    }
    unsigned long number = strtoul(*text, &end, 10);
    *text = end;
    *ret_number = (uint32_t)number;
    return number <= UINT32_MAX;
}

static bool read_item(struct step_set *set, const char **text)
{
    enum { LONGEST = 1000000 };
    const char *letter = **text == ' ' || **text == '\0' ? NULL : strchr(letters, **text);
    uint32_t index = 0;
    uint32_t first;
    if (letter == NULL) {
        return false;
    }
    ++*text;
    if (has_index(*letter)) {
        if (!read_number(text, &index) || index > UINT8_MAX || **text != '.') {
            return false;
        }
        ++*text;
    }
    if (!read_number(text, &first)) {
        return false;
    }
    uint32_t last = first;
    if (**text == '-') {
        ++*text;
        if (!read_number(text, &last) || last < first || last - first > LONGEST) {
            return false;
        }
    }
    for (uint32_t i = first; i <= last; i++) {
        step_set_add(set, (struct step){(uint8_t)(letter - letters), (uint8_t)index, i});
    }
    return true;
}

bool step_set_read(struct step_set *set, const char *text)
{
    for (; *text != '\0'; text += *text == ',') {
        if (!read_item(set, &text) || (*text != '\0' && *text != ',')) {
            return false;
        }
    }
    step_set_sort(set);
    return true;
}

void step_set_write(const struct step_set *set, FILE *file)
{
    for (size_t i = 0, next; i < set->count; i = next) {
        struct step first = set->at[i];
        for (next = i + 1;
             next < set->count && step_key(set->at[next]) == step_key(first) + (next - i);) {
            next++;
        }
        (void)fprintf(file, "%s%c", i == 0 ? "" : ",", letters[first.maker]);
        if (has_index(letters[first.maker])) {
            (void)fprintf(file, "%u.", first.index);
        }
        (void)fprintf(file, "%" PRIu32, first.ordinal);
        if (next - i > 1) {
            (void)fprintf(file, "-%" PRIu32, set->at[next - 1].ordinal);
        }
    }
}
