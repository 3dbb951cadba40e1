/* Who sends: the attributes of OTLP's Resource. */
#include "base/pairs.h"
#include "export/exporter.h"
#include "export/otlp.h"
#include "export/otlp_fields.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ATTRIBUTES_MOST 64

typedef struct attributes {
    struct {
        char *name, *value;
    } items[ATTRIBUTES_MOST];
    size_t count;
} attributes;

/* The last of a name counts, in the place of the first. */
static bool set(void *user, const char *name, const char *value)
{
    attributes *all = user;
    size_t i = 0;
    while (i < all->count && strcmp(all->items[i].name, name) != 0)
        i++;
    if (i == ATTRIBUTES_MOST)
        return true;
    if (i == all->count) {
        all->count++;
        all->items[i].name = strdup(name);
    } else {
        free(all->items[i].value);
    }
    all->items[i].value = strdup(value);
    return true;
}

static void set_if(attributes *all, const char *name, const char *value)
{
    if (value && *value)
        set(all, name, value);
}

void rt_export_resource(rt_buffer *out, const rt_export_settings *settings)
{
    const struct rt_telemetry_settings *telemetry = settings->telemetry;
    attributes all = {0};
    char host[256] = "";
    gethostname(host, sizeof host - 1);
    set_if(&all, "service.name", telemetry->service_name);
    set_if(&all, "service.instance.id", settings->instance);
    set_if(&all, "deployment.environment.name", settings->environment);
    set_if(&all, "host.name", host);
    set_if(&all, "telemetry.sdk.name", "rt");
    set_if(&all, "telemetry.sdk.language", "c");
    set_if(&all, "telemetry.sdk.version", RT_VERSION);
    rt_pairs_each(telemetry->resource, set, &all);
    /* Settings of their own beat what is in the list. */
    set(&all, "service.name", telemetry->service_name);
    set_if(&all, "service.version", telemetry->service_version);
    for (size_t i = 0; i < all.count; i++) {
        rt_str name = {all.items[i].name, strlen(all.items[i].name)};
        rt_str value = {all.items[i].value, strlen(all.items[i].value)};
        rt_otlp_text_attribute(out, RT_OTLP_RESOURCE_ATTRIBUTES, name, value);
        free(all.items[i].name);
        free(all.items[i].value);
    }
}
