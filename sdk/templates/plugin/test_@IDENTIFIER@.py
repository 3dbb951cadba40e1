"""Starts rtd with the plugin and asks it: `make check`.

What the plugin requires is embedded then; with RT_INTEGRATION=1 it runs on a PostgreSQL and a Redis
that are started for the test in temporary folders.
"""

import os
import subprocess
import time
import unittest
import urllib.error
import urllib.request

from rt_testing import backing, free_port  # which is beside the SDK: see the Makefile

RTD = os.environ.get("RTD", "rtd")
RTCTL = os.environ.get("RTCTL", "rtctl")
CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runtime.conf")


class Greeting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.address = f"127.0.0.1:{free_port()}"
        cls.settings = cls.enterClassContext(backing(CONFIG))
        cls.server = subprocess.Popen(
            [RTD, "--config", CONFIG, *cls.settings, "--set", f'http.listen=["{cls.address}"]',
             "--set", "admin.listen=[]"])
        cls.addClassCleanup(cls.stop)
        end = time.monotonic() + 30
        while cls.server.poll() is None and time.monotonic() < end:
            try:
                urllib.request.urlopen(f"http://{cls.address}/@NAME@/world", timeout=5).close()
                return
            except (ConnectionError, urllib.error.URLError):
                time.sleep(0.05)
        raise AssertionError("rtd does not answer")

    @classmethod
    def stop(cls):
        cls.server.terminate()
        cls.server.wait(60)

    def get(self, path):
        return urllib.request.urlopen(f"http://{self.address}{path}", timeout=10)

    def test_the_configuration_is_fit_to_run(self):
        subprocess.run([RTCTL, "validate", "--config", CONFIG, *self.settings], check=True)

    def test_it_greets_by_name(self):
        with self.get("/@NAME@/world") as answer:
            self.assertEqual(answer.read(), b"Hello, world\n")

    def test_a_name_that_is_too_long_is_refused(self):
        with self.assertRaises(urllib.error.HTTPError) as refused:
            self.get("/@NAME@/" + "x" * 81)
        self.assertEqual(refused.exception.code, 400)
        refused.exception.close()


if __name__ == "__main__":
    unittest.main()
