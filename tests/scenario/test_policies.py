"""Policies of effects: what a real rtd makes of `effects` around calls that fail on demand."""

import concurrent.futures
import contextlib
import http.client
import json
import unittest

from deployment import LIMIT, deployment, free_port, wait_for

PLAIN = 'log: { format = "pretty"; level = "info"; };\n'
AGAIN = 'retry: { delay = "1 ms"; };'
CLOSED = "INFO  source-flaky the breaker of `source.fetch` is closed"


@contextlib.contextmanager
def served(effects, own="", more="", arguments=()):
    """A deployment of `caller` and the source that it calls."""
    config = (f"{PLAIN}effects: {{ source: {{ {effects} }}; }};\n"
              f"source-flaky: {{ {own} }};\n{more}")
    with deployment(("source-flaky", "caller"), config) as made:
        yield made.start_ready(*arguments)


def script(made, text, prefix=""):
    status, body = made.get(f"{prefix}/script/{text}")
    assert (status, body) == (200, "kept"), body


def calls(made, prefix=""):
    return int(made.get(f"{prefix}/calls")[1])


def answer(made, path):
    status, body = made.get(path)
    assert status == 200, body
    return body


class Attempts(unittest.TestCase):
    def test_a_call_that_may_be_repeated_is_until_it_succeeds(self):
        with served(AGAIN) as made:
            script(made, "uuo")
            self.assertEqual(answer(made, "/fetch"), "OK")
            self.assertEqual(calls(made), 3)

    def test_it_is_given_up_after_the_last_attempt_with_its_error(self):
        with served("retry: { max_attempts = 4; delay = \"1 ms\"; };") as made:
            script(made, "u")
            self.assertEqual(answer(made, "/fetch"), "UNAVAILABLE: the spring is dry")
            self.assertEqual(calls(made), 4)
            self.assertEqual(made.log().count("source.fetch failed after"), 1)

    def test_what_is_not_idempotent_or_not_retryable_is_called_once(self):
        with served(AGAIN) as made:
            script(made, "uo")
            self.assertEqual(answer(made, "/push"), "UNAVAILABLE: the spring is dry")
            self.assertEqual(calls(made), 1)
            script(made, "no")
            self.assertEqual(answer(made, "/fetch"), "NOT_FOUND: no such spring")
            self.assertEqual(calls(made), 1)

    def test_an_attempt_that_hangs_ends_at_its_limit_and_the_request_goes_on(self):
        with served('timeout = "20 ms"; ' + AGAIN) as made:
            script(made, "ho")
            self.assertEqual(answer(made, "/fetch"), "OK")
            self.assertEqual(calls(made), 2)
            script(made, "h")
            self.assertEqual(answer(made, "/push"), "DEADLINE_EXCEEDED: `source.push` of "
                             "`source-flaky` did not end within 0.02 s")
            self.assertEqual(made.get("/plainly")[0], 504)

    def test_a_pause_never_outlasts_the_requests_deadline(self):
        with served('retry: { delay = "1 h"; jitter = "none"; };') as made:
            script(made, "u")
            self.assertEqual(answer(made, "/fetch"), "UNAVAILABLE: the spring is dry")
            self.assertEqual(calls(made), 1)


class Breaker(unittest.TestCase):
    def test_it_refuses_calls_until_a_probe_succeeds(self):
        with served('breaker: { failures = 2; open_for = "300 ms"; };') as made:
            script(made, "u")
            for _ in range(2):
                self.assertEqual(answer(made, "/fetch"), "UNAVAILABLE: the spring is dry")
            refused = wait_for(lambda: self.refusal(made), "a refusal")
            self.assertRegex(refused, r"^UNAVAILABLE: `source.fetch` of `source-flaky` is not "
                             r"tried: its breaker is open for another 0\.\d+ s$")
            script(made, "o")
            wait_for(lambda: answer(made, "/fetch") == "OK", "a probe that succeeds")
            made.wait_for_log(CLOSED)
            self.assertEqual(made.log().count(CLOSED), 1)

    def refusal(self, made):
        """What a refused call says; a probe meanwhile fails and opens it again."""
        said = answer(made, "/fetch")
        return said if "is not tried" in said else None

    def test_a_refused_call_never_reaches_the_provider(self):
        with served('breaker: { failures = 1; open_for = "1 h"; };') as made:
            script(made, "uo")
            answer(made, "/fetch")
            for _ in range(5):
                self.assertIn("is not tried", answer(made, "/fetch"))
            self.assertEqual(calls(made), 1)
            self.assertEqual(made.get("/plainly")[0], 503)
            self.assertEqual(answer(made, "/push"), "OK")  # the state is of one method
            self.assertEqual(made.log().count("WARN  source-flaky the breaker of `source.fetch` is "
                                              "open for 3600 s"), 1)

    def test_a_defect_of_the_provider_counts_and_frees_its_place(self):
        with served('concurrency = 1; breaker: { failures = 2; open_for = "1 h"; };') as made:
            script(made, "ddo")
            for _ in range(2):
                self.assertEqual(made.get("/fetch")[0], 500)
            self.assertIn("its breaker is open", answer(made, "/fetch"))
            self.assertEqual(calls(made), 2)

    def test_a_request_that_runs_out_of_time_does_not_trip_it(self):
        with served('concurrency = 1; breaker: { failures = 1; open_for = "1 h"; };',
                    arguments=("--set", "http.request_timeout=300 ms")) as made:
            script(made, "ho")
            self.assertEqual(made.get("/plainly")[0], 504)
            self.assertEqual(answer(made, "/fetch"), "OK")

    def test_the_provider_is_degraded_while_calls_are_refused_and_metrics_tell(self):
        port = free_port()
        more = (f'admin: {{ listen = ["127.0.0.1:{port}"]; }};\n'
                'health: { interval = "100 ms"; timeout = "20 s"; };\n')
        with served('breaker: { failures = 1; open_for = "1 h"; };', more=more) as made:
            script(made, "u")
            answer(made, "/fetch")
            body = wait_for(lambda: self.degraded(port), "a degraded answer")
            self.assertIn("module `source-flaky` is degraded in worker 1: calls of `source.fetch` "
                          "are refused: its breaker is open", body["reasons"])
            self.assertIn("is not tried", answer(made, "/fetch"))
            metrics = self.ask(port, "/metrics")
            labels = r'\{operation="source\.fetch",provider="source-flaky"'
            self.assertRegex(metrics, r"(?m)^effects_breaker_state" + labels + r"\} 2$")
            self.assertRegex(metrics, r"(?m)^effects_rejected_total" + labels +
                             r',reason="breaker"\} 1$')

    def ask(self, port, path):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
        with contextlib.closing(connection):
            connection.request("GET", path)
            response = connection.getresponse()
            body = response.read().decode()
        assert response.status == 200, body
        return body

    def degraded(self, port):
        body = json.loads(self.ask(port, "/health/ready"))
        return body if body["status"] == "degraded" else None


class Bulkhead(unittest.TestCase):
    def test_calls_beyond_the_limit_wait_or_are_turned_away(self):
        with served('push: { concurrency = 2; queue = 1; timeout = "1 h"; };',
                    more='drain_timeout = "100 ms";\n') as made:
            script(made, "h")
            with concurrent.futures.ThreadPoolExecutor(3) as pool:
                open_calls = [pool.submit(self.abandon, made) for _ in range(3)]
                self.assertEqual(
                    wait_for(lambda: self.refusal(made), "a refusal"),
                    "RESOURCE_EXHAUSTED: `source.push` of `source-flaky` has 2 calls under way "
                    "and 1 that wait: no more are taken")
                self.assertEqual(calls(made), 2)
                made.process.terminate()
                for one in open_calls:
                    one.result(LIMIT)

    def abandon(self, made):
        """A call that hangs until the server stops."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            made.get("/push")

    def refusal(self, made):
        connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=LIMIT)
        shown = made.rtctl("fibers").stdout
        if shown.count("/push") < 3:
            return None
        with contextlib.closing(connection):
            connection.request("GET", "/push")
            return connection.getresponse().read().decode()


class Layers(unittest.TestCase):
    def test_an_instances_own_settings_win_and_states_are_apart(self):
        own = "effects: { source: { fetch: { retry: { max_attempts = 2; }; }; }; };"
        more = ('spring: { module = "source-flaky"; prefix = "/spring"; };\n'
                'caller: { use: { source = "spring"; }; };\n')
        with served('retry: { delay = "1 ms"; max_attempts = 5; };', own, more) as made:
            script(made, "u", "/spring")
            self.assertEqual(answer(made, "/fetch"), "UNAVAILABLE: the spring is dry")
            self.assertEqual((calls(made), calls(made, "/spring")), (0, 5))
        with served('retry: { delay = "1 ms"; max_attempts = 5; };', own) as made:
            script(made, "u")
            answer(made, "/fetch")
            self.assertEqual(calls(made), 2)

    def test_plan_and_config_show_what_holds(self):
        own = 'effects: { source: { fetch: { timeout = "1 s"; }; }; };'
        with deployment(("source-flaky", "caller"), PLAIN +
                        'effects: { source: { timeout = "2 s"; log = false; ' + AGAIN +
                        ' fetch: { breaker: { failures = 7; }; log = true; }; '
                        'push: { concurrency = 4; }; }; };\n'
                        f"source-flaky: {{ {own} }};\n") as made:
            plan = made.rtctl("plan").stdout.splitlines()
            self.assertIn("       source.fetch: breaker opens after 7 failures in a row, for 30 s, "
                          "then 1 probe; 3 attempts, after 1 ms times 2 up to 10 ms, jitter full; "
                          "timeout 1 s", plan)
            self.assertIn("       source.push: not logged; 4 at once, 4 may wait; timeout 2 s",
                          plan)
            self.assertIn("       source.peek: not logged", plan)
            shown = {entry["path"]: entry for entry in
                     json.loads(made.rtctl("config", "--json").stdout)}
            prefix = "source-flaky.effects.source."
            wanted = {"fetch.timeout": ('"1 s"', "runtime.conf"),
                      "fetch.retry.delay": ('"1 ms"', "runtime.conf"),
                      "fetch.retry.max_delay": ('"10 ms"', "default"),
                      "fetch.breaker.failures": ("7", "runtime.conf"),
                      "push.timeout": ('"2 s"', "runtime.conf"),
                      "push.queue": ("4", "default")}
            for path, (value, origin) in wanted.items():
                entry = shown[prefix + path]
                self.assertEqual(entry["value"], value, path)
                self.assertIn(origin, entry["origin"], path)
            self.assertNotIn(prefix + "push.retry.delay", shown)
            self.assertNotIn(prefix + "peek.timeout", shown)

    def test_a_setting_on_the_command_line_reaches_the_calls(self):
        with deployment(("source-flaky", "caller"), PLAIN + "source-flaky: { };\n") as made:
            made.start_ready("--set", "effects.source.fetch.retry.max_attempts=2",
                             "--set", "effects.source.fetch.retry.delay=1 ms")
            script(made, "u")
            answer(made, "/fetch")
            self.assertEqual(calls(made), 2)


if __name__ == "__main__":
    unittest.main()
