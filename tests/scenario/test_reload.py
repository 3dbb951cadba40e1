"""Reload: a new generation beside the old one, and whatever can go wrong with it."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import resource
import shutil
import signal
import socket
import unittest

from deployment import LIMIT, TEST_PLUGINS, deployment, free_port, read, wait_for
from traffic import Traffic

STORE = 'store: { trace = "$TRACE"; label = "hello"; };\n'
FRONT = 'front: { trace = "$TRACE"; };\n'
PLUGINS = ("front", "store")
PRODUCTION = ('environment = "production";\nallow_root = true;\nlog: { format = "pretty"; };\n'
              'drain_timeout = "20 s";\n')
TWO = PRODUCTION + "workers = 2;\n"


def labelled(label, more=""):
    return f'store: {{ trace = "$TRACE"; label = "{label}"; {more} }};\n'


def status(made):
    outcome = made.rtctl("status", "--json")
    if outcome.returncode:
        raise AssertionError(outcome.stdout)
    return json.loads(outcome.stdout)


def reload(made):
    return made.rtctl("reload", "--wait")


def copies(made):
    return os.listdir(made.temporary)


def generation_states(made):
    return [generation["state"] for generation in status(made)["generations"]]


def ask(made, request):
    """A connection to the control socket on which one line was sent."""
    [name] = os.listdir(made.runtime)
    connection = socket.socket(socket.AF_UNIX)
    connection.settimeout(LIMIT)
    connection.connect(os.path.join(made.runtime, name))
    connection.sendall(request.encode())
    return connection


def reply(connection):
    with connection:
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


class TakingUp(unittest.TestCase):
    def test_sighup_takes_up_changed_settings(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            made.write(labelled("changed") + FRONT)
            made.process.send_signal(signal.SIGHUP)
            made.wait_for_log("reloaded: generation 2")
            self.assertEqual(made.get("/who"), (200, "changed"))
            made.wait_for_log("generation 1 has ended")
            self.assertEqual(made.trace()[-1], "stop store")
            self.assertEqual(made.stop(), 0)

    def test_reload_with_wait_says_how_it_was(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            outcome = reload(made)
            self.assertEqual(outcome.returncode, 0)
            self.assertIn("is fit for development\n", outcome.stdout)
            self.assertRegex(outcome.stdout, rf"\nreloaded: generation 2, http://127.0.0.1:{made.port}, "
                                             r"2 modules, \d+ ms\n$")
            self.assertEqual(made.stop(), 0)

    def test_reload_without_wait_only_asks(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            outcome = made.rtctl("reload")
            self.assertEqual((outcome.returncode, outcome.stdout), (0, "a reload was asked for\n"))
            made.wait_for_log("reloaded: generation 2")
            self.assertEqual(made.stop(), 0)

    def test_a_changed_number_of_workers_is_taken_up(self):
        with deployment(PLUGINS, PRODUCTION + "workers = 1;\n" + STORE + FRONT) as made:
            made.start_ready()
            for count in (3, 2):
                made.write(PRODUCTION + f"workers = {count};\n" + STORE + FRONT)
                self.assertEqual(reload(made).returncode, 0)
                self.assertEqual(len(status(made)["generations"][0]["workers"]), count)
            self.assertEqual(made.stop(), 0)

    def test_a_secret_is_read_anew(self):
        config = PRODUCTION + STORE + 'front: { token = "@file:token"; };\n'
        with deployment(PLUGINS, config) as made:
            for value in ("first", "second"):
                with open(made.path("token"), "w", encoding="utf-8") as file:
                    file.write(value)
                os.chmod(made.path("token"), 0o600)
                if value == "first":
                    made.start_ready()
                else:
                    self.assertEqual(reload(made).returncode, 0)
                self.assertEqual(made.get("/token"), (200, value))
            self.assertEqual(made.stop(), 0)

    def test_another_log_file_is_written_to_from_the_switch_on(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            other = made.path("other.log")
            made.write(f'log: {{ file = "{other}"; }};\n' + STORE + FRONT)
            self.assertEqual(reload(made).returncode, 0)
            self.assertIn("reloaded: generation 2", read(other))
            self.assertNotIn("reloaded: generation 2", made.log())
            self.assertEqual(made.stop(), 0)
            self.assertIn("stopped", read(other))

    def test_sighup_opens_the_log_file_anew_after_it_was_moved(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.log_file = made.path("own.log")
            made.start_ready("--set", f'log.file="{made.log_file}"')
            os.rename(made.log_file, made.path("own.log.1"))
            made.process.send_signal(signal.SIGHUP)
            made.wait_for_log("reloaded: generation 2")
            self.assertEqual(made.stop(), 0)

    def test_what_takes_a_new_start_is_said(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            made.write('control: { socket = "elsewhere"; };\n' + STORE + FRONT)
            made.process.send_signal(signal.SIGHUP)
            made.wait_for_log("reloaded: generation 2")
            self.assertIn("`control.socket` takes effect when rtd is started anew", made.log())
            self.assertEqual(made.stop(), 0)

    def test_a_reload_that_is_asked_for_during_the_start_follows_it(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start()
            made.wait_for_trace("configure store")
            made.process.send_signal(signal.SIGHUP)
            made.wait_for_log("reloaded: generation 2")
            self.assertEqual(made.stop(), 0)


class LosingNothing(unittest.TestCase):
    def test_no_request_is_lost_in_ten_reloads(self):
        with deployment(PLUGINS, TWO + STORE + FRONT) as made:
            made.start_ready()
            with Traffic(made.port) as traffic:
                for number in range(10):
                    made.write(TWO + labelled(f"label-{number}") + FRONT)
                    self.assertEqual(reload(made).returncode, 0)
                    traffic.wait_for_more()
            self.assertEqual(traffic.lost, [])
            self.assertEqual({code for code, _ in traffic.answers}, {200})
            self.assertIn((200, "label-9"), traffic.answers)
            self.assertEqual(made.stop(), 0)

    def test_a_running_request_is_answered_by_the_generation_that_has_it(self):
        with deployment(PLUGINS, STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            answer = pool.submit(made.get, "/slow/1500")
            made.wait_for_trace("request front")
            self.assertEqual(reload(made).returncode, 0)
            self.assertEqual(generation_states(made), ["serving", "draining"])
            self.assertEqual(answer.result(), (200, "slept"))
            made.wait_for_log("generation 1 has ended")
            self.assertEqual(made.stop(), 0)

    def test_a_kept_connection_is_answered_once_more_and_then_closed(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=LIMIT)
            with contextlib.closing(connection):
                connection.request("GET", "/pid")
                old = connection.getresponse().read()
                self.assertEqual(reload(made).returncode, 0)
                connection.request("GET", "/pid")
                response = connection.getresponse()
                self.assertEqual(response.read(), old)
                self.assertEqual(response.headers["Connection"], "close")
            made.wait_for_log("generation 1 has ended")
            self.assertNotEqual(made.get("/pid")[1].encode(), old)
            self.assertEqual(made.stop(), 0)

    def test_a_lazy_provider_is_started_for_a_request_that_the_old_generation_has(self):
        lazy = 'store: { trace = "$TRACE"; label = "late"; start = "lazy"; };\n'
        with deployment(PLUGINS, lazy + FRONT) as made:
            made.start_ready()
            connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=LIMIT)
            with contextlib.closing(connection):
                connection.request("GET", "/pid")
                connection.getresponse().read()
                self.assertEqual(reload(made).returncode, 0)
                connection.request("GET", "/who")
                response = connection.getresponse()
                self.assertEqual((response.status, response.read()), (200, b"late"))
            self.assertEqual(made.stop(), 0)

    def test_what_still_runs_after_the_drain_timeout_is_interrupted_and_counted(self):
        with deployment(PLUGINS, 'drain_timeout = "300 ms";\n' + STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            answer = pool.submit(made.get, "/slow/60000")
            made.wait_for_trace("request front")
            self.assertEqual(reload(made).returncode, 0)
            self.assertEqual(answer.result()[0], 503)
            made.wait_for_log("generation 1 has ended: 1 request was interrupted")
            self.assertIn("1 request still runs after `drain_timeout`: interrupted", made.log())
            self.assertEqual(made.stop(), 0)

    def test_a_third_switch_interrupts_the_oldest_that_drains_and_says_what_it_cut(self):
        with deployment(PLUGINS, 'drain_timeout = "50 s";\n' + STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(3) as pool:
            made.start_ready()
            answers = []
            for number in range(3):
                answers.append(pool.submit(made.get, "/slow/600000"))
                wait_for(lambda: made.trace().count("request front") == number + 1, "the request")
                self.assertEqual(reload(made).returncode, 0)
            self.assertEqual(answers[0].result(LIMIT)[0], 503)
            made.wait_for_log("generation 1 has ended: 1 request was interrupted")
            self.assertIn("generation 1 is interrupted: 2 younger ones drain", made.log())
            self.assertEqual(generation_states(made), ["serving", "draining", "draining"])
            self.assertFalse(answers[1].done() or answers[2].done())
            made.process.send_signal(signal.SIGTERM)
            made.wait_for_log("SIGTERM: stopping")
            # A second signal counts a quarter of a second after the first one.
            wait_for(lambda: made.process.send_signal(signal.SIGTERM) or
                     made.process.poll() is not None, "the end")
            self.assertEqual(copies(made), [])

    def test_a_connection_that_waits_on_an_address_that_goes_is_served(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            second = free_port()
            made.ports.append(second)
            made.write(STORE + FRONT)
            made.start_ready()
            with Traffic(made.port) as traffic:
                early = socket.create_connection(("127.0.0.1", second), LIMIT)
                made.ports.remove(second)
                made.write(STORE + FRONT)
                self.assertEqual(reload(made).returncode, 0)
                with early:
                    early.sendall(b"GET /who HTTP/1.1\r\nHost: x\r\n\r\n")
                    self.assertIn(b"hello", early.recv(65536))
                wait_for(lambda: self.is_refused(second), "refusal")
            self.assertEqual(traffic.lost, [])
            self.assertEqual(made.stop(), 0)

    @staticmethod
    def is_refused(port):
        try:
            socket.create_connection(("127.0.0.1", port), LIMIT).close()
            return False
        except ConnectionRefusedError:
            return True

    def test_a_new_address_is_served_beside_the_one_that_stays(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            first = made.port
            with Traffic(first) as traffic:
                made.ports.append(free_port())
                made.write(STORE + FRONT)
                self.assertEqual(reload(made).returncode, 0)
                made.port = made.ports[1]
                self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(traffic.lost, [])
            self.assertEqual(made.stop(), 0)


def replace(path, source):
    """As a package manager does it: whoever has the old file open keeps it."""
    shutil.copy(source, path + ".new")
    os.rename(path + ".new", path)


def overwrite(path, source):
    with open(source, "rb") as new, open(path, "r+b") as old:
        old.write(new.read())
        old.truncate()


def truncate(path, _):
    os.truncate(path, 1000)


def delete(path, _):
    os.unlink(path)


class ReplacingPlugins(unittest.TestCase):
    LATER = os.path.join(TEST_PLUGINS, "store-later.so")
    FRONT = PRODUCTION + 'front: { trace = "$TRACE"; };\nstore: { trace = "$TRACE"; };\n'

    def test_a_plugin_that_was_replaced_or_overwritten_is_taken_up(self):
        for change in (replace, overwrite):
            with self.subTest(change=change.__name__), deployment(PLUGINS, self.FRONT) as made:
                made.start_ready()
                with Traffic(made.port) as traffic:
                    change(os.path.join(made.plugins, "store.so"), self.LATER)
                    traffic.wait_for_more()
                    self.assertEqual(traffic.answers, {(200, "plain")})
                    self.assertEqual(reload(made).returncode, 0)
                self.assertEqual(traffic.lost, [])
                self.assertEqual(made.get("/who"), (200, "later"))
                self.assertEqual(made.stop(), 0)

    def test_whatever_happens_to_the_file_the_generation_goes_on_and_replaces_its_workers(self):
        for change in (replace, overwrite, truncate, delete):
            with self.subTest(change=change.__name__), deployment(PLUGINS, self.FRONT) as made:
                made.start_ready()
                change(os.path.join(made.plugins, "store.so"), self.LATER)
                self.assertEqual(made.get("/who"), (200, "plain"))
                with contextlib.suppress(http.client.HTTPException, OSError):
                    made.get("/crash")
                made.wait_for_log("serves again")
                self.assertEqual(made.get("/who"), (200, "plain"))
                self.assertEqual(made.stop(), 0)

    def test_a_plugin_that_is_broken_or_gone_is_refused_and_nothing_is_lost(self):
        for change, number in ((truncate, "RT02"), (delete, "RT03")):
            with self.subTest(change=change.__name__), deployment(PLUGINS, self.FRONT) as made:
                made.start_ready()
                with Traffic(made.port) as traffic:
                    change(os.path.join(made.plugins, "store.so"), None)
                    outcome = reload(made)
                    self.assertEqual(outcome.returncode, 78)
                    self.assertIn(f"error[{number}", outcome.stdout)
                    self.assertIn("not reloaded, generation 1 goes on: runtime.conf is not fit for "
                                  "production\n", outcome.stdout)
                    replace(os.path.join(made.plugins, "store.so"), self.LATER)
                    self.assertEqual(reload(made).returncode, 0)
                self.assertEqual(traffic.lost, [])
                self.assertEqual(made.get("/who"), (200, "later"))
                self.assertEqual(made.stop(), 0)


class Failing(unittest.TestCase):
    def refuses(self, made, code, *expected):
        """The old generation goes on, nothing of the new one stays, and the next reload works."""
        worker = made.get("/pid")
        with Traffic(made.port) as traffic:
            outcome = reload(made)
            self.assertEqual(outcome.returncode, code, outcome.stdout)
            for text in expected + ("not reloaded, generation 1 goes on: ",):
                self.assertIn(text, outcome.stdout)
        self.assertEqual(traffic.lost, [])
        self.assertEqual({code for code, _ in traffic.answers}, {200})
        self.assertIn("not reloaded, generation 1 goes on: ", made.log())
        wait_for(lambda: len(copies(made)) == 1, "the copies of the new generation to go")
        wait_for(lambda: generation_states(made) == ["serving"], "the new generation to end")
        if len(status(made)["generations"][0]["workers"]) == 1:
            self.assertEqual(made.get("/pid"), worker)
        self.assertEqual(status(made)["last_reload"]["status"], code)
        made.write(TWO + labelled("well again") + FRONT)
        self.assertEqual(reload(made).returncode, 0)
        self.assertEqual(made.get("/who"), (200, "well again"))
        self.assertEqual(made.stop(), 0)

    def refuses_config(self, config, code, *expected):
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made:
            made.start_ready()
            made.write(config)
            self.refuses(made, code, *expected)

    def test_a_configuration_with_errors_is_refused_with_its_diagnostics(self):
        self.refuses_config(PRODUCTION + "frnt: { };\n" + STORE, 78, "error[RT",
                            "`frnt`", "1 error, ", "runtime.conf is not fit for production")

    def test_a_configuration_that_cannot_be_parsed_is_refused(self):
        self.refuses_config("environment = ;\n", 78, "error[RT01")

    def test_a_configuration_that_is_gone_is_refused(self):
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made:
            made.start_ready()
            os.unlink(made.config)
            made.process.send_signal(signal.SIGHUP)
            made.wait_for_log("not reloaded, generation 1 goes on")
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_a_module_that_fails_to_start_is_named(self):
        self.refuses_config(TWO + labelled("x", 'goes_wrong = "start";') + FRONT, 69,
                            "module `store` failed to start: the backend of `store` is down [RT0712]")

    def test_a_worker_that_crashes_exits_or_hangs_in_its_start_is_named(self):
        for how, text in (("crash", "SIGSEGV"), ("exit", "status 7"), ("hang", "within 0.3 s"),
                          ("spin", "did not answer in time")):
            with self.subTest(how=how):
                config = 'start_timeout = "300 ms";\n' + labelled("x", f'goes_wrong = "{how}";')
                self.refuses_config(TWO + config + FRONT, 69, "`store`", text)

    def test_one_worker_of_the_new_generation_that_fails_is_enough_and_the_others_lose_nothing(self):
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made:
            made.start_ready()
            # The store counts its starts in the trace: one of the two workers is the second.
            made.write(TWO + labelled("x", 'goes_wrong = "again";') + FRONT)
            self.refuses(made, 69, "the second start goes wrong")

    def test_an_address_in_use_is_refused(self):
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made, socket.socket() as taken:
            made.start_ready()
            port = free_port()
            taken.bind(("127.0.0.1", port))
            taken.listen()
            made.ports.append(port)
            made.write(PRODUCTION + STORE + FRONT)
            worker = made.get("/pid")
            outcome = reload(made)
            self.assertEqual(outcome.returncode, 69)
            self.assertIn(f"cannot listen on `127.0.0.1:{port}`: Address already in use",
                          outcome.stdout)
            self.assertEqual(made.get("/pid"), worker)
            taken.close()
            self.assertEqual(reload(made).returncode, 0)
            self.assertEqual(made.stop(), 0)

    def test_an_address_that_was_opened_for_nothing_is_closed_again(self):
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made:
            made.start_ready()
            made.ports.append(free_port())
            made.write(PRODUCTION + labelled("x", 'goes_wrong = "start";') + FRONT)
            self.assertEqual(reload(made).returncode, 69)
            wait_for(lambda: generation_states(made) == ["serving"], "the new generation to end")
            self.assertTrue(LosingNothing.is_refused(made.ports[1]))
            self.assertEqual(made.stop(), 0)

    def test_a_log_that_cannot_be_opened_is_refused(self):
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made:
            made.start_ready()
            config = PRODUCTION.replace("log: { ", f'log: {{ file = "{made.folder}"; ')
            made.write(config + STORE + FRONT)
            self.refuses(made, 74, f"cannot open the log `{made.folder}`: Is a directory")

    def test_copies_that_cannot_be_written_are_refused(self):
        def limit_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (4 << 20, 4 << 20))
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made:
            made.start_ready(preexec_fn=limit_files)
            with open(os.path.join(made.plugins, "store.so"), "ab") as file:
                file.write(bytes(5 << 20))
            outcome = reload(made)
            self.assertEqual(outcome.returncode, 71)
            self.assertRegex(outcome.stdout, r"cannot copy the plugins: cannot write `.*`: File too large")
            self.assertEqual(len(copies(made)), 1)
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_the_diagnostics_go_into_a_log_of_records(self):
        with deployment(PLUGINS, PRODUCTION.replace("pretty", "json") + STORE + FRONT) as made:
            made.start()
            made.wait_for_log('"ready: ')
            made.write(PRODUCTION.replace("pretty", "json") + "frnt: { };\n" + STORE)
            made.process.send_signal(signal.SIGHUP)
            made.wait_for_log("not reloaded")
            records = [json.loads(line) for line in made.log().splitlines()]
            found = [record for record in records if "`frnt`" in record["message"]]
            self.assertEqual({record["level"] for record in found}, {"error"})
            self.assertEqual(made.stop(), 0)


class Together(unittest.TestCase):
    def test_twenty_reloads_that_are_asked_for_at_once_are_one_and_one_more_after_it(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            os.kill(made.process.pid, signal.SIGSTOP)
            asked = [ask(made, "reload wait\n") for _ in range(14)]
            for _ in range(6):
                os.kill(made.process.pid, signal.SIGHUP)
            os.kill(made.process.pid, signal.SIGCONT)
            for connection in asked:
                self.assertRegex(reply(connection), r"\nout reloaded: generation [23], .*\nexit 0\n$")
            self.assertLessEqual(status(made)["generation"], 3)
            self.assertEqual(made.stop(), 0)

    def test_a_stop_during_a_reload_stops_everything(self):
        with deployment(PLUGINS, STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            made.write(labelled("x", 'goes_wrong = "hang";') + FRONT)
            outcome = pool.submit(reload, made)
            wait_for(lambda: made.trace().count("start store") == 2, "the second start")
            self.assertEqual(made.stop(), 0)
            self.assertEqual(outcome.result().returncode, 69)
            self.assertIn("not reloaded: rtd stops", outcome.result().stdout)
            self.assertEqual(os.listdir(made.temporary) + os.listdir(made.runtime), [])

    def test_a_stop_while_an_old_generation_drains_waits_for_both(self):
        with deployment(PLUGINS, STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            answer = pool.submit(made.get, "/slow/1500")
            made.wait_for_trace("request front")
            self.assertEqual(reload(made).returncode, 0)
            self.assertEqual(made.stop(), 0)
            self.assertEqual(answer.result(), (200, "slept"))
            self.assertEqual(os.listdir(made.temporary) + os.listdir(made.runtime), [])

    def test_a_stop_closes_kept_connections_of_a_generation_that_drains(self):
        with deployment(PLUGINS, 'drain_timeout = "1 h";\n' + STORE + FRONT) as made:
            made.start_ready()
            connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=LIMIT)
            with contextlib.closing(connection):
                connection.request("GET", "/who")
                connection.getresponse().read()
                self.assertEqual(reload(made).returncode, 0)
                self.assertEqual(generation_states(made), ["serving", "draining"])
                self.assertEqual(made.stop(), 0)

    def test_a_worker_that_is_replaced_during_a_reload_is_of_its_own_generation(self):
        with deployment(PLUGINS, 'start_timeout = "50 s";\n' + STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            made.write(labelled("new", 'goes_wrong = "hang";') + FRONT)
            outcome = pool.submit(reload, made)
            wait_for(lambda: made.trace().count("start store") == 2, "the second start")
            with contextlib.suppress(http.client.HTTPException, OSError):
                made.get("/crash")
            made.wait_for_log("serves again")
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)
            self.assertEqual(outcome.result().returncode, 69)


if __name__ == "__main__":
    unittest.main()
