/* An option of every type. */
#include <rt/rt.h>

RT_MODULE("options", "1.0.0", "Takes a setting of every type")
RT_SERVES(routes)
RT_OPTION(string, text, RT_DEFAULT("abc") RT_RANGE(2, 8), "A short text")
RT_OPTION(int, number, RT_DEFAULT(1) RT_RANGE(-5, 10), "A small number")
RT_OPTION(float, ratio, RT_DEFAULT(0.5) RT_RANGE(0.0, 1.0), "A share")
RT_OPTION(bool, flag, RT_DEFAULT(false), "Yes or no")
RT_OPTION(enum, colour, RT_VALUES(red, green, blue) RT_DEFAULT("red"), "One of three")
RT_OPTION(duration, wait, RT_DEFAULT("30 s") RT_RANGE(1 s, 1 h), "How long")
RT_OPTION(size, room, RT_DEFAULT("64 KiB") RT_RANGE(1 KiB, 1 MiB), "How much")
RT_OPTION(url, page, , "Where to look")
RT_OPTION(address, peer, , "Whom to ask")
RT_OPTION(path, source, RT_READ, "What to read")
RT_OPTION(path, target, RT_WRITE, "What to write")
RT_OPTION(secret, password, RT_RANGE(8, 64), "What nobody should see")
RT_OPTION(list, words, RT_OF(string) RT_RANGE(1, 3), "Up to three words")
RT_OPTION(list, numbers, RT_OF(int), "Any numbers")
RT_OPTION(list, keys, RT_OF(secret), "What nobody should see, several times")
RT_OPTION(list, rules,
          RT_OF(group) RT_FIELD(string, path, RT_REQUIRED, "What it is about")
              RT_FIELD(bool, allow, RT_DEFAULT(true), "Whether it allows"),
          "Rules in order")
RT_OPTION(group, limits,
          RT_FIELD(int, most, RT_DEFAULT(10) RT_RANGE(1, 100), "The most")
              RT_FIELD(duration, per, RT_DEFAULT("1 s"), "In this time"),
          "Limits")
RT_OPTION(map, tenants,
          RT_FIELD(string, title, RT_REQUIRED, "Its name for people")
              RT_FIELD(secret, token, , "What it shows"),
          "Tenants by name")

RT_REGISTER(registry)
{
    (void)registry;
    return 0;
}
