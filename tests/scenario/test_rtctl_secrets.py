"""No output of rtctl shows a secret, whatever is wrong around it.

Each case has the marker where a secret stands, or where one was meant to stand. Every subcommand
runs on it, and nothing that it prints may hold the marker.
"""

import os
import shutil
import subprocess
import tempfile
import unittest

RTCTL = f'{os.environ["RT_PREFIX"]}/bin/rtctl'
PLUGINS = os.path.join(os.environ["RT_BUILD"], "tests", "plugins")
PATIENCE = 60  # seconds
MARK = "s3cr3tM4RK"
NUMBER = "73317331"
COMMANDS = (["validate"], ["validate", "--json"], ["validate", "--strict", "--no-secrets"],
            ["validate", "--environment", "production"], ["plan"], ["config"], ["config", "--json"],
            ["modules"], ["graph"], ["graph", "--format", "dot"], ["graph", "--format", "mermaid"],
            ["inspect", "email-smtp"], ["inspect", "nobody"])

# What stands in the group of email-smtp, which declares the secret `password`.
SETTINGS = {
    "a literal": f'password = "{MARK}";',
    "beside an error on its line": f'port = "a"; password = "{MARK}"; hots = "b";',
    "twice": f'password = "{MARK}"; password = "{MARK}";',
    "twice on two lines": f'password = "{MARK}";\npassword = "{MARK}";',
    "in the comment beside an error": f'port = "a"; # password = "{MARK}"',
    "too short and too long": f'password = "{MARK * 500}";',
    "as an array": f'password = [ "{MARK}" ];',
    "as an array over lines": f'password = [\n"{MARK}",\n5, "{MARK}",\n];',
    "as a list": f'password = ( "{MARK}", {{ a = "{MARK}"; }} );',
    "as a group": f'password = {{ value = "{MARK}"; }};',
    "as a group over lines": f'password: {{\nvalue = "{MARK}"\nvalue = "{MARK}"; }};',
    "as an integer": f"password = {NUMBER};",
    "as an integer out of range": f"password = {NUMBER}{NUMBER}{NUMBER};",
    "as an integer with a leading zero": f"password = 0{NUMBER};",
    "as a hexadecimal number": f"password = 0x{NUMBER}{NUMBER}{NUMBER};",
    "as a number with letters": f"password = {NUMBER}abc;",
    "as a float out of range": f"password = {NUMBER}e9999;",
    "without quotes": f"password = {MARK};",
    "without quotes and with a space": f"password = {MARK} {MARK};",
    "without quotes and with a terminator": f"password = x;{MARK};",
    "without quotes on the next line": f"password =\n{MARK};",
    "in single quotes": f"password = '{MARK}';",
    "with a quote in it": f'password = "x"{MARK}";',
    "with a quote and a terminator in it": f'password = "x";{MARK}";',
    "with an assignment in it": f'password = "x"={MARK}";',
    "with a slash behind a quote": f'password = "x" /{MARK}";',
    "unterminated": f'password = "{MARK};',
    "unterminated on the next line": f'password =\n"{MARK};',
    "over lines": f'password =\n"abc\n{MARK}\n";',
    "in parts with a bad escape": f'password = "abc"\n"{MARK}\\q";',
    "with a bad escape": f'password = "{MARK}\\q";',
    "with a control character": f'password = "{MARK}\x01";',
    "without an assignment": f'password "{MARK}";',
    "without an assignment or quotes": f"password {MARK};",
    "behind a terminator": f'password; "{MARK}";',
    "with another assignment": f'password := "{MARK}";',
    "with an arrow": f'password => "{MARK}";',
    "with a doubled assignment": f'password == "{MARK}";',
    "with the name in quotes": f'"password" = "{MARK}";',
    "without a terminator": f'password = "{MARK}" port = 5',
    "before a stray brace": f'password = "{MARK}" }} }};',
    "on a long line": f'password = "{"x" * 300}{MARK}\\q{"x" * 300}";',
    "misspelled": f'pasword = "{MARK}";',
    "misspelled in German": f'passwort = "{MARK}";',
    "cut short": f'pass = "{MARK}";',
    "abbreviated": f'pw = "{MARK}";',
    "in upper case": f'PASSWORD = "{MARK}";',
    "in an unknown group": f'auth = {{ user = "u"; secret = "{MARK}"; }};',
    "in a group where text is wanted": f'from = {{ password = "{MARK}"; }};',
    "in a list where text is wanted": f'from = ( {{ api_key = "{MARK}"; }} );',
    "in text that sets it": f'from = "password={MARK}";',
    "in a URL": f'from = "smtp://user:{MARK}@mail/"; port = "a";',
    "in the URL of an unknown setting": f'url = "smtp://user:{MARK}@mail/";',
    "as a reference that is none": f'password = "@{MARK}";',
    "as an escaped reference": f'password = "@@{MARK}";',
    "by reference": 'password = "@env:SECRET"; from = "@file:secret"; hostname = "@env:SECRET";',
    "by reference where a number is wanted": 'port = "@env:SECRET";',
    "by reference where a word is wanted": 'tls = "@env:SECRET"; enabled = "@env:SECRET";',
    "by reference where a duration is wanted": 'timeout = "@env:SECRET";',
    "by reference where a path is wanted": 'ca_file = "@file:secret";',
    "by reference out of range": 'port = "@env:NUMBER";',
    "as an include": 'password = \n@include "secret"\n;',
    "in an include": '@include "part.conf"',
}

# Whole files.
FILES = {
    "at the top": f'password = "{MARK}";\n',
    "in an unknown module": f'email-smpt: {{ password = "{MARK}"; }};\n',
    "in JSON": f'{{ "email-smtp": {{ "password": "{MARK}" }} }}\n',
    "in YAML": f"email-smtp:\n  password: {MARK}\n",
    "in an INI file": f"[email-smtp]\npassword = {MARK}\n",
    "for the host": 'environment = "@env:SECRET"; name = "@env:SECRET"; workers = "@env:SECRET";\n'
                    'log: { level = "@env:SECRET"; file = "@env:SECRET"; };\n'
                    'http: { listen = [ "@env:SECRET" ]; };\n',
    "for bindings": 'bind: { email = "@env:SECRET"; }; load = [ "@env:SECRET" ];\n'
                    'acknowledge = [ "@env:SECRET" ]; effects: { email = "@env:SECRET"; };\n'
                    'other: { module = "@env:SECRET"; };\n'
                    'orders: { use: { email = "@env:SECRET"; }; };\n',
}

# Arguments and variables on top of a sound file.
GIVEN = {
    "by --set": (["--set", f"email-smtp.password={MARK}"], {}),
    "by --set in quotes": (["--set", f'email-smtp.password="{MARK}'], {}),
    "by --set to a misspelled name": (["--set", f"email-smtp.pasword={MARK}"], {}),
    "by --set below it": (["--set", f"email-smtp.password.x={MARK}"], {}),
    "by --set without an equals sign": (["--set", f"email-smtp.password:{MARK}"], {}),
    "by --set with a space": (["--set", f"email-smtp.password {MARK}"], {}),
    "by --set without a path": (["--set", f"={MARK}"], {}),
    "by --set in two words": (["--set", "email-smtp.password", MARK], {}),
    "by --set around an equals sign": (["--set", "email-smtp.password", f"={MARK}"], {}),
    "by --set of the module": (["--set", f'email-smtp={{ password = "{MARK}"; }}'], {}),
    "by --set of half the module": (["--set", f'email-smtp={{ password = "{MARK}'], {}),
    "by --set of the module as text": (["--set", f"email-smtp={MARK}"], {}),
    "by --set of a group for text": (["--set", f'email-smtp.from={{ password = "{MARK}"; }}'], {}),
    "by --set of an array": (["--set", f'email-smtp.password=["{MARK}"]'], {}),
    "as an option": ([f"--password={MARK}"], {}),
    "as a flag's value": ([f"--no-secrets={MARK}"], {}),
    "as a variable": ([], {"RT_EMAIL_SMTP__PASSWORD": MARK}),
    "as a variable with half its quotes": ([], {"RT_EMAIL_SMTP__PASSWORD": f'"{MARK}'}),
    "as a misspelled variable": ([], {"RT_EMAIL_SMTP__PASWORD": MARK}),
    "as the variable of the module": ([], {"RT_EMAIL_SMTP": MARK}),
    "in the environment file": (["--env-file", "good.env"], {}),
    "in a broken environment file": (["--env-file", "bad.env"], {}),
}

# Of the test plugin that takes secrets in lists and maps: settings whose names say nothing.
NESTED = {
    "in a list": f'keys = [ "{MARK}", "{MARK}" ];',
    "in a list beside an error": f'keys = [ "{MARK}" ]; number = "a";',
    "in a list of the wrong kind": f'keys = "{MARK}";',
    "in a list over lines": f'keys = ( "{MARK}",\n"{MARK}", 5 );',
    "in a map": f'tenants: {{ acme: {{ title = "A"; token = "{MARK}"; }}; }};',
    "in a map beside an error": f'tenants: {{ acme: {{ title = 5; token = "{MARK}"; tokn = 1; }}; }};',
    "in a map of the wrong kind": f'tenants: {{ acme = "{MARK}"; }};',
    "misspelled in a list of groups": f'rules = ( {{ path = "/"; tokne = "{MARK}"; }} );',
}


def variables(more):
    kept = {name: os.environ[name] for name in ("PATH", "ASAN_OPTIONS", "UBSAN_OPTIONS")
            if name in os.environ}
    return {**kept, "LC_ALL": "C.UTF-8", "SECRET": MARK, "NUMBER": NUMBER, **more}


class Hidden(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="rt-test-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.write("secret", MARK + "\n", 0o600)
        self.write("part.conf", f'port = "a"; password = "{MARK}"; hots = "b";\n')
        self.write("good.env", f"RT_EMAIL_SMTP__PASSWORD={MARK}\nRT_EMAIL_SMTP__PASWORD={MARK}\n")
        self.write("bad.env", f"A=1\npassword {MARK}\n")

    def write(self, name, text, mode=0o644):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)

    def run_one(self, arguments, environment):
        done = subprocess.run([RTCTL, *arguments], cwd=self.folder, env=variables(environment),
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=False, timeout=PATIENCE)
        text = done.stdout.decode("utf-8", "replace")
        self.assertIn(done.returncode, (0, 1, 2), text)
        self.assertNotIn("Sanitizer", text)
        self.assertNotIn("runtime error:", text)
        return text

    def check(self, text, arguments=(), environment=None):
        """Runs everything on this file; all of it together must have said something."""
        self.write("case.conf", text)
        said = ""
        for command in COMMANDS:
            printed = self.run_one([*command, "--config", "case.conf", *arguments],
                                   environment or {})
            for secret in (MARK, NUMBER):
                self.assertNotIn(secret, printed, f"printed by {command}")
            said += printed
        return said

    def test_settings_around_which_something_is_wrong(self):
        for name, settings in SETTINGS.items():
            with self.subTest(secret=name):
                said = self.check(f'email-smtp: {{\nhost = "mail";\nuser = "shop";\n{settings}\n}};\n')
                self.assertIn("case.conf", said)

    def test_files_in_which_something_is_wrong(self):
        for name, text in FILES.items():
            with self.subTest(secret=name):
                self.assertRegex(self.check(text), r"error\[RT\d{4}\]")

    def test_arguments_and_variables(self):
        for name, (arguments, environment) in GIVEN.items():
            with self.subTest(secret=name):
                self.check('email-smtp: { host = "mail"; user = "shop"; };\n', arguments, environment)

    def test_lists_and_maps_of_secrets(self):
        for name, settings in NESTED.items():
            with self.subTest(secret=name):
                os.makedirs(os.path.join(self.folder, "plugins"), exist_ok=True)
                shutil.copy(f"{PLUGINS}/options.so", os.path.join(self.folder, "plugins"))
                said = self.check(f'plugins = [ "plugins" ];\noptions: {{\n{settings}\n}};\n')
                self.assertIn("options.", said)

    def test_a_secret_that_is_used_is_shown_as_redacted(self):
        self.write("case.conf", f'email-smtp: {{ host = "mail"; user = "shop"; password = "{MARK}"; }};')
        text = self.run_one(["config", "--config", "case.conf"], {})
        self.assertRegex(text, r"(?m)^email-smtp\.password = <redacted> +# case\.conf:1$")

    def test_what_is_no_secret_is_shown(self):
        self.write("case.conf", f'email-smtp: {{ host = "{MARK}"; port = "a"; }};\n')
        self.assertIn(f'email-smtp.host = "{MARK}"',
                      self.run_one(["config", "--config", "case.conf"], {}))
        self.assertIn(f'1 | email-smtp: {{ host = "{MARK}"; port = "a"; }};',
                      self.run_one(["validate", "--config", "case.conf"], {}))

    def test_of_a_url_only_the_password_is_hidden(self):
        self.write("case.conf", f'name = "https://user:{MARK}@host:80/path";\n')
        self.assertIn('name = "https://user:<redacted>@host:80/path"',
                      self.run_one(["config", "--config", "case.conf"], {}))


if __name__ == "__main__":
    unittest.main()
