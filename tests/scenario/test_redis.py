"""redis/1 on real servers: one suite for every way to reach one, losses, Sentinel, garbage."""

import json
import shutil
import tempfile
import unittest

from databases import Authority, Redis
from running import Runtime

SUITE = "/conformance/redis"


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def server(self, **options):
        return self.enterContext(Redis(**options))

    def runtime(self, url, settings="", extra=""):
        runtime = Runtime(self.folder, ("conformance-redis",),
                          f'redis: {{ url = "{url}"; {settings} }};\n{extra}')
        self.addCleanup(self.stop_cleanly, runtime)
        return runtime

    def stop_cleanly(self, runtime):
        self.assertEqual(runtime.stop(), 0, runtime.log)
        self.assertNotIn("AddressSanitizer", runtime.log)
        self.assertNotIn("LeakSanitizer", runtime.log)
        self.assertNotIn("runtime error:", runtime.log)

    def suite(self, runtime):
        status, _, body = runtime.request("GET", SUITE)
        lines = body.decode().splitlines()
        self.assertEqual(status, 200, body)
        self.assertRegex(lines[0], r"^1\.\.[1-9]\d+$")
        self.assertEqual(len([line for line in lines if line.startswith("ok ")]),
                         int(lines[0].removeprefix("1..")), "\n".join(lines))

    def command(self, runtime, *words, **options):
        body = json.dumps({"words": [str(word) for word in words], **options})
        status, _, answer = runtime.request("POST", f"{SUITE}/command", body)
        self.assertEqual(status, 200, answer)
        return json.loads(answer)


class Conformance(Case):
    def test_plain(self):
        """a server on a port passes the conformance suite, twice"""
        runtime = self.runtime(self.server().url)
        self.suite(runtime)
        self.suite(runtime)


if __name__ == "__main__":
    unittest.main()
