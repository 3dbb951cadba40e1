"""HTTP/2: what every client may expect, and what no client can do to the others."""

import contextlib
import os
import socket
import struct
import subprocess
import sys
import time
import unittest

sys.path.append("/usr/lib/python3/dist-packages")  # of Debian, where the path's Python is another
import h2.config
import h2.connection
import h2.errors
import h2.events
import hpack

from deployment import LIMIT, deployment, wait_for

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PUSH, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = range(10)
NO_ERROR, PROTOCOL_ERROR, FRAME_SIZE_ERROR, REFUSED, CANCEL, CALM = 0, 1, 6, 7, 8, 11
STREAM_CLOSED = 5
END_STREAM, END_HEADERS = 1, 4
SECURITY = {"x-content-type-options": "nosniff", "x-frame-options": "SAMEORIGIN",
            "referrer-policy": "strict-origin-when-cross-origin"}
MEMORY = 64 << 20  # bytes that a worker may grow by, whatever is done to it (sanitizers included)


def frame(kind, flags=0, stream=0, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def request_block(path=b"/hello", method=b"GET", more=()):
    """A header block without compression or state: literals that are never indexed."""
    def text(value):
        if len(value) < 127:
            return bytes([len(value)]) + value
        rest, length = len(value) - 127, [127]
        while rest >= 128:
            length.append(rest % 128 + 128)
            rest //= 128
        return bytes([*length, rest]) + value
    fields = [(b":method", method), (b":path", path), (b":scheme", b"http"), (b":authority", b"a"), *more]
    return b"".join(b"\x10" + text(name) + text(value) for name, value in fields)


def status_of(block):
    return int(dict(hpack.Decoder().decode(block))[":status"])


def code_of(kind, payload):
    """Of RST_STREAM or GOAWAY."""
    return struct.unpack(">I", payload[4:8] if kind == GOAWAY else payload)[0]


class Raw:
    """A connection on which a test writes what it likes."""

    def __init__(self, port, preface=True):
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self.received = b""
        if preface:
            self.send(PREFACE + frame(SETTINGS))

    def send(self, data):
        """What the peer does not want any more is no error here: the test looks at what it said."""
        with contextlib.suppress(ConnectionError):
            self.socket.sendall(data)

    def read(self, length):
        while len(self.received) < length:
            part = self.socket.recv(65536)
            if not part:
                raise EOFError
            self.received += part
        data, self.received = self.received[:length], self.received[length:]
        return data

    def frame(self):
        """(kind, flags, stream, payload)"""
        head = self.read(9)
        return head[3], head[4], struct.unpack(">I", head[5:])[0], self.read(int.from_bytes(head[:3], "big"))

    def until(self, *kinds, stream=None):
        """The next frame of one of the kinds."""
        while True:
            found = self.frame()
            if found[0] in kinds and (stream is None or found[2] == stream):
                return found

    def goaway(self):
        """The error code that the connection ends with."""
        return struct.unpack(">I", self.until(GOAWAY)[3][4:8])[0]

    def reset(self):
        """(stream, code) of the next RST_STREAM."""
        _, _, stream, payload = self.until(RST_STREAM)
        return stream, struct.unpack(">I", payload)[0]

    def ends(self):
        """Waits for the end; True if it comes in order and not by a reset."""
        try:
            while self.socket.recv(65536):
                pass
        except ConnectionError:
            return False
        return True

    def close(self):
        self.socket.close()


class Client:
    """A client that keeps the rules."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), LIMIT)
        self.connection = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.connection.initiate_connection()
        self.answers = {}  # stream → (headers, body, how it ended)
        self.events = []
        self.ended = False
        self.acknowledges = True
        self.flush()

    def flush(self):
        self.socket.sendall(self.connection.data_to_send())

    def ask(self, path, method="GET", headers=(), body=None, end=True):
        stream = self.connection.get_next_available_stream_id()
        fields = [(":method", method), (":path", path), (":scheme", "http"), (":authority", "example"), *headers]
        self.connection.send_headers(stream, fields, end_stream=end and body is None)
        self.answers[stream] = {"headers": None, "body": b"", "end": None, "interim": []}
        if body is not None:
            self.send_body(stream, body, end)
        self.flush()
        return stream

    def send_body(self, stream, body, end=True):
        while body and self.answers[stream]["end"] is None:
            room = min(self.connection.local_flow_control_window(stream), 16384)
            if not room:
                self.flush()
                self.turn()
                continue
            self.connection.send_data(stream, body[:room])
            body = body[room:]
        if end and self.answers[stream]["end"] is None:
            self.connection.end_stream(stream)
        self.flush()

    def turn(self):
        """Takes what has come; False at the end."""
        data = self.socket.recv(65536)
        if not data:
            self.ended = True
            return False
        for event in self.connection.receive_data(data):
            self.events.append(event)
            self.take(event)
        self.flush()
        return True

    def take(self, event):
        answer = self.answers.get(getattr(event, "stream_id", None))
        if isinstance(event, h2.events.ResponseReceived):
            answer["headers"] = dict(event.headers)
        elif isinstance(event, h2.events.InformationalResponseReceived):
            answer["interim"].append(dict(event.headers)[":status"])
        elif isinstance(event, h2.events.DataReceived):
            answer["body"] += event.data
            if self.acknowledges:
                self.connection.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            answer["end"] = "whole"
        elif isinstance(event, h2.events.StreamReset) and answer and answer["end"] is None:
            answer["end"] = event.error_code

    def wait(self, *streams):
        """(status, headers, body) of each, or how it was reset."""
        while any(self.answers[stream]["end"] is None for stream in streams):
            if not self.turn():
                break
        found = []
        for stream in streams:
            answer = self.answers[stream]
            headers = answer["headers"] or {}
            found.append((int(headers.get(":status", 0)), headers, answer["body"])
                         if answer["end"] == "whole" else answer["end"])
        return found if len(found) > 1 else found[0]

    def get(self, path, **options):
        return self.wait(self.ask(path, **options))

    def close(self):
        self.socket.close()


def resident(made):
    """Bytes of the worker's memory."""
    worker = subprocess.run(["pgrep", "-P", str(made.process.pid)], check=True, text=True,
                            stdout=subprocess.PIPE).stdout.split()[0]
    with open(f"/proc/{worker}/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def options(settings):
    return [word for setting in settings for word in ("--set", f"http.{setting}")]


class Http2(unittest.TestCase):
    settings = ()

    @classmethod
    def setUpClass(cls):
        cls.made = cls.enterClassContext(deployment(["wire"]))
        # What AddressSanitizer keeps from being used again would count as memory that is held.
        kept = {"ASAN_OPTIONS": f'{cls.made.environment()["ASAN_OPTIONS"]}:quarantine_size_mb=4'}
        cls.made.start_ready(*options(cls.settings), environment=kept)

    def setUp(self):
        self.open = contextlib.ExitStack()
        self.addCleanup(self.open.close)

    def client(self):
        return self.open.enter_context(contextlib.closing(Client(self.made.port)))

    def raw(self, **options):
        return self.open.enter_context(contextlib.closing(Raw(self.made.port, **options)))

    def others_go_on(self):
        status, _, body = self.client().get("/hello")
        self.assertEqual((status, body), (200, b"hello\n"))

    def state(self):
        """(handlers that wait, handlers that were cancelled)"""
        return tuple(int(number) for number in self.made.get("/state")[1].split())


class Requests(Http2):
    def test_a_request_is_answered_as_over_http_1_1(self):
        status, headers, body = self.client().get("/hello")
        self.assertEqual((status, body), (200, b"hello\n"))
        self.assertEqual(headers["content-length"], "6")
        self.assertEqual(headers["content-type"], "text/plain")
        self.assertRegex(headers["date"], r"^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT$")
        self.assertRegex(headers["x-correlation-id"], r"^[0-9a-f]{32}$")
        self.assertEqual(self.made.get("/hello"), (200, "hello\n"))

    def test_curl_and_nghttp_speak_it_by_prior_knowledge(self):
        url = f"http://127.0.0.1:{self.made.port}/hello"
        curl = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "-w", " %{http_version}", url],
                              check=True, text=True, stdout=subprocess.PIPE, timeout=LIMIT)
        self.assertEqual(curl.stdout, "hello\n 2")
        nghttp = subprocess.run(["nghttp", url], check=True, text=True, stdout=subprocess.PIPE, timeout=LIMIT)
        self.assertEqual(nghttp.stdout, "hello\n")
        plain = subprocess.run(["curl", "-sS", "--http2", "-w", " %{http_version}", url], check=True, text=True,
                               stdout=subprocess.PIPE, timeout=LIMIT)
        self.assertEqual(plain.stdout, "hello\n 1.1")

    def test_many_requests_of_one_connection_run_at_once(self):
        client = self.client()
        slow = [client.ask("/wait/300") for _ in range(20)]
        self.assertEqual(client.get("/hello")[0], 200)
        self.assertTrue(all(client.answers[stream]["end"] is None for stream in slow))
        self.assertEqual([answer[2] for answer in client.wait(*slow)], [b"waited"] * 20)

    def test_the_preface_may_come_byte_by_byte(self):
        raw = self.raw(preface=False)
        raw.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in PREFACE + frame(SETTINGS) + frame(HEADERS, 5, 1, request_block()):
            raw.send(bytes([byte]))
        self.assertEqual(raw.until(DATA)[3], b"hello\n")

    def test_what_only_begins_like_the_preface_is_http_1_1(self):
        for start in (b"P", b"PR", b"PRI * HTTP/2.0\r\n"):
            raw = self.raw(preface=False)
            raw.send(start)
            self.others_go_on()
            raw.send(b"OST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi"
                     if start == b"P" else b"X\r\n\r\n")
            answer = raw.read(12)
            self.assertEqual(answer, b"HTTP/1.1 200" if start == b"P" else
                             b"HTTP/1.1 505" if b"2.0" in start else b"HTTP/1.1 400")

    def test_cookies_in_pieces_are_one_field(self):
        client = self.client()
        cookies = [("cookie", "a=1"), ("accept", "x"), ("cookie", "b=2")]
        self.assertEqual(client.get("/show/1", headers=cookies)[2], b"/show/1|example|a=1; b=2")

    def test_paths_are_decoded_and_judged_as_in_http_1_1(self):
        client = self.client()
        self.assertEqual(client.get("/show/a%20b")[2], b"/show/a b|example|")
        for path, status in (("/show/%zz", 400), ("/a/../b", 400), ("/none", 404), ("/" + "a" * 8192, 414)):
            self.assertEqual(client.get(path)[0], status, path)

    def test_what_has_no_route_gets_the_same_refusals(self):
        client = self.client()
        status, headers, _ = client.get("/hello", method="DELETE")
        self.assertEqual((status, headers["allow"]), (405, "GET, HEAD, OPTIONS"))
        self.assertEqual(client.get("/hello", method="OPTIONS")[0], 204)
        self.assertEqual(client.get("/hello", method="BREW")[0], 501)
        self.assertEqual(client.get("/none", method="POST", body=b"x" * 100)[0], 404)

    def test_head_has_the_length_and_no_body(self):
        status, headers, body = self.client().get("/big/1000", method="HEAD")
        self.assertEqual((status, headers["content-length"], body), (200, "1000", b""))

    def test_names_of_fields_go_out_in_lower_case(self):
        headers = self.client().get("/big/1")[1]
        self.assertEqual(headers["x-mixed-case"], "Kept As Is")

    def test_correlation_is_taken_over(self):
        headers = self.client().get("/hello", headers=[("x-correlation-id", "mine-1")])[1]
        self.assertEqual(headers["x-correlation-id"], "mine-1")

    def test_each_answer_of_a_connection_has_its_own_correlation(self):
        client = self.client()
        for i in range(20):
            self.assertEqual(client.get("/hello", headers=[("x-correlation-id", f"mine-{i}")])[1]["x-correlation-id"],
                             f"mine-{i}")
        made = {client.get("/hello")[1]["x-correlation-id"] for _ in range(20)}
        self.assertEqual(len(made), 20)

    def test_answers_have_the_security_fields_that_http_1_1_has(self):
        client = self.client()
        for path in ("/hello", "/hello", "/big/1", "/hello", "/absent"):
            headers = client.get(path)[1]
            self.assertEqual([headers.get(name) for name in SECURITY], list(SECURITY.values()))

    def test_too_many_or_too_large_fields_are_431(self):
        client = self.client()
        self.assertEqual(client.get("/hello", headers=[(f"x-{i}", "1") for i in range(120)])[0], 431)
        self.assertEqual(client.get("/hello", headers=[("x-large", "a" * 17000)])[0], 431)
        self.assertEqual(client.get("/hello")[0], 200)


class Malformed(Http2):
    def refused(self, block, flags=5, stream=1, more=b""):
        raw = self.raw()
        raw.send(frame(HEADERS, flags, stream, block) + more)
        kind, _, _, payload = raw.until(RST_STREAM, GOAWAY, HEADERS)
        if kind == HEADERS:
            return status_of(payload)
        return "reset" if kind == RST_STREAM else "goaway", code_of(kind, payload)

    def test_fields_that_http_2_forbids_are_errors_of_the_stream(self):
        for field in ((b"connection", b"close"), (b"transfer-encoding", b"chunked"), (b"keep-alive", b"1"),
                      (b"upgrade", b"x"), (b"te", b"gzip"), (b":path", b"/again"), (b":late", b"1"),
                      (b"content-length", b"5"), (b":status", b"200")):
            self.assertEqual(self.refused(request_block(more=[field])), ("reset", PROTOCOL_ERROR), field)

    def test_what_http_1_1_refuses_is_refused_with_a_status(self):
        for field in ((b"host", b"other"), (b"X-Upper", b"1"), (b"x", b"a\r\nb: c"), (b"x", b"a\0b"),
                      (b"x y", b"1"), (b"expect", b"something"), (b"content-length", b"x")):
            refused = self.refused(request_block(more=[field]))
            self.assertIn(refused, (400, 417, ("reset", PROTOCOL_ERROR)), field)

    def test_a_path_cannot_smuggle_a_request_line(self):
        for path in (b"", b"hello", b"http://b/hello", b"/a b", b"/ HTTP/1.1\r\nX: y", b"//\x7f", b"*"):
            refused = self.refused(request_block(path))
            self.assertIn(refused, (400, ("reset", PROTOCOL_ERROR)), path)

    def test_te_trailers_and_an_equal_host_pass(self):
        block = request_block(more=[(b"te", b"trailers"), (b"host", b"A")])
        self.assertEqual(self.refused(block), 200)

    def test_a_body_that_is_not_as_long_as_announced_is_an_error_of_its_stream(self):
        block = request_block(b"/echo", b"POST", [(b"content-length", b"3")])
        for body in (b"ab", b"abcd"):
            self.assertEqual(self.refused(block, END_HEADERS, more=frame(DATA, 1, 1, body)),
                             ("reset", PROTOCOL_ERROR))

    def test_frames_out_of_order_end_the_connection(self):
        for bad in (frame(DATA, 0, 1, b"x"), frame(CONTINUATION, 4, 1, b""), frame(HEADERS, 5, 2, request_block()),
                    frame(HEADERS, 1, 1, request_block()) + frame(PING, 0, 0, b"x" * 8),
                    frame(PUSH, 4, 1, b"\0\0\0\2"), frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\0"),
                    frame(SETTINGS, 0, 1), frame(RST_STREAM, 0, 7, b"\0\0\0\0")):
            raw = self.raw()
            raw.send(bad)
            self.assertEqual(raw.goaway(), PROTOCOL_ERROR, bad)
            raw.ends()
        self.others_go_on()

    def test_frames_of_a_wrong_size_end_the_connection(self):
        for bad in (frame(DATA, 0, 1, b"x" * 16385), frame(PING, 0, 0, b"x" * 7), frame(SETTINGS, 0, 0, b"x"),
                    b"\xff\xff\xff\x00\x00\x00\x00\x00\x01", frame(WINDOW_UPDATE, 0, 0, b"x"),
                    frame(GOAWAY, 0, 0, b"")):
            raw = self.raw()
            raw.send(frame(HEADERS, 4, 1, request_block(b"/echo", b"POST")) + bad)
            self.assertEqual(raw.goaway(), FRAME_SIZE_ERROR, bad)
        self.others_go_on()

    def test_data_after_the_end_of_a_stream_is_an_error(self):
        raw = self.raw()
        raw.send(frame(HEADERS, 5, 1, request_block(b"/wait/60000")) + frame(DATA, 0, 1, b"late"))
        kind, _, _, payload = raw.until(RST_STREAM, GOAWAY)
        self.assertEqual(code_of(kind, payload), STREAM_CLOSED)
        wait_for(lambda: self.state()[0] == 0, "the cancelled handler")

    def test_a_preface_that_breaks_off_is_refused(self):
        raw = self.raw(preface=False)
        raw.send(PREFACE + frame(PING, 0, 0, b"x" * 8))
        self.assertEqual(raw.goaway(), PROTOCOL_ERROR)

    def test_a_broken_header_block_ends_the_connection(self):
        raw = self.raw()
        raw.send(frame(HEADERS, 5, 1, b"\xff\xff\xff\xff\xff\xff"))
        self.assertEqual(raw.goaway(), 9)


class Bodies(Http2):
    settings = ("max_body=1 MiB",)

    def test_a_body_comes_back(self):
        body = os.urandom(300_000)
        self.assertEqual(self.client().get("/echo", method="POST", body=body)[2], body)

    def test_bodies_of_many_streams_are_kept_apart(self):
        client = self.client()
        bodies = [bytes([65 + i]) * 1000 for i in range(20)]
        streams = [client.ask("/echo", method="POST", end=False) for _ in bodies]
        for stream, body in zip(streams, bodies):
            client.connection.send_data(stream, body[:500])
        for stream, body in zip(streams, bodies):
            client.connection.send_data(stream, body[500:], end_stream=True)
        client.flush()
        self.assertEqual([answer[2] for answer in client.wait(*streams)], bodies)

    def test_a_body_that_is_too_large_is_413_when_announced_and_when_it_comes(self):
        client = self.client()
        announced = client.ask("/echo", method="POST", headers=[("content-length", "2000000")], end=False)
        self.assertEqual(client.wait(announced)[0], 413)
        self.assertEqual(client.get("/echo", method="POST", body=b"x" * 1_100_000)[0], 413)
        self.assertEqual(client.get("/little", method="POST", body=b"x" * 200_000)[0], 413)
        self.assertEqual(client.get("/hello")[0], 200)

    def test_100_continue_is_sent_where_the_body_is_wanted(self):
        client = self.client()
        expecting = [("expect", "100-continue")]
        for path, wanted in (("/echo", ["100"]), ("/count", ["100"]), ("/none", [])):
            stream = client.ask(path, method="POST", headers=expecting, end=False)
            while not client.answers[stream]["interim"] and client.answers[stream]["end"] is None:
                client.turn()
            if wanted:
                client.send_body(stream, b"12345")
            self.assertEqual(client.wait(stream)[0], 200 if wanted else 404)
            self.assertEqual(client.answers[stream]["interim"], wanted, path)

    def test_a_handler_reads_a_stream_far_larger_than_the_window(self):
        size = 3_000_000
        self.assertEqual(self.client().get("/count", method="POST", body=b"x" * size)[2], b"%d" % size)

    def test_a_handler_answers_while_it_reads(self):
        client = self.client()
        stream = client.ask("/mirror", method="POST", end=False)
        for piece in (b"first", b"second"):
            client.send_body(stream, piece, end=False)
            while not client.answers[stream]["body"].endswith(piece):
                client.turn()
        client.connection.end_stream(stream)
        client.flush()
        self.assertEqual(client.wait(stream)[2], b"firstsecond")

    def test_trailers_end_a_body(self):
        client = self.client()
        stream = client.ask("/echo", method="POST", end=False)
        client.connection.send_data(stream, b"with trailers")
        client.connection.send_headers(stream, [("x-sum", "1")], end_stream=True)
        client.flush()
        self.assertEqual(client.wait(stream)[2], b"with trailers")

    def test_a_body_that_nobody_reads_is_called_off_after_the_answer(self):
        client = self.client()
        stream = client.ask("/ignore", method="POST", end=False)
        self.assertEqual(client.wait(stream)[2], b"ignored")
        self.assertEqual(client.get("/hello")[0], 200)
        resets = [event for event in client.events if isinstance(event, h2.events.StreamReset)]
        self.assertEqual([(event.stream_id, event.error_code) for event in resets], [(stream, NO_ERROR)])

    def test_large_answers_whole_and_in_pieces_arrive(self):
        client = self.client()
        whole, pieces = client.wait(client.ask("/big/2000000"), client.ask("/stream/2000000"))
        self.assertEqual(len(whole[2]), 2_000_000)
        self.assertEqual(whole[2][:27], b"abcdefghijklmnopqrstuvwxyza")
        self.assertEqual(pieces[2], b"s" * 2_000_000)
        self.assertNotIn("content-length", pieces[1])

    def test_an_answer_that_breaks_off_is_reset(self):
        client = self.client()
        self.assertEqual(client.wait(client.ask("/snap")), h2.errors.ErrorCodes.INTERNAL_ERROR)
        self.assertEqual(client.get("/hello")[0], 200)

    def test_bodies_beyond_what_a_connection_may_hold_are_refused_and_can_be_sent_again(self):
        client = self.client()
        streams = []
        for _ in range(8):
            stream = client.ask("/echo", method="POST", end=False)
            streams.append(stream)
            client.send_body(stream, b"x" * 1_000_000, end=False)
            if client.answers[stream]["end"] is not None:
                break
        self.assertEqual(client.answers[streams[-1]]["end"], h2.errors.ErrorCodes.REFUSED_STREAM)
        client.connection.end_stream(streams[0])
        client.flush()
        self.assertEqual(len(client.wait(streams[0])[2]), 1_000_000)
        self.others_go_on()


class Streams(unittest.TestCase):
    """What handlers stream, over HTTP/2 as over HTTP/1.1 (test_streams.py)."""

    @classmethod
    def setUpClass(cls):
        cls.made = cls.enterClassContext(deployment(("streams",), 'streams: { folder = "."; };\n'))
        cls.made.start_ready()
        with open(cls.made.path("page.txt"), "wb") as file:
            file.write(b"0123456789" * 10_000)

    def client(self):
        client = Client(self.made.port)
        self.addCleanup(client.close)
        return client

    def test_trailers_arrive_both_ways(self):
        client = self.client()
        stream = client.ask("/count", method="POST", end=False)
        client.connection.send_data(stream, b"!")
        client.connection.send_headers(stream, [("x-sum", "33"), ("host", "evil")], end_stream=True)
        client.flush()
        self.assertEqual(client.wait(stream)[2], b"1 33 33")
        stream = client.ask("/mirror", method="POST", headers=[("te", "trailers")], body=b"hi")
        self.assertEqual(client.wait(stream)[2], b"hi")
        trailers = [event for event in client.events if isinstance(event, h2.events.TrailersReceived)]
        self.assertEqual([dict(event.headers) for event in trailers], [{"x-end": "reached"}])

    def test_trailers_without_end_cost_only_their_stream(self):
        client = self.client()
        stream = client.ask("/count", method="POST", end=False)
        client.connection.send_headers(stream, [("x-sum", "3" * 5000)], end_stream=True)
        client.flush()
        self.assertEqual(client.wait(stream), CALM)
        self.assertEqual(client.wait(client.ask("/count", method="POST", body=b"!"))[2], b"1 33 ")

    def test_a_large_body_comes_back_while_it_is_sent(self):
        data = bytes(i * 7 & 0xff for i in range(1_000_000))
        done = subprocess.run(["curl", "-sS", "--http2-prior-knowledge", "--data-binary", "@-",
                               f"http://127.0.0.1:{self.made.port}/mirror"], input=data,
                              capture_output=True, timeout=LIMIT, check=True)
        self.assertEqual(done.stdout, data)

    def test_files_have_ranges_lengths_and_tags(self):
        client = self.client()
        status, headers, body = client.get("/files/page.txt")
        self.assertEqual((status, headers["content-length"], len(body)), (200, "100000", 100_000))
        stream = client.ask("/files/page.txt", headers=[("range", "bytes=5-14")])
        status, headers, body = client.wait(stream)
        self.assertEqual((status, headers["content-range"], body),
                         (206, "bytes 5-14/100000", b"5678901234"))
        stream = client.ask("/files/page.txt", headers=[("if-none-match", headers["etag"])])
        self.assertEqual(client.wait(stream)[0], 304)

    def test_events_come_as_they_are_sent(self):
        client = self.client()
        stream = client.ask("/events")
        while client.answers[stream]["body"].count(b"data: tick\n\n") < 3:
            self.assertTrue(client.turn())
        self.assertIsNone(client.answers[stream]["end"])

    def test_a_listener_to_events_who_ends_his_side_is_let_go(self):
        client = self.client()
        stream = client.ask("/events")
        while client.answers[stream]["body"].count(b"data: tick\n\n") < 3:
            self.assertTrue(client.turn())
        client.socket.shutdown(socket.SHUT_WR)
        last = b""
        while part := client.socket.recv(65536):
            last += part
        self.assertIn(frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL)), last)

    def test_a_websocket_is_not_offered(self):
        client = self.client()
        self.assertEqual(client.get("/echo")[0], 400)


class Ends(Http2):
    settings = ("idle_timeout=1 s", "request_timeout=1 s", "header_timeout=1 s")

    def test_an_idle_connection_ends_with_a_farewell(self):
        raw = self.raw()
        raw.send(frame(HEADERS, 5, 1, request_block()))
        self.assertEqual(raw.goaway(), NO_ERROR)
        self.assertTrue(raw.ends())

    def test_a_connection_that_is_used_is_not_idle(self):
        client = self.client()
        end = time.monotonic() + 2.5
        while time.monotonic() < end:
            self.assertEqual(client.get("/hello")[0], 200)

    def test_pings_do_not_keep_an_idle_connection(self):
        raw = self.raw()
        for _ in range(20):
            raw.send(frame(PING, 0, 0, b"x" * 8))
        self.assertEqual(raw.goaway(), NO_ERROR)

    def test_a_header_block_that_does_not_end_is_not_waited_for(self):
        raw = self.raw()
        raw.send(frame(HEADERS, 1, 1, request_block()[:10]))
        self.assertEqual(raw.goaway(), NO_ERROR)

    def test_a_body_that_does_not_come_is_408(self):
        client = self.client()
        for path in ("/echo", "/count"):
            stream = client.ask(path, method="POST", end=False)
            self.assertEqual(client.wait(stream)[0], 408, path)

    def test_a_handler_beyond_its_deadline_is_504_and_the_connection_goes_on(self):
        client = self.client()
        self.assertEqual(client.get("/wait/60000")[0], 504)
        self.assertEqual(client.get("/hello")[0], 200)

    def test_a_stream_whose_window_stays_shut_is_given_up(self):
        client = self.client()
        client.acknowledges = False
        stuck = client.ask("/big/200000")
        self.assertEqual(client.wait(stuck), CANCEL)

    def test_a_client_that_resets_cancels_its_handler(self):
        client = self.client()
        before = self.state()[1]
        stream = client.ask("/wait/900")
        wait_for(lambda: self.state()[0] == 1, "the handler")
        client.connection.reset_stream(stream, CANCEL)
        client.flush()
        wait_for(lambda: self.state() == (0, before + 1), "the cancelled handler")
        self.assertEqual(client.get("/hello")[0], 200)

    def test_a_client_that_goes_cancels_all_its_handlers(self):
        client = self.client()
        before = self.state()[1]
        for _ in range(5):
            client.ask("/wait/900")
        wait_for(lambda: self.state()[0] == 5, "the handlers")
        client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        wait_for(lambda: self.state() == (0, before + 5), "the cancelled handlers")


class Drain(unittest.TestCase):
    def setUp(self):
        self.made = self.enterContext(deployment(["wire"], 'drain_timeout = "20 s";')).start_ready()

    def test_requests_that_run_are_answered_and_the_peer_is_told_twice(self):
        raw = Raw(self.made.port)
        raw.send(frame(HEADERS, 5, 1, request_block(b"/wait/1000")))
        wait_for(lambda: self.made.get("/state")[1].startswith("1 "), "the handler")
        self.made.process.terminate()
        self.assertEqual(raw.until(GOAWAY)[3], struct.pack(">II", 2 ** 31 - 1, NO_ERROR))
        raw.send(frame(PING, 1, 0, raw.until(PING)[3]))
        self.assertEqual(raw.until(GOAWAY)[3], struct.pack(">II", 1, NO_ERROR))
        self.assertEqual(raw.until(DATA)[3], b"waited")
        self.assertTrue(raw.ends())
        self.assertEqual(self.made.wait(), 0)

    def test_an_idle_connection_is_told_and_ends_in_order(self):
        raw = Raw(self.made.port)
        raw.send(frame(HEADERS, 5, 1, request_block()))
        raw.until(DATA)
        self.made.process.terminate()
        self.assertEqual(raw.goaway(), NO_ERROR)
        raw.send(frame(HEADERS, 5, 3, request_block()) + frame(PING, 1, 0, raw.until(PING)[3]))
        self.assertEqual(raw.until(GOAWAY)[3], struct.pack(">II", 3, NO_ERROR))
        self.assertEqual(raw.until(DATA)[2], 3)  # it was under way when the end was announced
        self.assertTrue(raw.ends())
        self.assertEqual(self.made.wait(), 0)

    def test_a_peer_that_does_not_listen_holds_nothing_up(self):
        raw = Raw(self.made.port)
        raw.send(frame(HEADERS, 5, 1, request_block()))
        raw.until(DATA)
        self.made.process.terminate()
        self.assertEqual(self.made.wait(), 0)

    def test_what_outlasts_the_time_limit_is_interrupted(self):
        self.made.close()
        with deployment(["wire"], 'drain_timeout = "1 s";') as made:
            made.start_ready()
            raw = Raw(made.port)
            raw.send(frame(HEADERS, 5, 1, request_block(b"/wait/25000")))
            wait_for(lambda: made.get("/state")[1].startswith("1 "), "the handler")
            made.process.terminate()
            self.assertEqual(status_of(raw.until(HEADERS)[3]), 503)
            self.assertEqual(made.wait(), 0)


class Floods(Http2):
    settings = ("idle_timeout=2 s",)

    def setUp(self):
        super().setUp()
        self.others_go_on()
        before = resident(self.made)
        self.addCleanup(lambda: self.assertLess(resident(self.made) - before, MEMORY))
        self.addCleanup(self.others_go_on)

    def flooded(self, data, times):
        """The code that a connection ends with on which this is sent so often."""
        raw = self.raw()
        for _ in range(max(1, times // 50)):
            raw.send(data * 50)
        return raw.goaway()

    def test_streams_opened_and_reset_at_once(self):
        raw = self.raw()
        for i in range(40):
            raw.send(b"".join(frame(HEADERS, 5, stream, request_block(b"/wait/10000")) +
                              frame(RST_STREAM, 0, stream, b"\0\0\0\x08")
                              for stream in range(1 + i * 100, 101 + i * 100, 2)))
        self.assertEqual(raw.goaway(), CALM)
        wait_for(lambda: self.state()[0] == 0, "the cancelled handlers")

    def test_streams_that_the_server_is_made_to_reset(self):
        raw = self.raw()
        for i in range(40):
            raw.send(b"".join(frame(HEADERS, 5, stream, request_block(b"/wait/10000")) +
                              frame(WINDOW_UPDATE, 0, stream, b"\x7f\xff\xff\xff")
                              for stream in range(1 + i * 100, 101 + i * 100, 2)))
        self.assertEqual(raw.goaway(), CALM)
        wait_for(lambda: self.state()[0] == 0, "the cancelled handlers")

    def test_continuation_without_end(self):
        raw = self.raw()
        raw.send(frame(HEADERS, 1, 1, request_block()))
        for _ in range(100):
            raw.send(frame(CONTINUATION, 0, 1, b"\x10\x01x\x01y" * 100))
        self.assertEqual(raw.goaway(), CALM)

    def test_continuation_of_nothing(self):
        raw = self.raw()
        raw.send(frame(HEADERS, 1, 1, request_block()) + frame(CONTINUATION, 0, 1) * 2000)
        self.assertEqual(raw.goaway(), CALM)

    def test_settings(self):
        self.assertEqual(self.flooded(frame(SETTINGS, 0, 0, b"\0\x03\0\0\0\x64"), 20_000), CALM)

    def test_pings(self):
        self.assertEqual(self.flooded(frame(PING, 0, 0, b"12345678"), 20_000), CALM)

    def test_priorities(self):
        self.assertEqual(self.flooded(frame(PRIORITY, 0, 3, b"\0\0\0\0\x10"), 20_000), CALM)

    def test_window_updates(self):
        self.assertEqual(self.flooded(frame(WINDOW_UPDATE, 0, 0, b"\0\0\0\x01"), 20_000), CALM)

    def test_malformed_requests(self):
        raw = self.raw()
        raw.send(b"".join(frame(HEADERS, 5, stream, request_block(more=[(b"te", b"gzip")]))
                          for stream in range(1, 2001, 2)))
        self.assertEqual(raw.goaway(), CALM)

    def test_frames_of_unknown_kinds_are_passed_over_and_keep_nothing_open(self):
        self.assertEqual(self.flooded(frame(77, 0, 0, b"?"), 20_000), NO_ERROR)

    def test_empty_data(self):
        raw = self.raw()
        raw.send(frame(HEADERS, 4, 1, request_block(b"/echo", b"POST")))
        for _ in range(400):
            raw.send(frame(DATA, 0, 1) * 50)
        self.assertEqual(raw.goaway(), CALM)

    def test_data_of_nothing_but_padding(self):
        raw = self.raw()
        raw.send(frame(HEADERS, 4, 1, request_block(b"/echo", b"POST")))
        for _ in range(400):
            raw.send(frame(DATA, 8, 1, b"\x01\0") * 50)
        self.assertEqual(raw.goaway(), CALM)

    def test_acknowledgements_of_nothing(self):
        self.assertIn(self.flooded(frame(PING, 1, 0, b"12345678"), 20_000), (CALM,))

    def test_a_small_block_that_decodes_to_much(self):
        raw = self.raw()
        bomb = b"\x40\x01x\x7f\xa1\x1e" + b"y" * 4000 + b"\xbe" * 12000  # 48 MB
        raw.send(frame(HEADERS, 5, 1, request_block() + bomb))
        self.assertEqual(raw.goaway(), CALM)

    def test_more_streams_than_allowed_are_refused_and_the_allowed_ones_served(self):
        raw = self.raw()
        raw.send(b"".join(frame(HEADERS, 5, stream, request_block(b"/wait/500")) for stream in range(1, 241, 2)))
        refused = sorted(raw.reset() for _ in range(20))
        self.assertEqual({code for _, code in refused}, {REFUSED})
        self.assertEqual([raw.until(DATA)[3] for _ in range(100)], [b"waited"] * 100)

    def test_large_answers_behind_a_tiny_window(self):
        raw = self.raw()
        raw.send(frame(SETTINGS, 0, 0, b"\0\x04\0\0\0\x01"))  # windows of one byte
        for stream in range(1, 200, 2):
            raw.send(frame(HEADERS, 5, stream, request_block(b"/stream/100000000")))
        reset = {raw.reset() for _ in range(100)}
        self.assertEqual(reset, {(stream, CANCEL) for stream in range(1, 200, 2)})

    def test_a_peer_that_asks_and_never_reads(self):
        raw = self.raw()
        raw.socket.settimeout(0.5)
        with contextlib.suppress(OSError):
            for stream in range(1, 200_000, 2):
                raw.socket.sendall(frame(WINDOW_UPDATE, 0, 0, b"\0\x10\0\0") +
                                   frame(HEADERS, 5, stream, request_block(b"/big/60000")))
        self.others_go_on()
        raw.socket.settimeout(LIMIT)
        raw.ends()

    def test_a_window_beyond_its_limit_is_an_error(self):
        raw = self.raw()
        raw.send(frame(WINDOW_UPDATE, 0, 0, b"\x7f\xff\xff\xff"))
        self.assertEqual(raw.goaway(), 3)

    def test_ordinary_use_is_no_flood(self):
        client = self.client()
        for _ in range(30):
            streams = [client.ask("/hello") for _ in range(100)]
            self.assertEqual({answer[0] for answer in client.wait(*streams)}, {200})
        self.assertEqual(len(client.get("/big/5000000")[2]), 5_000_000)
        load = subprocess.run(["h2load", "-n", "3000", "-c", "3", "-m", "100",
                               f"http://127.0.0.1:{self.made.port}/big/20000"], check=True, text=True,
                              stdout=subprocess.PIPE, timeout=LIMIT)
        self.assertIn("3000 succeeded, 0 failed", load.stdout)


class Switched(unittest.TestCase):
    def test_it_can_be_switched_off(self):
        with deployment(["wire"]) as made:
            made.start_ready("--set", "http.http2=false")
            raw = Raw(made.port)
            self.assertEqual(raw.read(12), b"HTTP/1.1 505")

    def test_the_number_of_streams_can_be_set(self):
        with deployment(["wire"]) as made:
            made.start_ready("--set", "http.max_streams=3")
            raw = Raw(made.port)
            raw.send(b"".join(frame(HEADERS, 5, stream, request_block(b"/wait/300")) for stream in range(1, 11, 2)))
            self.assertEqual(sorted(raw.reset() for _ in range(2)), [(7, REFUSED), (9, REFUSED)])


if __name__ == "__main__":
    unittest.main()
