"""The ABI between host and plugins, compared with the one that was released, by abidiff.

    python3 tests/scenario/test_abi.py --write     # releases what the headers say now

Do that for a new minor version that only grew; the old description stays beside it.
"""

import glob
import os
import re
import subprocess
import sys
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ABI = f"{TOP}/tests/abi"
GROWING = (r"rt_(?:host|module_descriptor|instance|ctx|error|lifecycle|run_options|exit|request|"
           r"route_options|effect_frame|email|email_result|outbox_entry|transfer\w*|\w+_table)")
GROWTH = re.compile(
    rf"'struct {GROWING}[^']*' changed:\n  type size changed from .*\n"
    rf"  \d+ data member insertions?:(?:\n    '.*', at .*)+"
    r"|'enum rt_\w+[^']*' changed:\n(?:  type size hasn't changed\n)?"
    r"  \d+ enumerator insertions?:(?:\n    '.*)+")


def library(folder, include=f"{TOP}/sdk/include"):
    path = f"{folder}/surface.so"
    subprocess.run(["gcc", "-std=gnu17", "-g", "-O0", "-fPIC", "-shared", f"-I{include}", "-o", path,
                    "surface.c"], cwd=ABI, check=True)
    return path


def released():
    """The oldest description that the present headers must still serve."""
    return f"{ABI}/rt-1.0.abi"


def described():
    """All of them: plugins built with any must fit."""
    return sorted(glob.glob(f"{ABI}/rt-*.abi"))


def compare(old, new):
    """What abidiff finds that plugins built against `old` would trip over: a list of changes.

    Structs that carry their size, and tables, may grow at the end; enums may get further values.
    """
    done = subprocess.run(["abidiff", "--leaf-changes-only", old, new], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode & ~12:
        return [f"abidiff failed: {done.stdout}"]
    changes = re.split(r"(?m)^(?=')", done.stdout)[1:]
    if done.returncode and not changes:
        return [done.stdout]
    return [change for change in changes if not GROWTH.fullmatch(change.strip())]


def changed_headers(folder, header, old, new):
    """A copy of the SDK's headers with one change."""
    include = f"{folder}/include"
    subprocess.run(["cp", "-r", f"{TOP}/sdk/include", include], check=True)
    with open(f"{include}/rt/{header}", encoding="utf-8") as file:
        text = file.read()
    changed = text.replace(old, new)
    assert changed != text, f"{header} has no `{old}`"
    with open(f"{include}/rt/{header}", "w", encoding="utf-8") as file:
        file.write(changed)
    return include


class Abi(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def compare_changed(self, *change):
        return compare(released(), library(self.folder, changed_headers(self.folder, *change)))

    def test_plugins_built_with_released_headers_still_fit(self):
        for old in described():
            self.assertEqual(compare(old, library(self.folder)), [], old)

    def test_every_public_struct_and_enum_is_in_the_comparison(self):
        description = subprocess.run(["abidw", "--no-corpus-path", library(self.folder)], text=True,
                                     stdout=subprocess.PIPE, check=True).stdout
        described = set(re.findall(r"(?:class|union|enum|typedef)-decl name='(\w+)'", description))
        for path, _, names in os.walk(f"{TOP}/sdk/include"):
            for name in names:
                with open(f"{path}/{name}", encoding="utf-8") as file:
                    types = re.findall(r"(?m)^(?:typedef )?(?:struct|enum) (rt_\w+) \{", file.read())
                self.assertEqual([word for word in types if word not in described], [], name)

    def test_a_member_in_the_middle_is_noticed(self):
        changes = self.compare_changed("abi.h", "    const rt_binding *bindings; /*",
                                       "    int64_t new;\n    const rt_binding *bindings; /*")
        self.assertIn("offset changed", "".join(changes))

    def test_a_changed_argument_is_noticed(self):
        changes = self.compare_changed("host.h", "uint64_t nanoseconds);", "uint32_t nanoseconds);")
        self.assertIn("rt_host::sleep", "".join(changes))

    def test_growth_of_an_array_element_is_noticed(self):
        changes = self.compare_changed("abi.h", "        const struct rt_setting *members;\n    } value;",
                                       "        const struct rt_setting *members;\n    } value;\n"
                                       "    uint64_t more;")
        self.assertIn("rt_setting", "".join(changes))

    def test_another_number_for_a_code_is_noticed(self):
        changes = self.compare_changed("error.h", "X(5, ENOT_FOUND", "X(50, ENOT_FOUND")
        self.assertIn("rt_code", "".join(changes))

    def test_a_function_more_at_the_end_of_the_host_table_is_allowed(self):
        self.assertEqual(self.compare_changed(
            "host.h", "};\n\n/* This plugin's view",
            "    int (*later)(rt_ctx *ctx);\n};\n\n/* This plugin's view"), [])

    def test_one_more_setting_type_is_allowed(self):
        self.assertEqual(self.compare_changed("abi.h", "    RT_SETTING_MAP = 14,",
                                              "    RT_SETTING_LATER = 15,\n    RT_SETTING_MAP = 14,"), [])


def version():
    with open(f"{TOP}/sdk/include/rt/abi.h", encoding="utf-8") as file:
        return ".".join(re.findall(r"#define RT_ABI_M[AI][JN]OR (\d+)", file.read()))


def write():
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["abidw", "--no-show-locs", "--no-corpus-path", "--no-comp-dir-path",
                        "--out-file", f"{ABI}/rt-{version()}.abi", library(folder)], check=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        write()
    else:
        unittest.main()
