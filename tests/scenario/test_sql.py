"""sql/1: one conformance suite for every provider."""

import os
import shutil
import tempfile
import unittest

from databases import Postgres
from running import Runtime

SUITE = "/conformance/sql"
POOL = 4
# What a parameter of the suite says that makes an error: no log may repeat it.
SECRET = "s3cr3t-value"
# Without it all calls are traced, counted and, in development, logged.
BARE = 'telemetry: { enabled = false; }; log: { level = "fatal"; };'


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def runtime(self, extra, environment="development"):
        runtime = Runtime(self.folder, ["conformance-sql"], extra, environment)
        self.addCleanup(self.stop_cleanly, runtime)
        return runtime

    def stop_cleanly(self, runtime):
        self.assertEqual(runtime.stop(), 0, runtime.log)
        for trouble in ("AddressSanitizer", "runtime error:", SECRET):
            self.assertNotIn(trouble, runtime.log)

    def suite(self, runtime):
        status, _, body = runtime.request("GET", SUITE, timeout=600)
        lines = body.decode().splitlines()
        self.assertEqual(status, 200, body)
        self.assertRegex(lines[0], r"^1\.\.[1-9]\d+$")
        wrong = [line for line in lines if line.startswith(("not ok", "#"))]
        self.assertEqual(wrong, [], "\n".join(wrong))
        self.assertEqual(len([line for line in lines if line.startswith("ok ")]),
                         int(lines[0].removeprefix("1..")))


class Sqlite(Case):
    def test_memory(self):
        """sqlite in memory, as it is without settings, passes the conformance suite"""
        self.suite(self.runtime(""))

    def test_file(self):
        """sqlite in a file passes the conformance suite, twice, and leaves nothing in it"""
        path = os.path.join(self.folder, "suite.db")
        runtime = self.runtime(f'sqlite: {{ path = "{path}"; }};')
        self.suite(runtime)
        self.suite(runtime)

    def test_double(self):
        """the test double passes the conformance suite"""
        self.suite(self.runtime("", environment="test"))

    def test_bare(self):
        """sqlite passes the conformance suite where nothing is traced, counted or logged"""
        path = os.path.join(self.folder, "suite.db")
        self.suite(self.runtime(f'sqlite: {{ path = "{path}"; }}; {BARE}'))


class OnPostgres(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Postgres())

    def settings(self, more=""):
        return (f'conformance-sql: {{ connections = {POOL}; }};\n'
                f'postgres: {{ url = "{self.server.url}"; pool = {POOL}; }};\n{more}')

    def test_development(self):
        """postgres passes the conformance suite, twice"""
        runtime = self.runtime(self.settings())
        self.suite(runtime)
        self.suite(runtime)

    def test_bare(self):
        """postgres passes the conformance suite where nothing is traced, counted or logged"""
        self.suite(self.runtime(self.settings(BARE)))


if __name__ == "__main__":
    unittest.main()
