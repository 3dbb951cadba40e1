/* internal.h — what the stages of composition share
 *
 * compose.c runs the stages in this order: settings (files, then the host's own), discovery,
 * candidates (modules and instances), variables and overrides, resolution, options, policy, plan.
 */
#ifndef RT_COMPOSE_INTERNAL_H
#define RT_COMPOSE_INTERNAL_H

#include "compose/compose.h"
#include "config/secret_name.h"

/* A module under one name: by default its own, or an instance's. */
typedef struct rt_candidate {
    const char *name;
    const rt_manifest *manifest;
    const rt_node *group; /* its settings, or NULL */
    bool is_instance;     /* configured under another name: bound by name only */
    bool enabled;         /* not `enabled = false` */
    bool configured;      /* has a group and is enabled */
    bool lazy;
    bool acknowledged;
    bool named; /* by `bind`, `use` or `load` */
    bool root, planned;
    bool options_ready;
    bool process_local;        /* by an RT_PROCESS_LOCAL_WHEN that holds */
    const char *condition;     /* the RT_DEVELOPMENT_ONLY_WHEN that holds, or NULL */
    rt_plan_binding *bindings; /* one for each manifest->requires, providers by candidate index */
    rt_plan_option *options;
    const char *required_by; /* who brought it into the plan first, or NULL: a root */
    const char *serves;      /* as what: "email/1" */
    uint32_t index;          /* in rt_composer.candidates */
    uint32_t position;       /* in the plan */
    uint32_t mark;           /* of the walk in order.c */
} rt_candidate;

typedef struct rt_composer {
    rt_arena *arena;
    rt_diagnostics *diagnostics;
    const rt_compose_request *request;
    rt_composition *result;
    rt_environment environment;
    bool strict;             /* staging or production */
    const char *main_folder; /* of the first file; "" for the working directory */
    rt_node *tree;           /* effective settings of all layers */
    rt_host_settings host;
    rt_setting *host_values;   /* by rt_host_options */
    rt_candidate **candidates; /* sorted by name */
    size_t candidate_count;
    const char **folders; /* of plugins, as they were read */
    size_t folder_count;
    const char **broken; /* stems of plugin files that gave no manifest */
    size_t broken_count;
    rt_candidate **order; /* the plan */
    size_t order_count;
    struct rt_effect_layer *layers; /* of `effects`, from the weakest to the strongest */
    size_t layer_count;
    const char **secret_variables; /* read by @env:, to leave the workers' environment */
    size_t secret_variable_count;
    const char **secrets; /* that no text may hold which leaves a process */
    size_t secret_count;
    rt_place *secret_lines; /* of files, that no diagnostic may show */
    size_t secret_line_count;
    bool judging_disabled; /* of a group that says `enabled = false`: it may be incomplete */
} rt_composer;

/* settings.c: the layers. */
void rt_settings_read(rt_composer *composer);     /* files, merged */
void rt_settings_override(rt_composer *composer); /* variables, then --set; needs the candidates */
/* Puts a value where the path says, in place of what is there. */
void rt_settings_place(rt_composer *composer, const char *path, rt_node *value, const char *origin);
/* The text that the last `--set name=…` gives; NULL if none does. */
const char *rt_settings_set(rt_composer *composer, const char *name);
/* "a.b.c" below `top`, or NULL. */
const rt_node *rt_settings_find(const rt_node *top, const char *path);

/* host_schema.c: the host's own settings. */
extern const rt_option_spec rt_host_options[];
extern const size_t rt_host_option_count;
void rt_host_settings_judge(rt_composer *composer);
/* Of one at the top, as it was judged; RT_SETTING_NONE where there is none. */
const rt_setting *rt_host_setting(const rt_composer *composer, const char *name);

/* telemetry.c: fills host.telemetry from the judged settings. */
void rt_telemetry_judge(rt_composer *composer);
/* What is wrong with a list of headers, quoting nothing of it; or NULL. */
const char *rt_telemetry_check_headers(const char *text);

/* opentelemetry.c: the OTEL_ variables, where nothing else sets what they stand for. */
void rt_opentelemetry_read(rt_composer *composer);

/* identity.c: who the workers become. */
void rt_identity_judge(rt_composer *composer);
/* access(2) as that user, for root and for the user; what others are refused when they validate
 * says nothing about it and passes. */
int rt_identity_access(const rt_composer *composer, const char *path, int mode);

/* paths.c: fills `paths` of the instance. */
void rt_paths_collect(rt_composer *composer, const rt_candidate *candidate,
                      rt_plan_instance *instance);

/* option.c: one value against its declaration. `path` is what messages call it. False after an
 * error; `out` is RT_SETTING_NONE when the value counts as missing. */
bool rt_option_convert(rt_composer *composer, const rt_option_spec *spec, const char *path,
                       const rt_node *node, rt_setting *out);
/* All options of a group: unknown ones, wrong ones, missing ones, defaults. `owner` is for
 * messages: "module `orders`". `values` has one element an option. `common`: further options that
 * are allowed there and judged by somebody else. */
typedef struct rt_group_check {
    const char *owner;
    const char *path;  /* "orders", "" at the top */
    const char *where; /* the help's source of names: "`rtctl inspect orders`" */
    const rt_option_spec *options;
    size_t option_count;
    const rt_option_spec *common;
    size_t common_count;
    const rt_place *place; /* where to report a missing option of a group that is not there */
} rt_group_check;
void rt_group_judge(rt_composer *composer, const rt_group_check *check, const rt_node *group,
                    rt_setting *values);
const char *rt_setting_type_name(enum rt_setting_type type);

/* secret.c: references, placeholders, literals. */
typedef enum rt_secret_outcome {
    RT_SECRET_PLAIN,
    RT_SECRET_RESOLVED,
    RT_SECRET_MISSING
} rt_secret_outcome;
/* Takes the text of a scalar; sets `*text` to what it stands for. */
rt_secret_outcome rt_secret_resolve(rt_composer *composer, const char *path, const rt_node *node,
                                    const char **text);
bool rt_secret_is_placeholder(const char *text);
void rt_secret_judge_literal(rt_composer *composer, const char *path, const rt_node *node);
/* Notes what the workers must not tell: all of the text where it is one, else the password of a URL
 * in it. */
void rt_secret_note(rt_composer *composer, const char *text, bool whole);
/* Whether others may read a file that holds one. */
void rt_secret_judge_mode(rt_composer *composer, const rt_node *node, const char *file);
/* The line of `place` holds a secret; rt_secret_redact takes all such lines out of the diagnostics,
 * whatever they are about. */
void rt_secret_hide(rt_composer *composer, const rt_place *place);
void rt_secret_redact(rt_composer *composer);
const char *rt_variable(const rt_composer *composer, const char *name);

/* discover.c */
void rt_discover(rt_composer *composer);

/* candidate.c: make again after overrides, which may create instances; configure once. */
void rt_candidates_make(rt_composer *composer, bool report);
void rt_candidates_configure(rt_composer *composer);
rt_candidate *rt_candidate_find(const rt_composer *composer, const char *name);
void rt_candidate_options(rt_composer *composer, rt_candidate *candidate);
bool rt_candidate_provides(const rt_candidate *candidate, const char *capability, uint32_t major,
                           const rt_provides **provides);
/* Development-only as a provider of `provides` (NULL: as a module). */
bool rt_candidate_development_only(const rt_candidate *candidate, const rt_provides *provides);
/* "host, port": required options without default; "" if there are none. */
const char *rt_candidate_needs(rt_composer *composer, const rt_candidate *candidate);

/* resolve.c: roots and bindings; order.c: the order, false if there is a cycle. */
void rt_resolve(rt_composer *composer);
bool rt_order(rt_composer *composer);

/* gate.c, events.c, slices.c, policy.c */
void rt_gate_judge(rt_composer *composer);
void rt_slices_judge(rt_composer *composer);
void rt_events_judge(rt_composer *composer);
void rt_policy_judge(rt_composer *composer);
void rt_http_judge(rt_composer *composer); /* http_policy.c */

/* log_schema.c: what `log` says into the host's settings, then the levels of modules, once it is
 * known which there are. */
void rt_log_take(rt_composer *composer, const rt_setting *group);
void rt_log_judge(rt_composer *composer);

/* tls.c: certificates and keys, into the host's settings. */
void rt_tls_judge(rt_composer *composer);

/* effects.c and its siblings: `effects`, at the top and of each candidate. */
void rt_effects_judge(rt_composer *composer);
/* What they come to for the methods that a candidate provides. */
void rt_effects_plan(rt_composer *composer, const rt_candidate *candidate,
                     const rt_provides *provides, rt_plan_provides *planned);

/* effective.c */
void rt_effective_collect(rt_composer *composer);
/* The value of `node`, or the default as `otherwise` has it. */
void rt_effective_add(rt_composer *composer, const char *path, const rt_node *node,
                      const char *otherwise);

/* What messages call a capability. */
#define CAPABILITY(item) (item)->capability, (item)->major
#define PLACE_OF(candidate) (&(rt_place){.file = (candidate)->manifest->file})

/* words.c. The path joined to the main file's folder unless it is absolute. */
/* The value of an option of type path as it counts: a word of RT_VALUES stands for no file. */
bool rt_path_is_word(const rt_option_spec *spec, const char *text);
const char *rt_relative_path(const rt_composer *composer, const char *path);
/* "`a`, `b`" built up item by item. */
void rt_list_add(rt_composer *composer, const char **list, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
