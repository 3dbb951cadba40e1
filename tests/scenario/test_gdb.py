"""gdb on a running worker and on its core: which fibers there are, and where each of them is."""

import concurrent.futures
import os
import re
import subprocess
import unittest

from deployment import deployment

SCRIPT = os.path.join(os.environ["RT_PREFIX"], "share", "rt", "gdb", "rt-gdb.py")
RTD = os.path.join(os.environ["RT_BUILD"], "host", "rtd")
CONFIG = 'store: { trace = "$TRACE"; };\nfront: { trace = "$TRACE"; };\n'

with open(RTD, "rb") as program:
    SANITIZED = b"__asan_init" in program.read()


def gdb(*arguments):
    outcome = subprocess.run(["gdb", "-nx", "-q", "-batch", "-ex", "set width 0",
                              *arguments], text=True, stdout=subprocess.PIPE,
                             stderr=subprocess.STDOUT, timeout=120, check=False)
    return outcome.stdout


def commands(*lines):
    return [word for line in (f"source {SCRIPT}", *lines) for word in ("-ex", line)]


class Gdb(unittest.TestCase):
    def with_waiting_request(self, look):
        with deployment(("front", "store"), CONFIG) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            worker = made.get("/pid")[1]
            answer = pool.submit(made.get, "/slow/4000")
            made.wait_for_trace("request front")
            look(made, worker)
            self.assertEqual(answer.result(60), (200, "slept"))
            self.assertEqual(made.stop(), 0)

    def check(self, said):
        listed = re.search(r"(?m)^ +(\d+)  GET /slow/\{ms\} +front +sleep +\d+ bytes of stack$", said)
        self.assertTrue(listed, said)
        self.assertRegex(said, r"(?m)^ +\d+  runtime\.life +rtd +channel ")
        self.assertRegex(said, r"(?m)^ +\d+  tick +store +sleep ")
        trace = said[said.index(f"fiber {listed.group(1)}: GET /slow/{{ms}}, sleep"):]
        calls = [line for line in trace.splitlines() if line.startswith("#")]
        names = [next((name for name in ("rt_host_sleep", "slow", "run_body")
                       if re.search(rf"\b{name} \(", line)), None) for line in calls]
        self.assertEqual([name for name in names if name][:3],
                         ["rt_host_sleep", "slow", "run_body"], trace)

    def test_fibers_of_a_running_worker_are_listed_each_with_its_backtrace(self):
        def look(made, worker):
            self.check(gdb("-p", worker, *commands("info fibers", "fiber all bt")))
        self.with_waiting_request(look)

    @unittest.skipIf(SANITIZED, "the shadow memory of a sanitizer is terabytes of core")
    def test_fibers_of_a_core_file_are_listed_each_with_its_backtrace(self):
        def look(made, worker):
            core = made.path("core")
            gdb("-p", worker, "-ex", f"generate-core-file {core}")
            self.check(gdb(RTD, core, *commands("info fibers", "fiber all bt")))
        self.with_waiting_request(look)

    def test_the_stack_of_the_thread_is_as_it_was_afterwards(self):
        def look(made, worker):
            said = gdb("-p", worker, *commands("fiber 1 bt", "echo ---\\n", "bt"))
            self.assertIn("uv_run", said.split("---")[1])
        self.with_waiting_request(look)

    def test_contexts_are_printed_by_what_they_are(self):
        def look(made, worker):
            said = gdb("-p", worker,
                       *commands("python print([str(unit['context']) for unit in units()])"))
            self.assertIn("rt_ctx of `front`, `GET /slow/{ms}`, sleep", said)
        self.with_waiting_request(look)


if __name__ == "__main__":
    unittest.main()
