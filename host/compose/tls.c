/* Certificates and keys: read here, so that `rtctl validate` judges what `rtd` would serve with,
 * and so that only who starts rtd must be able to read them. */
#include "compose/internal.h"

#include "base/certificate.h"
#include "base/reason.h"
#include "config/listener.h"

#include <rt/module.h>
#include <string.h>

#define PEM_LIMIT ((size_t)256 << 10)

/* One certificate with its key, as it is configured. */
typedef struct pair {
    rt_composer *composer;
    const rt_node *group;
    const char *path; /* "http.tls" */
} pair;

static const rt_place *place_of(const pair *one, const char *name)
{
    const rt_node *node = one->group ? rt_node_member(one->group, name) : NULL;
    return node ? &node->value_place : NULL;
}

static const char *path_of(const pair *one, const char *name)
{
    return rt_arena_format(one->composer->arena, "%s.%s", one->path, name);
}

static bool is_pem(const char *text)
{
    return strstr(text, "-----BEGIN ") != NULL;
}

/* --- reading --------------------------------------------------------------------------------- */

static const char *read_file(const pair *one, const char *name, const char *file)
{
    rt_composer *composer = one->composer;
    rt_buffer content = {0};
    const char *text = NULL;
    int result = rt_buffer_read_file(&content, file, PEM_LIMIT);
    if (result < 0) {
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, TLS_UNREADABLE, place_of(one, name),
                        path_of(one, name), file, rt_reason(-result));
        if (composer->request->no_secrets)
            rt_set_severity(composer->diagnostics, diagnostic, RT_INFO);
    } else {
        text = rt_arena_copy_n(composer->arena, content.data, content.length);
    }
    if (content.data)
        explicit_bzero(content.data, content.length);
    rt_buffer_free(&content);
    return text;
}

/* What the setting stands for: PEM by reference, or the path of a file. */
static const char *read_setting(const pair *one, const rt_setting *group, const char *name)
{
    rt_composer *composer = one->composer;
    const rt_setting *value = rt_setting_member(group, name);
    const rt_node *node = one->group ? rt_node_member(one->group, name) : NULL;
    if (!value || value->type == RT_SETTING_NONE || !node)
        return NULL;
    bool by_reference = node->type == RT_NODE_STRING && rt_secret_is_reference(node->value.text);
    if (by_reference)
        return value->value.text;
    if (is_pem(value->value.text)) {
        rt_secret_hide(composer, &node->value_place);
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, TLS_INLINE, &node->value_place, path_of(one, name));
        rt_help(diagnostic, "give the path of its file, or `@credential:NAME`");
        return NULL;
    }
    const char *file = rt_relative_path(composer, value->value.text);
    if (strcmp(name, "key") == 0)
        rt_secret_judge_mode(composer, node, file);
    return read_file(one, name, file);
}

/* --- judging --------------------------------------------------------------------------------- */

static void complain(const pair *one, rt_certificate_fault fault, const char *why)
{
    rt_diagnostics *diagnostics = one->composer->diagnostics;
    const char *certificate = path_of(one, "certificate"), *key = path_of(one, "key");
    switch (fault) {
    case RT_CERTIFICATE_UNREADABLE:
        RT_DIAGNOSE(diagnostics, TLS_BAD_CERTIFICATE, place_of(one, "certificate"), certificate,
                    why);
        break;
    case RT_CERTIFICATE_KEY_UNREADABLE:
        RT_DIAGNOSE(diagnostics, TLS_BAD_KEY, place_of(one, "key"), key, why);
        break;
    case RT_CERTIFICATE_OTHER_KEY:
        RT_DIAGNOSE(diagnostics, TLS_OTHER_KEY, place_of(one, "key"), key, certificate);
        break;
    default:
        RT_DIAGNOSE(diagnostics, TLS_REFUSED, place_of(one, "certificate"), certificate, why);
    }
}

static void judge_age(const pair *one, const rt_certificate *certificate)
{
    const char *date;
    int age = rt_certificate_age(certificate, one->composer->arena, &date);
    if (age)
        RT_DIAGNOSE(one->composer->diagnostics, TLS_EXPIRED, place_of(one, "certificate"),
                    path_of(one, "certificate"), age > 0 ? "expired on" : "is not valid before",
                    date);
}

static void judge_pair(const pair *one, const rt_setting *group)
{
    rt_composer *composer = one->composer;
    rt_certificate *certificate;
    const char *why;
    const char *chain = read_setting(one, group, "certificate");
    const char *key = read_setting(one, group, "key");
    if (!chain || !key)
        return;
    rt_secret_note(composer, key, true);
    rt_certificate_fault fault =
        rt_certificate_read(composer->arena, chain, key, &certificate, &why);
    if (fault) {
        complain(one, fault, why);
        return;
    }
    judge_age(one, certificate);
    rt_certificate_free(certificate);
    rt_push(composer->arena, composer->host.http.certificates,
            composer->host.http.certificate_count) = (rt_plan_certificate){chain, key};
}

static void judge_more(rt_composer *composer, const rt_setting *tls)
{
    const rt_setting *list = rt_setting_member(tls, "certificates");
    const rt_node *node = rt_settings_find(composer->tree, "http.tls.certificates");
    const rt_node *group = node ? node->first : NULL;
    if (!list || list->type == RT_SETTING_NONE)
        return;
    for (uint32_t i = 0; i < list->count && group; i++, group = group->next) {
        pair one = {composer, group,
                    rt_arena_format(composer->arena, "http.tls.certificates[%u]", i)};
        judge_pair(&one, &list->value.members[i]);
    }
}

/* --- the listeners --------------------------------------------------------------------------- */

static const char *find_listener(const rt_composer *composer)
{
    const rt_setting *listen = composer->host.http.listen;
    rt_listener_spec spec;
    for (uint32_t i = 0; listen->type != RT_SETTING_NONE && i < listen->count; i++) {
        const rt_setting *address = &listen->value.members[i];
        if (address->type != RT_SETTING_NONE && !rt_listener_parse(&spec, address->value.text) &&
            spec.tls)
            return address->value.text;
    }
    return NULL;
}

static void judge_listeners(rt_composer *composer, bool configured)
{
    const char *listener = find_listener(composer);
    const rt_node *listen = rt_settings_find(composer->tree, "http.listen");
    const rt_node *tls = rt_settings_find(composer->tree, "http.tls");
    if (listener && !configured) {
        rt_diagnostic *diagnostic = RT_DIAGNOSE(composer->diagnostics, TLS_NO_CERTIFICATE,
                                                listen ? &listen->value_place : NULL, listener);
        rt_help(diagnostic, "add `tls: { certificate = \"…\"; key = \"…\"; };` to `http`");
    } else if (!listener && configured && composer->host.http.listen->type != RT_SETTING_NONE) {
        rt_diagnostic *diagnostic =
            RT_DIAGNOSE(composer->diagnostics, TLS_UNUSED, tls ? &tls->name_place : NULL);
        rt_help(diagnostic, "add the word to an address: `\"0.0.0.0:443 tls\"`");
    }
}

void rt_tls_judge(rt_composer *composer)
{
    const rt_setting *tls = composer->host.http.tls;
    const rt_setting *certificate = tls ? rt_setting_member(tls, "certificate") : NULL;
    const rt_node *group = rt_settings_find(composer->tree, "http.tls");
    bool configured = group && rt_node_member(group, "certificate");
    judge_listeners(composer, configured);
    if (!certificate || !configured)
        return;
    pair first = {composer, group, "http.tls"};
    judge_pair(&first, tls);
    judge_more(composer, tls);
}
