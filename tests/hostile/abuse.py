"""Clients that mean harm, one who must not notice them, and what the server's memory does."""

import contextlib
import os
import random
import select
import socket
import ssl
import threading

from client import Connection, connect, request_once

PIECE = 64 * 1024
MOST = 8 * 1024 * 1024      # bytes that a flood offers on one connection
MOST_UNREAD = 64 * 1024 * 1024  # far beyond what socket buffers of both sides hold


class Witness:
    """Asks on connections of its own, all the while; each answer must be that of its question."""

    def __init__(self, port, path=b"/witness/%d", status=200):
        self.port, self.path, self.status = port, path, status
        self.count, self.wrong = 0, []
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def ask(self):
        self.count += 1
        path = self.path % self.count if b"%" in self.path else self.path
        answer = request_once(self.port, path)
        if answer.status != self.status or self.status == 200 and \
                not answer.body.startswith(b"GET " + path + b" a"):
            self.wrong.append((path, answer))

    def run(self):
        while not self.stopping.is_set():
            try:
                self.ask()
            except (OSError, AssertionError) as error:
                self.wrong.append((self.count, repr(error)))
            self.stopping.wait(0.005)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stopping.set()
        self.thread.join()


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def memory(pid, which="Rss"):
    """Bytes; Rss, or Pss, which leaves out what other processes share."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith(which + ":")) * 1024


def flood(port, head, piece):
    """Sends the piece over and over until the server ends the connection; what it had answered."""
    repeated = piece * (PIECE // len(piece) or 1)
    with Connection(port) as made:
        made.send(head)
        for _ in range(MOST // len(repeated)):
            try:
                made.socket.sendall(repeated)
            except OSError:
                break
        made.end()
        return made.read_to_end()


def push(made, data):
    """Sends what the other side takes at once; how much that is."""
    total = 0
    with contextlib.suppress(BlockingIOError):
        while total < MOST_UNREAD:
            total += made.send(data)
    return total


def pipeline_unread(port, request, witness):
    """Sends requests and reads nothing, until nothing more is taken; how many bytes were."""
    with contextlib.closing(connect(port)) as made:
        made.setblocking(False)
        data, total, still = request * (PIECE // len(request)), 0, 0
        while still < 3 and total < MOST_UNREAD:
            pushed = push(made, data)
            total, still = total + pushed, 0 if pushed else still + 1
            for _ in range(5):
                witness()  # each makes the server turn its loop
        return total


def handshake(port):
    """Speaks TLS to a port that does not; the refusal."""
    context = ssl.create_default_context()
    try:
        with connect(port) as made, context.wrap_socket(made, server_hostname="localhost"):
            return None
    except (ssl.SSLError, OSError) as error:
        return error


def garbage(port, count, seed=20261121):
    """What is answered to random bytes of random lengths, each on a connection of its own."""
    dice = random.Random(seed)
    answers = []
    for _ in range(count):
        with Connection(port) as made:
            made.send(dice.randbytes(dice.randrange(1, 3000)))
            made.end()
            answers.append(made.read_to_end())
    return answers


def open_idle(port, count):
    """Connections on which one request was answered, and which are kept."""
    opened = []
    for _ in range(count):
        made = socket.create_connection(("127.0.0.1", port), 60)
        made.sendall(b"GET /idle HTTP/1.1\r\nHost: a\r\n\r\n")
        opened.append(made)
        if len(opened) % 100 == 0:
            for each in opened[-100:]:
                if not each.recv(4096).startswith(b"HTTP/1.1 "):
                    raise AssertionError("an idle connection got no answer")
    return opened


def still_open(opened):
    """How many the server has not ended."""
    poll = select.poll()
    for made in opened:
        poll.register(made, select.POLLIN | select.POLLRDHUP)
    return len(opened) - len(poll.poll(0))


def hold(port, count):
    """For a process of its own: says `ready`, and when it is told so, how many are still there."""
    opened = open_idle(port, count)
    print("ready", flush=True)
    input()
    print(still_open(opened), flush=True)


