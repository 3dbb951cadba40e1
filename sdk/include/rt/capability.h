/* rt/capability.h — how a capability is declared
 *
 * A capability header lists its methods once; table, wrappers, method names in the manifest and the
 * effect names all derive from that list. The built-in capabilities are made with these macros and
 * a third party's are no different:
 *
 *     #define RT_SMS_METHODS(M)                                                        \
 *         M(sms, send, RT_WAITS, (const rt_sms *, message), (rt_sms_result *, result)) \
 *         M(sms, status, RT_WAITS | RT_IDEMPOTENT, (const char *, id), (int32_t *, status))
 *
 *     #define RT_METHODS_sms RT_METHOD_NAMES(RT_SMS_METHODS)
 *
 *     RT_CAPABILITY(sms, 1, RT_SMS_METHODS)
 *
 * which yields `struct rt_sms_table`, the handle that RT_REQUIRES(sms, 1) defines, and
 * `int rt_sms_send(rt_ctx *ctx, handle, const rt_sms *message, rt_sms_result *result)`. Use
 * RT_CAPABILITY_MANY for a capability that binds all its providers (and end its RT_METHODS_… in
 * RT_MANY): its wrappers take the index of the provider after the handle, below
 * rt_count(ctx, handle).
 *
 * A handle is named as its capability, unless the header has another name for it, as it must where
 * libc has taken the first: `#define RT_HANDLE_NAME_clock ~, rt_clock`.
 *
 * Structs that a method takes or returns are described as rt/form.h says, if `rtctl call` is to
 * reach the method.
 *
 * The wrapper is the effect: it makes the provider's instance current, calls the provider, and lets
 * the host time, log and guard the call where instrumentation is on. A provider writes none of it.
 * A method takes up to six arguments, each `(type, name)`, and returns 0 or -RT_E….
 */
#ifndef RT_CAPABILITY_H
#define RT_CAPABILITY_H

#include <rt/abi.h>
#include <rt/error.h>
#include <rt/form.h>
#include <rt/host.h>
#include <rt/module.h>

/* Flags of a method. */
#define RT_NO_FLAGS 0u
#define RT_WAITS 1u      /* may wait: not to be called where waiting is forbidden */
#define RT_IDEMPOTENT 2u /* may be repeated without further effect, as `effects` may ask for */

/* What the host knows of a method: `effects` of a binding is an array of these, by method. */
typedef struct rt_method {
    const char *name; /* "email.send" */
    uint32_t index;
    uint32_t flags;
} rt_method;

/* RT_MAP_(F, (a, b), (c, d)) is `, F(a, b), F(c, d)`; nothing without pairs. */
#define RT_APPLY_(f_, pair_) f_ pair_
#define RT_MAP_0(f_)
#define RT_MAP_1(f_, a_) , RT_APPLY_(f_, a_)
#define RT_MAP_2(f_, a_, ...) , RT_APPLY_(f_, a_) RT_MAP_1(f_, __VA_ARGS__)
#define RT_MAP_3(f_, a_, ...) , RT_APPLY_(f_, a_) RT_MAP_2(f_, __VA_ARGS__)
#define RT_MAP_4(f_, a_, ...) , RT_APPLY_(f_, a_) RT_MAP_3(f_, __VA_ARGS__)
#define RT_MAP_5(f_, a_, ...) , RT_APPLY_(f_, a_) RT_MAP_4(f_, __VA_ARGS__)
#define RT_MAP_6(f_, a_, ...) , RT_APPLY_(f_, a_) RT_MAP_5(f_, __VA_ARGS__)
#define RT_PICK_8_(a_, b_, c_, d_, e_, f_, g_, n_, ...) n_
#define RT_COUNT_(f_, ...) RT_PICK_8_(f_, ##__VA_ARGS__, 6, 5, 4, 3, 2, 1, 0)
#define RT_MAP_(f_, ...) RT_PASTE(RT_MAP_, RT_COUNT_(f_, ##__VA_ARGS__))(f_, ##__VA_ARGS__)

#define RT_PARAMETER_(type_, name_) type_ name_
#define RT_ARGUMENT_(type_, name_) name_

#define RT_METHOD_MEMBER_(cap_, method_, flags_, ...) \
    int (*method_)(rt_ctx * ctx RT_MAP_(RT_PARAMETER_, ##__VA_ARGS__));
#define RT_METHOD_INDEX_(cap_, method_, flags_, ...) rt_##cap_##_##method_##_index,
#define RT_METHOD_NAME_(cap_, method_, flags_, ...) #method_ ":" #flags_ ","

/* The `methods` line of the manifest; RT_MANY follows it for a capability of cardinality many. */
#define RT_METHOD_NAMES(methods_) methods_(RT_METHOD_NAME_)
#define RT_MANY "\0flag=many"

#define RT_BINDING_ONE_(cap_) (&ctx->instance->bindings[cap_->slot.index])
#define RT_BINDING_AT_(cap_) (&ctx->instance->bindings[cap_->slot.index].all[which])

/* The wrapper of one method. An unbound optional has a table of nulls. */
#define RT_WRAPPER_(cap_, method_, flags_, which_, binding_, ...)                                \
    RT_UNUSED static inline int rt_##cap_##_##method_(                                           \
        rt_ctx *ctx, struct rt_##cap_##_slot *cap_ which_ RT_MAP_(RT_PARAMETER_, ##__VA_ARGS__)) \
    {                                                                                            \
        const rt_binding *rt_binding_ = binding_(cap_);                                          \
        const struct rt_##cap_##_table *rt_table_ =                                              \
            (const struct rt_##cap_##_table *)rt_binding_->table;                                \
        rt_instance *rt_caller_ = ctx->instance;                                                 \
        static const rt_method rt_method_ = {#cap_ "." #method_, rt_##cap_##_##method_##_index,  \
                                             (flags_)};                                          \
        if (__builtin_expect(!rt_table_->method_, 0))                                            \
            return rt_host_table->unimplemented(ctx, &rt_method_);                               \
        int rt_result_;                                                                          \
        if (__builtin_expect(!rt_binding_->effects, 1)) {                                        \
            ctx->instance = rt_binding_->instance;                                               \
            rt_result_ = rt_table_->method_(ctx RT_MAP_(RT_ARGUMENT_, ##__VA_ARGS__));           \
            ctx->instance = rt_caller_;                                                          \
            return rt_result_;                                                                   \
        }                                                                                        \
        rt_effect_frame rt_frame_ = {                                                            \
            .size = sizeof rt_frame_, .method = &rt_method_, .binding = rt_binding_};            \
        if ((rt_result_ = rt_host_table->effect_begin(ctx, &rt_frame_)) < 0)                     \
            return rt_result_;                                                                   \
        do {                                                                                     \
            ctx->instance = rt_binding_->instance;                                               \
            rt_result_ = rt_table_->method_(ctx RT_MAP_(RT_ARGUMENT_, ##__VA_ARGS__));           \
            ctx->instance = rt_caller_;                                                          \
        } while (rt_host_table->effect_again(ctx, &rt_frame_, &rt_result_));                     \
        return rt_result_;                                                                       \
    }
#define RT_NOTHING_
#define RT_WHICH_ , uint32_t which
#define RT_WRAPPER_ONE_(cap_, method_, flags_, ...) \
    RT_WRAPPER_(cap_, method_, flags_, RT_NOTHING_, RT_BINDING_ONE_, ##__VA_ARGS__)
#define RT_WRAPPER_MANY_(cap_, method_, flags_, ...) \
    RT_WRAPPER_(cap_, method_, flags_, RT_WHICH_, RT_BINDING_AT_, ##__VA_ARGS__)

#define RT_CAPABILITY_(cap_, major_, methods_, wrapper_, call_)   \
    enum { rt_##cap_##_major = (major_) };                        \
    struct rt_##cap_##_table {                                    \
        uint32_t size;                                            \
        uint32_t reserved;                                        \
        methods_(RT_METHOD_MEMBER_)                               \
    };                                                            \
    struct rt_##cap_##_slot {                                     \
        rt_slot slot;                                             \
    };                                                            \
    enum { methods_(RT_METHOD_INDEX_) rt_##cap_##_method_count }; \
    methods_(wrapper_) RT_FORM_OF_(cap_, methods_, call_)

#define RT_CAPABILITY(cap_, major_, methods_) \
    RT_CAPABILITY_(cap_, major_, methods_, RT_WRAPPER_ONE_, RT_FORM_CALL_ONE_)
#define RT_CAPABILITY_MANY(cap_, major_, methods_) \
    RT_CAPABILITY_(cap_, major_, methods_, RT_WRAPPER_MANY_, RT_FORM_CALL_MANY_)

/* 1 if something is bound. */
#define rt_bound(ctx_, handle_) ((ctx_)->instance->bindings[(handle_)->slot.index].count != 0)

/* How many providers are bound. */
#define rt_count(ctx_, handle_) ((ctx_)->instance->bindings[(handle_)->slot.index].count)

/* In RT_REGISTER: offers the methods of a capability that RT_PROVIDES declared. What is left out
 * answers -RT_EUNIMPLEMENTED.   RT_TRY(rt_provide(registry, email, .send = send_mail)); */
#define rt_provide(registry_, cap_, ...)                                                  \
    __extension__({                                                                       \
        static const struct rt_##cap_##_table rt_provided_ = {                            \
            .size = sizeof(struct rt_##cap_##_table), __VA_ARGS__};                       \
        RT_HAS(rt_host_table, provide_form)                                               \
        ? rt_host_table->provide_form(registry_, #cap_, rt_##cap_##_major, &rt_provided_, \
                                      rt_##cap_##_methods_form_())                        \
        : rt_host_table->provide(registry_, #cap_, rt_##cap_##_major, &rt_provided_);     \
    })

#endif
