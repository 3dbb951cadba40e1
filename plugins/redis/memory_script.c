#include "memory_script.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>

enum { DEEPEST = 64, HOOK_STEP = 1000, SHA_TEXT = 41 };

/* What Lua's functions find again through the allocator. */
struct run {
    rt_engine *engine;
    const rt_redis_script *script;
    rt_script_limits limits;
    uint64_t used, executed;
    rt_output answer; /* of the last redis.call: Lua may leave it at any place */
    rt_output *out;
    char sha[SHA_TEXT];
};

static struct run *run_of(lua_State *lua)
{
    void *run;
    lua_getallocf(lua, &run);
    return run;
}

static void *allocate(void *argument, void *memory, size_t before, size_t size)
{
    struct run *run = argument;
    if (size > before && run->used + (size - before) > run->limits.memory)
        return NULL;
    void *resized = NULL;
    if (size == 0)
        free(memory);
    else if (!(resized = realloc(memory, size)))
        return NULL;
    run->used += size - before;
    return resized;
}

static void write_sha(const char *text, size_t length, char sha[SHA_TEXT])
{
    unsigned char digest[EVP_MAX_MD_SIZE] = {0};
    EVP_Digest(text, length, digest, NULL, EVP_sha1(), NULL);
    for (int i = 0; i < 20; i++)
        snprintf(sha + 2 * i, 3, "%02x", digest[i]);
}

/* Once there are too many, at each: what catches the error does not get far. */
static void count_instructions(lua_State *lua, lua_Debug *at)
{
    struct run *run = run_of(lua);
    (void)at;
    run->executed += HOOK_STEP;
    if (run->executed <= run->limits.instructions)
        return;
    lua_sethook(lua, count_instructions, LUA_MASKCOUNT, 1);
    luaL_error(lua, "the script ran for more than %f instructions",
               (lua_Number)run->limits.instructions);
}

/* --- replies to values ------------------------------------------------------------------------ */

static void push_pair(lua_State *lua, const char *name, const char *text, size_t length)
{
    lua_createtable(lua, 0, 1);
    lua_pushlstring(lua, text, length);
    lua_setfield(lua, -2, name);
}

static const char *push_reply(lua_State *lua, const char *at)
{
    rt_output_item item;
    luaL_checkstack(lua, 4, "the reply is nested too deeply");
    at = rt_output_next(at, &item);
    if (item.type == ':')
        lua_pushnumber(lua, (lua_Number)item.integer);
    else if (item.integer < 0)
        lua_pushboolean(lua, 0);
    else if (item.type == '$')
        lua_pushlstring(lua, item.text.data, item.text.length);
    else if (item.type == '+' || item.type == '-')
        push_pair(lua, item.type == '+' ? "ok" : "err", item.text.data, item.text.length);
    else {
        lua_createtable(lua, 0, 0);
        for (int64_t i = 0; i < item.integer; i++) {
            at = push_reply(lua, at);
            lua_rawseti(lua, -2, (int)i + 1);
        }
    }
    return at;
}

/* --- the library `redis` ---------------------------------------------------------------------- */

/* `text` is "-CODE words" or just words, which get the code ERR. */
static void push_error(lua_State *lua, const char *text)
{
    if (text[0] == '-' && strchr(text, ' '))
        lua_pushstring(lua, text + 1);
    else
        lua_pushfstring(lua, "ERR %s", text[0] == '-' ? text + 1 : text);
    lua_createtable(lua, 0, 1);
    lua_insert(lua, -2);
    lua_setfield(lua, -2, "err");
}

static int fail(lua_State *lua, bool raise, const char *text)
{
    push_error(lua, text);
    return raise ? lua_error(lua) : 1;
}

/* The texts stay on the stack, so that they live as long as the array, which Lua frees. */
static rt_str *read_arguments(lua_State *lua, int count)
{
    luaL_checkstack(lua, 2, "too many arguments");
    rt_str *arguments = lua_newuserdata(lua, (size_t)count * sizeof *arguments);
    for (int i = 0; i < count; i++) {
        char number[40];
        size_t length;
        if (lua_type(lua, i + 1) == LUA_TNUMBER) {
            lua_Number value = lua_tonumber(lua, i + 1);
            bool whole = value >= -9.2e18 && value <= 9.2e18 && value == (lua_Number)(int64_t)value;
            if (whole)
                snprintf(number, sizeof number, "%lld", (long long)value);
            else
                snprintf(number, sizeof number, "%.17g", value);
            lua_pushstring(lua, number);
            lua_replace(lua, i + 1);
        }
        if (lua_type(lua, i + 1) != LUA_TSTRING)
            return NULL;
        arguments[i].data = lua_tolstring(lua, i + 1, &length);
        arguments[i].length = length;
    }
    return arguments;
}

static const char *judge_call(struct run *run, const rt_str *arguments, uint32_t count)
{
    if (!rt_engine_is_for_scripts(arguments[0]))
        return "This Redis command is not allowed from script";
    if (rt_engine_check(arguments, count, &run->answer))
        return NULL;
    bool unknown = strncmp(run->answer.data, "-ERR unknown", 12) == 0;
    return unknown ? "Unknown Redis command called from script"
                   : "Wrong number of args calling Redis command from script";
}

static int call_redis(lua_State *lua, bool raise)
{
    struct run *run = run_of(lua);
    int count = lua_gettop(lua);
    if (!count)
        return fail(lua, raise, "Please specify at least one argument for this redis lib call");
    const rt_str *arguments = read_arguments(lua, count);
    if (!arguments)
        return fail(lua, raise, "Lua redis lib command arguments must be strings or integers");
    rt_output_reset(&run->answer);
    const char *complaint = judge_call(run, arguments, (uint32_t)count);
    if (complaint)
        return fail(lua, raise, complaint);
    rt_output_reset(&run->answer);
    rt_engine_run(run->engine, arguments, (uint32_t)count, 0, &run->answer);
    if (run->answer.failed)
        return fail(lua, raise, "-OOM out of memory for a reply");
    push_reply(lua, run->answer.data);
    return raise && run->answer.data[0] == '-' ? lua_error(lua) : 1;
}

static int redis_call(lua_State *lua)
{
    return call_redis(lua, true);
}

static int redis_pcall(lua_State *lua)
{
    return call_redis(lua, false);
}

/* As the server's: who catches the error of redis.call gets its text. */
static int protected_call(lua_State *lua)
{
    luaL_checkany(lua, 1);
    int failed = lua_pcall(lua, lua_gettop(lua) - 1, LUA_MULTRET, 0);
    if (failed && lua_istable(lua, -1)) {
        lua_pushliteral(lua, "err");
        lua_rawget(lua, -2);
        if (lua_isstring(lua, -1))
            lua_replace(lua, -2);
        else
            lua_pop(lua, 1);
    }
    lua_pushboolean(lua, !failed);
    lua_insert(lua, 1);
    return lua_gettop(lua);
}

static int error_reply(lua_State *lua)
{
    if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING)
        return fail(lua, false, "wrong number or type of arguments");
    const char *text = lua_tostring(lua, 1);
    push_error(lua, text[0] == '-' ? text : lua_pushfstring(lua, "-%s", text));
    return 1;
}

static int status_reply(lua_State *lua)
{
    size_t length;
    if (lua_gettop(lua) != 1 || lua_type(lua, 1) != LUA_TSTRING)
        return fail(lua, false, "wrong number or type of arguments");
    const char *text = lua_tolstring(lua, 1, &length);
    push_pair(lua, "ok", text, length);
    return 1;
}

static int sha1hex(lua_State *lua)
{
    char sha[SHA_TEXT];
    size_t length;
    if (lua_gettop(lua) != 1)
        return fail(lua, true, "wrong number of arguments");
    const char *text = lua_tolstring(lua, 1, &length);
    write_sha(text ? text : "", text ? length : 0, sha);
    lua_pushstring(lua, sha);
    return 1;
}

/* A script's log is the server's, which nobody has here. */
static int log_nothing(lua_State *lua)
{
    (void)lua;
    return 0;
}

/* --- the state -------------------------------------------------------------------------------- */

/* The libraries that a server has and this has not read as nil, so that a script can ask. */
static int no_such_global(lua_State *lua)
{
    static const char *const missing[] = {"cjson", "cmsgpack", "bit", "struct"};
    for (size_t i = 0; i < sizeof missing / sizeof missing[0]; i++)
        if (lua_type(lua, 2) == LUA_TSTRING && strcmp(lua_tostring(lua, 2), missing[i]) == 0)
            return 0;
    return luaL_error(lua, "Script attempted to access nonexistent global variable '%s'",
                      lua_tostring(lua, 2) ? lua_tostring(lua, 2) : "?");
}

static int no_new_global(lua_State *lua)
{
    return luaL_error(lua, "Attempt to modify a readonly table");
}

static void open_libraries(lua_State *lua)
{
    static const luaL_Reg libraries[] = {{"", luaopen_base},
                                         {"table", luaopen_table},
                                         {"string", luaopen_string},
                                         {"math", luaopen_math}};
    static const char *const dropped[] = {"dofile",  "loadfile", "load",    "loadstring",
                                          "print",   "module",   "require", "newproxy",
                                          "getfenv", "setfenv",  "gcinfo",  "collectgarbage"};
    for (size_t i = 0; i < sizeof libraries / sizeof libraries[0]; i++) {
        lua_pushcfunction(lua, libraries[i].func);
        lua_pushstring(lua, libraries[i].name);
        lua_call(lua, 1, 0);
    }
    for (size_t i = 0; i < sizeof dropped / sizeof dropped[0]; i++) {
        lua_pushnil(lua);
        lua_setglobal(lua, dropped[i]);
    }
}

static void open_redis(lua_State *lua)
{
    static const luaL_Reg functions[] = {{"call", redis_call},
                                         {"pcall", redis_pcall},
                                         {"error_reply", error_reply},
                                         {"status_reply", status_reply},
                                         {"sha1hex", sha1hex},
                                         {"log", log_nothing},
                                         {NULL, NULL}};
    static const char *const levels[] = {"LOG_DEBUG", "LOG_VERBOSE", "LOG_NOTICE", "LOG_WARNING"};
    lua_newtable(lua);
    luaL_register(lua, NULL, functions);
    for (int i = 0; i < 4; i++) {
        lua_pushinteger(lua, i);
        lua_setfield(lua, -2, levels[i]);
    }
    lua_setglobal(lua, "redis");
    lua_register(lua, "pcall", protected_call);
}

static void push_texts(lua_State *lua, const char *name, const rt_str *texts, uint32_t count)
{
    lua_newtable(lua);
    for (uint32_t i = 0; i < count; i++) {
        lua_pushlstring(lua, texts[i].length ? texts[i].data : "", texts[i].length);
        lua_rawseti(lua, -2, (int)i + 1);
    }
    lua_setglobal(lua, name);
}

static void guard_globals(lua_State *lua)
{
    lua_newtable(lua);
    lua_pushcfunction(lua, no_such_global);
    lua_setfield(lua, -2, "__index");
    lua_pushcfunction(lua, no_new_global);
    lua_setfield(lua, -2, "__newindex");
    lua_pushboolean(lua, 0);
    lua_setfield(lua, -2, "__metatable");
    lua_setmetatable(lua, LUA_GLOBALSINDEX);
}

/* --- values to replies ------------------------------------------------------------------------ */

static void put_value(lua_State *lua, rt_output *out, int depth);

/* The text of a field of the table on the stack; NULL: it has none. Left on the stack. */
static const char *push_field(lua_State *lua, const char *name)
{
    lua_pushstring(lua, name);
    lua_rawget(lua, -2);
    return lua_type(lua, -1) == LUA_TSTRING ? lua_tostring(lua, -1) : NULL;
}

static void put_table(lua_State *lua, rt_output *out, int depth)
{
    const char *text = push_field(lua, "err");
    if (text) {
        rt_out_error(out, "%s", text);
        lua_pop(lua, 1);
        return;
    }
    lua_pop(lua, 1);
    text = push_field(lua, "ok");
    if (text)
        rt_out_status(out, text);
    lua_pop(lua, 1);
    if (text)
        return;
    uint64_t begin = rt_out_begin(out);
    int count = 0;
    for (;; count++) {
        lua_rawgeti(lua, -1, count + 1);
        if (lua_isnil(lua, -1))
            break;
        put_value(lua, out, depth + 1);
    }
    lua_pop(lua, 1);
    rt_out_end(out, begin, (uint64_t)count);
}

/* Takes the value off the stack. */
static void put_value(lua_State *lua, rt_output *out, int depth)
{
    size_t length;
    if (depth > DEEPEST)
        luaL_error(lua, "reached lua stack limit");
    luaL_checkstack(lua, 4, "reached lua stack limit");
    int type = lua_type(lua, -1);
    if (type == LUA_TSTRING) {
        const char *text = lua_tolstring(lua, -1, &length);
        rt_out_string(out, (rt_str){text, length});
    } else if (type == LUA_TNUMBER) {
        lua_Number number = lua_tonumber(lua, -1);
        bool fits = number >= -9223372036854775808.0 && number < 9223372036854775808.0;
        rt_out_integer(out, fits ? (int64_t)number : INT64_MIN);
    } else if (type == LUA_TBOOLEAN && lua_toboolean(lua, -1))
        rt_out_integer(out, 1);
    else if (type == LUA_TTABLE)
        put_table(lua, out, depth);
    else
        rt_out_null(out);
    lua_pop(lua, 1);
}

/* --- running ---------------------------------------------------------------------------------- */

/* The error as a table, with where it was raised. */
static int describe_error(lua_State *lua)
{
    lua_Debug at;
    const char *sha = run_of(lua)->sha;
    if (lua_type(lua, 1) != LUA_TTABLE) {
        const char *text = lua_tostring(lua, 1);
        lua_pushfstring(lua, "ERR %s", text ? text : "unknown error");
    } else {
        lua_pushvalue(lua, 1);
        const char *text = push_field(lua, "err");
        lua_pushstring(lua, text ? text : "ERR unknown error");
    }
    int level = 1, found = lua_getstack(lua, level, &at) && lua_getinfo(lua, "Sl", &at);
    if (found && strcmp(at.what, "C") == 0)
        found = lua_getstack(lua, level + 1, &at) && lua_getinfo(lua, "Sl", &at);
    if (found)
        lua_pushfstring(lua, "%s script: %s, on %s:%d.", lua_tostring(lua, -1), sha, at.source,
                        at.currentline);
    return 1;
}

static void reply_memory(struct run *run)
{
    rt_out_error(run->out, "OOM the script needs more than %llu bytes",
                 (unsigned long long)run->limits.memory);
}

/* In protected mode from its first allocation on. */
static int run_protected(lua_State *lua)
{
    struct run *run = lua_touserdata(lua, 1);
    const rt_redis_script *script = run->script;
    size_t length = strlen(script->source);
    uint64_t begin = run->out->length;
    open_libraries(lua);
    open_redis(lua);
    push_texts(lua, "KEYS", script->keys, script->key_count);
    push_texts(lua, "ARGV", script->arguments, script->argument_count);
    guard_globals(lua);
    lua_pushcfunction(lua, describe_error);
    bool code = script->source[0] == LUA_SIGNATURE[0]; /* already compiled: it could do anything */
    if (code || luaL_loadbuffer(lua, script->source, length, "@user_script")) {
        rt_out_error(run->out, "ERR Error compiling script (new function): %s",
                     code ? "no text" : lua_tostring(lua, -1));
        return 0;
    }
    lua_sethook(lua, count_instructions, LUA_MASKCOUNT, HOOK_STEP);
    int failed = lua_pcall(lua, 0, 1, -2);
    if (failed == LUA_ERRMEM) {
        reply_memory(run);
        return 0;
    }
    if (failed) {
        rt_out_error(run->out, "%s", lua_tostring(lua, -1));
        return 0;
    }
    lua_sethook(lua, NULL, 0, 0);
    put_value(lua, run->out, 0);
    if (run->out->length == begin)
        rt_out_null(run->out);
    return 0;
}

void rt_script_run(rt_engine *engine, const rt_redis_script *script, const rt_script_limits *limits,
                   rt_output *out)
{
    struct run run = {.engine = engine, .script = script, .limits = *limits, .out = out};
    uint64_t begin = out->length;
    write_sha(script->source, strlen(script->source), run.sha);
    lua_State *lua = lua_newstate(allocate, &run);
    int failed = lua ? lua_cpcall(lua, run_protected, &run) : LUA_ERRMEM;
    if (failed) {
        out->length = begin;
        if (failed == LUA_ERRRUN && lua_type(lua, -1) == LUA_TSTRING)
            rt_out_error(out, "ERR %s", lua_tostring(lua, -1));
        else
            reply_memory(&run);
    }
    if (lua)
        lua_close(lua);
    rt_output_close(&run.answer);
}
