"""No secret leaves a running rtd by any way but the one that it is for.

Planted in every way that a setting can be given, told by a module in every way that a module can
tell something, and then looked for in all that rtd wrote, answered, sent or shows.
"""

import base64
import contextlib
import http.client
import http.server
import os
import shutil
import threading
import unittest
import urllib.parse

from deployment import LIMIT, Deployment, deployment_of, free_port, read, wait_for
from running import make_certificates

MARK = "Secr3tM4RKofThisTest"  # in the middle of each, for of base64 the ends may stay
PASSWORD = f'env "{MARK}" 100% ä'
TOKEN = f"file\\{MARK}/token+token"
PIN = f"literal-{MARK}-literal"
PAGE = f"url-{MARK}-%2Furl"
HEADER = f"header-{MARK}-header"
PLUGINS = ("front", "store", "gossip")
WAYS = ("log", "thread", "error", "refusal", "effect", "defect")
TOLD = 3  # that is in the log after each way, at least: password, token and what else is set
SHOWING = (["plan"], ["config"], ["config", "--json"], ["validate"], ["validate", "--json"],
           ["validate", "--load"], ["graph"], ["modules"], ["inspect", "gossip"],
           ["explain", "RT0501"], ["status"], ["status", "--json"], ["fibers"], ["health"],
           ["health", "--json"], ["log-level"], ["quarantine"], ["crashes"], ["plan", "--json"],
           ["metrics"], ["top", "--once", "--interval", "100 ms"], ["call", "--list"])


def forms_of_mark():
    """As it is, and what of it stands in base64 whatever stands around it."""
    forms = [MARK]
    for shift in range(3):
        text = base64.b64encode(b"x" * shift + MARK.encode()).decode()
        forms.append(text[4:-4])
    return forms


class Sink(http.server.BaseHTTPRequestHandler):
    """A collector that keeps what it gets. Of the head it needs nothing: the header is its own."""

    bodies = []

    def do_POST(self):
        length = int(self.headers.get("Content-Length", 0))
        self.bodies.append(self.rfile.read(length).decode("latin-1"))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


class Planted(unittest.TestCase):
    def setUp(self):
        self.seen = {}  # what it is: text
        Sink.bodies = []
        self.sink = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Sink)
        thread = threading.Thread(target=self.sink.serve_forever, daemon=True)
        thread.start()
        self.addCleanup(thread.join, LIMIT)
        self.addCleanup(self.sink.server_close)
        self.addCleanup(self.sink.shutdown)

    # --- the deployment ---------------------------------------------------------------------------

    def config(self, environment, form, tells="asked"):
        development = environment == "development"
        pin = f'pin = "{PIN}";' if development else ""
        headers = f"authorization=Bearer {HEADER}" if development else "@env:HEADERS"
        return (f'environment = "{environment}";\nallow_root = true;\n'
                f'log: {{ format = "{form}"; level = "debug"; file = "rt.log"; }};\n'
                f'admin: {{ listen = [ "127.0.0.1:{self.admin}" ]; }};\n'
                f'crash: {{ folder = "crashes"; }};\nhealth: {{ interval = "100 ms"; }};\n'
                f'telemetry: {{ endpoint = "http://127.0.0.1:{self.sink.server_port}";\n'
                f'  headers = "{headers}"; compression = "none"; }};\n'
                'store: { trace = "$TRACE"; };\nfront: { trace = "$TRACE"; };\n'
                'gossip: { password = "@env:PLANTED"; token = "@file:token"; '
                f'backend = "http://user:{PAGE}@backend/"; tells = "{tells}"; {pin} }};\n')

    def write(self, made, *arguments):
        made.write(self.config(*arguments))
        with open(made.config, encoding="utf-8") as file:
            text = file.read()
        listen = f'"127.0.0.1:{made.port}", "127.0.0.1:{self.secured} tls"'
        with open(made.config, "w", encoding="utf-8") as file:
            file.write(text.replace(
                f'listen = ["127.0.0.1:{made.port}"];',
                f'listen = [{listen}]; access_log: {{ file = "access.log"; }};'
                ' tls: { certificate = "cert.pem"; key = "key.pem"; };', 1))

    def deploy(self, environment, form):
        made = Deployment(PLUGINS)
        manager = deployment_of(made)
        manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        self.admin, self.secured = free_port(), free_port()
        make_certificates(made.folder)
        os.mkdir(made.path("crashes"), 0o700)
        with open(made.path("token"), "w", encoding="utf-8") as file:
            file.write(TOKEN + "\n")
        os.chmod(made.path("token"), 0o600)
        os.chmod(made.path("key.pem"), 0o600)
        self.write(made, environment, form)
        made.variables = {"PLANTED": PASSWORD}
        if environment != "development":
            made.variables["HEADERS"] = f"authorization=Bearer {HEADER}"
        output, made.log_file = made.log_file, made.path("rt.log")
        made.start = self.starter(made, output)
        return made

    @staticmethod
    def starter(made, output):
        """rtd with the secret in its environment; what it prints beside its log goes to `output`."""
        start = made.start

        def started(*arguments, environment=None, **options):
            log, made.log_file = made.log_file, output
            try:
                return start(*arguments, environment={**made.variables, **(environment or {})},
                             **options)
            finally:
                made.log_file = log
        made.output = output
        return started

    # --- telling ----------------------------------------------------------------------------------

    def ask(self, made, path, name):
        connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=LIMIT)
        with contextlib.closing(connection):
            connection.request("GET", path)
            answer = connection.getresponse()
            self.seen[name] = str(answer.headers) + answer.read().decode()

    def tell_everything(self, made):
        for way in WAYS:
            before = made.log().count("***")
            self.ask(made, f"/tell/{way}", f"the answer to {way}")
            if way == "refusal":  # which is the client's affair: nobody logs it
                self.assertIn("***", self.seen[f"the answer to {way}"])
                continue
            wait_for(lambda: made.log().count("***") >= before + TOLD, f"stars in the log after {way}")
        for secret in (PASSWORD, read(made.path("token")).strip(), urllib.parse.unquote(PAGE), HEADER):
            for form in (secret, base64.b64encode(b"user:" + secret.encode()).decode()):
                self.ask(made, "/repeat?text=" + urllib.parse.quote(form, safe=""), f"of {form}")
        self.ask(made, "/tell/metric", "the answer to metric")
        with contextlib.suppress(OSError, http.client.HTTPException):
            made.get("/tell/crash")
        made.wait_for_log("serves again")

    # --- looking ----------------------------------------------------------------------------------

    def look_at_pages(self):
        for page in ("/metrics", "/health", "/health/ready", "/health/live", "/"):
            connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=LIMIT)
            with contextlib.closing(connection):
                connection.request("GET", page)
                self.seen[f"admin page {page}"] = connection.getresponse().read().decode()

    def look_at_rtctl(self, made, *more):
        for command in (*SHOWING, *more):
            self.seen[f"rtctl {' '.join(command)}"] = made.rtctl(
                *command, environment=made.variables).stdout

    def look_at_processes(self, made):
        """The environment of rtd itself is where the variable came from."""
        rtd = made.process.pid
        with open(f"/proc/{rtd}/task/{rtd}/children", encoding="utf-8") as file:
            children = file.read().split()
        self.assertTrue(children)
        for pid in (str(rtd), *children):
            with open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
                self.seen[f"command line of {pid}"] = file.read()
        for pid in children:
            with open(f"/proc/{pid}/environ", encoding="utf-8") as file:
                self.seen[f"environment of {pid}"] = file.read()

    def look_at_files(self, made):
        for folder, _, names in os.walk(made.folder):
            for name in names:
                path = os.path.join(folder, name)
                planted = name in ("token", "key.pem", "runtime.conf") or name.endswith(".so")
                if os.path.isfile(path) and not planted:
                    self.seen[f"file {os.path.relpath(path, made.folder)}"] = read(path)
        for number, body in enumerate(Sink.bodies):
            self.seen[f"export {number}"] = body

    def assert_hidden(self, made):
        key = [line for line in read(made.path("key.pem")).splitlines() if len(line) > 60]
        for what, text in self.seen.items():
            for form in (*forms_of_mark(), *key):
                self.assertNotIn(form, text, f"in {what}")

    # --- the tests --------------------------------------------------------------------------------

    def whole_life(self, environment, form):
        made = self.deploy(environment, form)
        made.start_ready()
        self.tell_everything(made)
        self.look_at_pages()
        self.assertRegex(self.seen["admin page /metrics"], r'(?m)^gossip_tellings.*\*\*\*')
        self.look_at_processes(made)
        self.look_at_rtctl(made)
        self.assertRegex(self.seen["rtctl metrics"], r'(?m)^gossip_tellings.*\*\*\*')
        self.assertIn("requests/s", self.seen["rtctl top --once --interval 100 ms"])
        for tells in ("start", "configure"):
            self.write(made, environment, form, tells)
            self.seen[f"a reload whose {tells} fails"] = made.rtctl(
                "reload", "--wait", environment=made.variables).stdout
            self.assertIn("***", self.seen[f"a reload whose {tells} fails"])
            self.look_at_rtctl(made)
        self.write(made, environment, form, "health")
        self.assertEqual(made.rtctl("reload", "--wait", environment=made.variables).returncode, 0)
        made.wait_for_log("is degraded: ***")
        self.look_at_pages()
        self.look_at_rtctl(made)
        self.assertIn("***", self.seen["rtctl health"])
        self.assertEqual(made.stop(), 0)
        self.look_at_files(made)
        self.assertTrue(any(what.startswith("file crashes/") for what in self.seen), self.seen.keys())
        self.assertIn("/repeat?text=***", self.seen["file access.log"])
        self.assert_hidden(made)

    def test_a_pretty_log_in_development(self):
        self.whole_life("development", "pretty")

    def test_a_json_log_in_staging(self):
        self.whole_life("staging", "json")

    def test_a_first_start_that_fails_with_it(self):
        made = self.deploy("staging", "json")
        for tells, code in (("start", 69), ("configure", 69)):
            self.write(made, "staging", "json", tells)
            made.start()
            self.assertEqual(made.wait(), code)
        self.assertGreaterEqual(made.log().count("***"), 2 * TOLD)
        self.look_at_files(made)
        self.assert_hidden(made)

    def test_after_an_upgrade_and_a_secret_that_changed(self):
        made = self.deploy("staging", "json")
        shutil.copy(made.program, made.path("rtd"))
        made.program = made.path("rtd")
        made.start_ready()
        self.assertEqual(made.rtctl("upgrade", environment=made.variables).returncode, 0)
        with open(made.path("token"), "w", encoding="utf-8") as file:
            file.write("another-" + TOKEN)
        self.assertEqual(made.rtctl("reload", "--wait", environment=made.variables).returncode, 0)
        self.tell_everything(made)
        self.assertEqual(made.stop(), 0)
        os.remove(made.program)
        self.look_at_files(made)
        self.assert_hidden(made)


if __name__ == "__main__":
    unittest.main()
