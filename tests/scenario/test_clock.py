"""clock/1: the machine's clock, and the test clock that moves only when told to."""

import shutil
import tempfile
import time
import unittest

from running import Runtime

START = 1704067200 * 10**9
DAY = 86400 * 10**9


class Clock(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def runtime(self, extra="", environment="development"):
        runtime = Runtime(self.folder, ["probe-clock"], extra, environment)
        self.addCleanup(lambda: self.assertEqual(runtime.stop(), 0, runtime.log))
        return runtime

    def times(self, runtime, path="/clock"):
        status, answer = runtime.get(path)
        self.assertEqual(status, 200, answer)
        return answer["utc"], answer["monotonic"]

    def test_system(self):
        """the system's clock tells the time and goes on"""
        runtime = self.runtime()
        before = time.time_ns()
        utc, monotonic = self.times(runtime)
        self.assertTrue(before <= utc <= time.time_ns())
        self.assertGreater(self.times(runtime)[1], monotonic)

    def test_system_cannot_be_set(self):
        """the system's clock can be neither set nor advanced"""
        runtime = self.runtime()
        for path in ("/clock/set?ns=0", "/clock/advance?ns=1"):
            self.assertEqual(runtime.get(path)[0], 501)

    def test_frozen(self):
        """the test clock stands still, where it was told to begin"""
        runtime = self.runtime(environment="test")
        first = self.times(runtime)
        self.assertEqual(first[0], START)
        self.assertEqual(self.times(runtime), first)
        other = self.runtime("clock-test: { initial = 86400; };", "test")
        self.assertEqual(self.times(other)[0], DAY)

    def test_moved(self):
        """advance moves both clocks, set the wall clock alone"""
        runtime = self.runtime(environment="test")
        utc, monotonic = self.times(runtime)
        self.assertEqual(self.times(runtime, f"/clock/advance?ns={DAY}"),
                         (utc + DAY, monotonic + DAY))
        self.assertEqual(self.times(runtime, f"/clock/set?ns={START - DAY}"),
                         (START - DAY, monotonic + DAY))

    def test_never_back(self):
        """the test clock refuses to advance backwards or past its end, and stays where it is"""
        runtime = self.runtime(environment="test")
        before = self.times(runtime)
        for step in (-1, 2**63 - 1):
            self.assertEqual(runtime.get(f"/clock/advance?ns={step}")[0], 400)
        self.assertEqual(self.times(runtime), before)


if __name__ == "__main__":
    unittest.main()
