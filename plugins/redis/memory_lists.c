/* Commands on lists */
#include "memory_engine.h"

static bool is_left(const rt_call *call)
{
    return rt_call_named(call, "L") || rt_call_named(call, "BL");
}

/* Pushes what is argument `text`; false: memory is out, and the reply says so. */
static bool push_text(rt_call *call, rt_value *list, uint32_t key, rt_str text, bool left)
{
    rt_bytes *bytes = rt_bytes_new(list->heap, text);
    if (bytes && rt_deque_push(&list->as.list, left, bytes))
        return true;
    rt_heap_free(list->heap, bytes);
    rt_key_settle(call->engine, call->arguments[key]);
    rt_reply_memory(call);
    return false;
}

void rt_command_push(rt_call *call)
{
    bool only_old = call->arguments[0].length == strlen("LPUSHX"), left = is_left(call);
    rt_value *list;
    if (!rt_call_read(call, 1, RT_LIST, &list))
        return;
    if (only_old && !list) {
        rt_out_integer(call->out, 0);
        return;
    }
    list = rt_call_make(call, 1, RT_LIST);
    if (!list)
        return;
    for (uint32_t i = 2; i < call->count; i++)
        if (!push_text(call, list, 1, call->arguments[i], left))
            return;
    rt_out_integer(call->out, (int64_t)list->as.list.count);
}

static void pop_text(rt_call *call, rt_value *list, bool left)
{
    rt_bytes *bytes = rt_deque_pop(&list->as.list, left);
    rt_out_string(call->out, rt_bytes_str(bytes));
    rt_heap_free(list->heap, bytes);
}

void rt_command_pop(rt_call *call)
{
    bool many = call->count == 3, left = is_left(call);
    int64_t count = 1;
    rt_value *list;
    if (call->count > 3) {
        rt_out_error(call->out, "ERR wrong number of arguments for '%s' command",
                     left ? "lpop" : "rpop");
        return;
    }
    if (many && (!rt_text_integer(call->arguments[2], &count) || count < 0)) {
        rt_out_error(call->out, "ERR value is out of range, must be positive");
        return;
    }
    if (!rt_call_read(call, 1, RT_LIST, &list))
        return;
    uint64_t length = list ? list->as.list.count : 0;
    length = length < (uint64_t)count ? length : (uint64_t)count;
    if (!list)
        rt_out_null(call->out);
    else if (many)
        rt_out_array(call->out, length);
    for (uint64_t i = 0; i < length; i++)
        pop_text(call, list, left);
    rt_key_settle(call->engine, call->arguments[1]);
}

/* The first key from `from` to before `to` that has elements; 0: none. False: the wrong type. */
static bool find_list(rt_call *call, uint32_t from, uint32_t to, uint32_t *found, rt_value **list)
{
    *found = 0;
    for (uint32_t i = from; i < to && !*found; i++) {
        const rt_entry *key = rt_key_find(call->engine, call->arguments[i]);
        *list = key ? key->value : NULL;
        if (!*list || ((*list)->type != RT_LIST && (call->how & RT_ENGINE_AGAIN)))
            continue;
        if ((*list)->type != RT_LIST) {
            rt_reply_wrong_type(call);
            return false;
        }
        *found = i;
    }
    return true;
}

void rt_command_pop_blocking(rt_call *call)
{
    uint32_t found;
    rt_value *list;
    int64_t wait;
    if (!rt_call_timeout(call, call->count - 1, &wait) ||
        !find_list(call, 1, call->count - 1, &found, &list))
        return;
    if (!found) {
        rt_call_block(call, wait);
        return;
    }
    rt_out_array(call->out, 2);
    rt_out_string(call->out, call->arguments[found]);
    pop_text(call, list, is_left(call));
    rt_key_settle(call->engine, call->arguments[found]);
}

/* --- from list to list ------------------------------------------------------------------------ */

static void move_text(rt_call *call, bool from_left, bool to_left)
{
    uint32_t found;
    rt_value *from, *to;
    int64_t wait = 0;
    bool blocks = rt_call_named(call, "B");
    if ((blocks && !rt_call_timeout(call, call->count - 1, &wait)) ||
        !find_list(call, 1, 2, &found, &from))
        return;
    if (!found && blocks)
        rt_call_block(call, wait);
    else if (!found)
        rt_out_null(call->out);
    if (!found || !(to = rt_call_make(call, 2, RT_LIST)))
        return;
    rt_bytes *bytes = *rt_deque_at(&from->as.list, from_left ? 0 : from->as.list.count - 1);
    if (!push_text(call, to, 2, rt_bytes_str(bytes), to_left))
        return;
    if (from == to && from_left == to_left)
        rt_heap_free(to->heap, rt_deque_pop(&to->as.list, to_left));
    else
        rt_heap_free(from->heap, rt_deque_pop(&from->as.list, from_left));
    bytes = *rt_deque_at(&to->as.list, to_left ? 0 : to->as.list.count - 1);
    rt_out_string(call->out, rt_bytes_str(bytes));
    rt_key_settle(call->engine, call->arguments[1]);
}

static bool read_side(rt_call *call, uint32_t index, bool *left)
{
    *left = rt_call_is(call, index, "LEFT");
    if (*left || rt_call_is(call, index, "RIGHT"))
        return true;
    rt_reply_syntax(call);
    return false;
}

void rt_command_move_element(rt_call *call)
{
    bool from_left, to_left;
    if (read_side(call, 3, &from_left) && read_side(call, 4, &to_left))
        move_text(call, from_left, to_left);
}

void rt_command_pop_push(rt_call *call)
{
    move_text(call, false, true);
}

/* --- by index --------------------------------------------------------------------------------- */

void rt_command_llen(rt_call *call)
{
    rt_value *list;
    if (rt_call_read(call, 1, RT_LIST, &list))
        rt_out_integer(call->out, list ? (int64_t)list->as.list.count : 0);
}

void rt_command_lrange(rt_call *call)
{
    int64_t start, stop;
    rt_value *list;
    if (!rt_call_integer(call, 2, &start) || !rt_call_integer(call, 3, &stop) ||
        !rt_call_read(call, 1, RT_LIST, &list))
        return;
    if (!list || !rt_range_clip(&start, &stop, list->as.list.count)) {
        rt_out_array(call->out, 0);
        return;
    }
    rt_out_array(call->out, (uint64_t)(stop - start + 1));
    for (; start <= stop; start++)
        rt_out_string(call->out, rt_bytes_str(*rt_deque_at(&list->as.list, (uint64_t)start)));
}

/* The element's place; NULL: there is none. */
static rt_bytes **find_element(const rt_value *list, int64_t index)
{
    if (!list)
        return NULL;
    index = index < 0 ? index + (int64_t)list->as.list.count : index;
    return index >= 0 && index < (int64_t)list->as.list.count
               ? rt_deque_at(&list->as.list, (uint64_t)index)
               : NULL;
}

void rt_command_lindex(rt_call *call)
{
    int64_t index;
    rt_value *list;
    if (!rt_call_read(call, 1, RT_LIST, &list))
        return;
    if (list && !rt_call_integer(call, 2, &index))
        return;
    rt_bytes **element = list ? find_element(list, index) : NULL;
    if (element)
        rt_out_string(call->out, rt_bytes_str(*element));
    else
        rt_out_null(call->out);
}

void rt_command_lset(rt_call *call)
{
    int64_t index;
    rt_value *list;
    if (!rt_call_read(call, 1, RT_LIST, &list))
        return;
    if (!list) {
        rt_out_error(call->out, "ERR no such key");
        return;
    }
    if (!rt_call_integer(call, 2, &index))
        return;
    rt_bytes **element = find_element(list, index);
    if (!element) {
        rt_out_error(call->out, "ERR index out of range");
        return;
    }
    rt_bytes *bytes = rt_bytes_new(list->heap, call->arguments[3]);
    if (!bytes) {
        rt_reply_memory(call);
        return;
    }
    rt_heap_free(list->heap, *element);
    *element = bytes;
    rt_out_status(call->out, "OK");
}

void rt_command_ltrim(rt_call *call)
{
    int64_t start, stop;
    rt_value *list;
    if (!rt_call_integer(call, 2, &start) || !rt_call_integer(call, 3, &stop) ||
        !rt_call_read(call, 1, RT_LIST, &list))
        return;
    uint64_t length = list ? list->as.list.count : 0;
    if (!rt_range_clip(&start, &stop, length)) {
        start = (int64_t)length;
        stop = start - 1;
    }
    for (int64_t i = 0; i < start; i++)
        rt_heap_free(list->heap, rt_deque_pop(&list->as.list, true));
    for (int64_t i = stop + 1; i < (int64_t)length && list->as.list.count; i++)
        rt_heap_free(list->heap, rt_deque_pop(&list->as.list, false));
    rt_key_settle(call->engine, call->arguments[1]);
    rt_out_status(call->out, "OK");
}

/* --- by content ------------------------------------------------------------------------------- */

static bool equals(const rt_bytes *bytes, rt_str text)
{
    return bytes->length == text.length &&
           (!text.length || memcmp(bytes->data, text.data, text.length) == 0);
}

/* From the front, or from the back; at most `most`, 0: all. */
static int64_t remove_equal(rt_deque *list, rt_str text, bool back, uint64_t most)
{
    uint64_t removed = 0, left = list->count, at = 0;
    for (; left && (!most || removed < most); left--) {
        uint64_t index = back ? left - 1 : at;
        if (equals(*rt_deque_at(list, index), text)) {
            rt_deque_remove(list, index);
            removed++;
        } else
            at++;
    }
    return (int64_t)removed;
}

void rt_command_lrem(rt_call *call)
{
    int64_t count, removed = 0;
    rt_value *list;
    if (!rt_call_integer(call, 2, &count) || !rt_call_read(call, 1, RT_LIST, &list))
        return;
    uint64_t most = count < 0 ? 0 - (uint64_t)count : (uint64_t)count;
    if (list)
        removed = remove_equal(&list->as.list, call->arguments[3], count < 0, most);
    rt_key_settle(call->engine, call->arguments[1]);
    rt_out_integer(call->out, removed);
}

void rt_command_linsert(rt_call *call)
{
    bool after = rt_call_is(call, 2, "AFTER");
    rt_value *list;
    uint64_t index = 0;
    if (!after && !rt_call_is(call, 2, "BEFORE")) {
        rt_reply_syntax(call);
        return;
    }
    if (!rt_call_read(call, 1, RT_LIST, &list))
        return;
    while (list && index < list->as.list.count &&
           !equals(*rt_deque_at(&list->as.list, index), call->arguments[3]))
        index++;
    if (!list || index == list->as.list.count) {
        rt_out_integer(call->out, list ? -1 : 0);
        return;
    }
    rt_bytes *bytes = rt_bytes_new(list->heap, call->arguments[4]);
    if (bytes && rt_deque_insert(&list->as.list, index + after, bytes)) {
        rt_out_integer(call->out, (int64_t)list->as.list.count);
        return;
    }
    rt_heap_free(list->heap, bytes);
    rt_reply_memory(call);
}
