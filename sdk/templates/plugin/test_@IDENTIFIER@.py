"""Starts rtd with the plugin and asks it: `make check`."""

import os
import socket
import subprocess
import time
import unittest
import urllib.error
import urllib.request

RTD = os.environ.get("RTD", "rtd")
RTCTL = os.environ.get("RTCTL", "rtctl")
CONFIG = os.path.join(os.path.dirname(os.path.abspath(__file__)), "runtime.conf")


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


class Greeting(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.address = f"127.0.0.1:{free_port()}"
        cls.server = subprocess.Popen(
            [RTD, "--config", CONFIG, "--set", f'http.listen=["{cls.address}"]',
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
        subprocess.run([RTCTL, "validate", "--config", CONFIG], check=True)

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
