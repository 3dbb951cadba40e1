"""Work that holds a worker's loop is told, and ended when it does not stop."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import signal
import subprocess
import unittest

from deployment import deployment, wait_for

JSON = 'log: { format = "json"; };\n'
BROKEN = (http.client.RemoteDisconnected, ConnectionResetError)


def records(made, text):
    found = [json.loads(line) for line in made.log().splitlines() if line.startswith("{")]
    return [record for record in found if text in record["message"]]


def tracer(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("TracerPid:"))


@contextlib.contextmanager
def debugger(pid):
    """gdb, attached; the process runs on under it."""
    command = ["gdb", "-nx", "-q", "-p", str(pid), "-ex", "set pagination off",
               "-ex", "handle all nostop noprint pass", "-ex", "continue"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True) as gdb:
        try:
            for line in gdb.stdout:
                if "Continuing." in line:
                    break
            wait_for(lambda: tracer(pid), "a debugger")
            yield
        finally:
            gdb.kill()


class Telling(unittest.TestCase):
    def test_work_that_holds_the_loop_is_told_once_with_a_backtrace_and_when_it_is_over(self):
        with deployment(("crasher",), JSON) as made:
            made.start_ready()
            connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=60)
            connection.request("GET", "/spin", headers={"X-Correlation-Id": "slow-1"})
            self.assertEqual(connection.getresponse().status, 200)
            connection.close()
            wait_for(lambda: records(made, "held the loop"), "the end")
            told = records(made, "`GET /spin` of `crasher` holds the loop: ")
            self.assertEqual(len(told), 1)
            self.assertEqual(told[0]["level"], "warn")
            fields = told[0]["fields"]
            self.assertEqual((fields["entry"], fields["instance"], fields["holds.module"]),
                             ("GET /spin", "crasher", "crasher"))
            self.assertEqual(fields["correlation.id"], "slow-1")
            self.assertIn("crasher!spin+0x", fields["backtrace"])
            self.assertIn("crasher!handle+0x", fields["backtrace"])
            self.assertEqual(len(records(made, "`GET /spin` of `crasher` held the loop for ")), 1)
            self.assertEqual(made.stop(), 0)

    def test_work_that_waits_is_not_told(self):
        config = JSON + 'store: { trace = "$TRACE"; };\nfront: { trace = "$TRACE"; };\n'
        with deployment(("front", "store"), config) as made:
            made.start_ready()
            self.assertEqual(made.get("/slow/500"), (200, "slept"))
            self.assertEqual(records(made, "the loop"), [])
            self.assertEqual(made.stop(), 0)

    def test_nothing_is_told_when_it_is_off(self):
        with deployment(("crasher",), JSON + 'watchdog = "0 s";\n') as made:
            made.start_ready()
            self.assertEqual(made.get("/spin")[0], 200)
            self.assertEqual(made.stop(), 0)
            self.assertEqual(records(made, "the loop"), [])

    def test_a_debugger_silences_it(self):
        config = JSON + 'watchdog_timeout = "200 ms";\n'
        with deployment(("crasher",), config) as made:
            made.start_ready()
            worker = int(made.get("/fine")[1])
            with debugger(worker):
                self.assertEqual(made.get("/spin"), (200, str(worker)))
                self.assertEqual(records(made, "the loop"), [])
            wait_for(lambda: not tracer(worker), "the debugger's end")
            self.assertEqual(made.get("/fine"), (200, str(worker)))
            self.assertEqual(made.stop(), 0)

    def test_a_process_that_stood_still_as_a_whole_is_not_blamed(self):
        config = JSON + 'watchdog = "1 s";\nwatchdog_timeout = "500 ms";\n'
        with deployment(("crasher",), config) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            worker = int(made.get("/fine")[1])
            os.kill(worker, signal.SIGSTOP)
            answer = pool.submit(made.get, "/fine")
            with self.assertRaises(concurrent.futures.TimeoutError):
                answer.result(1.5)
            os.kill(worker, signal.SIGCONT)
            self.assertEqual(answer.result(60), (200, str(worker)))
            self.assertEqual(records(made, "loop"), [])
            self.assertEqual(made.stop(), 0)


class Ending(unittest.TestCase):
    def test_a_loop_that_does_not_turn_is_ended_with_a_report_and_replaced(self):
        for way, function in (("/forever", "run_forever"), ("/hang", "hang")):
            with self.subTest(way=way), \
                    deployment(("crasher",), JSON + 'watchdog_timeout = "500 ms";\n') as made:
                made.start_ready()
                worker = made.get("/fine")[1]
                with self.assertRaises(BROKEN):
                    made.get(way)
                wait_for(lambda: records(made, "did not turn its loop for"), "a record")
                record = records(made, "did not turn its loop for")[0]
                self.assertTrue(record["message"].startswith(f"worker 1 (pid {worker}) did not turn"))
                self.assertIn(f"and was killed while it ran `GET {way}` of `crasher`",
                              record["message"])
                self.assertEqual(record["fields"]["signal"], "SIGABRT")
                self.assertIn(f"crasher!{function}+0x", record["fields"]["backtrace"])
                self.assertTrue(os.path.exists(record["fields"]["report"]))
                self.assertEqual(made.get("/fine")[0], 200)
                self.assertEqual(made.stop(), 0)

    def test_an_idle_worker_lives(self):
        config = JSON + 'watchdog = "10 ms";\nwatchdog_timeout = "50 ms";\n'
        with deployment(("crasher",), config) as made:
            made.start_ready()
            worker = made.get("/fine")
            for _ in range(8):
                with self.assertRaises(subprocess.TimeoutExpired):
                    made.process.wait(0.05)
                self.assertEqual(made.get("/fine"), worker)
            self.assertEqual(records(made, "did not turn"), [])
            self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
