"""Health: what modules say, what the admin listener makes of it, and when it answers."""

import contextlib
import http.client
import json
import os
import signal
import socket
import threading
import unittest

from deployment import deployment, free_port, wait_for

LIVE, READY = "/health/live", "/health/ready"
QUICK = 'interval = "100 ms"; timeout = "300 ms";'
PRODUCTION = ('environment = "production";\nallow_root = true;\nlog: { format = "pretty"; };\n'
              'drain_timeout = "5 s";\n')
# Where no worker is to count as silent, however busy the machine is.
PATIENT = 'interval = "100 ms"; timeout = "20 s";'
TWO = PRODUCTION + "workers = 2;\n"


def ask(port, path=READY, method="GET"):
    """(status, JSON) of one request on a connection of its own."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path)
        answer = connection.getresponse()
        body = answer.read()
        return answer.status, json.loads(body) if body else None


class Served:
    """A deployment with an admin listener, asked about its health."""

    def __init__(self, made, port):
        self.made, self.port = made, port

    def ready(self):
        return ask(self.port)

    def wait_for(self, status, verdict):
        """Until readiness is that; and that answer."""
        def answer():
            got = self.ready()
            return got[0] == status and got[1]["status"] == verdict and got[1]
        return wait_for(answer, f"{status} {verdict}")

    def mood(self, mood, path=""):
        """Sets it in the worker that answers; its pid."""
        status, body = self.made.get(f"{path}/mood/{mood}")
        assert status == 200, body
        return int(body)

    def module(self, name="moody"):
        """How it is, by worker."""
        answer = self.ready()[1]
        return [module for worker in answer["workers"] for module in worker["modules"]
                if module["name"] == name]


@contextlib.contextmanager
def serving(config="", health=QUICK, moody='trace = "$TRACE";', plugins=("moody",), start=True):
    port = free_port()
    with deployment(plugins, config + f'admin: {{ listen = ["127.0.0.1:{port}"]; }};\n'
                    f'health: {{ {health} }};\nmoody: {{ {moody} }};\n') as made:
        if start:
            made.start_ready()
        yield Served(made, port)


class Answers(unittest.TestCase):
    def becomes(self, mood, reason, status=503, verdict="unavailable", word="unhealthy"):
        with serving() as served:
            served.mood(mood)
            answer = served.wait_for(status, verdict)
            self.assertEqual(answer["workers"][0]["modules"],
                             [{"name": "moody", "status": word, "reason": reason}])
            self.assertEqual(answer["reasons"], [f"module `moody` is {word} in worker 1: {reason}"])
            served.made.wait_for_log(f"WARN  rtd     module `moody` is {word}: ")
            served.mood("healthy")
            self.assertEqual(served.wait_for(200, "ready")["reasons"], [])
            served.made.wait_for_log("INFO  rtd     module `moody` is healthy")
            self.assertEqual(served.made.stop(), 0)

    def test_a_module_that_is_well_makes_the_server_ready_from_the_first_moment(self):
        with serving() as served:
            status, answer = served.ready()
            self.assertEqual(status, 200)
            worker = answer["workers"][0]
            self.assertEqual(worker.pop("pid"), served.mood("healthy"))
            self.assertEqual(answer, {
                "status": "ready", "state": "serving", "name": "rt", "environment": "development",
                "reasons": [], "acknowledged": [], "quarantined": [],
                "workers": [{"number": 1, "state": "ready",
                             "modules": [{"name": "moody", "status": "healthy"}]}]})
            self.assertEqual(served.made.stop(), 0)

    def test_a_module_that_is_not_well_at_start_is_known_from_the_first_moment(self):
        with serving(moody='mood = "unhealthy";') as served:
            status, answer = served.ready()
            self.assertEqual((status, answer["status"], answer["state"]),
                             (503, "unavailable", "serving"))
            self.assertEqual(served.made.stop(), 0)

    def test_degraded_is_200_with_the_reason(self):
        self.becomes("degraded", '1 of 2 "connections"\n', 200, "degraded", "degraded")

    def test_unhealthy_is_503_with_the_reason(self):
        self.becomes("unhealthy", "no connection")

    def test_a_function_that_fails_is_unhealthy_with_the_error(self):
        self.becomes("failing", "the cable of `moody` is cut")

    def test_a_function_that_fails_without_a_message_is_unhealthy_with_the_code(self):
        self.becomes("silent", "data is lost or corrupt for good")

    def test_an_answer_that_means_nothing_is_unhealthy(self):
        self.becomes("odd", "its answer is 77, which means nothing")

    def test_a_function_that_waits_too_long_is_unhealthy(self):
        self.becomes("hanging", "did not answer in 0.3 s")

    def test_a_function_that_cannot_be_ended_is_unhealthy_in_time_and_not_asked_again_meanwhile(self):
        with serving() as served:
            served.mood("blocking")
            answer = served.wait_for(503, "unavailable")
            self.assertIn("did not answer in 0.3 s", answer["reasons"][0])
            served.mood("healthy")
            served.wait_for(200, "ready")
            self.assertNotIn("asked twice at once moody", served.made.trace())
            self.assertEqual(served.made.stop(), 0)

    def test_a_late_answer_does_not_count(self):
        with serving(health='interval = "1 h"; timeout = "300 ms";',
                     moody='mood = "blocking"; trace = "$TRACE";') as served:
            for _ in range(20):
                answer = served.wait_for(503, "unavailable")
                self.assertIn("did not answer in 0.3 s", answer["reasons"][0])
            self.assertEqual(served.made.stop(), 0)
            self.assertEqual(served.made.trace()[-1], "stopping moody")

    def test_a_defect_is_unhealthy(self):
        self.becomes("defect", "defect: an invariant is broken")

    def test_a_long_reason_is_cut(self):
        with serving(moody='mood = "boasting";') as served:
            self.assertEqual(served.module()[0]["reason"], "0" * 219)
            self.assertEqual(served.made.stop(), 0)

    def test_a_module_is_asked_again_and_again_and_requests_do_not_ask_it(self):
        with serving(health='interval = "1 h";') as served:
            for _ in range(50):
                self.assertEqual(served.ready()[0], 200)
            self.assertEqual(served.made.trace().count("asked moody"), 1)
            self.assertEqual(served.made.stop(), 0)
        with serving() as served:
            wait_for(lambda: served.made.trace().count("asked moody") > 5, "asked often")
            self.assertEqual(served.made.stop(), 0)

    def test_a_lazy_module_is_healthy_before_its_first_use_and_one_without_a_function_always(self):
        lazy = 'store: { start = "lazy"; };\nfront: { prefix = "/front"; };\n'
        with serving(lazy, plugins=("moody", "front", "store")) as served:
            self.assertEqual(served.module("store"),
                             [{"name": "store", "status": "healthy", "reason": "not started"}])
            self.assertEqual(served.module("front"), [{"name": "front", "status": "healthy"}])
            served.made.get("/front/who")
            wait_for(lambda: served.module("store") == [{"name": "store", "status": "healthy"}],
                     "started")
            self.assertEqual(served.made.stop(), 0)

    def test_two_instances_of_a_module_are_asked_apart(self):
        side = ('side: { module = "moody"; prefix = "/side"; };\nload = ["moody", "side"];\n')
        with serving(side) as served:
            served.mood("unhealthy", "/side")
            answer = served.wait_for(503, "unavailable")
            self.assertEqual(answer["reasons"],
                             ["module `side` is unhealthy in worker 1: no connection"])
            self.assertEqual(served.made.stop(), 0)

    def test_fail_on_degraded_makes_degraded_503(self):
        with serving(health=QUICK + ' fail_on = "degraded";') as served:
            self.assertEqual(served.ready()[0], 200)
            served.mood("degraded")
            served.wait_for(503, "degraded")
            self.assertEqual(served.made.stop(), 0)

    def test_what_was_acknowledged_in_production_is_named(self):
        with serving(PRODUCTION + 'acknowledge = ["guarded"];\n',
                     plugins=("moody", "guarded")) as served:
            status, answer = served.ready()
            self.assertEqual(status, 200)
            self.assertEqual(answer["acknowledged"], ["guarded"])
            self.assertEqual(answer["environment"], "production")
            self.assertEqual(served.made.stop(), 0)


class Workers(unittest.TestCase):
    def test_each_worker_answers_for_all(self):
        with serving(TWO, PATIENT) as served:
            served.mood("unhealthy")
            answer = served.wait_for(503, "unavailable")
            self.assertEqual(len(answer["reasons"]), 1)
            self.assertEqual([worker["state"] for worker in answer["workers"]], ["ready", "ready"])
            self.assertEqual({served.ready()[0] for _ in range(40)}, {503})
            self.assertEqual(served.made.stop(), 0)

    def test_a_worker_that_was_killed_makes_it_degraded_until_its_successor_serves(self):
        with serving(TWO, PATIENT, 'trace = "$TRACE"; start_takes = "1 s";') as served:
            pids = {worker["pid"] for worker in served.ready()[1]["workers"]}
            os.kill(min(pids), signal.SIGKILL)
            answer = served.wait_for(200, "degraded")
            self.assertRegex(answer["reasons"][0], r"^worker [12] is (missing|starting)$")
            answer = served.wait_for(200, "ready")
            self.assertEqual(len({worker["pid"] for worker in answer["workers"]} & pids), 1)
            self.assertEqual(served.made.stop(), 0)

    def test_the_successor_of_the_only_worker_says_that_nobody_serves(self):
        with serving(moody='trace = "$TRACE"; start_takes = "1 s";') as served:
            os.kill(served.ready()[1]["workers"][0]["pid"], signal.SIGKILL)
            served.made.wait_for_log("was ended by signal 9")
            status, answer = served.ready()
            self.assertEqual((status, answer["status"]), (503, "unavailable"))
            self.assertEqual(answer["reasons"], ["worker 1 is starting"])
            served.wait_for(200, "ready")
            served.made.stop()

    def test_a_crash_while_asked_is_a_crash_of_a_worker(self):
        with serving(TWO, PATIENT) as served:
            pid = served.mood("crash")
            served.made.wait_for_log(f"(pid {pid}) was ended by signal 11")
            answer = served.wait_for(200, "ready")
            self.assertNotIn(pid, [worker["pid"] for worker in answer["workers"]])
            served.made.stop()

    def test_a_worker_whose_loop_is_stuck_is_silent_and_the_others_are_alive(self):
        with serving(TWO) as served:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.made.port)) as stuck:
                stuck.request("GET", "/spin")
                wait_for(lambda: any(line.startswith("spin") for line in served.made.trace()), "stuck")
                answer = served.wait_for(200, "degraded")
                self.assertRegex(answer["reasons"][0], "^worker [12] is silent$")
                self.assertEqual({ask(served.port, LIVE)[0] for _ in range(20)}, {200})

    def test_a_function_that_never_gives_the_loop_back_at_start_is_named(self):
        with serving(moody='mood = "spinning";', start=False) as served:
            served.made.start()
            self.assertEqual(served.made.wait(), 69)
            self.assertIn("asking for the health of module `moody`", served.made.last_line())

    def test_a_module_that_hangs_when_asked_does_not_hold_up_start_or_stop(self):
        with serving(moody='mood = "hanging"; trace = "$TRACE";',
                     health='interval = "1 h"; timeout = "300 ms";') as served:
            self.assertEqual(served.ready()[0], 503)
            self.assertEqual(served.made.stop(), 0)

    def test_a_module_is_not_stopped_while_it_is_asked(self):
        with serving(moody='mood = "healthy"; trace = "$TRACE";',
                     health='interval = "100 ms"; timeout = "1 min";') as served:
            served.mood("hanging")
            asked = served.made.trace().count("asked moody")
            wait_for(lambda: served.made.trace().count("asked moody") > asked, "asked")
            self.assertEqual(served.made.stop(), 0)
            self.assertEqual(served.made.trace()[-1], "stopping moody")


class Life(unittest.TestCase):
    def test_it_answers_503_while_it_starts(self):
        with serving(moody='trace = "$TRACE"; start_takes = "1 h";', start=False) as served:
            served.made.start()
            served.made.wait_for_trace("starting moody")
            status, answer = served.ready()
            self.assertEqual((status, answer["state"]), (503, "starting"))
            self.assertEqual(answer["reasons"], ["the server is starting"])
            self.assertEqual(answer["workers"][0]["modules"], [])
            self.assertEqual(ask(served.port, LIVE), (200, {"status": "live"}))
            self.assertEqual(served.made.stop(), 0)

    def test_it_answers_503_during_shutdown_delay_while_requests_are_still_served(self):
        with serving('shutdown_delay = "1 h";\n') as served:
            served.made.process.send_signal(signal.SIGTERM)
            answer = served.wait_for(503, "unavailable")
            self.assertEqual((answer["state"], answer["reasons"]),
                             ("stopping", ["the server is stopping"]))
            self.assertEqual(answer["workers"][0]["state"], "ready")
            served.mood("healthy")
            self.assertEqual(ask(served.port, LIVE)[0], 200)

    def test_it_answers_503_while_requests_drain_and_then_is_gone(self):
        with serving('drain_timeout = "3 s";\n') as served:
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", served.made.port)) as slow:
                slow.request("GET", "/wait")
                served.made.wait_for_trace("request moody")
                served.made.process.send_signal(signal.SIGTERM)
                answer = wait_for(lambda: (got := served.ready())[1]["state"] == "draining" and got,
                                  "draining")
                self.assertEqual(answer[0], 503)
                self.assertEqual(slow.getresponse().status, 503)
            self.assertEqual(served.made.wait(), 0)
            with self.assertRaises(ConnectionRefusedError):
                served.ready()

    def test_it_answers_while_modules_stop(self):
        with serving(moody='trace = "$TRACE"; stop_takes = "3 s";') as served:
            served.made.process.send_signal(signal.SIGTERM)
            served.made.wait_for_trace("stopping moody")
            status, answer = served.ready()
            self.assertEqual((status, answer["state"]), (503, "draining"))
            self.assertEqual(served.made.wait(), 0)

    def test_its_connections_do_not_hold_up_the_stop(self):
        with serving() as served, contextlib.ExitStack() as stack:
            kept = [stack.enter_context(socket.create_connection(("127.0.0.1", served.port)))
                    for _ in range(30)]
            for number, connection in enumerate(kept):
                connection.sendall(b"GET /health/ready HTTP/1.1\r\nHost: a\r\n" + b"\r\n" * (number % 3))
            self.assertEqual(served.ready()[0], 200)
            self.assertEqual(served.made.stop(), 0)


class Reload(unittest.TestCase):
    """Two workers, so that one of the new generation serves before the other."""

    def test_readiness_stays_200_through_reloads(self):
        with serving(TWO, PATIENT) as served, contextlib.ExitStack() as stack:
            answers, over = [], threading.Event()

            def probe():
                while not over.is_set():
                    try:
                        answers.append(served.ready())
                    except (OSError, http.client.HTTPException) as error:
                        answers.append((None, error))
            prober = threading.Thread(target=probe)
            prober.start()
            stack.callback(prober.join)
            stack.callback(over.set)
            for _ in range(5):
                self.assertEqual(served.made.rtctl("reload", "--wait").returncode, 0)
            over.set()
            prober.join()
            self.assertGreater(len(answers), 5)
            self.assertEqual([answer for answer in answers if answer[0] != 200], [])

    def test_readiness_stays_200_while_a_reload_fails(self):
        with serving() as served:
            served.made.write(f'admin: {{ listen = ["127.0.0.1:{served.port}"]; }};\n'
                              'moody: { trace = "$TRACE"; start_takes = "1 h"; };\n'
                              'start_timeout = "300 ms";\n')
            self.assertEqual(served.made.rtctl("reload", "--wait").returncode, 69)
            self.assertEqual(served.ready()[0], 200)

    def test_a_reload_can_turn_it_off_and_on_and_move_it(self):
        with serving() as served:
            for port in (free_port(), None, served.port):
                listen = f'"127.0.0.1:{port}"' if port else ""
                served.made.write(f"admin: {{ listen = [{listen}]; }};\n")
                self.assertEqual(served.made.rtctl("reload", "--wait").returncode, 0)
                if port:
                    self.assertEqual(ask(port)[0], 200)

    def test_rtctl_says_the_same(self):
        with serving() as served:
            said = served.made.rtctl("health", "--json")
            self.assertEqual((said.returncode, json.loads(said.stdout)["status"]), (0, "ready"))
            served.mood("unhealthy")
            served.wait_for(503, "unavailable")
            said = served.made.rtctl("health")
            self.assertEqual(said.returncode, 69)
            self.assertIn("moody", said.stdout)


class Listener(unittest.TestCase):
    def test_an_empty_list_turns_it_off(self):
        with deployment(("moody",), "admin: { listen = []; };\n") as made:
            made.start_ready()
            self.assertRegex(made.log(), rf"ready: http://127.0.0.1:{made.port}, 1 module, ")
            self.assertEqual(made.get(READY)[0], 404)
            self.assertEqual(made.stop(), 0)

    def test_it_is_told_apart_when_the_server_is_ready_and_serves_without_routes(self):
        port = free_port()
        with deployment(("guarded",), f'admin: {{ listen = ["127.0.0.1:{port}"]; }};\n') as made:
            made.start_ready()
            self.assertRegex(made.log(), rf"ready: admin http://127.0.0.1:{port}, 1 module, ")
            self.assertEqual(ask(port)[0], 200)
            self.assertEqual(made.stop(), 0)

    def test_it_serves_at_several_addresses(self):
        ports = [free_port(), free_port()]
        listen = ", ".join(f'"127.0.0.1:{port}"' for port in ports)
        with deployment(("moody",), f"admin: {{ listen = [{listen}]; }};\n") as made:
            made.start_ready()
            self.assertEqual([ask(port)[0] for port in ports], [200, 200])
            self.assertEqual(made.stop(), 0)

    def test_an_address_in_use_ends_the_start_and_is_said_to_be_of_the_admin_listener(self):
        with serving(start=False) as served, socket.socket() as taken:
            taken.bind(("127.0.0.1", served.port))
            taken.listen()
            served.made.start()
            self.assertEqual(served.made.wait(), 69)
            self.assertIn(f"cannot listen on `127.0.0.1:{served.port}` (`admin.listen`): "
                          "Address already in use", served.made.last_line())

    def test_modules_and_operators_have_listeners_of_their_own(self):
        with serving() as served:
            self.assertEqual(ask(served.port, "/mood/unhealthy")[0], 404)
            self.assertEqual(served.made.get(LIVE)[0], 404)
            self.assertEqual(ask(served.port, LIVE, "HEAD"), (200, None))
            self.assertEqual(ask(served.port, LIVE, "POST")[0], 405)
            self.assertEqual(served.made.stop(), 0)

    def test_its_requests_do_not_count_as_those_of_modules_and_are_answered_when_those_are_too_many(self):
        with serving("", start=False) as served:
            made = served.made
            made.start_ready("--set", "http.max_requests=1", "--set", 'drain_timeout="0 s"')
            with contextlib.closing(http.client.HTTPConnection("127.0.0.1", made.port)) as slow:
                slow.request("GET", "/wait")
                made.wait_for_trace("request moody")
                self.assertEqual(made.get("/mood/healthy")[0], 503)
                self.assertEqual(served.ready()[0], 200)
                self.assertEqual(made.stop(), 0)

    def test_hostile_requests_are_refused_and_do_not_keep_others_from_being_answered(self):
        hostile = (b"GET /health/ready\r\n\r\n", b"GET /../../health/ready HTTP/1.1\r\nHost: a\r\n\r\n",
                   b"POST /health/ready HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n",
                   b"GET /health/ready HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
                   b"GET /health/ready HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n"
                   b"Transfer-Encoding: chunked\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
                   b"\x00" * 20000)
        with serving() as served:
            for request in hostile:
                with socket.create_connection(("127.0.0.1", served.port), 30) as connection:
                    with contextlib.suppress(ConnectionError):
                        connection.sendall(request)
                        connection.shutdown(socket.SHUT_WR)
                        answer = connection.recv(4096)
                        self.assertRegex(answer, rb"^HTTP/1\.1 4\d\d ", request[:60])
            with contextlib.ExitStack() as stack:
                for _ in range(300): # more than it takes at once; they say nothing
                    stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 30))
                self.assertEqual(served.made.get("/mood/healthy")[0], 200)
                self.assertEqual(served.ready()[0], 200)
            self.assertEqual(served.made.stop(), 0)

    def test_answers_are_not_to_be_kept_by_caches(self):
        with serving() as served:
            connection = http.client.HTTPConnection("127.0.0.1", served.port, timeout=60)
            with contextlib.closing(connection):
                for path in (LIVE, READY):
                    connection.request("GET", path)
                    answer = connection.getresponse()
                    answer.read()
                    self.assertEqual(answer.headers["Cache-Control"], "no-store")
                    self.assertEqual(answer.headers["Content-Type"], "application/json")
            self.assertEqual(served.made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
