/* rt/form.h — the JSON form of a capability's methods, for `rtctl call`
 *
 * What a method takes and returns is in the capability's list of methods (rt/capability.h), so
 * scalars need nothing more: `(int64_t, amount)` is a member `amount` of the JSON that is given,
 * `(int64_t *, balance)` one of the JSON that comes back. A struct is described once, in the header
 * that defines it, and the capability says which structs it has:
 *
 *     #define RT_SMS_FIELDS(F)           \
 *         F(rt_sms, SIZE, size)          \
 *         F(rt_sms, TEXTS, to, to_count) \
 *         F(rt_sms, VALUE, text)
 *     RT_FORM(rt_sms, RT_SMS_FIELDS)
 *
 *     #define RT_SMS_FORMS(F) F(rt_sms) F(rt_sms_result)
 *     #define RT_FORMS_sms ~, RT_SMS_FORMS
 *
 *     RT_CAPABILITY(sms, 1, RT_SMS_METHODS)
 *
 * Then `rtctl call sms.send '{"message": {"to": ["+491701234567"], "text": "Hello"}}'` works on any
 * provider compiled with that header. The kinds of fields:
 *
 *     VALUE, name                 int32_t, uint32_t, int64_t, uint64_t, double or const char *
 *     BOOL, name                  an integer of 32 bits that is 0 or 1: false or true
 *     NAMED, name, names          an integer of 32 bits: a name of RT_FORM_NAMES(names, …)
 *     TEXTS, name, count          const char *const *: an array of strings; `count` is a member
 *     BYTES, name, length         const void *: base64 in a string; `length` is a member
 *     ONE, name, struct           a pointer to another struct that is described: an object
 *     MANY, name, count, struct   an array of them
 *     SIZE, name                  the struct's own size: the host fills it in
 *
 * A struct that has its own kind within is declared before: `static const rt_form_struct
 * rt_node_form_;`.
 *
 * Arguments of a method: scalars and `const T *` are given; `T *` and `const char **` come back. An
 * argument `uint32_t count` says that the structs, or the texts (`const char *const *`), are arrays
 * of so many: the host counts what is given. `const void *` with an argument `uint64_t length` are
 * bytes. A method with any other argument works as ever, but cannot be called with JSON.
 *
 * Ownership: forms are constants of the plugin; what a call is given and what it returns lives as
 * long as the unit of work that calls. Waiting: nothing here waits. Errors: what a JSON has wrong
 * is -RT_EINVALID_ARGUMENT with the path of the member; the method is not called then.
 *
 * Everything below is for RT_CAPABILITY and the host.
 */
#ifndef RT_FORM_H
#define RT_FORM_H

#include <rt/abi.h>
#include <rt/module.h>

enum rt_form_kind {
    RT_FORM_NONE = 0,
    RT_FORM_INT32 = 1,
    RT_FORM_UINT32 = 2,
    RT_FORM_INT64 = 3,
    RT_FORM_UINT64 = 4,
    RT_FORM_DOUBLE = 5,
    RT_FORM_TEXT = 6,
    RT_FORM_BOOL = 7,
    RT_FORM_NAMED = 8,
    RT_FORM_SIZE = 9,
    RT_FORM_TEXTS = 10,
    RT_FORM_BYTES = 11,
    RT_FORM_ONE = 12,
    RT_FORM_MANY = 13,
    RT_FORM_RESULT = 256, /* added to the kind of an argument that comes back */
};

/* A name of a number. An array element, the last without a name: it never grows. */
typedef struct rt_form_name {
    const char *name;
    int64_t number;
} rt_form_name;

struct rt_form_struct;

/* A field of a struct, or an argument of a method. An array element: it never grows. */
typedef struct rt_form_value {
    const char *name;
    const char *type; /* as it stands in the header; NULL for a field */
    uint32_t kind;    /* rt_form_kind */
    uint32_t offset;
    uint32_t count_offset; /* of TEXTS, BYTES and MANY that are fields */
    uint32_t count_width;  /* its bytes: 4 or 8 */
    const struct rt_form_struct *of;
    const rt_form_name *names;
} rt_form_value;

/* Pointed to, and never an element: it may grow. */
typedef struct rt_form_struct {
    uint32_t size; /* of this */
    uint32_t bytes;
    uint32_t count;
    uint32_t reserved;
    const char *name;
    const rt_form_value *fields;
} rt_form_struct;

/* An array element: it never grows. */
typedef struct rt_form_method {
    const char *name;
    uint32_t flags;
    uint32_t bytes; /* of the struct of its arguments */
    uint32_t count;
    uint32_t reserved;
    const rt_form_value *arguments;
    /* Calls it by its wrapper, with the first binding of the current instance. */
    int (*call)(rt_ctx *ctx, const void *arguments);
} rt_form_method;

typedef struct rt_form {
    uint32_t size;
    uint32_t count;
    const rt_form_method *methods;
} rt_form;

/* --- describing structs ---------------------------------------------------------------------- */

#define RT_FORM_UNUSED_ RT_UNUSED static const

/* Of numbers: RT_FORM_NAMES(rt_sms_states, {"queued", RT_SMS_QUEUED}, {"sent", RT_SMS_SENT}) */
#define RT_FORM_NAMES(names_, ...) RT_FORM_UNUSED_ rt_form_name names_[] = {__VA_ARGS__, {NULL, 0}};

/* Of a struct; `fields_` is a list of F(struct, kind, name, …). */
#define RT_FORM(struct_, fields_)                                                           \
    RT_FORM_UNUSED_ rt_form_value struct_##_fields_[] = {fields_(RT_FORM_FIELD_)};          \
    RT_FORM_UNUSED_ rt_form_struct struct_##_form_ = {.size = sizeof(rt_form_struct),       \
                                                      .bytes = sizeof(struct_),             \
                                                      .count = sizeof struct_##_fields_ /   \
                                                               sizeof struct_##_fields_[0], \
                                                      .name = #struct_,                     \
                                                      .fields = struct_##_fields_};

#define RT_FORM_IF_(type_, kind_) \
    type_:                        \
    kind_
#define RT_FORM_FIELD_(struct_, kind_, ...) RT_FORM_FIELD_##kind_(struct_, __VA_ARGS__)
#define RT_FORM_MEMBER_(struct_, name_) (((struct_ *)0)->name_)
/* A member of another type than the list has does not compile. */
#define RT_FORM_AT_(struct_, name_, ...)                \
    .name = #name_, .offset = offsetof(struct_, name_), \
    .kind = _Generic(RT_FORM_MEMBER_(struct_, name_), __VA_ARGS__)
#define RT_FORM_COUNT_(struct_, name_) \
    .count_offset = offsetof(struct_, name_), .count_width = sizeof(RT_FORM_MEMBER_(struct_, name_))
#define RT_FORM_EITHER_(kind_) RT_FORM_IF_(int32_t, kind_), RT_FORM_IF_(uint32_t, kind_)

#define RT_FORM_SCALAR_                                                             \
    RT_FORM_IF_(int32_t, RT_FORM_INT32), RT_FORM_IF_(uint32_t, RT_FORM_UINT32),     \
        RT_FORM_IF_(int64_t, RT_FORM_INT64), RT_FORM_IF_(uint64_t, RT_FORM_UINT64), \
        RT_FORM_IF_(double, RT_FORM_DOUBLE), RT_FORM_IF_(const char *, RT_FORM_TEXT)

#define RT_FORM_FIELD_VALUE(struct_, name_) {RT_FORM_AT_(struct_, name_, RT_FORM_SCALAR_)},
#define RT_FORM_FIELD_BOOL(struct_, name_) \
    {RT_FORM_AT_(struct_, name_, RT_FORM_EITHER_(RT_FORM_BOOL))},
#define RT_FORM_FIELD_NAMED(struct_, name_, names_) \
    {RT_FORM_AT_(struct_, name_, RT_FORM_EITHER_(RT_FORM_NAMED)), .names = names_},
#define RT_FORM_FIELD_SIZE(struct_, name_) \
    {RT_FORM_AT_(struct_, name_, RT_FORM_IF_(uint32_t, RT_FORM_SIZE))},
#define RT_FORM_FIELD_TEXTS(struct_, name_, count_)                                \
    {RT_FORM_AT_(struct_, name_, RT_FORM_IF_(const char *const *, RT_FORM_TEXTS)), \
     RT_FORM_COUNT_(struct_, count_)},
#define RT_FORM_FIELD_BYTES(struct_, name_, length_)                        \
    {RT_FORM_AT_(struct_, name_, RT_FORM_IF_(const void *, RT_FORM_BYTES)), \
     RT_FORM_COUNT_(struct_, length_)},
#define RT_FORM_POINTS_(of_, kind_) RT_FORM_IF_(const of_ *, kind_), RT_FORM_IF_(of_ *, kind_)
#define RT_FORM_FIELD_ONE(struct_, name_, of_) \
    {RT_FORM_AT_(struct_, name_, RT_FORM_POINTS_(of_, RT_FORM_ONE)), .of = &of_##_form_},
#define RT_FORM_FIELD_MANY(struct_, name_, count_, of_)               \
    {RT_FORM_AT_(struct_, name_, RT_FORM_POINTS_(of_, RT_FORM_MANY)), \
     RT_FORM_COUNT_(struct_, count_), .of = &of_##_form_},

/* --- describing methods, for RT_CAPABILITY --------------------------------------------------- */

/* RT_FORM_MAP_(F, cap, method, (a, b), (c, d)) is F(cap, method, a, b) F(cap, method, c, d). */
#define RT_FORM_PAIR_(type_, name_) type_, name_
#define RT_FORM_APPLY_(f_, cap_, method_, ...) f_(cap_, method_, __VA_ARGS__)
#define RT_FORM_EACH_(f_, cap_, method_, pair_) \
    RT_FORM_APPLY_(f_, cap_, method_, RT_FORM_PAIR_ pair_)
#define RT_FORM_MAP_0(f_, cap_, method_)
#define RT_FORM_MAP_1(f_, cap_, method_, a_) RT_FORM_EACH_(f_, cap_, method_, a_)
#define RT_FORM_MAP_2(f_, cap_, method_, a_, ...) \
    RT_FORM_EACH_(f_, cap_, method_, a_) RT_FORM_MAP_1(f_, cap_, method_, __VA_ARGS__)
#define RT_FORM_MAP_3(f_, cap_, method_, a_, ...) \
    RT_FORM_EACH_(f_, cap_, method_, a_) RT_FORM_MAP_2(f_, cap_, method_, __VA_ARGS__)
#define RT_FORM_MAP_4(f_, cap_, method_, a_, ...) \
    RT_FORM_EACH_(f_, cap_, method_, a_) RT_FORM_MAP_3(f_, cap_, method_, __VA_ARGS__)
#define RT_FORM_MAP_5(f_, cap_, method_, a_, ...) \
    RT_FORM_EACH_(f_, cap_, method_, a_) RT_FORM_MAP_4(f_, cap_, method_, __VA_ARGS__)
#define RT_FORM_MAP_6(f_, cap_, method_, a_, ...) \
    RT_FORM_EACH_(f_, cap_, method_, a_) RT_FORM_MAP_5(f_, cap_, method_, __VA_ARGS__)
#define RT_FORM_MAP_(f_, cap_, method_, ...) \
    RT_PASTE(RT_FORM_MAP_, RT_COUNT_(~, ##__VA_ARGS__))(f_, cap_, method_, ##__VA_ARGS__)

/* A capability without descriptions has none: RT_FORMS_cap is no macro then. */
#define RT_FORM_NO_STRUCTS_(f_)
#define RT_FORM_STRUCTS_(cap_) RT_SECOND_(RT_FORMS_##cap_, RT_FORM_NO_STRUCTS_, )

#define RT_FORM_GIVEN_KIND_(struct_) \
    RT_FORM_IF_(const struct_ *, RT_FORM_ONE), RT_FORM_IF_(struct_ *, RT_FORM_ONE | RT_FORM_RESULT),
#define RT_FORM_GIVEN_OF_(struct_) \
    RT_FORM_IF_(const struct_ *, &struct_##_form_), RT_FORM_IF_(struct_ *, &struct_##_form_),
#define RT_FORM_RESULT_IF_(type_, kind_) RT_FORM_IF_(type_, (kind_) | RT_FORM_RESULT)
#define RT_FORM_RESULTS_                                                                          \
    RT_FORM_RESULT_IF_(int32_t *, RT_FORM_INT32), RT_FORM_RESULT_IF_(uint32_t *, RT_FORM_UINT32), \
        RT_FORM_RESULT_IF_(int64_t *, RT_FORM_INT64),                                             \
        RT_FORM_RESULT_IF_(uint64_t *, RT_FORM_UINT64),                                           \
        RT_FORM_RESULT_IF_(double *, RT_FORM_DOUBLE),                                             \
        RT_FORM_RESULT_IF_(const char **, RT_FORM_TEXT)

#define RT_FORM_ARGUMENTS_OF_(cap_, method_) struct rt_##cap_##_##method_##_arguments_
#define RT_FORM_GIVEN_(cap_, method_, name_) \
    RT_FORM_MEMBER_(RT_FORM_ARGUMENTS_OF_(cap_, method_), name_)
#define RT_FORM_DECLARED_(cap_, method_, type_, name_) type_ name_;
#define RT_FORM_KIND_OF_(member_, cap_)                                            \
    _Generic(member_, RT_FORM_STRUCTS_(cap_)(RT_FORM_GIVEN_KIND_) RT_FORM_SCALAR_, \
             RT_FORM_RESULTS_, RT_FORM_IF_(const char *const *, RT_FORM_TEXTS),    \
             RT_FORM_IF_(const void *, RT_FORM_BYTES), RT_FORM_IF_(default, RT_FORM_NONE))
#define RT_FORM_STRUCT_OF_(member_, cap_)                       \
    _Generic(member_, RT_FORM_STRUCTS_(cap_)(RT_FORM_GIVEN_OF_) \
                          RT_FORM_IF_(default, (const rt_form_struct *)NULL))
#define RT_FORM_ARGUMENT_(cap_, method_, type_, name_)                     \
    {.name = #name_,                                                       \
     .type = #type_,                                                       \
     .offset = offsetof(RT_FORM_ARGUMENTS_OF_(cap_, method_), name_),      \
     .kind = RT_FORM_KIND_OF_(RT_FORM_GIVEN_(cap_, method_, name_), cap_), \
     .of = RT_FORM_STRUCT_OF_(RT_FORM_GIVEN_(cap_, method_, name_), cap_)},

/* File scope, a method each: the struct of its arguments, and what calls it with one. The wrapper
 * is the caller's: the binding is the first of whoever is current. */
#define RT_FORM_CALL_(cap_, method_, which_, ...)                                               \
    RT_FORM_ARGUMENTS_OF_(cap_, method_)                                                        \
    {                                                                                           \
        uint64_t reserved_;                                                                     \
        RT_FORM_MAP_(RT_FORM_DECLARED_, cap_, method_, ##__VA_ARGS__)                           \
    };                                                                                          \
    RT_UNUSED static inline int rt_##cap_##_##method_##_called_(rt_ctx *ctx, const void *with_) \
    {                                                                                           \
        const RT_FORM_ARGUMENTS_OF_(cap_, method_) *rt_given_ =                                 \
            (const RT_FORM_ARGUMENTS_OF_(cap_, method_) *)with_;                                \
        struct rt_##cap_##_slot rt_slot_ = {.slot = {.index = 0}};                              \
        (void)rt_given_;                                                                        \
        return rt_##cap_##_##method_(ctx,                                                       \
                                     &rt_slot_ which_ RT_MAP_(RT_FORM_PASSED_, ##__VA_ARGS__)); \
    }
#define RT_FORM_PASSED_(type_, name_) rt_given_->name_
#define RT_FORM_FIRST_ , 0
#define RT_FORM_CALL_ONE_(cap_, method_, flags_, ...) \
    RT_FORM_CALL_(cap_, method_, RT_NOTHING_, ##__VA_ARGS__)
#define RT_FORM_CALL_MANY_(cap_, method_, flags_, ...) \
    RT_FORM_CALL_(cap_, method_, RT_FORM_FIRST_, ##__VA_ARGS__)

#define RT_FORM_ARGUMENTS_(cap_, method_, flags_, ...)         \
    static const rt_form_value rt_##method_##_arguments_[] = { \
        RT_FORM_MAP_(RT_FORM_ARGUMENT_, cap_, method_, ##__VA_ARGS__){0}};
#define RT_FORM_METHOD_(cap_, method_, flags_, ...)                                       \
    {.name = #method_,                                                                    \
     .flags = (flags_),                                                                   \
     .bytes = sizeof(RT_FORM_ARGUMENTS_OF_(cap_, method_)),                               \
     .count = sizeof rt_##method_##_arguments_ / sizeof rt_##method_##_arguments_[0] - 1, \
     .arguments = rt_##method_##_arguments_,                                              \
     .call = rt_##cap_##_##method_##_called_},

/* In a function, so that whoever only uses the capability carries none of it. */
#define RT_FORM_OF_(cap_, methods_, call_)                                                    \
    methods_(call_) RT_UNUSED static inline const rt_form *rt_##cap_##_methods_form_(void)    \
    {                                                                                         \
        methods_(RT_FORM_ARGUMENTS_) static const rt_form_method rt_methods_[] = {            \
            methods_(RT_FORM_METHOD_)};                                                       \
        static const rt_form rt_form_ = {.size = sizeof(rt_form),                             \
                                         .count = sizeof rt_methods_ / sizeof rt_methods_[0], \
                                         .methods = rt_methods_};                             \
        return &rt_form_;                                                                     \
    }

#endif
