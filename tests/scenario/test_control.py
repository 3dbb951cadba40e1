"""The control socket: what rtctl asks of a running rtd, and who tries to hurt it there."""

import contextlib
import glob
import http.client
import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
import unittest

from deployment import LIMIT, RTCTL, TOP, deployment, wait_for

STORE = 'store: { trace = "$TRACE"; label = "hello"; };\n'
FRONT = 'front: { trace = "$TRACE"; };\n'
PLUGINS = ("front", "store")
PRODUCTION = ('environment = "production";\nallow_root = true;\nlog: { format = "pretty"; };\n'
              'workers = 2;\n')


def socket_of(made):
    [path] = glob.glob(os.path.join(made.runtime, "*.sock"))
    return path


def connect(path):
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(LIMIT)
    connection.connect(path)
    return connection


def reply(connection):
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def ask(path, line):
    connection = connect(path)
    connection.sendall(line)
    return reply(connection)


class Showing(unittest.TestCase):
    def test_status_shows_generation_and_workers(self):
        with deployment(PLUGINS, PRODUCTION + 'name = "shop";\n' + STORE + FRONT) as made:
            made.start_ready()
            outcome = made.rtctl("status")
            self.assertEqual(outcome.returncode, 0)
            lines = outcome.stdout.splitlines()
            self.assertRegex(lines[0], rf"^shop: rtd \S+, pid {made.process.pid}, production, up \d+ s$")
            self.assertRegex(lines[1], r"^generation 1, serving since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
            self.assertEqual(lines[2], f"  http://127.0.0.1:{made.port}")
            self.assertEqual(lines[3].split(), ["worker", "pid", "state", "age", "restarts", "crashes",
                                                "stalls"])
            for number in (1, 2):
                self.assertRegex(lines[3 + number], rf"^ +{number} +\d+ +ready +\d+ s +0 +0 +0$")
            self.assertEqual(len(lines), 6)
            self.assertEqual(made.stop(), 0)

    def test_status_for_programs_is_one_object(self):
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made:
            made.start_ready()
            shown = json.loads(made.rtctl("status", "--json").stdout)
            self.assertEqual(shown["pid"], made.process.pid)
            self.assertEqual((shown["environment"], shown["generation"], shown["last_reload"]),
                             ("production", 1, None))
            [generation] = shown["generations"]
            self.assertEqual(generation["listen"], [f"http://127.0.0.1:{made.port}"])
            self.assertEqual([worker["state"] for worker in generation["workers"]], ["ready"] * 2)
            self.assertIn(int(made.get("/pid")[1]), [worker["pid"] for worker in generation["workers"]])
            self.assertEqual(made.stop(), 0)

    def test_every_member_is_in_the_manual(self):
        def members(value):
            if isinstance(value, list):
                return set().union(*map(members, value))
            return set(value).union(*map(members, value.values())) if isinstance(value, dict) else set()
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            made.rtctl("reload", "--wait")
            shown = members(json.loads(made.rtctl("status", "--json").stdout))
            self.assertEqual(made.stop(), 0)
        with open(f"{TOP}/man/rtctl.1", encoding="utf-8") as file:
            words = set(re.findall(r"[a-z_]+", file.read().split(".It Cm status\n")[1].split(".It Cm stop\n")[0]))
        self.assertGreater(len(shown), 15)
        self.assertEqual(shown - words, set())

    def test_a_worker_that_was_replaced_counts_its_restarts(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            with contextlib.suppress(http.client.HTTPException, OSError):
                made.get("/crash")
            made.wait_for_log("serves again")
            shown = json.loads(made.rtctl("status", "--json").stdout)
            self.assertEqual(shown["generations"][0]["workers"][0]["restarts"], 1)
            self.assertEqual(made.stop(), 0)

    def test_the_last_reload_is_shown_with_its_outcome(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            made.rtctl("reload", "--wait")
            self.assertRegex(made.rtctl("status").stdout, r"\nlast reload \S+Z: generation 2, http")
            made.write("frnt: { };\n")
            made.rtctl("reload", "--wait")
            self.assertRegex(made.rtctl("status").stdout,
                             r"\nlast reload \S+Z: failed: runtime.conf is not fit for development\n")
            self.assertEqual(made.stop(), 0)

    def test_a_start_that_goes_on_is_shown(self):
        with deployment(PLUGINS, 'store: { trace = "$TRACE"; goes_wrong = "hang"; };\n' + FRONT) as made:
            made.start()
            made.wait_for_trace("start store")
            shown = json.loads(made.rtctl("status", "--json").stdout)
            self.assertEqual((shown["generation"], shown["generations"][0]["state"]), (None, "starting"))
            self.assertEqual(made.rtctl("stop", "--wait").returncode, 0)
            self.assertEqual(made.wait(), 0)


class Stopping(unittest.TestCase):
    def test_stop_stops(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            outcome = made.rtctl("stop")
            self.assertEqual((outcome.returncode, outcome.stdout), (0, "stopping\n"))
            self.assertEqual(made.wait(), 0)
            self.assertEqual(os.listdir(made.runtime), [])

    def test_stop_with_wait_ends_when_rtd_has_stopped(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            outcome = made.rtctl("stop", "--wait")
            self.assertEqual((outcome.returncode, outcome.stdout), (0, "stopped\n"))
            self.assertIn("stop store", made.trace())
            self.assertEqual(made.wait(), 0)

    def test_a_stop_by_force_is_said_to_who_waits(self):
        config = 'drain_timeout = "100 ms";\nfinalizer_timeout = "100 ms";\n' + STORE + FRONT
        with deployment(PLUGINS, config) as made:
            made.start_ready()
            connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=LIMIT)
            with contextlib.closing(connection):
                connection.request("GET", "/spin")
                made.wait_for_trace("spin front")
                outcome = made.rtctl("stop", "--wait")
            self.assertEqual((outcome.returncode, outcome.stdout), (70, "stopped by force\n"))
            self.assertEqual(made.wait(), 70)

    def test_nothing_else_is_begun_while_it_stops(self):
        with deployment(PLUGINS, 'shutdown_delay = "1 h";\n' + STORE + FRONT) as made:
            made.start_ready()
            made.rtctl("stop")
            for command in (("reload",), ("upgrade",)):
                outcome = made.rtctl(*command)
                self.assertEqual((outcome.returncode, outcome.stdout), (69, "rtd stops\n"))
            self.assertIn("stopping", made.rtctl("status").stdout)


class Logging(unittest.TestCase):
    def test_a_level_reaches_workers_that_run_and_those_that_replace_them(self):
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made:
            made.start_ready()
            made.get("/who")
            self.assertNotIn("probe.label completed", made.log())
            self.assertEqual(made.rtctl("log-level", "debug").stdout,
                             "all modules log from level debug until the next reload\n")
            self.become_loud(made)
            with contextlib.suppress(http.client.HTTPException, OSError):
                made.get("/crash")
            made.wait_for_log("serves again")
            self.become_loud(made)
            self.assertEqual(made.rtctl("log-level", "error").returncode, 0)
            self.assertEqual(made.stop(), 0)
            self.assertNotIn("SIGTERM: stopping", made.log())

    @staticmethod
    def become_loud(made):
        """Each worker is told in its own time."""
        before = made.log().count("probe.label completed")
        wait_for(lambda: made.get("/who") and made.log().count("probe.label completed") > before + 2,
                 "records of level debug")

    def test_a_level_can_be_set_for_one_module(self):
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made:
            made.start_ready()
            self.assertEqual(made.rtctl("log-level", "debug", "store").returncode, 0)
            self.assertEqual(made.rtctl("log-level", "trace", "rtd").returncode, 0)
            for _ in range(4):
                made.get("/who")
            self.assertNotIn("probe.label completed", made.log())
            self.assertEqual(made.rtctl("log-level", "debug", "front").stdout,
                             "front logs from level debug until the next reload\n")
            self.become_loud(made)
            self.assertEqual(made.stop(), 0)

    def test_the_next_reload_ends_it(self):
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made:
            made.start_ready()
            self.assertEqual(made.rtctl("log-level", "fatal").returncode, 0)
            made.rtctl("reload", "--wait")
            self.assertIn("reloaded: generation 2", made.log())
            self.assertEqual(made.stop(), 0)

    def test_a_level_or_module_that_is_unknown_is_refused(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            outcome = made.rtctl("log-level", "loud")
            self.assertEqual((outcome.returncode, outcome.stdout),
                             (64, "no log level `loud`: it is trace, debug, info, warn, error or fatal\n"))
            outcome = made.rtctl("log-level", "debug", "frnt")
            self.assertEqual((outcome.returncode, outcome.stdout), (64, "no module `frnt` runs\n"))
            self.assertEqual(made.rtctl("log-level", "debug", "front", "store").returncode, 2)
            self.assertEqual(made.rtctl("log-level").stdout, "debug\n")
            self.assertEqual(made.stop(), 0)


class Placing(unittest.TestCase):
    def test_it_is_for_its_owner_alone_and_goes_at_the_end(self):
        with deployment(PLUGINS, 'name = "my shop/2";\n' + STORE + FRONT) as made:
            made.start_ready()
            path = socket_of(made)
            self.assertRegex(os.path.basename(path), r"^rt-my_shop_2-[0-9a-f]{12}\.sock$")
            self.assertEqual(stat.S_IMODE(os.stat(path).st_mode), 0o600)
            self.assertEqual(made.stop(), 0)
            self.assertFalse(os.path.exists(path))

    def test_the_folder_of_the_service_comes_first(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            folder = made.path("service")
            os.mkdir(folder)
            variables = {"RUNTIME_DIRECTORY": f"{folder}:/elsewhere"}
            made.start_ready(environment=variables)
            self.assertTrue(stat.S_ISSOCK(os.stat(os.path.join(folder, "control")).st_mode))
            self.assertEqual(made.rtctl("status").returncode, 69)
            self.assertEqual(made.rtctl("status", environment=variables).returncode, 0)
            self.assertEqual(made.stop(), 0)

    def test_a_setting_places_it_and_rtctl_follows(self):
        with deployment(PLUGINS, 'control: { socket = "own.sock"; };\n' + STORE + FRONT) as made:
            made.start_ready()
            self.assertEqual(glob.glob(os.path.join(made.runtime, "*.sock")), [])
            self.assertEqual(made.rtctl("status").returncode, 0)
            alone = subprocess.run([RTCTL, "status", "--socket", made.path("own.sock")], text=True,
                                   stdout=subprocess.PIPE, timeout=LIMIT, check=False)
            self.assertIn(f"pid {made.process.pid}", alone.stdout)
            self.assertEqual(made.stop(), 0)
            self.assertFalse(os.path.exists(made.path("own.sock")))

    def test_without_an_rtd_that_answers_rtctl_says_so(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            outcome = made.rtctl("status")
            self.assertEqual(outcome.returncode, 69)
            self.assertEqual(outcome.stdout,
                             f"rtctl status: no rtd answers that was started with `{made.config}`; "
                             "`--socket PATH` names another one's control socket\n")
            outcome = made.rtctl("stop", "--socket", made.path("none"))
            self.assertEqual((outcome.returncode, outcome.stdout),
                             (69, f"rtctl stop: no rtd answers at `{made.path('none')}`: "
                                  "it does not exist\n"))

    def test_a_configuration_that_does_not_say_where_is_reported(self):
        with deployment(PLUGINS, 'control: { socket = "own.sock"; };\n' + STORE + FRONT) as made:
            made.start_ready()
            made.write('control: { socket = "own.sock"; };\nworkers = [ ;\n')
            outcome = made.rtctl("reload")
            self.assertEqual(outcome.returncode, 69)
            self.assertIn("error[RT01", outcome.stdout)
            self.assertIn("of `control.socket` cannot be read: `--socket PATH` names it\n",
                          outcome.stdout)
            outcome = made.rtctl("reload", "--wait", "--socket", made.path("own.sock"))
            self.assertEqual(outcome.returncode, 78, outcome.stdout)
            self.assertEqual(made.stop(), 0)

    def test_the_socket_of_a_killed_rtd_is_replaced(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            path = socket_of(made)
            made.process.kill()
            made.wait()
            self.assertTrue(os.path.exists(path))
            made.log_file = made.path("second.log")
            made.start_ready()
            self.assertIn(f"pid {made.process.pid}", made.rtctl("status").stdout)
            self.assertEqual(made.stop(), 0)
            self.assertFalse(os.path.exists(path))

    def test_a_socket_that_is_served_is_not_taken_and_the_second_rtd_serves_without(self):
        with deployment(PLUGINS, STORE + FRONT) as made, deployment(PLUGINS, STORE + FRONT) as other:
            made.start_ready()
            path = socket_of(made)
            other.start_ready("--set", f'control.socket="{path}"')
            self.assertIn(f"no control socket at `{path}`: another rtd, or something else, is there",
                          other.log())
            self.assertEqual(other.get("/who"), (200, "hello"))
            self.assertEqual(other.stop(), 0)
            self.assertIn(f"pid {made.process.pid}", made.rtctl("status").stdout)
            self.assertEqual(made.stop(), 0)

    def test_what_is_no_socket_is_left_alone(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            path = made.path("precious")
            with open(path, "w", encoding="utf-8") as file:
                file.write("text")
            made.start_ready("--set", f'control.socket="{path}"')
            self.assertIn(f"no control socket at `{path}`", made.log())
            self.assertEqual(made.stop(), 0)
            with open(path, encoding="utf-8") as file:
                self.assertEqual(file.read(), "text")

    def test_a_path_that_is_too_long_is_said_and_rtd_serves_all_the_same(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready("--set", f'control.socket="{made.folder}/{"d" * 100}"')
            self.assertIn("its path is too long", made.log())
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)


def as_nobody(path):
    """What another user gets from the socket."""
    code = ("import os, socket, sys\nos.setuid(65534)\ns = socket.socket(socket.AF_UNIX)\n"
            "try:\n s.connect(sys.argv[1])\n s.sendall(b'stop\\n')\n print(s.recv(100))\n"
            "except OSError as e:\n print(type(e).__name__)\n")
    return subprocess.run([sys.executable, "-c", code, path], text=True, stdout=subprocess.PIPE,
                          timeout=LIMIT, check=True).stdout.strip()


class Attacked(unittest.TestCase):
    def serves_on(self, made):
        self.assertEqual(made.rtctl("status").returncode, 0)
        self.assertEqual(made.get("/who"), (200, "hello"))
        self.assertEqual(made.stop(), 0)

    def test_odd_requests_are_refused(self):
        odd = {b"\n": "a request is a line of 1 to 16 words",
               b"   \r\n": "a request is a line of 1 to 16 words",
               b"status " + b"x " * 40 + b"\n": "a request is a line of 1 to 16 words",
               b"x" * 1024: "the request is too long",
               b"status\0json\n": "the request is no text",
               b"\x1b[2J\n": "the request is no text",
               b"statu\n": "this rtd knows no command `statu`",
               b"status json more\n": "usage: status [json]",
               b"\xff\xfe\n": "this rtd knows no command"}
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            for line, answer in odd.items():
                with self.subTest(line=line):
                    connection = connect(socket_of(made))
                    connection.sendall(line)
                    with connection:
                        said = b"".join(iter(lambda: connection.recv(65536), b""))
                    said = said.decode(errors="replace")
                    self.assertIn(answer, said)
                    self.assertTrue(said.endswith("exit 64\n"))
            self.serves_on(made)

    def test_a_line_without_end_is_cut(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            connection = connect(socket_of(made))
            with connection, contextlib.suppress(OSError):
                for _ in range(4096):
                    connection.sendall(b"x" * 4096)
                self.fail("16 MiB were taken")
            self.serves_on(made)

    def test_whoever_leaves_in_the_middle_leaves_nothing_behind(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            before = len(os.listdir(f"/proc/{made.process.pid}/fd"))
            for line in (b"", b"sta", b"status\n", b"status\nstatus\n", b"reload wait\n") * 10:
                connection = connect(socket_of(made))
                connection.sendall(line)
                connection.close()
            wait_for(lambda: made.rtctl("status").returncode == 0 and
                     len(os.listdir(f"/proc/{made.process.pid}/fd")) <= before + 4, "descriptors")
            self.serves_on(made)

    def test_many_who_say_nothing_do_not_keep_others_out(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            with contextlib.ExitStack() as stack:
                for _ in range(60):
                    stack.enter_context(connect(socket_of(made)))
                self.assertEqual(made.rtctl("status").returncode, 0)
                self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
                self.serves_on(made)

    def test_a_slow_one_is_heard_and_the_others_need_not_wait(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            slow = connect(socket_of(made))
            for byte in b"status":
                slow.sendall(bytes([byte]))
                self.assertEqual(made.rtctl("status").returncode, 0)
            slow.sendall(b"\n")
            self.assertIn("exit 0\n", reply(slow))
            self.serves_on(made)

    def test_another_user_is_not_heard(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become another user")
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            path = socket_of(made)
            for folder in (made.folder, made.runtime):
                os.chmod(folder, 0o755)
            self.assertEqual(as_nobody(path), "PermissionError")
            os.chmod(path, 0o666)
            self.assertIn(as_nobody(path), ("b''", "BrokenPipeError", "ConnectionResetError"))
            self.serves_on(made)

    def test_a_stopped_rtd_that_is_asked_answers_when_it_goes_on(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            os.kill(made.process.pid, signal.SIGSTOP)
            connection = connect(socket_of(made))
            connection.sendall(b"status\n")
            os.kill(made.process.pid, signal.SIGCONT)
            self.assertIn("exit 0\n", reply(connection))
            self.serves_on(made)


if __name__ == "__main__":
    unittest.main()
