"""devtools: the page at /_dev, who may see it, what it tells, and a person in front of it."""

import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import unittest

from running import PREFIX, PROBES, Runtime, wait_for

TESTS = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
PEER = os.path.join(TESTS, "peers", "devtools.mjs")
STORE = os.path.join(os.path.dirname(TESTS), "plugins", "devtools", "page", "store.js")
DOCUMENTS = ("plan", "config", "diagnostics", "routes", "effects", "health", "process")
LOOPBACK = {"Host": "localhost"}
PIXEL = "https://tracker.example/pixel.png"  # that a mail wants, and does not get


class Devtools(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, extra="", roots=("devtools", "orders", "probe-devtools"), **options):
        self.runtime = runtime = Runtime(self.folder, roots, extra, **options)
        self.addCleanup(lambda: self.assertEqual(runtime.stop(), 0, runtime.log))
        return runtime

    def ask(self, path, headers=None, method="GET"):
        return self.runtime.request(method, path, None, headers)

    def document(self, name):
        status, body = self.runtime.get(f"/_dev/api/documents/{name}")
        self.assertEqual(status, 200)
        return body


class Admission(Devtools):
    def test_every_path_is_refused_to_another_host_name(self):
        self.start()
        for path in ("/_dev", "/_dev/app.js", "/_dev/api/documents/plan", "/_dev/api/stream",
                     "/_dev/api/mails", "/_dev/mails/x/html", "/_dev/mails/x/attachments/0"):
            for host in ("example.org", "localhost.example.org", "127.0.0.1.example.org",
                         "10.0.0.1", "127.0.0.1.", "[::2]", "1.127.0.0.1"):
                with self.subTest(path=path, host=host):
                    status, _, body = self.ask(path, {"Host": f"{host}:{self.runtime.port}"})
                    self.assertEqual(status, 403)
                    self.assertIn("localhost", json.loads(body)["detail"])

    def test_names_of_this_machine_are_answered_and_so_are_those_configured(self):
        self.start('devtools: { hosts = [ "dev.example.org" ]; };')
        for host in ("localhost", "127.0.0.1", "127.9.8.7", "[::1]", "LOCALHOST",
                     "shop.localhost", "dev.example.org"):
            for name in (host, f"{host}:{self.runtime.port}"):
                with self.subTest(host=name):
                    self.assertEqual(self.ask("/_dev", {"Host": name})[0], 200)

    def test_pages_of_other_origins_get_nothing_even_where_cors_lets_them_in(self):
        self.start(http='cors: { origins = [ "http://localhost:5173" ]; };')
        port = self.runtime.port
        foreign = ({"Origin": "http://localhost:5173"}, {"Origin": "null"},
                   {"Origin": f"https://localhost:{port}"}, {"Sec-Fetch-Site": "cross-site"},
                   {"Sec-Fetch-Site": "same-site", "Sec-Fetch-Mode": "no-cors"})
        for fields in foreign:
            with self.subTest(fields=fields):
                host = {"Host": f"localhost:{port}"}
                self.assertEqual(self.ask("/_dev/api/documents/config", {**host, **fields})[0], 403)
                self.assertEqual(self.ask("/_dev/api/mails", {**host, **fields}, "DELETE")[0], 403)
        own = {"Host": f"localhost:{port}", "Origin": f"http://localhost:{port}",
               "Sec-Fetch-Site": "same-origin"}
        self.assertEqual(self.ask("/_dev/api/documents/config", own)[0], 200)
        link = {"Host": f"localhost:{port}", "Sec-Fetch-Site": "cross-site",
                "Sec-Fetch-Mode": "navigate"}
        self.assertEqual(self.ask("/_dev", link)[0], 200)

    def test_a_peer_behind_a_trusted_proxy_is_no_peer_of_this_machine(self):
        self.start(http='trusted_proxies = [ "127.0.0.1" ];')
        self.assertEqual(self.ask("/_dev", {**LOOPBACK, "X-Forwarded-For": "192.0.2.7"})[0], 403)
        self.assertEqual(self.ask("/_dev", {**LOOPBACK, "X-Forwarded-For": "127.0.0.1"})[0], 200)

    def test_a_module_without_the_manifest_line_is_told_nothing(self):
        self.start()
        status, _, body = self.ask("/spy")
        self.assertEqual(status, 403)
        self.assertIn("RT_INSPECTS", json.loads(body)["detail"])

    def compose(self, environment, load):
        path = os.path.join(self.folder, "other.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'environment = "{environment}";\n{load}'
                       f'plugins = [ "{PREFIX}/lib/rt/plugins" ];\n'
                       'orders: { enabled = false; };\n')
        return subprocess.run([f"{PREFIX}/bin/rtctl", "plan", "--config", path], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)

    def test_it_is_a_root_in_development_alone_and_refused_in_production(self):
        self.assertIn("devtools 0.1.0, development-only", self.compose("development", "").stdout)
        self.assertNotIn("devtools 0.1.0", self.compose("test", "").stdout)
        self.assertNotIn("devtools 0.1.0", self.compose("production", "").stdout)
        refused = self.compose("production", 'load = [ "devtools" ];\n')
        self.assertEqual(refused.returncode, 1)
        self.assertIn("RT0401", refused.stdout)

    def test_in_test_it_runs_when_it_is_named_but_the_host_tells_it_nothing(self):
        self.runtime = runtime = Runtime(self.folder, ["devtools"], environment="test")
        self.addCleanup(lambda: self.assertEqual(runtime.stop(), 0, runtime.log))
        for path in ("/_dev", "/_dev/api/documents/plan"):
            status, _, body = self.ask(path)
            self.assertEqual(status, 403)
            self.assertIn("development", json.loads(body)["detail"])


class Answers(Devtools):
    def test_the_page_and_its_files_have_a_strict_policy_and_tags(self):
        self.start()
        _, headers, page = self.ask("/_dev")
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        self.assertNotIn("unsafe", headers["Content-Security-Policy"])
        self.assertEqual(headers["X-Frame-Options"], "DENY")
        self.assertNotRegex(page.decode(), r"(?i)<script(?![^>]* src=)|<style| style=| on[a-z]+=")
        self.assertNotRegex(page.decode().replace("http://www.w3.org/2000/svg", ""), r"https?://[a-z]")
        for name in ("style.css", "app.js", "theme.js", "store.js"):
            status, headers, body = self.ask(f"/_dev/{name}")
            self.assertEqual((status, len(body) > 100), (200, True), name)
            again = self.ask(f"/_dev/{name}", {"If-None-Match": headers["ETag"]})
            self.assertEqual((again[0], again[2]), (304, b""))
        for name in ("page.html", "devtools.c", "..%2Fapp.js"):
            self.assertEqual(self.ask(f"/_dev/{name}")[0], 404, name)

    def test_documents_are_those_that_rtctl_prints(self):
        runtime = self.start()
        config = os.path.join(self.folder, f"runtime-{runtime.port}.conf")
        for name, words in (("plan", ["plan", "--json"]), ("config", ["config", "--json"]),
                            ("diagnostics", ["validate", "--json"])):
            printed = subprocess.run([f"{PREFIX}/bin/rtctl", *words, "--config", config],
                                     text=True, stdout=subprocess.PIPE, check=True).stdout
            told = self.document(name)
            if name == "diagnostics":  # the running user is judged by rtd alone
                told["diagnostics"] = [one for one in told["diagnostics"] if one["id"] != "RT0407"]
                told["warnings"] = len([one for one in told["diagnostics"]
                                        if one["severity"] == "warning"])
            self.assertEqual(told, json.loads(printed), name)

    def test_routes_effects_health_and_the_process_are_told_as_they_are_now(self):
        runtime = self.start()
        self.assertIn({"method": "GET", "path": "/orders/{id}", "module": "orders", "timeout": 0,
                       "max_body": 0, "streams": False}, self.document("routes"))
        self.assertEqual({one["module"]: one["condition"] for one in self.document("health")},
                         dict.fromkeys(("clock-system", "email-memory", "devtools", "orders",
                                        "probe-devtools", "sqlite"), "healthy"))
        runtime.request("POST", "/letter")
        runtime.request("GET", "/refused")
        calls = [one for one in self.document("effects") if one["consumer"] == "probe-devtools"]
        self.assertEqual([(one["method"], one["provider"], one["succeeded"], one["failed"])
                          for one in calls], [("email.send", "email-memory", 1, 1)])
        self.assertGreater(calls[0]["seconds"], 0)
        process = self.document("process")
        self.assertEqual(process["environment"], "development")
        os.kill(process["pid"], 0)
        self.assertEqual(self.ask("/_dev/api/documents/secrets")[0], 404)

    def test_a_secret_is_in_no_document(self):
        self.start('probe-devtools: { key = "kettle-on-the-hob"; };')
        settings = {one["path"]: one["value"] for one in self.document("config")}
        self.assertEqual(settings["probe-devtools.key"], "<redacted>")
        for name in DOCUMENTS:
            self.assertNotIn("kettle-on", json.dumps(self.document(name)), name)
        self.assertNotIn(b"kettle-on", self.ask("/_dev")[2])

    def test_mails_are_listed_with_their_parts_and_forgotten(self):
        runtime = self.start()
        runtime.request("POST", "/letter")
        status, box = runtime.get("/_dev/api/mails")
        self.assertEqual((status, box["captured"], len(box["mails"])), (200, True, 1))
        mail = box["mails"][0]
        self.assertEqual((mail["subject"], mail["to"], mail["html"], mail["refused"]),
                         ("Your tea", ["Ann <ann@example.org>"], True, None))
        self.assertEqual(mail["attachments"], [{"filename": "bill.txt",
                                                "content_type": "text/plain", "length": 7}])
        path = "/_dev/mails/" + mail["id"].replace("@", "%40")
        _, headers, body = self.ask(f"{path}/html")
        self.assertIn(b"<h1", body)
        self.assertRegex(headers["Content-Security-Policy"], r"^sandbox; default-src 'none'")
        _, headers, body = self.ask(f"{path}/attachments/0")
        self.assertEqual((headers["Content-Type"], headers["Content-Disposition"], body),
                         ("application/octet-stream", "attachment", b"2 tins\n"))
        for missing in (f"{path}/attachments/1", f"{path}/attachments/x", "/_dev/mails/none/html"):
            self.assertEqual(self.ask(missing)[0], 404, missing)
        self.assertEqual(self.ask("/_dev/api/mails", method="DELETE")[0], 204)
        self.assertEqual(runtime.get("/_dev/api/mails")[1]["mails"], [])

    def test_without_a_double_of_mail_it_says_so(self):
        self.start('email-smtp: { host = "mail.example.org"; };\n'
                   'email-memory: { enabled = false; };', ("devtools", "orders"))
        self.assertEqual(self.runtime.get("/_dev/api/mails")[1], {"captured": False, "mails": []})


class Stream:
    """Events of /_dev/api/stream, as they come."""

    def __init__(self, port, fields=""):
        self.peer = socket.create_connection(("127.0.0.1", port), 60)
        self.peer.sendall(f"GET /_dev/api/stream HTTP/1.0\r\nHost: localhost\r\n{fields}\r\n"
                          .encode())
        self.file = self.peer.makefile("rb")
        while self.file.readline().strip():
            pass

    def next(self):
        """(name, id, data) of the next event; None at the end."""
        event = {"event": "", "id": None, "data": []}
        for line in self.file:
            name, _, value = line.decode().rstrip("\n").partition(": ")
            if not name and event["event"]:
                return event["event"], event["id"], "\n".join(event["data"])
            if name == "data":
                event["data"].append(value)
            elif name in event:
                event[name] = value
        return None

    def records(self, enough):
        """Those that came until `enough` says so of them, and the id of the last."""
        found = []
        while True:
            event = self.next()
            if event is None:
                raise AssertionError(f"the stream ended: {found}")
            if event[0] == "records":
                found += [json.loads(line) for line in event[2].split("\n")]
                if enough(found):
                    return found, event[1]

    def close(self):
        self.file.close()
        self.peer.close()


def ended(name):
    return lambda found: any(one["kind"] == "span" and one["name"] == name for one in found)


class Live(Devtools):
    def follow(self, fields=""):
        stream = Stream(self.runtime.port, fields)
        self.addCleanup(stream.close)
        return stream

    def test_spans_that_begin_and_end_and_log_lines_come_in_their_order(self):
        self.start()
        stream = self.follow()
        self.assertEqual(stream.next()[0], "hello")
        self.ask("/refused", {"Host": "localhost", "X-Correlation-Id": "abc"})
        found, _ = stream.records(ended("GET /refused"))
        told = [(one["kind"], one["name"]) for one in found]
        wanted = [("begin", "GET /refused"), ("begin", "email.send"), ("span", "email.send"),
                  ("span", "GET /refused")]
        self.assertEqual([one for one in told if one in wanted], wanted)
        spans = {one["name"]: one for one in found if one["kind"] == "span"}
        send, request = spans["email.send"], spans["GET /refused"]
        self.assertEqual((send["trace"], send["parent"]), (request["trace"], request["span"]))
        self.assertEqual((send["status"], request["status"]), ("error", "error"))
        self.assertEqual(request["attributes"]["http.response.status_code"], 500)
        self.assertEqual(request["attributes"]["correlation.id"], "abc")
        self.assertEqual(send["events"][0]["name"], "exception")
        self.assertLessEqual(send["events"][0]["time"], send["time"] + send["duration"] / 1000 + 1)
        logs = [one for one in found if one["kind"] == "log" and one.get("trace") == send["trace"]]
        self.assertIn("error", [one["level"] for one in logs])
        self.assertEqual({one["span"] for one in logs} - {send["span"], request["span"]}, set())

    def test_a_secret_is_in_no_record(self):
        self.start('probe-devtools: { key = "kettle-on-the-hob"; };')
        stream = self.follow()
        self.assertEqual(self.ask("/leak")[0], 500)
        found, _ = stream.records(ended("GET /leak"))
        self.assertIn("the key is ", json.dumps(found))
        self.assertNotIn("kettle-on", json.dumps(found))

    def test_what_the_tools_do_themselves_is_not_among_it(self):
        self.start()
        stream = self.follow()
        for path in ("/_dev", "/_dev/app.js", "/_dev/api/documents/plan", "/_dev/api/mails"):
            self.ask(path)
        self.ask("/hello")
        found, _ = stream.records(ended("GET /hello"))
        self.assertNotIn("_dev", json.dumps(found))

    def test_who_comes_back_goes_on_behind_what_it_saw(self):
        self.start()
        stream = self.follow()
        self.ask("/hello")
        _, last = stream.records(ended("GET /hello"))
        stream.close()
        self.ask("/orders")
        for fields in (f"Last-Event-ID: {last}\r\n", ""):
            found, _ = self.follow(fields).records(ended("GET /orders"))
            self.assertEqual(ended("GET /hello")(found), not fields, found)

    def test_a_number_that_is_none_of_this_process_begins_anew(self):
        self.start()
        self.ask("/hello")
        for last in ("1", "9999999999999999999", "nonsense", ""):
            found, _ = self.follow(f"Last-Event-ID: {last}\r\n").records(ended("GET /hello"))
            self.assertIn(("begin", "GET /hello"), [(one["kind"], one["name"]) for one in found])

    def test_changes_of_health_effects_and_mails_are_told(self):
        runtime = self.start()
        stream = self.follow()
        first = [stream.next() for _ in range(4)]
        self.assertEqual({name for name, _, _ in first}, {"hello", "health", "effects", "mails"})
        runtime.request("POST", "/letter")
        names = set()
        while not {"effects", "mails"} <= names:
            name, _, data = stream.next()
            names.add(name)
            if name == "mails":
                self.assertEqual(data, "1")

    def test_a_stop_ends_the_stream_and_waits_for_nobody(self):
        runtime = self.start()
        stream = self.follow()
        self.assertEqual(stream.next()[0], "hello")
        runtime.child.send_signal(signal.SIGTERM)
        while stream.next():
            pass
        self.assertEqual(runtime.child.wait(60), 0)
        self.assertNotIn("interrupted", runtime.log)


KEEPING = """
const source = fs.readFileSync(process.argv[1], 'utf8');
const { store, spansOf } = await import('data:text/javascript,' + encodeURIComponent(source));
const span = (id, more) => ({ kind: 'span', trace: 't', span: id, name: id, time: 1, ...more });
store.take([span('stream', { kind: 'begin' })]);
for (let i = 0; i < 9000; i++) {
  const inside = { parent: 'stream' };
  store.take([span(`s${i}`, { ...inside, kind: 'begin' }), span(`s${i}`, inside),
              { kind: 'log', trace: 't', span: 'stream', name: `line ${i}`, level: 'info' }]);
}
const [unit] = store.units;
console.log(JSON.stringify({ units: store.units.length, rows: spansOf(unit).length,
  left: unit.trace.left, lines: unit.logs.length, newest: unit.logs.at(-1).name,
  all: store.logs.length, linked: store.logs.every((line) => line.unit === unit) }));
"""


class Keeping(unittest.TestCase):
    def test_one_that_works_for_days_fills_no_memory_of_the_page(self):
        done = subprocess.run(["node", "--input-type=module", "-e",
                               "import fs from 'node:fs';" + KEEPING, STORE],
                              text=True, capture_output=True, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(json.loads(done.stdout),
                         {"units": 1, "rows": 2000, "left": 7001, "lines": 2000,
                          "newest": "line 8999", "all": 5000, "linked": True})


@unittest.skipUnless(os.path.exists("/usr/bin/chromium"), "chromium is not installed")
class Browser(Devtools):
    """tests/peers/devtools.mjs plays the scenes."""

    def play(self, scene, on_line=None):
        pictures = os.environ.get("RT_PICTURES", self.folder)
        os.makedirs(pictures, exist_ok=True)
        command = ["node", PEER, f"http://localhost:{self.runtime.port}", scene, pictures]
        with subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env={**os.environ, "TMPDIR": self.folder}) as player:
            lines = []
            for line in player.stdout:
                lines.append(line)
                if on_line:
                    on_line(line.strip())
            complaint = player.stderr.read()
        self.assertEqual(player.returncode, 0, complaint)
        return json.loads(lines[-1])

    def play_quietly(self, scene, **options):
        seen = self.play(scene, **options)
        self.assertEqual((seen.pop("complaints"), seen.pop("foreign")), ([], []))
        return seen

    def test_a_request_appears_while_it_runs_with_its_waterfall(self):
        self.start()
        seen = self.play_quietly("live")
        self.assertEqual((seen["running"], seen["status"]), ("in flight", "200"))
        self.assertIn("running", seen["before"])
        self.assertEqual(seen["spans"], ["GET /held/{name}", "tea.prepare", "tea.brew",
                                         "tea.brew_again"])
        (root, prepare, first, second) = seen["boxes"]
        self.assertLessEqual(root[0], prepare[0])
        self.assertLess(prepare[0], first[0])
        self.assertLessEqual(first[1], second[0] + 1)
        self.assertLessEqual(second[1], prepare[1] + 1)
        self.assertEqual(seen["attributes"]["http.response.status_code"], "200")
        self.assertEqual(seen["logs"], ["brewing assam"] * 2)

    def test_a_failure_shows_its_error_its_event_and_its_logs(self):
        self.start()
        seen = self.play_quietly("failure")
        self.assertEqual(seen["alerts"][0], "the kettle is broken")
        self.assertIn("exception", seen["event"])
        self.assertIn("error", seen["levels"])

    def test_filters_leave_what_matches(self):
        self.start()
        seen = self.play_quietly("filters")
        self.assertEqual(seen["all"], ["/refused", "/orders/nowhere", "/hello", "slice.open"])
        self.assertEqual(seen["status"], ["/orders/nowhere"])
        self.assertEqual(seen["route"], ["/hello"])
        self.assertEqual(seen["text"], ["/orders/nowhere"])
        self.assertEqual(seen["levels"], ["error"])
        self.assertEqual(seen["none"], "Nothing matches")
        self.assertIn("/refused", seen["linked"])

    def test_it_can_be_used_by_keyboard(self):
        self.start()
        seen = self.play_quietly("keyboard")
        self.assertEqual(seen["first"], "Skip to content")
        self.assertEqual(seen["down"], ["tab-logs", "tab-logs"])
        self.assertEqual((seen["end"], seen["home"], seen["stops"]),
                         ("tab-diagnostics", "tab-requests", 1))
        self.assertEqual((seen["number"], seen["node"], seen["nodeFocus"]),
                         ("tab-modules", "true", "orders"))
        self.assertIn("/hello", seen["opened"])
        self.assertIn("/hello", seen["back"])
        self.assertEqual((seen["dialog"], seen["off"]), (True, "tab-requests"))
        self.assertEqual(seen["ring"], "solid")

    def test_it_is_light_and_dark_as_the_system_or_the_user_wants_and_fits_a_narrow_window(self):
        self.start()
        seen = self.play_quietly("themes")
        self.assertNotEqual(seen["light"], seen["dark"])
        self.assertEqual(seen["chosen"], ["Theme: light", seen["light"]])
        self.assertEqual(seen["kept"], seen["light"])
        self.assertEqual({name: more for name, more in seen["overflow"].items() if more > 0}, {})

    def test_axe_finds_nothing_in_any_panel(self):
        self.start()
        seen = self.play("accessible")
        self.assertEqual(seen["found"], {}, json.dumps(seen["found"], indent=1))
        self.assertEqual(set(seen["foreign"]) - {PIXEL}, set())

    def test_a_mail_is_shown_and_runs_and_loads_nothing(self):
        self.start()
        seen = self.play("mail")
        self.assertEqual((seen["sandbox"], seen["heading"]), ("", "Thank you"))
        self.assertEqual(seen["colour"], "rgb(20, 113, 63)")
        self.assertNotIn("broken out", seen["title"])
        self.assertEqual(set(seen["foreign"]), {PIXEL})
        self.assertTrue(all("tracker.example" in one or "Blocked script" in one
                            for one in seen["complaints"]), seen["complaints"])
        self.assertIn("bill.txt", seen["attachment"])
        self.assertIn("on its way", seen["text"])
        self.assertEqual(seen["left"], "No mails captured")

    def test_the_plan_the_settings_and_the_diagnostics_are_shown(self):
        self.start('probe-devtools: { key = "kettle-on-the-hob"; };')
        seen = self.play_quietly("documents")
        self.assertEqual(seen["nodes"], ["clock-system", "devtools", "email-memory", "orders",
                                         "probe-devtools", "sqlite"])
        self.assertIn(["orders", "email/1", "email-memory", "fallback tier, priority 0"],
                      seen["modules"])
        self.assertIn("/orders/{id}", [row[1] for row in seen["routes"]])
        settings = {row[0]: row[1:] for row in seen["config"]}
        self.assertEqual(settings["probe-devtools.key"][0], "secret, hidden")
        self.assertRegex(settings["http.listen"][1], r"runtime-\d+\.conf:\d+$")
        self.assertTrue(any("RT0" in one for one in seen["diagnostics"]))

    def test_a_pause_holds_what_comes_and_shows_it_afterwards(self):
        self.start()
        self.assertEqual(self.play_quietly("pause"), {"held": 0, "after": 1})

    def test_the_page_goes_on_with_the_next_generation(self):
        runtime = self.start()
        def reload(line):
            if line == "waiting":
                runtime.child.send_signal(signal.SIGHUP)
        seen = self.play("reload", on_line=reload)
        self.assertEqual(seen["foreign"], [])
        self.assertNotEqual(seen["before"], seen["after"])
        self.assertEqual(seen["kept"], 1)

    def test_without_javascript_the_static_parts_are_tables(self):
        self.start()
        seen = self.play_quietly("plain")
        self.assertEqual(seen["captions"], ["Modules", "Health", "Routes", "Effects",
                                            "Configuration", "Diagnostics"])
        self.assertIn("Without JavaScript", seen["note"])
        self.assertEqual((seen["tabs"], seen["setting"]), (0, 1))


if __name__ == "__main__":
    unittest.main()
