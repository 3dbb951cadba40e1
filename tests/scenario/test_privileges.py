"""What workers give up: user, capabilities, system calls and files; and what gives it back.

The tests that change users run as root and are skipped otherwise; the last class runs rtd as a
plain user, whoever runs the tests.
"""

import concurrent.futures
import contextlib
import http.client
import json
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import unittest

from deployment import LIMIT, RTCTL, RTD, deployment, read, wait_for

NOBODY = pwd.getpwnam("nobody")
STAGING = 'environment = "production";\nlog: { format = "pretty"; level = "debug"; };\n'
USER = 'user = "nobody";\n'
STORE = 'store: { trace = "$TRACE"; label = "hello"; };\n'
FRONT = STORE + 'front: { trace = "$TRACE"; };\n'
PAIR = ("front", "store")
with open(RTD, "rb") as program:
    SANITIZED = b"__asan_init" in program.read()

# What is tried, and what comes of it with and without what RT_NEEDS asks for. Without: the filter.
# With it: the kernel's own answer, which is never the filter's.
REFUSED = {"execve": "EPERM", "ptrace": "EPERM", "readv": "EPERM", "unshare": "EPERM",
           "clone": "EPERM", "clone3": "ENOSYS", "keyctl": "EPERM", "io_uring_setup": "ENOSYS",
           "faults": "EPERM", "perf": "EPERM"}
ALWAYS_REFUSED = {"mount": "EPERM", "bpf": "EPERM", "reboot": "EPERM", "terminal": "EPERM",
                  "root": "EPERM"}
ASKED = {"execve": "done", "ptrace": "done", "readv": "done", "clone3": "EINVAL",
         "io_uring_setup": "EFAULT", "faults": "EINVAL", "perf": "E2BIG"}


def is_root():
    return os.geteuid() == 0


def is_free(port):
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def open_to_all(made):
    """The folder of a deployment, for a worker that is somebody else."""
    for path in (made.folder, made.temporary):
        os.chmod(path, 0o755)
    with open(made.trace_file, "a", encoding="ascii"):
        os.chmod(made.trace_file, 0o666)
    return made


def workers_of(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def status_of(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return dict(re.split(r":\s*", line.rstrip("\n"), maxsplit=1) for line in file)


def limits_of(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        return {line[:26].strip(): line[26:].split()[:2] for line in file}


def records(made, text):
    found = [json.loads(line) for line in made.log().splitlines() if line.startswith("{")]
    return [record for record in found if text in record["message"]]


class Sandbox(unittest.TestCase):
    """The filter of system calls and Landlock, whoever the user is."""

    def attempts(self, made, names):
        return {name: made.get(f"/try/{name}")[1] for name in names}

    def config(self, made, module, *more):
        os.mkdir(made.path("given"))
        os.mkdir(made.path("kept"))
        os.mkdir(made.path("outside"))
        for path in ("given/input", "outside/there"):
            with open(made.path(path), "w", encoding="ascii") as file:
                file.write("text\n")
        self.settings(made, module, *more)

    def settings(self, made, module, *more):
        made.write("\n".join((
            'allow_root = true;', f'{module}: {{ input = "{made.path("given/input")}";',
            f'output = "{made.path("kept/output")}"; outside = "{made.path("outside")}"; }};',
            *more)))

    @contextlib.contextmanager
    def trespasser(self, module, *more):
        with deployment((module,)) as made:
            self.config(made, module, *more)
            made.start_ready()
            yield made
            self.assertEqual(made.stop(), 0)

    def test_what_a_server_does_without_is_refused(self):
        with self.trespasser("trespasser") as made:
            expected = {**REFUSED, **ALWAYS_REFUSED}
            if SANITIZED:  # LeakSanitizer needs it
                expected["ptrace"] = "done"
            if is_root():  # root it is already, and stays
                expected["root"] = "done"
            self.assertEqual(self.attempts(made, expected), expected)

    def test_a_manifest_asks_for_it_and_the_start_says_so(self):
        with self.trespasser("trespasser-asks") as made:
            self.assertEqual(self.attempts(made, ASKED), ASKED)
            self.assertEqual(self.attempts(made, ("mount", "bpf", "reboot")),
                             {"mount": "EPERM", "bpf": "EPERM", "reboot": "EPERM"})
            self.assertIn("sandbox: `trespasser-asks` needs `execute`, `debug`, `namespaces`, `keys`, "
                          "`uring`, `faults`, `profile`, which is open to all modules", made.log())

    def test_without_the_filter_the_kernel_answers(self):
        with self.trespasser("trespasser", "sandbox: { system_calls = false; };") as made:
            self.assertEqual(self.attempts(made, ASKED), ASKED)
            self.assertIn("system calls open", made.log())
            self.assertEqual(status_of(workers_of(made.process.pid)[0])["Seccomp"], "0")

    def test_files_that_no_setting_names_are_refused_in_production(self):
        with self.trespasser("trespasser", STAGING) as made:
            if "this kernel has no Landlock" in made.log():
                self.skipTest("this kernel has no Landlock")
            self.assertIn("files confined", made.log())
            answers = {path: made.get(path)[1] for path in
                       ("/input/read", "/input/write", "/output", "/outside/read", "/outside/write")}
            self.assertEqual(answers, {"/input/read": "done", "/input/write": "EACCES",
                                       "/output": "done", "/outside/read": "EACCES",
                                       "/outside/write": "EACCES"})
            self.assertEqual(os.listdir(made.path("kept")), ["output"])
            self.assertEqual(os.listdir(made.path("outside")), ["there"])

    def test_a_module_that_needs_files_has_them(self):
        with self.trespasser("trespasser-files", STAGING) as made:
            self.assertIn("files open, as a module asks", made.log())
            self.assertEqual(made.get("/outside/read")[1], "done")
            self.assertEqual(made.get("/outside/write")[1], "done")

    def test_files_are_open_in_development(self):
        with self.trespasser("trespasser") as made:
            self.assertIn("files open", made.log())
            self.assertEqual(made.get("/outside/write")[1], "done")

    def test_programs_that_a_module_runs_are_the_systems_own(self):
        with self.trespasser("trespasser-asks", STAGING) as made:
            self.assertEqual(made.get("/try/execve")[1], "done")

    def test_the_plan_shows_what_is_asked_for(self):
        with deployment(("trespasser-asks",)) as made:
            self.config(made, "trespasser-asks", "sandbox: { files = true; };")
            printed = made.rtctl("plan").stdout
            self.assertIn("     needs `execute`, `debug`,", printed)
            self.assertIn(f"     may read {made.path('given/input')} (input)\n", printed)
            self.assertIn(f"     may read and write {made.path('kept/output')} (output)\n", printed)
            self.assertRegex(printed, r"system calls: filtered; open to all modules: `execute`, ")
            self.assertRegex(printed, r"files: those above, and to read /usr /lib ")
            shown = made.rtctl("inspect", "trespasser-asks").stdout
            self.assertRegex(shown, r"needs +execute debug namespaces keys uring faults profile\n")

    def test_a_word_that_stands_for_nothing_is_an_error_of_the_manifest(self):
        with deployment(("trespasser-wrong",)) as made:
            outcome = made.rtctl("validate")
            self.assertNotEqual(outcome.returncode, 0)
            self.assertIn("moonlight", outcome.stdout)
            self.assertIn("needs", outcome.stdout)

    def test_the_load_child_is_confined_likewise(self):
        with deployment(("trespasser",)) as made:
            self.config(made, "trespasser", STAGING)
            outcome = made.rtctl("validate", "--load")
            self.assertEqual(outcome.returncode, 0, outcome.stdout)
            outcome = made.rtctl("validate", "--load", "--set", "limits.open_files=999999999")
            self.assertNotEqual(outcome.returncode, 0)
            self.assertIn("cannot be confined: cannot set `limits.open_files`", outcome.stdout)

    def test_limits_are_those_of_the_worker(self):
        limits = 'limits: { open_files = 321; memory = "1 GiB"; processes = 654; };\n'
        with self.trespasser("trespasser", limits) as made:
            own = limits_of(made.process.pid)
            found = limits_of(workers_of(made.process.pid)[0])
            self.assertEqual(found["Max open files"], ["321", "321"])
            self.assertEqual(found["Max processes"], ["654", "654"])
            size = str(1 << 30)
            self.assertEqual(found["Max data size"], own["Max data size"] if SANITIZED
                             else [size, size])
            self.assertIn("raise `limits.open_files`", made.log())

    def test_requests_that_find_no_memory_for_a_stack_are_refused_and_the_worker_lives(self):
        config = FRONT + 'limits: { memory = "96 MiB"; };\n' + STAGING + "allow_root = true;\n"
        with deployment(PAIR, config) as made, concurrent.futures.ThreadPoolExecutor(480) as pool:
            made.start_ready()
            worker, = workers_of(made.process.pid)
            answers = list(pool.map(lambda _: made.get("/slow/2000")[0], range(480)))
            self.assertEqual(set(answers), {200, 503})
            self.assertIn("no memory for a stack", made.log())
            self.assertEqual(made.get("/who")[0], 200)
            self.assertEqual(workers_of(made.process.pid), [worker])
            self.assertEqual(made.stop(), 0)

    def test_a_reload_gives_new_workers_the_new_sandbox_and_limits(self):
        with deployment(("trespasser",)) as made:
            self.config(made, "trespasser", "limits: { open_files = 1000; };")
            made.start_ready()
            self.assertEqual(made.get("/try/perf")[1], "EPERM")
            self.settings(made, "trespasser", "limits: { open_files = 999; };",
                          "sandbox: { system_calls = false; };")
            outcome = made.rtctl("reload", "--wait")
            self.assertEqual(outcome.returncode, 0, outcome.stdout)
            made.wait_for_log("generation 1 has ended")
            worker, = workers_of(made.process.pid)
            self.assertEqual(limits_of(worker)["Max open files"], ["999", "999"])
            self.assertEqual(status_of(worker)["Seccomp"], "0")
            self.assertEqual(made.get("/try/perf")[1], ASKED["perf"])
            self.assertEqual(made.stop(), 0)

    def test_a_reload_gives_a_module_what_its_new_file_asks_for(self):
        with deployment(("trespasser",)) as made:
            self.config(made, "trespasser")
            made.start_ready()
            self.assertEqual(made.get("/try/execve")[1], "EPERM")
            os.unlink(os.path.join(made.plugins, "trespasser.so"))
            made.add("trespasser-asks")
            self.settings(made, "trespasser-asks")
            outcome = made.rtctl("reload", "--wait")
            self.assertEqual(outcome.returncode, 0, outcome.stdout)
            self.assertEqual(made.get("/try/execve")[1], "done")
            self.assertIn("sandbox: `trespasser-asks` needs `execute`", made.log())
            self.assertEqual(made.stop(), 0)

    def test_a_reload_whose_workers_cannot_be_confined_is_refused(self):
        with deployment(PAIR, 'allow_root = true;\n' + FRONT) as made:
            made.start_ready()
            made.write('limits: { open_files = 999999999; };\nallow_root = true;\n' + FRONT)
            outcome = made.rtctl("reload", "--wait")
            self.assertEqual(outcome.returncode, 69)
            self.assertIn("cannot be confined: cannot set `limits.open_files`", outcome.stdout)
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_a_limit_that_cannot_be_set_ends_the_start_and_is_named(self):
        with deployment(PAIR, 'limits: { open_files = 999999999; };\nallow_root = true;\n' + FRONT) as made:
            made.start()
            self.assertEqual(made.wait(), 69)
            self.assertIn("the workers of `rt` cannot be confined: cannot set `limits.open_files`: "
                          "Operation not permitted [RT0720]", made.last_line())


@unittest.skipUnless(is_root(), "only root can become somebody else")
class Root(unittest.TestCase):
    @contextlib.contextmanager
    def started(self, config="", plugins=PAIR, **options):
        with deployment(plugins, USER + config + FRONT) as made:
            open_to_all(made).start_ready(**options)
            yield made

    def assert_powerless(self, status, user=NOBODY):
        self.assertEqual(status["Uid"], "\t".join([str(user.pw_uid)] * 4))
        self.assertEqual(status["Gid"], "\t".join([str(user.pw_gid)] * 4))
        self.assertEqual(status["Groups"].split(), [str(user.pw_gid)])
        self.assertEqual(status["NoNewPrivs"], "1")
        self.assertEqual(status["Seccomp"], "2")
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)

    def test_workers_become_the_user_and_have_no_privilege_left(self):
        with self.started(STAGING + "workers = 2;\n") as made:
            workers = workers_of(made.process.pid)
            self.assertEqual(len(workers), 2)
            for pid in workers:
                self.assert_powerless(status_of(pid))
            self.assertEqual(status_of(made.process.pid)["Uid"].split()[0], "0")
            self.assertIn(f"workers: user {NOBODY.pw_uid}, group {NOBODY.pw_gid}; "
                          "system calls filtered; files ", made.log())
            self.assertEqual(made.get("/who")[0], 200)
            self.assertEqual(made.stop(), 0)

    def test_every_thread_of_a_worker_is_as_powerless(self):
        with self.started(STAGING) as made:
            pid = workers_of(made.process.pid)[0]
            threads = os.listdir(f"/proc/{pid}/task")
            for thread in threads:
                self.assert_powerless(status_of(f"{pid}/task/{thread}"))

    def test_production_is_fit_for_root_once_a_user_is_named(self):
        with self.started(STAGING) as made:
            self.assertNotIn("runs as root", made.log())

    def test_production_refuses_root_without_a_user_or_with_the_user_root(self):
        for config in ("", 'user = "root";\n', 'user = "0";\n'):
            with self.subTest(config=config), deployment(PAIR, config + STAGING + FRONT) as made:
                made.start()
                self.assertEqual(made.wait(), 78)
                self.assertIn("error[RT0407]: this runs as root", made.log())
                self.assertEqual(made.trace(), [])

    def test_there_is_no_way_back(self):
        with deployment(("trespasser",), USER + 'trespasser: { input = "/etc/passwd"; '
                        'output = "/dev/null"; };\n') as made:
            open_to_all(made).start_ready()
            self.assertEqual(made.get("/try/root"), (200, "EPERM"))

    def test_a_group_can_be_named_and_numbers_serve_too(self):
        with deployment(PAIR, f'user = "{NOBODY.pw_uid}";\ngroup = "daemon";\n' + FRONT) as made:
            open_to_all(made).start_ready()
            status = status_of(workers_of(made.process.pid)[0])
            self.assertEqual(status["Uid"].split()[0], str(NOBODY.pw_uid))
            self.assertEqual(status["Gid"].split()[0], "1")

    def test_a_number_without_a_name_needs_a_group(self):
        with deployment(PAIR, 'user = "54321";\ngroup = "54321";\n' + FRONT) as made:
            open_to_all(made).start_ready()
            status = status_of(workers_of(made.process.pid)[0])
            self.assertEqual(status["Uid"].split()[0], "54321")
            self.assertEqual(status["Groups"].split(), [])

    def test_a_low_port_is_bound_as_root_and_served_as_the_user(self):
        port = next(number for number in range(600, 1000) if is_free(number))
        with deployment(PAIR, USER + FRONT) as made:
            made.port, made.ports = port, [port]
            made.write(USER + FRONT)
            open_to_all(made).start_ready()
            self.assertEqual(made.get("/who")[0], 200)
            self.assertEqual(made.stop(), 0)

    def test_the_access_log_is_roots_and_workers_write_to_it_over_reloads(self):
        with deployment(PAIR, USER + STAGING + FRONT) as made:
            log = made.path("private")
            os.mkdir(log, 0o700)
            log = os.path.join(log, "access.log")
            open_to_all(made).start_ready("--set", f'http.access_log.file="{log}"')
            for number in (1, 2):
                self.assertEqual(made.get(f"/who?{number}")[0], 200)
                wait_for(lambda: f"/who?{number}" in read(log), "a line")
                self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            self.assertEqual((os.stat(log).st_uid, os.stat(log).st_mode & 0o777), (0, 0o640))
            self.assertEqual(made.stop(), 0)

    def test_the_log_is_roots_and_workers_write_to_it(self):
        with deployment(PAIR, USER + FRONT) as made:
            open_to_all(made)
            log = made.path("private.log")
            made.start("--set", f'log.file="{log}"')
            wait_for(lambda: os.path.exists(log) and "ready: " in open(log, encoding="utf-8").read(),
                     "ready in the log")
            made.get("/fail")
            with open(log, encoding="utf-8") as file:
                self.assertIn("the cable is cut", file.read())
            self.assertEqual(os.stat(log).st_uid, 0)
            self.assertEqual(made.stop(), 0)

    def test_a_worker_that_crashed_is_replaced_by_one_that_is_as_powerless(self):
        with self.started(STAGING) as made:
            first = workers_of(made.process.pid)[0]
            with contextlib.suppress(OSError):
                made.get("/crash")
            made.wait_for_log("serves again")
            second = workers_of(made.process.pid)[0]
            self.assertNotEqual(first, second)
            self.assert_powerless(status_of(second))
            self.assertEqual(made.get("/who")[0], 200)

    def test_a_confined_worker_tells_of_crashes_and_stalls_as_any_other(self):
        config = USER + 'environment = "production";\nquarantine = true;\n'
        with deployment(("crasher",), config) as made:
            open_to_all(made).start_ready()
            self.assertEqual(made.get("/spin")[0], 200)
            made.wait_for_log("`GET /spin` of `crasher` held the loop")
            stall, = records(made, "holds the loop")
            for frame in ("crasher!spin+0x", "crasher!handle+0x", "rtd!run_body+0x"):
                self.assertIn(frame, stall["fields"]["backtrace"])
            with contextlib.suppress(OSError, http.client.HTTPException):
                made.get("/null")
            made.wait_for_log("serves again")
            crash, = records(made, "was ended by signal 11 (SIGSEGV) while it ran `GET /null`")
            for frame in ("crasher!null+0x", "crasher!handle+0x", "rtd!run_body+0x"):
                self.assertIn(frame, crash["fields"]["backtrace"])
            status = os.stat(crash["fields"]["report"])
            self.assertEqual((status.st_uid, status.st_mode & 0o777), (0, 0o600))
            self.assertEqual(made.stop(), 0)

    def test_the_copies_are_roots_and_the_group_may_only_read_them(self):
        with self.started() as made:
            folder, = (os.path.join(made.temporary, name) for name in os.listdir(made.temporary))
            status = os.stat(folder)
            self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7777),
                             (0, NOBODY.pw_gid, 0o710))
            for name in os.listdir(folder):
                status = os.stat(os.path.join(folder, name))
                self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7777),
                                 (0, NOBODY.pw_gid, 0o550))

    def test_copies_that_a_killed_one_left_for_the_group_are_removed(self):
        with deployment(PAIR, USER + FRONT) as made:
            open_to_all(made).start_ready()
            os.killpg(made.process.pid, signal.SIGKILL)
            made.process.wait()
            before = os.listdir(made.temporary)
            self.assertEqual(len(before), 1)
            with open(made.log_file, "w", encoding="utf-8"):
                pass
            made.start_ready()
            self.assertNotIn(before[0], os.listdir(made.temporary))

    def test_secrets_are_read_as_root_and_their_file_stays_closed_to_workers(self):
        with deployment(PAIR) as made:
            secret = made.path("secret")
            with open(secret, "w", encoding="ascii") as file:
                file.write("hunter2\n")
            os.chmod(secret, 0o600)
            made.write(USER + STORE + f'front: {{ token = "@file:{secret}"; }};\n')
            open_to_all(made).start_ready()
            self.assertEqual(made.get("/token"), (200, "hunter2"))

    def test_a_reload_gives_new_workers_the_new_user_and_their_copies_to_its_group(self):
        daemon = pwd.getpwnam("daemon")
        with self.started() as made:
            made.write('user = "daemon";\n' + FRONT)
            outcome = made.rtctl("reload", "--wait")
            self.assertEqual(outcome.returncode, 0, outcome.stdout)
            made.wait_for_log("generation 1 has ended")
            for pid in workers_of(made.process.pid):
                self.assert_powerless(status_of(pid), daemon)
            name, = os.listdir(made.temporary)
            folder = made.path(f"tmp/{name}")
            for path, mode in ((folder, 0o710), (f"{folder}/store.so", 0o550)):
                status = os.stat(path)
                self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7777),
                                 (0, daemon.pw_gid, mode))
            self.assertIn(f"workers: user {daemon.pw_uid}, group {daemon.pw_gid}; ", made.log())
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)
            self.assertEqual(os.listdir(made.temporary), [])

    def test_a_reload_to_a_user_that_is_none_is_refused_and_the_old_one_goes_on(self):
        with self.started() as made:
            made.write('user = "no-such-user";\n' + FRONT)
            outcome = made.rtctl("reload", "--wait")
            self.assertEqual(outcome.returncode, 78)
            self.assertIn("error[RT0420]", outcome.stdout)
            self.assert_powerless(status_of(workers_of(made.process.pid)[0]))

    def test_an_upgrade_keeps_the_supervisors_power_and_gives_workers_none(self):
        with self.started(STAGING + "workers = 2;\n") as made:
            outcome = made.rtctl("upgrade")
            self.assertEqual(outcome.returncode, 0, outcome.stdout)
            made.wait_for_log("generation 1 has ended")
            for pid in workers_of(made.process.pid):
                self.assert_powerless(status_of(pid))
            own = status_of(made.process.pid)
            self.assertEqual((own["Uid"].split()[0], own["NoNewPrivs"], own["Seccomp"]),
                             ("0", "0", "0"))
            first = workers_of(made.process.pid)[0]
            os.kill(first, signal.SIGKILL)
            made.wait_for_log("serves again")
            for pid in workers_of(made.process.pid):
                self.assert_powerless(status_of(pid))
            self.assertEqual(made.get("/who")[0], 200)
            self.assertEqual(made.stop(), 0)

    def test_the_control_socket_is_roots_alone(self):
        with self.started() as made:
            name, = os.listdir(made.runtime)
            status = os.stat(made.path(f"run/{name}"))
            self.assertEqual((status.st_uid, status.st_gid, status.st_mode & 0o7777), (0, 0, 0o600))

    def test_a_worker_can_be_neither_dumped_nor_traced_in_production(self):
        with self.started(STAGING) as made:
            pid = workers_of(made.process.pid)[0]
            self.assertEqual(limits_of(pid)["Max core file size"], ["0", "0"])
            owner = os.stat(f"/proc/{pid}/environ").st_uid
            self.assertEqual(owner, NOBODY.pw_uid if SANITIZED else 0)

    def test_copies_lie_where_the_user_can_reach_them(self):
        with deployment(PAIR, USER + FRONT) as made:
            private = made.path("private")
            os.mkdir(private, 0o700)
            open_to_all(made).start_ready(environment={"TMPDIR": private,
                                                       "XDG_RUNTIME_DIR": made.temporary})
            self.assertEqual(os.listdir(private), [])
            copies = [name for name in os.listdir(made.temporary) if name.startswith("rtd-")]
            self.assertEqual(len(copies), 1)

    def test_the_load_child_runs_as_the_user_on_copies(self):
        with deployment(("trespasser",), USER + 'trespasser: { input = "/etc/passwd"; '
                        'output = "/dev/null"; };\n') as made:
            os.chmod(open_to_all(made).plugins, 0o700)
            outcome = made.rtctl("validate", "--load")
            self.assertEqual(outcome.returncode, 0, outcome.stdout)
            self.assertEqual(os.listdir(made.temporary), [])

    def test_paths_are_judged_by_what_the_user_may_do(self):
        with deployment(("trespasser",)) as made:
            given, kept = made.path("given"), made.path("kept")
            with open(given, "w", encoding="ascii"):
                os.chmod(given, 0o600)
            os.mkdir(kept, 0o755)
            made.write(USER + f'trespasser: {{ input = "{given}"; output = "{kept}/new"; }};\n')
            open_to_all(made)
            self.assertEqual(self.unusable(made),
                             [f"{given} cannot be read", f"{kept}/new cannot be written"])
            made.start()
            self.assertEqual(made.wait(), 78)
            shutil.chown(given, group=NOBODY.pw_gid)
            os.chmod(given, 0o640)
            os.chmod(kept, 0o757)
            self.assertEqual(self.unusable(made), [])
            made.start_ready()
            self.assertEqual(made.stop(), 0)

    def unusable(self, made, *prefix):
        outcome = subprocess.run([*prefix, RTCTL, "validate", "--config", made.config], text=True,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
                                 env=made.environment(), timeout=LIMIT)
        found = re.findall(r"error\[RT\d+\]: `([^`]+)`.* (cannot be \w+)", outcome.stdout)
        self.assertEqual(outcome.returncode == 0, not found, outcome.stdout)
        return [" ".join(one) for one in found]

    def test_who_is_not_the_user_validates_what_can_be_known(self):
        daemon = pwd.getpwnam("daemon")
        other = ("setpriv", f"--reuid={daemon.pw_uid}", f"--regid={daemon.pw_gid}", "--clear-groups")
        with deployment(("trespasser",)) as made:
            given = made.path("given")
            with open(given, "w", encoding="ascii"):
                os.chmod(given, 0o600)
            shutil.chown(given, NOBODY.pw_uid)
            settings = f'trespasser: {{ input = "{given}"; output = "/dev/null"; }};\n'
            open_to_all(made)
            os.chmod(made.plugins, 0o755)
            made.write(settings)
            self.assertEqual(self.unusable(made, *other), [f"{given} cannot be read"])
            made.write(USER + settings)
            self.assertEqual(self.unusable(made, *other), [])
            os.unlink(given)
            self.assertEqual(self.unusable(made, *other), [f"{given} cannot be read"])

    def test_unknown_names_are_errors_with_help(self):
        with deployment(PAIR, 'user = "no-such-user";\ngroup = "no-such-group";\n' + FRONT) as made:
            printed = made.rtctl("validate").stdout
            self.assertIn("error[RT0420]: unknown user `no-such-user`", printed)
            self.assertIn("error[RT0420]: unknown group `no-such-group`", printed)
            self.assertIn("useradd --system", printed)


class PlainUser(unittest.TestCase):
    """The same program, started by somebody who can become nobody else."""

    def run_as_nobody(self, made, more=()):
        command = made.command()
        if is_root():
            for path in (made.folder, made.temporary):
                shutil.chown(path, NOBODY.pw_uid)
            command = ["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}",
                       "--clear-groups", *more, *command]
        with open(made.log_file, "ab") as log:
            made.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, env=made.environment(),
                                            start_new_session=True)
        wait_for(lambda: "ready: " in made.log() or made.process.poll() is not None, "ready")
        self.assertIsNone(made.process.poll(), made.log())

    def test_it_starts_without_any_of_what_root_does_and_is_confined_all_the_same(self):
        with deployment(PAIR, STAGING + "workers = 2;\n" + STORE) as made:
            self.run_as_nobody(made)
            for pid in workers_of(made.process.pid):
                status = status_of(pid)
                self.assertEqual(status["Uid"], status_of(made.process.pid)["Uid"])
                self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"))
                self.assertEqual(int(status["CapEff"], 16) | int(status["CapPrm"], 16), 0)
            self.assertEqual(made.get("/who")[0], 200)
            self.assertEqual(made.stop(), 0)

    def owner(self, made):
        """Of what tells of the supervisor's memory: root where nobody may look at it."""
        return str(os.stat(f"/proc/{made.process.pid}/environ").st_uid)

    def test_the_supervisor_can_be_neither_dumped_nor_traced_in_production(self):
        with deployment(PAIR, STAGING + STORE) as made:
            self.run_as_nobody(made)
            hidden = status_of(made.process.pid)["Uid"].split()[0] if SANITIZED else "0"
            self.assertEqual(self.owner(made), hidden)
            made.process.send_signal(signal.SIGUSR2)
            made.wait_for_log("reloaded: generation 2")
            self.assertEqual(self.owner(made), hidden)
            self.assertEqual(made.get("/who")[0], 200)
            made.write("core_dumps = true;\n" + STAGING + STORE)
            made.process.send_signal(signal.SIGHUP)
            made.wait_for_log("reloaded: generation 3")
            self.assertEqual(self.owner(made), status_of(made.process.pid)["Uid"].split()[0])
            self.assertEqual(made.stop(), 0)

    @unittest.skipUnless(is_root(), "only root can give a capability away")
    def test_a_capability_of_the_supervisor_is_gone_in_the_workers(self):
        with deployment(PAIR, STORE) as made:
            made.port = next(number for number in range(600, 1000) if is_free(number))
            made.ports = [made.port]
            made.write(STAGING + STORE)
            self.run_as_nobody(made, more=("--inh-caps=+net_bind_service",
                                           "--ambient-caps=+net_bind_service"))
            self.assertEqual(int(status_of(made.process.pid)["CapEff"], 16), 1 << 10)
            status = status_of(workers_of(made.process.pid)[0])
            for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
                self.assertEqual(int(status[name], 16), 0, name)
            self.assertEqual(made.get("/who")[0], 200)
            self.assertEqual(made.stop(), 0)

    def test_a_user_that_cannot_be_taken_is_a_warning(self):
        with deployment(PAIR, 'user = "root";\n' + STORE) as made:
            self.run_as_nobody(made)
            self.assertIn("warning[RT0421]: `user` is `root`, but only root can become somebody else",
                          made.log())
            self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
