#include "base/suggest.h"

#include <stdbool.h>
#include <string.h>

#define LONGEST 64

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Damerau-Levenshtein over adjacent transpositions; words beyond LONGEST are never near. */
static size_t edit_distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST + 1];
    size_t a_length = strlen(a), b_length = strlen(b);
    if (a_length > LONGEST || b_length > LONGEST)
        return LONGEST;
    for (size_t j = 0; j <= b_length; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a_length; i++) {
        size_t *row = rows[i % 3], *above = rows[(i + 2) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b_length; j++) {
            row[j] =
                least(least(above[j] + 1, row[j - 1] + 1), above[j - 1] + (a[i - 1] != b[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least(row[j], before[j - 2] + 1);
        }
    }
    return rows[a_length % 3][b_length];
}

void rt_suggest_begin(rt_suggestion *suggestion, const char *word)
{
    size_t length = strlen(word);
    *suggestion = (rt_suggestion){.word = word, .distance = length < 3 ? 2 : length / 3 + 1};
}

void rt_suggest(rt_suggestion *suggestion, const char *candidate)
{
    size_t distance = edit_distance(suggestion->word, candidate);
    size_t length = strlen(suggestion->word);
    if (length >= 3 && distance && strncmp(candidate, suggestion->word, length) == 0)
        distance = 1; /* cut short, as `prod` is */
    bool nearer = distance == 0 || distance < suggestion->distance;
    bool first = suggestion->nearest && distance == suggestion->distance &&
                 strcmp(candidate, suggestion->nearest) < 0;
    if (!nearer && !first)
        return;
    suggestion->distance = distance;
    suggestion->nearest = candidate;
}

static const char question[] = "did you mean `%s`?";

void rt_suggest_label(const rt_suggestion *suggestion, rt_diagnostic *diagnostic)
{
    if (suggestion->nearest)
        rt_label(diagnostic, question, suggestion->nearest);
}

void rt_suggest_help(const rt_suggestion *suggestion, rt_diagnostic *diagnostic)
{
    if (suggestion->nearest)
        rt_help(diagnostic, question, suggestion->nearest);
}

void rt_suggest_print(const rt_suggestion *suggestion, FILE *out)
{
    if (suggestion->nearest)
        fprintf(out, ", did you mean `%s`?", suggestion->nearest);
}
