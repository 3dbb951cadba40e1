"""Upgrade: rtd executes the program in its place, and keeps process, workers and connections."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import unittest

from deployment import BUILD, LIMIT, RTD, deployment, wait_for
from traffic import Traffic

STORE = 'store: { trace = "$TRACE"; label = "hello"; };\n'
FRONT = 'front: { trace = "$TRACE"; };\n'
PLUGINS = ("front", "store")
PRODUCTION = ('environment = "production";\nallow_root = true;\nlog: { format = "pretty"; };\n'
              'workers = 2;\ndrain_timeout = "20 s";\n')
OTHER_PLAN = os.path.join(BUILD, "tests", "rtd-other-plan")
OTHER_STATE = os.path.join(BUILD, "tests", "rtd-other-state")


@contextlib.contextmanager
def upgradable(config=PRODUCTION + STORE + FRONT):
    """A deployment with a program of its own that can be replaced."""
    with deployment(PLUGINS, config) as made:
        made.program = made.path("rtd")
        shutil.copy(RTD, made.program)
        yield made


def install(made, source=None, text=None, mode=0o755):
    """Puts a program in the place of the one that runs, as a package manager does."""
    new = made.program + ".new"
    if source:
        shutil.copy(source, new)
    else:
        with open(new, "w", encoding="utf-8") as file:
            file.write(text)
    os.chmod(new, mode)
    os.rename(new, made.program)


def two_faced(made, second):
    """A program that passes its preflight, and then does something else."""
    install(made, text=f'#!/bin/sh\ncase "$*" in *--preflight*) exec {RTD} "$@" ;; esac\n{second}\n')


def status(made):
    return json.loads(made.rtctl("status", "--json").stdout)


def workers(made):
    return {worker["pid"] for generation in status(made)["generations"]
            for worker in generation["workers"]}


def program_of(made):
    return os.readlink(f"/proc/{made.process.pid}/exe")


def crash_one(made):
    with contextlib.suppress(http.client.HTTPException, OSError):
        made.get("/crash")


class TakingOver(unittest.TestCase):
    def test_upgrade_keeps_the_process_and_loses_no_request(self):
        with upgradable() as made:
            made.start_ready()
            old = workers(made)
            with Traffic(made.port) as traffic:
                for number in range(3):
                    install(made, RTD)
                    self.assertTrue(program_of(made).endswith(" (deleted)"))
                    outcome = made.rtctl("upgrade")
                    self.assertEqual(outcome.returncode, 0, outcome.stdout)
                    self.assertRegex(outcome.stdout, r"^upgraded: rtd \S+\n")
                    self.assertIn(f"\nreloaded: generation {number + 2}, ", outcome.stdout)
                    self.assertEqual(program_of(made), made.program)
                    traffic.wait_for_more()
            self.assertEqual(traffic.lost, [])
            self.assertEqual(traffic.answers, {(200, "hello")})
            shown = status(made)
            self.assertEqual((shown["pid"], shown["generation"]), (made.process.pid, 4))
            self.assertFalse(old & workers(made))
            self.assertEqual(made.stop(), 0)
            self.assertEqual(os.listdir(made.temporary) + os.listdir(made.runtime), [])

    def test_sigusr2_upgrades(self):
        with upgradable() as made:
            made.start_ready()
            made.process.send_signal(signal.SIGUSR2)
            made.wait_for_log("reloaded: generation 2")
            self.assertIn("took over generation 1", made.log())
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_a_link_to_the_program_is_followed_anew(self):
        with upgradable() as made:
            first, second, link = made.program, made.path("rtd-second"), made.path("link")
            shutil.copy(RTD, second)
            os.symlink(first, link)
            made.program = link
            made.start_ready()
            self.assertEqual(program_of(made), first)
            os.symlink(second, link + ".new")
            os.rename(link + ".new", link)
            self.assertEqual(made.rtctl("upgrade").returncode, 0)
            self.assertEqual(program_of(made), second)
            self.assertEqual(made.stop(), 0)

    def test_a_program_found_by_the_path_is_found_again(self):
        with upgradable() as made:
            made.program = "rtd"
            made.start_ready(environment={"PATH": f"{made.folder}:{os.environ['PATH']}"})
            made.program = made.path("rtd")
            install(made, RTD)
            self.assertEqual(made.rtctl("upgrade").returncode, 0)
            self.assertEqual(program_of(made), made.program)
            self.assertEqual(made.stop(), 0)

    def test_a_request_that_runs_is_answered_by_the_worker_that_has_it(self):
        with upgradable() as made, concurrent.futures.ThreadPoolExecutor(2) as pool:
            made.start_ready()
            answers = [pool.submit(made.get, "/slow/2500") for _ in range(2)]
            wait_for(lambda: made.trace().count("request front") == 2, "both requests")
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            self.assertEqual(made.rtctl("upgrade").returncode, 0)
            wait_for(lambda: [generation["state"] for generation in status(made)["generations"]] ==
                     ["serving", "draining"], "the end of the generation without requests")
            self.assertEqual([answer.result() for answer in answers], [(200, "slept")] * 2)
            wait_for(lambda: len(status(made)["generations"]) == 1, "the end of what drained")
            self.assertEqual(made.stop(), 0)
            self.assertEqual(os.listdir(made.temporary) + os.listdir(made.runtime), [])

    def test_the_new_rtd_replaces_workers_of_the_old_generation_from_its_copies(self):
        with upgradable() as made:
            made.start_ready()
            # By the time the new rtd composes, nothing fits any more: the old generation goes on.
            two_faced(made, f'echo nonsense > {made.config}\nrm {made.plugins}/store.so\nexec {RTD} "$@"')
            outcome = made.rtctl("upgrade")
            self.assertEqual(outcome.returncode, 78)
            self.assertIn("not reloaded, generation 1 goes on", outcome.stdout)
            self.assertIn("took over generation 1", made.log())
            crash_one(made)
            made.wait_for_log("serves again")
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.rtctl("status", "--socket", self.socket_of(made)).returncode, 0)
            self.assertEqual(made.stop(), 0)
            self.assertEqual(os.listdir(made.temporary) + os.listdir(made.runtime), [])

    def test_workers_whose_plan_the_new_rtd_cannot_read_serve_on_until_a_reload(self):
        with upgradable() as made:
            made.start_ready()
            two_faced(made, f'echo nonsense > {made.config}\nexec {OTHER_PLAN} "$@"')
            with Traffic(made.port) as traffic:
                self.assertEqual(made.rtctl("upgrade").returncode, 78)
                self.assertIn("the plan of generation 1 is in another form: its workers are not "
                              "replaced", made.log())
            self.assertEqual(traffic.lost, [])
            health = made.rtctl("health")
            self.assertEqual(health.returncode, 0, health.stdout)
            self.assertIn("rt: ready in production, serving\n", health.stdout)
            crash_one(made)
            made.wait_for_log("cannot be replaced before the next reload")
            self.assertEqual(made.get("/who"), (200, "hello"))
            made.write(PRODUCTION + STORE + FRONT)
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            self.assertEqual({worker["state"] for worker in status(made)["generations"][0]["workers"]},
                             {"ready"})
            self.assertEqual(made.stop(), 0)
            self.assertEqual(os.listdir(made.temporary) + os.listdir(made.runtime), [])

    @staticmethod
    def socket_of(made):
        [name] = os.listdir(made.runtime)
        return os.path.join(made.runtime, name)

    def test_a_worker_that_dies_in_the_middle_is_replaced(self):
        with upgradable() as made:
            made.start_ready()
            two_faced(made, f'kill -9 {min(workers(made))}\nexec {RTD} "$@"')
            outcome = made.rtctl("upgrade")
            self.assertEqual(outcome.returncode, 0)
            self.assertEqual(made.get("/who"), (200, "hello"))
            self.assertEqual(made.stop(), 0)

    def test_a_reload_asked_for_meanwhile_is_answered_by_the_new_rtd(self):
        with upgradable() as made, concurrent.futures.ThreadPoolExecutor(2) as pool:
            made.start_ready()
            install(made, text=f'#!/bin/sh\n: > {made.path("ran")}\n'
                               f'while [ ! -e {made.path("go")} ]; do sleep 0.05; done\nexec {RTD} "$@"\n')
            upgrade = pool.submit(made.rtctl, "upgrade")
            wait_for(lambda: os.path.exists(made.path("ran")), "the preflight")
            self.assertIn("a new rtd is being tried", made.rtctl("status").stdout)
            reload = pool.submit(made.rtctl, "reload", "--wait")
            made.wait_for_log("control socket: reloading")
            with open(made.path("go"), "w", encoding="utf-8"):
                pass
            self.assertEqual(upgrade.result().returncode, 0)
            self.assertEqual(reload.result().returncode, 0)
            self.assertEqual(made.stop(), 0)


class Refusing(unittest.TestCase):
    def refuses(self, made, code, *expected):
        old = workers(made)
        with Traffic(made.port) as traffic:
            outcome = made.rtctl("upgrade")
            self.assertEqual(outcome.returncode, code, outcome.stdout)
            for text in expected:
                self.assertIn(text, outcome.stdout)
                self.assertIn(text, made.log())
            self.assertRegex(outcome.stdout, r"not upgraded, rtd \S+ goes on: ")
        self.assertEqual(traffic.lost, [])
        self.assertEqual(workers(made), old)
        install(made, RTD)
        self.assertEqual(made.rtctl("upgrade").returncode, 0)
        self.assertEqual(made.get("/who"), (200, "hello"))
        self.assertEqual(made.stop(), 0)

    def test_a_program_that_fails_is_refused_with_what_it_said(self):
        with upgradable() as made:
            made.start_ready()
            install(made, text="#!/bin/sh\necho no such luck >&2\nexit 1\n")
            self.refuses(made, 69, "no such luck", "ended with status 1")

    def test_what_is_no_program_is_refused(self):
        with upgradable() as made:
            made.start_ready()
            install(made, text="no program\n")
            self.refuses(made, 69, "cannot execute", "Exec format error")

    def test_what_may_not_be_executed_is_refused(self):
        with upgradable() as made:
            made.start_ready()
            install(made, text="#!/bin/sh\nexit 0\n", mode=0o644)
            self.refuses(made, 69, "cannot execute", "Permission denied")

    def test_a_program_that_is_gone_is_refused(self):
        with upgradable() as made:
            made.start_ready()
            os.unlink(made.program)
            self.refuses(made, 69, "cannot execute", "No such file or directory")

    def test_another_program_that_succeeds_is_refused(self):
        with upgradable() as made:
            made.start_ready()
            install(made, "/bin/true")
            self.refuses(made, 69, "is no rtd that reads state 3")

    def test_a_program_that_crashes_is_refused(self):
        with upgradable() as made:
            made.start_ready()
            install(made, text="#!/bin/sh\nkill -SEGV $$\n")
            self.refuses(made, 69, "was ended by signal 11")

    def test_a_program_that_does_not_end_is_refused_after_its_time(self):
        with upgradable() as made:
            made.start_ready()
            install(made, text="#!/bin/sh\necho waiting\nsleep 3600 &\nsleep 3600\n")
            self.refuses(made, 69, "waiting", "did not end its preflight within 10 s")

    def test_an_rtd_with_another_state_is_refused(self):
        with upgradable() as made:
            made.start_ready()
            install(made, OTHER_STATE)
            self.refuses(made, 69, "preflight: state 1000", "is no rtd that reads state 3")

    def test_a_configuration_that_is_not_fit_is_refused(self):
        with upgradable() as made:
            made.start_ready()
            made.write("frnt: { };\n")
            outcome = made.rtctl("upgrade")
            self.assertEqual(outcome.returncode, 78)
            self.assertIn("`frnt`", outcome.stdout)
            self.assertIn("ended with status 78", outcome.stdout)
            made.write(PRODUCTION + STORE + FRONT)
            self.refuses_nothing(made)

    def refuses_nothing(self, made):
        self.assertEqual(made.rtctl("upgrade").returncode, 0)
        self.assertEqual(made.stop(), 0)

    def test_an_rtd_that_cannot_read_the_state_gives_the_process_back(self):
        with upgradable() as made:
            made.start_ready()
            old = workers(made)
            descriptors = os.listdir(f"/proc/{made.process.pid}/fd")
            two_faced(made, f'exec {OTHER_STATE} "$@"')
            with Traffic(made.port) as traffic:
                outcome = made.rtctl("upgrade")
                self.assertEqual(outcome.returncode, 70)
                self.assertEqual(outcome.stdout,
                                 "not upgraded: the new rtd could not read the state\n")
            self.assertEqual(traffic.lost, [])
            wait_for(lambda: len(os.listdir(f"/proc/{made.process.pid}/fd")) == len(descriptors),
                     "no descriptor more than before")
            self.assertEqual(workers(made), old)
            self.assertIn("cannot take over: the state handed to it: its version is unknown",
                          made.log())
            crash_one(made)
            made.wait_for_log("serves again")
            install(made, RTD)
            self.refuses_nothing(made)

    def test_a_state_that_nobody_can_read_ends_it_and_says_so(self):
        with upgradable() as made:
            made.start_ready()
            state = '/proc/self/fd/"$(echo "$RTD_HANDOVER" | cut -d: -f2)"'
            two_faced(made, f'cp {state} {made.path("whole")}\n'
                            f'head -c 300 {made.path("whole")} > {state}\nexec {RTD} "$@"')
            made.process.send_signal(signal.SIGUSR2)
            made.wait_for_log("it is damaged")
            self.assertEqual(made.wait(), 70)
            self.assertIn("nor can the rtd before it go on: the workers end", made.log())

    def test_a_stop_during_the_preflight_ends_it(self):
        with upgradable() as made, concurrent.futures.ThreadPoolExecutor(1) as pool:
            made.start_ready()
            install(made, text=f'#!/bin/sh\n: > {made.path("ran")}\nexec sleep 3600\n')
            outcome = pool.submit(made.rtctl, "upgrade")
            wait_for(lambda: os.path.exists(made.path("ran")), "the preflight")
            self.assertEqual(made.stop(), 0)
            self.assertEqual(outcome.result().returncode, 69)
            self.assertIn("not upgraded: rtd stops", outcome.result().stdout)
            self.assertEqual(os.listdir(made.temporary) + os.listdir(made.runtime), [])


class ByHand(unittest.TestCase):
    def test_preflight_says_what_it_composed_and_which_state_it_reads(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            for config, code in ((STORE + FRONT, 0), ("frnt: { };\n", 78)):
                made.write(config)
                outcome = subprocess.run(made.command("--preflight"), text=True, check=False,
                                         stdout=subprocess.PIPE, env=made.environment(), timeout=LIMIT)
                self.assertEqual(outcome.returncode, code)
                self.assertRegex(outcome.stdout, r"fit for development\nrtd \S+\npreflight: state 3\n$")
            self.assertEqual(made.trace(), [])
            self.assertEqual(os.listdir(made.temporary) + os.listdir(made.runtime), [])

    def test_a_variable_of_another_process_hands_nothing_over(self):
        with deployment(PLUGINS, STORE + FRONT) as made:
            made.start_ready(environment={"RTD_HANDOVER": "1:5:6"})
            self.assertEqual(made.get("/variable/RTD_HANDOVER"), (200, "(unset)"))
            self.assertEqual(made.stop(), 0)

    def test_noise_for_a_state_is_refused(self):
        for noise in (b"", b"x", b"\0" * 64, b"\xff" * 4096):
            with self.subTest(noise=noise[:4]), deployment(PLUGINS, STORE + FRONT) as made:
                path = made.path("noise")
                with open(path, "wb") as file:
                    file.write(noise)
                script = f'exec 7< {path}\nexport RTD_HANDOVER="$$:7:-1"\nexec "$@"\n'
                outcome = subprocess.run(["sh", "-c", script, "sh", *made.command()], text=True,
                                         check=False, stderr=subprocess.PIPE,
                                         env=made.environment(), timeout=LIMIT)
                self.assertEqual(outcome.returncode, 70)
                self.assertIn("cannot take over: the state handed to it: ", outcome.stderr)
                self.assertEqual(made.trace(), [])


if __name__ == "__main__":
    unittest.main()
