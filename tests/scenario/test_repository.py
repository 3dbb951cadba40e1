"""Repositories: one suite, and a model of random operations, on every provider of sql/1."""

import os
import shutil
import tempfile
import threading
import unittest

from databases import Postgres
from running import Runtime

ROUTE = "/conformance/repository"


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def runtime(self, extra):
        runtime = Runtime(self.folder, ["conformance-repository"], extra)
        self.addCleanup(self.stop_cleanly, runtime)
        return runtime

    def stop_cleanly(self, runtime):
        self.assertEqual(runtime.stop(), 0, runtime.log)
        for trouble in ("AddressSanitizer", "runtime error:"):
            self.assertNotIn(trouble, runtime.log)

    def text(self, runtime, method, path):
        status, _, body = runtime.request(method, path, timeout=120)
        self.assertEqual(status, 200, body)
        return body.decode()

    def suite(self, runtime):
        lines = self.text(runtime, "GET", ROUTE).splitlines()
        wrong = [line for line in lines if line.startswith(("not ok", "#"))]
        self.assertEqual(wrong, [], "\n".join(wrong))
        self.assertRegex(lines[0], r"^1\.\.[1-9]\d+$")
        self.assertEqual(len([line for line in lines if line.startswith("ok ")]),
                         int(lines[0].removeprefix("1..")))

    def model(self, runtime):
        for seed in range(1, 5):
            self.assertEqual(self.text(runtime, "GET", f"{ROUTE}/model?seed={seed}"), "ok")

    def race(self, runtime):
        """Many read a row, add 1 and update it, again while others were faster: none is lost."""
        key = self.text(runtime, "POST", f"{ROUTE}/one")
        lost = []
        threads = [threading.Thread(target=lambda: lost.extend(
            int(self.text(runtime, "POST", f"{ROUTE}/race?id={key}")) for _ in range(10)))
            for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(lost), 80)
        self.assertEqual(self.text(runtime, "GET", f"{ROUTE}/one?id={key}"), "80 81")


class Sqlite(Case):
    def settings(self):
        return f'sqlite: {{ path = "{os.path.join(self.folder, "suite.db")}"; }};'

    def test_memory(self):
        """repositories pass their suite on sqlite in memory"""
        self.suite(self.runtime(""))

    def test_file(self):
        """repositories pass their suite on sqlite in a file, twice"""
        runtime = self.runtime(self.settings())
        self.suite(runtime)
        self.suite(runtime)

    def test_model(self):
        """repositories on sqlite do what their model does"""
        self.model(self.runtime(self.settings()))

    def test_race(self):
        """no update is lost on sqlite"""
        self.race(self.runtime(self.settings()))


class OnPostgres(Case):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Postgres())

    def settings(self):
        return f'postgres: {{ url = "{self.server.url}"; pool = 4; }};'

    def test_suite(self):
        """repositories pass their suite on postgres, twice"""
        runtime = self.runtime(self.settings())
        self.suite(runtime)
        self.suite(runtime)

    def test_model(self):
        """repositories on postgres do what their model does"""
        self.model(self.runtime(self.settings()))

    def test_race(self):
        """no update is lost on postgres"""
        self.race(self.runtime(self.settings()))


if __name__ == "__main__":
    unittest.main()
