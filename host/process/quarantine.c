#include "process/quarantine.h"

#include "base/arena.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define WINDOW (UINT64_C(60) * 1000000000)

rt_quarantine_entry *rt_quarantine_entry_of(rt_quarantine *quarantine, uint32_t number)
{
    for (size_t i = 0; i < quarantine->count; i++)
        if (quarantine->entries[i].number == number)
            return &quarantine->entries[i];
    quarantine->entries =
        rt_xrealloc(quarantine->entries, (quarantine->count + 1) * sizeof *quarantine->entries);
    rt_quarantine_entry *entry = &quarantine->entries[quarantine->count++];
    *entry = (rt_quarantine_entry){.number = number};
    return entry;
}

static bool can_be_refused(const rt_board *board, uint32_t number)
{
    rt_entry entry;
    return rt_board_entry(board, number, &entry) && entry.kind != RT_ENTRY_PHASE &&
           entry.kind != RT_ENTRY_SERVICE;
}

bool rt_quarantine_note(rt_quarantine *quarantine, rt_board *board, uint32_t number,
                        const char *module, uint64_t now)
{
    if (!can_be_refused(board, number))
        return false;
    rt_quarantine_entry *entry = rt_quarantine_entry_of(quarantine, number);
    for (size_t i = RT_QUARANTINE_CRASHES; i-- > 1;)
        entry->crashes[i] = entry->crashes[i - 1];
    entry->crashes[0] = now;
    uint64_t oldest = entry->crashes[RT_QUARANTINE_CRASHES - 1];
    free(entry->module);
    entry->module = module ? strdup(module) : NULL;
    if (entry->refused || !oldest || now - oldest > WINDOW)
        return false;
    entry->refused = true;
    rt_board_set_quarantine(board, number, true);
    return true;
}

void rt_quarantine_restore(const rt_quarantine *quarantine, rt_board *board)
{
    for (uint32_t number = 1; number < RT_BOARD_ENTRIES; number++)
        rt_board_set_quarantine(board, number, false);
    for (size_t i = 0; i < quarantine->count; i++)
        rt_board_set_quarantine(board, quarantine->entries[i].number,
                                quarantine->entries[i].refused);
}

size_t rt_quarantine_refused(const rt_quarantine *quarantine)
{
    size_t refused = 0;
    for (size_t i = 0; i < quarantine->count; i++)
        refused += quarantine->entries[i].refused;
    return refused;
}

void rt_quarantine_list(const rt_quarantine *quarantine, const rt_board *board, rt_buffer *text)
{
    rt_entry entry;
    for (size_t i = 0; i < quarantine->count; i++) {
        const rt_quarantine_entry *item = &quarantine->entries[i];
        if (!item->refused || !rt_board_entry(board, item->number, &entry))
            continue;
        rt_buffer_visible(text, entry.instance);
        rt_buffer_char(text, ' ');
        rt_buffer_visible(text, entry.name);
        rt_buffer_format(text, " (crashed in module `%s`)\n",
                         item->module ? item->module : entry.module);
    }
}

static bool is_named(const rt_entry *entry, const char *name)
{
    size_t length = strlen(entry->instance);
    bool with_instance = strncmp(name, entry->instance, length) == 0 && name[length] == ' ' &&
                         strcmp(name + length + 1, entry->name) == 0;
    return with_instance || strcmp(name, entry->name) == 0;
}

/* Its history is forgotten, too: three more crashes are needed. */
size_t rt_quarantine_clear(rt_quarantine *quarantine, rt_board *board, const char *name)
{
    size_t cleared = 0;
    rt_entry entry;
    for (size_t i = 0; i < quarantine->count; i++) {
        rt_quarantine_entry *item = &quarantine->entries[i];
        if (!item->refused ||
            (name && !(rt_board_entry(board, item->number, &entry) && is_named(&entry, name))))
            continue;
        item->refused = false;
        memset(item->crashes, 0, sizeof item->crashes);
        rt_board_set_quarantine(board, item->number, false);
        cleared++;
    }
    return cleared;
}

static int run_list(const rt_quarantine *quarantine, const rt_board *board, rt_buffer *out)
{
    if (rt_quarantine_refused(quarantine))
        rt_quarantine_list(quarantine, board, out);
    else
        rt_buffer_text(out, "nothing is in quarantine\n");
    return 0;
}

static int run_clear(rt_quarantine *quarantine, rt_board *board, const char *name, rt_buffer *out,
                     rt_buffer *err)
{
    size_t cleared = rt_quarantine_clear(quarantine, board, name);
    if (cleared || !name) {
        rt_buffer_format(out, "%zu lifted\n", cleared);
        return 0;
    }
    rt_buffer_text(err, "`");
    rt_buffer_visible(err, name);
    rt_buffer_text(err, "` is not in quarantine\n");
    return 1;
}

int rt_quarantine_run(rt_quarantine *quarantine, rt_board *board, int count, char **words,
                      rt_buffer *out, rt_buffer *err)
{
    if (count == 0 || (count == 1 && strcmp(words[0], "list") == 0))
        return run_list(quarantine, board, out);
    if (strcmp(words[0], "clear") != 0) {
        rt_buffer_text(err, "usage: quarantine [list | clear [ENTRY]]\n");
        return EX_USAGE;
    }
    rt_buffer name = {0};
    for (int i = 1; i < count; i++)
        rt_buffer_format(&name, "%s%s", i > 1 ? " " : "", words[i]);
    int status = run_clear(quarantine, board, name.data, out, err);
    rt_buffer_free(&name);
    return status;
}

void rt_quarantine_free(rt_quarantine *quarantine)
{
    for (size_t i = 0; i < quarantine->count; i++)
        free(quarantine->entries[i].module);
    free(quarantine->entries);
    *quarantine = (rt_quarantine){0};
}
