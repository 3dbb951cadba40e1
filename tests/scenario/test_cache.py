"""cache/1: one conformance suite for its three providers, and which of them is chosen."""

import json
import os
import subprocess
import sys
import unittest

from running import PREFIX, PROBES, TOP
from test_redis_memory import Case

sys.path.insert(0, os.path.join(TOP, "sdk", "testing"))
from rt_testing import Redis, wait_for  # noqa: E402

SUITE = "/conformance/cache"
MIB = 1 << 20


class CacheCase(Case):
    def runtime(self, extra="", environment="development", roots=("conformance-cache",)):
        return super().runtime(extra, environment, roots)

    def server(self):
        server = Redis()
        self.addCleanup(server.close)
        server.start()
        return server

    def fill(self, runtime, first, count, size=1):
        status, _, body = runtime.request(
            "POST", f"{SUITE}/fill", json.dumps({"from": first, "count": count, "bytes": size}))
        self.assertEqual(status, 204, body)

    def keys(self, runtime):
        status, keys = runtime.get(f"{SUITE}/keys")
        self.assertEqual(status, 200, keys)
        return keys

    def compute(self, runtime):
        status, answer = runtime.get(f"{SUITE}/compute")
        self.assertEqual(status, 200, answer)
        return answer["code"], answer["value"], answer["computed"]


class Conformance(CacheCase):
    def test_memory(self):
        """the cache in memory passes the conformance suite, twice"""
        runtime = self.runtime()
        self.suite(runtime, SUITE)
        self.suite(runtime, SUITE)

    def test_double(self):
        """the test double passes the conformance suite, on a clock that the suite moves"""
        self.suite(self.runtime(environment="test"), SUITE)

    def test_redis_memory(self):
        """the cache in Redis passes the conformance suite without a server"""
        runtime = self.runtime("cache-redis: { };")
        self.suite(runtime, SUITE)
        self.suite(runtime, SUITE)

    def test_redis(self):
        """the cache in Redis passes the conformance suite on a server"""
        server = self.server()
        runtime = self.runtime(f'cache-redis: {{ }}; redis: {{ url = "{server.url}"; }};')
        self.suite(runtime, SUITE)
        self.assertEqual(server.cli("exists", "cache:conformance:long"), "1")


class Bounds(CacheCase):
    def test_entries(self):
        """of more values than there may be, those not used for longest go"""
        runtime = self.runtime("cache-memory: { max_entries = 10; };")
        self.fill(runtime, 0, 25)
        self.assertEqual(self.keys(runtime), list(range(15, 25)))
        self.fill(runtime, 15, 1)
        self.fill(runtime, 100, 5)
        self.assertEqual(self.keys(runtime), [15, 21, 22, 23, 24, 100, 101, 102, 103, 104])

    def test_bytes(self):
        """values take no more memory than is given, and the newest of them are there"""
        runtime = self.runtime('cache-memory: { max_bytes = "1 MiB"; };')
        self.fill(runtime, 0, 500, 10000)
        keys = self.keys(runtime)
        self.assertEqual(keys, list(range(500 - len(keys), 500)))
        self.assertTrue(80 <= len(keys) <= MIB // 10000, len(keys))

    def test_room_for_none(self):
        """a value that is larger than the whole cache is not kept, and nothing breaks"""
        runtime = self.runtime('cache-memory: { max_bytes = "64 KiB"; };')
        self.fill(runtime, 0, 3, 100000)
        self.assertEqual(self.keys(runtime), [])
        self.fill(runtime, 0, 3)
        self.assertEqual(self.keys(runtime), [0, 1, 2])


class Lost(CacheCase):
    def test_gone(self):
        """a cache that cannot be reached computes, and is used again when it is back"""
        server = self.server()
        runtime = self.runtime(f'cache-redis: {{ }}; redis: {{ url = "{server.url}"; }};')
        self.assertEqual(self.compute(runtime), ("OK", "computed", True))
        self.assertEqual(self.compute(runtime), ("OK", "computed", False))
        server.kill()
        self.assertEqual(self.compute(runtime), ("OK", "computed", True))
        self.assertEqual(runtime.request("GET", f"{SUITE}/keys")[0], 503)
        server.restart()
        wait_for(lambda: self.compute(runtime) == ("OK", "computed", False), "it to be used again")

    def test_foreign(self):
        """a key that holds something else computes, and get says so"""
        server = self.server()
        runtime = self.runtime(f'cache-redis: {{ prefix = "p:"; }}; '
                               f'redis: {{ url = "{server.url}"; }};')
        server.cli("lpush", "p:compute:one", "x")
        self.assertEqual(self.compute(runtime), ("OK", "computed", True))
        server.cli("del", "p:fill:0")
        server.cli("lpush", "p:fill:0", "x")
        self.assertEqual(runtime.request("GET", f"{SUITE}/keys")[0], 412)


class Choice(CacheCase):
    """Which provider is bound."""

    def plan(self, extra, environment="development"):
        path = os.path.join(self.folder, "plan.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'environment = "{environment}";\n'
                       f'plugins = [ "{PREFIX}/lib/rt/plugins", "{PROBES}" ];\n'
                       f'load = [ "conformance-cache" ];\n{extra}\n')
        return subprocess.run([f"{PREFIX}/bin/rtctl", "plan", "--config", path], text=True,
                              capture_output=True, timeout=60, check=False)

    def bound(self, extra="", environment="development"):
        done = self.plan(extra, environment)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_chosen(self):
        """in development it is memory, in a test the double, and Redis where it is configured"""
        self.assertRegex(self.bound(), r"cache/1\W+cache-memory")
        self.assertRegex(self.bound(environment="test"), r"cache/1\W+cache-test")
        redis = self.bound('cache-redis: { }; redis: { url = "redis://127.0.0.1:1"; };')
        self.assertRegex(redis, r"cache/1\W+cache-redis")
        self.assertRegex(redis, r"redis/1\W+redis\W")
        self.assertRegex(self.bound("cache-redis: { };"), r"redis/1\W+redis-memory")

    def test_production(self):
        """in production neither of those in memory serves, and the error names what would"""
        done = self.plan("", "production")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("cache-redis", done.stdout + done.stderr)
        done = self.plan("cache-redis: { };", "production")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("redis-memory", done.stdout + done.stderr)


if __name__ == "__main__":
    unittest.main()
