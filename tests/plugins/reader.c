/* Declares an option of every type; reader_answer.c, its other file, reads them. */
#include "reader.h"

#include <rt/cap/clock.h>

RT_MODULE("reader", "1.0.0", "Says what settings it was given")
RT_SERVES(routes)
RT_REQUIRES(clock, 1)
RT_OPTION(string, text, , "A text")
RT_OPTION(int, number, , "A number")
RT_OPTION(float, ratio, , "A share")
RT_OPTION(bool, flag, , "Yes or no")
RT_OPTION(enum, colour, RT_VALUES(red, green), "One of two")
RT_OPTION(duration, wait, , "How long")
RT_OPTION(size, room, , "How much")
RT_OPTION(url, page, , "Where to look")
RT_OPTION(address, peer, , "Whom to ask")
RT_OPTION(path, source, , "What to read")
RT_OPTION(secret, password, , "What nobody should see")
RT_OPTION(list, words, RT_OF(string), "Words")
RT_OPTION(list, rules,
          RT_OF(group) RT_FIELD(string, path, RT_REQUIRED, "What it is about")
              RT_FIELD(bool, allow, RT_DEFAULT(true), "Whether it allows"),
          "Rules in order")
RT_OPTION(group, limits,
          RT_FIELD(int, most, , "The most")
              RT_FIELD(duration, per, RT_DEFAULT("1 s"), "In this time"),
          "Limits")
RT_OPTION(map, tenants, RT_FIELD(string, title, RT_REQUIRED, "Its name for people"),
          "Tenants by name")

RT_REGISTER(registry)
{
    return rt_route(registry, RT_GET, "/settings", tell_settings);
}
