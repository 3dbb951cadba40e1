"""That tests/run.py and tests/scenario/run.py cannot call a failure a success."""

import contextlib
import importlib.util
import io
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def load_runner():
    spec = importlib.util.spec_from_file_location("rt_tests_run", f"{TESTS}/run.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


RUNNER = load_runner()


class InFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name


class Programs(InFolder):
    def run_script(self, script, limit=20, **options):
        """(passed, failed, remarks) of a shell script run as a test program."""
        program = RUNNER.Program("unit/sample", ["bash", "-c", script], limit, **options)
        return RUNNER.run(program, self.folder)[1:4]

    def test_the_last_line_is_what_counts(self):
        self.assertEqual(self.run_script("echo '9 passed, 9 failed'; echo '3 passed, 0 failed'"), (3, 0, []))

    def test_failures_are_added_up(self):
        self.assertEqual(self.run_script("echo '3 passed, 2 failed'; exit 1"), (3, 2, []))

    def test_a_program_without_a_count_has_failed(self):
        for script in ("true", "echo '3 passed, 0 failed'; echo more", "kill -SEGV $$", "exit 1"):
            passed, failed, _ = self.run_script(script)
            self.assertEqual((passed, failed), (0, 1), script)

    def test_a_program_that_ran_nothing_has_failed(self):
        self.assertEqual(self.run_script("echo '0 passed, 0 failed'")[:2], (0, 1))

    def test_an_exit_status_that_contradicts_the_count_is_a_failure(self):
        self.assertEqual(self.run_script("echo '3 passed, 0 failed'; exit 1")[:2], (3, 1))
        self.assertEqual(self.run_script("echo '3 passed, 2 failed'")[:2], (3, 3))

    def test_a_program_that_does_not_end_is_killed_and_has_failed(self):
        passed, failed, remarks = self.run_script("echo '3 passed, 0 failed'; exec tail -f /dev/null", limit=1)
        self.assertEqual((passed, failed), (0, 1))
        self.assertIn("did not end", remarks[0])

    def test_a_process_left_behind_is_a_failure(self):
        _, failed, remarks = self.run_script("tail -f /dev/null & echo '3 passed, 0 failed'")
        self.assertEqual(failed, 1)
        self.assertIn("left processes behind", remarks[0])
        self.assertIn("(tail)", remarks[0])

    def test_a_process_left_behind_in_a_session_of_its_own_is_a_failure(self):
        _, failed, remarks = self.run_script("setsid tail -f /dev/null & echo '3 passed, 0 failed'")
        self.assertEqual(failed, 1)
        self.assertIn("(tail)", remarks[0])

    def test_what_a_program_started_ends_when_its_time_is_over(self):
        script = f"setsid tail -f {self.folder}/log & exec tail -f /dev/null"
        open(f"{self.folder}/log", "w", encoding="utf-8").close()
        self.run_script(script, limit=1)
        left = subprocess.run(["pgrep", "-f", f"^tail -f {self.folder}/log$"], check=False)
        self.assertEqual(left.returncode, 1)

    def test_a_program_that_is_not_there_has_failed(self):
        program = RUNNER.Program("unit/absent", [f"{self.folder}/absent"], 5)
        self.assertEqual(RUNNER.run(program, self.folder)[1:3], (0, 1))

    def test_a_fuzzer_that_executed_nothing_has_failed(self):
        counted = "echo 'stat::number_of_executed_units: %s'"
        self.assertEqual(self.run_script(counted % "12", counts=False)[:2], (1, 0))
        self.assertEqual(self.run_script(counted % "0", counts=False)[:2], (0, 1))
        self.assertEqual(self.run_script((counted % "12") + "; exit 77", counts=False)[:2], (0, 1))

    def test_a_report_says_what_failed(self):
        program = RUNNER.Program("unit/sample", ["bash", "-c", "echo detail; exit 3"], 5)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            RUNNER.report(RUNNER.run(program, self.folder))
        self.assertIn("detail", printed.getvalue())
        self.assertRegex(printed.getvalue(), r"FAILED +unit/sample")


class Scenarios(InFolder):
    def run_tests(self, body):
        """(exit status, last line) of the scenario runner over a file of tests."""
        path = f"{self.folder}/test_sample.py"
        with open(path, "w", encoding="utf-8") as file:
            file.write("import unittest\n" + textwrap.dedent(body))
        done = subprocess.run([sys.executable, "-B", f"{TESTS}/scenario/run.py", path], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return done.returncode, done.stdout.splitlines()[-1]

    def test_passes_and_failures_are_counted(self):
        self.assertEqual(self.run_tests("""
            class Sample(unittest.TestCase):
                def test_good(self): pass
                def test_bad(self): self.fail("no")
                def test_error(self): raise KeyError("no")
            """), (1, "1 passed, 2 failed"))

    def test_a_test_with_several_bad_parts_is_one_failure(self):
        self.assertEqual(self.run_tests("""
            class Sample(unittest.TestCase):
                def test_parts(self):
                    for part in range(3):
                        with self.subTest(part=part): self.assertEqual(part, 1)
            """), (1, "0 passed, 1 failed"))

    def test_a_file_that_cannot_be_imported_is_a_failure(self):
        self.assertEqual(self.run_tests("import no_such_module"), (1, "0 passed, 1 failed"))

    def test_a_class_that_cannot_be_set_up_is_a_failure(self):
        self.assertEqual(self.run_tests("""
            class Sample(unittest.TestCase):
                @classmethod
                def setUpClass(cls): raise OSError("no")
                def test_good(self): pass
            """), (1, "0 passed, 1 failed"))

    def test_a_file_without_tests_has_failed(self):
        self.assertEqual(self.run_tests("pass"), (1, "0 passed, 0 failed"))

    def test_skipped_tests_alone_are_no_success(self):
        self.assertEqual(self.run_tests("""
            class Sample(unittest.TestCase):
                @unittest.skip("not here")
                def test_skipped(self): pass
            """), (1, "0 passed, 0 failed"))

    def test_an_unexpected_success_is_a_failure(self):
        self.assertEqual(self.run_tests("""
            class Sample(unittest.TestCase):
                @unittest.expectedFailure
                def test_surprise(self): pass
            """), (1, "0 passed, 1 failed"))


if __name__ == "__main__":
    unittest.main()
