"""redis/1 without a server: the suite of every provider, and replies compared with a real server's."""

import json
import shutil
import tempfile
import unittest

from running import Runtime

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


if __name__ == "__main__":
    unittest.main()
