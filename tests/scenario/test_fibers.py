"""rtctl fibers: what the workers do and wait for, asked of a real rtd."""

import concurrent.futures
import contextlib
import glob
import http.client
import json
import os
import re
import shutil
import signal
import socket
import unittest

from deployment import LIMIT, RTD, deployment, wait_for

PLAIN = 'log: { format = "pretty"; };\n'
HASTY = PLAIN + 'drain_timeout = "100 ms";\n'
TWO = ('environment = "production";\nallow_root = true;\nlog: { format = "pretty"; };\n'
       'workers = 2;\ndrain_timeout = "20 s";\n')
ROW = re.compile(r"^(\d+) +(\d+) +(.+?) {2,}(\S+) +(.+?) +(\d+\.\d{3}) +(\d+) +(\d+) +(\d+)$")


@contextlib.contextmanager
def waiting(config=PLAIN):
    """A deployment of `waiter` whose gate a test opens by making the file."""
    with deployment(("waiter",)) as made:
        made.gate = made.path("gate")
        made.settings = f'waiter: {{ gate = "{made.gate}"; }};\n'
        made.write(config + made.settings)
        yield made


def open_gate(made):
    with open(made.gate, "w", encoding="utf-8"):
        pass


@contextlib.contextmanager
def request(made, path):
    """One that is under way."""
    connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=LIMIT)
    with contextlib.closing(connection):
        connection.request("GET", path)
        yield connection


def rows(outcome):
    """(generation, worker, work, instance, waits for, age, stack, most, of)"""
    found = [ROW.match(line) for line in outcome.stdout.splitlines()]
    return [match.groups() for match in found if match]


def works(outcome):
    return {row[2]: row for row in rows(outcome)}


def wait_for_work(made, work):
    def shown():
        found = works(made.rtctl("fibers"))
        return found if work in found else None
    return wait_for(shown, f"`{work}` among the fibers")


def status(made):
    return json.loads(made.rtctl("status", "--json").stdout)


def pids(made):
    return [worker["pid"] for generation in status(made)["generations"]
            for worker in generation["workers"]]


def ask(made, line):
    [path] = glob.glob(os.path.join(made.runtime, "*.sock"))
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(LIMIT)
    connection.connect(path)
    connection.sendall(line)
    return connection


def reply(connection):
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def wait_until_held(made):
    """The worker runs /hold and looks at nothing else: it took the request out of the socket."""
    wait_for(lambda: "holds the loop" in made.log(), "a stall")


class Showing(unittest.TestCase):
    def test_what_waits_is_shown_with_what_it_waits_for(self):
        with waiting(HASTY) as made:
            made.start_ready()
            with request(made, "/sleep"), request(made, "/block"):
                wait_for_work(made, "GET /sleep")
                found = wait_for_work(made, "GET /block")
                outcome = made.rtctl("fibers")
                open_gate(made)
            self.assertEqual(outcome.returncode, 0)
            self.assertEqual(outcome.stdout.splitlines()[0].split(),
                             ["gen", "worker", "work", "instance", "waits", "for", "age", "s", "stack",
                              "most", "of"])
            self.assertEqual(found["GET /sleep"][:5], ("1", "1", "GET /sleep", "waiter", "sleep"))
            self.assertEqual(found["GET /block"][3:5], ("waiter", "a blocking call"))
            self.assertEqual(found["dozer"][3:5], ("waiter", "sleep"))
            self.assertEqual(found["runtime.life"][3], "rtd")
            for row in found.values():
                self.assertLessEqual(int(row[6]), int(row[7]))
                self.assertLessEqual(int(row[7]), int(row[8]))
            self.assertGreater(int(found["GET /sleep"][6]), 0)
            self.assertEqual(made.stop(), 0)

    def test_one_worker_can_be_asked_alone(self):
        with waiting(TWO) as made:
            made.start_ready()
            self.assertEqual({row[1] for row in rows(made.rtctl("fibers"))}, {"1", "2"})
            self.assertEqual({row[1] for row in rows(made.rtctl("fibers", "2"))}, {"2"})
            outcome = made.rtctl("fibers", "3")
            self.assertEqual((outcome.returncode, outcome.stdout), (69, "no worker 3 runs\n"))
            for word in ("one", "0", "-1", "1x", "99999999999"):
                outcome = made.rtctl("fibers", "--", word) if word == "-1" else \
                    made.rtctl("fibers", word)
                self.assertNotEqual(outcome.returncode, 0)
                self.assertNotEqual(outcome.stdout, "")
            self.assertEqual(made.stop(), 0)

    def test_a_worker_whose_loop_is_held_is_named_with_what_holds_it(self):
        with waiting(TWO) as made, concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            with request(made, "/hold") as connection:
                wait_until_held(made)
                asking = pool.submit(made.rtctl, "fibers")
                shown = made.rtctl("status")  # the supervisor does not wait for the answers
                outcome = asking.result()
                held = re.search(r"worker (\d) \(pid (\d+), generation 1\) does not answer: "
                                 r"`GET /hold` of `waiter` holds its loop\n", outcome.stdout)
                self.assertTrue(held, outcome.stdout)
                self.assertEqual(outcome.returncode, 69)
                other = {"1": "2", "2": "1"}[held[1]]
                self.assertEqual({row[1] for row in rows(outcome)}, {other})
                alone = made.rtctl("fibers", other)
                self.assertEqual((alone.returncode, {row[1] for row in rows(alone)}), (0, {other}))
                self.assertEqual(made.rtctl("fibers", held[1]).returncode, 69)
                open_gate(made)
                self.assertEqual(connection.getresponse().status, 200)
            self.assertEqual(shown.returncode, 0)
            again = made.rtctl("fibers")
            self.assertEqual((again.returncode, {row[1] for row in rows(again)}), (0, {"1", "2"}))
            stalls = [worker["stalls"] for worker in status(made)["generations"][0]["workers"]]
            self.assertEqual(sorted(stalls), [0, 1])
            self.assertEqual(made.stop(), 0)


class Meanwhile(unittest.TestCase):
    def test_many_ask_at_once_and_all_are_answered(self):
        with waiting(HASTY) as made:
            made.start_ready()
            with request(made, "/sleep"):
                wait_for_work(made, "GET /sleep")
                for _ in range(5):
                    answers = [reply(c) for c in [ask(made, b"fibers\n") for _ in range(16)]]
                    self.assertEqual({"exit 0\n" in text and "GET /sleep" in text for text in answers},
                                     {True})
            self.assertEqual(made.stop(), 0)

    def test_who_asks_and_goes_away_hurts_nobody(self):
        with waiting() as made:
            made.start_ready()
            with request(made, "/hold") as connection:
                wait_until_held(made)
                for _ in range(40):
                    ask(made, b"fibers\n").close()
                last = ask(made, b"fibers 1\n")
                open_gate(made)
                self.assertEqual(connection.getresponse().status, 200)
            self.assertIn("\nexit 0\n", reply(last))
            self.assertEqual(made.rtctl("fibers").returncode, 0)
            self.assertEqual(made.stop(), 0)

    def test_a_worker_that_dies_before_it_answers_is_said_to_have_ended(self):
        with waiting() as made:
            made.start_ready()
            [worker] = pids(made)
            with request(made, "/hold"):
                wait_until_held(made)
                connection = ask(made, b"fibers\n")
                wait_for(lambda: json.loads(made.rtctl("status", "--json").stdout), "a turn")
                os.kill(worker, signal.SIGKILL)
                text = reply(connection)
            self.assertIn(f"err worker 1 (pid {worker}, generation 1) ended meanwhile\n", text)
            self.assertTrue(text.endswith("exit 69\n"), text)
            made.wait_for_log("serves again")
            self.assertEqual(made.rtctl("fibers").returncode, 0)
            self.assertEqual(made.stop(), 0)

    def test_a_reload_meanwhile_keeps_the_question_and_what_drains_is_shown(self):
        with waiting() as made:
            made.start_ready()
            with request(made, "/hold") as held:
                wait_until_held(made)
                connection = ask(made, b"fibers\n")
                self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
                text = reply(connection)
                self.assertIn("exit ", text)
                outcome = made.rtctl("fibers")
                self.assertRegex(outcome.stdout, r"worker 1 \(pid \d+, generation 1\) does not answer: "
                                                 r"`GET /hold` of `waiter` holds its loop\n")
                self.assertEqual({row[0] for row in rows(outcome)}, {"2"})
                open_gate(made)
                self.assertEqual(held.getresponse().status, 200)
            self.assertEqual(made.stop(), 0)

    def test_a_generation_that_drains_and_one_that_starts_are_shown(self):
        with waiting(TWO) as made, concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            with request(made, "/sleep"):
                wait_for_work(made, "GET /sleep")
                made.write(TWO + made.settings.replace("}", "late = true; }"))
                reload = pool.submit(made.rtctl, "reload", "--wait")
                found = wait_for_work(made, "starting")
                self.assertEqual((found["starting"][0], found["starting"][3]), ("2", "waiter"))
                self.assertEqual(found["GET /sleep"][0], "1")
                open_gate(made)
                self.assertEqual(reload.result().returncode, 0)
                found = wait_for_work(made, "GET /sleep")
                self.assertEqual(found["GET /sleep"][0], "1")
                self.assertEqual({row[0] for row in rows(made.rtctl("fibers"))}, {"1", "2"})

    def test_a_question_outlives_an_upgrade(self):
        with waiting() as made:
            made.program = made.path("rtd")
            shutil.copy(RTD, made.program)
            made.start_ready()
            with request(made, "/hold") as held:
                wait_until_held(made)
                connections = [ask(made, b"fibers\n"), ask(made, b"fibers 1\n")]
                self.assertEqual(made.rtctl("upgrade").returncode, 0)
                for text in map(reply, connections):
                    self.assertIn("\nexit ", text)
                open_gate(made)
                self.assertEqual(held.getresponse().status, 200)
            self.assertEqual(made.rtctl("fibers").returncode, 0)
            self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
