"""Every broken configuration below tests/diagnostics/ is explained in exactly the expected words.

RT_ACCEPT=1 writes what is printed as what is expected: read the difference before you keep it.
"""

import glob
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import unittest
import unittest.mock

from support import RTCTL, STANDARD_PLUGINS, TOP, Deployment, clean_environment, link_plugins, rtctl

CASES = os.path.join(TOP, "tests", "diagnostics")
KINDS = ("lexical", "semantic", "running")
FEWEST_CASES = 60
# Those that no deployment can provoke through `rtctl validate`, and who does.
PROVOKED_ELSEWHERE = {
    "RT0129": "unit/config_test.c",
    "RT0407": "scenario/test_rtd.py",
    "RT0421": "scenario/test_privileges.py",
    "RT0325": "scenario/test_migrate.py",
    "RT0711": "scenario/test_rtd.py",
    "RT0712": "scenario/test_rtd.py",
    "RT0714": "scenario/test_load.py",
    "RT0715": "scenario/test_migrate.py",
    "RT0716": "scenario/test_migrate.py",
    "RT0717": "scenario/test_migrate.py",
    "RT0718": "scenario/test_migrate.py",
    "RT0719": "scenario/test_migrate.py",
    "RT0720": "scenario/test_privileges.py",
    "RT0721": "scenario/test_migrate.py",
    "RT0722": "scenario/test_migrate.py",
    "RT0723": "scenario/test_migrate.py",
}
ACCEPT = os.environ.get("RT_ACCEPT")


def read(path, otherwise=""):
    if not os.path.exists(path):
        return otherwise
    with open(path, encoding="utf-8") as file:
        return file.read()


def case_folders(kind):
    """The folders below tests/diagnostics/KIND that hold a case."""
    return sorted(os.path.dirname(path) for name in ("runtime.conf", "generate.py")
                  for path in glob.glob(f"{CASES}/{kind}/*/{name}")
                  if name == "runtime.conf" or
                  not os.path.exists(os.path.join(os.path.dirname(path), "runtime.conf")))


class Case:
    """A case in its temporary folder, ready for rtctl."""

    def __init__(self, source, folder):
        self.name = os.path.relpath(source, CASES)
        self.expected_path = os.path.join(source, "expected.txt")
        self.folder = os.path.join(folder, os.path.basename(source))
        shutil.copytree(source, self.folder, copy_function=shutil.copyfile)
        if not self.name.startswith("lexical"):
            plugins = read(os.path.join(source, "plugins.txt")).split()
            link_plugins(self.folder, plugins or STANDARD_PLUGINS)
        if os.path.exists(os.path.join(self.folder, "generate.py")):
            subprocess.run([sys.executable, "-B", "generate.py"], cwd=self.folder, check=True)
        self.arguments = shlex.split(read(os.path.join(source, "args")))
        lines = read(os.path.join(source, "env")).splitlines()
        self.environment = dict(line.split("=", 1) for line in lines if line)

    def validate(self, *more):
        return rtctl(self.folder, "validate", "--config", "runtime.conf", *self.arguments, *more,
                     environment=self.environment)


def expected(case):
    """The text of expected.txt; those of lexical cases leave out the exit status, which is 1."""
    text = read(case.expected_path)
    return text if text.startswith("exit ") else f"exit 1\n{text}"


class Cases:
    """The tests of one kind of cases."""

    kind = None

    def test_every_case_is_explained_in_the_expected_words(self):
        ran = 0
        for source in case_folders(self.kind):
            case = Case(source, self.folder)
            with self.subTest(case=case.name):
                outcome = case.validate()
                printed = f"exit {outcome.returncode}\n{outcome.stdout}"
                if ACCEPT:
                    with open(case.expected_path, "w", encoding="utf-8") as file:
                        file.write(printed)
                self.assertEqual(outcome.stderr, "")
                self.assertNotIn("not-to-be-seen", printed)
                self.assertEqual(printed, expected(case))
                ran += 1
        self.assertGreater(ran, 0)

    def test_json_says_the_same_as_the_text(self):
        for source in case_folders(self.kind):
            case = Case(source, self.folder)
            with self.subTest(case=case.name):
                outcome = case.validate("--json")
                text = expected(case)
                answer = json.loads(outcome.stdout)
                self.assertEqual(text.split("\n")[0], f"exit {outcome.returncode}")
                self.assertEqual(answer["valid"], outcome.returncode == 0)
                self.assertEqual(
                    [(one["severity"], one["id"]) for one in answer["diagnostics"]],
                    re.findall(r"^(\w+)\[(RT\d{4})\]: ", text, re.MULTILINE))
                for one in answer["diagnostics"]:
                    self.assertIn(f"[{one['id']}]: {one['message']}\n", text)


class Lexical(Cases, Deployment):
    kind = "lexical"


class Semantic(Cases, Deployment):
    kind = "semantic"


class Conditions(Deployment):
    def test_a_path_makes_development_only_wherever_the_configuration_is(self):
        link_plugins(self.folder, ["app", "alpha-file"])
        with open(os.path.join(self.folder, "site.conf"), "w", encoding="utf-8") as file:
            file.write('environment = "production";\nplugins = [ "plugins" ];\n'
                       'alpha-file: { file = "numbers"; journal = ":memory:"; };\n')
        for folder, config in ((self.folder, "site.conf"), ("/", f"{self.folder}/site.conf")):
            outcome = rtctl(folder, "validate", "--config", config)
            self.assertEqual(outcome.returncode, 1)
            self.assertIn("error[RT0401]: development-only module `alpha-file` would run in "
                          "production\n", outcome.stdout)
            self.assertIn('it is development-only because `journal` is ":memory:"', outcome.stdout)


class Running(Cases, Deployment):
    """Modules that are loaded; a crash is one, and not a report of AddressSanitizer."""

    kind = "running"

    def setUp(self):
        super().setUp()
        options = os.environ.get("ASAN_OPTIONS", "")
        crash = "handle_segv=0:handle_abort=0:allow_user_segv_handler=1:detect_leaks=0"
        change = unittest.mock.patch.dict(os.environ, ASAN_OPTIONS=f"{options}:{crash}".strip(":"))
        change.start()
        self.addCleanup(change.stop)


class Completeness(unittest.TestCase):
    def test_there_are_many_broken_configurations(self):
        broken = [folder for kind in KINDS for folder in case_folders(kind)
                  if "error[" in read(os.path.join(folder, "expected.txt"))]
        self.assertGreaterEqual(len(broken), FEWEST_CASES)

    def test_every_case_is_of_a_kind_that_is_run(self):
        known = {folder for kind in KINDS for folder in case_folders(kind)}
        found = {os.path.dirname(path) for path in glob.glob(f"{CASES}/*/*/expected.txt")}
        self.assertEqual(known, found)

    def test_every_diagnostic_is_expected_somewhere(self):
        listed = subprocess.run([RTCTL, "explain"], check=True, text=True, stdout=subprocess.PIPE,
                                env=clean_environment()).stdout
        numbers = set(re.findall(r"^(RT\d{4}) ", listed, re.MULTILINE))
        paths = glob.glob(f"{CASES}/*/*/expected.txt") + \
            glob.glob(f"{TOP}/tests/broken/expected/**/*", recursive=True)
        seen = {number for path in paths if os.path.isfile(path)
                for number in re.findall(r"\[(RT\d{4})\]", read(path))}
        self.assertGreater(len(numbers), 90)
        self.assertEqual(numbers - seen, set(PROVOKED_ELSEWHERE))
        for number, test in PROVOKED_ELSEWHERE.items():
            text = read(f"{TOP}/tests/{test}").replace("\\", "")
            self.assertTrue(f"[{number}]" in text, f"{number} is not in {test}")


if __name__ == "__main__":
    unittest.main()
