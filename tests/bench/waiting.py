"""Requests that wait, 5,000 at once: how many a second, and what memory each takes."""

import tempfile

from common import PROGRAMS, connect_many, free_port, load, memory, raise_descriptor_limit, rate
from common import read_answers, rtd_command, server, verdict, worker_pids

AT_ONCE = 5_000
LIMIT = 12 * 1024


def throughput(port):
    """Of handlers that wait for 1 ms, and of those that do not, over as many connections."""
    load(port, 20_000, AT_ONCE, "/wait/1")
    pairs = [(rate(load(port, 60_000, AT_ONCE, "/wait/1")), rate(load(port, 60_000, AT_ONCE)))
             for _ in range(5)]
    return [sorted(values)[2] for values in zip(*pairs)]


def memory_a_request(port, worker):
    """What 5,000 requests that wait at once add, connections and all, to a worker at rest."""
    before = memory(worker)
    request = b"GET /wait/3000 HTTP/1.1\r\nHost: bench\r\n\r\n"
    connections = connect_many(port, AT_ONCE, request)
    during = memory(worker)
    read_answers(connections, b"waited\n")
    for connection in connections:
        connection.close()
    return (during - before) / AT_ONCE


def main():
    raise_descriptor_limit()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = rtd_command(folder, port, plugins=[f"{PROGRAMS}/waiter.so"])
        with server(command, port) as (rtd, _, _):
            each = memory_a_request(port, worker_pids(rtd.pid)[0])
            waiting, plain = throughput(port)
    print(f"{AT_ONCE} requests at once: {waiting:.0f} a second that wait 1 ms, {plain:.0f} that do "
          f"not wait, ratio {waiting / plain:.2f}; {each / 1024:.1f} KiB each while they wait")
    verdict("memory of a waiting request", each / 1024, LIMIT / 1024, "KiB")


if __name__ == "__main__":
    main()
