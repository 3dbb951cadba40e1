"""A temporary deployment of judged plugins, and rtctl on it."""

import os
import shutil
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ["RT_BUILD"]
RTCTL = os.path.join(BUILD, "host", "rtctl", "rtctl")
PLUGINS = os.path.join(BUILD, "tests", "plugins")
STANDARD_PLUGINS = ("alpha-double", "alpha-main", "alpha-memory", "app")
PATIENCE = 60  # seconds


def clean_environment(extra=None):
    """What a service would have: nothing that starts with RT_, and what sanitizers need."""
    kept = {name: value for name, value in os.environ.items()
            if name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS", "TEST_PROGRAM")}
    return {**kept, "LC_ALL": "C.UTF-8", **(extra or {})}


def rtctl(folder, *arguments, environment=None):
    """Runs rtctl in a folder; a sanitizer's report is a failure whatever the test expects."""
    outcome = subprocess.run([RTCTL, *arguments], cwd=folder, env=clean_environment(environment),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, timeout=PATIENCE, check=False)
    outcome.stdout = outcome.stdout.decode()
    outcome.stderr = outcome.stderr.decode()
    for mark in ("Sanitizer", "runtime error:"):
        if mark in outcome.stderr:
            raise AssertionError(outcome.stderr)
    return outcome


def link_plugins(folder, names):
    """Puts plugins into folder/plugins; `new.so=app` gives one another file name."""
    plugins = os.path.join(folder, "plugins")
    os.makedirs(plugins, exist_ok=True)
    for name in names:
        file, _, source = name.partition("=")
        target = os.path.join(PLUGINS, (source or file) + ".so")
        if not os.path.exists(target):
            raise AssertionError(f"there is no test plugin {target}")
        os.symlink(target, os.path.join(plugins, file if source else file + ".so"))


class Deployment(unittest.TestCase):
    """Each test has a folder of its own in `self.folder`."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rt-test-")
        self.addCleanup(shutil.rmtree, self.folder)

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        return path

    def deploy(self, text="", plugins=STANDARD_PLUGINS):
        link_plugins(self.folder, plugins)
        self.write("runtime.conf", 'plugins = [ "plugins" ];\n' + text)

    def rtctl(self, *arguments, environment=None):
        return rtctl(self.folder, *arguments, environment=environment)
