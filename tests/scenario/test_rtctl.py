"""rtctl as people and scripts use it: what it prints where, its exit status, and what it hides."""

import fcntl
import glob
import json
import os
import pty
import re
import select
import shutil
import subprocess
import tempfile
import unittest

PREFIX = os.environ["RT_PREFIX"]
RELEASE = os.environ.get("RT_RELEASE_PREFIX") or PREFIX
TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
RTCTL = f"{PREFIX}/bin/rtctl"
PATIENCE = 120  # seconds
MARK = "s3cr3tM4RK"
SMTP = 'email-smtp: {\n    host = "mail.example.org";\n    user = "shop";\n    %s\n};\n'
SUBCOMMANDS = ["validate", "plan", "graph", "config", "modules", "inspect", "crashes", "status",
               "health", "stop", "reload", "upgrade", "log-level", "log-reopen", "quarantine",
               "fibers", "metrics", "top", "call", "migrate", "explain", "new", "embed", "version"]
COMPOSING = ["validate", "plan", "graph", "config", "modules", "inspect"]
# of a running rtd: test_control.py, test_logs.py, test_quarantine.py, test_fibers.py,
# test_metrics.py, test_top.py, test_call.py
ASKING = ["status", "health", "stop", "reload", "upgrade", "log-level", "log-reopen", "quarantine",
          "fibers", "metrics", "top", "call"]
MIGRATING = ["migrate", "embed"]  # test_migrate.py
SHOWING = [["validate"], ["plan"], ["graph"], ["config"], ["modules"], ["inspect", "orders"],
           ["explain"], ["version"], ["--help"], ["validate", "--help"], ["help", "new"]]


def variables(more=None):
    """Nothing that rt reads as a setting; what sanitizers need stays."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("RT_", "PKG_CONFIG", "NO_COLOR"))}
    return {**kept, "LC_ALL": "C.UTF-8", **(more or {})}


def not_broken(outcome):
    """Ended by itself with a status of the three, and no sanitizer had to say anything."""
    said = f"{outcome.args}: {outcome.returncode}\n{outcome.stdout}\n{outcome.stderr}"
    if outcome.returncode not in (0, 1, 2) or "Sanitizer" in said or "runtime error:" in said:
        raise AssertionError(said)
    return outcome


def text_of(raw):
    return (raw or b"").decode("utf-8", "backslashreplace")


def rtctl(*arguments, folder=None, environment=None, **options):
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL,
               "check": False, "timeout": PATIENCE, **options}
    outcome = subprocess.run([RTCTL, *arguments], cwd=folder, env=variables(environment), **options)
    outcome.stdout, outcome.stderr = text_of(outcome.stdout), text_of(outcome.stderr)
    return not_broken(outcome)


def on_a_terminal(*arguments, folder=None, environment=None):
    """What it writes when standard output and standard error are a terminal."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([RTCTL, *arguments], cwd=folder, env=variables(environment),
                          stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        written = b""
        while select.select([ours], [], [], PATIENCE)[0]:
            try:
                part = os.read(ours, 65536)
            except OSError:  # EIO: the other side is closed
                break
            if not part:
                break
            written += part
        os.close(ours)
        process.wait(PATIENCE)
    return text_of(written).replace("\r\n", "\n")


class Folder(unittest.TestCase):
    """Each test has a folder with a copy of the installed development configuration."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rt-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        shutil.copy(f"{PREFIX}/etc/rt/runtime.conf", self.path("runtime.conf"))

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o644):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return name

    def rtctl(self, *arguments, **options):
        return rtctl(*arguments, folder=self.folder, **options)

    def expect(self, status, *arguments, **options):
        outcome = self.rtctl(*arguments, **options)
        self.assertEqual(outcome.returncode, status,
                         f"{arguments}\n{outcome.stdout}\n{outcome.stderr}")
        return outcome


class Usage(Folder):
    def complaint(self, *arguments):
        """Of what cannot be done: on standard error alone, with status 2."""
        outcome = self.expect(2, *arguments)
        self.assertEqual(outcome.stdout, "")
        self.assertNotEqual(outcome.stderr, "")
        return outcome.stderr

    def test_without_a_subcommand_it_says_which_there_are(self):
        text = self.complaint()
        for name in SUBCOMMANDS:
            self.assertRegex(text, rf"(?m)^  {name} ")

    def test_help_is_a_result(self):
        for words in (["--help"], ["-h"], ["help"], ["help", "help"], ["help", "--help"],
                      ["--help", "-h"]):
            outcome = self.expect(0, *words)
            self.assertEqual(outcome.stderr, "")
            self.assertEqual(re.findall(r"(?m)^  ([a-z-]+) ", outcome.stdout), SUBCOMMANDS)

    def test_every_subcommand_explains_itself_in_three_ways(self):
        for name in SUBCOMMANDS:
            with self.subTest(subcommand=name):
                outcomes = [self.expect(0, *words)
                            for words in ([name, "--help"], [name, "-h"], ["help", name])]
                self.assertEqual(len({outcome.stdout for outcome in outcomes}), 1)
                self.assertTrue(outcomes[0].stdout.startswith(f"usage: rtctl {name}"))
                self.assertEqual("".join(outcome.stderr for outcome in outcomes), "")

    def test_help_wins_over_what_else_is_on_the_line(self):
        self.expect(0, "validate", "--config", "nowhere.conf", "--nonsense", "--help")

    def test_an_unknown_subcommand_is_refused_with_a_suggestion(self):
        self.assertEqual(self.complaint("valdate"),
                         "rtctl: unknown subcommand `valdate`, did you mean `validate`?\n"
                         "`rtctl --help` lists them\n")
        self.assertIn("unknown subcommand `xyzzy`\n", self.complaint("xyzzy"))
        self.assertIn("did you mean `plan`?", self.complaint("help", "pln"))

    def test_an_option_before_the_subcommand_is_named_without_its_value(self):
        text = self.complaint(f"--set=password={MARK}", "validate")
        self.assertIn("option `--set` without a subcommand before it", text)
        self.assertNotIn(MARK, text)

    def test_an_unknown_option_is_refused_with_a_suggestion(self):
        self.assertEqual(self.complaint("validate", "--jsn"),
                         "rtctl validate: unknown option `--jsn`, did you mean `--json`?\n")
        self.assertIn("unknown option `--json`", self.complaint("modules", "--json"))

    def test_missing_and_surplus_arguments_are_refused(self):
        for words, text in (
                (["graph", "--format"], "option `--format` needs a value"),
                (["validate", "--config"], "option `--config` needs a value"),
                (["validate", "--strict=yes"], "option `--strict` takes no value"),
                (["validate", "runtime.conf"], "unexpected word `runtime.conf`"),
                (["inspect"], "usage: rtctl inspect FILE|MODULE"),
                (["inspect", "a.so", "b.so"], "unexpected word `b.so`"),
                (["explain", "RT0101", "RT0102"], "usage: rtctl explain [ID]"),
                (["new"], "usage: rtctl new plugin NAME"),
                (["new", "plugin"], "usage: rtctl new plugin NAME"),
                (["new", "module", "name"], "usage: rtctl new plugin NAME"),
                (["version", "now"], "usage: rtctl version"),
                (["graph", "--format", "svg"], "unknown format `svg`, it is one of text, dot")):
            with self.subTest(words=words):
                self.assertIn(text, self.complaint(*words))

    def test_an_unknown_module_is_refused_with_a_suggestion(self):
        self.assertIn("did you mean `email-smtp`?", self.complaint("inspect", "emial-smtp"))

    def test_a_module_that_a_broken_configuration_hides_is_explained(self):
        self.write("runtime.conf", "name = ;\n")
        text = self.complaint("inspect", "orders", "--config", "runtime.conf")
        self.assertIn("error[RT0123]", text)
        self.assertIn("`orders` is neither a file nor a module", text)

    def test_the_version_is_one_line(self):
        outcome = self.expect(0, "version")
        self.assertRegex(outcome.stdout, r"\Art \d+\.\d+\.\d+, plugin ABI \d+\.\d+\n\Z")
        self.assertEqual(self.expect(0, "--version").stdout, outcome.stdout)


class Streams(Folder):
    def test_a_result_that_cannot_be_written_is_a_failure(self):
        for words in SHOWING:
            with self.subTest(words=words), open("/dev/full", "wb") as full:
                outcome = self.expect(2, *words, stdout=full)
                self.assertIn("cannot write the result: ", outcome.stderr)

    def test_a_closed_standard_output_is_a_failure(self):
        for words in SHOWING:
            with self.subTest(words=words):
                outcome = not_broken(subprocess.run(
                    ["sh", "-c", 'exec "$@" >&-', "sh", RTCTL, *words], env=variables(),
                    cwd=self.folder, stderr=subprocess.PIPE, check=False, timeout=PATIENCE))
                self.assertEqual(outcome.returncode, 2)
                self.assertIn(b"cannot write the result: ", outcome.stderr)

    def test_without_any_standard_stream_the_status_is_right(self):
        for words, status in ((["validate"], 2), (["new", "plugin", "quiet"], 2)):
            done = subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", RTCTL, *words],
                                  env=variables(), cwd=self.folder, check=False, timeout=PATIENCE)
            self.assertEqual(done.returncode, status)
        with open(self.path("quiet/quiet.c"), encoding="utf-8") as file:
            self.assertTrue(file.read().startswith("#include <rt/rt.h>\n"))

    def test_a_reader_that_leaves_early_ends_it_quietly(self):
        for words in SHOWING:
            with self.subTest(words=words):
                reader, writer = os.pipe()
                fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
                os.close(reader)
                done = subprocess.run([RTCTL, *words], cwd=self.folder, env=variables(),
                                      stdout=writer, stderr=subprocess.PIPE, check=False,
                                      timeout=PATIENCE)
                os.close(writer)
                self.assertEqual((done.returncode, done.stderr), (-13, b""))  # SIGPIPE

    def test_nothing_but_a_terminal_gets_colours(self):
        for words in (["validate"], ["plan"], ["config"], ["inspect", "no.so"]):
            outcome = self.rtctl(*words, "--environment", "production")
            self.assertNotIn("\033", outcome.stdout + outcome.stderr)

    def test_a_terminal_gets_colours_unless_it_is_told_not_to(self):
        words = ["validate", "--environment", "production"]
        coloured = on_a_terminal(*words, folder=self.folder)
        plain = on_a_terminal(*words, folder=self.folder, environment={"NO_COLOR": "1"})
        self.assertIn("\033[1;31merror[RT0401]\033[0m: \033[1mdevelopment-only", coloured)
        self.assertNotIn("\033", plain)
        self.assertEqual(re.sub(r"\033\[[0-9;]*m", "", coloured), plain)
        self.assertEqual(plain, self.expect(1, *words).stdout)
        empty = on_a_terminal(*words, folder=self.folder, environment={"NO_COLOR": ""})
        self.assertEqual(empty, coloured)

    def test_problems_are_the_result_of_validate_and_chatter_elsewhere(self):
        for name in COMPOSING[1:-1]:
            with self.subTest(subcommand=name):
                outcome = self.expect(1, name, "--environment", "production")
                self.assertIn("error[RT0401]", outcome.stderr)
                self.assertNotIn("error[", outcome.stdout)
                self.assertIn("email-memory", outcome.stdout)
        outcome = self.expect(1, "validate", "--environment", "production")
        self.assertEqual(outcome.stderr, "")
        self.assertIn("error[RT0401]", outcome.stdout)

    def test_a_sound_deployment_makes_no_chatter(self):
        for words in (["plan"], ["graph"], ["config"], ["modules"], ["validate"]):
            self.assertEqual(self.expect(0, *words).stderr, "")

    def test_control_characters_of_names_do_not_reach_the_terminal(self):
        name = "a\033[31m\nb.conf"
        self.write(name, "nam = 1;\nname = ;\n")
        outcome = self.expect(1, "validate", "--config", name)
        self.assertNotIn("\033", outcome.stdout)
        self.assertIn(" --> a?[31m?b.conf:2:6\n", outcome.stdout)
        self.assertRegex(outcome.stdout, r"\n1 error, 0 warnings: a\?\[31m\?b\.conf is not fit")
        wanted = self.expect(1, "validate", "--set", "or\033ders\n.x=1").stdout
        self.assertNotIn("\033", wanted)
        self.assertIn("`or?ders?`", wanted)

    def test_json_survives_names_that_are_no_utf8(self):
        path = os.fsencode(self.folder) + b"/bad\xff\n.conf"
        with open(path, "wb") as file:
            file.write(b"name = ;\n")
        report = json.loads(self.expect(1, "validate", "--json", "--config", path).stdout)
        self.assertEqual(report["config"], "bad\ufffd\n.conf")


class Validate(Folder):
    def test_files_that_cannot_be_read_are_problems_with_their_place(self):
        self.write("secret.conf", 'name = "x";\n', 0o000)
        os.mkdir(self.path("folder.conf"))
        names = ["missing.conf", "folder.conf"] + (["secret.conf"] if os.geteuid() else [])
        for name in names:
            with self.subTest(name=name):
                outcome = self.expect(1, "validate", "--config", name)
                self.assertIn(f"error[RT0101]: cannot read `{name}`: ", outcome.stdout)
                self.assertIn(f" --> {name}\n", outcome.stdout)
                self.assertIn(f"1 error, 0 warnings: {name} is not fit", outcome.stdout)

    def test_a_folder_that_plugins_are_linked_from_must_not_be_writable_by_others(self):
        store = os.path.join(os.path.realpath(self.folder), "store")
        shutil.copytree(f"{PREFIX}/lib/rt/plugins", store)
        os.mkdir(os.path.join(self.folder, "plugins"))
        for name in os.listdir(store):
            os.symlink(f"../store/{name}", os.path.join(self.folder, "plugins", name))
        self.write("runtime.conf", 'plugins = [ "plugins" ];\n')
        words = ["validate", "--config", "runtime.conf"]
        self.assertNotIn("RT0502", self.expect(0, *words).stdout)
        os.chmod(store, 0o777)
        self.assertEqual(self.expect(0, *words).stdout.count("warning[RT0502]"), 1)
        self.assertIn(f"error[RT0502]: plugin folder `{store}` can be written by others\n",
                      self.expect(1, *words, "--environment", "production").stdout)

    def test_strict_turns_warnings_into_problems_and_says_so(self):
        self.write("runtime.conf", SMTP % 'password = "hunter22";')
        words = ["validate", "--config", "runtime.conf"]
        self.assertTrue(self.expect(0, *words).stdout.endswith(
            "\n0 errors, 1 warning: runtime.conf is fit for development\n"))
        self.assertTrue(self.expect(1, *words, "--strict").stdout.endswith(
            "\n0 errors, 1 warning: runtime.conf is not fit for development with --strict\n"))
        report = json.loads(self.expect(1, *words, "--strict", "--json").stdout)
        self.assertEqual((report["valid"], report["errors"], report["warnings"]), (False, 0, 1))
        self.expect(1, *words, "--strict", "--load")

    def test_strict_finds_nothing_in_what_has_no_warning(self):
        self.assertIn(" is fit for development\n", self.expect(0, "validate", "--strict").stdout)

    def test_load_adds_nothing_to_a_sound_deployment(self):
        self.assertEqual(self.expect(0, "validate", "--load").stdout,
                         self.expect(0, "validate").stdout)

    def test_secrets_that_are_not_there_are_errors_unless_told_otherwise(self):
        self.write("runtime.conf", SMTP % 'password = "@env:SMTP_PASSWORD";')
        words = ["validate", "--config", "runtime.conf"]
        self.assertIn("error[RT0505]", self.expect(1, *words).stdout)
        self.assertIn("info[RT0505]", self.expect(0, *words, "--no-secrets").stdout)
        self.expect(0, *words, environment={"SMTP_PASSWORD": MARK})
        self.write("service.env", f"# for the service\n\nSMTP_PASSWORD='{MARK}'\r\n")
        self.expect(0, *words, "--env-file", "service.env")

    def test_a_broken_environment_file_is_named_with_its_line_and_nothing_of_its_text(self):
        for text, line in ((f"A=1\n\n# comment\n{MARK}\n", 4), (f"={MARK}\n", 1),
                           (f"A=1\nB=2\nexport {MARK}", 3), (f"export A={MARK}", 1),
                           (f"A ={MARK}", 1), (f"\n1A={MARK}", 2)):
            with self.subTest(text=text):
                self.write("broken.env", text)
                outcome = self.expect(2, "validate", "--env-file", "broken.env")
                self.assertEqual(outcome.stderr, "rtctl validate: `broken.env` line "
                                                 f"{line} is not NAME=VALUE\n")
                self.assertEqual(outcome.stdout, "")

    def test_an_environment_file_with_a_nul_byte_is_refused_whole(self):
        self.write("broken.env", f"A=1\0{MARK}\nB=2\n")
        outcome = self.expect(2, "validate", "--env-file", "broken.env")
        self.assertEqual(outcome.stderr,
                         "rtctl validate: option `--env-file` names a file with NUL bytes\n")

    def test_an_environment_file_that_cannot_be_read_stops_it(self):
        for name in ("missing.env", "."):
            outcome = self.expect(2, "validate", "--env-file", name)
            self.assertIn(f"cannot read `{name}`: ", outcome.stderr)


class Json(Folder):
    DIAGNOSTIC = {"id": str, "severity": str, "message": str, "file": (str, type(None)),
                  "label": (str, type(None)), "notes": list, "help": list}

    def report(self, status, *arguments):
        outcome = self.expect(status, "validate", "--json", *arguments)
        self.assertEqual(outcome.stderr, "")
        self.assertEqual(outcome.stdout.count("\n"), 1)
        return json.loads(outcome.stdout)

    def check_diagnostic(self, diagnostic):
        self.assertEqual(set(diagnostic) - {"line", "column"}, set(self.DIAGNOSTIC))
        for member, kind in self.DIAGNOSTIC.items():
            self.assertIsInstance(diagnostic[member], kind, member)
        self.assertRegex(diagnostic["id"], r"\ART\d{4}\Z")
        self.assertIn(diagnostic["severity"], ("error", "warning", "info"))
        self.assertEqual("line" in diagnostic, "column" in diagnostic)

    def test_validate_prints_the_documented_object(self):
        self.write("runtime.conf", 'nmae = 1;\nhttp: { listen = [ 5 ]; };\nRT: { };\n')
        report = self.report(1, "--config", "runtime.conf", "--environment", "staging")
        self.assertEqual(list(report), ["config", "environment", "valid", "errors", "warnings",
                                        "diagnostics"])
        self.assertEqual((report["config"], report["environment"], report["valid"]),
                         ("runtime.conf", "staging", False))
        severities = [one["severity"] for one in report["diagnostics"]]
        self.assertEqual(severities, sorted(severities, key=["error", "warning", "info"].index))
        self.assertEqual(severities.count("error"), report["errors"])
        self.assertEqual(severities.count("warning"), report["warnings"])
        for diagnostic in report["diagnostics"]:
            self.check_diagnostic(diagnostic)
        wrong = next(one for one in report["diagnostics"] if one["id"] == "RT0130")
        self.assertEqual((wrong["file"], wrong["line"], wrong["column"]), ("runtime.conf", 2, 20))

    def test_two_runs_print_the_same(self):
        for words in (["validate", "--json", "--environment", "production"], ["config", "--json"]):
            first, second = self.rtctl(*words), self.rtctl(*words)
            self.assertEqual((first.stdout, first.returncode), (second.stdout, second.returncode))

    def test_config_prints_the_documented_array(self):
        settings = json.loads(self.expect(0, "config", "--json").stdout)
        for setting in settings:
            self.assertEqual([type(setting[member]) for member in ("path", "value", "origin")],
                             [str] * 3)
            self.assertEqual(len(setting), 3)
        paths = [setting["path"] for setting in settings]
        self.assertEqual(len(paths), len(set(paths)))
        self.assertIn("http.listen", paths)

    def test_every_member_is_in_the_manual(self):
        with open(f"{TOP}/man/rtctl.1", encoding="utf-8") as file:
            manual = file.read()
        section = manual[manual.index("\n.Sh JSON\n"):manual.index("\n.Sh ENVIRONMENT\n")]
        documented = set()
        for line in re.findall(r"(?m)^\.It Li (.+)$", section):
            documented.update(line.replace(",", " ").split())
        report = self.report(1, "--environment", "production", "--set", "x=1")
        self.write("bad.conf", "name = ;\n")
        placed = self.report(1, "--config", "bad.conf")
        setting = json.loads(self.expect(0, "config", "--json").stdout)[0]
        plan = json.loads(self.expect(0, "plan", "--json").stdout)
        migrations = json.loads(self.rtctl("migrate", "--json").stdout)
        printed = {*report, *setting, *plan, *migrations, *(member for one in report["diagnostics"] +
                                               placed["diagnostics"] + plan["modules"]
                                               for member in one)}
        self.assertEqual(printed, documented)
        for one in plan["unused"]:  # the text names what these have
            self.assertEqual(set(one), {"module", "version", "summary", "file"})
        parts = {"provides": {"capability", "major", "tier"}, "paths": {"path", "option", "write"},
                 "bindings": {"capability", "major", "optional", "raw", "many", "providers",
                              "reason"}}
        for name, members in parts.items():
            found = [part for module in plan["modules"] for part in module[name]]
            self.assertTrue(found or name == "paths", name)
            self.assertTrue(all(set(part) == members for part in found), name)


class Config(Folder):
    def origins(self, *arguments, environment=None):
        outcome = self.expect(0, "config", "--json", "--config", "runtime.conf", *arguments,
                              environment=environment)
        return {one["path"]: (one["value"], one["origin"]) for one in json.loads(outcome.stdout)}

    def test_it_shows_where_every_value_came_from(self):
        self.write("more.conf", 'name = "second";\n\nstart_timeout = "9 s";\n')
        self.write("part.conf", '\nmax_body = "2 MiB";\n')
        self.write("runtime.conf", 'name = "first";\nworkers = 1;\nhttp: {\n'
                                   '@include "part.conf"\n    max_requests = 5;\n};\n')
        shown = self.origins("--config", "more.conf", "--set", "http.max_requests=7",
                             "--environment", "test",
                             environment={"RT_DRAIN_TIMEOUT": "3 s", "RT_POOL__THREADS": "3"})
        for path, expected in {
                "environment": ('"test"', "--environment"),
                "name": ('"second"', "more.conf:1"),
                "start_timeout": ('"9 s"', "more.conf:3"),
                "workers": ("1", "runtime.conf:2"),
                "pool.threads": ("3", "environment variable RT_POOL__THREADS"),
                "drain_timeout": ('"3 s"', "environment variable RT_DRAIN_TIMEOUT"),
                "http.max_body": ('"2 MiB"', "part.conf:2"),
                "http.max_requests": ("7", "--set"),
                "http.idle_timeout": ('"60 s"', "default"),
                "log.level": ('"warn"', "default in test"),
                "log.format": ('"pretty"', "default in test")}.items():
            self.assertEqual(shown[path], expected, path)
        self.assertTrue(all(origin for _, origin in shown.values()))

    def test_a_variable_of_the_environment_file_has_its_name_as_origin(self):
        self.write("service.env", "RT_NAME=shop\n")
        self.assertEqual(self.origins("--env-file", "service.env")["name"],
                         ('"shop"', "environment variable RT_NAME"))

    def test_the_text_says_the_same_as_the_json(self):
        lines = self.expect(0, "config", "--config", "runtime.conf").stdout.splitlines()
        shown = {}
        for line in lines:
            path, value, origin = re.fullmatch(r"(\S+) = (.*?) +# (.*)", line).groups()
            shown[path] = (value, origin)
        self.assertEqual(shown, self.origins())

    def test_a_reference_is_shown_and_what_it_stands_for_is_not(self):
        self.write("password", MARK + "\n", 0o600)
        self.write("runtime.conf", SMTP % 'password = "@file:password";')
        self.assertEqual(self.origins()["email-smtp.password"],
                         ("<redacted>", "@file:password, runtime.conf:4"))


class Plan(Folder):
    def test_it_shows_the_order_the_bindings_and_the_reasons(self):
        text = self.expect(0, "plan").stdout
        self.assertRegex(text, r"\Adevelopment: \d+ modules in the order of start, 1 worker\n")
        order = re.findall(r"(?m)^ *\d+\. (\S+) ", text)
        self.assertLess(order.index("email-memory"), order.index("orders"))
        self.assertIn("requires email/1 → email-memory — fallback tier", text)

    def test_the_json_says_the_same_as_the_text(self):
        text = self.expect(0, "plan").stdout
        plan = json.loads(self.expect(0, "plan", "--json").stdout)
        self.assertEqual([one["name"] for one in plan["modules"]],
                         re.findall(r"(?m)^ *\d+\. (\S+) ", text))
        for module in plan["modules"]:
            for one in module["bindings"]:
                self.assertIn(f'{one["capability"]}/{one["major"]}{" (raw)" if one["raw"] else ""} → '
                              f'{", ".join(one["providers"])} — {one["reason"]}\n', text)

    def test_a_module_that_a_variable_or_set_configures_is_shown_as_such(self):
        by_variable = self.expect(0, "plan", environment={"RT_EMAIL_SMTP__HOST": "mail"}).stdout
        self.assertIn("→ email-smtp — configured by environment variable RT_EMAIL_SMTP__HOST, "
                      "production tier, priority 100\n", by_variable)
        by_set = self.expect(0, "plan", "--set", "email-smtp.host=mail").stdout
        self.assertIn("→ email-smtp — configured by --set, production tier", by_set)
        self.write("runtime.conf", "email-smtp: { };\n")
        by_file = self.expect(0, "plan", "--config", "runtime.conf", "--set",
                              "email-smtp.host=mail").stdout
        self.assertIn("→ email-smtp — configured, production tier", by_file)

    def test_what_is_planned_says_what_it_is(self):
        text = self.expect(0, "plan").stdout
        self.assertIn("email-memory 0.1.0, development-only\n", text)

    def test_the_text_graph_has_one_line_a_binding(self):
        text = self.expect(0, "graph").stdout
        self.assertIn("orders → email-memory  email/1\n", text)
        self.assertEqual(text, self.expect(0, "graph", "--format", "text").stdout)

    def test_dot_takes_the_dot_graph(self):
        text = self.expect(0, "graph", "--format=dot").stdout
        nodes = dict(re.findall(r'(?m)^  (n\d+) \[label="([a-z-]+)"[^\]\n]*\];$', text))
        edges = re.findall(r'(?m)^  (n\d+) -> (n\d+) \[label="([a-z]+/\d+)"[^\]\n]*\];$', text)
        self.assertTrue(text.startswith("digraph plan {\n") and text.endswith("}\n"), text)
        self.assertEqual(len(text.splitlines()), 2 + len(nodes) + len(edges))
        self.assertIn(("orders", "email-memory", "email/1"),
                      [(nodes[a], nodes[b], label) for a, b, label in edges])
        if shutil.which("dot"):
            drawn = subprocess.run(["dot", "-Tsvg"], input=text, text=True, check=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=PATIENCE)
            self.assertEqual(drawn.stderr, "")
            self.assertEqual(drawn.stdout.count('class="node"'), len(nodes))
            self.assertEqual(drawn.stdout.count('class="edge"'), len(edges))

    def test_the_mermaid_graph_has_the_same_nodes_and_edges_as_the_text(self):
        lines = self.expect(0, "graph", "--format", "mermaid").stdout.splitlines()
        self.assertEqual(lines[:2], ["graph LR", "  classDef development stroke-dasharray: 4"])
        nodes, edges = {}, []
        for line in lines[2:]:
            node = re.fullmatch(r'  (n\d+)(?:\["|\(")([a-z-]+)(?:"\]|"\))(?::::development)?', line)
            edge = re.fullmatch(r"  (n\d+) (-->|-\.->)\|([a-z]+/\d+)\| (n\d+)", line)
            self.assertTrue(node or edge, line)
            if node:
                nodes[node[1]] = node[2]
            else:
                optional = " (optional)" if edge[2] == "-.->" else ""
                edges.append(f"{nodes[edge[1]]} → {nodes[edge[4]]}  {edge[3]}{optional}")
        self.assertEqual(edges, self.expect(0, "graph").stdout.splitlines())
        self.assertRegex("\n".join(lines), r'n\d+\("email-memory"\):::development')

    def test_every_plugin_file_is_listed_and_planned_ones_are_marked(self):
        rows = [line.split() for line in self.expect(0, "modules").stdout.splitlines()]
        files = sorted(glob.glob(f"{PREFIX}/lib/rt/plugins/*.so"), key=lambda path: path[:-3])
        self.assertEqual([row[-1] for row in rows], files)
        states = {row[0]: row[2] for row in rows}
        self.assertEqual((states["orders"], states["email-smtp"]), ("planned", "-"))

    def test_a_plugin_is_shown_alike_by_file_and_by_name(self):
        by_file = self.expect(0, "inspect", f"{PREFIX}/lib/rt/plugins/email-smtp.so").stdout
        self.assertEqual(by_file, self.expect(0, "inspect", "email-smtp").stdout)
        self.assertIn("    password: secret, required with user\n", by_file)

    def test_a_file_that_is_no_plugin_is_a_problem(self):
        self.write("text.so", "nothing\n")
        for name in ("text.so", "missing.so", "./"):
            outcome = self.expect(1, "inspect", name)
            self.assertRegex(outcome.stdout, r"\Aerror\[RT02\d\d\]: ")


class Explain(Folder):
    def listed(self):
        lines = self.expect(0, "explain").stdout.splitlines()
        rows = [re.fullmatch(r"(RT\d{4})  (error|warning|info) +([A-Z0-9_]+)", line).groups()
                for line in lines]
        self.assertGreater(len(rows), 80)
        return rows

    def test_each_diagnostic_that_is_listed_is_explained(self):
        for number, severity, name in self.listed():
            with self.subTest(id=number):
                text = self.expect(0, "explain", number).stdout
                head, empty, *rest = text.splitlines()
                self.assertRegex(head, rf"\A{severity}\[{number}\]: \S")
                self.assertNotIn("%", head)
                self.assertEqual(empty, "")
                self.assertGreater(len("".join(rest)), 40)
                self.assertEqual(self.expect(0, "explain", name.lower()).stdout, text)

    def test_ids_are_listed_once_and_in_order(self):
        numbers = [number for number, _, _ in self.listed()]
        self.assertEqual(numbers, sorted(set(numbers)))

    def test_the_case_of_an_id_does_not_matter(self):
        self.assertEqual(self.expect(0, "explain", "rt0107").stdout,
                         self.expect(0, "explain", "RT0107").stdout)

    def test_an_unknown_id_is_refused_with_a_suggestion(self):
        for word, meant in (("RT01077", "RT0107"), ("rt107", "RT0107"),
                            ("unknown_settin", "UNKNOWN_SETTING")):
            outcome = self.expect(2, "explain", word)
            self.assertEqual(outcome.stdout, "")
            self.assertIn(f"no diagnostic has the id `{word}`, did you mean `{meant}`?\n",
                          outcome.stderr)
        self.assertEqual(self.expect(2, "explain", "nonsense-word").stderr,
                         "rtctl explain: no diagnostic has the id `nonsense-word`\n"
                         "`rtctl explain` lists them\n")


class NewPlugin(Folder):
    def test_it_builds_validates_and_passes_its_own_test(self):
        made = self.expect(0, "new", "plugin", "tea-house")
        self.assertEqual(sorted(made.stdout.split()), ["tea-house/Makefile", "tea-house/runtime.conf",
                                                       "tea-house/tea-house.c",
                                                       "tea-house/test_tea_house.py"])
        self.assertEqual(made.stderr, "now: cd tea-house && make check\n")
        done = subprocess.run(
            ["make", "-C", self.path("tea-house"), "check", "CFLAGS=-O2 -Wall -Wextra -Werror"],
            env={**variables(), "PKG_CONFIG_LIBDIR": f"{RELEASE}/lib/pkgconfig"}, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertRegex(done.stdout, r"Ran 3 tests[^$]*OK")
        self.assertIn("tea-house ", self.expect(0, "inspect", "tea-house/tea-house.so").stdout)

    def test_names_that_no_module_can_have_are_refused(self):
        before = os.listdir(self.folder)
        for name in ("", "Tea", "9tea", "-tea", "tea-", "tea house", "../tea", "tea/house", "te\na",
                     "tea_house", "t\u00e9a", "a" * 65, ".", ".."):
            with self.subTest(name=name):
                outcome = self.expect(2, "new", "plugin", name)
                self.assertIn("cannot be a module's name: lower-case letters",
                              outcome.stderr)
                self.assertEqual(outcome.stdout, "")
        self.assertEqual(os.listdir(self.folder), before)

    def test_names_of_the_hosts_own_sections_are_refused(self):
        for name in ("http", "log", "environment", "bind", "pool"):
            outcome = self.expect(2, "new", "plugin", name)
            self.assertEqual(outcome.stderr,
                             f"rtctl new: `{name}` is a section of the host's own settings\n")
            self.assertFalse(os.path.exists(self.path(name)))

    def test_what_exists_is_left_as_it_is(self):
        os.mkdir(self.path("folder"))
        os.mkdir(self.path("target"))
        self.write("folder/folder.c", "mine\n")
        self.write("file", "mine\n")
        os.symlink("target", self.path("link"))
        os.symlink("nowhere", self.path("dangling"))
        before = sorted(os.walk(self.folder))
        for name in ("folder", "file", "link", "dangling"):
            with self.subTest(name=name):
                outcome = self.expect(2, "new", "plugin", name)
                self.assertRegex(outcome.stderr,
                                 rf"\Artctl new: cannot make the folder `{name}`: .*exist")
        self.assertEqual(sorted(os.walk(self.folder)), before)
        with open(self.path("folder/folder.c"), encoding="utf-8") as file:
            self.assertEqual(file.read(), "mine\n")


class Documented(Folder):
    """The help, the manual and the completion name the same subcommands and options."""

    def helped(self, subcommand):
        """The options that a subcommand's help lists."""
        text = self.expect(0, subcommand, "--help").stdout
        return set(re.findall(r"(?m)^  (--[a-z-]+)", text))

    def manual(self):
        with open(f"{PREFIX}/share/man/man1/rtctl.1", encoding="utf-8") as file:
            return file.read()

    def completed(self, *words):
        """What bash offers when a Tab follows the words, the last of them begun."""
        script = """
            source "$1"; shift
            COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
            complete -p rtctl >&2 || exit 3
            _rtctl
            printf '%s\\n' "${COMPREPLY[@]}"
        """
        done = subprocess.run(
            ["bash", "--norc", "-c", script, "bash",
             f"{PREFIX}/share/bash-completion/completions/rtctl", RTCTL, *words], text=True,
            env=variables(), cwd=self.folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, check=False, timeout=PATIENCE)
        self.assertEqual((done.returncode, done.stderr), (0, "complete -F _rtctl rtctl\n"))
        return set(done.stdout.split())

    def test_the_manual_describes_the_subcommands_of_the_help_and_no_others(self):
        described = set(re.findall(r"(?m)^\.It Cm ([a-z-]+)", self.manual()))
        self.assertEqual(described, {*SUBCOMMANDS, "help"})
        synopsis = self.manual().split(".Sh SYNOPSIS\n")[1].split("\n.Sh ")[0]
        self.assertEqual(set(re.findall(r"(?m)^\.Cm ([a-z-]+)", synopsis)), described)

    def test_the_manual_describes_the_options_of_the_help_and_no_others(self):
        offered = set().union(*(self.helped(name) for name in COMPOSING + ASKING + MIGRATING))
        self.assertGreater(len(offered), 8)
        described = {f"--{name}" for name in
                     re.findall(r"(?m)^\.(?:It )?Fl -([a-z-]+)", self.manual())}
        self.assertEqual(described, offered)

    def test_every_option_of_the_help_is_accepted(self):
        self.write("empty.env", "")
        values = {"--config": "runtime.conf", "--environment": "test", "--set": "name=x",
                  "--env-file": "empty.env", "--format": "dot"}
        for name in COMPOSING:
            subject = ["orders"] if name == "inspect" else []
            for option in sorted(self.helped(name)):
                with self.subTest(subcommand=name, option=option):
                    value = [values[option]] if option in values else []
                    self.expect(0, name, *subject, option, *value)
                    if value:
                        self.expect(0, name, *subject, f"{option}={value[0]}")

    def test_completion_offers_the_subcommands(self):
        offered = {*SUBCOMMANDS, "help", "--help", "--version"}
        self.assertEqual(self.completed(""), offered)
        self.assertEqual(self.completed("va"), {"validate"})
        self.assertEqual(self.completed("help", ""), {*SUBCOMMANDS, "help"})

    def test_completion_offers_each_subcommand_the_options_of_its_help(self):
        for name in SUBCOMMANDS:
            with self.subTest(subcommand=name):
                self.assertEqual(self.completed(name, "--"), self.helped(name) or {"--help"})

    def test_completion_offers_the_values_of_options(self):
        self.assertEqual(self.completed("plan", "--environment", ""),
                         {"development", "test", "staging", "production"})
        self.assertEqual(self.completed("graph", "--format", ""), {"text", "dot", "mermaid"})
        self.assertEqual(self.completed("plan", "--config", "runt"), {"runtime.conf"})
        self.assertLessEqual({"http.listen=", "http.max_body="},
                             self.completed("validate", "--set", "http."))

    def test_completion_offers_modules_files_and_ids(self):
        self.write("mine.so", "")
        self.assertLessEqual({"orders", "email-smtp", "mine.so"}, self.completed("inspect", ""))
        self.assertNotIn("runtime.conf", self.completed("inspect", ""))
        self.assertIn("RT0107", self.completed("explain", "RT01"))
        self.assertEqual(self.completed("new", "p"), {"plugin"})
        self.assertEqual(self.completed("new", "plugin", "p"), set())


if __name__ == "__main__":
    unittest.main()
