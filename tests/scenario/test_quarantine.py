"""What keeps crashing workers is refused; what does not goes on."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import unittest

from deployment import BUILD, RTD, deployment, wait_for

BROKEN = (http.client.RemoteDisconnected, ConnectionResetError, ConnectionRefusedError)
CONFIG = 'log: { format = "pretty"; };\nquarantine = true;\n'


def ends(made):
    return made.log().count(" was ended by signal") + made.log().count(" ended with status")


def crash(made, way, times):
    for _ in range(times):
        before = ends(made)
        try:
            made.get(way)
        except BROKEN:
            wait_for(lambda expected=before + 1: ends(made) >= expected, "its end")
        else:
            raise AssertionError(f"{way} was answered")


class Quarantine(unittest.TestCase):
    def test_three_crashes_with_a_route_refuse_that_route_alone(self):
        with deployment(("crasher",), CONFIG) as made:
            made.start_ready()
            crash(made, "/null", 3)
            connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=60)
            for method in ("GET", "HEAD"):
                connection.request(method, "/null")
                answer = connection.getresponse()
                body = answer.read()
                self.assertEqual(answer.status, 503)
                self.assertEqual(answer.headers["Content-Type"], "application/problem+json")
                self.assertGreater(int(answer.headers["Retry-After"]), 0)
                if method == "GET":
                    problem = json.loads(body)
                    self.assertEqual(problem["code"], "UNAVAILABLE")
                    self.assertIn("quarantine", problem["detail"])
            connection.close()
            worker = made.get("/fine")
            for _ in range(5):
                self.assertEqual(made.get("/null")[0], 503)
            self.assertEqual(made.get("/fine"), worker)
            self.assertEqual(made.log().count(" was ended by signal"), 3)
            self.assertIn("ERROR rtd     `GET /null` of `crasher` is quarantined: it crashed 3 times "
                          "within 60 s, last in module `crasher`; a reload or `rtctl quarantine "
                          "clear` lifts it\n", made.log())
            self.assertEqual(made.stop(), 0)

    def test_the_crashes_of_all_workers_count_and_all_refuse(self):
        config = (CONFIG + 'environment = "production";\nallow_root = true;\nworkers = 2;\n')
        with deployment(("crasher",), config) as made:
            made.start_ready()
            crash(made, "/exit", 3)
            for _ in range(20):
                self.assertEqual(made.get("/exit")[0], 503)
            self.assertEqual(made.get("/fine")[0], 200)
            self.assertEqual(made.stop(), 0)

    def test_it_survives_a_worker_that_scribbles_over_the_flags(self):
        with deployment(("crasher",), CONFIG) as made:
            made.start_ready()
            crash(made, "/null", 3)
            made.wait_for_log("is quarantined")
            crash_one = made.log().count(" was ended by signal")
            with self.assertRaises(BROKEN):
                made.get("/scribble")
            wait_for(lambda: made.log().count(" was ended by signal") > crash_one, "its end")
            self.assertEqual(made.get("/null")[0], 503)
            self.assertEqual(made.get("/fine")[0], 200)
            self.assertEqual(made.stop(), 0)

    def test_a_kill_from_outside_quarantines_nothing(self):
        with deployment(("crasher",), CONFIG + 'watchdog = "20 ms";\n') as made:
            made.start_ready()
            for number in range(3):
                worker = int(made.get("/fine")[1])
                connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=60)
                connection.request("GET", "/forever")
                wait_for(lambda expected=number + 1: made.log().count("holds the loop") >= expected,
                         "the stall")
                os.kill(worker, signal.SIGKILL)
                wait_for(lambda expected=number + 1:
                         made.log().count("(SIGKILL)") >= expected, "its end")
                connection.close()
            self.assertEqual(made.get("/fine")[0], 200)
            self.assertNotIn("quarantined", made.log())

    def test_without_the_setting_nothing_is_refused(self):
        with deployment(("crasher",), 'log: { format = "pretty"; };\n') as made:
            made.start_ready()
            crash(made, "/null", 4)
            self.assertEqual(made.get("/fine")[0], 200)
            self.assertNotIn("quarantined", made.log())


class Lifting(unittest.TestCase):
    def quarantined(self, made):
        shown = json.loads(made.rtctl("status", "--json").stdout)
        return [entry["entry"] for entry in shown["generations"][0]["quarantine"]]

    def clears(self, made, *words):
        """And it may crash again as often as at first."""
        outcome = made.rtctl("quarantine", "clear", *words)
        self.assertEqual((outcome.returncode, outcome.stdout), (0, "1 lifted\n"))
        self.assertEqual(self.quarantined(made), [])
        crash(made, "/null", 2)
        self.assertEqual(self.quarantined(made), [])

    def test_it_is_listed_and_lifted_by_name(self):
        with deployment(("crasher",), CONFIG) as made:
            made.start_ready()
            outcome = made.rtctl("quarantine")
            self.assertEqual((outcome.returncode, outcome.stdout), (0, "nothing is in quarantine\n"))
            crash(made, "/null", 3)
            for words in ((), ("list",)):
                outcome = made.rtctl("quarantine", *words)
                self.assertEqual((outcome.returncode, outcome.stdout),
                                 (0, "crasher GET /null (crashed in module `crasher`)\n"))
            for words in (("GET", "/fine"), ("GET",), ("other GET /null",)):
                outcome = made.rtctl("quarantine", "clear", *words)
                self.assertEqual((outcome.returncode, outcome.stdout),
                                 (1, f"`{' '.join(words)}` is not in quarantine\n"))
            for words in (("lift",), ("list", "all")):
                self.assertEqual(made.rtctl("quarantine", *words).returncode, 64)
            self.assertEqual(made.get("/null")[0], 503)
            self.clears(made, "GET", "/null")
            self.assertIn("control socket: quarantine of 1 of 1 lifted\n", made.log())
            self.assertEqual(made.stop(), 0)

    def test_it_is_lifted_by_instance(self):
        with deployment(("crasher",), CONFIG) as made:
            made.start_ready()
            crash(made, "/null", 3)
            outcome = made.rtctl("quarantine", "clear", "crasher GET /null")
            self.assertEqual((outcome.returncode, outcome.stdout), (0, "1 lifted\n"))
            self.assertEqual(self.quarantined(made), [])

    def test_all_are_lifted_at_once(self):
        with deployment(("crasher",), CONFIG) as made:
            made.start_ready()
            crash(made, "/null", 3)
            self.clears(made)
            self.assertEqual(made.rtctl("quarantine", "clear").stdout, "0 lifted\n")

    def test_status_shows_it_with_the_crashes(self):
        with deployment(("crasher",), CONFIG) as made:
            made.start_ready()
            crash(made, "/null", 3)
            made.get("/fine")
            outcome = made.rtctl("status").stdout
            self.assertIn("\n  in quarantine: crasher GET /null (crashed in module `crasher`)\n", outcome)
            self.assertRegex(outcome, r"\n +1 +\d+ +ready +.*? 3 +3 +0\n")
            [generation] = json.loads(made.rtctl("status", "--json").stdout)["generations"]
            self.assertEqual(generation["quarantine"], [
                {"instance": "crasher", "entry": "GET /null", "module": "crasher"}])
            [worker] = generation["workers"]
            self.assertEqual((worker["crashes"], worker["stalls"], worker["requests"]), (3, 0, 4))
            self.assertEqual(made.stop(), 0)

    def test_a_reload_lifts_it(self):
        with deployment(("crasher",), CONFIG) as made:
            made.start_ready()
            crash(made, "/null", 3)
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            self.assertEqual(self.quarantined(made), [])
            crash(made, "/null", 1)
            self.assertEqual(made.stop(), 0)

    def test_a_reload_that_fails_lifts_nothing(self):
        with deployment(("crasher",), CONFIG) as made:
            made.start_ready()
            crash(made, "/null", 3)
            made.write(CONFIG + "crashr: { };\n")
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 78)
            self.assertEqual(self.quarantined(made), ["GET /null"])
            self.assertEqual(made.get("/null")[0], 503)
            self.assertEqual(made.stop(), 0)


class Changing(unittest.TestCase):
    def test_settings_take_effect_with_the_generation_of_a_reload(self):
        plain = 'log: { format = "pretty"; };\nwatchdog = "0 s";\n'
        with deployment(("crasher",), plain) as made:
            first, second = made.path("first"), made.path("second")
            made.write(plain + f'crash: {{ folder = "{first}"; }};\n')
            made.start_ready()
            crash(made, "/null", 3)
            self.assertEqual(made.get("/spin")[0], 200)
            self.assertEqual((len(os.listdir(first)), os.path.exists(second)), (3, False))
            made.write(CONFIG + f'watchdog = "50 ms";\nwatchdog_timeout = "500 ms";\n'
                                f'crash: {{ folder = "{second}"; keep = 2; }};\n')
            self.assertNotIn("the loop", made.log())
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            crash(made, "/null", 3)
            self.assertEqual(made.get("/null")[0], 503)
            self.assertEqual((len(os.listdir(first)), len(os.listdir(second))), (3, 2))
            with self.assertRaises(BROKEN):
                made.get("/forever")
            made.wait_for_log("did not turn its loop for")
            self.assertIn("`GET /forever` of `crasher` holds the loop", made.log())
            self.assertEqual(made.stop(), 0)

    def test_what_drains_and_what_starts_is_reported_as_well(self):
        with deployment(("crasher", "waiter"), CONFIG) as made:
            made.start_ready()
            connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=60)
            connection.request("GET", "/sleep")
            wait_for(lambda: "GET /sleep" in made.rtctl("fibers").stdout, "the request")
            worker = int(made.get("/fine")[1])
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            os.kill(worker, signal.SIGSEGV)
            made.wait_for_log(f"worker 1 (pid {worker}) was ended by signal 11 (SIGSEGV)")
            made.wait_for_log("generation 1 has ended by force")
            connection.close()
            made.write(CONFIG + 'start_timeout = "200 ms";\ncrasher: { goes_wrong = "start"; };\n')
            outcome = made.rtctl("reload", "--wait")
            self.assertEqual(outcome.returncode, 69)
            self.assertIn("did not answer in time and was killed while starting module `crasher`",
                          outcome.stdout)
            self.assertIn("crasher!run_forever+0x", made.log())
            self.assertEqual(made.get("/fine")[0], 200)
            self.assertEqual(made.stop(), 0)


class Upgrading(unittest.TestCase):
    """An upgrade asks for a reload, which lifts quarantine; until then all is as it was."""

    @staticmethod
    def upgrade(made, program):
        """By one that finds the configuration broken when it has taken over: no reload follows."""
        new = made.program + ".new"
        with open(new, "w", encoding="utf-8") as file:
            file.write(f'#!/bin/sh\ncase "$*" in *--preflight*) exec {RTD} "$@" ;; esac\n'
                       f'echo nonsense > {made.config}\nexec {program} "$@"\n')
        os.chmod(new, 0o755)
        os.rename(new, made.program)
        return made.rtctl("upgrade")

    @contextlib.contextmanager
    def upgradable(self):
        with deployment(("crasher",), CONFIG) as made:
            made.program = made.path("rtd")
            shutil.copy(RTD, made.program)
            made.start_ready()
            yield made

    def ask(self, made, *words):
        """By its socket: the configuration cannot be read."""
        [name] = os.listdir(made.runtime)
        return made.rtctl(*words, "--socket", os.path.join(made.runtime, name)).stdout

    def test_crashes_before_an_upgrade_count_and_the_worker_of_before_leaves_its_report(self):
        with self.upgradable() as made:
            crash(made, "/abort", 2)
            worker = made.get("/fine")[1]
            self.assertEqual(self.upgrade(made, RTD).returncode, 78)
            self.assertEqual(made.get("/fine")[1], worker)
            crash(made, "/abort", 1)
            made.wait_for_log("`GET /abort` of `crasher` is quarantined: it crashed 3 times")
            after = made.log().split("took over generation 1")[1]
            self.assertIn(f"worker 1 (pid {worker}) was ended by signal 6 (SIGABRT) while it ran "
                          "`GET /abort` of `crasher`, in module `crasher`", after)
            self.assertIn("crasher!give_up+0x", after)
            self.assertIn("it is started again in 2 s", after)
            [generation] = json.loads(self.ask(made, "status", "--json"))["generations"]
            self.assertEqual(generation["workers"][0]["crashes"], 3)
            self.assertEqual(made.get("/abort")[0], 503)
            made.write(CONFIG)
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            crash(made, "/abort", 1)
            self.assertEqual(made.stop(), 0)

    def test_what_was_quarantined_stays_so_until_the_reload(self):
        with self.upgradable() as made:
            crash(made, "/null", 3)
            self.assertEqual(self.upgrade(made, RTD).returncode, 78)
            self.assertEqual(self.ask(made, "quarantine"),
                             "crasher GET /null (crashed in module `crasher`)\n")
            self.assertEqual(made.get("/null")[0], 503)
            self.assertEqual(self.ask(made, "quarantine", "clear", "GET /null"), "1 lifted\n")
            crash(made, "/null", 1)
            self.assertEqual(made.stop(), 0)

    def test_a_frozen_generation_keeps_its_quarantine_and_its_folder(self):
        with self.upgradable() as made:
            crash(made, "/null", 3)
            made.get("/fine")
            other = os.path.join(BUILD, "tests", "rtd-other-plan")
            self.assertEqual(self.upgrade(made, other).returncode, 78)
            self.assertEqual(made.get("/null")[0], 503)
            crash(made, "/abort", 1)
            made.wait_for_log("cannot be replaced before the next reload")
            self.assertEqual(len(os.listdir(made.path("state/rt/crashes"))), 4)
            made.write(CONFIG)
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            self.assertEqual(made.get("/fine")[0], 200)
            self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
