/* rt/module.h — what a module says about itself
 *
 * Every macro here writes one ELF note (owner "RT", type 1) of NUL-separated `key=value` strings,
 * which the host reads without running a single instruction of the plugin: the whole deployment is
 * judged from these lines. Their order means nothing. Some macros also define what the code uses:
 * RT_REQUIRES a typed handle, RT_OPTION a typed accessor, RT_REGISTER the registration function.
 *
 * C spells `_` where the manifest, the configuration and all output spell `-`.
 *
 *     #include <rt/rt.h>
 *     #include <rt/cap/email.h>
 *
 *     RT_MODULE("orders", "1.0.0", "Takes orders and mails receipts")
 *     RT_SERVES(routes)
 *     RT_REQUIRES(email, 1)
 *     RT_OPTION(string, from, RT_REQUIRED, "Sender of receipts")
 *     RT_OPTION(int, max_items, RT_DEFAULT(100) RT_RANGE(1, 1000), "Most items in one order")
 *
 *     static int place_order(rt_ctx *ctx, const rt_request *request, rt_response *response)
 *     {
 *         RT_TRY(rt_email_send(ctx, email, &(rt_email){…}, NULL)); // waits; the worker does not
 *         return rt_respond(ctx, response, 201, "application/json", RT_STR("{}"));
 *     }
 *
 *     RT_REGISTER(registry)
 *     {
 *         return rt_route(registry, RT_POST, "/orders", place_order);
 *     }
 *
 * Registration runs once for each instance, must not wait, and must not keep instance data in
 * static variables: that is what rt_set_state is for.
 */
#ifndef RT_MODULE_H
#define RT_MODULE_H

#include <rt/abi.h>
#include <stdbool.h>

#define RT_HIDDEN __attribute__((visibility("hidden")))
#define RT_UNUSED __attribute__((unused))

/* Red zones around a note would break its section; gcc leaves placed globals alone. */
#ifdef __clang__
#define RT_NO_RED_ZONE __attribute__((no_sanitize("address")))
#else
#define RT_NO_RED_ZONE
#endif

#define RT_PASTE_(a, b) a##b
#define RT_PASTE(a, b) RT_PASTE_(a, b)
#define RT_TEXT_(...) #__VA_ARGS__
#define RT_TEXT(...) RT_TEXT_(__VA_ARGS__)

/* In a section that the program walks; kept by `--gc-sections`, lld's with -flto included. */
#define RT_ENTRY_OF(section_) __attribute__((section(section_), used, retain))

/* One note. `text` is a string literal whose pieces end in \0. */
#define RT_NOTE(text) RT_NOTE_(RT_PASTE(rt_note_, __COUNTER__), text)
#define RT_NOTE_(identifier, text)                                                           \
    static const struct {                                                                    \
        uint32_t owner_size, size, type;                                                     \
        char owner[4];                                                                       \
        char description[(sizeof(text) + 2) & ~(size_t)3]; /* whole words, no closing NUL */ \
    } identifier RT_NO_RED_ZONE __attribute__((section(".note.rt"), used, aligned(4))) = {   \
        3, sizeof(text) - 1, 1, "RT", text};

/* --- the module ------------------------------------------------------------------------------ */

extern const rt_host *rt_host_table RT_HIDDEN;

#define RT_MODULE(name_, version_, summary_, ...)                                      \
    RT_NOTE("module=" name_ "\0version=" version_ "\0summary=" summary_                \
            "\0abi=" RT_TEXT(RT_ABI_MAJOR) "." RT_TEXT(RT_ABI_MINOR) "\0" __VA_ARGS__) \
    const rt_host *rt_host_table RT_HIDDEN;                                            \
    int rt_register_module_(rt_registry *registry) RT_HIDDEN;                          \
    extern rt_slot *const __start_rt_slots[] RT_HIDDEN;                                \
    extern rt_slot *const __stop_rt_slots[] RT_HIDDEN;                                 \
    extern rt_option *const __start_rt_options[] RT_HIDDEN;                            \
    extern rt_option *const __stop_rt_options[] RT_HIDDEN;                             \
    static rt_slot *const rt_no_slot_ RT_ENTRY_OF("rt_slots") = NULL;                  \
    static rt_option *const rt_no_option_ RT_ENTRY_OF("rt_options") = NULL;            \
    extern rt_module_descriptor rt_module __attribute__((visibility("default")));      \
    rt_module_descriptor rt_module = {                                                 \
        .magic = RT_MODULE_MAGIC,                                                      \
        .size = sizeof(rt_module_descriptor),                                          \
        .abi_major = RT_ABI_MAJOR,                                                     \
        .abi_minor = RT_ABI_MINOR,                                                     \
        .name = name_,                                                                 \
        .version = version_,                                                           \
        .host = &rt_host_table,                                                        \
        .register_module = rt_register_module_,                                        \
        .slots = __start_rt_slots,                                                     \
        .slots_end = __stop_rt_slots,                                                  \
        .options = __start_rt_options,                                                 \
        .options_end = __stop_rt_options,                                              \
    };

/* Attributes of RT_MODULE and RT_PROVIDES. */
#define RT_DEVELOPMENT_ONLY "flag=development-only\0" /* must never run in production */
#define RT_PROCESS_LOCAL "flag=process-local\0"       /* its state is one worker's alone */
#define RT_INSPECTS "flag=inspects\0" /* of RT_MODULE: it may look at the host: rt/inspect.h */

/* The module must not run in production while the option `path_`, or the field "option.field" of a
 * group, has this value: a scalar, written without quotes of its own. */
#define RT_DEVELOPMENT_ONLY_WHEN(path_, value_) \
    RT_NOTE("development-only-when=" path_ "\0equals=" value_ "\0")

/* Likewise its state is one worker's alone: a plan with more workers is refused. */
#define RT_PROCESS_LOCAL_WHEN(path_, value_) \
    RT_NOTE("process-local-when=" path_ "\0equals=" value_ "\0")

/* What it serves, and so what makes it a root of the plan: routes, services. */
#define RT_SERVES(...) RT_NOTE("serves=" #__VA_ARGS__ "\0")

/* It is a root in these environments only, unless `load` names it. */
#define RT_ENABLED_IN(...) RT_NOTE("enabled-in=" #__VA_ARGS__ "\0")

/* Stack of each fiber that runs this module's routes and services; bytes, 16 KiB to 8 MiB. */
#define RT_STACK_SIZE(bytes_) RT_NOTE("stack=" #bytes_ "\0")

/* What it asks the sandbox to leave open; workers refuse each of these otherwise:
 *   execute     running other programs          keys     the kernel's keyrings
 *   debug       looking into other processes    uring    io_uring
 *   namespaces  making and joining them         faults   userfaultfd
 *   profile     perf_event_open
 *   files       files beyond the system's and those that options of type path name
 * A worker has one sandbox: what one module asks for is open to all of them, and is listed at every
 * start. */
#define RT_NEEDS(...) RT_NOTE("needs=" #__VA_ARGS__ "\0")

/* An event it publishes or handles: topic, name on the wire, version. */
#define RT_PUBLISHES(topic_, wire_, version_) \
    RT_NOTE("publishes=" topic_ "\0wire=" wire_ "\0version=" #version_ "\0")
#define RT_HANDLES(topic_, version_) RT_NOTE("handles=" topic_ "\0version=" #version_ "\0")

/* --- capabilities ---------------------------------------------------------------------------- */

/* Of RT_REQUIRES: neither span nor policy, for calls of nanoseconds. */
#define RT_RAW "flag=raw\0"

/* Provides a capability. tier: production, fallback or test. priority: the higher is preferred. */
#define RT_PROVIDES(capability_, major_, tier_, priority_, ...)                                   \
    _Static_assert((major_) == rt_##capability_##_major, "the header has another major version"); \
    RT_NOTE("provides=" #capability_ "/" #major_ "\0tier=" #tier_ "\0priority=" #priority_        \
            "\0methods=" RT_METHODS_##capability_ "\0" __VA_ARGS__)

#define RT_SLOT_(kind_, capability_, major_, ...)                                                 \
    _Static_assert((major_) == rt_##capability_##_major, "the header has another major version"); \
    RT_NOTE(kind_ "=" #capability_ "/" #major_ "\0methods=" RT_METHODS_##capability_              \
            "\0" __VA_ARGS__)                                                                     \
    struct rt_##capability_##_slot rt_slot_##capability_ RT_HIDDEN = {                            \
        {.capability = #capability_,                                                              \
         .major = (major_),                                                                       \
         .view_size = sizeof(struct rt_##capability_##_table)}};                                  \
    static rt_slot *const rt_slot_entry_##capability_ RT_ENTRY_OF("rt_slots") =                   \
        &rt_slot_##capability_.slot;                                                              \
    RT_HANDLE_(capability_)
#define RT_HANDLE_(capability_) \
    RT_HANDLE_AS_(capability_, RT_SECOND_(RT_HANDLE_NAME_##capability_, capability_, ))
#define RT_SECOND_(...) RT_SECOND_OF_(__VA_ARGS__)
#define RT_SECOND_OF_(first_, second_, ...) second_
#define RT_HANDLE_AS_(capability_, name_) \
    static struct rt_##capability_##_slot *const name_ RT_UNUSED = &rt_slot_##capability_;

/* Needs a capability: a line in the manifest, and the handle of that name. Once in a module. */
#define RT_REQUIRES(capability_, major_, ...) RT_SLOT_("requires", capability_, major_, __VA_ARGS__)

/* Uses a capability where there is one. Unbound calls answer -RT_EUNIMPLEMENTED; see rt_bound. */
#define RT_OPTIONAL(capability_, major_, ...) RT_SLOT_("optional", capability_, major_, __VA_ARGS__)

/* The handle, in the other files of a module that requires the capability. */
#define RT_USES(capability_)                                               \
    extern struct rt_##capability_##_slot rt_slot_##capability_ RT_HIDDEN; \
    RT_HANDLE_(capability_)

/* --- options --------------------------------------------------------------------------------- */

/* Attributes of an option or field, put side by side, RT_FIELDs last. Values are in the
 * configuration's syntax. RT_RANGE is of the length where the value is text or a list. */
#define RT_REQUIRED "flag=required\0"
#define RT_REQUIRED_WITH(option_) "required-with=" #option_ "\0" /* where that one is set */
#define RT_DEFAULT(...) "default=" #__VA_ARGS__ "\0"
#define RT_RANGE(least_, most_) "min=" #least_ "\0max=" #most_ "\0"
/* The words of an enum; of a path: those, in quotes, that name no file. */
#define RT_VALUES(...) "values=" #__VA_ARGS__ "\0"
#define RT_OF(type_) "of=" #type_ "\0" /* what a list holds */
#define RT_READ "flag=read\0"          /* a path that must be readable */
#define RT_WRITE "flag=write\0" /* one that must be writable; its folder is open for new files */
#define RT_NOT_SECRET "flag=not-secret\0" /* its name sounds secret, its value is not */

/* A member of a group, of the groups of a list, or of the groups of a map. */
#define RT_FIELD(type_, name_, attributes_, help_) \
    "field=" #name_ "\0type=" #type_ "\0help=" help_ "\0" attributes_

/* An option: RT_OPTION(int, port, RT_DEFAULT(587) RT_RANGE(1, 65535), "Port of the server").
 * Types and what RT_GET gives for them:
 *   string enum url address path secret  const char *, NULL when unset
 *   int  int64_t      float  double      bool  bool
 *   duration  int64_t, nanoseconds       size  int64_t, bytes
 *   list group map    const rt_setting *, type RT_SETTING_NONE when unset
 * Attributes may be empty: RT_OPTION(bool, verbose, , "Say more"). */
#define RT_OPTION(type_, name_, attributes_, help_)                                            \
    RT_NOTE("option=" #name_ "\0type=" #type_ "\0help=" help_ "\0" attributes_)                \
    rt_option rt_option_##name_ RT_HIDDEN = {.name = #name_, .type = RT_SETTING_TYPE_##type_}; \
    static rt_option *const rt_option_entry_##name_ RT_ENTRY_OF("rt_options") =                \
        &rt_option_##name_;                                                                    \
    RT_GETTER_(type_, name_)
#define RT_GETTER_(type_, name_)                                                           \
    RT_UNUSED static inline RT_SETTING_C_##type_ rt_get_##name_(const rt_ctx *ctx)         \
    {                                                                                      \
        return RT_SETTING_READ_##type_(&ctx->instance->settings[rt_option_##name_.index]); \
    }

/* The option, in the other files of the module that declares it. */
#define RT_USES_OPTION(type_, name_)              \
    extern rt_option rt_option_##name_ RT_HIDDEN; \
    RT_GETTER_(type_, name_)

/* The option's value in the instance that runs in `ctx`. */
#define RT_GET(ctx_, name_) rt_get_##name_(ctx_)

/* 1 if the option has a value, from the configuration or by default. */
#define RT_IS_SET(ctx_, name_) \
    ((ctx_)->instance->settings[rt_option_##name_.index].type != RT_SETTING_NONE)

#define RT_SETTING_TYPE_string RT_SETTING_STRING
#define RT_SETTING_TYPE_int RT_SETTING_INT
#define RT_SETTING_TYPE_float RT_SETTING_FLOAT
#define RT_SETTING_TYPE_bool RT_SETTING_BOOL
#define RT_SETTING_TYPE__Bool RT_SETTING_BOOL
#define RT_SETTING_TYPE_enum RT_SETTING_ENUM
#define RT_SETTING_TYPE_duration RT_SETTING_DURATION
#define RT_SETTING_TYPE_size RT_SETTING_SIZE
#define RT_SETTING_TYPE_url RT_SETTING_URL
#define RT_SETTING_TYPE_address RT_SETTING_ADDRESS
#define RT_SETTING_TYPE_path RT_SETTING_PATH
#define RT_SETTING_TYPE_secret RT_SETTING_SECRET
#define RT_SETTING_TYPE_list RT_SETTING_LIST
#define RT_SETTING_TYPE_group RT_SETTING_GROUP
#define RT_SETTING_TYPE_map RT_SETTING_MAP

#define RT_SETTING_C_string const char *
#define RT_SETTING_C_int int64_t
#define RT_SETTING_C_float double
#define RT_SETTING_C_bool bool
#define RT_SETTING_C__Bool bool
#define RT_SETTING_C_enum const char *
#define RT_SETTING_C_duration int64_t
#define RT_SETTING_C_size int64_t
#define RT_SETTING_C_url const char *
#define RT_SETTING_C_address const char *
#define RT_SETTING_C_path const char *
#define RT_SETTING_C_secret const char *
#define RT_SETTING_C_list const rt_setting *
#define RT_SETTING_C_group const rt_setting *
#define RT_SETTING_C_map const rt_setting *

#define RT_SETTING_TEXT_(setting_) \
    ((setting_)->type == RT_SETTING_NONE ? (const char *)0 : (setting_)->value.text)
#define RT_SETTING_READ_string(setting_) RT_SETTING_TEXT_(setting_)
#define RT_SETTING_READ_int(setting_) ((setting_)->value.integer)
#define RT_SETTING_READ_float(setting_) ((setting_)->value.real)
#define RT_SETTING_READ_bool(setting_) ((setting_)->value.integer != 0)
#define RT_SETTING_READ__Bool(setting_) ((setting_)->value.integer != 0)
#define RT_SETTING_READ_enum(setting_) RT_SETTING_TEXT_(setting_)
#define RT_SETTING_READ_duration(setting_) ((setting_)->value.integer)
#define RT_SETTING_READ_size(setting_) ((setting_)->value.integer)
#define RT_SETTING_READ_url(setting_) RT_SETTING_TEXT_(setting_)
#define RT_SETTING_READ_address(setting_) RT_SETTING_TEXT_(setting_)
#define RT_SETTING_READ_path(setting_) RT_SETTING_TEXT_(setting_)
#define RT_SETTING_READ_secret(setting_) RT_SETTING_TEXT_(setting_)
#define RT_SETTING_READ_list(setting_) (setting_)
#define RT_SETTING_READ_group(setting_) (setting_)
#define RT_SETTING_READ_map(setting_) (setting_)

/* The member of a group or map; NULL if there is none of that name or it is unset. */
static inline const rt_setting *rt_setting_member(const rt_setting *group, const char *name)
{
    for (uint32_t i = 0; i < group->count; i++) {
        const rt_setting *member = &group->value.members[i];
        if (member->type != RT_SETTING_NONE && __builtin_strcmp(member->name, name) == 0)
            return member;
    }
    return NULL;
}

/* --- registration ---------------------------------------------------------------------------- */

/* The function that registers routes, tables and life-cycle functions; 0 or -RT_E…. */
#define RT_REGISTER(registry_) int rt_register_module_(rt_registry *registry_)

#endif
