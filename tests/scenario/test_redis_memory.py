"""redis/1 without a server: the suite of every provider, and replies compared with a real server's."""

import http.client
import json
import os
import shutil
import sys
import tempfile
import threading
import unittest
from random import Random

import redis_commands
from deployment import wait_for
from running import TOP, Runtime

sys.path.insert(0, os.path.join(TOP, "sdk", "testing"))
from rt_testing.redis import Redis  # noqa: E402

SUITE = "/conformance/redis"
DOUBLE = 'probe-redis: { use: { test-double = "redis-test"; }; };'


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def runtime(self, extra="", environment="development", roots=("conformance-redis",)):
        runtime = Runtime(self.folder, roots, extra, environment)
        self.addCleanup(self.stop_cleanly, runtime)
        return runtime

    def stop_cleanly(self, runtime):
        self.assertEqual(runtime.stop(), 0, runtime.log)
        self.assertNotIn("AddressSanitizer", runtime.log)
        self.assertNotIn("runtime error:", runtime.log)

    def suite(self, runtime, path=SUITE):
        status, _, body = runtime.request("GET", path)
        lines = body.decode().splitlines()
        self.assertEqual(status, 200, body)
        self.assertRegex(lines[0], r"^1\.\.[1-9]\d+$")
        self.assertEqual(len([line for line in lines if line.startswith("ok ")]),
                         int(lines[0].removeprefix("1..")), "\n".join(lines))


class Conformance(Case):
    def test_memory(self):
        """the development tier passes the conformance suite, twice"""
        runtime = self.runtime()
        self.suite(runtime)
        self.suite(runtime)

    def test_double(self):
        """the test double passes the conformance suite, on a clock that goes"""
        self.suite(self.runtime('bind: { clock = "clock-system"; };', "test"))


class Probe(Case):
    """Commands over HTTP."""

    def runtime(self, extra="", environment="development", roots=("probe-redis",)):
        return super().runtime(extra, environment, roots)

    def post(self, runtime, path, body):
        status, _, answer = runtime.request("POST", f"/probe/redis{path}", json.dumps(body))
        self.assertEqual(status, 200, answer)
        return json.loads(answer)

    def run_all(self, runtime, commands, how="pipeline"):
        return self.post(runtime, "", {"how": how, "commands": commands})

    def run_one(self, runtime, *command, how="each"):
        return self.run_all(runtime, [command], how)[0]

    def evaluate(self, runtime, source, keys=(), arguments=()):
        return self.post(runtime, "/eval", {"source": source, "keys": keys, "arguments": arguments})

    def server(self):
        server = Redis()
        self.addCleanup(server.close)
        server.start()
        return server

    def on_server(self):
        return self.runtime(f'redis: {{ url = "{self.server().url}"; }};')


class Differential(Probe):
    """The same commands here and on a real server, with the same replies."""

    ROUNDS = int(os.environ.get("RT_REDIS_ROUNDS", "12"))
    LENGTH = 250

    def compare(self, here, there, commands, how="pipeline"):
        ours, theirs = self.run_all(here, commands, how), self.run_all(there, commands, how)
        if how == "atomic" and isinstance(theirs, dict):
            self.assertEqual(ours, theirs)
            return
        self.assertEqual(len(ours), len(theirs))
        for at, (command, one, other) in enumerate(zip(commands, ours, theirs)):
            if redis_commands.comparable(command, one) != redis_commands.comparable(command, other):
                before = "\n".join(redis_commands.shown(each) for each in commands[max(0, at - 40):at])
                self.fail(f"{before}\n{redis_commands.shown(command)}\nhere:  {one}\nthere: {other}")

    def compare_family(self, family):
        here, there = self.runtime(), self.on_server()
        for seed in range(self.ROUNDS):
            randomness = Random(f"{family} {seed}")
            self.run_one(here, "flushall"), self.run_one(there, "flushall")
            self.compare(here, there, redis_commands.sequence(randomness, family, self.LENGTH))

    def test_strings(self):
        """strings are as on a server"""
        self.compare_family("strings")

    def test_hashes(self):
        """hashes and sets are as on a server"""
        self.compare_family("hashes")

    def test_lists(self):
        """lists are as on a server"""
        self.compare_family("lists")

    def test_zsets(self):
        """sorted sets are as on a server"""
        self.compare_family("zsets")

    def test_streams(self):
        """streams and their groups are as on a server"""
        self.compare_family("streams")

    def test_transactions(self):
        """transactions are as on a server, also those that are refused"""
        here, there = self.runtime(), self.on_server()
        for seed in range(self.ROUNDS * 3):
            randomness = Random(f"transactions {seed}")
            family = randomness.choice(list(redis_commands.FAMILIES))
            commands = redis_commands.sequence(randomness, family, randomness.randint(1, 12))
            self.compare(here, there, commands, "atomic")

    def test_scripts(self):
        """scripts are as on a server, their errors included"""
        here, there = self.runtime(), self.on_server()
        for source in SCRIPTS:
            given = (source, ["k1", "k2"], ["a", "3"])
            ours, theirs = self.evaluate(here, *given), self.evaluate(there, *given)
            self.assertEqual(ours, theirs, source)


class Limits(Probe):
    """What bounds the keyspace and its scripts."""

    def test_memory(self):
        """beyond max_memory commands that need more are refused, and deleting makes room"""
        runtime = self.runtime('redis-memory: { max_memory = "1 MiB"; };')
        large = "x" * 100_000
        replies = [self.run_one(runtime, "set", f"k{i}", large) for i in range(20)]
        refused = [reply for reply in replies if "err" in reply]
        self.assertTrue(8 <= len(refused) <= 11, replies)
        self.assertEqual(refused[0]["code"], "RESOURCE_EXHAUSTED")
        self.assertTrue(refused[0]["err"].startswith("OOM "), refused)
        self.assertEqual(self.run_one(runtime, "get", "k0"), large)
        transaction = self.run_all(runtime, [("del", "k0"), ("set", "k20", large)], "atomic")
        self.assertEqual((transaction["code"], transaction["err"][:4]), ("RESOURCE_EXHAUSTED", "OOM "))
        self.assertEqual(self.run_one(runtime, "exists", "k0"), 1)
        self.assertEqual(self.run_one(runtime, "del", "k0", "k1", "k2"), 3)
        self.assertEqual(self.run_one(runtime, "set", "k20", large), {"ok": "OK"})

    def test_expired(self):
        """keys that have expired make room by themselves"""
        runtime = self.runtime('redis-memory: { max_memory = "1 MiB"; };')
        for i in range(50):
            self.assertEqual(self.run_one(runtime, "set", f"k{i}", "x" * 100_000, "PXAT", "1"),
                             {"ok": "OK"})
        self.assertEqual(self.run_one(runtime, "dbsize"), 0)

    def test_scripts(self):
        """a script that runs or grows without end is ended, and the next one works"""
        runtime = self.runtime("redis-memory: { script_instructions = 1000000; };")
        for endless in ("while true do end", "while true do pcall(function() while true do end end) end",
                        "local c = coroutine.wrap(function() while true do end end) c()"):
            reply = self.evaluate(runtime, endless)
            self.assertIn("instructions", reply["err"], endless)
        for greedy in ("local t = {} while true do t[#t + 1] = ('x'):rep(10000) .. #t end",
                       "return ('x'):rep(1e9)",
                       "local t = 'x' while true do t = t .. t end"):
            reply = self.evaluate(runtime, greedy)
            self.assertEqual((reply["err"][:4], reply["code"]), ("OOM ", "RESOURCE_EXHAUSTED"), greedy)
        self.assertEqual(self.evaluate(runtime, "return 7"), 7)

    def test_deep_scripts(self):
        """scripts that nest deeply have a stack for it, or are refused"""
        runtime = self.runtime()
        deep = "local function f(n) if n == 0 then return 'end' end " \
               "return (('x'):gsub('x', function() return f(n - 1) end)) end return f(%d)"
        self.assertEqual(self.evaluate(runtime, deep % 150), "end")
        self.assertIn("overflow", self.evaluate(runtime, deep % 100000)["err"])
        self.assertIn("err", self.evaluate(runtime, "return " + "{" * 5000 + "}" * 5000))
        self.assertIn("err", self.evaluate(runtime, "local t = {} t[1] = t return t"))
        self.assertIn("err", self.evaluate(runtime, "return " + "(" * 5000 + "1" + ")" * 5000))

    def test_locked_in(self):
        """a script has neither files nor programs nor code of others, and leaves nothing behind"""
        runtime = self.runtime()
        for name in ("io", "os", "debug", "package", "require", "loadfile", "dofile", "load",
                     "loadstring", "getfenv", "setfenv", "collectgarbage", "print"):
            reply = self.evaluate(runtime, f"return {name}")
            self.assertIn("nonexistent global variable", reply["err"], name)
        self.assertIsNone(self.evaluate(runtime, "return cjson"))
        self.assertIn("err", self.evaluate(runtime, "\x1bLua"))
        self.evaluate(runtime, "string.leak = 1 return 1")
        self.assertIsNone(self.evaluate(runtime, "return string.leak"))


class Waiting(Probe):
    def test_order(self):
        """of those who wait for elements the first who came gets the first"""
        runtime = self.runtime()
        for _ in range(3):
            self.assertEqual(runtime.get("/probe/redis/queue"), (200, [0, 1, 2, 3, 4]))

    def test_over(self):
        """a command that waited for its time answers null, and takes nothing later"""
        runtime = self.runtime()
        for command in (["blpop", "k", "0.02"], ["blmove", "k", "j", "LEFT", "LEFT", "0.02"],
                        ["bzpopmin", "k", "0.02"],
                        ["xread", "BLOCK", "20", "STREAMS", "k", "$"]):
            self.assertIsNone(self.run_one(runtime, *command, how="blocking"), command)
        self.assertEqual(self.run_one(runtime, "rpush", "k", "a"), 1)
        self.assertEqual(self.run_one(runtime, "llen", "k"), 1)

    def test_read_new(self):
        """a reader that waits for what is new gets it, and what came before not"""
        runtime = self.runtime()
        self.run_one(runtime, "xadd", "s", "1-1", "f", "old")
        got = []
        reader = threading.Thread(target=lambda: got.append(self.run_one(
            runtime, "xread", "BLOCK", "30000", "STREAMS", "s", "$", how="blocking")))
        reader.start()
        at = 2
        while reader.is_alive() and at < 3000:
            self.run_one(runtime, "xadd", "s", f"{at}-0", "f", "new")
            reader.join(0.01)
            at += 1
        (key, (entry,)), = got[0]
        self.assertEqual((key, entry[1]), ("s", ["f", "new"]))

    def test_stop(self):
        """who waits when the runtime stops is let go"""
        runtime = self.runtime('drain_timeout = "200 ms";')
        got = []
        waiting = threading.Thread(target=lambda: got.extend(
            self.run_all(runtime, [["set", "mark", "1"], ["blpop", "k", "0"]], "blocking")))
        waiting.start()
        wait_for(lambda: self.run_one(runtime, "get", "mark"), "the command waits")
        self.assertEqual(runtime.stop(), 0)
        waiting.join(30)
        self.assertEqual(got[1]["code"], "CANCELLED")


class Double(Probe):
    def test_records(self):
        """the double records its calls and fails as often as it is told"""
        runtime = self.runtime(DOUBLE, "test")
        self.run_one(runtime, "set", "k", "v\u00e9")
        self.run_all(runtime, [["get", "k"], ["incr", "k"]], "pipeline")
        self.run_all(runtime, [["get", "k"]], "atomic")
        self.evaluate(runtime, "return 1", ["k"], ["a"])
        status, _, body = runtime.request("POST", "/probe/redis/fail",
                                          json.dumps({"method": "command", "calls": 2}))
        self.assertEqual(status, 204, body)
        for _ in range(2):
            self.assertEqual(self.run_one(runtime, "get", "k")["code"], "UNAVAILABLE")
        self.assertEqual(self.run_one(runtime, "get", "k"), "v\u00e9")
        calls = runtime.get("/probe/redis/calls")[1]
        calls = [(method, json.loads(arguments), code) for method, arguments, code in reversed(calls)]
        failed = ("command", ["get", "k"], "UNAVAILABLE")
        self.assertEqual(calls, [
            ("command", ["set", "k", "v\u00e9"], "OK"),
            ("pipeline", [["get", "k"], ["incr", "k"]], "OK"), ("atomic", [["get", "k"]], "OK"),
            ("eval", {"source": "return 1", "keys": ["k"], "arguments": ["a"]}, "OK"),
            failed, failed, ("command", ["get", "k"], "OK")])

    def test_clock(self):
        """keys of the double expire when the test moves its clock, and not before"""
        runtime = self.runtime(DOUBLE, "test", ("probe-redis", "probe-clock"))
        self.run_one(runtime, "set", "k", "v", "EX", "60")
        self.assertEqual(self.run_one(runtime, "pttl", "k"), 60000)
        runtime.get(f"/clock/advance?ns={59 * 10**9}")
        self.assertEqual(self.run_one(runtime, "pttl", "k"), 1000)
        runtime.get(f"/clock/advance?ns={10**9}")
        self.assertIsNone(self.run_one(runtime, "get", "k"))


SCRIPTS = [
    "return 1", "return 3.99", "return -3.99", "return 'x'", "return true", "return false",
    "return nil", "return", "return {}", "return {1,2,nil,4}", "return {1,{2,{'x',false}}}",
    "return {ok='fine'}", "return {err='BAD thing'}", "return {err='thing'}", "return 2^53",
    "return KEYS", "return ARGV[2] + 1", "return #KEYS .. #ARGV", "return tostring(1/3)",
    "return redis.status_reply('PONG')", "return redis.error_reply('oops')",
    "return redis.error_reply('MY oops')", "return redis.error_reply('-MY oops')",
    "return redis.error_reply()", "return redis.status_reply(1)", "return redis.sha1hex('x')",
    "redis.call('set', KEYS[1], ARGV[1]) return redis.call('get', KEYS[1])",
    "return redis.call('set', KEYS[1], 1.5)", "return redis.call('get', KEYS[1])",
    "return redis.call('incr', KEYS[1])", "return redis.pcall('incr', KEYS[1])",
    "return redis.call('set', KEYS[1], 1e15)", "return redis.call('get', KEYS[1])",
    "redis.call('del', KEYS[1]) return redis.call('rpush', KEYS[1], 1, 2, 'x')",
    "return redis.call('lrange', KEYS[1], 0, -1)", "return redis.call('get', KEYS[1])",
    "return redis.pcall('get', KEYS[1])['err']", "return redis.call('ping')",
    "return redis.call('ping')['ok']", "return redis.call('get', 'nothing')",
    "return type(redis.call('get', 'nothing'))", "return redis.call('nosuch')",
    "return redis.call('get')", "return redis.pcall('get')", "return redis.call()",
    "return redis.call({})", "return redis.call('get', nil)",
    "local ok, e = pcall(redis.call, 'get') return {ok, type(e), e.err}",
    "error('x')", "error({err='MY x'})", "error('y', 0)",
    "return nosuch", "x = 1", "return nothing.x", "local t = nil return t.x", "this is no Lua",
    "return (", "return redis.call('blpop', 'nothing', 0)", "return math.floor(3.7)",
    "return string.format('%d %s', 3, 'x')", "return table.concat({1,2,3}, '-')",
    "local s = 0 for i = 1, 1000 do s = s + i end return s",
    "local t = {} for i = 1, 300 do t[i] = i end return t", "return select('#', 1, 2, 3)",
    "return {redis.call('hset', 'h', 'f', 'v'), redis.call('hgetall', 'h')}",
    "return tostring(redis.LOG_WARNING)", "return pcall(error)",
    "return redis.call('xadd', 's', '1-1', 'f', 'v')", "return redis.call('xrange', 's', '-', '+')",
    "return redis.call('zadd', 'z', 1.5, 'm')", "return redis.call('zscore', 'z', 'm')",
]


if __name__ == "__main__":
    unittest.main()
