"""What the host says of plugin files that are broken, each in its own way, before it loads any.

The corpus is made by tests/broken/make_corpus.py; what must be said of each file is in
tests/broken/expected. After a change of the texts, read what this prints:

    RT_BUILD=build/sanitized python3 tests/scenario/test_broken_plugins.py --write
"""

import os
import re
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests", "broken"))

import make_corpus  # noqa: E402

EXPECTED = os.path.join(TOP, "tests", "broken", "expected")
PRINT = os.path.join(os.environ.get("RT_BUILD", "build"), "tests", "broken", "manifest-print")
LIMIT = 20  # seconds; a file takes microseconds
# Root reads everything, unless it gives that up first.
RIGHTS = "-dac_override,-dac_read_search"
MODEST = ["setpriv", f"--bounding-set={RIGHTS}", f"--inh-caps={RIGHTS}"] if os.geteuid() == 0 else []


def judge(folder, *paths):
    """The exit status and what was said of the files. Lengths and folders that depend on the
    compiler or the machine are replaced."""
    environment = dict(os.environ, RT_TEST_MARK=os.path.join(folder, "mark"))
    done = subprocess.run([*MODEST, os.path.abspath(PRINT), *paths], cwd=folder, env=environment, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT)
    said = re.sub(r"cut off after \d{5,} bytes", "cut off after N bytes", done.stdout)
    return done.returncode, re.sub(r"the library found is `[^`]*/", "the library found is `", said)


def expected_text(name):
    try:
        with open(os.path.join(EXPECTED, name + ".txt"), encoding="utf-8") as file:
            return file.read()
    except FileNotFoundError:
        return f"(tests/broken/expected/{name}.txt is missing)"


def names_in(folder, ending):
    return sorted(name[:-len(ending)] for name in os.listdir(folder) if name.endswith(ending))


class BrokenPlugins(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory(prefix="rt-broken-")
        cls.folder = cls.holder.name
        make_corpus.make_corpus(cls.folder)
        cls.plugins = os.path.join(cls.folder, "plugins")
        cls.names = names_in(cls.plugins, ".so")
        cls.alone = {name: judge(cls.folder, f"plugins/{name}.so") for name in cls.names}

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def test_each_broken_file_is_reported_in_exactly_the_expected_words(self):
        for name in self.names:
            with self.subTest(name):
                self.assertEqual(self.alone[name], (0, expected_text(name)))

    def test_every_expectation_has_its_file_and_there_are_many(self):
        self.assertEqual(names_in(EXPECTED, ".txt"), self.names)
        self.assertGreater(len(self.names), 100)

    def test_no_file_is_both_refused_and_taken_or_passed_over_in_silence(self):
        for name in self.names:
            with self.subTest(name):
                said = self.alone[name][1]
                refused, taken = said.startswith("error[RT02"), "\nsound: " in "\n" + said
                self.assertNotEqual(refused, taken, said)

    def test_all_files_in_one_run_say_what_they_say_alone(self):
        alone = "".join(said for _, said in self.alone.values())
        status, together = judge(self.folder, *[f"plugins/{name}.so" for name in self.names])
        self.assertEqual(together, alone)
        self.assertEqual(status, 0)

    def test_a_file_cut_off_anywhere_is_refused(self):
        with open(os.path.join(self.plugins, "good.so"), "rb") as file:
            good = file.read()
        lengths = range(0, len(good), 97)
        for length in lengths:
            with open(os.path.join(self.folder, f"cut-{length}.so"), "wb") as file:
                file.write(good[:length])
        status, said = judge(self.folder, *[f"cut-{length}.so" for length in lengths])
        self.assertEqual(status, 0, said)
        refused = re.findall(r"^error\[RT02(?:04|10)\]: plugin `cut-(\d+)\.so`", said, re.MULTILINE)
        self.assertEqual([int(length) for length in refused], list(lengths))
        self.assertNotIn("sound:", said)

    def test_a_plugin_that_misbehaves_only_when_it_runs_has_a_sound_file_and_is_not_run(self):
        names = names_in(os.path.join(self.folder, "misbehaving"), ".so")
        self.assertEqual(names, sorted(make_corpus.MISBEHAVIOURS))
        for name in names:
            with self.subTest(name):
                status, said = judge(self.folder, f"misbehaving/{name}.so")
                self.assertEqual((status, said), (0, f"sound: `{name}` 1.0.0\n"))
        self.assertFalse(os.path.exists(os.path.join(self.folder, "mark")))


class OtherCompiler(unittest.TestCase):
    def test_the_same_is_said_of_what_clang_builds(self):
        with tempfile.TemporaryDirectory(prefix="rt-broken-") as folder:
            make_corpus.make_corpus(folder, compiler="clang")
            names = names_in(os.path.join(folder, "plugins"), ".so")
            said = judge(folder, *[f"plugins/{name}.so" for name in names])[1]
            self.assertEqual(said, "".join(expected_text(name) for name in names))


def write_expected():
    with tempfile.TemporaryDirectory(prefix="rt-broken-") as folder:
        make_corpus.make_corpus(folder)
        names = names_in(os.path.join(folder, "plugins"), ".so")
        for name in sorted(set(names_in(EXPECTED, ".txt")) - set(names)):
            os.remove(os.path.join(EXPECTED, name + ".txt"))
        for name in names:
            said = judge(folder, f"plugins/{name}.so")[1]
            if said != expected_text(name):
                print(f"## {name}\n{said}", end="")
                with open(os.path.join(EXPECTED, name + ".txt"), "w", encoding="utf-8") as file:
                    file.write(said)


if __name__ == "__main__":
    if "--write" in sys.argv:
        write_expected()
    else:
        unittest.main()
