"""The access log: what a line says in each form, what it hides, and that it never holds the loop."""

import json
import os
import re
import socket
import threading
import unittest

from deployment import LIMIT, read, wait_for
from serving import Serving


class AccessLog(Serving):
    def log_to_file(self, form, more="", **options):
        made = self.serve(f'access_log: {{ format = "{form}"; file = "access.log"; {more} }};',
                          **options)
        return made, made.path("access.log")

    def lines(self, path, count):
        """Those that are there once there are as many."""
        wait_for(lambda: read(path).count("\n") >= count, f"{count} lines in {path}")
        return read(path).splitlines()


class Combined(AccessLog):
    FORM = re.compile(r'^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] '
                      r'"([^"]*)" (\d{3}) (\d+) "([^"]*)" "([^"]*)"$')

    def entries(self, path, count):
        lines = self.lines(path, count)
        for line in lines:
            self.assertRegex(line, self.FORM)
        return [self.FORM.match(line).groups() for line in lines]

    def test_a_line_is_as_nginx_writes_it(self):
        made, path = self.log_to_file("combined")
        made.request("/show/7?a=b", {"Referer": "http://x.example/?q", "User-Agent": "Probe/1.0 (x)"})
        made.request("/nowhere", method="DELETE")
        made.request("/show/7", method="HEAD")
        self.assertEqual(self.entries(path, 3), [
            ("GET /show/7?a=b HTTP/1.1", "200", "7", "http://x.example/?q", "Probe/1.0 (x)"),
            ("DELETE /nowhere HTTP/1.1", "404", self.entries(path, 3)[1][2], "-", "-"),
            ("HEAD /show/7 HTTP/1.1", "200", "0", "-", "-")])

    def test_bytes_are_those_that_left(self):
        made, path = self.log_to_file("combined")
        coded = made.request("/show/5000", {"Accept-Encoding": "gzip"})[2]
        streamed = made.request("/stream/3")[2]
        folded = made.request("/stream/3", {"Accept-Encoding": "br"})[2]
        self.assertEqual([entry[2] for entry in self.entries(path, 3)],
                         [str(len(body)) for body in (coded, streamed, folded)])

    def test_what_could_forge_a_line_is_escaped(self):
        made, path = self.log_to_file("combined")
        made.raw(b'GET /show/1?"\\ HTTP/1.0\r\n\r\n')
        made.raw(b'GET /show/1 HTTP/1.0\r\nUser-Agent: a"b\\c\td\x80\xff\r\nReferer: "\r\n\r\n')
        made.raw(b'\x16\x03\x01garbage\r\n\r\n')
        made.raw(b'GET /show/\x01 HTTP/1.0\r\n\r\n')
        entries = self.entries(path, 4)
        self.assertEqual(entries[1], ("GET /show/1 HTTP/1.0", "200", "1", r"\x22",
                                      r"a\x22b\x5Cc\x09d\x80\xFF"))
        self.assertEqual([entry[1] for entry in entries], ["400", "200", "400", "400"])
        self.assertNotRegex(read(path), r"[^\n -~]")

    def test_long_fields_make_one_long_line(self):
        made, path = self.log_to_file("combined")
        made.request("/show/1?" + "q" * 8000, {"User-Agent": "u" * 6000})
        self.assertEqual(len(self.entries(path, 1)[0][4]), 6000)

    def test_a_request_whose_client_left_is_499(self):
        made, path = self.log_to_file("combined")
        with socket.create_connection(("127.0.0.1", made.port), LIMIT) as peer:
            peer.sendall(b"GET /nap HTTP/1.1\r\nHost: a\r\n\r\n")
            made.text("/origin")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.assertEqual(self.entries(path, 2)[1][:2], ("GET /nap HTTP/1.1", "499"))

    def test_peers_of_unix_sockets_are_named_as_nginx_does(self):
        made, path = self.log_to_file("combined", listen=lambda own: [
            f"unix:{own.socket_path()}", f"127.0.0.1:{own.port}"])
        with socket.socket(socket.AF_UNIX) as peer:
            peer.connect(made.socket_path())
            peer.sendall(b"GET /origin HTTP/1.0\r\n\r\n")
            while peer.recv(4096):
                pass
        self.assertTrue(self.lines(path, 1)[0].startswith("unix: - - ["))

    def test_the_client_behind_a_trusted_proxy_is_the_peer(self):
        made = self.serve('access_log: { format = "combined"; file = "access.log"; };'
                          'trusted_proxies = [ "127.0.0.1" ];')
        made.request("/origin", {"X-Forwarded-For": "192.0.2.1"})
        self.assertTrue(self.lines(made.path("access.log"), 1)[0].startswith("192.0.2.1 - - ["))

    def test_queries_can_be_left_out(self):
        made, path = self.log_to_file("combined", "query = false;")
        made.request("/show/1?token=secret", {"Referer": "http://x.example/a?token=secret"})
        self.assertEqual(self.entries(path, 1)[0][0], "GET /show/1 HTTP/1.1")
        self.assertEqual(self.entries(path, 1)[0][3], "http://x.example/a")
        self.assertNotIn("secret", read(path))


class Json(AccessLog):
    def test_a_record_has_the_form_of_the_log_and_all_fields(self):
        made, path = self.log_to_file("json", config='name = "shop";')
        _, headers, _ = made.request("/show/7?a=%22", {"User-Agent": 'a"b\\c\x80', "Referer": "r",
                                                       "X-Correlation-Id": "abc-1",
                                                       "traceparent": f"00-{'a1' * 16}-{'b2' * 8}-00"})
        record = json.loads(self.lines(path, 1)[0])
        self.assertEqual((record["trace_id"], record["span_id"]), ("a1" * 16, "b2" * 8))
        self.assertRegex(record["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
        self.assertEqual((record["level"], record["service"], record["module"]),
                         ("info", "shop", "http"))
        self.assertEqual(record["correlation.id"], headers["X-Correlation-Id"])
        fields = record["fields"]
        self.assertGreater(fields.pop("duration_us"), 0)
        self.assertEqual(fields, {
            "peer": "127.0.0.1", "method": "GET", "target": "/show/7?a=%22", "referer": "r",
            "user_agent": 'a"b\\c\ufffd', "protocol": "HTTP/1.1", "route": "GET /show/{size}",
            "status": 200, "bytes": 7})

    def test_a_refused_request_is_a_record_too(self):
        made, path = self.log_to_file("json")
        made.raw(b"\r\n\r\n\x00\x01\x02\r\n\r\n")
        fields = json.loads(self.lines(path, 1)[0])["fields"]
        self.assertEqual(fields["status"], 400)
        self.assertNotIn("route", fields)


class Destination(AccessLog):
    def test_each_environment_has_its_form(self):
        for environment, mark in (("development", r"^\S+ INFO  http    GET /origin 200, 30 B, "
                                   r"\d+\.\d ms peer=127\.0\.0\.1 correlation=\w+$"),
                                  ("test", None), ("staging", r'^\{.*"target":"/origin"')):
            with self.subTest(environment=environment):
                made = self.serve("allow_remote = true;", config=f'environment = "{environment}";\n'
                                  "allow_root = true; log: { level = \"info\"; };")
                self.assertEqual(len(made.text("/origin")), 30)
                self.assertEqual(made.stop(), 0)
                found = [line for line in made.log().splitlines() if "/origin" in line]
                self.assertEqual(len(found), 0 if mark is None else 1, made.log())
                if mark:
                    self.assertRegex(found[0], mark)

    def test_its_form_is_that_of_the_log_unless_it_has_one_of_its_own(self):
        for own, mark in (("", '"target":"/origin"'), ('format = "combined";', '"GET /origin ')):
            made = self.serve(f"access_log: {{ {own} }};", config='log: { format = "json"; };')
            made.text("/origin")
            self.assertEqual(made.stop(), 0)
            self.assertEqual(made.log().count(mark), 1, made.log())

    def test_it_can_be_switched_off(self):
        made = self.serve('access_log: { format = "off"; };')
        made.text("/origin")
        made.stop()
        self.assertNotIn("/origin", made.log())

    def test_it_goes_to_the_file_of_the_log(self):
        made = self.serve(config='log: { file = "rt.log"; };', start=False)
        made.start()
        wait_for(lambda: "ready: " in read(made.path("rt.log")), "ready")
        made.text("/origin")
        wait_for(lambda: "GET /origin 200" in read(made.path("rt.log")), "the line")

    def test_a_file_that_cannot_be_opened_is_explained_before_the_start(self):
        made = self.serve('access_log: { format = "json"; file = "none/access.log"; };',
                          start=False)
        outcome = made.rtctl("validate")
        self.assertEqual(outcome.returncode, 1)
        self.assertIn("its folder does not exist", outcome.stdout)

    def test_all_lines_are_written_before_the_end(self):
        made, path = self.log_to_file("combined")
        request = b"GET /show/1 HTTP/1.1\r\nHost: a\r\n\r\n" * 500
        made.raw(request + b"GET /show/1 HTTP/1.0\r\n\r\n")
        self.assertEqual(made.stop(), 0)
        self.assertEqual(read(path).count("\n"), 501)

    def test_a_reader_that_does_not_read_costs_lines_and_no_time(self):
        made = self.serve('access_log: { format = "combined"; file = "pipe"; };', start=False)
        os.mkfifo(made.path("pipe"))
        reader = os.open(made.path("pipe"), os.O_RDONLY | os.O_NONBLOCK)
        self.addCleanup(os.close, reader)
        made.start_ready()
        agent = b"User-Agent: " + b"u" * 7000 + b"\r\n"
        request = b"GET /show/1 HTTP/1.1\r\nHost: a\r\n" + agent + b"\r\n"
        answers = made.raw(request * 400 + b"GET /show/1 HTTP/1.0\r\n\r\n")
        self.assertEqual(answers.count(b" 200 OK"), 401)
        os.set_blocking(reader, True)
        taken = []
        thread = threading.Thread(target=lambda: taken.extend(
            iter(lambda: os.read(reader, 65536), b"")))
        thread.start()
        more = 0
        while more < 50:
            made.text("/show/2")
            more += 1
            if "lines of the access log could not be written" in made.log():
                break
        made.stop()
        thread.join()
        self.assertIn("lines of the access log could not be written", made.log())
        lines = b"".join(taken).decode().splitlines()
        self.assertTrue(all(Combined.FORM.match(line) for line in lines))
        lost = sum(int(count) for count in re.findall(r"(\d+) lines of the access log", made.log()))
        self.assertEqual(len(lines) + lost, 401 + more)


if __name__ == "__main__":
    unittest.main()
