"""Metrics: what /metrics tells, and that no counter goes back, whatever happens to the workers."""

import contextlib
import http.client
import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import unittest

from deployment import LIMIT, RTD, deployment, free_port, wait_for
from running import make_certificates
from traffic import Traffic

PRODUCTION = ('environment = "production";\nallow_root = true;\nlog: { format = "pretty"; };\n'
              'workers = 2;\ndrain_timeout = "5 s";\n')
LINE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"(?:,|$)')


def parse(text, hostile=False):
    """{(name, labels): value} and {family: type} of a text of Prometheus's."""
    values, types = {}, {}
    for line in text.split("\n")[:-1]:  # a value may hold what splitlines() takes for an end
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert name not in types, f"{name} is there twice"
            types[name] = kind
        elif not line.startswith("#"):
            match = LINE.fullmatch(line)
            assert match, f"no line of the format: {line!r}"
            labels = tuple(sorted(LABEL.findall(match[2] or "")))
            key = (match[1], labels)
            assert hostile or key not in values, f"{line} is there twice"
            values[key] = float(match[3])
    return values, types


class Scraped:
    """One look at a server's metrics."""

    def __init__(self, text, hostile=False):
        self.text = text
        self.values, self.types = parse(text, hostile)

    def all(self, name, **labels):
        """The values of the series that have these labels at least."""
        wanted = set(labels.items())
        return {have: value for (its, have), value in self.values.items()
                if its == name and wanted <= set(have)}

    def sum(self, name, **labels):
        return sum(self.all(name, **labels).values())

    def counts(self):
        """What never goes back."""
        whole = {name for name, kind in self.types.items() if kind == "counter"}
        whole |= {name + part for name, kind in self.types.items() if kind == "histogram"
                  for part in ("_bucket", "_count", "_sum")}
        return {key: value for key, value in self.values.items() if key[0] in whole}


def scrape(port, hostile=False):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
    with contextlib.closing(connection):
        connection.request("GET", "/metrics")
        answer = connection.getresponse()
        body = answer.read().decode()
        assert answer.status == 200, body
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        return Scraped(body, hostile)


class Scraper:
    """Scrapes all the time, on new connections and as fast as it can, and notes what went back."""

    def __init__(self, port):
        self.port, self.scrapes, self.back, self.refused = port, 0, [], 0
        self.highest = {}
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self):
        while not self.over.is_set():
            try:
                counts = scrape(self.port).counts()
            except (OSError, http.client.HTTPException):
                self.refused += 1  # of a worker that was killed meanwhile
                continue
            for key, value in self.highest.items():
                if counts.get(key, -1) < value:
                    self.back.append(f"{key}: {value} became {counts.get(key)}")
            self.highest.update(counts)
            self.scrapes += 1

    def wait_for_more(self, count=5):
        goal = self.scrapes + count
        wait_for(lambda: self.scrapes >= goal, f"{count} more scrapes")

    def __enter__(self):
        self.thread.start()
        self.wait_for_more()
        return self

    def __exit__(self, *_):
        with contextlib.suppress(AssertionError):
            self.wait_for_more()
        self.over.set()
        self.thread.join(LIMIT)


@contextlib.contextmanager
def metered(config="", plugins=("meter",), start=True):
    port = free_port()
    admin = f'admin: {{ listen = ["127.0.0.1:{port}"]; }};\n'
    with deployment(plugins, config + admin) as made:
        made.admin = port
        if start:
            made.start_ready()
        yield made


def ask(made, path, status=200):
    got, body = made.get(path)
    assert got == status, f"{path}: {got} {body}"
    return body


def pids(made):
    """Of the workers that answer."""
    return {int(ask(made, "/who")) for _ in range(20)}


def promtool(text):
    done = subprocess.run(["promtool", "check", "metrics"], input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


class Told(unittest.TestCase):
    def test_promtool_has_nothing_to_say_with_everything_on(self):
        with metered(PRODUCTION) as made:
            for path in ("/who", "/add/a/1", "/set/5", "/record/50", "/fill/3"):
                ask(made, path)
            ask(made, "/none", 404)
            wait_for(lambda: scrape(made.admin).all("process_memory_usage_bytes", rt_worker="2"),
                     "the gauges of worker 2")
            self.assertEqual(promtool(scrape(made.admin).text), (0, ""))
            self.assertEqual(made.stop(), 0)

    def test_requests_are_counted_by_route_method_and_status(self):
        with metered() as made:
            for _ in range(3):
                ask(made, "/record/5")
            ask(made, "/none", 404)
            connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=LIMIT)
            for method, path in (("HEAD", "/who"), ("POST", "/who"), ("BREW", "/who")):
                connection.request(method, path, b"12345" if method == "POST" else None)
                connection.getresponse().read()
            connection.close()
            got = scrape(made.admin)
            name = "http_server_request_duration_seconds_count"
            self.assertEqual(got.all(name, http_route="/record/{number}"), {
                (("http_request_method", "GET"), ("http_response_status_code", "200"),
                 ("http_route", "/record/{number}"), ("network_protocol_version", "1.1"),
                 ("url_scheme", "http")): 3})
            self.assertEqual(got.sum(name, http_response_status_code="404"), 1)
            self.assertEqual(got.all(name, http_response_status_code="404",
                                     http_route="/none"), {})
            self.assertEqual(got.sum(name, http_request_method="HEAD"), 1)
            self.assertEqual(got.sum(name, http_request_method="POST",
                                     http_response_status_code="405"), 1)
            self.assertEqual(got.sum(name, http_request_method="_OTHER"), 1)
            self.assertEqual(got.sum("http_server_request_body_size_bytes_sum"), 5)
            self.assertEqual(got.sum("http_server_response_body_size_bytes_sum",
                                     http_route="/record/{number}"), 12)
            self.assertEqual(got.sum("http_server_active_requests"), 0)
            self.assertGreaterEqual(got.sum("rt_http_connections_accepted_total"), 5)
            self.assertEqual(made.stop(), 0)

    def test_what_fails_has_an_error_type(self):
        with metered(plugins=("moody",)) as made:
            with contextlib.suppress(AssertionError):
                ask(made, "/nothing/at/all")
            sock = socket.create_connection(("127.0.0.1", made.port), LIMIT)
            sock.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            self.assertIn(b" 400 ", sock.recv(4096))
            sock.close()
            got = scrape(made.admin)
            name = "http_server_request_duration_seconds_count"
            self.assertEqual(got.sum(name, http_response_status_code="400"), 1)
            self.assertEqual(got.all(name, error_type="404"), {})
            self.assertEqual(made.stop(), 0)

    def test_an_author_counts_measures_and_sets(self):
        with metered() as made:
            for path in ("/add/a/3", "/add/a/4", "/add/b/1", "/record/50", "/record/5000",
                         "/set/10"):
                ask(made, path)
            got = scrape(made.admin)
            self.assertEqual(got.all("meter_added_total"),
                             {(("digit", "7"), ("kind", "a")): 7, (("digit", "7"), ("kind", "b")): 1})
            self.assertEqual(got.all("meter_sizes_bytes_bucket"),
                             {(("le", "10"),): 0, (("le", "100"),): 1, (("le", "1000"),): 1,
                              (("le", "+Inf"),): 2})
            self.assertEqual(got.sum("meter_times_seconds_bucket", le="0.05"), 1)
            self.assertEqual(got.sum("meter_times_seconds_sum"), 5.05)
            self.assertEqual(got.sum("meter_level_ratio"), 11)
            self.assertIn("# HELP meter_sizes_bytes Sizes that were told\n", got.text)
            self.assertEqual(made.stop(), 0)

    def test_lines_of_rtd_itself_are_counted_too(self):
        with metered() as made:
            written = len(re.findall(r"^\S+ INFO +rtd ", made.log(), re.MULTILINE))
            self.assertGreater(written, 0)
            wait_for(lambda: scrape(made.admin).sum("rt_log_lines_total", level="info") >= written,
                     "the lines of the start")
            self.assertEqual(made.stop(), 0)

    def test_streams_are_counted_while_they_are_open(self):
        with metered() as made:
            with socket.create_connection(("127.0.0.1", made.port), LIMIT) as sock:
                sock.sendall(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
                while b"first" not in sock.recv(4096):
                    pass
                self.assertEqual(scrape(made.admin).sum("rt_http_streams", kind="sse"), 1)
                self.assertEqual(scrape(made.admin).sum("http_server_active_requests"), 1)
            wait_for(lambda: not scrape(made.admin).sum("rt_http_streams", kind="sse"), "its end")
            got = scrape(made.admin)
            self.assertEqual(got.sum("http_server_active_requests"), 0)
            self.assertEqual(got.sum("http_server_request_duration_seconds_count",
                                     http_response_status_code="499", error_type="499"), 1)
            self.assertEqual(made.stop(), 0)

    def test_what_is_misused_is_left_out_and_said_once(self):
        with metered() as made:
            ask(made, "/add/a/1")
            ask(made, "/misuse")
            ask(made, "/misuse")
            ask(made, "/aside")
            got = scrape(made.admin)
            self.assertEqual(got.sum("meter_added_total"), 1)
            self.assertEqual(got.all("meter_sizes_bytes_count"), {})
            self.assertEqual(got.sum("meter_plain_total"), 0)
            self.assertEqual(made.log().count("is of another kind than what is told of it"), 1)
            self.assertIn("metric `meter.added` is declared twice, and differently", made.log())
            self.assertEqual(made.stop(), 0)

    def test_what_another_thread_tells_is_left_out_and_said(self):
        with metered() as made:
            ask(made, "/aside")
            self.assertEqual(scrape(made.admin).sum("meter_plain_total"), 0)
            self.assertIn("metric `meter.plain` was told outside of the loop's thread", made.log())
            self.assertEqual(made.stop(), 0)

    def test_the_number_of_series_is_bounded(self):
        bounded = "telemetry: { metrics: { max_series = 100; }; };\n"
        with metered(bounded) as made:
            ask(made, "/fill/5000")
            ask(made, "/fill/50")
            got = scrape(made.admin)
            self.assertEqual(len(got.all("meter_added_total")), 101)
            self.assertEqual(got.sum("meter_added_total", otel_metric_overflow="true"), 4900)
            self.assertEqual(got.sum("meter_added_total"), 5050)
            self.assertEqual(got.sum("rt_metrics_overflows_total", reason="limit"), 4900)
            self.assertEqual(made.stop(), 0)

    def test_rtctl_prints_the_same_without_an_admin_listener(self):
        with deployment(("meter",)) as made:
            made.start_ready()
            ask(made, "/add/a/3")
            done = made.rtctl("metrics")
            self.assertEqual(done.returncode, 0, done.stdout)
            got = Scraped(done.stdout)
            self.assertEqual(got.sum("meter_added_total"), 3)
            self.assertEqual(got.sum("rt_workers", state="ready"), 1)
            self.assertEqual(got.sum("rt_generation_number"), 1)
            self.assertEqual(promtool(done.stdout), (0, ""))
            self.assertEqual(made.stop(), 0)

    def test_metrics_that_are_switched_off_cost_no_series(self):
        with metered("telemetry: { metrics: { enabled = false; }; };\n") as made:
            ask(made, "/add/a/3")
            got = scrape(made.admin)
            self.assertEqual(got.all("meter_added_total"), {})
            self.assertEqual(got.all("http_server_request_duration_seconds_count"), {})
            self.assertEqual(got.sum("rt_workers", state="ready"), 1)  # the supervisor's own
            self.assertEqual(made.stop(), 0)

    def test_handshakes_and_connections_are_counted(self):
        with metered(start=False) as made:
            make_certificates(made.folder)
            os.chmod(made.path("key.pem"), 0o600)
            secure = free_port()
            with open(made.config, encoding="utf-8") as file:
                text = file.read()
            http = (f'http: {{ listen = ["127.0.0.1:{secure} tls"]; tls: {{ '
                    f'certificate = "{made.path("cert.pem")}"; key = "{made.path("key.pem")}"; '
                    f'}}; }};')
            with open(made.config, "w", encoding="utf-8") as file:
                file.write(re.sub(r"(?m)^http: .*$", http, text))
            made.start_ready()
            subprocess.run(["curl", "-sk", "--max-time", "60", f"https://127.0.0.1:{secure}/who"],
                           check=True, stdout=subprocess.DEVNULL)
            with socket.create_connection(("127.0.0.1", secure), LIMIT) as sock:
                sock.sendall(b"\x16\x03\x01\x00\x05nonsense")
                with contextlib.suppress(OSError):
                    while sock.recv(4096):
                        pass
            got = wait_for(lambda: (now := scrape(made.admin)).sum(
                "rt_http_tls_handshakes_total", outcome="failure") and now, "a failure")
            self.assertEqual(got.sum("rt_http_tls_handshakes_total", outcome="failure"), 1)
            self.assertEqual(got.sum("rt_http_tls_handshakes_total", outcome="success"), 1)
            self.assertEqual(got.sum("http_server_request_duration_seconds_count",
                                     url_scheme="https"), 1)
            self.assertEqual(made.stop(), 0)


class NeverBack(unittest.TestCase):
    """Under load, scraped all the time."""

    def watched(self, made, disturb):
        with Scraper(made.admin) as scraper:
            with Traffic(made.port) as traffic:
                disturb(traffic, scraper)
                traffic.wait_for_more()
                scraper.wait_for_more()
        self.assertEqual(scraper.back, [])
        counted = wait_for(lambda: (now := scrape(made.admin)).sum("meter_plain_total") >=
                           traffic.answered and now, "all that was answered")
        return counted, traffic, scraper

    def test_no_counter_goes_back_when_workers_are_killed(self):
        with metered(PRODUCTION) as made:
            def disturb(traffic, scraper):
                for killed in range(1, 5):
                    victim = sorted(pids(made))[0]
                    os.kill(victim, signal.SIGKILL)
                    wait_for(lambda: scrape_quietly(made).sum("rt_worker_restarts_total") == killed,
                             "another worker")  # the later ones are put off
                    wait_for(lambda: victim not in pids_alive(made), "its answers")
                    scraper.wait_for_more()
                    traffic.lost.clear()  # who was asking it got no answer
                    traffic.wait_for_more()
            counted, _, _ = self.watched(made, disturb)
            self.assertEqual(counted.sum("rt_worker_restarts_total"), 4)
            self.assertEqual(counted.sum("rt_worker_crashes_total"), 4)
            self.assertEqual(made.stop(), 0)

    def test_no_counter_goes_back_at_a_reload(self):
        with metered(PRODUCTION) as made:
            def disturb(traffic, scraper):
                for _ in range(4):
                    self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
                    traffic.wait_for_more()
                    scraper.wait_for_more()
            counted, traffic, scraper = self.watched(made, disturb)
            self.assertEqual(traffic.lost, [])
            self.assertEqual(scraper.refused, 0)
            self.assertEqual(counted.sum("meter_plain_total"), traffic.answered)
            self.assertEqual(counted.sum("rt_reloads_total", outcome="success"), 4)
            self.assertEqual(counted.sum("rt_generation_number"), 5)
            self.assertEqual(made.stop(), 0)

    def test_no_counter_goes_back_at_an_upgrade(self):
        with metered(PRODUCTION, start=False) as made:
            made.program = made.path("rtd")
            shutil.copy(RTD, made.program)
            made.start_ready()

            def disturb(traffic, scraper):
                for _ in range(3):
                    shutil.copy(RTD, made.program + ".new")
                    os.rename(made.program + ".new", made.program)
                    done = made.rtctl("upgrade")
                    self.assertEqual(done.returncode, 0, done.stdout)
                    traffic.wait_for_more()
                    scraper.wait_for_more()
            counted, traffic, scraper = self.watched(made, disturb)
            self.assertEqual(traffic.lost, [])
            self.assertEqual(scraper.refused, 0)
            self.assertEqual(counted.sum("meter_plain_total"), traffic.answered)
            self.assertEqual(counted.sum("rt_reloads_total", outcome="success"), 3)
            os.kill(sorted(pids(made))[0], signal.SIGKILL)
            wait_for(lambda: scrape_quietly(made).sum("rt_worker_restarts_total") == 1,
                     "a restart counted by the rtd that took over")
            self.assertEqual(made.stop(), 0)

    def test_a_worker_that_is_gone_has_no_gauges(self):
        with metered(PRODUCTION) as made:
            def processes():
                return {dict(labels).get("rt_generation", "-") for labels in
                        scrape(made.admin).all("process_memory_usage_bytes")}
            self.assertEqual(processes(), {"-", "1"})
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            wait_for(lambda: processes() == {"-", "2"}, "only the new generation")
            ask(made, "/set/41")
            self.assertEqual(scrape(made.admin).sum("meter_level_ratio"), 42)
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            wait_for(lambda: processes() == {"-", "3"}, "only the new generation")
            self.assertEqual(scrape(made.admin).all("meter_level_ratio"), {})
            self.assertEqual(made.stop(), 0)

    def test_what_failed_to_reload_is_counted(self):
        with metered() as made:
            made.write("nonsense = 1;\n")
            self.assertNotEqual(made.rtctl("reload", "--wait").returncode, 0)
            self.assertEqual(scrape(made.admin).all("rt_reloads_total"),
                             {(("outcome", "failure"),): 1, (("outcome", "success"),): 0})
            self.assertEqual(made.stop(), 0)


def scrape_quietly(made):
    """Though a worker may be dying under it."""
    for _ in range(1000):
        with contextlib.suppress(OSError, http.client.HTTPException):
            return scrape(made.admin)
    raise AssertionError("the metrics are never answered")


def pids_alive(made):
    """Those that answered, while others may be dying."""
    found = set()
    for _ in range(20):
        with contextlib.suppress(OSError, http.client.HTTPException):
            found.add(int(made.get("/who")[1]))
    return found


class Hostile(unittest.TestCase):
    def test_a_plugin_that_scribbles_over_the_pool_stops_nobody(self):
        with metered(PRODUCTION) as made:
            supervisor = made.process.pid
            for seed in range(40):
                ask(made, f"/scribble/{seed}")
                scrape(made.admin, hostile=True)
                ask(made, "/add/a/1")
                self.assertIn(made.rtctl("metrics").returncode, (0, 69))
            self.assertEqual(made.rtctl("reload", "--wait").returncode, 0)
            ask(made, "/scribble/41")
            ask(made, "/fill/3000")
            scrape(made.admin, hostile=True)
            self.assertEqual(made.rtctl("status").returncode, 0)
            self.assertEqual(made.process.pid, supervisor)
            self.assertNotIn("crashed", made.log())
            self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
