"""Random commands of Redis, and their replies made comparable."""

import re

KEYS = ["a", "b", "c", "d"]
MEMBERS = ["x", "y", "z", "", "10", "-3", "2.5", "long " * 20, "a\r\nb"]
NUMBERS = ["0", "1", "2", "-1", "-2", "5", "100", "-100"]
ODD = ["", "x", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "1.5", " 1",
       "01", "+1", "1e3", "inf", "-inf", "nan", "(1"]
SCORES = ["0", "1", "2", "3", "-1", "1.1", "1e10", "inf", "-inf", "0.1", "nan", "x"]
BOUNDS = ["-inf", "+inf", "0", "1", "(1", "2", "(2", "3", "-1", "(inf", "x", "("]
IDS = ["0", "1", "1-1", "2-0", "3-5", "5-0", "5-1", "7", "9-9", "12-*", "0-0", "x", "1-x", "-", "+"]
EXPIRY = [[], [], ["EX", "1000"], ["PX", "1000000"], ["EX", "0"], ["EX", "x"], ["PXAT", "1"],
          ["EXAT", "99999999999"], ["KEEPTTL"], ["EX"], ["EX", "100", "PX", "5"]]
UNORDERED = {"smembers", "hkeys", "hvals", "keys", "sunion", "sinter", "sdiff"}


def choose(randomness, *kinds):
    """One word of each kind; a kind is a list, or a word that is meant."""
    return [kind if isinstance(kind, str) else randomness.choice(kind) for kind in kinds]


def many(randomness, kinds, most=3):
    return sum((choose(randomness, *kinds) for _ in range(randomness.randint(1, most))), [])


def some(randomness, *options):
    """Any of the options, in any order."""
    chosen = [option for option in options if randomness.random() < 0.3]
    randomness.shuffle(chosen)
    return sum((option.split(" ") for option in chosen), [])


def integer(randomness):
    return randomness.choice(NUMBERS if randomness.random() < 0.9 else ODD)


def strings(r):
    k, n = lambda: r.choice(KEYS), lambda: integer(r)
    v = lambda: r.choice(MEMBERS + NUMBERS + (ODD if r.random() < 0.2 else []))
    return [
        lambda: ["set", k(), v(), *some(r, "NX", "XX", "GET"), *r.choice(EXPIRY)],
        lambda: ["get", k()], lambda: ["getdel", k()], lambda: ["getset", k(), v()],
        lambda: ["getex", k(), *r.choice(EXPIRY + [["PERSIST"]])], lambda: ["setnx", k(), v()],
        lambda: ["setex", k(), r.choice(["100", "0", "-1", "x"]), v()],
        lambda: ["psetex", k(), r.choice(["100000", "0", "x"]), v()],
        lambda: ["mget", *many(r, [KEYS])], lambda: ["mset", *many(r, [KEYS, MEMBERS])],
        lambda: ["msetnx", *many(r, [KEYS, MEMBERS], 2)], lambda: ["incr", k()],
        lambda: ["decr", k()], lambda: ["incrby", k(), n()], lambda: ["decrby", k(), n()],
        lambda: ["incrbyfloat", k(), r.choice(["0.1", "1", "-2.5", "1e5", "x", "3.0"])],
        lambda: ["append", k(), v()], lambda: ["strlen", k()],
        lambda: ["getrange", k(), n(), n()],
        lambda: ["setrange", k(), r.choice(["0", "3", "10", "-1", "x"]), v()],
    ]


def keys(r):
    k = lambda: r.choice(KEYS)
    return [
        lambda: ["del", *many(r, [KEYS])], lambda: ["unlink", k()],
        lambda: ["exists", *many(r, [KEYS])], lambda: ["type", k()], lambda: ["persist", k()],
        lambda: ["expire", k(), r.choice(["1000", "0", "-1", "x", "9223372036854775807"]),
                 *some(r, "NX", "XX")],
        lambda: ["pexpire", k(), "2000000", *r.choice([[], ["GT", "LT"], ["NX", "GT"]])],
        lambda: ["expireat", k(), r.choice(["99999999999", "1"])],
        lambda: ["pexpireat", k(), r.choice(["99999999999000", "88888888888000"]),
                 *some(r, "GT", "LT")],
        lambda: ["ttl", k()], lambda: ["rename", k(), k()], lambda: ["renamenx", k(), k()],
        lambda: ["keys", r.choice(["*", "a", "[a-c]", "[^a]", "?", "x*", "\\a"])],
        lambda: ["ping"], lambda: ["echo", r.choice(MEMBERS)], lambda: ["publish", "c", "m"],
        lambda: ["nosuch", *r.choices(MEMBERS, k=2)], lambda: ["get"], lambda: ["set", k()],
        lambda: ["hset", k(), "f"], lambda: ["touch", k()],
        lambda: ["randomkey", "x"],
    ]


def hashes(r):
    k, f, n = lambda: r.choice(KEYS), lambda: r.choice(MEMBERS), lambda: integer(r)
    return [
        lambda: ["hset", k(), *many(r, [MEMBERS, MEMBERS + NUMBERS])],
        lambda: ["hmset", k(), *many(r, [MEMBERS, MEMBERS])], lambda: ["hget", k(), f()],
        lambda: ["hsetnx", k(), f(), f()], lambda: ["hdel", k(), *many(r, [MEMBERS])],
        lambda: ["hgetall", k()], lambda: ["hkeys", k()], lambda: ["hvals", k()],
        lambda: ["hlen", k()], lambda: ["hexists", k(), f()], lambda: ["hstrlen", k(), f()],
        lambda: ["hmget", k(), *many(r, [MEMBERS])], lambda: ["hincrby", k(), f(), n()],
        lambda: ["hincrbyfloat", k(), f(), r.choice(["0.5", "1", "x", "-3"])],
        lambda: ["sadd", k(), *many(r, [MEMBERS])], lambda: ["srem", k(), *many(r, [MEMBERS])],
        lambda: ["smembers", k()], lambda: ["sismember", k(), f()],
        lambda: ["smismember", k(), *many(r, [MEMBERS])], lambda: ["scard", k()],
        lambda: ["smove", k(), k(), f()], lambda: ["spop", k(), r.choice(["0", "100", "-1", "x"])],
        lambda: ["sunion", *many(r, [KEYS])], lambda: ["sinter", *many(r, [KEYS])],
        lambda: ["sdiff", *many(r, [KEYS])],
    ]


def lists(r):
    k, e, n = lambda: r.choice(KEYS), lambda: r.choice(MEMBERS), lambda: integer(r)
    side = lambda: r.choice(["LEFT", "right", "x"] if r.random() < 0.1 else ["LEFT", "RIGHT"])
    return [
        lambda: ["rpush", k(), *many(r, [MEMBERS])], lambda: ["lpush", k(), *many(r, [MEMBERS])],
        lambda: ["rpushx", k(), e()], lambda: ["lpushx", k(), e()],
        lambda: ["lpop", k(), *r.choice([[], ["2"], ["0"], ["-1"], ["x"]])],
        lambda: ["rpop", k(), *r.choice([[], ["3"]])], lambda: ["lrange", k(), n(), n()],
        lambda: ["lrange", k(), "0", "-1"], lambda: ["llen", k()],
        lambda: ["lindex", k(), n()], lambda: ["lset", k(), n(), e()],
        lambda: ["lrem", k(), n(), e()], lambda: ["ltrim", k(), n(), n()],
        lambda: ["linsert", k(), r.choice(["BEFORE", "after", "x"]), e(), e()],
        lambda: ["lmove", k(), k(), side(), side()], lambda: ["rpoplpush", k(), k()],
    ]


def zsets(r):
    k, m, n = lambda: r.choice(KEYS), lambda: r.choice(MEMBERS), lambda: integer(r)
    s, b = lambda: r.choice(SCORES), lambda: r.choice(BOUNDS)
    scores = [score for score in SCORES if score not in ("nan", "x")]
    limit = lambda: r.choice([[], [], ["LIMIT", n(), n()], ["LIMIT", "1", "2"], ["LIMIT", "1"]])
    return [
        lambda: ["zadd", k(), *many(r, [scores, MEMBERS])],
        lambda: ["zadd", k(), *some(r, "NX", "XX", "GT", "LT", "CH", "INCR"), s(), m()],
        lambda: ["zadd", k(), s(), m(), s()], lambda: ["zincrby", k(), s(), m()],
        lambda: ["zrem", k(), *many(r, [MEMBERS])], lambda: ["zcard", k()],
        lambda: ["zscore", k(), m()], lambda: ["zmscore", k(), *many(r, [MEMBERS])],
        lambda: ["zrank", k(), m()], lambda: ["zrevrank", k(), m()],
        lambda: ["zcount", k(), b(), b()],
        lambda: ["zrange", k(), n(), n(), *some(r, "REV", "WITHSCORES"), *limit()],
        lambda: ["zrange", k(), b(), b(), "BYSCORE", *some(r, "REV", "WITHSCORES"), *limit()],
        lambda: ["zrange", k(), "0", "-1", "WITHSCORES"],
        lambda: ["zrevrange", k(), n(), n(), *some(r, "WITHSCORES")],
        lambda: ["zrangebyscore", k(), b(), b(), *some(r, "WITHSCORES"), *limit()],
        lambda: ["zrevrangebyscore", k(), b(), b(), *some(r, "WITHSCORES"), *limit()],
        lambda: ["zpopmin", k(), *r.choice([[], ["2"], ["-1"]])],
        lambda: ["zpopmax", k(), *r.choice([[], ["1"]])],
        lambda: ["zremrangebyscore", k(), b(), b()], lambda: ["zremrangebyrank", k(), n(), n()],
    ]


def streams(r):
    k, i, n = lambda: r.choice(KEYS), lambda: r.choice(IDS), lambda: integer(r)
    g, c = lambda: r.choice(["g", "h"]), lambda: r.choice(["p", "q"])
    trim = lambda: r.choice([[], [], ["MAXLEN", n()], ["MAXLEN", "=", "3"], ["MINID", i()],
                             ["NOMKSTREAM"], ["NOMKSTREAM", "MAXLEN", "2"]])
    bound = lambda: r.choice(IDS + ["(1", "(5-0", "-", "+", "("])
    count = lambda: r.choice([[], [], ["COUNT", n()], ["COUNT", "2"]])
    return [
        lambda: ["xadd", k(), *trim(), i(), *many(r, [MEMBERS, MEMBERS], 2)],
        lambda: ["xadd", k(), f"{r.randint(1, 40)}-{r.randint(0, 5)}", "f", "v"],
        lambda: ["xadd", k(), i(), "f"], lambda: ["xlen", k()],
        lambda: ["xrange", k(), bound(), bound(), *count()],
        lambda: ["xrevrange", k(), bound(), bound(), *count()],
        lambda: ["xdel", k(), *many(r, [IDS])], lambda: ["xtrim", k(), *(trim() or ["x", "1"])],
        lambda: ["xread", *count(), "STREAMS", k(), r.choice(IDS + ["$", ">"])],
        lambda: ["xread", "STREAMS", k(), k(), i(), i()], lambda: ["xread", "STREAMS", k(), k(), i()],
        lambda: ["xgroup", "CREATE", k(), g(), r.choice(["0", "$", "5-0", "x"]), *some(r, "MKSTREAM")],
        lambda: ["xgroup", "CREATE", k(), g(), "0", "MKSTREAM"],
        lambda: ["xgroup", "DESTROY", k(), g()] if r.random() < 0.3 else ["xlen", k()],
        lambda: ["xgroup", "SETID", k(), g(), r.choice(["0", "$", "3-5"])],
        lambda: ["xgroup", "CREATECONSUMER", k(), g(), c()],
        lambda: ["xgroup", "DELCONSUMER", k(), g(), c()] if r.random() < 0.3 else ["xlen", k()],
        lambda: ["xgroup", r.choice(["x", "CREATE"]), k()],
        lambda: ["xreadgroup", "GROUP", g(), c(), *count(), *some(r, "NOACK"), "STREAMS", k(),
                 r.choice([">", ">", "0", "5-0", "$"])],
        lambda: ["xack", k(), g(), *many(r, [IDS])], lambda: ["xpending", k(), g()],
        lambda: ["xpending", k(), g(), bound(), bound(), "10", *some(r, "p")],
        lambda: ["xpending", k(), g(), "IDLE", r.choice(["0", "9999999", "x"]), "-", "+", "5"],
        lambda: ["xclaim", k(), g(), c(), r.choice(["0", "9999999", "x"]), *many(r, [IDS]),
                 *some(r, "JUSTID", "FORCE", "RETRYCOUNT 7", "IDLE 0")],
        lambda: ["xautoclaim", k(), g(), c(), "0", r.choice(["0", "-", "5-0"]), *count(),
                 *some(r, "JUSTID")],
        lambda: ["xinfo", "GROUPS", k()], lambda: ["xinfo", "CONSUMERS", k(), g()],
        lambda: ["xinfo", "x", k()],
    ]


FAMILIES = {"strings": strings, "hashes": hashes, "lists": lists, "zsets": zsets,
            "streams": streams}


def sequence(randomness, family, length):
    """Commands of one family mostly, of all at times."""
    own = FAMILIES[family](randomness)
    common = keys(randomness)
    others = sum((make(randomness) for make in FAMILIES.values()), [])
    commands = []
    for _ in range(length):
        chance = randomness.random()
        commands.append(randomness.choice(own if chance < 0.8 else common if chance < 0.93 else others)())
    return commands


def pairs(flat):
    return dict(zip(flat[::2], flat[1::2]))


def comparable(command, reply):
    """A reply without what chance and time decide."""
    name = command[0]
    if not isinstance(reply, list):
        return reply
    if name in UNORDERED or (name == "spop" and len(command) > 2):
        return sorted(reply)
    if name == "hgetall":
        return pairs(reply)
    if name == "xpending" and len(command) > 3:
        return [[row[0], row[1], row[3]] for row in reply]
    if name == "xinfo" and command[1].upper() == "GROUPS":
        return [{key: value for key, value in pairs(row).items()
                 if key not in ("lag", "entries-read")} for row in reply]
    if name == "xinfo" and command[1].upper() == "CONSUMERS":
        return [{key: value for key, value in pairs(row).items() if key != "idle"}
                for row in reply]
    return reply


def shown(command):
    return " ".join(word if re.fullmatch(r"[\w.*$>()+-]+", word) else repr(word) for word in command)
