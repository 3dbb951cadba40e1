"""Bodies in pieces, trailers and event streams, through the real rtd and from curl."""

import os
import re
import signal
import struct
import socket
import subprocess
import unittest

from deployment import deployment, read, wait_for

PATIENCE = 60  # seconds


CONFIG = 'streams: { folder = "."; };\ndrain_timeout = "10 s";\nworkers = 1;\n'


def worker_of(made):
    """The process that serves: the supervisor's child."""
    children = f"/proc/{made.process.pid}/task/{made.process.pid}/children"
    with open(children, encoding="ascii") as file:
        return int(file.read().split()[0])


def resident(pid):
    """MiB that the process has had at most."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        line = next(line for line in file if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024


def curl(*arguments, data=None):
    return subprocess.run(["curl", "-sS", "--max-time", str(PATIENCE), *arguments], input=data,
                          capture_output=True, timeout=PATIENCE, check=True).stdout


def dial(port):
    return socket.create_connection(("127.0.0.1", port), PATIENCE)


def hear_until(connection, mark):
    """What comes, up to the mark and with it."""
    text = b""
    while mark not in text:
        piece = connection.recv(4096)
        if not piece:
            raise AssertionError(f"it ended after {text!r}")
        text += piece
    return text


class Bodies(unittest.TestCase):
    def test_uploads_and_downloads_of_any_framing_arrive_whole(self):
        with deployment(("streams",), CONFIG) as made:
            made.start_ready()
            url = f"http://127.0.0.1:{made.port}"
            data = bytes(i * 7 & 0xff for i in range(3_000_000))
            answer = f"{len(data)} {sum(data)} ".encode()
            for header in ("Expect:", "Expect: 100-continue", "Transfer-Encoding: chunked"):
                self.assertEqual(curl("-H", header, "--data-binary", "@-", f"{url}/count",
                                      data=data), answer)
                self.assertEqual(curl("-H", header, "--data-binary", "@-", f"{url}/mirror",
                                      data=data), data)
            self.assertEqual(curl("--http1.0", "--data-binary", "@-", f"{url}/mirror",
                                  data=data), data)
            self.assertEqual(made.stop(), 0)

    def test_a_large_upload_and_download_take_little_memory(self):
        with deployment(("streams",), CONFIG) as made:
            # What AddressSanitizer keeps of freed memory would be counted too.
            options = made.environment()["ASAN_OPTIONS"] + ":quarantine_size_mb=1"
            made.start_ready(environment={"ASAN_OPTIONS": options})
            url = f"http://127.0.0.1:{made.port}"
            worker = worker_of(made)
            curl("--data-binary", "@-", f"{url}/mirror", data=b"x" * 1000)
            before = resident(worker)
            data = bytes(100 << 20)
            self.assertEqual(curl("--data-binary", "@-", f"{url}/count", data=data),
                             b"104857600 0 ")
            self.assertEqual(len(curl("--data-binary", "@-", f"{url}/mirror", data=data)),
                             len(data))
            self.assertLess(resident(worker) - before, 50)
            self.assertEqual(made.stop(), 0)

    def test_trailers_arrive_both_ways(self):
        with deployment(("streams",), CONFIG) as made:
            made.start_ready()
            with dial(made.port) as connection:
                connection.sendall(b"POST /count HTTP/1.1\r\nHost: a\r\n"
                                   b"Transfer-Encoding: chunked\r\n\r\n"
                                   b"1\r\n!\r\n0\r\nX-Sum: 33\r\nHost: evil\r\n\r\n")
                self.assertIn(b"\r\n\r\n1 33 33", hear_until(connection, b"33 33"))
                connection.sendall(b"POST /mirror HTTP/1.1\r\nHost: a\r\nTE: trailers\r\n"
                                   b"Content-Length: 2\r\n\r\nhi")
                text = hear_until(connection, b"0\r\nX-End: reached\r\n\r\n")
                self.assertIn(b"\r\nTrailer: X-End\r\n", text)
            self.assertEqual(made.stop(), 0)

    def test_an_upload_that_is_cut_is_no_upload(self):
        with deployment(("streams",), CONFIG) as made:
            made.start_ready()
            with dial(made.port) as connection:
                connection.sendall(b"POST /count HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc")
                connection.shutdown(socket.SHUT_WR)
                self.assertIn(b" 400 ", hear_until(connection, b"\r\n\r\n"))
            self.assertEqual(made.stop(), 0)


class EventStreams(unittest.TestCase):
    def open(self, made, headers=""):
        connection = dial(made.port)
        self.addCleanup(connection.close)
        connection.sendall(f"GET /events HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode())
        return connection

    def test_events_come_at_once_and_go_on_after_the_last_one_seen(self):
        with deployment(("streams",), CONFIG) as made:
            made.start_ready()
            for headers, first in (("", b"1"), ("Last-Event-ID: 5\r\n", b"6")):
                connection = self.open(made, headers)
                text = hear_until(connection, b"id: " + bytes([first[0] + 2]) + b"\ndata: tick\n\n")
                self.assertIn(b"id: " + first + b"\ndata: tick\n\n", text)
            self.assertEqual(made.stop(), 0)

    def test_a_silent_stream_shows_that_it_lives_beyond_the_time_of_a_request(self):
        with deployment(("streams",), "") as made:
            with open(made.config, "w", encoding="utf-8") as file:
                file.write('plugins = ["plugins"];\nadmin: { listen = []; };\nstreams: { folder = "."; };\n'
                           f'http: {{ listen = ["127.0.0.1:{made.port}"]; '
                           'request_timeout = "300 ms"; ping_interval = "100 ms"; };\n')
            made.start_ready()
            connection = self.open(made)
            hear_until(connection, b":\n\n\r\n")
            for _ in range(5):
                hear_until(connection, b":\n\n")
            self.assertEqual(made.stop(), 0)

    def test_a_stop_ends_streams_whole_and_without_waiting_for_its_time_limit(self):
        with deployment(("streams",), CONFIG) as made:
            made.start_ready()
            connection = self.open(made)
            hear_until(connection, b"id: 3\ndata: tick\n\n")
            made.process.send_signal(signal.SIGTERM)
            hear_until(connection, b"0\r\n\r\n")
            self.assertEqual(connection.recv(1), b"")
            connection.close()
            self.assertEqual(made.wait(), 0)
            self.assertNotIn("interrupt", made.log())

    def test_a_listener_who_leaves_is_noticed(self):
        with deployment(("streams",), CONFIG) as made:
            made.start_ready()
            for _ in range(50):
                connection = self.open(made)
                hear_until(connection, b"id: 3\ndata: tick\n\n")
                connection.close()
            sockets = f"/proc/{worker_of(made)}/fd"
            wait_for(lambda: len(os.listdir(sockets)) < 40, "the connections to be closed")
            self.assertEqual(made.stop(), 0)


class Logged(unittest.TestCase):
    """What the access log counts of answers that come in pieces."""

    HANDSHAKE = (b"GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                 b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")

    def start(self, made):
        made.start_ready("--set", 'http.access_log.format="combined"',
                         "--set", 'http.access_log.file="access.log"')

    def entry(self, made, path):
        """(status, bytes) of the one line about the path."""
        form = re.compile(rf'"GET {path} HTTP/1\.1" (\d+) (\d+) ')
        found = wait_for(lambda: form.findall(read(made.path("access.log"))), f"a line about {path}")
        self.assertEqual(len(found), 1)
        return tuple(map(int, found[0]))

    def test_events_and_messages_are_counted(self):
        with deployment(("streams",), CONFIG) as made:
            self.start(made)
            with dial(made.port) as connection:
                connection.sendall(b"GET /events HTTP/1.1\r\nHost: a\r\n\r\n")
                hear_until(connection, b"id: 3\ndata: tick\n\n")
            self.assertEqual(self.entry(made, "/events"), (499, 3 * len("id: 1\ndata: tick\n\n")))
            with dial(made.port) as connection:
                connection.sendall(self.HANDSHAKE + b"\x81\x82\0\0\0\0hi\x88\x82\0\0\0\0\x03\xe8")
                hear_until(connection, b"\x81\x02hi\x88\x02\x03\xe8")
            self.assertEqual(self.entry(made, "/echo"), (101, 8))
            self.assertEqual(made.stop(), 0)

    def test_what_was_not_sent_to_a_client_that_left_is_not_counted(self):
        with deployment(("streams",), CONFIG) as made:
            self.start(made)
            with dial(made.port) as connection:
                connection.sendall(b"GET /lump HTTP/1.1\r\nHost: a\r\n\r\n")
                hear_until(connection, b"\0")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            status, count = self.entry(made, "/lump")
            self.assertEqual(status, 499)
            self.assertGreater(count, 0)
            self.assertLess(count, 64 << 20)
            self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
