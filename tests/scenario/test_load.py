"""rtctl validate --load: modules run in a child that may crash, hang or leave."""

import json
import os
import subprocess
import time
import unittest

from deployment import RTCTL, deployment, wait_for

BAD = {
    "crashes": ("RT0702", "while loading"),
    "exits": ("RT0704", "while loading"),
    "faults": ("RT0702", "while registering"),
    "aborts": ("RT0702", "SIGABRT"),
    "ends": ("RT0704", "while registering"),
    "fails": ("RT0706", "invariant"),
    "undeclared": ("RT0708", "RT_SERVES(routes)"),
    "forgets": ("RT0707", "`clock/1`"),
    "renames": ("RT0705", "somebody-else"),
    "hangs": ("RT0703", "while loading"),
    "loops": ("RT0703", "while registering"),
}
PLAIN = "store: { };\n"


def validate(made, *arguments):
    """Exit status and diagnostics by id."""
    result = made.rtctl("validate", "--load", "--json", *arguments)
    report = json.loads(result.stdout[result.stdout.index('{"config"'):])
    return result.returncode, report["diagnostics"]


class Load(unittest.TestCase):
    def only(self, diagnostics, number):
        found = [each for each in diagnostics if each["id"] == number]
        self.assertEqual(len(found), 1, diagnostics)
        return found[0]

    def test_sound_modules_add_nothing(self):
        with deployment(("front", "store"), PLAIN) as made:
            status, diagnostics = validate(made)
            self.assertEqual(status, 0)
            self.assertFalse([each for each in diagnostics if each["id"].startswith("RT07")])

    def test_each_way_of_going_wrong_is_named_with_its_module_and_phase(self):
        for name, (number, text) in BAD.items():
            with self.subTest(module=name), deployment((name,)) as made:
                status, diagnostics = validate(made)
                self.assertEqual(status, 1)
                found = self.only(diagnostics, number)
                self.assertIn(f"`{name}`", found["message"])
                self.assertIn(text, found["message"])
                self.assertIn(f"{name}.so", found["file"])

    def test_one_bad_module_does_not_hide_the_next(self):
        names = ("crashes", "exits", "faults", "fails", "forgets")
        with deployment((*names, "front", "store"), PLAIN) as made:
            status, diagnostics = validate(made)
            self.assertEqual(status, 1)
            for name in names:
                found = self.only([each for each in diagnostics if f"`{name}`" in each["message"]
                                   and each["id"].startswith("RT07")], BAD[name][0])
                self.assertIn(BAD[name][1], found["message"])

    def test_it_ends_within_ten_seconds_even_if_several_hang(self):
        with deployment(("hangs", "loops", "crashes")) as made:
            began = time.monotonic()
            status, diagnostics = validate(made)
            self.assertLess(time.monotonic() - began, 15)
            self.assertEqual(status, 1)
            self.assertIn("RT0703", [each["id"] for each in diagnostics])

    def test_settings_that_configure_refuses_are_reported_but_nothing_is_started(self):
        config = 'store: { trace = "$TRACE"; goes_wrong = "configure"; };\n'
        with deployment(("front", "store"), config) as made:
            status, diagnostics = validate(made)
            self.assertEqual(status, 1)
            self.assertIn("disagree", self.only(diagnostics, "RT0709")["message"])
            self.assertEqual(made.trace(), ["configure store"])

    def test_a_module_that_crashes_only_in_start_passes(self):
        with deployment(("front", "store"), 'store: { goes_wrong = "crash"; };\n') as made:
            self.assertEqual(validate(made)[0], 0)

    def test_conflicting_routes_are_reported(self):
        config = PLAIN + 'side: { module = "front"; };\nload = ["front", "side"];\n'
        with deployment(("front", "store"), config) as made:
            status, diagnostics = validate(made)
            self.assertEqual(status, 1)
            self.assertIn("`GET /who` belongs to `front`",
                          self.only(diagnostics, "RT0710")["message"])

    def test_what_a_crashing_module_writes_is_in_the_note(self):
        with deployment(("aborts",)) as made:
            _, diagnostics = validate(made)
            found = self.only(diagnostics, "RT0702")
            self.assertNotIn("\n", "".join(found["notes"]))

    def test_no_process_is_left_behind(self):
        with deployment(("hangs",)) as made:
            validate(made)

            def children():
                return [pid for pid in os.listdir("/proc") if pid.isdigit() and
                        self.command_of(pid).endswith("--role=load\0") and
                        made.folder in self.maps_of(pid)]
            wait_for(lambda: not children(), "the end of the child")

    @staticmethod
    def command_of(pid):
        try:
            with open(f"/proc/{pid}/cmdline", encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    @staticmethod
    def maps_of(pid):
        try:
            with open(f"/proc/{pid}/maps", encoding="utf-8", errors="replace") as file:
                return file.read()
        except OSError:
            return ""

    def test_a_child_that_cannot_be_made_is_said(self):
        # 3 and 4 are enough to judge, one file at a time; the child needs a pipe and a socket.
        with deployment(("front", "store"), PLAIN) as made:
            outcome = subprocess.run(
                ["prlimit", "--nofile=5", RTCTL, "validate", "--load", "--config", made.config],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                env=made.environment(), timeout=60, check=False)
            self.assertEqual((outcome.returncode, outcome.stderr), (1, ""))
            self.assertEqual(outcome.stdout, "error[RT0714]: the process that loads modules cannot "
                             "be run: too many open files\n\n"
                             "1 error, 0 warnings: runtime.conf is not fit for development\n")

    def test_without_load_nothing_runs(self):
        with deployment(("guarded",)) as made:
            mark = made.path("mark")
            result = made.rtctl("validate", environment={"RT_TEST_MARK": mark})
            self.assertEqual(result.returncode, 0, result.stdout)
            self.assertFalse(os.path.exists(mark))
            result = made.rtctl("validate", "--load", environment={"RT_TEST_MARK": mark})
            self.assertEqual(result.returncode, 0, result.stdout)
            self.assertTrue(os.path.exists(mark))

    def test_a_refused_module_is_not_loaded_even_with_load(self):
        config = 'environment = "production";\n'
        with deployment(("guarded",), config) as made:
            mark = made.path("mark")
            result = made.rtctl("validate", "--load", environment={"RT_TEST_MARK": mark})
            self.assertEqual(result.returncode, 1)
            self.assertFalse(os.path.exists(mark))


if __name__ == "__main__":
    unittest.main()
