/* postgres_options.h — the options that postgres.c declares, for the other files */
#ifndef PLUGINS_SQL_POSTGRES_OPTIONS_H
#define PLUGINS_SQL_POSTGRES_OPTIONS_H

#include <rt/module.h>

RT_USES_OPTION(url, url)
RT_USES_OPTION(secret, password)
RT_USES_OPTION(enum, tls)
RT_USES_OPTION(path, ca)
RT_USES_OPTION(path, certificate)
RT_USES_OPTION(path, key)
RT_USES_OPTION(path, crl)
RT_USES_OPTION(enum, channel_binding)
RT_USES_OPTION(enum, target)
RT_USES_OPTION(string, application_name)
RT_USES_OPTION(string, schema)
RT_USES_OPTION(int, pool)
RT_USES_OPTION(int, shared)
RT_USES_OPTION(int, prepared)
RT_USES_OPTION(duration, pool_timeout)
RT_USES_OPTION(duration, connect_timeout)
RT_USES_OPTION(duration, idle_timeout)
RT_USES_OPTION(duration, max_lifetime)
RT_USES_OPTION(duration, statement_timeout)
RT_USES_OPTION(duration, short_timeout)

#endif
