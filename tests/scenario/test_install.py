"""What `meson install` puts under a prefix, and that a plugin builds against that tree alone."""

import glob
import os
import re
import subprocess
import tempfile
import unittest

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PREFIX = os.environ.get("RT_RELEASE_PREFIX") or os.environ["RT_PREFIX"]
BUILD = os.environ["RT_BUILD"]
# Nothing but the installed pkg-config file is to be found, and nothing that rt reads as a setting.
ENVIRONMENT = {**{name: value for name, value in os.environ.items()
                  if not name.startswith(("PKG_CONFIG", "RT_"))},
               "PKG_CONFIG_LIBDIR": f"{PREFIX}/lib/pkgconfig"}

EXPECTED = """
bin/rtd bin/rtctl
lib/pkgconfig/rt-sdk.pc
etc/rt/runtime.conf etc/rt/production.conf
share/rt/rt-module.map share/rt/logrotate.conf
share/man/man8/rtd.8 share/man/man1/rtctl.1 share/man/man5/runtime.conf.5
share/bash-completion/completions/rtd share/bash-completion/completions/rtctl
""".split()


def run(*command, **options):
    options = {"check": True, "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT,
               "env": ENVIRONMENT, "timeout": 300, **options}
    return subprocess.run(command, **options)


def files_below(folder):
    return {os.path.relpath(os.path.join(path, name), folder)
            for path, _, names in os.walk(folder) for name in names}


def sdk_flags(kind):
    return run("pkg-config", kind, "rt-sdk").stdout.split()


def instantiate(folder, name):
    """A plugin from the installed template, as `rtctl new plugin` writes it."""
    words = {"@NAME@": name, "@IDENTIFIER@": name.replace("-", "_"),
             "@PKGCONFIG@": f"{PREFIX}/lib/pkgconfig", "@PLUGINS@": f"{PREFIX}/lib/rt/plugins"}

    def replaced(text):
        for word, value in words.items():
            text = text.replace(word, value)
        return text

    source = f"{PREFIX}/share/rt/templates/plugin"
    for file in files_below(source):
        with open(f"{source}/{file}", encoding="utf-8") as template:
            text = replaced(template.read())
        with open(f"{folder}/{replaced(file)}", "w", encoding="utf-8") as out:
            out.write(text)


class InstalledTree(unittest.TestCase):
    def test_everything_that_is_promised_is_under_the_prefix(self):
        missing = [file for file in EXPECTED if not os.path.isfile(f"{PREFIX}/{file}")]
        self.assertEqual(missing, [])

    def test_every_header_of_the_sdk_is_installed_unchanged(self):
        headers = files_below(f"{TOP}/sdk/include")
        self.assertIn("rt/rt.h", headers)
        for header in headers:
            with open(f"{TOP}/sdk/include/{header}", "rb") as ours:
                with open(f"{PREFIX}/include/{header}", "rb") as theirs:
                    self.assertEqual(ours.read(), theirs.read(), header)

    def test_only_the_sdk_is_installed_as_headers(self):
        self.assertEqual(files_below(f"{PREFIX}/include"), files_below(f"{TOP}/sdk/include"))

    def test_the_programs_say_their_version(self):
        for program in ("rtd", "rtctl"):
            text = run(f"{PREFIX}/bin/{program}", "--version").stdout
            self.assertRegex(text, r"\d+\.\d+\.\d+", program)

    def test_a_staged_install_puts_the_same_files_under_destdir(self):
        prefix = os.environ["RT_PREFIX"]
        with tempfile.TemporaryDirectory() as stage:
            run("meson", "install", "-C", BUILD, "--no-rebuild", "--destdir", stage)
            self.assertEqual(files_below(stage + prefix), files_below(prefix))
            self.assertEqual(os.listdir(stage), [prefix.split("/")[1]])

    def test_the_installed_development_configuration_is_fit_to_run(self):
        run(f"{PREFIX}/bin/rtctl", "validate", "--config", f"{PREFIX}/etc/rt/runtime.conf")

    def test_the_installed_production_configuration_has_no_error_but_its_secrets(self):
        with tempfile.TemporaryDirectory() as folder:
            run(f"{PREFIX}/bin/rtctl", "validate", "--no-secrets", "--config",
                f"{PREFIX}/etc/rt/production.conf", "--set", f'sqlite.path="{folder}/rt.db"')

    def test_the_folder_of_its_database_is_the_one_that_the_service_makes(self):
        unit, = (file for file in files_below(PREFIX) if file.endswith("/rtd.service"))
        texts = []
        for path in (unit, "etc/rt/production.conf"):
            with open(f"{PREFIX}/{path}", encoding="utf-8") as file:
                texts.append(file.read())
        made, = re.findall(r"(?m)^StateDirectory=(.+)$", texts[0])
        for kept in re.findall(r'(?:path|folder) = "(/var/lib/[^"]+)"', texts[1]):
            self.assertEqual(os.path.dirname(kept), f"/var/lib/{made}")
        self.assertIn(f'path = "/var/lib/{made}/rt.db"', texts[1])

    def test_no_installed_file_names_the_source_tree(self):
        inside = [f"{TOP}/{folder}/".encode() for folder in ("sdk", "host", "plugins", "etc")]
        texts = [file for file in files_below(PREFIX)
                 if not file.startswith(("bin/", "lib/rt/plugins/"))]
        self.assertGreater(len(texts), 10)
        for file in texts:
            with open(f"{PREFIX}/{file}", "rb") as content:
                data = content.read()
            for path in inside:
                self.assertNotIn(path, data, file)


class Documentation(unittest.TestCase):
    def page(self, name):
        with open(f"{TOP}/man/{name}", encoding="utf-8") as file:
            return file.read()

    def test_mandoc_finds_nothing_wrong_with_the_manual_pages(self):
        for page in ("rtd.8", "rtctl.1", "runtime.conf.5"):
            done = run("mandoc", "-T", "lint", "-W", "warning", f"{TOP}/man/{page}", check=False)
            self.assertEqual((done.returncode, done.stdout), (0, ""))

    def test_every_subcommand_is_in_the_manual_and_in_the_completion(self):
        usage = run(f"{PREFIX}/bin/rtctl", "--help").stdout
        names = re.findall(r"^  ([a-z]+) ", usage, re.MULTILINE)
        self.assertGreater(len(names), 5)
        with open(f"{PREFIX}/share/bash-completion/completions/rtctl", encoding="utf-8") as file:
            completion = file.read()
        for name in names:
            described = re.search(rf"(?m)^\.It Cm {name}\b", self.page("rtctl.1"))
            self.assertTrue(described, name)
            self.assertTrue(re.search(rf"\b{name}\b", completion), name)

    def test_every_option_is_in_the_manual_and_in_the_completion(self):
        for program, page, *subcommands in (
                ("rtd", "rtd.8"), ("rtctl", "rtctl.1", "validate", "plan", "graph", "config",
                                   "modules", "inspect")):
            with open(f"{PREFIX}/share/bash-completion/completions/{program}", encoding="utf-8") as file:
                completion = file.read()
            for words in [[name] for name in subcommands] or [[]]:
                help_text = run(f"{PREFIX}/bin/{program}", *words, "--help").stdout
                options = re.findall(r"^ *--([a-z-]+)", help_text, re.MULTILINE)
                self.assertGreater(len(options), 2, words)
                for option in options:
                    self.assertTrue(f"Fl -{option}" in self.page(page), f"{page}: {option}")
                    self.assertTrue(f"--{option}" in completion, f"completion: {option}")

    def test_every_setting_of_the_host_is_in_the_manual(self):
        with open(f"{TOP}/host/compose/host_schema.c", encoding="utf-8") as file:
            names = re.findall(r'(?:OPTION|WORDS|LIST|SECTION)\("(\w+)"|\.name = "(\w+)"', file.read())
        self.assertGreater(len(names), 25)
        for name in (first or second for first, second in names):
            described = re.search(rf"(?m)^\.(It Cm|Ss) {name}\b", self.page("runtime.conf.5"))
            self.assertTrue(described, name)


class InstalledPlugins(unittest.TestCase):
    def setUp(self):
        self.plugins = sorted(glob.glob(f"{PREFIX}/lib/rt/plugins/*.so"))
        self.assertGreater(len(self.plugins), 3)

    def test_each_exports_its_descriptor_and_nothing_else(self):
        for plugin in self.plugins:
            lines = run("nm", "-D", "--defined-only", plugin).stdout.splitlines()
            self.assertEqual([line.split()[-1] for line in lines], ["rt_module"], plugin)

    def test_each_is_hardened(self):
        for plugin in self.plugins:
            dynamic = run("readelf", "-dW", plugin).stdout
            segments = run("readelf", "-lW", plugin).stdout
            notes = run("readelf", "-nW", plugin).stdout
            self.assertRegex(dynamic, r"FLAGS\).*BIND_NOW", plugin)
            self.assertRegex(dynamic, r"FLAGS_1\).*NODELETE", plugin)
            self.assertIn("GNU_RELRO", segments, plugin)
            self.assertRegex(segments, r"GNU_STACK.* RW ", plugin)
            self.assertIn("Build ID", notes, plugin)

    def test_each_is_readable_by_rtctl_inspect(self):
        for plugin in self.plugins:
            name = os.path.basename(plugin).removesuffix(".so")
            self.assertIn(name, run(f"{PREFIX}/bin/rtctl", "inspect", plugin).stdout)


class PkgConfig(unittest.TestCase):
    def test_it_carries_the_flags_of_a_plugin(self):
        compile_flags, link_flags = sdk_flags("--cflags"), sdk_flags("--libs")
        for flag in ("-fvisibility=hidden", "-D_FORTIFY_SOURCE=3", "-fstack-clash-protection",
                     "-fstack-protector-strong"):
            self.assertIn(flag, compile_flags)
        links = " ".join(link_flags)
        for word in ("relro", "now", "defs", "nodelete", "noexecstack", "--exclude-libs,ALL",
                     "--build-id", f"--version-script={PREFIX}/share/rt/rt-module.map"):
            self.assertIn(word, links)

    def test_it_says_where_plugins_and_configuration_go(self):
        for variable, folder in (("plugindir", "lib/rt/plugins"), ("configdir", "etc/rt")):
            said = run("pkg-config", f"--variable={variable}", "rt-sdk").stdout.strip()
            self.assertEqual(said, f"{PREFIX}/{folder}")


# Says which servers it runs on; the template's route stays as it is.
STORING = """
static int stored(rt_ctx *ctx, const rt_request *request, rt_response *response)
{
    (void)request;
    rt_sql_server server = {.size = sizeof server};
    rt_redis_reply pong;
    RT_TRY(rt_sql_describe(ctx, sql, &server));
    RT_TRY(rt_sql_check(ctx, sql));
    RT_TRY(rt_redis_command(ctx, redis, RT_REDIS(RT_STR("SET"), RT_STR("a"), RT_STR("b")), &pong));
    return rt_respond(ctx, response, 200, "text/plain",
                      server.dialect == RT_SQL_POSTGRES ? RT_STR("postgres") : RT_STR("embedded"));
}

RT_REGISTER(registry)
{
    RT_TRY(rt_route(registry, RT_GET, "/stored", stored));
"""
STORED = """
    def test_where_it_stores(self):
        with self.get("/stored") as answer:
            print("stored in", answer.read().decode(), self.settings, flush=True)

"""


class TemplatePlugin(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name
        instantiate(self.folder, "order-desk")

    def make(self, *arguments, **environment):
        """As its author would: the Makefile itself knows where rt-sdk is."""
        bare = {name: value for name, value in ENVIRONMENT.items() if name != "PKG_CONFIG_LIBDIR"}
        return run("make", "-C", self.folder, *arguments, env={**bare, **environment}).stdout

    def change(self, name, old, new):
        with open(f"{self.folder}/{name}", encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(text.count(old), 1, old)
        with open(f"{self.folder}/{name}", "w", encoding="utf-8") as file:
            file.write(text.replace(old, new))

    def test_it_builds_without_a_warning_with_both_compilers(self):
        for compiler in ("gcc", "clang"):
            self.make("clean")
            output = self.make(f"CC={compiler}", "CFLAGS=-O2 -Wall -Wextra -Wshadow -Werror")
            self.assertTrue(os.path.isfile(f"{self.folder}/order-desk.so"))
            self.assertNotIn("warning", output)

    def test_it_takes_headers_from_the_installed_tree_alone(self):
        rule = run("gcc", "-M", *sdk_flags("--cflags"), "-O2", f"{self.folder}/order-desk.c").stdout
        headers = [word for word in rule.split() if word.endswith(".h")]
        ours = [header for header in headers if re.search(r"/rt/\w+\.h$", header)]
        self.assertIn(f"{PREFIX}/include/rt/rt.h", ours)
        self.assertEqual([header for header in ours if not header.startswith(PREFIX + "/")], [])

    def test_no_placeholder_is_left(self):
        for file in files_below(self.folder):
            self.assertNotIn("@", file)
            with open(f"{self.folder}/{file}", encoding="utf-8") as text:
                self.assertNotRegex(text.read(), r"@[A-Z]+@", file)

    def test_its_own_check_passes(self):
        self.assertRegex(self.make("check"), r"Ran 3 tests[^$]*OK")

    def test_with_the_line_that_it_names_its_migrations_are_built_in(self):
        with open(f"{self.folder}/Makefile", encoding="utf-8") as file:
            old, new = re.search(r"(?s)\n(order-desk\.so: \S+)\n.*line is to be:  (.*?)\n",
                                 file.read()).groups()
        self.change("Makefile", f"\n{old}\n", f"\n{new}\n")
        self.change("order-desk.c", "#include <rt/rt.h>\n",
                    '#include <rt/cap/sql.h>\n#include <rt/rt.h>\n#include "migrations.h"\n')
        self.change("order-desk.c", "RT_SERVES(routes)\n",
                    'RT_SERVES(routes)\nRT_REQUIRES(sql, 1)\nRT_SLICE("desk")\n')
        self.change("order-desk.c", "RT_REGISTER(registry)\n{\n", "RT_REGISTER(registry)\n{\n"
                    "    RT_TRY(rt_slice_register(registry, sql, rt_migrations));\n")
        os.mkdir(f"{self.folder}/migrations")
        for number, name in ((1, "create_desks"), (2, "create_chairs")):
            with open(f"{self.folder}/migrations/000{number}_{name}.sql", "w", encoding="utf-8") as file:
                file.write(f"CREATE TABLE {name} (id bigint PRIMARY KEY);\n")
            self.assertRegex(self.make("check"), r"Ran 3 tests[^$]*OK")
            self.assertTrue(self.is_built_in(name))
        os.unlink(f"{self.folder}/migrations/0002_create_chairs.sql")
        self.make()
        self.assertTrue(self.is_built_in("create_desks"))
        self.assertFalse(self.is_built_in("create_chairs"))

    def is_built_in(self, name):
        with open(f"{self.folder}/order-desk.so", "rb") as file:
            return f"CREATE TABLE {name}".encode() in file.read()

    def test_with_rt_integration_its_check_runs_on_real_servers(self):
        self.assertRegex(self.make("check", RT_INTEGRATION="1"), r"Ran 3 tests[^$]*OK")
        self.change("order-desk.c", "#include <rt/rt.h>\n",
                    "#include <rt/cap/redis.h>\n#include <rt/cap/sql.h>\n#include <rt/rt.h>\n")
        self.change("order-desk.c", "RT_SERVES(routes)\n",
                    "RT_SERVES(routes)\nRT_REQUIRES(sql, 1)\nRT_REQUIRES(redis, 1)\n")
        self.change("order-desk.c", "RT_REGISTER(registry)\n{\n", STORING)
        self.change("test_order_desk.py", '\n\nif __name__', STORED + '\nif __name__')
        self.assertRegex(self.make("check"), r"stored in embedded \[\]")
        self.assertRegex(self.make("check", RT_INTEGRATION="1"),
                         r"stored in postgres \['--set', 'postgres\.url=\"postgresql://[^']*', "
                         r"'--set', 'redis\.url=\"redis://[^']*'\]")

    def test_it_installs_beside_the_other_plugins(self):
        with tempfile.TemporaryDirectory() as stage:
            self.make("install", f"DESTDIR={stage}")
            self.assertTrue(os.path.isfile(f"{stage}{PREFIX}/lib/rt/plugins/order-desk.so"))

    def test_rtctl_new_writes_the_same_files(self):
        with tempfile.TemporaryDirectory() as folder:
            run(f"{PREFIX}/bin/rtctl", "new", "plugin", "order-desk", cwd=folder)
            made = f"{folder}/order-desk"
            self.assertEqual(files_below(made), files_below(self.folder))
            for file in files_below(made):
                with open(f"{made}/{file}", "rb") as theirs, open(f"{self.folder}/{file}", "rb") as ours:
                    self.assertEqual(theirs.read(), ours.read(), file)


if __name__ == "__main__":
    unittest.main()
