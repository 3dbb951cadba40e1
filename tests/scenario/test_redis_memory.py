"""redis/1 without a server: the suite of every provider, and replies compared with a real server's."""

import json
import os
import shutil
import sys
import tempfile
import unittest
from random import Random

import redis_commands
from running import TOP, Runtime

sys.path.insert(0, os.path.join(TOP, "sdk", "testing"))
from rt_testing.redis import Redis  # noqa: E402

SUITE = "/conformance/redis"


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
