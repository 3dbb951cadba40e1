"""Runs scenario tests: one line a test, and `N passed, N failed` as the last line.

    python3 tests/scenario/run.py tests/scenario/test_http.py [-k PATTERN]

The programs under test come from RT_BUILD (a build folder with sanitizers) and RT_PREFIX (where it
was installed).
"""

import argparse
import os
import signal
import sys
import time
import unittest


def sentence(test):
    """A test's docstring, or its name as words."""
    name = getattr(test, "_testMethodName", None)
    if name is None:
        return str(test)
    text = test.shortDescription() or name.removeprefix("test_").replace("_", " ")
    return f"{type(test).__name__}: {text}"


class Result(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.passed = self.failed = self.skips = 0

    def startTest(self, test):
        super().startTest(test)
        self.started = time.monotonic()
        self.bad_parts = 0

    def report(self, outcome, test, detail=""):
        seconds = time.monotonic() - getattr(self, "started", time.monotonic())
        print(f"{outcome:<8}{sentence(test)} ({seconds:.2f} s)", flush=True)
        if detail:
            print(detail.rstrip(), flush=True)

    def failure(self, test, error):
        self.failed += 1
        self.report("FAILED", test, self._exc_info_to_string(error, test))

    def addSuccess(self, test):
        self.passed += 1
        self.report("ok", test)

    def addFailure(self, test, error):
        self.failure(test, error)

    def addError(self, test, error):
        self.failure(test, error)

    def addSubTest(self, test, subtest, error):
        # unittest never calls addSuccess for a test with a bad part, so the first one counts.
        if error is None:
            return
        self.bad_parts += 1
        if self.bad_parts == 1:
            self.failed += 1
        part = " ".join(f"{key}={value!r}" for key, value in subtest.params.items())
        self.report("FAILED", test, f"with {part}\n{self._exc_info_to_string(error, test)}")

    def addSkip(self, test, reason):
        self.skips += 1
        self.report("skipped", test, reason)

    def addExpectedFailure(self, test, error):
        self.failure(test, error)

    def addUnexpectedSuccess(self, test):
        self.failed += 1
        self.report("FAILED", test, "passed though a failure was expected")


def load(files, patterns):
    loader = unittest.TestLoader()
    loader.testNamePatterns = [f"*{pattern}*" for pattern in patterns] or None
    suite = unittest.TestSuite()
    for path in files:
        folder, name = os.path.split(os.path.abspath(path))
        if folder not in sys.path:
            sys.path.insert(0, folder)
        suite.addTests(loader.loadTestsFromName(name.removesuffix(".py")))
    return suite


def main():
    # A shell that starts this in the background has it ignored, and all that is started from here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", metavar="FILE")
    parser.add_argument("-k", dest="patterns", action="append", default=[], metavar="PATTERN")
    arguments = parser.parse_args()
    result = Result()
    load(arguments.files, arguments.patterns).run(result)
    if result.skips:
        print(f"{result.skips} skipped")
    print(f"{result.passed} passed, {result.failed} failed", flush=True)
    return 0 if result.passed and not result.failed else 1


if __name__ == "__main__":
    sys.exit(main())
