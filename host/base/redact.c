/* All forms of all secrets are sought at once, as Wu and Manber do: a window of the least length is
 * moved by as much as its last two bytes allow. */
#include "base/redact.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LEAST RT_REDACT_LEAST
#define PAIRS 4096 /* slots for what two bytes hash to */
#define FARTHEST (LEAST - 1)
#define NONE UINT32_MAX

static const char stars[] = "***";

struct form {
    char *bytes;
    size_t length;
    uint32_t next; /* with the same pair at the window's end */
};

static struct {
    struct form *items;
    uint32_t count;
    uint8_t shift[PAIRS];
    uint32_t first[PAIRS];
} forms;

static unsigned pair_of(const char *bytes)
{
    const unsigned char *two = (const unsigned char *)bytes;
    return (two[0] * 33u + two[1] * 257u) % PAIRS;
}

/* --- naming ---------------------------------------------------------------------------------- */

static bool is_known(const char *bytes, size_t length)
{
    for (uint32_t i = forms.first[pair_of(bytes + LEAST - 2)]; i != NONE; i = forms.items[i].next)
        if (forms.items[i].length == length && memcmp(forms.items[i].bytes, bytes, length) == 0)
            return true;
    return false;
}

static void add_form(const char *bytes, size_t length)
{
    if (length < LEAST)
        return;
    if (!forms.count) {
        memset(forms.shift, FARTHEST, sizeof forms.shift);
        memset(forms.first, 0xff, sizeof forms.first);
    }
    if (is_known(bytes, length))
        return;
    for (unsigned i = 0; i < FARTHEST; i++) {
        uint8_t *shift = &forms.shift[pair_of(bytes + i)];
        if (*shift > FARTHEST - 1 - i)
            *shift = (uint8_t)(FARTHEST - 1 - i);
    }
    forms.items = rt_xrealloc(forms.items, (forms.count + 1) * sizeof *forms.items);
    uint32_t *first = &forms.first[pair_of(bytes + LEAST - 2)];
    struct form *form = &forms.items[forms.count];
    *form = (struct form){rt_xmalloc(length), length, *first};
    memcpy(form->bytes, bytes, length);
    *first = forms.count++;
}

static void take(rt_buffer *form)
{
    add_form(form->data, form->length);
    explicit_bzero(form->data, form->capacity);
    rt_buffer_free(form);
}

static void add_json(const char *secret, size_t length)
{
    rt_buffer form = {0};
    rt_buffer_json(&form, secret, length);
    take(&form);
}

static void add_percent(const char *secret, size_t length, const char *digits, const char *space)
{
    rt_buffer form = {0};
    for (size_t i = 0; i < length; i++) {
        unsigned char c = (unsigned char)secret[i];
        bool letter = (c | 0x20) >= 'a' && (c | 0x20) <= 'z';
        if (letter || (c >= '0' && c <= '9') || strchr("-._~", c))
            rt_buffer_char(&form, (char)c);
        else if (c == ' ')
            rt_buffer_text(&form, space);
        else
            rt_buffer_add(&form, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
    }
    take(&form);
}

/* Only what does not depend on the bytes around it: whole groups of three, from each of the three
 * places where the secret can begin in one. */
static void add_base64(const char *secret, size_t length, const char *last_two)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    for (size_t from = 0; from < 3; from++) {
        rt_buffer form = {0};
        for (size_t i = from; i + 3 <= length; i += 3) {
            const unsigned char *three = (const unsigned char *)secret + i;
            uint32_t bits = (uint32_t)three[0] << 16 | (uint32_t)three[1] << 8 | three[2];
            for (int shift = 18; shift >= 0; shift -= 6) {
                unsigned digit = bits >> shift & 63;
                rt_buffer_char(&form, digit < 62 ? digits[digit] : last_two[digit - 62]);
            }
        }
        if (form.data)
            take(&form);
    }
}

static void add_part(const char *secret, size_t length)
{
    if (length < LEAST)
        return;
    add_form(secret, length);
    add_json(secret, length);
    add_percent(secret, length, "0123456789ABCDEF", "%20");
    add_percent(secret, length, "0123456789abcdef", "+");
    add_base64(secret, length, "+/");
    add_base64(secret, length, "-_");
}

static bool is_control(char c)
{
    return (unsigned char)c < 0x20 || c == 0x7f;
}

/* The frame of a key in PEM is no secret. */
static bool is_frame(const char *part, size_t length)
{
    return length > 10 && memcmp(part, "-----", 5) == 0 &&
           memcmp(part + length - 5, "-----", 5) == 0;
}

void rt_redact_add(const char *secret)
{
    if (!secret)
        return;
    add_form(secret, strlen(secret));
    while (*secret) {
        size_t length = 0;
        while (secret[length] && !is_control(secret[length]))
            length++;
        if (!is_frame(secret, length))
            add_part(secret, length);
        secret += length + (secret[length] != '\0');
    }
}

void rt_redact_forget(void)
{
    for (uint32_t i = 0; i < forms.count; i++) {
        explicit_bzero(forms.items[i].bytes, forms.items[i].length);
        free(forms.items[i].bytes);
    }
    free(forms.items);
    forms.items = NULL;
    forms.count = 0;
}

/* --- redacting ------------------------------------------------------------------------------- */

/* The length of the longest form that begins here; 0: none does. */
static size_t form_at(const char *bytes, size_t length)
{
    size_t longest = 0;
    for (uint32_t i = forms.first[pair_of(bytes + LEAST - 2)]; i != NONE; i = forms.items[i].next) {
        const struct form *form = &forms.items[i];
        if (form->length > longest && form->length <= length &&
            memcmp(form->bytes, bytes, form->length) == 0)
            longest = form->length;
    }
    return longest;
}

/* Where the next form begins, from `at` on; its length in `*found`, 0: there is none. */
static size_t next_form(const char *bytes, size_t length, size_t at, size_t *found)
{
    *found = 0;
    while (at + LEAST <= length) {
        size_t shift = forms.shift[pair_of(bytes + at + LEAST - 2)];
        if (!shift && (*found = form_at(bytes + at, length - at)))
            return at;
        at += shift ? shift : 1;
    }
    return length;
}

bool rt_redact_finds(const char *bytes, size_t length)
{
    size_t found = 0;
    if (forms.count)
        next_form(bytes, length, 0, &found);
    return found != 0;
}

size_t rt_redact_bytes(char *bytes, size_t length)
{
    size_t kept = 0, taken = 0, found; /* what is written, and up to where it was read */
    if (!forms.count)
        return length;
    for (size_t at; at = next_form(bytes, length, taken, &found), found; taken = at + found) {
        memmove(bytes + kept, bytes + taken, at - taken);
        kept += at - taken;
        memcpy(bytes + kept, stars, sizeof stars - 1);
        kept += sizeof stars - 1;
    }
    memmove(bytes + kept, bytes + taken, length - taken);
    return kept + length - taken;
}

void rt_redact_from(rt_buffer *buffer, size_t from)
{
    if (!forms.count || buffer->length <= from)
        return;
    buffer->length = from + rt_redact_bytes(buffer->data + from, buffer->length - from);
    buffer->data[buffer->length] = '\0';
}

void rt_redact(rt_buffer *buffer)
{
    rt_redact_from(buffer, 0);
}

char *rt_redacted(rt_arena *arena, const char *text)
{
    char *copy = rt_arena_copy(arena, text);
    if (copy)
        copy[rt_redact_bytes(copy, strlen(copy))] = '\0';
    return copy;
}
