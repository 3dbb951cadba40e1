"""`rtctl top`: once where no terminal is, and live in a pseudo terminal."""

import contextlib
import fcntl
import glob
import os
import pty
import re
import select
import signal
import socket
import struct
import subprocess
import termios
import threading
import time
import unittest

from deployment import LIMIT, RTCTL, deployment, wait_for

ENTER, LEAVE, CLEAR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[H\x1b[2J"


class Terminal:
    """rtctl top in a pseudo terminal, and what it has drawn so far."""

    def __init__(self, made, *arguments, columns=120, rows=40):
        self.master, slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(slave)
        environment = {name: value for name, value in made.environment().items()
                       if name != "NO_COLOR"}
        self.child = subprocess.Popen(
            [RTCTL, "top", "--config", made.config, "--interval", "200 ms", *arguments],
            stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True)
        self.slave = slave
        self.drawn = ""

    def resize(self, columns, rows):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read(self):
        while select.select([self.master], [], [], 0)[0]:
            self.drawn += os.read(self.master, 65536).decode(errors="replace")
        return self.drawn

    def frames(self):
        """Those that are whole: another follows."""
        return self.read().split(CLEAR)[1:-1]

    def wait_for_frame(self, condition, what):
        return wait_for(lambda: next((frame for frame in reversed(self.frames())
                                      if condition(frame)), None), what)

    def type(self, keys):
        os.write(self.master, keys)

    def wait(self):
        end = time.monotonic() + LIMIT
        while self.child.poll() is None:
            assert time.monotonic() < end, f"it goes on:\n{self.drawn}"
            self.read()  # or it waits for room in the terminal
            time.sleep(0.01)
        self.read()
        return self.child.returncode

    def is_as_before(self):
        return termios.tcgetattr(self.slave) == self.before

    def close(self):
        if self.child.poll() is None:
            self.child.kill()
            self.child.wait()
        os.close(self.master)
        os.close(self.slave)


@contextlib.contextmanager
def terminal(made, *arguments, **size):
    shown = Terminal(made, *arguments, **size)
    try:
        yield shown
    finally:
        shown.close()


def lines(frame):
    return re.sub(r"\x1b\[[0-9;]*m", "", frame).replace("\r", "").split("\n")


class Top(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.made = cls.enterClassContext(deployment(("meter",)))
        cls.made.start_ready()

    def ask(self, count=3, path="/who"):
        for _ in range(count):
            self.assertEqual(self.made.get(path)[0], 200)

    def test_without_a_terminal_it_is_printed_once(self):
        self.ask()
        done = self.made.rtctl("top", "--interval", "200 ms")
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertNotIn("\x1b", done.stdout)
        self.assertRegex(done.stdout, r"^rt  development  rtd \S+  pid \d+  up .* generation 1\n")
        self.assertRegex(done.stdout, r"(?m)^GET /who +\d+\.\d +0\.0 ")
        self.assertRegex(done.stdout, r"(?m)^ +1 +1 +\d+ ready ")

    def test_once_says_so_on_a_terminal_too(self):
        with terminal(self.made, "--once") as shown:
            self.assertEqual(shown.wait(), 0)
            self.assertNotIn(ENTER, shown.drawn)
            self.assertIn("requests/s", shown.drawn)

    def test_it_draws_what_happens_until_q_is_typed(self):
        with terminal(self.made) as shown:
            shown.wait_for_frame(lambda frame: "requests/s" in frame, "a frame")
            rate = re.compile(r"GET /who +([1-9]\d*\.?\d*|0\.[1-9])")

            def busy():
                self.ask()
                return next((frame for frame in shown.frames() if rate.search(frame)), None)
            self.assertRegex(wait_for(busy, "a frame that tells of the requests"), r"\d ms")
            self.assertFalse(shown.is_as_before())
            shown.type(b"x")
            shown.type(b"q")
            self.assertEqual(shown.wait(), 0)
            self.assertTrue(shown.drawn.startswith(ENTER))
            self.assertIn(LEAVE, shown.drawn)
            self.assertTrue(shown.is_as_before())

    def test_it_keeps_within_the_terminal_and_follows_its_size(self):
        with terminal(self.made, columns=100, rows=30) as shown:
            shown.wait_for_frame(lambda frame: "requests/s" in frame, "a frame")
            for columns, rows in ((40, 10), (200, 60), (20, 3)):
                seen = len(shown.read().split(CLEAR))
                shown.resize(columns, rows)
                shown.child.send_signal(signal.SIGWINCH)

                def fits(frame, columns=columns, rows=rows):
                    have = lines(frame)
                    return (len(have) <= rows and all(len(line) <= columns for line in have) and
                            (columns < 50 or any(len(line) > 60 for line in have)))
                wait_for(lambda: len(shown.frames()) > seen + 2, "frames of the new size")
                for frame in shown.frames()[seen + 1:]:
                    self.assertTrue(fits(frame), (columns, rows, lines(frame)))
            shown.type(b"q")
            self.assertEqual(shown.wait(), 0)

    def test_a_signal_gives_the_terminal_back(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            with terminal(self.made) as shown:
                shown.wait_for_frame(lambda frame: "requests/s" in frame, "a frame")
                shown.child.send_signal(number)
                self.assertEqual(shown.wait(), 0)
                self.assertIn(LEAVE, shown.drawn)
                self.assertTrue(shown.is_as_before())

    def test_an_interval_that_is_none_is_refused(self):
        for interval in ("soon", "1 ms", "2 h", "-1 s"):
            done = self.made.rtctl("top", "--interval", interval)
            self.assertEqual(done.returncode, 2)
            self.assertIn(f"`{interval}` is no interval from 100 ms to 1 h", done.stdout)


class Slow:
    """A control socket that passes all on to another; `wait` keeps an answer back until it is set."""

    def __init__(self, made):
        self.path = made.path("slow")
        [self.beyond] = glob.glob(os.path.join(made.runtime, "*.sock"))
        self.wait = threading.Event()
        self.wait.set()
        self.asked = threading.Event()
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.bind(self.path)
        self.socket.listen()
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.socket.accept()
                with connection, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as rtd:
                    rtd.connect(self.beyond)
                    rtd.sendall(connection.recv(4096))
                    self.asked.set()
                    self.wait.wait(LIMIT)
                    while part := rtd.recv(65536):
                        connection.sendall(part)

    def close(self):
        self.wait.set()
        self.socket.close()


class Going(unittest.TestCase):
    def test_a_window_that_changes_during_an_answer_is_no_end_and_a_signal_is(self):
        with deployment(("meter",)) as made, contextlib.ExitStack() as stack:
            made.start_ready()
            slow = Slow(made)
            stack.callback(slow.close)
            with terminal(made, "--socket", slow.path) as shown:
                shown.wait_for_frame(lambda frame: "requests/s" in frame, "a frame")
                for last in (False, True):
                    slow.wait.clear()
                    slow.asked.clear()
                    self.assertTrue(slow.asked.wait(LIMIT))
                    seen = len(shown.frames())
                    shown.child.send_signal(signal.SIGTERM if last else signal.SIGWINCH)
                    if not last:
                        slow.wait.set()
                        wait_for(lambda: len(shown.frames()) > seen + 2, "frames after it")
                self.assertEqual(shown.wait(), 0)
                self.assertNotIn("no more", shown.drawn)


    def test_it_ends_when_rtd_does_and_says_so(self):
        with deployment(("meter",)) as made:
            made.start_ready()
            with terminal(made) as shown:
                shown.wait_for_frame(lambda frame: "requests/s" in frame, "a frame")
                self.assertEqual(made.stop(), 0)
                self.assertEqual(shown.wait(), 69)
                self.assertIn("rtd answers no more", shown.drawn.split(LEAVE)[1])
                self.assertTrue(shown.is_as_before())

    def test_nobody_there_is_69(self):
        with deployment(("meter",)) as made:
            done = made.rtctl("top")
            self.assertEqual(done.returncode, 69, done.stdout)
            self.assertIn("no rtd answers", done.stdout)

    def test_it_shows_both_generations_while_one_drains(self):
        with deployment(("meter",), 'drain_timeout = "20 s";\n') as made:
            made.start_ready()
            with contextlib.ExitStack() as stack:
                reader = stack.enter_context(subprocess.Popen(
                    ["curl", "-sN", f"http://127.0.0.1:{made.port}/stream?stay"],
                    stdout=subprocess.PIPE))
                self.assertIn(b"first", reader.stdout.readline() + reader.stdout.readline())
                self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
                done = made.rtctl("top", "--once", "--interval", "100 ms")
                self.assertEqual(done.returncode, 0, done.stdout)
                self.assertRegex(done.stdout, r"(?m)^ +2 +1 +\d+ ready ")
                reader.kill()
            self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
