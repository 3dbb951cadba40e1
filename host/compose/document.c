#include "compose/document.h"

#include <string.h>

static const struct {
    uint32_t bit;
    const char *name;
} kinds[] = {
    {RT_SERVES_ROUTES, "routes"},
    {RT_SERVES_SERVICES, "services"},
    {RT_SERVES_JOBS, "jobs"},
    {RT_SERVES_EVENTS, "events"},
};

/* --- members --------------------------------------------------------------------------------- */

/* `lead` is what stands before the name: `{` or `,`. */
static void put_text(rt_buffer *out, char lead, const char *name, const char *text)
{
    rt_buffer_format(out, "%c\"%s\":", lead, name);
    rt_buffer_quote(out, text);
}

static void put_truth(rt_buffer *out, const char *name, bool truth)
{
    rt_buffer_format(out, ",\"%s\":%s", name, truth ? "true" : "false");
}

static void put_list(rt_buffer *out, const char *name)
{
    rt_buffer_format(out, ",\"%s\":[", name);
}

static void separate(rt_buffer *out, size_t index)
{
    if (index)
        rt_buffer_char(out, ',');
}

/* --- the plan -------------------------------------------------------------------------------- */

static const rt_manifest *manifest_of(const rt_composition *composition, const char *module)
{
    for (size_t i = 0; i < composition->manifest_count; i++)
        if (strcmp(composition->manifests[i]->name, module) == 0)
            return composition->manifests[i];
    return NULL;
}

static void put_serves(rt_buffer *out, uint32_t serves)
{
    size_t count = 0;
    put_list(out, "serves");
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (!(serves & kinds[i].bit))
            continue;
        separate(out, count++);
        rt_buffer_quote(out, kinds[i].name);
    }
    rt_buffer_char(out, ']');
}

static void put_needs(rt_buffer *out, uint32_t needs)
{
    size_t count = 0;
    put_list(out, "needs");
    for (size_t i = 0; i < RT_NEED_COUNT; i++) {
        if (!(needs & 1u << i))
            continue;
        separate(out, count++);
        rt_buffer_quote(out, rt_need_name(i));
    }
    rt_buffer_char(out, ']');
}

static void put_provides(rt_buffer *out, const rt_plan_instance *instance)
{
    put_list(out, "provides");
    for (size_t i = 0; i < instance->provides_count; i++) {
        const rt_plan_provides *offer = &instance->provides[i];
        separate(out, i);
        put_text(out, '{', "capability", offer->capability);
        rt_buffer_format(out, ",\"major\":%u", offer->major);
        put_text(out, ',', "tier", rt_tier_name(offer->tier));
        rt_buffer_char(out, '}');
    }
    rt_buffer_char(out, ']');
}

static void put_binding(rt_buffer *out, const rt_plan *plan, const rt_plan_binding *binding)
{
    put_text(out, '{', "capability", binding->capability);
    rt_buffer_format(out, ",\"major\":%u", binding->major);
    put_truth(out, "optional", binding->optional);
    put_truth(out, "raw", binding->raw);
    put_truth(out, "many", binding->many);
    put_list(out, "providers");
    for (size_t i = 0; i < binding->provider_count; i++) {
        separate(out, i);
        rt_buffer_quote(out, plan->instances[binding->providers[i]].name);
    }
    rt_buffer_char(out, ']');
    put_text(out, ',', "reason", binding->reason);
    rt_buffer_char(out, '}');
}

static void put_bindings(rt_buffer *out, const rt_plan *plan, const rt_plan_instance *instance)
{
    put_list(out, "bindings");
    for (size_t i = 0; i < instance->binding_count; i++) {
        separate(out, i);
        put_binding(out, plan, &instance->bindings[i]);
    }
    rt_buffer_char(out, ']');
}

static void put_paths(rt_buffer *out, const rt_plan_instance *instance)
{
    put_list(out, "paths");
    for (size_t i = 0; i < instance->path_count; i++) {
        separate(out, i);
        put_text(out, '{', "path", instance->paths[i].path);
        put_text(out, ',', "option", instance->paths[i].option);
        put_truth(out, "write", instance->paths[i].write);
        rt_buffer_char(out, '}');
    }
    rt_buffer_char(out, ']');
}

static void put_instance(rt_buffer *out, const rt_composition *composition,
                         const rt_plan_instance *instance)
{
    const rt_manifest *manifest = manifest_of(composition, instance->module);
    put_text(out, '{', "name", instance->name);
    put_text(out, ',', "module", instance->module);
    put_text(out, ',', "version", instance->version);
    put_text(out, ',', "summary", manifest ? manifest->summary : NULL);
    put_text(out, ',', "file", instance->file);
    put_text(out, ',', "build_id", instance->build_id);
    put_text(out, ',', "required_by", instance->required_by);
    put_truth(out, "root", instance->root);
    put_truth(out, "lazy", instance->lazy);
    put_truth(out, "development_only", instance->development_only);
    put_truth(out, "acknowledged", instance->acknowledged);
    put_serves(out, instance->serves);
    put_needs(out, instance->needs);
    put_text(out, ',', "slice", instance->slice);
    put_provides(out, instance);
    put_bindings(out, composition->plan, instance);
    put_paths(out, instance);
    rt_buffer_char(out, '}');
}

static bool is_planned(const rt_plan *plan, const char *module)
{
    for (size_t i = 0; i < plan->instance_count; i++)
        if (strcmp(plan->instances[i].module, module) == 0)
            return true;
    return false;
}

/* Modules that were found and that nobody needs. */
static void put_unused(rt_buffer *out, const rt_composition *composition)
{
    size_t count = 0;
    put_list(out, "unused");
    for (size_t i = 0; i < composition->manifest_count; i++) {
        const rt_manifest *manifest = composition->manifests[i];
        if (is_planned(composition->plan, manifest->name))
            continue;
        separate(out, count++);
        put_text(out, '{', "module", manifest->name);
        put_text(out, ',', "version", manifest->version);
        put_text(out, ',', "summary", manifest->summary);
        put_text(out, ',', "file", manifest->file);
        rt_buffer_char(out, '}');
    }
    rt_buffer_char(out, ']');
}

void rt_document_plan(rt_buffer *out, const rt_composition *composition)
{
    const rt_plan *plan = composition->plan;
    put_text(out, '{', "name", plan->host.name);
    put_text(out, ',', "environment", rt_environment_names[plan->environment]);
    rt_buffer_format(out, ",\"workers\":%lld", (long long)plan->host.workers);
    put_list(out, "modules");
    for (size_t i = 0; i < plan->instance_count; i++) {
        separate(out, i);
        put_instance(out, composition, &plan->instances[i]);
    }
    rt_buffer_char(out, ']');
    put_unused(out, composition);
    rt_buffer_char(out, '}');
}

/* --- the others ------------------------------------------------------------------------------ */

void rt_document_config(rt_buffer *out, const rt_composition *composition)
{
    rt_buffer_char(out, '[');
    for (size_t i = 0; i < composition->effective_count; i++) {
        const rt_effective *entry = &composition->effective[i];
        rt_buffer_text(out, i ? ",\n" : "\n");
        put_text(out, '{', "path", entry->path);
        put_text(out, ',', "value", entry->value);
        put_text(out, ',', "origin", entry->origin);
        rt_buffer_char(out, '}');
    }
    rt_buffer_text(out, "\n]");
}

void rt_document_diagnostics(rt_buffer *out, const rt_composition *composition, bool valid)
{
    const rt_diagnostics *diagnostics = &composition->diagnostics;
    put_text(out, '{', "config", composition->config_name);
    put_text(out, ',', "environment", rt_environment_names[composition->environment]);
    put_truth(out, "valid", valid);
    rt_buffer_format(out, ",\"errors\":%zu,\"warnings\":%zu", diagnostics->errors,
                     diagnostics->warnings);
    put_list(out, "diagnostics");
    for (size_t i = 0; i < diagnostics->count; i++) {
        separate(out, i);
        rt_diagnostic_json(out, diagnostics->items[i]);
    }
    rt_buffer_text(out, "]}");
}

/* --- for a worker ---------------------------------------------------------------------------- */

static bool is_inspected(const rt_plan *plan)
{
    for (size_t i = 0; plan && i < plan->instance_count; i++)
        if (plan->instances[i].inspects)
            return plan->environment == RT_DEVELOPMENT;
    return false;
}

static const char *keep(rt_arena *arena, rt_buffer *text)
{
    const char *kept = rt_arena_copy_n(arena, text->data, text->length);
    rt_buffer_free(text);
    return kept;
}

void rt_documents_make(rt_arena *arena, rt_composition *composition)
{
    rt_plan *plan = composition->plan;
    rt_buffer out = {0};
    if (!is_inspected(plan))
        return;
    rt_document_plan(&out, composition);
    plan->documents[RT_DOCUMENT_PLAN] = keep(arena, &out);
    rt_document_config(&out, composition);
    plan->documents[RT_DOCUMENT_CONFIG] = keep(arena, &out);
    rt_document_diagnostics(&out, composition, !composition->diagnostics.errors);
    plan->documents[RT_DOCUMENT_DIAGNOSTICS] = keep(arena, &out);
}
