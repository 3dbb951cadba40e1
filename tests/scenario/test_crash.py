"""What is known of a worker that crashed: the log, the report, and that the rest goes on."""

import contextlib
import http.client
import json
import os
import re
import signal
import stat
import subprocess
import unittest

from deployment import deployment, read, wait_for

PLAIN = 'log: { format = "pretty"; };\n'
JSON = 'log: { format = "json"; };\n'
BROKEN = (http.client.RemoteDisconnected, ConnectionResetError)
BUILD_ID = r" \(build-id [0-9a-f]{40}\)"


def folder(made):
    return made.path("state/rt/crashes")


def reports(made):
    """The whole ones; nothing unfinished may lie beside them."""
    names = sorted(os.listdir(folder(made))) if os.path.isdir(folder(made)) else []
    return [os.path.join(folder(made), name) for name in names]


def records(made):
    return [json.loads(line) for line in made.log().splitlines() if line.startswith("{")]


def crashes(made):
    return [record for record in records(made) if "worker.pid" in record.get("fields", {})]


@contextlib.contextmanager
def small_disk(path):
    """A file system that is full; for root alone."""
    os.mkdir(path)
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "none", path], check=False,
                      stderr=subprocess.DEVNULL).returncode:
        raise unittest.SkipTest("nothing can be mounted here")
    try:
        with contextlib.suppress(OSError), open(f"{path}/filler", "wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        yield path
    finally:
        subprocess.run(["umount", path], check=True)


@contextlib.contextmanager
def little_memory(size):
    """What makes a process a member of a control group with so much memory; for root alone."""
    group = next((path for path in ("/sys/fs/cgroup/memory", "/sys/fs/cgroup")
                  if os.path.exists(f"{path}/cgroup.procs")), None)
    own = f"{group}/rt-test-{os.getpid()}"
    try:
        os.mkdir(own)
        limit = "memory.limit_in_bytes" if group.endswith("memory") else "memory.max"
        with open(f"{own}/{limit}", "w", encoding="ascii") as file:
            file.write(str(size))
    except OSError as error:
        with contextlib.suppress(OSError):
            os.rmdir(own)
        raise unittest.SkipTest(f"no control group can be made here: {error}") from None

    def join():
        with open(f"{own}/cgroup.procs", "w", encoding="ascii") as file:
            file.write(str(os.getpid()))
    try:
        yield join
    finally:
        with contextlib.suppress(OSError):
            wait_for(lambda: not read(f"{own}/cgroup.procs"), "its members' end")
            os.rmdir(own)


class Case(unittest.TestCase):
    def crash(self, made, way, headers=None):
        """The fields of the record about it; the worker has been replaced by then."""
        before = len(crashes(made))
        worker = made.get("/fine")[1]
        connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=60)
        try:
            with self.assertRaises(BROKEN):
                connection.request("GET", way, headers=headers or {})
                connection.getresponse()
        finally:
            connection.close()
        wait_for(lambda: len(crashes(made)) > before, f"a record about {way}")
        record = crashes(made)[before]
        self.assertEqual(record["level"], "error")
        self.assertTrue(record["message"].startswith(f"worker 1 (pid {worker}) "))
        self.assertEqual(record["fields"]["worker.pid"], int(worker))
        self.assertNotEqual(made.get("/fine")[1], worker)
        return {**record["fields"], "message": record["message"]}

    def frames(self, fields, *names):
        """The backtrace begins with these, innermost first, and ends with the fiber's first."""
        lines = fields["backtrace"].splitlines()
        begin = next(i for i, line in enumerate(lines) if names[0] in line)
        for line, name in zip(lines[begin:], names):
            self.assertRegex(line, rf"#\d+ {re.escape(name)}\+0x[0-9a-f]+{BUILD_ID}$")
        return lines

    def attributed(self, fields, route):
        self.assertEqual(fields["crash.module"], "crasher")
        self.assertEqual(fields["entry"], f"GET {route}")
        self.assertIn(f"while it ran `GET {route}` of `crasher`, in module `crasher`",
                      fields["message"])


class Crashing(Case):
    def test_a_fault_is_reported_with_all_that_is_known(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/null", {"X-Correlation-Id": "order-4711"})
            self.attributed(fields, "/null")
            self.assertEqual(fields["signal"], "SIGSEGV")
            self.assertEqual(fields["code"], "SEGV_MAPERR")
            self.assertEqual(fields["address"], "0x0")
            self.assertEqual(fields["fiber"], "GET /null")
            self.assertEqual(fields["instance"], "crasher")
            self.assertEqual(fields["correlation.id"], "order-4711")
            lines = self.frames(fields, "crasher!null", "crasher!handle")
            self.assertIn("rtd!run_body", lines[-2] + lines[-1])
            self.assertEqual(reports(made), [fields["report"]])
            self.assertEqual(stat.S_IMODE(os.stat(fields["report"]).st_mode), 0o600)
            report = read(fields["report"])
            for line in ("rt crash report 1", "what: " + fields["message"], "module: crasher",
                         "entry: GET /null", "signal: 11 SIGSEGV, code 1 (SEGV_MAPERR)",
                         "address: 0x0", "correlation id: order-4711",
                         "  " + lines[0]):
                self.assertIn(line + "\n", report)
            self.assertEqual(made.stop(), 0)

    def test_people_read_a_line_a_frame(self):
        with deployment(("crasher",), PLAIN) as made:
            made.start_ready()
            with self.assertRaises(BROKEN):
                made.get("/null")
            made.wait_for_log("serves again")
            self.assertRegex(made.log(), rf"ERROR rtd       #0 crasher!null\+0x\w+{BUILD_ID}\n")
            self.assertRegex(made.log(), rf"ERROR rtd       #1 crasher!handle\+0x\w+{BUILD_ID}\n")

    def test_a_call_of_nothing_names_the_caller(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/call")
            self.attributed(fields, "/call")
            self.frames(fields, "crasher!call", "crasher!handle")

    def test_a_stack_overflow_says_that_it_is_one(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/deep")
            self.attributed(fields, "/deep")
            self.assertIn("(SIGSEGV), a stack overflow, while", fields["message"])
            lines = self.frames(fields, "crasher!dig")
            self.assertTrue(any("the same" in line for line in lines))
            self.assertTrue(any("crasher!deep" in line for line in lines[-6:]), lines[-6:])
            self.assertIn("stack overflow: yes\n", read(fields["report"]))
            for line in made.log().splitlines():
                if line.startswith("rt:"):
                    self.fail(f"a plain line in a log of JSON: {line}")

    def test_a_double_free_is_reported(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/twice")
            self.attributed(fields, "/twice")
            self.frames(fields, "crasher!twice", "crasher!handle")

    def test_an_abort_is_reported(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/abort")
            self.attributed(fields, "/abort")
            self.assertEqual(fields["signal"], "SIGABRT")
            self.frames(fields, "crasher!give_up", "crasher!handle")

    def test_other_signals_are_reported(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            for way, name, function in (("/divide", "SIGFPE", "divide"),
                                        ("/illegal", "SIGILL", "illegal")):
                with self.subTest(signal=name):
                    fields = self.crash(made, way)
                    self.attributed(fields, way)
                    self.assertEqual(fields["signal"], name)
                    self.frames(fields, f"crasher!{function}", "crasher!handle")

    def test_reading_beyond_a_file_is_reported(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/beyond")
            self.attributed(fields, "/beyond")
            self.assertEqual((fields["signal"], fields["code"]), ("SIGBUS", "BUS_ADRERR"))

    def test_memory_that_runs_out_is_reported(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/greedy")
            self.attributed(fields, "/greedy")
            self.frames(fields, "crasher!greedy", "crasher!handle")

    def test_a_worker_that_the_system_kills_for_want_of_memory_is_said_to_be(self):
        with little_memory(512 << 20) as join:
            with deployment(("crasher",), JSON) as made:
                made.start_ready(preexec_fn=join)
                fields = self.crash(made, "/hoard")
                self.attributed(fields, "/hoard")
                self.assertIn("was ended by signal 9 (SIGKILL) because memory ran out while",
                              fields["message"])
                self.assertEqual(made.stop(), 0)

    def test_exit_by_a_plugin_is_reported_from_any_thread(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/exit")
            self.attributed(fields, "/exit")
            self.assertIn(" ended with status 3: exit() was called while", fields["message"])
            self.frames(fields, "crasher!leave", "crasher!handle")
            fields = self.crash(made, "/exit-thread")
            self.attributed(fields, "/exit-thread")
            self.assertIn(" ended with status 4: exit() was called while", fields["message"])
            self.frames(fields, "crasher!leave_elsewhere")

    def test_an_end_without_a_word_is_attributed_to_what_ran(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/exit-at-once")
            self.attributed(fields, "/exit-at-once")
            self.assertIn(" ended with status 5 while", fields["message"])
            self.assertNotIn("backtrace", fields)

    def test_a_crash_in_a_blocking_call_is_attributed_to_the_work_that_waits_for_it(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/pool")
            self.attributed(fields, "/pool")
            self.frames(fields, "crasher!null", "crasher!crash_in_pool", "rtd!run_blocking")
            self.assertIn("blocking call: yes\n", read(fields["report"]))

    def test_a_crash_in_a_service_names_the_service(self):
        with deployment(("crasher",), JSON + 'crasher: { goes_wrong = "service"; };\n') as made:
            made.start_ready()
            wait_for(lambda: crashes(made), "a record")
            fields = crashes(made)[0]["fields"]
            self.assertEqual(fields["entry"], "service `outbox`")
            self.assertEqual(fields["crash.module"], "crasher")

    def test_a_child_of_a_plugin_that_crashes_is_not_the_worker(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            worker = made.get("/fine")
            self.assertEqual(made.get("/child"), worker)
            self.assertEqual(made.get("/fine"), worker)
            self.assertEqual((crashes(made), reports(made)), ([], []))
            self.assertEqual(made.stop(), 0)

    def test_a_worker_killed_while_busy_is_attributed_by_what_it_ran(self):
        with deployment(("crasher",), JSON + 'watchdog = "20 ms";\n') as made:
            made.start_ready()
            worker = int(made.get("/fine")[1])
            connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=60)
            connection.request("GET", "/forever")
            made.wait_for_log("holds the loop")
            os.kill(worker, signal.SIGKILL)
            wait_for(lambda: crashes(made), "a record")
            connection.close()
            record = crashes(made)[0]
            self.assertEqual(record["message"],
                             f"worker 1 (pid {worker}) was ended by signal 9 (SIGKILL), which the "
                             "system also sends when memory runs out, while it ran `GET /forever` "
                             "of `crasher`, in module `crasher`")
            self.assertEqual(made.get("/fine")[0], 200)

    def test_a_worker_killed_while_idle_is_attributed_to_nothing(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            worker = int(made.get("/fine")[1])
            os.kill(worker, signal.SIGKILL)
            wait_for(lambda: crashes(made), "a record")
            self.assertEqual(crashes(made)[0]["message"],
                             f"worker 1 (pid {worker}) was ended by signal 9 (SIGKILL), which the "
                             "system also sends when memory runs out")
            self.assertNotIn("entry", crashes(made)[0]["fields"])

    def test_a_start_that_never_returns_leaves_a_backtrace(self):
        config = 'start_timeout = "300 ms";\ncrasher: { goes_wrong = "start"; };\n'
        with deployment(("crasher",), JSON + config) as made:
            made.start()
            self.assertEqual(made.wait(), 69)
            fields = crashes(made)[0]["fields"]
            self.assertIn("did not answer in time and was killed while starting module `crasher`",
                          crashes(made)[0]["message"])
            self.frames(fields, "crasher!run_forever", "crasher!start")
            self.assertEqual(records(made)[-1]["level"], "fatal")

    def test_a_constructor_that_hangs_leaves_a_backtrace(self):
        with deployment(("hangs",), JSON + 'start_timeout = "300 ms";\nload = ["hangs"];\n') as made:
            made.start()
            self.assertEqual(made.wait(), 69)
            self.assertIn("did not answer in time and was killed while loading module `hangs`",
                          crashes(made)[0]["message"])
            self.assertIn("hangs!", crashes(made)[0]["fields"]["backtrace"])


class Hostile(Case):
    def test_a_plugin_that_scribbles_over_what_is_shared_is_reported_all_the_same(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/scribble")
            self.attributed(fields, "/scribble")
            self.frames(fields, "crasher!null", "crasher!scribble", "crasher!handle")
            fields = self.crash(made, "/null")
            self.attributed(fields, "/null")
            self.assertNotIn("board", made.log())
            self.assertEqual(made.stop(), 0)

    def test_a_stack_that_is_destroyed_costs_the_backtrace_and_nothing_else(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            fields = self.crash(made, "/smash")
            self.attributed(fields, "/smash")
            self.assertEqual(fields["signal"], "SIGSEGV")
            self.frames(fields, "crasher!null", "crasher!smash")
            self.assertEqual(made.stop(), 0)


class Keeping(Case):
    def test_only_the_newest_reports_are_kept(self):
        config = JSON + 'crash: { folder = "kept"; keep = 2; };\n'
        with deployment(("crasher",), config) as made:
            made.start_ready()
            kept = [self.crash(made, way)["report"] for way in ("/null", "/abort", "/null")]
            self.assertEqual(sorted(os.listdir(made.path("kept"))),
                             [os.path.basename(path) for path in kept[1:]])

    def test_without_a_folder_there_is_the_log_alone(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready(environment={"XDG_STATE_HOME": "", "HOME": ""})
            fields = self.crash(made, "/null")
            self.assertNotIn("report", fields)
            self.frames(fields, "crasher!null")

    def test_a_folder_that_cannot_be_written_is_a_warning(self):
        with deployment(("crasher",), JSON + 'crash: { folder = "kept"; };\n') as made:
            made.start_ready()
            with open(made.path("kept"), "w", encoding="ascii"):
                pass  # where the folder would be
            fields = self.crash(made, "/null")
            self.assertNotIn("report", fields)
            made.wait_for_log(f"the crash report cannot be kept in `{made.path('kept')}`: ")
            self.assertEqual(made.stop(), 0)

    def test_a_full_disk_is_a_warning_and_leaves_nothing_behind(self):
        with deployment(("crasher",), JSON + 'crash: { folder = "full"; };\n') as made, \
                small_disk(made.path("full")) as disk:
            made.start_ready()
            self.assertNotIn("report", self.crash(made, "/null"))
            made.wait_for_log(f"the crash report cannot be kept in `{disk}`: "
                              "No space left on device")
            self.assertEqual(os.listdir(disk), ["filler"])
            self.assertEqual(made.stop(), 0)

    def test_rtctl_lists_and_prints_reports(self):
        with deployment(("crasher",), JSON) as made:
            outcome = made.rtctl("crashes")
            self.assertEqual((outcome.returncode, outcome.stdout),
                             (0, f"rtctl crashes: no reports in `{folder(made)}`\n"))
            made.start_ready()
            first, second = self.crash(made, "/null"), self.crash(made, "/abort")
            self.assertEqual(made.stop(), 0)
            names = [os.path.basename(fields["report"]) for fields in (second, first)]
            outcome = made.rtctl("crashes")
            self.assertEqual(outcome.returncode, 0)
            self.assertEqual(outcome.stdout.splitlines(),
                             [f"{names[0]}  {second['message']}", f"{names[1]}  {first['message']}"])
            outcome = made.rtctl("crashes", names[1])
            self.assertEqual((outcome.returncode, outcome.stdout), (0, read(first["report"])))
            outcome = made.rtctl("crashes", "nothing.txt")
            self.assertEqual(outcome.returncode, 2)
            self.assertIn("rtctl crashes: cannot read `", outcome.stdout)


if __name__ == "__main__":
    unittest.main()
