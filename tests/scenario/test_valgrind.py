"""Valgrind on the real programs: rtd, its workers, and the plugins in them."""

import contextlib
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from deployment import LIMIT, TOP, deployment, wait_for

RELEASE = os.environ.get("RT_RELEASE_PREFIX")
SLOW = 4 * LIMIT
# Valgrind knows no filters of system calls.
CONFIG = ('log: { format = "pretty"; };\nstart_timeout = "2 min";\nwatchdog_timeout = "0 s";\n'
          'sandbox: { system_calls = false; };\n')
CARELESS = """
#include <rt/rt.h>
#include <stdlib.h>
RT_MODULE("careless", "1.0.0", "Reads what it never wrote, and loses memory")
RT_SERVES(routes)
static int answer(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    volatile int *memory = malloc(16);
    (void)request;
    return rt_respond(ctx, response, memory[0] ? 200 : 201, "text/plain", RT_STR("careless"));
}
RT_REGISTER(registry) { return rt_route(registry, RT_GET, "/careless", answer); }
"""


def compile_plugin(source, target):
    """Without sanitizers, which Valgrind does not bear."""
    environment = {**os.environ, "PKG_CONFIG_LIBDIR": f"{RELEASE}/lib/pkgconfig"}
    flags = subprocess.run(["pkg-config", "--cflags", "--libs", "rt-sdk"], check=True, text=True,
                           env=environment, stdout=subprocess.PIPE).stdout.split()
    subprocess.run(["gcc", "-std=gnu17", "-g", "-O1", "-fPIC", "-shared", source, "-o", target,
                    *flags], check=True)


@unittest.skipUnless(shutil.which("valgrind"), "valgrind is not installed")
@unittest.skipUnless(RELEASE, "RT_RELEASE_PREFIX names no build without sanitizers")
class Valgrind(unittest.TestCase):
    @contextlib.contextmanager
    def watched(self):
        """rtd under Valgrind, with the module `waiter`; its findings are in files by process id."""
        with deployment((), CONFIG) as made:
            compile_plugin(f"{TOP}/tests/plugins/waiter.c", f"{made.plugins}/waiter.so")
            made.findings = tempfile.mkdtemp(dir=made.folder)
            made.command = lambda *words: [
                "valgrind", "--trace-children=yes", "--leak-check=full",
                "--show-leak-kinds=definite", "--errors-for-leak-kinds=definite",
                f"--log-file={made.findings}/%p", f"{RELEASE}/bin/rtd", "--config", made.config,
                *words]
            yield made

    @staticmethod
    def start(made):
        made.start()
        wait_for(lambda: "ready: " in made.log() or made.process.poll() is not None, "ready", SLOW)

    @staticmethod
    def workers(made):
        shown = json.loads(made.rtctl("status", "--json").stdout)
        return {str(worker["pid"]) for generation in shown["generations"]
                for worker in generation["workers"]}

    def findings(self, made):
        """{process id: (number of errors, all that was said)}"""
        found = {}
        for path in glob.glob(f"{made.findings}/*"):
            with open(path, encoding="utf-8") as file:
                text = file.read()
            counted = re.search(r"ERROR SUMMARY: (\d+) errors", text)
            self.assertTrue(counted, f"{path}: {text}")
            found[os.path.basename(path)] = (int(counted[1]), text)
        return found

    def test_requests_with_waits_a_reload_and_the_end_are_clean(self):
        with self.watched() as made:
            self.start(made)
            seen = self.workers(made)
            for _ in range(3):
                self.assertEqual(made.get("/nap", SLOW), (200, "done"))
            self.assertEqual(made.get("/missing", SLOW)[0], 404)
            self.assertEqual(made.rtctl("fibers").returncode, 0)
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            seen |= self.workers(made)
            self.assertEqual(made.get("/nap", SLOW), (200, "done"))
            made.process.terminate()
            self.assertEqual(made.process.wait(SLOW), 0)
            found = self.findings(made)
            self.assertGreater(len(seen), 1)
            self.assertLessEqual(seen | {str(made.process.pid)}, set(found))
            for errors, text in found.values():
                self.assertEqual(errors, 0, text)

    def test_what_a_plugin_does_wrong_in_a_fiber_is_found(self):
        with self.watched() as made:
            source = made.path("careless.c")
            with open(source, "w", encoding="utf-8") as file:
                file.write(CARELESS)
            compile_plugin(source, f"{made.plugins}/careless.so")
            self.start(made)
            [worker] = self.workers(made)
            made.get("/careless", SLOW)
            made.process.terminate()
            self.assertEqual(made.process.wait(SLOW), 0)
            found = self.findings(made)
            text = found[worker][1]
            self.assertIn("Conditional jump or move depends on uninitialised value(s)", text)
            self.assertRegex(text, r"by 0x[0-9A-F]+: answer \(careless\.c:\d+\)|"
                                   r"at 0x[0-9A-F]+: answer \(careless\.c:\d+\)")
            self.assertIn("16 bytes in 1 blocks are definitely lost", text)
            self.assertEqual(found[str(made.process.pid)][0], 0)


if __name__ == "__main__":
    unittest.main()
