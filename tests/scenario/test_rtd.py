"""rtd: starting, serving, stopping, failing, and what its workers are given."""

import concurrent.futures
import json
import os
import resource
import signal
import shutil
import socket
import subprocess
import time
import unittest

from deployment import RTD, deployment, wait_for

STORE = 'store: { trace = "$TRACE"; label = "hello"; };\n'
FRONT = 'front: { trace = "$TRACE"; };\n'
PLUGINS = ("front", "store")
PRODUCTION = ('environment = "production";\nallow_root = true;\nlog: { format = "pretty"; };\n'
              'drain_timeout = "5 s";\n')


def wrong(how, more=""):
    return f'store: {{ trace = "$TRACE"; goes_wrong = "{how}"; }};\n' + more


def limit_descriptors(soft, hard):
    """What the child does before it becomes rtd."""
    return lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class Starting(unittest.TestCase):
    def test_it_serves_and_says_where(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            self.assertRegex(made.log(), rf"ready: http://127.0.0.1:{made.port}, 2 modules, \d+ ms")
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_providers_start_before_and_stop_after_those_who_need_them(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            made.stop()
            self.assertEqual(made.trace(), ["configure store", "start store", "start front",
                                            "stop front", "service-ended store", "stop store"])

    def test_a_module_runs_as_two_instances_with_settings_and_bindings_of_their_own(self):
        config = STORE + FRONT + ('other: { module = "store"; label = "second"; };\n'
                                  'side: { module = "front"; prefix = "/side"; '
                                  'use: { probe = "other"; }; };\n')
        with deployment(PLUGINS, config + 'load = ["front", "side"];\n') as made:
            made.start_ready()
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.get("/side/who"), (200, "second"))
            self.assertEqual(made.stop(), 0)

    def test_a_lazy_provider_starts_at_its_first_use_once_for_all_its_users(self):
        lazy = 'store: { trace = "$TRACE"; label = "late"; start = "lazy"; };\n'
        with deployment(PLUGINS, lazy + FRONT) as made:
            made.start_ready()
            self.assertNotIn("start store", made.trace())
            with concurrent.futures.ThreadPoolExecutor(8) as pool:
                answers = list(pool.map(made.get, ["/who"] * 16))
            self.assertEqual(answers, [(200, "late")] * 16)
            self.assertEqual(made.trace().count("start store"), 1)
            self.assertEqual(made.stop(), 0)
            self.assertEqual(made.trace()[-1], "stop store")

    def test_a_lazy_provider_that_nobody_used_is_not_stopped(self):
        lazy = 'store: { trace = "$TRACE"; start = "lazy"; };\n'
        with deployment(PLUGINS, lazy + FRONT) as made:
            made.start_ready()
            self.assertEqual(made.stop(), 0)
            self.assertNotIn("stop store", made.trace())

    def test_a_lazy_start_that_fails_is_told_to_its_user_and_tried_again(self):
        lazy = 'store: { goes_wrong = "once"; label = "late"; start = "lazy"; };\n'
        with deployment(PLUGINS, lazy + FRONT) as made:
            made.start_ready()
            status, body = made.get("/who")
            self.assertEqual(status, 503)
            self.assertIn("the backend of `store` is down", body)
            self.assertEqual(made.get("/who"), (200, "late"))
            self.assertEqual(made.stop(), 0)

    def test_a_service_that_fails_is_logged_and_the_rest_goes_on(self):
        with deployment(PLUGINS, 'store: { goes_wrong = "service"; };\n' + FRONT) as made:
            made.start_ready()
            made.wait_for_log("`tick` failed: nothing ticks")
            self.assertEqual(made.get("/who")[0], 200)
            self.assertEqual(made.stop(), 0)

    def test_several_workers_share_the_address(self):
        with deployment(PLUGINS, PRODUCTION + "workers = 3;\n" + STORE + FRONT) as made:
            made.start_ready()
            self.assertEqual(made.trace().count("start front"), 3)
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)
            self.assertEqual(made.trace().count("stop store"), 3)

    def test_no_module_at_all_is_a_deployment_too(self):
        with deployment() as made:
            made.start_ready()
            self.assertEqual(made.stop(), 0)

    def test_no_module_that_serves_routes_means_no_listening_socket(self):
        with deployment(("guarded",)) as made:
            made.start_ready()
            self.assertRegex(made.log(), r"ready: 1 module, \d+ ms")
            with self.assertRaises(ConnectionRefusedError):
                made.get("/")
            self.assertEqual(made.stop(), 0)


class Failing(unittest.TestCase):
    def fails(self, config, *expected, plugins=PLUGINS):
        with deployment(plugins, config) as made:
            made.start()
            self.assertEqual(made.wait(), 69)
            for text in expected:
                self.assertIn(text, made.last_line())
            self.assertEqual(os.listdir(made.temporary), [])
            return made.trace()

    def test_a_failing_start_stops_what_was_started_in_reverse_order_and_the_last_line_says_why(self):
        config = ('store: { trace = "$TRACE"; };\n' + FRONT +
                  'zero: { module = "store"; trace = "$TRACE"; goes_wrong = "start"; };\n'
                  'side: { module = "front"; prefix = "/side"; trace = "$TRACE"; '
                  'use: { probe = "zero"; }; };\nload = ["front", "side"];\n')
        trace = self.fails(config, "`zero`", "the backend of `zero` is down", "RT0712")
        self.assertIn("start zero", trace)
        self.assertNotIn("stop zero", trace)
        started = [line[6:] for line in trace if line.startswith("start ") and "zero" not in line]
        stopped = [line[5:] for line in trace if line.startswith("stop ")]
        self.assertEqual(stopped, started[::-1])
        self.assertIn("store", stopped)

    def test_the_last_line_is_the_whole_diagnostic(self):
        with deployment(PLUGINS, wrong("start")) as made:
            made.start()
            self.assertEqual(made.wait(), 69)
            self.assertRegex(made.last_line(), r"^[\d:.]+ FATAL rtd +module `store` failed to start: "
                                               r"the backend of `store` is down \[RT0712\]$")

    def test_a_start_that_waits_too_long_is_cancelled_and_named(self):
        self.fails('start_timeout = "300 ms";\n' + wrong("hang"), "`store`", "within 0.3 s")

    def test_a_start_that_never_returns_nor_waits_is_killed_and_named(self):
        self.fails('start_timeout = "300 ms";\n' + wrong("spin", "drain_timeout = \"0 s\";\n"), "starting module `store`",
                   "did not answer in time")

    def test_a_crash_in_start_is_reported_with_module_and_signal(self):
        self.fails(wrong("crash"), "starting module `store`", "SIGSEGV")

    def test_a_module_that_leaves_in_start_is_reported_with_its_status(self):
        self.fails(wrong("exit"), "starting module `store`", "status 7")

    def test_a_defect_in_start_is_reported(self):
        self.fails(wrong("die"), "`store`", "an invariant of `store` is broken")

    def test_settings_that_configure_refuses_end_the_start(self):
        trace = self.fails(wrong("configure"), "`store`", "disagree", "RT0709")
        self.assertNotIn("start store", trace)

    def test_a_module_whose_constructor_crashes_is_named(self):
        self.fails("", "loading module `crashes`", plugins=("crashes",))

    def test_a_provider_that_offers_nothing_is_named(self):
        self.fails("", "`forgets`", "RT0707", plugins=("forgets",))

    def test_a_route_without_its_declaration_is_refused(self):
        self.fails("", "`undeclared`", "RT0708", plugins=("undeclared",))

    def test_a_descriptor_unlike_its_manifest_is_refused(self):
        self.fails("", "`renames`", "RT0705", plugins=("renames",))

    def test_two_modules_with_one_route_are_refused(self):
        config = STORE + FRONT + 'side: { module = "front"; };\nload = ["front", "side"];\n'
        self.fails(config, "`GET /who`", "RT0710")

    def test_an_address_in_use_is_said_and_nothing_is_started(self):
        with deployment(PLUGINS, STORE + FRONT) as made, socket.socket() as taken:
            taken.bind(("127.0.0.1", made.port))
            taken.listen()
            made.start()
            self.assertEqual(made.wait(), 69)
            self.assertIn(f"cannot listen on `127.0.0.1:{made.port}`: Address already in use",
                          made.last_line())
            self.assertEqual(made.trace(), [])

    def test_a_log_that_cannot_be_opened_ends_it(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            path = made.path("log.d")
            os.mkdir(path)
            made.start("--set", f'log.file="{path}"')
            self.assertEqual(made.wait(), 74)
            self.assertIn(f"FATAL rtd     cannot open the log `{path}`: Is a directory",
                          made.last_line())
            self.assertEqual(made.trace(), [])
            self.assertEqual(os.listdir(made.temporary), [])

    def test_copies_that_have_no_place_end_it(self):
        # A folder so deep that it can be written to while nothing in it has a path.
        with deployment(PLUGINS, STORE + FRONT) as made:
            deep = made.temporary
            while len(deep) < 4080:
                deep = os.path.join(deep, "d" * min(200, 4085 - len(deep)))
                os.mkdir(deep)
            made.start(environment={"TMPDIR": deep})
            self.assertEqual(made.wait(), 71)
            self.assertIn(f"cannot copy the plugins: cannot make a folder in `{deep}`: "
                          "File name too long", made.last_line())
            self.assertEqual(made.trace(), [])

    def test_a_configuration_with_errors_is_not_run(self):
        with deployment(PLUGINS, "frnt: { };\n") as made:
            made.start()
            self.assertEqual(made.wait(), 78)
            self.assertIn("is not fit for development", made.last_line())

    def test_a_development_only_module_never_gets_to_run_its_constructor_in_production(self):
        with deployment(("guarded",), PRODUCTION) as made:
            mark = made.path("mark")
            made.start(environment={"RT_TEST_MARK": mark})
            self.assertEqual(made.wait(), 78)
            self.assertFalse(os.path.exists(mark))

    def test_the_constructor_would_have_left_its_mark(self):
        with deployment(("guarded",)) as made:
            mark = made.path("mark")
            made.start_ready(environment={"RT_TEST_MARK": mark})
            self.assertTrue(os.path.exists(mark))
            self.assertIn("development-only: guarded", made.log())
            made.stop()

    def way_to_root(self):
        """What makes a program run as root here, by a namespace or by sudo."""
        ways = ([],) if os.geteuid() == 0 else (["unshare", "--map-root-user"], ["sudo", "-nE"])
        for way in ways:
            if shutil.which((*way, "true")[0]) and not subprocess.run(
                    [*way, "true"], stderr=subprocess.DEVNULL, check=False).returncode:
                return way
        return self.skipTest("nothing here makes a program run as root")

    def test_root_is_warned_and_refused_in_production(self):
        become_root = self.way_to_root()
        what = "this runs as root\n  = help: set `user`, start it as a user of its own, or set `allow_root = true`\n"
        for environment, severity in (("production", "error"), ("staging", "error"),
                                      ("development", "warning")):
            with self.subTest(environment=environment), deployment(PLUGINS, wrong("start")) as made:
                command = made.command("--environment", environment)
                outcome = subprocess.run(become_root + command, stdin=subprocess.DEVNULL, text=True,
                                         stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         env=made.environment(), timeout=60, check=False)
                self.assertEqual(outcome.returncode, 78 if severity == "error" else 69)
                self.assertIn(f"{severity}[RT0407]: {what}", outcome.stdout)
                allowed = subprocess.run(
                    become_root + command + ["--set", "allow_root=true"], stdin=subprocess.DEVNULL,
                    text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                    env=made.environment(), timeout=60, check=False)
                self.assertEqual(allowed.returncode, 69)
                self.assertNotIn("RT0407", allowed.stdout)

    def test_an_acknowledged_development_only_module_is_named_at_start(self):
        with deployment(("guarded",), PRODUCTION + 'acknowledge = ["guarded"];\n') as made:
            made.start_ready()
            self.assertRegex(made.log(), r"WARN .*acknowledged: development-only module guarded in production")
            self.assertEqual(made.stop(), 0)


class Stopping(unittest.TestCase):
    def test_a_running_request_is_answered_before_the_worker_ends(self):
        with deployment(PLUGINS, STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            answer = pool.submit(made.get, "/slow/700")
            made.wait_for_trace("request front")
            self.assertEqual(made.stop(), 0)
            self.assertEqual(answer.result(), (200, "slept"))
            trace = made.trace()
            self.assertLess(trace.index("answered front"), trace.index("stop front"))

    def test_a_request_beyond_the_drain_timeout_is_interrupted(self):
        with deployment(PLUGINS, 'drain_timeout = "200 ms";\n' + STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            answer = pool.submit(made.get, "/slow/20000")
            made.wait_for_trace("request front")
            self.assertEqual(made.stop(), 0)
            self.assertEqual(answer.result()[0], 503)
            self.assertIn("interrupted front", made.trace())
            self.assertIn("stop store", made.trace())

    def test_new_connections_are_refused_while_it_drains(self):
        with deployment(PLUGINS, STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            answer = pool.submit(made.get, "/slow/1000")
            made.wait_for_trace("request front")
            made.process.send_signal(signal.SIGTERM)

            def refused():
                try:
                    made.get("/who", timeout=2)
                    return False
                except OSError:
                    return True
            wait_for(refused, "refusal")
            self.assertEqual(answer.result(), (200, "slept"))
            self.assertEqual(made.wait(), 0)

    def test_sigint_stops_it_as_sigterm_does(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            self.assertEqual(made.stop(signal.SIGINT), 0)
            self.assertIn("stop store", made.trace())

    def test_a_signal_to_the_whole_group_still_drains(self):
        with deployment(PLUGINS, STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            answer = pool.submit(made.get, "/slow/500")
            made.wait_for_trace("request front")
            os.killpg(made.process.pid, signal.SIGINT)
            self.assertEqual(made.wait(), 0)
            self.assertEqual(answer.result(), (200, "slept"))

    def test_a_second_signal_stops_it_at_once(self):
        with deployment(PLUGINS, STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            pool.submit(made.get, "/slow/20000")
            made.wait_for_trace("request front")
            made.process.send_signal(signal.SIGTERM)
            made.wait_for_log("SIGTERM: stopping")
            wait_for(lambda: self.signal_again(made), "the end after a second signal")
            self.assertEqual(made.wait(), 70)
            self.assertIn("stopped by force", made.last_line())
            self.assertEqual(os.listdir(made.temporary), [])

    @staticmethod
    def signal_again(made):
        made.process.send_signal(signal.SIGTERM)
        return made.process.poll() is not None

    def test_a_signal_that_comes_twice_at_once_counts_once(self):
        with deployment(PLUGINS, STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            answer = pool.submit(made.get, "/slow/700")
            made.wait_for_trace("request front")
            made.process.send_signal(signal.SIGTERM)
            self.assertEqual(made.stop(signal.SIGINT), 0)
            self.assertEqual(answer.result(), (200, "slept"))

    def test_requests_are_served_during_the_shutdown_delay(self):
        with deployment(PLUGINS, 'shutdown_delay = "700 ms";\n' + STORE + FRONT) as made:
            made.start_ready()
            made.process.send_signal(signal.SIGTERM)
            made.wait_for_log("stopping after")
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.wait(), 0)

    def test_a_worker_that_hangs_while_stopping_is_killed(self):
        config = 'drain_timeout = "100 ms";\nfinalizer_timeout = "100 ms";\n' + STORE + FRONT
        with deployment(PLUGINS, config) as made, concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            pool.submit(made.get, "/spin")
            made.wait_for_trace("spin front")
            self.assertEqual(made.stop(), 70)
            self.assertIn("did not answer in time and was killed", made.log())

    def test_a_stop_during_the_start_cancels_it_and_is_clean(self):
        with deployment(PLUGINS, wrong("hang", FRONT)) as made:
            made.start()
            made.wait_for_trace("start store")
            self.assertEqual(made.stop(), 0)

    def test_a_stop_at_any_moment_of_the_start_is_clean(self):
        # Before rtd handles signals, the signal itself ends it.
        for delay in range(0, 60, 3):
            with deployment(PLUGINS, STORE + FRONT) as made:
                made.start()
                time.sleep(delay / 1000)
                self.assertIn(made.stop(), (0, -signal.SIGTERM), f"after {delay} ms")

    def test_workers_end_when_the_supervisor_is_killed(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            worker = int(made.get("/pid")[1])
            made.process.kill()
            made.wait()
            wait_for(lambda: "stop store" in made.trace(), "the worker's stop")
            wait_for(lambda: not os.path.exists(f"/proc/{worker}"), "the worker's end")


    def test_the_address_is_free_at_once_when_the_supervisor_is_killed(self):
        with deployment(PLUGINS, STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            answer = pool.submit(made.get, "/slow/1500")
            made.wait_for_trace("request front")
            made.process.kill()
            made.wait()

            def can_be_taken():
                with socket.socket() as probe:
                    probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        probe.bind(("127.0.0.1", made.port))
                        probe.listen()
                        return not answer.done()
                    except OSError:
                        return False
            wait_for(can_be_taken, "the address")
            self.assertEqual(answer.result(), (200, "slept"))
            wait_for(lambda: "stop store" in made.trace(), "the worker's stop")


class Dying(unittest.TestCase):
    def test_a_worker_that_dies_is_reported_and_replaced(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            first = int(made.get("/pid")[1])
            os.kill(first, signal.SIGKILL)
            made.wait_for_log(f"worker 1 (pid {first}) was ended by signal 9 (SIGKILL)")
            wait_for(lambda: made.trace().count("start front") == 2, "the replacement")
            self.assertNotEqual(int(made.get("/pid")[1]), first)
            self.assertEqual(made.stop(), 0)

    def test_the_first_replacement_comes_at_once_and_the_next_are_put_off_ever_longer(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            self.kill_and_wait(made, starts=2)
            self.assertNotIn("is started again", made.log())
            self.kill_and_wait(made, starts=3)
            self.assertIn("worker 1 keeps ending: it is started again in 1 s", made.log())
            self.kill_and_wait(made, starts=4)
            self.assertIn("worker 1 keeps ending: it is started again in 2 s", made.log())
            self.assertEqual(made.log().count("is started again in"), 2)
            self.assertEqual(made.stop(), 0)

    @staticmethod
    def kill_and_wait(made, starts):
        os.kill(int(made.get("/pid")[1]), signal.SIGKILL)
        wait_for(lambda: made.trace().count("start front") == starts, "the replacement")

    def test_a_defect_in_a_handler_ends_its_request_and_nothing_else(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            worker = made.get("/pid")[1]
            status, body = made.get("/die")
            self.assertEqual(status, 500)
            self.assertEqual(json.loads(body)["status"], 500)
            self.assertEqual(made.get("/pid"), (200, worker))
            self.assertIn("an invariant of `front` is broken", made.log())
            self.assertEqual(made.stop(), 0)

    def test_a_stack_overflow_in_a_handler_is_named_and_the_worker_replaced(self):
        with deployment(PLUGINS, 'log: { format = "json"; };\n' + STORE + FRONT) as made:
            made.start_ready()
            worker = made.get("/pid")[1]
            with self.assertRaises(ConnectionResetError):
                made.get("/deep")
            made.wait_for_log(f"worker 1 (pid {worker}) was ended by signal 11 (SIGSEGV)")
            self.assertIn("a stack overflow, while it ran `GET /deep` of `front`", made.log())
            self.assertNotEqual(made.get("/pid"), (200, worker))
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_a_worker_killed_under_load_costs_each_client_one_request_at_most(self):
        clients, requests = 8, 60
        with deployment(PLUGINS, STORE + FRONT) as made, \
                concurrent.futures.ThreadPoolExecutor(clients) as pool:
            made.start_ready()
            first = int(made.get("/pid")[1])
            answered = []
            done = [pool.submit(self.ask_repeatedly, made, requests, answered)
                    for _ in range(clients)]
            wait_for(lambda: len(answered) > clients, "the first answers")
            os.kill(first, signal.SIGKILL)
            broken = [each.result() for each in done]
            self.assertLessEqual(max(broken), 1)
            self.assertEqual(answered, [(200, "hello")] * (clients * requests - sum(broken)))
            made.wait_for_log(f"worker 1 (pid {first}) was ended by signal 9 (SIGKILL)")
            self.assertNotEqual(int(made.get("/pid")[1]), first)
            self.assertEqual(made.stop(), 0)

    @staticmethod
    def ask_repeatedly(made, count, answered):
        """How many of the requests had no answer."""
        broken = 0
        for _ in range(count):
            try:
                answered.append(made.get("/who"))
            except (ConnectionResetError, BrokenPipeError):
                broken += 1
        return broken

    def test_a_replacement_that_fails_to_start_is_tried_again(self):
        with deployment(PLUGINS, wrong("again", FRONT)) as made:
            made.start_ready()
            os.kill(int(made.get("/pid")[1]), signal.SIGKILL)
            made.wait_for_log("the second start goes wrong")
            wait_for(lambda: made.trace().count("start front") == 2, "the next replacement")
            self.assertEqual(made.trace().count("start store"), 3)
            self.assertEqual(made.get("/who"), (200, "plain"))
            self.assertEqual(made.stop(), 0)

    def test_the_others_go_on(self):
        with deployment(PLUGINS, PRODUCTION + "workers = 2;\n" + STORE + FRONT) as made:
            made.start_ready()
            with self.assertRaises(ConnectionResetError):
                made.get("/crash")
            made.wait_for_log("was ended by signal 11 (SIGSEGV)")
            for _ in range(20):
                self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_a_replacement_runs_what_was_judged_not_what_lies_on_disk_by_then(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            os.remove(os.path.join(made.plugins, "store.so"))
            os.kill(int(made.get("/pid")[1]), signal.SIGKILL)
            wait_for(lambda: made.trace().count("start front") == 2, "the replacement")
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_overwriting_a_plugin_in_place_does_not_disturb_a_worker(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            path = os.path.join(made.plugins, "store.so")
            with open(path, "r+b") as file:
                file.write(b"\0" * os.path.getsize(path))
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)


class Given(unittest.TestCase):
    """What workers are given, and what not."""

    def test_a_secret_reaches_its_module_but_not_the_workers_environment(self):
        config = STORE + 'front: { token = "@env:RT_TEST_TOKEN"; };\n'
        with deployment(PLUGINS, config) as made:
            made.start_ready(environment={"RT_TEST_TOKEN": "s3cret", "TEST_OTHER": "kept"})
            self.assertEqual(made.get("/token"), (200, "s3cret"))
            self.assertEqual(made.get("/variable/RT_TEST_TOKEN"), (200, "(unset)"))
            self.assertEqual(made.get("/variable/TEST_OTHER"), (200, "kept"))
            worker = made.get("/pid")[1]
            with open(f"/proc/{worker}/environ", "rb") as file:
                self.assertNotIn(b"s3cret", file.read())
            with open(f"/proc/{worker}/cmdline", "rb") as file:
                self.assertNotIn(b"s3cret", file.read())
            self.assertNotIn("s3cret", made.log())
            self.assertEqual(made.stop(), 0)

    def test_production_leaves_no_core_dumps_unless_told_to(self):
        with deployment(PLUGINS, PRODUCTION + STORE + FRONT) as made:
            made.start_ready()
            self.assertEqual(made.get("/cores"), (200, "none"))
            self.assertEqual(made.stop(), 0)

    def test_workers_inherit_no_other_descriptor(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            reader, writer = os.pipe()
            os.set_inheritable(writer, True)
            made.start_ready(close_fds=False)
            os.close(writer)
            worker = made.get("/pid")[1]
            pipe = os.readlink(f"/proc/self/fd/{reader}")
            links = [os.readlink(f"/proc/{worker}/fd/{name}")
                     for name in os.listdir(f"/proc/{worker}/fd")
                     if os.path.islink(f"/proc/{worker}/fd/{name}")]
            self.assertNotIn(pipe, links)
            self.assertEqual(made.stop(), 0)
            os.close(reader)

    def test_the_snapshot_folder_is_private_and_goes_at_the_end(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            [folder] = os.listdir(made.temporary)
            status = os.stat(os.path.join(made.temporary, folder))
            self.assertEqual(status.st_mode & 0o777, 0o700)
            self.assertEqual(sorted(os.listdir(os.path.join(made.temporary, folder))),
                             ["front.so", "store.so"])
            self.assertEqual(made.stop(), 0)
            self.assertEqual(os.listdir(made.temporary), [])

    def test_what_a_killed_rtd_left_goes_at_the_next_start_and_what_runs_stays(self):
        with deployment(PLUGINS, STORE + FRONT) as left, \
                deployment(PLUGINS, STORE + FRONT) as running, \
                deployment(PLUGINS, STORE + FRONT) as made:
            shared = {"TMPDIR": left.temporary}
            left.start_ready(environment=shared)
            [old] = os.listdir(left.temporary)
            running.start_ready(environment=shared)
            [kept] = set(os.listdir(left.temporary)) - {old}
            left.process.kill()
            left.wait()
            self.assertEqual(set(os.listdir(left.temporary)), {old, kept})
            made.start_ready(environment=shared)
            [new] = set(os.listdir(left.temporary)) - {old, kept}
            self.assertEqual(set(os.listdir(left.temporary)), {kept, new})
            self.assertIn(f"`{left.temporary}/{old}`", made.log())
            os.kill(int(running.get("/pid")[1]), signal.SIGKILL)
            wait_for(lambda: running.trace().count("start front") == 2, "the replacement")
            self.assertEqual((made.stop(), running.stop()), (0, 0))
            self.assertEqual(os.listdir(left.temporary), [])

    def test_what_only_looks_like_leftover_copies_is_left_alone(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            victim = made.path("victim")
            os.mkdir(victim)
            self.make_copy(victim, "front.so")

            def folder(name, mode=0o700):
                os.mkdir(os.path.join(made.temporary, name), mode)
                return os.path.join(made.temporary, name)
            for name in ("rtd-12-abcde", "rtd-12-abcdefg", "rtd--abcdef", "rtd-1x-abcdef",
                         "rtd-12-abc.ef", "xrtd-12-abcdef", "rtd-12_abcdef"):
                self.make_copy(folder(name), "front.so")
            self.make_copy(folder("rtd-13-public", 0o755), "front.so")
            self.make_copy(folder("rtd-14-foreig"), "notes.txt")
            self.make_copy(folder("rtd-15-writab"), "front.so", 0o600)
            os.symlink(os.path.join(victim, "front.so"),
                       os.path.join(folder("rtd-16-linked"), "front.so"))
            os.mkdir(os.path.join(folder("rtd-17-nested"), "front.so"))
            os.symlink(victim, os.path.join(made.temporary, "rtd-18-shadow"))
            self.make_copy(made.temporary, "rtd-19-afiles")
            before = self.tree(made.temporary)
            self.make_copy(folder("rtd-20-simple"), "front.so")
            folder("rtd-21-vacant")
            made.start_ready()
            self.assertEqual(made.stop(), 0)
            self.assertEqual(self.tree(made.temporary), before)
            self.assertEqual(os.listdir(victim), ["front.so"])

    @staticmethod
    def make_copy(folder, name, mode=0o500):
        path = os.path.join(folder, name)
        with open(path, "xb"):
            pass
        os.chmod(path, mode)

    @staticmethod
    def tree(top):
        return sorted((folder, sorted(folders), sorted(files))
                      for folder, folders, files in os.walk(top))

    def test_the_copies_go_to_the_runtime_directory_of_the_service_manager_first(self):
        for given, place in (("first:second", "first"), ("second", "second"),
                             ("none:second", "tmp"), ("", "tmp")):
            with self.subTest(given=given), deployment(PLUGINS, STORE + FRONT) as made:
                os.mkdir(made.path("first"))
                os.mkdir(made.path("second"))
                folders = ":".join(made.path(name) for name in given.split(":") if name)
                made.start_ready(environment={"RUNTIME_DIRECTORY": folders})
                used = [name for name in ("first", "second", "tmp") if os.listdir(made.path(name))]
                self.assertEqual(used, [place])
                self.assertEqual(made.stop(), 0)
                self.assertEqual(os.listdir(made.path(place)), [])

    def test_workers_may_open_as_many_descriptors_as_the_hard_limit_allows(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready("--set", "http.max_connections=200",
                             preexec_fn=limit_descriptors(soft=64, hard=300))
            self.assertEqual(made.get("/descriptors"), (200, "300"))
            self.assertNotIn("WARN", made.log())
            self.assertEqual(made.stop(), 0)

    def test_a_hard_limit_below_what_workers_need_is_warned_of_once(self):
        with deployment(PLUGINS, PRODUCTION + "workers = 2;\n" + STORE + FRONT) as made:
            made.start_ready("--set", "http.max_connections=201",
                             preexec_fn=limit_descriptors(soft=64, hard=300))
            self.assertEqual(made.log().count(
                "a worker may open 300 descriptors, but 201 connections (`http.max_connections`) "
                "and 100 others need 301: raise the hard limit of open files"), 1)
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_a_worker_starts_with_few_descriptors(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready(preexec_fn=limit_descriptors(soft=80, hard=80))
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.get("/descriptors"), (200, "80"))
            self.assertEqual(made.stop(), 0)

    def test_json_logs_are_one_object_a_line(self):
        config = ('name = "shop";\nallow_root = true;\nload = ["front"];\n'
                  'log: { format = "json"; };\n')
        with deployment((*PLUGINS, "guarded"), config + STORE + FRONT) as made:
            made.start_ready()
            made.get("/fail")
            self.assertEqual(made.stop(), 0)
            records = [json.loads(line) for line in made.log().splitlines()]
            self.assertEqual({record["service"] for record in records}, {"shop"})
            unused = [record for record in records if record["message"].endswith(" [RT0315]")]
            self.assertEqual([(record["level"], record["message"]) for record in unused],
                             [("info", "not needed and not loaded: `guarded` [RT0315]")])
            failed = [record for record in records if "probe.fail failed" in record["message"]]
            self.assertEqual(failed[0]["module"], "front")
            self.assertEqual(failed[0]["fields"]["code"], "UNAVAILABLE")
            self.assertRegex(failed[0]["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")


HOST = b"Host: localhost\r\n"
HOSTILE = {
    "a request line of noise": (b"\x16\x03\x01\x02\x00\x01\xfc\r\n\r\n", 400),
    "a request line without a version": (b"GET /who\r\n" + HOST + b"\r\n", 400),
    "another version": (b"GET /who HTTP/3.0\r\n" + HOST + b"\r\n", 505),
    "lines that end in a bare line feed": (b"GET /who HTTP/1.1\nHost: localhost\n\n", 400),
    "no Host": (b"GET /who HTTP/1.1\r\n\r\n", 400),
    "two Hosts": (b"GET /who HTTP/1.1\r\n" + HOST + HOST + b"\r\n", 400),
    "a space before the colon": (b"GET /who HTTP/1.1\r\nHost : localhost\r\n\r\n", 400),
    "a folded line": (b"GET /who HTTP/1.1\r\n" + HOST + b"X: a\r\n b\r\n\r\n", 400),
    "a NUL in a field": (b"GET /who HTTP/1.1\r\n" + HOST + b"X: a\0b\r\n\r\n", 400),
    "a method that nobody knows": (b"BREW /who HTTP/1.1\r\n" + HOST + b"\r\n", 501),
    "a path that climbs": (b"GET /../who HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a path with an encoded NUL": (b"GET /variable/%00 HTTP/1.1\r\n" + HOST + b"\r\n", 400),
    "a target without an end": (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + HOST + b"\r\n", 414),
    "more fields than anyone needs":
        (b"GET /who HTTP/1.1\r\n" + HOST + b"X: y\r\n" * 200 + b"\r\n", 431),
    "two lengths": (b"GET /who HTTP/1.1\r\n" + HOST + b"Content-Length: 1\r\n"
                    b"Content-Length: 2\r\n\r\nab", 400),
    "a length below zero": (b"GET /who HTTP/1.1\r\n" + HOST + b"Content-Length: -1\r\n\r\n", 400),
    "a length beyond 64 bits": (b"GET /who HTTP/1.1\r\n" + HOST +
                                b"Content-Length: 18446744073709551617\r\n\r\n", 400),
    "a body beyond all limits": (b"GET /who HTTP/1.1\r\n" + HOST +
                                 b"Content-Length: 9000000000000000\r\n\r\n", 413),
    "a length beside chunks": (b"GET /who HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n"
                               b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400),
    "a chunk without a size": (b"GET /who HTTP/1.1\r\n" + HOST +
                               b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400),
    "a coding that nobody knows": (b"GET /who HTTP/1.1\r\n" + HOST +
                                   b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501),
}


class Attacked(unittest.TestCase):
    def test_malformed_requests_are_refused_one_by_one_and_the_worker_goes_on(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready()
            worker = made.get("/pid")
            for name, (request, status) in HOSTILE.items():
                with self.subTest(name=name):
                    answer = self.exchange(made.port, request)
                    self.assertEqual(answer[:13], b"HTTP/1.1 %d " % status)
                    self.assertEqual(answer.count(b"HTTP/1.1 "), 1)
                    self.assertIn(b"\r\nconnection: close\r\n", answer.lower())
                    self.assertEqual(made.get("/pid"), worker)
            self.assertEqual(made.stop(), 0)

    @staticmethod
    def exchange(port, request):
        """All that comes back until the server closes."""
        with socket.create_connection(("127.0.0.1", port), 60) as connection:
            connection.sendall(request)
            return b"".join(iter(lambda: connection.recv(65536), b""))


class CommandLine(unittest.TestCase):
    def run_rtd(self, *arguments):
        return subprocess.run([RTD, *arguments], text=True, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=30, check=False)

    def test_an_unknown_option_is_refused_with_the_nearest(self):
        result = self.run_rtd("--confg", "x")
        self.assertEqual(result.returncode, 64)
        self.assertEqual(result.stderr, "rtd: unknown option `--confg`, did you mean `--config`?\n")

    def test_a_missing_value_is_said(self):
        result = self.run_rtd("--config")
        self.assertEqual((result.returncode, result.stderr),
                         (64, "rtd: option `--config` needs a value\n"))

    def test_a_stray_word_is_refused(self):
        self.assertEqual(self.run_rtd("start").returncode, 64)

    def test_help_and_version_go_to_standard_output(self):
        for option in ("--help", "--version"):
            with self.subTest(option=option):
                result = self.run_rtd(option)
                self.assertEqual((result.returncode, result.stderr), (0, ""))
                self.assertIn("rtd", result.stdout)

    def test_roles_cannot_be_typed_by_hand(self):
        for role in ("--role=worker", "--role=load"):
            with self.subTest(role=role):
                self.assertEqual(self.run_rtd(role).returncode, 64)

    def test_a_worker_that_is_sent_garbage_ends(self):
        for garbage in (b"", b"\0" * 8, b"\x08" + b"\0" * 15, b"x" * 4096, b"\xff" * 64):
            with self.subTest(garbage=garbage[:16]):
                ours, theirs = socket.socketpair()
                child = subprocess.Popen([RTD, "--role=worker"], stdin=theirs,
                                         stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
                theirs.close()
                ours.sendall(garbage)
                ours.close()
                self.assertEqual(child.wait(30), 70)

    def test_the_program_exports_no_symbol(self):
        text = subprocess.run(["nm", "-D", "--defined-only", RTD], text=True, check=True,
                              stdout=subprocess.PIPE).stdout
        self.assertNotIn(" rt_", text)


class Replacing(unittest.TestCase):
    def test_a_file_that_changes_between_check_and_start_is_refused(self):
        # A log that is a named pipe holds rtd between composing and copying.
        with deployment(PLUGINS, STORE + FRONT) as made:
            pipe = made.path("pipe")
            os.mkfifo(pipe)
            made.start("--set", f'log.file="{pipe}"')
            wait_for(lambda: self.waits_for_a_reader(made.process.pid), "rtd to open its log")
            with open(os.path.join(made.plugins, "store.so"), "ab") as file:
                file.write(b"more")
            with open(pipe, encoding="utf-8", errors="replace") as reader:
                said = reader.read()
            self.assertEqual(made.wait(), 78)
            self.assertIn("error[RT0711]: plugin of module `store` changed between check and start: "
                          f"its contents differ\n --> {made.plugins}/store.so\n", made.log())
            self.assertIn("a plugin changed", said)
            self.assertEqual(made.trace(), [])

    @staticmethod
    def waits_for_a_reader(pid):
        try:
            with open(f"/proc/{pid}/wchan", encoding="utf-8") as file:
                return "wait_for_partner" in file.read()
        except OSError:
            return False


if __name__ == "__main__":
    unittest.main()
