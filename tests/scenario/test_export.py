"""Telemetry on its way to a collector that others wrote the classes of, and what happens when it fails."""

import contextlib
import http.client
import json
import os
import re
import signal
import socket
import threading
import time
import unittest

from collector import attributes, collector
from deployment import BUILD, deployment, free_port, read, wait_for
from running import make_certificates

QUICK = 'metrics: { interval = "200 ms"; }; traces: { delay = "20 ms"; };'
NO_ACCESS_LOG = ("--set", "http.access_log.format=off")


@contextlib.contextmanager
def exporting(telemetry="", more="", arguments=(), plugins=(), **options):
    """rtd with a module that serves GET /work/{id}/{ms}, and the telemetry settings given."""
    with deployment(("target",), f"telemetry: {{ {telemetry} }};\n{more}") as made:
        for plugin in ("clock-system", *plugins):
            made.add(plugin, f"{BUILD}/plugins")
        made.start_ready(*arguments, **options)
        yield made


def to(peer, more=QUICK):
    return f'endpoint = "{peer.url}"; {more}'


def work(made, first, count):
    """That many requests; their paths."""
    paths = [f"/work/{number}/0" for number in range(first, first + count)]
    for path in paths:
        status, _ = made.get(path)
        if status != 200:
            raise AssertionError(f"{path} is {status}")
    return paths


def children(made):
    pid = made.process.pid
    return [int(child) for child in read(f"/proc/{pid}/task/{pid}/children").split()]


def exporters(made):
    """The pids of rtd's children in that role."""
    return [pid for pid in children(made) if "--role=exporter" in read(f"/proc/{pid}/cmdline")]


def exporter(made):
    return wait_for(lambda: exporters(made), "an exporter")[0]


def request(made, path, headers):
    connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status


def post(made, path, content):
    connection = http.client.HTTPConnection("127.0.0.1", made.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("POST", path, json.dumps(content), {"Content-Type": "application/json"})
        return connection.getresponse().status


class Content(unittest.TestCase):
    def test_a_request_arrives_as_a_span_with_all_that_it_has(self):
        with collector() as peer, exporting(to(peer)) as made:
            trace = "4bf92f3577b34da6a3ce929d0e0e4736"
            request(made, "/work/7/0", {"traceparent": f"00-{trace}-00f067aa0ba902b7-01",
                                        "tracestate": "a=b", "X-Correlation-Id": "known"})
            peer.wait_for_paths(["/work/7/0"])
            (resource, scope, span), = [one for one in peer.spans()
                                        if attributes(one[2]).get("url.path") == "/work/7/0"]
            self.assertEqual((span["traceId"], span["parentSpanId"]), (trace, "00f067aa0ba902b7"))
            self.assertRegex(span["spanId"], "^[0-9a-f]{16}$")
            self.assertEqual(span["traceState"], "a=b")
            self.assertEqual((span["name"], span["kind"]),
                             ("GET /work/{id}/{ms}", "SPAN_KIND_SERVER"))
            start, end = int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])
            self.assertLessEqual(abs(start / 1e9 - time.time()), 600)
            self.assertGreater(end, start)
            self.assertEqual(attributes(span)["http.response.status_code"], 200)
            self.assertEqual(attributes(span)["correlation.id"], "known")
            self.assertEqual((scope["name"], scope["version"]), ("target", "1.0.0"))
            self.assertEqual(attributes(resource)["service.name"], "rt-server")
            self.assertEqual(attributes(resource)["deployment.environment.name"], "development")
            self.assertRegex(attributes(resource)["service.instance.id"],
                             "^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")

    def test_metrics_are_those_of_the_scrape(self):
        with collector() as peer, exporting(to(peer)) as made:
            work(made, 0, 9)

            def requests():
                points = peer.metrics().get("http.server.request.duration", {}).get("histogram")
                return points and [one for one in points["dataPoints"] if one["count"] == "9"]
            point, = wait_for(requests, "nine requests")
            metric = peer.metrics()["http.server.request.duration"]
            self.assertEqual(metric["unit"], "s")
            self.assertEqual(metric["histogram"]["aggregationTemporality"],
                             "AGGREGATION_TEMPORALITY_CUMULATIVE")
            self.assertEqual(sum(map(int, point["bucketCounts"])), 9)
            self.assertEqual(len(point["bucketCounts"]), len(point["explicitBounds"]) + 1)
            self.assertEqual(point["explicitBounds"], sorted(point["explicitBounds"]))
            self.assertLess(int(point["startTimeUnixNano"]), int(point["timeUnixNano"]))
            self.assertEqual(attributes(point)["http.route"], "/work/{id}/{ms}")
            workers = [one for one in peer.metrics()["rt.workers"]["gauge"]["dataPoints"]
                       if attributes(one)["state"] == "ready"]
            self.assertEqual(workers[0]["asDouble"], 1)
            reloads = peer.metrics()["rt.reloads"]
            self.assertTrue(reloads["sum"]["isMonotonic"])
            self.assertEqual({point["asInt"] for point in reloads["sum"]["dataPoints"]}, {"0"})

    def test_log_lines_of_workers_and_of_rtd_arrive_with_their_trace(self):
        quick = 'logs: { delay = "20 ms"; }; traces: { delay = "20 ms"; };'
        with collector() as peer, exporting(to(peer, quick), plugins=("orders", "email-memory", "sqlite")) as made:
            order = {"sku": "tea-1", "quantity": 2, "email": "ann@example.org"}
            self.assertEqual(post(made, "/orders", order), 201)
            made.process.send_signal(signal.SIGHUP)
            made.wait_for_log("reloaded")

            def line_of(text):
                found = [one for one in peer.logs() if text in one[2]["body"]["stringValue"]]
                return found and found[0]
            _, _, line = wait_for(lambda: line_of("reloaded"), "the line of the supervisor")
            self.assertEqual((line["severityNumber"], line["severityText"]),
                             ("SEVERITY_NUMBER_INFO", "INFO"))
            self.assertEqual(line["timeUnixNano"], line["observedTimeUnixNano"])
            _, scope, line = wait_for(lambda: line_of("captured mail"), "the line of a module")
            self.assertEqual(scope["name"], "email-memory")
            wait_for(lambda: "/orders" in peer.paths(), "the spans of the request")
            send, = [span for _, _, span in peer.spans() if span["name"] == "email.send"]
            self.assertEqual((line["traceId"], line["spanId"]), (send["traceId"], send["spanId"]))

    def test_no_line_of_the_exporter_goes_to_itself(self):
        with collector() as peer, exporting(to(peer, 'logs: { delay = "20 ms"; };')) as made:
            peer.answer("status", status=400, only="/v1/traces")
            work(made, 0, 1)
            made.wait_for_log("it answers 400")
            made.stop()
            self.assertFalse([line for _, _, line in peer.logs()
                              if "it answers 400" in line["body"]["stringValue"]])

    def test_bodies_are_compressed_unless_told_otherwise_and_headers_are_sent(self):
        with collector() as peer, exporting(
                to(peer, 'headers = "x-key=a%2Cb,x-empty="; traces: { delay = "20 ms"; };')) as made:
            paths = work(made, 0, 1)
            peer.wait_for_paths(paths)
            headers = peer.requests("/v1/traces")[0]["headers"]
            self.assertEqual((headers["content-encoding"], headers["content-type"]),
                             ("gzip", "application/x-protobuf"))
            self.assertEqual((headers["x-key"], headers["x-empty"]), ("a,b", ""))
            self.assertRegex(headers["user-agent"], r"^rt/\d")
        with collector() as peer, exporting(
                to(peer, 'compression = "none"; traces: { delay = "20 ms"; };')) as made:
            paths = work(made, 0, 1)
            peer.wait_for_paths(paths)
            self.assertNotIn("content-encoding", peer.requests("/v1/traces")[0]["headers"])

    def test_a_connection_is_kept(self):
        with collector() as peer, exporting(to(peer, 'traces: { delay = "10 ms"; };')) as made:
            for number in range(5):
                peer.wait_for_paths(work(made, number, 1))
            self.assertEqual(len({one["connection"] for one in peer.requests("/v1/traces")}), 1)

    def test_a_signal_has_an_endpoint_of_its_own_as_it_stands_or_is_not_sent(self):
        more = f"""traces: {{ endpoint = "URL/elsewhere/v1/traces"; delay = "20 ms"; }};
                   metrics: {{ export = false; }}; logs: {{ enabled = false; }};"""
        with collector() as peer, exporting(to(peer, more.replace("URL", peer.url))) as made:
            peer.wait_for_paths(work(made, 0, 1))
            made.stop()
            self.assertEqual({one["path"] for one in peer.requests()}, {"/elsewhere/v1/traces"})

    def test_nothing_is_started_where_no_endpoint_is_set(self):
        with exporting("") as made:
            work(made, 0, 1)
            self.assertEqual(exporters(made), [])


class Variables(unittest.TestCase):
    def test_opentelemetrys_variables_say_where_and_how(self):
        with collector() as peer:
            variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{peer.url}/base/",
                         "OTEL_EXPORTER_OTLP_HEADERS": "x-key=one,x-more=two%20words",
                         "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "x-key=traces",
                         "OTEL_EXPORTER_OTLP_COMPRESSION": "none",
                         "OTEL_SERVICE_NAME": "shop",
                         "OTEL_RESOURCE_ATTRIBUTES": "service.name=lost,team=a%2Cb,host.name=h",
                         "OTEL_METRIC_EXPORT_INTERVAL": "200",
                         "OTEL_BSP_SCHEDULE_DELAY": "20",
                         "OTEL_LOGS_EXPORTER": "none"}
            with exporting(environment=variables) as made:
                peer.wait_for_paths(work(made, 0, 1))
                wait_for(lambda: peer.requests("/base/v1/metrics"), "metrics")
                traces, = peer.requests("/base/v1/traces")[:1]
                metrics, = peer.requests("/base/v1/metrics")[:1]
                self.assertEqual(traces["headers"]["x-key"], "traces")
                self.assertNotIn("x-more", traces["headers"])
                self.assertEqual((metrics["headers"]["x-key"], metrics["headers"]["x-more"]),
                                 ("one", "two words"))
                resource = attributes(peer.spans()[0][0])
                self.assertEqual((resource["service.name"], resource["team"], resource["host.name"]),
                                 ("shop", "a,b", "h"))
                made.stop()
                self.assertEqual(peer.requests("/v1/logs"), [])

    def test_the_configuration_beats_them_and_their_headers_do_not_reach_workers(self):
        with collector() as peer, collector(start=False) as other:
            variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": other.url, "OTEL_SERVICE_NAME": "shop",
                         "OTEL_EXPORTER_OTLP_HEADERS": "x-key=not-to-be-seen"}
            with exporting(to(peer, 'traces: { delay = "20 ms"; }; service_name = "mine";'),
                           environment=variables) as made:
                peer.wait_for_paths(work(made, 0, 1))
                self.assertEqual(attributes(peer.spans()[0][0])["service.name"], "mine")
                shown = made.rtctl("config", environment=variables).stdout
                self.assertRegex(shown, rf"telemetry.endpoint\s*=?\s*\"{peer.url}\".*runtime.conf")
                self.assertRegex(shown, "telemetry.headers.*redacted.*"
                                        "environment variable OTEL_EXPORTER_OTLP_HEADERS")
                self.assertNotIn("not-to-be-seen", shown + made.log())
                environments = [read(f"/proc/{pid}/environ") for pid in children(made)]
                self.assertTrue(environments)
                self.assertNotIn("not-to-be-seen", "".join(environments))

    def test_a_disabled_sdk_exports_nothing(self):
        with collector() as peer:
            variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": peer.url, "OTEL_SDK_DISABLED": "true"}
            with exporting(environment=variables) as made:
                work(made, 0, 1)
                self.assertEqual(exporters(made), [])


class Trouble(unittest.TestCase):
    """Whatever the collector does, requests are answered; what can be kept is, the rest is counted."""

    def test_what_was_made_while_nobody_listened_arrives_later(self):
        with collector(start=False) as peer, exporting(to(peer)) as made:
            paths = work(made, 0, 20)
            made.wait_for_log("cannot export traces")
            peer.start()
            peer.wait_for_paths(paths)
            made.wait_for_log("exports traces")

    def test_a_collector_that_goes_and_comes_back_gets_all(self):
        with collector() as peer, exporting(to(peer)) as made:
            peer.wait_for_paths(work(made, 0, 5))
            peer.stop()
            paths = work(made, 5, 20)
            made.wait_for_log("cannot export traces")
            peer.start()
            peer.wait_for_paths(paths)

    def test_one_that_is_busy_is_asked_again_when_it_says(self):
        with collector() as peer, exporting(to(peer)) as made:
            peer.answer("status", status=503, headers={"retry-after": "2"}, only="/v1/traces")
            paths = work(made, 0, 1)
            wait_for(lambda: peer.requests("/v1/traces"), "a try")
            peer.answer("ok")
            peer.wait_for_paths(paths)
            first, second = peer.requests("/v1/traces")[:2]
            self.assertEqual(first["body"], second["body"])
            self.assertGreaterEqual(second["at"] - first["at"], 1900)

    def test_what_it_refuses_is_dropped_counted_and_said_with_its_reason(self):
        for status in (400, 401, 404, 413, 500):
            with self.subTest(status=status), collector() as peer, exporting(
                    to(peer)) as made:
                peer.answer("status", status=status, message="\x08\x03\x12\x04full",
                            only="/v1/traces")
                work(made, 0, 1)
                made.wait_for_log(f"it answers {status}, \"full\"")
                peer.answer("ok")
                peer.wait_for_paths(work(made, 1, 1))
                self.assertNotIn("/work/0/0", peer.paths())
                wait_for(lambda: counts(peer, "otel.sdk.exporter.span.exported").get("refused"),
                         "the count")
                self.assertEqual(counts(peer, "otel.sdk.exporter.span.exported")["refused"], 1)

    def test_a_partial_success_is_counted_and_not_repeated(self):
        with collector() as peer, exporting(to(peer)) as made:
            peer.answer("partial", rejected=1, message="one is too old", only="/v1/traces")
            peer.wait_for_paths(work(made, 0, 1))
            made.wait_for_log('it rejects 1 items of a request, "one is too old"')
            peer.answer("ok")
            peer.wait_for_paths(work(made, 1, 1))
            self.assertEqual(peer.paths().count("/work/0/0"), 1)
            wait_for(lambda: counts(peer, "otel.sdk.exporter.span.exported").get("rejected") == 1,
                     "the count")

    def test_answers_that_mean_nothing_change_nothing(self):
        for mode, log in (("garbage", "what follows is no answer of OTLP"),
                          ("huge", "what follows is no answer of OTLP"),
                          ("redirect", "it answers 307")):
            with self.subTest(mode=mode), collector() as peer, exporting(to(peer)) as made:
                peer.answer(mode, message=f"{peer.url}/stolen", only="/v1/traces")
                work(made, 0, 1)
                made.wait_for_log(log)
                self.assertLess(memory_of(exporter(made)), memory_limit())
                peer.answer("ok")
                peer.wait_for_paths(work(made, 1, 1))
                self.assertEqual(peer.requests("/stolen"), [])
                sent = [path for one in peer.requests("/v1/traces") for path in paths_of(one)]
                self.assertEqual(sent.count("/work/0/0"), 1)

    def test_a_connection_that_breaks_is_made_again(self):
        with collector() as peer, exporting(to(peer)) as made:
            peer.answer("reset", only="/v1/traces")
            paths = work(made, 0, 3)
            made.wait_for_log("cannot export traces")
            peer.answer("ok")
            peer.wait_for_paths(paths)

    def test_one_that_says_nothing_holds_up_nothing_and_memory_is_bounded(self):
        more = 'buffer = "1 MiB"; timeout = "60 s"; traces: { delay = "10 ms"; }; ' \
               'metrics: { export = false; }; logs: { export = false; };'
        port = free_port()
        with collector() as peer, exporting(
                to(peer, more), f'admin: {{ listen = ["127.0.0.1:{port}"]; }};',
                NO_ACCESS_LOG) as made:
            peer.answer("silent")
            work(made, 0, 1)
            wait_for(lambda: peer.requests("/v1/traces"), "a request")
            many(made, 12000)
            made.wait_for_log("`telemetry.buffer` is full")
            self.assertLess(memory_of(exporter(made)), memory_limit())
            wait_for(lambda: 'otel_sdk_processor_span_processed_total{error_type="queue_full"}'
                     in scrape(port), "the count on the scrape")
            self.assertEqual(made.get("/work/1/0")[0], 200)

    def test_a_stop_does_not_wait_for_it_long(self):
        with collector() as peer, exporting(to(peer)) as made:
            peer.answer("silent")
            work(made, 0, 1)
            wait_for(lambda: peer.requests("/v1/traces"), "a request")
            self.assertEqual(made.stop(), 0)
            self.assertIn("items of traces were not exported", made.log())


class Life(unittest.TestCase):
    def test_a_stop_sends_what_is_left(self):
        slow = 'metrics: { interval = "1 h"; }; traces: { delay = "1 min"; };'
        with collector() as peer, exporting(to(peer, slow)) as made:
            paths = work(made, 0, 30)
            self.assertEqual(peer.requests("/v1/traces"), [])
            self.assertEqual(made.stop(), 0)
            self.assertLessEqual(set(paths), set(peer.paths()))
            points = peer.metrics()["http.server.request.duration"]["histogram"]["dataPoints"]
            self.assertEqual(points[0]["count"], "30")

    def test_an_exporter_that_dies_is_started_again_and_workers_go_on(self):
        with collector() as peer, exporting(to(peer)) as made:
            peer.wait_for_paths(work(made, 0, 1))
            worker = [pid for pid in children(made) if pid not in exporters(made)]
            for number in range(2):
                killed = exporter(made)
                os.kill(killed, signal.SIGKILL)
                wait_for(lambda: exporters(made) not in ([], [killed]), "another exporter")
                peer.wait_for_paths(work(made, 1 + number, 1))
            self.assertIn("ended by signal 9", made.log())
            self.assertEqual([pid for pid in children(made) if pid not in exporters(made)], worker)

    def test_what_a_worker_that_is_killed_had_made_arrives(self):
        with collector() as peer, exporting(to(peer)) as made:
            peer.wait_for_paths(work(made, 0, 1))
            worker, = set(children(made)) - set(exporters(made))
            paths = work(made, 1, 20)
            os.kill(worker, signal.SIGKILL)
            peer.wait_for_paths(paths)

    @unittest.skipIf(os.geteuid(), "only root can become somebody else")
    def test_in_production_it_is_another_user_without_a_way_to_files(self):
        more = 'environment = "production"; user = "nobody"; log: { format = "pretty"; };'
        with collector() as peer, exporting(to(peer).replace("127.0.0.1", "localhost"), more) as made:
            peer.wait_for_paths(work(made, 0, 1))
            status = read(f"/proc/{exporter(made)}/status")
            self.assertRegex(status, r"Uid:\s+65534\s+65534\s+65534\s+65534")
            self.assertEqual(made.stop(), 0)

    def test_workers_never_wait_for_one_that_is_stopped(self):
        with collector() as peer, exporting(
                to(peer, 'metrics: { interval = "200 ms"; }; traces: { delay = "10 ms"; };'),
                arguments=NO_ACCESS_LOG) as made:
            peer.wait_for_paths(work(made, 0, 1))
            stopped = exporter(made)
            os.kill(stopped, signal.SIGSTOP)
            many(made, 30000)
            self.assertEqual(made.get("/work/1/0")[0], 200)
            os.kill(stopped, signal.SIGCONT)
            numbers = iter(range(2, 1 << 30))
            wait_for(lambda: work(made, next(numbers), 1) and
                     any(path not in ("/work/0/0", "/work/1/0", "/work/9/0") for path in peer.paths()),
                     "a span after it went on")
            wait_for(lambda: counts(peer, "otel.sdk.processor.span.processed").get("queue_full"),
                     "the count of what was lost")

    def test_one_that_is_stopped_does_not_keep_rtd_from_ending(self):
        with collector() as peer, exporting(to(peer)) as made:
            os.kill(exporter(made), signal.SIGSTOP)
            self.assertEqual(made.stop(), 0)

    def test_a_reload_with_another_endpoint_loses_nothing(self):
        with collector() as first, collector() as second:
            slow = 'metrics: { export = false; }; traces: { delay = "1 min"; };'
            with exporting(to(first, slow)) as made:
                before = work(made, 0, 10)
                old = exporter(made)
                made.write(f"telemetry: {{ {to(second)} }};")
                made.process.send_signal(signal.SIGHUP)
                made.wait_for_log("reloaded")
                # What the old one has not read yet is the new one's.
                wait_for(lambda: set(before) <= set(first.paths()) | set(second.paths()),
                         f"spans of {before}")
                second.wait_for_paths(work(made, 10, 10))
                self.assertFalse(set(first.paths()) & set(second.paths()))
                wait_for(lambda: old not in exporters(made), "the end of the old exporter")
                self.assertEqual(made.stop(), 0)

    def test_a_reload_that_changes_nothing_about_it_keeps_the_exporter(self):
        with collector() as peer, exporting(to(peer)) as made:
            kept = exporters(made)
            made.process.send_signal(signal.SIGHUP)
            made.wait_for_log("reloaded")
            peer.wait_for_paths(work(made, 0, 1))
            self.assertEqual(exporters(made), kept)

    def test_a_reload_starts_and_ends_it(self):
        with collector() as peer, exporting("") as made:
            made.write(f"telemetry: {{ {to(peer)} }};")
            made.process.send_signal(signal.SIGHUP)
            made.wait_for_log("reloaded")
            peer.wait_for_paths(work(made, 0, 1))
            made.write("")
            made.process.send_signal(signal.SIGHUP)
            wait_for(lambda: made.log().count("reloaded") == 2, "another reload")
            wait_for(lambda: not exporters(made), "its end")
            self.assertEqual(work(made, 1, 1), ["/work/1/0"])

    def test_an_upgrade_keeps_what_was_made_and_the_instance(self):
        with collector() as peer, exporting(to(peer)) as made:
            peer.wait_for_paths(work(made, 0, 1))
            old = exporter(made)
            made.process.send_signal(signal.SIGUSR2)
            wait_for(lambda: exporters(made) not in ([], [old]), "another exporter")
            peer.wait_for_paths(work(made, 1, 5))
            wait_for(lambda: old not in exporters(made), "the end of the old one")
            made.wait_for_log("reloaded")
            self.assertEqual(len({attributes(one)["service.instance.id"]
                                  for one, _, _ in peer.spans()}), 1)
            self.assertEqual(made.stop(), 0)

    def test_it_ends_when_rtd_is_killed(self):
        with collector() as peer, exporting(to(peer)) as made:
            pid = exporter(made)
            made.process.kill()
            made.process.wait()
            wait_for(lambda: not os.path.exists(f"/proc/{pid}"), "its end")

    def test_it_is_confined_as_workers_are_and_has_no_more_descriptors_than_it_needs(self):
        with collector() as peer, exporting(to(peer)) as made:
            peer.wait_for_paths(work(made, 0, 1))
            status = read(f"/proc/{exporter(made)}/status")
            self.assertRegex(status, r"NoNewPrivs:\s+1")
            self.assertRegex(status, r"Seccomp:\s+2")
            self.assertRegex(status, r"CapEff:\s+0{16}")
            names = [os.readlink(f"/proc/{exporter(made)}/fd/{fd}")
                     for fd in os.listdir(f"/proc/{exporter(made)}/fd")]
            self.assertFalse([name for name in names if "board" in name])
            listening = f":{made.port:04X}"
            self.assertFalse([line for line in read("/proc/net/tcp").splitlines()[1:]
                              if listening in line.split()[1] and line.split()[3] == "0A"
                              and f"socket:[{line.split()[9]}]" in names])


class Security(unittest.TestCase):
    def test_tls_is_proved_by_the_authorities_that_are_named(self):
        with collector(start=False) as peer, collector(start=False) as other:
            make_certificates(peer.folder)
            make_certificates(other.folder)
            peer.certificate = [peer.path("key.pem"), peer.path("cert.pem")]
            peer.start()
            ca = f'ca = "{peer.path("cert.pem")}"; {QUICK}'
            with exporting(to(peer, ca)) as made:
                peer.wait_for_paths(work(made, 0, 1))
            for wrong in (QUICK, f'ca = "{other.path("cert.pem")}"; {QUICK}'):
                with self.subTest(wrong=wrong), exporting(to(peer, wrong)) as made:
                    work(made, 1, 1)
                    made.wait_for_log("cannot export traces")
                    self.assertIn("certificate", made.log())
                    self.assertNotIn("/work/1/0", peer.paths())

    def test_what_is_secret_of_an_endpoint_is_not_logged(self):
        port = free_port()
        endpoint = f"http://user:not-to-be-seen@127.0.0.1:{port}/v1/traces?key=not-to-be-seen"
        with exporting(f'headers = "@env:KEY"; traces: {{ endpoint = "{endpoint}"; '
                       'delay = "10 ms"; };',
                       environment={"KEY": "x=not-to-be-seen"}) as made:
            work(made, 0, 1)
            made.wait_for_log(f"cannot export traces to `http://127.0.0.1:{port}/v1/traces`")
            self.assertNotIn("not-to-be-seen", made.log())


    def test_a_header_that_the_collector_repeats_is_not_logged(self):
        key = "a-key-to-be-kept"
        for mode, details in (("status", {"status": 401}), ("partial", {"rejected": 1})):
            with self.subTest(mode=mode), collector() as peer, exporting(
                    to(peer, 'headers = "@env:KEY"; ' + QUICK),
                    environment={"KEY": f"authorization=Bearer%20{key}"}) as made:
                said = f"no such key: {key}"
                reason = said if mode == "partial" else f"\x12{chr(len(said))}{said}"
                peer.answer(mode, message=reason, only="/v1/traces", **details)
                work(made, 0, 1)
                made.wait_for_log('"no such key: ***"')
                self.assertEqual(peer.requests("/v1/traces")[0]["headers"]["authorization"],
                                 f"Bearer {key}")
                self.assertEqual(made.stop(), 0)
                self.assertNotIn(key, made.log())


def counts(peer, name):
    """By error type; None: without."""
    metric = peer.metrics().get(name, {"sum": {"dataPoints": []}})
    return {attributes(point).get("error.type"): int(point["asInt"])
            for point in metric["sum"]["dataPoints"]}


def paths_of(request):
    return [attributes(span).get("url.path") for group in request["body"]["resourceSpans"]
            for scope in group["scopeSpans"] for span in scope["spans"]]


def memory_of(pid):
    """Resident bytes."""
    return int(re.search(r"VmRSS:\s+(\d+)", read(f"/proc/{pid}/status")).group(1)) * 1024


def memory_limit():
    """What an exporter with a buffer of 1 to 16 MiB may have; a sanitizer's shadow and quarantine
    come on top."""
    return (400 if os.environ.get("ASAN_OPTIONS") else 40) << 20


def scrape(port):
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(b"GET /metrics HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n")
        return b"".join(iter(lambda: connection.recv(65536), b"")).decode()


def many(made, count, connections=4):
    """Requests in pipelines, which is quick; each is answered."""
    share = 200
    request = b"GET /work/9/0 HTTP/1.1\r\nHost: t\r\n\r\n"
    failures = []

    def run():
        try:
            with socket.create_connection(("127.0.0.1", made.port), 60) as connection:
                for _ in range(count // connections // share):
                    connection.sendall(request * share)
                    answered = b""
                    while answered.count(b"HTTP/1.1 200") < share:
                        part = connection.recv(1 << 20)
                        if not part:
                            raise AssertionError(f"closed after {answered[-200:]}")
                        answered += part
        except Exception as error:  # pylint: disable=broad-except
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]


if __name__ == "__main__":
    unittest.main()
