"""A client that sends any bytes and reads answers strictly.

`connect` decides what the bytes travel on, so that the same cases can be sent over other transports.
"""

import contextlib
import socket
import typing

PATIENCE = 60  # seconds; reaching it is a failure


def connect(port, source="127.0.0.1"):
    made = socket.create_connection(("127.0.0.1", port), PATIENCE, (source, 0))
    made.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


class Answer(typing.NamedTuple):
    status: int
    fields: dict
    body: bytes


class Connection:
    """One connection; whatever the peer does to it while it is being written to is no error."""

    def __init__(self, port, opener=connect):
        self.socket = opener(port)
        self.received = b""

    def send(self, data):
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.socket.sendall(data)

    def end(self):
        """Says that nothing more will be sent."""
        with contextlib.suppress(OSError):
            self.socket.shutdown(socket.SHUT_WR)

    def read_to_end(self):
        """All that comes until the peer closes."""
        with contextlib.suppress(ConnectionResetError):
            while data := self.socket.recv(65536):
                self.received += data
        return self.received

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def parse_fields(lines):
    fields = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon:
            raise AssertionError(f"no field: {line!r}")
        fields[name.decode().lower()] = value.strip().decode("latin-1")
    return fields


def unchunk(data):
    """(content, what is behind it)"""
    content = b""
    while True:
        size, _, data = data.partition(b"\r\n")
        length = int(size.partition(b";")[0], 16)
        if length == 0:
            return content, data.partition(b"\r\n")[2]
        content, data = content + data[:length], data[length + 2:]


def take_body(status, fields, rest):
    """(body, what is behind it); None while it is incomplete."""
    if status < 200 or status in (204, 304):
        return b"", rest
    if fields.get("transfer-encoding") == "chunked":
        return unchunk(rest) if b"0\r\n\r\n" in rest else None
    length = int(fields.get("content-length", len(rest)))
    return (rest[:length], rest[length:]) if len(rest) >= length else None


def parse_answers(data):
    """Each whole answer, those of 1xx left out: whether there are any depends on timing."""
    answers = []
    while data:
        head, end, rest = data.partition(b"\r\n\r\n")
        if not end:
            raise AssertionError(f"half an answer: {data!r}")
        first, *lines = head.split(b"\r\n")
        if not first.startswith(b"HTTP/1."):
            raise AssertionError(f"no answer: {first!r}")
        status = int(first.split(b" ")[1])
        fields = parse_fields(lines)
        taken = take_body(status, fields, rest)
        if taken is None:
            raise AssertionError(f"half a body: {data!r}")
        body, data = taken
        if status >= 200:
            answers.append(Answer(status, fields, body))
    return answers


def request_once(port, path, opener=connect):
    """The answer to a GET on a connection of its own."""
    with Connection(port, opener) as made:
        made.send(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        answers = parse_answers(made.read_to_end())
    if len(answers) != 1:
        raise AssertionError(f"{len(answers)} answers to one request")
    return answers[0]


class Clock:
    """A kept connection whose answered request says that the worker has read what came before.

    A worker has one loop, which takes what is readable in the order in which it came.
    """

    def __init__(self, port, opener=connect):
        self.connection = Connection(port, opener)
        self.ticks = 0

    def tick(self):
        self.ticks += 1
        path = b"/tick/%d" % self.ticks
        self.connection.send(b"GET " + path + b" HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        while b"GET " + path + b" a " not in received:
            data = self.connection.socket.recv(65536)
            if not data:
                raise AssertionError("the clock's connection was closed")
            received += data

    def close(self):
        self.connection.close()
