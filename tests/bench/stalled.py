"""p99 of requests while the collector accepts and says nothing, beside one that answers and none."""

import contextlib
import os
import socket
import tempfile
import threading

from common import free_port, load, memory, quartiles, rtd_command, server, spread, tree, verdict
from latency import CLIENTS, percentile

PAIRS = 7
SECONDS = 3
RATE = 6000  # requests a second
BUFFER = 4   # MiB


class Collector(threading.Thread):
    """Accepts; answers each request with 200, or never."""

    def __init__(self, answers):
        super().__init__(daemon=True)
        self.answers = answers
        self.listener = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.listener.getsockname()[1]
        self.start()

    def run(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.serve, args=(client,), daemon=True).start()

    def serve(self, client):
        with contextlib.suppress(OSError, ValueError, IndexError), client:
            stream = client.makefile("rb")
            while True:
                length = 0
                while (line := stream.readline()) not in (b"\r\n", b""):
                    if line.lower().startswith(b"content-length:"):
                        length = int(line.split(b":")[1])
                if not stream.read(length):
                    return
                if not self.answers:
                    threading.Event().wait()
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")


def exporters(root):
    found = []
    for pid in tree(root):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            if "--role=exporter" in file.read():
                found.append(pid)
    return found


@contextlib.contextmanager
def serving(collector):
    """rtd whose spans, all of them, go to the collector; None: nowhere."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = rtd_command(folder, port)
        if collector:
            with open(f"{folder}/runtime.conf", "a", encoding="utf-8") as file:
                file.write(f'telemetry: {{ endpoint = "http://127.0.0.1:{collector.port}"; '
                           f'buffer = "{BUFFER} MiB"; metrics: {{ interval = "1 s"; }}; }};\n')
        with server(command, port) as (child, _, _):
            load(port, 20_000)
            yield port, child.pid


def main():
    a_client = RATE // CLIENTS
    requests = a_client * CLIENTS * SECONDS
    answering, stalled = Collector(True), Collector(False)
    with serving(None) as (none, _), serving(answering) as (well, _), \
            serving(stalled) as (bad, root):
        triples = [tuple(percentile(port, requests, a_client) for port in (none, well, bad))
                   for _ in range(PAIRS)]
        held = max(memory(pid) for pid in exporters(root))
        load(bad, 100_000)
        later = max(memory(pid) for pid in exporters(root))
    names = ("no collector", "one that answers", "one that stalls")
    print(f"p99 at {RATE} requests a second, every one with its span; {PAIRS} interleaved rounds; "
          "median [quartiles]")
    for name, values in zip(names, zip(*triples)):
        print(f"  {name:17} {spread(values, 'µs', 1, 0)}")
    ratios = [bad / well for _, well, bad in triples]
    print(f"  stalled           {spread(ratios, 'of answering')}")
    print(f"  exporter's memory {held / 2**20:.1f} MiB, {later / 2**20:.1f} MiB after 100,000 more "
          f"requests; `buffer` is {BUFFER} MiB")
    verdict("stalled collector", quartiles(ratios)[1], 1.1, "of one that answers")


if __name__ == "__main__":
    os.environ.pop("http_proxy", None)
    main()
