"""Load that counts exactly: each request has an id, and what became of each is known at the end."""

import dataclasses
import errno
import heapq
import random
import selectors
import socket
import threading
import time

BODY = bytes(10_000)
PATIENCE = 60.0  # seconds that an answer may take before it counts as lost
STALE = 0.05  # seconds until a refused connection is tried again

# How often each kind of client is there, whether it keeps its connection, and its pauses.
CLIENTS = ((6, True, (0.0, 0.0, 0.005)), (6, True, (0.0, 0.02, 0.1)), (4, True, (0.5, 1.5, 4.0)),
           (6, False, (0.0, 0.0, 0.005)))
WAITS = (0, 0, 0, 0, 1, 5, 20)  # milliseconds that a handler waits


@dataclasses.dataclass
class Request:
    """One that was begun; `how` is how it was lost."""
    number: str
    kept: bool  # sent on a connection on which another one had been answered
    worker: int  # that had answered there, or 0
    began: float
    whole: bool = False  # sent to its end
    how: str = ""
    at: float = 0.0  # when it was lost


class Client:
    """One after the other: wait, connect unless connected, send, take the answer."""

    def __init__(self, load, keeps, pauses):
        self.load, self.keeps, self.pauses = load, keeps, pauses
        self.socket = None
        self.request = None
        self.connecting = False
        self.worker = 0
        self.used = False
        self.unsent = b""
        self.received = b""

    def pause(self):
        self.load.wake(self, random.choice(self.pauses))

    def begin(self):
        if self.socket and self.stale():
            self.close()
        number = self.load.next_number()
        self.request = Request(number, self.used, self.worker, time.monotonic())
        wait = random.choice(WAITS)
        if random.random() < 0.1:
            self.unsent = (f"POST /work/{number}/{wait} HTTP/1.1\r\nHost: faults\r\n"
                           f"Content-Length: {len(BODY)}\r\n\r\n").encode() + BODY
        else:
            self.unsent = f"GET /work/{number}/{wait} HTTP/1.1\r\nHost: faults\r\n\r\n".encode()
        if self.socket:
            self.send()
        else:
            self.connect()

    def stale(self):
        """Whether the server ended the connection while nothing was asked, as it may."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return False
        except OSError:
            return True
        if data:
            self.load.count("unasked")
        return True

    def connect(self):
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.connecting = True
        self.load.count("connections")
        error = self.socket.connect_ex(("127.0.0.1", self.load.port))
        if error not in (0, errno.EINPROGRESS):
            self.refused(error)
        else:
            self.load.watch(self, selectors.EVENT_WRITE)

    def refused(self, error):
        """Nothing was sent, so it is begun again: no request is lost, but the client notices."""
        self.load.count("refused" if error == errno.ECONNREFUSED else "not connected")
        self.request = None
        self.close()
        self.load.wake(self, STALE)

    def send(self):
        try:
            sent = self.socket.send(self.unsent)
        except BlockingIOError:
            sent = 0
        except OSError as error:
            self.unsent = b""
            self.receive(error)  # an answer may have come before
            return
        self.unsent = self.unsent[sent:]
        if not self.unsent and not self.request.whole:
            self.request.whole = True
            self.load.count("sent")
        self.load.watch(self, selectors.EVENT_READ | (selectors.EVENT_WRITE if self.unsent else 0))

    def on_event(self, events):
        if self.connecting:
            error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if error:
                self.refused(error)
                return
            self.connecting = False
            self.send()
        elif events & selectors.EVENT_READ:
            self.receive(None)
        elif self.unsent:
            self.send()

    def receive(self, error):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            if error:
                self.lose(error)
            return
        except OSError as failure:
            self.lose(failure)
            return
        self.received += data
        if not data:
            self.lose(None)
        elif not self.take_answer() and error:
            self.lose(error)

    def take_answer(self):
        head, found, rest = self.received.partition(b"\r\n\r\n")
        fields = head.lower().split(b"\r\n")
        length = [int(field[15:]) for field in fields if field.startswith(b"content-length:")]
        if not found or not length or len(rest) < length[0]:
            return False
        self.answered(int(head[9:12]), rest[:length[0]].decode(), rest[length[0]:])
        if b"connection: close" in fields or not self.keeps:
            self.close()
        self.pause()
        return True

    def answered(self, status, body, beyond):
        words = body.split(" ")
        request, self.request = self.request, None
        self.received = b""
        self.used = True
        self.load.note_answer(request, status, words)
        self.worker = int(words[1]) if status == 200 and words[1:2] else 0
        if beyond:
            self.load.count("unasked")
            self.close()

    def lose(self, error):
        request, self.request = self.request, None
        if self.received:
            request.how = "answer cut"
        elif error:
            request.how = "reset"
        else:
            request.how = "closed"
        self.load.note_lost(request)
        self.close()
        self.pause()

    def close(self):
        if self.socket:
            self.load.forget(self)
            self.socket.close()
        self.socket = None
        self.connecting = self.used = False
        self.worker = 0
        self.unsent = self.received = b""


class Load:
    """Clients in a thread of their own, until `finish`; then `counts`, `lost` and `answers`."""

    def __init__(self, port, clients=CLIENTS):
        self.port = port
        self.counts = {}
        self.statuses = {}
        self.labels = set()
        self.workers = {}  # pid → requests that it answered
        self.lost = []
        self.longest = 0.0
        self.numbers = 0
        self.waking = []
        self.selector = selectors.DefaultSelector()
        self.over = threading.Event()
        self.held = threading.Event()  # while it is set nothing new is begun
        self.clients = [Client(self, keeps, pauses) for count, keeps, pauses in clients
                        for _ in range(count)]
        self.failure = None
        self.thread = threading.Thread(target=self.run, daemon=True)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.finish()

    def finish(self):
        """Begins nothing more, and waits for the answers that are due."""
        self.over.set()
        self.thread.join()
        if self.failure:
            raise self.failure

    def next_number(self):
        self.numbers += 1
        return f"r{self.numbers}"

    def count(self, what):
        self.counts[what] = self.counts.get(what, 0) + 1

    def answered_so_far(self):
        return self.statuses.get(200, 0)

    def note_answer(self, request, status, words):
        self.statuses[status] = self.statuses.get(status, 0) + 1
        self.longest = max(self.longest, time.monotonic() - request.began)
        if status != 200:
            return
        if words[0] != request.number:
            self.count("another's answer")
        self.labels.add(words[2])
        self.workers[int(words[1])] = self.workers.get(int(words[1]), 0) + 1

    def note_lost(self, request):
        request.at = time.monotonic()
        self.lost.append(request)

    # --- the loop

    def wake(self, client, after):
        heapq.heappush(self.waking, (time.monotonic() + after, id(client), client))

    def watch(self, client, events):
        try:
            self.selector.modify(client.socket, events, client)
        except KeyError:
            self.selector.register(client.socket, events, client)

    def forget(self, client):
        try:
            self.selector.unregister(client.socket)
        except KeyError:
            pass

    def begin_due(self):
        now = time.monotonic()
        while self.waking and self.waking[0][0] <= now:
            client = heapq.heappop(self.waking)[2]
            if self.held.is_set():
                self.wake(client, STALE)
            elif not self.over.is_set():
                client.begin()

    def time_out(self):
        limit = time.monotonic() - PATIENCE
        for client in self.clients:
            if client.request and client.request.began < limit:
                client.request.how = "no answer"
                self.note_lost(client.request)
                client.request = None
                client.close()
                client.pause()

    def turn(self):
        self.begin_due()
        wait = self.waking[0][0] - time.monotonic() if self.waking else 0.1
        for key, events in self.selector.select(max(0.0, min(wait, 0.1))):
            if key.data.request:
                key.data.on_event(events)
            else:  # ended while nothing was asked; seen again before it is used
                self.selector.unregister(key.fileobj)
        self.time_out()

    def run(self):
        try:
            for client in self.clients:
                client.pause()
            while not self.over.is_set() or any(client.request for client in self.clients):
                self.turn()
            for client in self.clients:
                client.close()
        except BaseException as failure:  # told to the thread that waits
            self.failure = failure
