/* Lines of words, each a command of redis-memory; one that begins with `!` is a script. Each has
 * exactly one reply, and when all keys are gone so is their memory. */
#include "fiber/fiber.h"
#include "redis/memory_script.h"

#include <stdlib.h>

const rt_host *rt_host_table; /* the engine does not use it */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MOST_WORDS = 32 };

static const char *skip_reply(const char *at)
{
    rt_output_item item;
    at = rt_output_next(at, &item);
    for (int64_t i = 0; item.type == '*' && i < item.integer; i++)
        at = skip_reply(at);
    return at;
}

static void check_reply(rt_output *out)
{
    if (out->failed)
        abort();
    if (out->length && skip_reply(out->data) != out->data + out->length)
        abort();
    rt_output_reset(out);
}

static uint32_t split(char *line, rt_str *words)
{
    uint32_t count = 0;
    for (char *save, *word = strtok_r(line, " ", &save); word && count < MOST_WORDS;
         word = strtok_r(NULL, " ", &save))
        words[count++] = rt_string(word);
    return count;
}

static void run_line(rt_engine *engine, char *line, rt_output *out)
{
    static const rt_script_limits limits = {.instructions = 20000, .memory = 1 << 20};
    rt_str words[MOST_WORDS];
    if (line[0] == '!') {
        rt_script_run(engine,
                      &(rt_redis_script){.size = sizeof(rt_redis_script), .source = line + 1},
                      &limits, out);
        check_reply(out);
        return;
    }
    uint32_t count = split(line, words);
    if (!count)
        return;
    bool blocked =
        rt_engine_run(engine, words, count, RT_ENGINE_MAY_BLOCK, out) == RT_ENGINE_BLOCKED;
    if (blocked == (out->length != 0))
        abort();
    check_reply(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    rt_engine engine;
    rt_output out = {0};
    char *text = malloc(size + 1), *save;
    memcpy(text, data, size);
    text[size] = '\0';
    rt_engine_open(&engine, 1 << 20, 7);
    int64_t now = 1000000000;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        rt_engine_set_time(&engine, now += 1000000);
        run_line(&engine, line, &out);
    }
    rt_engine_close(&engine);
    if (engine.heap.used)
        abort();
    rt_output_close(&out);
    free(text);
    return 0;
}
