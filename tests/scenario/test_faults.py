"""A short run of each fault under load that `scripts/faults` counts for longer."""

import contextlib
import os
import socket
import struct
import sys
import threading
import unittest

from deployment import free_port, wait_for

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "faults"))

import faults  # noqa: E402  where it is must be known first
import load  # noqa: E402
from site_of_faults import Run  # noqa: E402
from verdict import BROUGHT_DOWN, judge  # noqa: E402

SECONDS = 3.0


class UnderLoad(unittest.TestCase):
    def show(self, name, seconds=SECONDS):
        run, outcome = faults.execute(name, seconds, wrk=False)
        if not run:
            self.skipTest(outcome)
        self.assertEqual(run.problems, [])
        self.assertTrue(run.done, "the fault was not brought about")
        return run

    def lose_nothing(self, name):
        run = self.show(name)
        self.assertEqual(run.load.lost, [])
        self.assertEqual(run.load.statuses.keys(), {200})
        return run

    def test_reloads_lose_no_request(self):
        self.lose_nothing("reload")

    def test_upgrades_lose_no_request(self):
        self.lose_nothing("upgrade")

    def test_plugins_that_are_spoilt_or_replaced_lose_no_request(self):
        run = self.lose_nothing("replace")
        self.assertEqual(run.load.labels, {"first", "later"})

    def test_plugins_that_are_replaced_while_reloads_run_lose_no_request(self):
        self.lose_nothing("replace-meanwhile")

    def test_a_worker_that_is_held_loses_no_request(self):
        self.lose_nothing("hang")

    def test_a_full_log_loses_no_request(self):
        self.lose_nothing("full-log")

    def test_no_descriptors_lose_no_request_and_keep_no_core_busy(self):
        self.lose_nothing("descriptors")

    def test_workers_that_are_killed_lose_only_what_they_had(self):
        self.assertIn("kills", self.show("kill").done)

    def test_workers_that_crash_lose_only_what_they_had(self):
        self.assertIn("crashes", self.show("crash").done)

    def test_a_full_disk_refuses_reloads_and_nothing_else(self):
        self.assertIn("reloads refused", self.show("disk").done)

    def test_a_worker_that_the_system_ends_for_want_of_memory_is_replaced(self):
        self.assertIn("workers ended", self.show("group-memory").done)


class Misbehaving:
    """A server that answers a few requests as it should and then does as `how` says."""

    def __init__(self, how):
        self.how = how
        self.socket = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.socket.getsockname()[1]
        self.lock = threading.Lock()
        self.left = 40
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self.serve, args=(self.socket.accept()[0],), daemon=True).start()

    def serve(self, connection):
        received = b""
        with connection, contextlib.suppress(OSError):
            while piece := connection.recv(65536):
                received += piece
                head, found, body = received.partition(b"\r\n\r\n")
                if not found or (b"POST" in head and len(body) < len(load.BODY)):
                    continue
                received = b""
                answer = self.answer(head.split(b"/")[2].decode())
                with self.lock:
                    self.left -= 1
                    good = self.left != 0
                if good:
                    connection.sendall(answer)
                elif self.how(self, connection, answer) == "end":
                    return

    @staticmethod
    def answer(number):
        body = f"{number} 1 first 0"
        return f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()

    def answer_another(self, connection, _):
        connection.sendall(self.answer("r0"))

    def answer_twice(self, connection, answer):
        connection.sendall(answer + answer)

    def cut(self, connection, answer):
        connection.sendall(answer[:-3])
        return "end"

    def close(self, _connection, _answer):
        return "end"

    def reset(self, connection, _answer):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return "end"

    def fail(self, connection, _answer):
        connection.sendall(b"HTTP/1.1 500 Oh\r\nContent-Length: 0\r\n\r\n")


class Judgement(unittest.TestCase):
    """The driver itself: what it must not take for an answer."""

    def judged(self, how):
        server = Misbehaving(how)
        run = Run("misbehaving", SECONDS, wrk=False)
        with server.socket, load.Load(server.port) as run.load:
            wait_for(lambda: server.left < -40, "all that it does")
        run.journal = {}, {"r1": 1}, []
        judge(run)
        return run

    def assert_problem(self, how, text):
        problems = self.judged(how).problems
        self.assertEqual(len(problems), 1, problems)
        self.assertIn(text, problems[0])

    def test_a_server_that_does_as_it_should_is_found_good(self):
        run = self.judged(lambda server, connection, answer: connection.sendall(answer))
        self.assertEqual((run.problems, run.load.lost), ([], []))
        self.assertEqual(run.load.counts["sent"], run.load.answered_so_far())

    def test_the_answer_to_another_request_is_found(self):
        self.assert_problem(Misbehaving.answer_another, "another's answer: 1")

    def test_a_second_answer_is_found(self):
        self.assert_problem(Misbehaving.answer_twice, "unasked: 1")

    def test_an_answer_that_is_cut_is_lost(self):
        self.assert_problem(Misbehaving.cut, "how='answer cut'")

    def test_a_connection_that_ends_without_an_answer_is_lost(self):
        self.assert_problem(Misbehaving.close, "how='closed'")

    def test_a_reset_is_lost(self):
        self.assert_problem(Misbehaving.reset, "how='reset'")

    def test_a_failure_is_not_taken_for_an_answer(self):
        self.assert_problem(Misbehaving.fail, "statuses {500: 1}")

    def test_a_loss_that_a_killed_worker_does_not_explain_is_a_problem(self):
        run = self.judged(Misbehaving.reset)
        run.allowed, run.problems = BROUGHT_DOWN, []
        judge(run)
        self.assertIn("1 lost, unexplained", run.problems[0])

    def test_a_request_that_ran_twice_is_found(self):
        run = self.judged(lambda server, connection, answer: connection.sendall(answer))
        run.journal = {"r1": 1}, {"r1": 1}, ["r1"]
        judge(run)
        self.assertEqual(run.problems, ["run twice: ['r1']"])
