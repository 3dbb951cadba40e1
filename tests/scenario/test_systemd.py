"""rtd under a service manager: sd_notify, the watchdog, passed sockets, and the unit itself."""

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from deployment import BUILD, LIMIT, deployment, free_port, read, wait_for
from traffic import Traffic

PREFIX = os.environ["RT_PREFIX"]
UNITS = os.path.join(PREFIX, "lib", "systemd", "system")
PERMITTED = os.path.join(BUILD, "tests", "programs", "permitted")
PAIR = ("front", "store")
STORE = 'store: { trace = "$TRACE"; label = "hello"; };\n'
FRONT = STORE + 'front: { trace = "$TRACE"; };\n'
# What runs in the child before it becomes rtd: the pid that is to be told is its own.
PASS = 'export LISTEN_PID=$$ WATCHDOG_PID=$$; exec "$@"'


class Manager:
    """The receiving end of NOTIFY_SOCKET."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.socket.settimeout(0)
        self.news = []

    def read(self):
        with contextlib.suppress(BlockingIOError):
            while True:
                self.news.append(self.socket.recv(4096).decode())
        return self.news

    def wait_for(self, text):
        def found():
            return next((one for one in self.read() if text in one.split("\n")), None)
        return wait_for(found, f"`{text}` among {self.news}")

    def states(self, count):
        """What was told of states, once it is so many."""
        words = ("READY=1\n", "RELOADING=1\n", "STOPPING=1\n")
        def found():
            told = [one for one in self.read() if one.startswith(words)]
            return told if len(told) >= count else None
        return wait_for(found, f"{count} states among {self.news}")

    def count(self, text):
        return sum(text in one.split("\n") for one in self.read())


@contextlib.contextmanager
def managed(config=FRONT, name=None, plugins=PAIR):
    with deployment(plugins, config) as made:
        name = name or made.path("notify")
        manager = Manager("\0" + name[1:] if name.startswith("@") else name)
        with contextlib.closing(manager.socket):
            yield made, manager, {"NOTIFY_SOCKET": name}


class Notify(unittest.TestCase):
    def test_ready_and_stopping_are_told_with_a_status(self):
        with managed() as (made, manager, variables):
            made.start_ready(environment=variables)
            ready = manager.wait_for("READY=1")
            self.assertEqual(ready, f"READY=1\nSTATUS=http://127.0.0.1:{made.port}, 2 modules")
            self.assertEqual(manager.count("STOPPING=1"), 0)
            self.assertEqual(made.stop(), 0)
            self.assertEqual(manager.wait_for("STOPPING=1"), "STOPPING=1\nSTATUS=stopping")

    def test_a_start_that_fails_is_never_ready(self):
        with managed('store: { goes_wrong = "start"; };\n') as (made, manager, variables):
            made.start(environment=variables)
            self.assertEqual(made.wait(), 69)
            self.assertEqual(manager.count("READY=1"), 0)

    def test_a_start_asks_for_as_much_time_as_it_may_take(self):
        with managed('start_timeout = "100 s";\n' + FRONT) as (made, manager, variables):
            made.start_ready(environment=variables)
            asked = [int(one.partition("=")[2]) for one in manager.read()
                     if one.startswith("EXTEND_TIMEOUT_USEC=")]
            self.assertTrue(asked)
            for microseconds in asked:
                self.assertGreater(microseconds, 100e6)
                self.assertLess(microseconds, 110e6)

    def test_a_stop_asks_for_the_time_to_drain(self):
        with managed('drain_timeout = "200 s";\n' + FRONT) as (made, manager, variables):
            made.start_ready(environment=variables)
            manager.wait_for("READY=1")
            before = len(manager.read())
            self.assertEqual(made.stop(), 0)
            asked = [int(one.partition("=")[2]) for one in manager.read()[before:]
                     if one.startswith("EXTEND_TIMEOUT_USEC=")]
            self.assertTrue(asked)
            self.assertGreater(asked[0], 200e6)

    def test_a_reload_is_told_from_its_beginning_to_its_end(self):
        with managed() as (made, manager, variables):
            made.start_ready(environment=variables)
            manager.wait_for("READY=1")
            before = time.monotonic_ns() // 1000
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            after = time.monotonic_ns() // 1000
            told = manager.states(3)
            self.assertRegex(told[1], r"^RELOADING=1\nMONOTONIC_USEC=\d+\nSTATUS=reloading$")
            began = int(re.search(r"USEC=(\d+)", told[1]).group(1))
            self.assertLess(before, began)
            self.assertLess(began, after)
            self.assertRegex(told[2], r"^READY=1\nSTATUS=reloaded: generation 2, "
                             rf"http://127.0.0.1:{made.port}, 2 modules, \d+ ms$")

    def test_a_reload_that_fails_ends_ready_as_well_and_says_so(self):
        bad = {"nonsense = 1;\n" + FRONT: "is not fit for development",
               'store: { goes_wrong = "start"; };\n': "`store`"}
        for config, reason in bad.items():
            with self.subTest(reason), managed() as (made, manager, variables):
                made.start_ready(environment=variables)
                made.write(config)
                self.assertNotEqual(made.rtctl("reload", "--wait").returncode, 0)
                told = manager.states(3)
                self.assertEqual([one.split("\n")[0] for one in told],
                                 ["READY=1", "RELOADING=1", "READY=1"])
                self.assertIn("\nSTATUS=not reloaded, generation 1 goes on: ", told[2])
                self.assertIn(reason, told[2])

    def test_a_reload_asks_for_as_much_time_as_it_may_take(self):
        with managed() as (made, manager, variables):
            made.start_ready(environment=variables)
            made.write('start_timeout = "300 s";\n' + FRONT)
            before = len(manager.read())
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            asked = [int(one.partition("=")[2]) for one in manager.read()[before:]
                     if one.startswith("EXTEND_TIMEOUT_USEC=")]
            self.assertTrue(asked)
            self.assertGreater(min(asked), 300e6)

    def test_a_stop_during_a_reload_is_the_last_that_is_told(self):
        with managed() as (made, manager, variables):
            made.start_ready(environment=variables)
            made.write('start_timeout = "20 s";\nstore: { goes_wrong = "hang"; };\n')
            made.process.send_signal(signal.SIGHUP)
            manager.wait_for("RELOADING=1")
            made.process.send_signal(signal.SIGTERM)
            made.wait()
            self.assertEqual([one.split("\n")[0] for one in manager.states(3)],
                             ["READY=1", "RELOADING=1", "STOPPING=1"])

    def test_an_upgraded_rtd_tells_the_manager_likewise_and_its_workers_nothing(self):
        with managed() as (made, manager, variables):
            made.start_ready(environment={**variables, "WATCHDOG_USEC": "100000"})
            outcome = made.rtctl("upgrade")
            self.assertEqual(outcome.returncode, 0, outcome.stdout)
            told = manager.states(3)
            self.assertEqual([one.split("\n")[0] for one in told],
                             ["READY=1", "RELOADING=1", "READY=1"])
            self.assertIn("STATUS=reloaded: generation 2, ", told[2])
            signs = manager.count("WATCHDOG=1")
            wait_for(lambda: manager.count("WATCHDOG=1") > signs + 3, "signs of life")
            for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "RTD_HANDOVER"):
                self.assertEqual(made.get(f"/variable/{name}")[1], "(unset)", name)
            self.assertEqual(made.stop(), 0)
            self.assertEqual(manager.wait_for("STOPPING=1"), "STOPPING=1\nSTATUS=stopping")

    def test_news_wait_for_a_manager_that_is_slow_to_read_and_keep_their_order(self):
        with managed() as (made, manager, variables):
            made.start(environment={**variables, "WATCHDOG_USEC": "2000"})
            made.wait_for_log("ready: ")
            most = int(read("/proc/sys/net/unix/max_dgram_qlen")) + 1
            fill = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            with contextlib.closing(fill), contextlib.suppress(BlockingIOError):
                fill.setblocking(False)
                for _ in range(most):
                    fill.sendto(b"FULL=1", variables["NOTIFY_SOCKET"])
            for _ in range(2):
                self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            self.assertEqual([one.split("\n")[0] for one in manager.states(5)], ["READY=1", *["RELOADING=1", "READY=1"] * 2])

    def test_an_abstract_socket_serves_too(self):
        name = f"@rt-test-{os.getpid()}"
        with managed(name=name) as (made, manager, variables):
            made.start_ready(environment=variables)
            manager.wait_for("READY=1")

    def test_a_manager_that_is_gone_is_no_matter(self):
        with managed() as (made, manager, variables):
            manager.socket.close()
            os.unlink(variables["NOTIFY_SOCKET"])
            made.start_ready(environment=variables)
            self.assertEqual(made.get("/who")[0], 200)
            self.assertEqual(made.stop(), 0)

    def test_workers_learn_nothing_of_the_manager(self):
        with managed() as (made, manager, variables):
            made.start_ready(environment={**variables, "WATCHDOG_USEC": "9000000",
                                          "LISTEN_FDS": "0", "LISTEN_PID": "1",
                                          "LISTEN_FDNAMES": "x", "WATCHDOG_PID": "1",
                                          "CREDENTIALS_DIRECTORY": made.folder})
            for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS",
                         "LISTEN_PID", "LISTEN_FDNAMES", "CREDENTIALS_DIRECTORY"):
                self.assertEqual(made.get(f"/variable/{name}")[1], "(unset)", name)
            self.assertIn("/", made.get("/variable/PATH")[1])


class Watchdog(unittest.TestCase):
    def test_signs_of_life_come_as_long_as_a_worker_turns(self):
        with managed() as (made, manager, variables):
            made.start_ready(environment={**variables, "WATCHDOG_USEC": "100000"})
            wait_for(lambda: manager.count("WATCHDOG=1") >= 5, "five signs of life")

    def test_none_come_once_the_only_worker_hangs(self):
        with managed() as (made, manager, variables):
            made.start_ready(environment={**variables, "WATCHDOG_USEC": "100000"})
            manager.wait_for("WATCHDOG=1")
            with socket.create_connection(("127.0.0.1", made.port)) as client:
                client.sendall(b"GET /spin HTTP/1.1\r\nHost: x\r\n\r\n")
                made.wait_for_trace("spin front")
                made.wait_for_log("no worker goes on: the watchdog of the service manager hears "
                                  "nothing until one does")
                told = manager.count("WATCHDOG=1")
                worker, = workers_of(made.process.pid)
                os.kill(worker, signal.SIGKILL)
                made.wait_for_log("serves again")
                wait_for(lambda: manager.count("WATCHDOG=1") > told, "another sign of life")
                self.assertEqual(made.log().count("no worker goes on"), 1)

    def test_a_watchdog_of_another_process_is_none_of_ours(self):
        with managed() as (made, manager, variables):
            made.start_ready(environment={**variables, "WATCHDOG_USEC": "100000",
                                          "WATCHDOG_PID": "1"})
            manager.wait_for("READY=1")
            self.assertEqual(made.get("/who")[0], 200)
            self.assertEqual(made.stop(), 0)
            self.assertEqual(manager.count("WATCHDOG=1"), 0)


def workers_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def listening(family=socket.AF_INET, address="127.0.0.1", kind=socket.SOCK_STREAM, both=False):
    made = socket.socket(family, kind)
    if family == socket.AF_INET6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0 if both else 1)
    if family != socket.AF_UNIX:
        made.bind((address, free_port()))
    if kind == socket.SOCK_STREAM:
        made.listen()
    return made


class Passed(unittest.TestCase):
    @contextlib.contextmanager
    def started(self, sockets, listen=None, fds=None):
        """rtd with these sockets from descriptor 3 on; it is to serve the first."""
        with deployment(PAIR, FRONT) as made, contextlib.ExitStack() as stack:
            for one in sockets:
                stack.enter_context(one)
            if sockets[0].family != socket.AF_UNIX:
                made.port = sockets[0].getsockname()[1]
            made.ports = [made.port]
            made.write(FRONT)
            arguments = ["--set", f'http.listen=["{listen.format(port=made.port)}"]',
                         "--set", "http.allow_remote=true"] if listen else []
            # The child's numbers: dup2 in the shell, as a service manager does it.
            moves = " ".join(f"{3 + i}<&{one.fileno()}" for i, one in enumerate(sockets))
            highest = max(one.fileno() for one in sockets)
            self.assertGreater(min(one.fileno() for one in sockets), 2 + len(sockets), highest)
            command = ["bash", "-c", f'exec {moves}; ' + PASS, "bash", *made.command(*arguments)]
            made.command = lambda *_: command
            made.start_ready(environment={"LISTEN_FDS": str(fds or len(sockets))},
                             pass_fds=[one.fileno() for one in sockets])
            yield made

    @staticmethod
    def spare(count=8):
        """Takes the low descriptors, so that those of the test lie above those that are passed."""
        return [os.open("/dev/null", os.O_RDONLY) for _ in range(count)]

    def setUp(self):
        for fd in self.spare():
            self.addCleanup(os.close, fd)

    def test_a_passed_socket_serves_the_address_it_is_bound_to(self):
        with self.started([listening()]) as made:
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertNotIn("service manager", made.log())
            self.assertEqual(made.stop(), 0)

    def test_connections_that_came_before_the_start_are_answered(self):
        passed = listening()
        with socket.create_connection(passed.getsockname()) as early:
            early.sendall(b"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            with self.started([passed]) as made:
                early.settimeout(LIMIT)
                answer = b""
                while part := early.recv(4096):
                    answer += part
                self.assertTrue(answer.startswith(b"HTTP/1.1 200 "), answer)
                self.assertEqual(made.stop(), 0)

    def test_an_address_that_a_reload_takes_away_and_another_brings_back_is_the_same_socket(self):
        with self.started([listening()]) as made:
            passed, other = made.port, free_port()
            for port in (other, passed):
                made.ports, made.port = [port], port
                made.write(FRONT)
                outcome = made.rtctl("reload", "--wait")
                self.assertEqual(outcome.returncode, 0, outcome.stdout)
                self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_a_passed_socket_survives_an_upgrade_and_no_request_is_lost(self):
        with self.started([listening()]) as made, Traffic(made.port) as traffic:
            for number in (2, 3):
                outcome = made.rtctl("upgrade")
                self.assertEqual(outcome.returncode, 0, outcome.stdout)
                self.assertIn(f"reloaded: generation {number}, http://127.0.0.1:{made.port}, ",
                              outcome.stdout)
                traffic.wait_for_more()
            self.assertEqual(traffic.lost, [])
            self.assertNotIn("service manager", made.log())

    def test_one_that_no_setting_names_is_a_warning(self):
        other = listening()
        port = other.getsockname()[1]
        with self.started([listening(), other]) as made:
            self.assertIn(f"the service manager passed a socket for `127.0.0.1:{port}`, which no "
                          "setting names: it is not served", made.log())
            self.assertEqual(made.get("/who"), (200, "hello"))

    def test_what_is_no_listening_stream_socket_is_a_warning(self):
        with self.started([listening(), listening(kind=socket.SOCK_DGRAM)]) as made:
            self.assertIn("descriptor 4, which the service manager passed, is no listening stream "
                          "socket", made.log())
            self.assertEqual(made.get("/who"), (200, "hello"))

    def test_one_socket_for_both_families_serves_all_addresses(self):
        with self.started([listening(socket.AF_INET6, "::", both=True)], "*:{port}") as made:
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertNotIn("service manager", made.log())
            self.assertEqual(made.log().count(f":{made.port},"), 1)

    def test_a_unix_socket_is_matched_by_its_path_and_its_file_stays(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "http.sock")
            passed = socket.socket(socket.AF_UNIX)
            passed.bind(path)
            passed.listen()
            with self.started([passed], f"unix:{path}") as made:
                self.assertNotIn("service manager", made.log())
                with socket.socket(socket.AF_UNIX) as client:
                    client.settimeout(LIMIT)
                    client.connect(path)
                    client.sendall(b"GET /who HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
                    self.assertTrue(client.recv(4096).startswith(b"HTTP/1.1 200 "))
                self.assertEqual(made.stop(), 0)
            self.assertTrue(os.path.exists(path))

    def test_the_address_must_be_the_same(self):
        with self.started([listening(address="127.0.0.2")]) as made:
            self.assertIn("passed a socket for `127.0.0.2:", made.log())
            self.assertEqual(made.get("/who"), (200, "hello"))

    def test_what_is_meant_for_another_process_is_left_alone(self):
        with deployment(PAIR, FRONT) as made:
            made.start_ready(environment={"LISTEN_FDS": "2", "LISTEN_PID": "1"})
            self.assertNotIn("service manager", made.log())
            self.assertEqual(made.get("/who"), (200, "hello"))

    @unittest.skipUnless(shutil.which("systemd-socket-activate"), "there is no systemd here")
    def test_systemds_own_activation_works(self):
        with deployment(PAIR, FRONT) as made:
            command = ["systemd-socket-activate", f"--listen=127.0.0.1:{made.port}",
                       *(f"--setenv={name}={value}" for name, value in made.environment().items()
                         if name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "TMPDIR")),
                       *made.command()]
            made.command = lambda *_: command
            made.start()
            wait_for(lambda: "Listening on" in made.log(), "the socket")
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(signal.SIGTERM), 0)


@unittest.skipUnless(shutil.which("systemd-analyze"), "there is no systemd here")
class Unit(unittest.TestCase):
    def analyze(self, *arguments):
        return subprocess.run(["systemd-analyze", *arguments], text=True, check=False,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT)

    def test_its_exposure_is_below_3(self):
        outcome = self.analyze("security", "--offline=true", "--threshold=30", "--no-pager",
                               os.path.join(UNITS, "rtd.service"))
        self.assertEqual(outcome.returncode, 0, outcome.stdout)
        self.assertRegex(outcome.stdout, r"Overall exposure level for rtd.service: [012]\.\d")

    def test_systemd_finds_nothing_wrong_with_it_or_its_socket(self):
        outcome = self.analyze("verify", "--man=no", *(os.path.join(UNITS, name) for name in
                                                       ("rtd.service", "rtd.socket")))
        self.assertEqual((outcome.returncode, outcome.stdout), (0, ""))

    def lines(self, key):
        with open(os.path.join(UNITS, "rtd.service"), encoding="utf-8") as file:
            return re.findall(rf"^{key}=(.*)$", file.read(), re.MULTILINE)

    def members(self, name):
        """The system calls of a set, and of the sets in it."""
        if not name.startswith("@"):
            return {name}
        listed = self.analyze("syscall-filter", name).stdout.splitlines()
        words = [line.strip() for line in listed[1:] if line.startswith("    ")]
        return set().union(*(self.members(word) for word in words if not word.startswith("#")))

    def test_rtd_starts_reloads_and_is_upgraded_under_its_filter_of_system_calls(self):
        permitted = set(self.members("@default"))
        for line in self.lines("SystemCallFilter"):
            named = set().union(*(self.members(word) for word in line.lstrip("~").split()))
            permitted = permitted - named if line.startswith("~") else permitted | named
        self.assertGreater(len(permitted), 150)
        self.assertNotIn("mount", permitted)
        with deployment(PAIR, 'allow_root = true;\nlog: { format = "pretty"; };\n' + FRONT) as made:
            names = made.path("permitted")
            with open(names, "w", encoding="ascii") as file:
                file.write("".join(f"{name}\n" for name in sorted(permitted)))
            plain = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
            if os.geteuid() == 0:
                for path in (made.folder, made.temporary, made.runtime):
                    shutil.chown(path, 65534)
            command = [*(plain if os.geteuid() == 0 else []), PERMITTED, names,
                       *made.command("--environment", "production")]
            made.command = lambda *_: command
            # LeakSanitizer needs ptrace, which the unit refuses.
            sanitizers = made.environment()["ASAN_OPTIONS"]
            made.start_ready(environment={"ASAN_OPTIONS": sanitizers + ":detect_leaks=0"})
            self.assertIn("system calls filtered; files confined", made.log())
            self.assertEqual(made.get("/who"), (200, "hello"))
            for command in (("reload", "--wait"), ("upgrade",)):
                outcome = made.rtctl(*command)
                self.assertEqual(outcome.returncode, 0, outcome.stdout)
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_it_starts_what_is_installed(self):
        with open(os.path.join(UNITS, "rtd.service"), encoding="utf-8") as file:
            text = file.read()
        for key in ("ExecStart", "ExecReload"):
            program, = re.findall(rf"^{key}=(\S+)", text, re.MULTILINE)
            self.assertTrue(os.access(program, os.X_OK), program)
        self.assertIn("RestartPreventExitStatus=78\n", text)
        self.assertIn("--environment production\n", text)


if __name__ == "__main__":
    unittest.main()
