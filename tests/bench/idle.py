"""What an idle kept connection costs in memory, and how two workers share connections and CPU."""

import os
import tempfile

from common import PROGRAMS, connect_many, cpu_seconds, free_port, load, memory, quartiles
from common import raise_descriptor_limit, read_answers, rtd_command, server, spread, verdict
from common import worker_pids

IDLE = 10_000
PAIRS = 7
REQUESTS = 40_000
CLIENTS = 200
PATH = "/wait/0"  # orders keeps its state in one process, so it cannot have two workers
HELLO = b"GET /hello HTTP/1.1\r\nHost: bench\r\n\r\n"


def memory_of_idle():
    """Bytes a connection that had one answer and stays."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        with server(rtd_command(folder, port), port) as (rtd, _, body):
            worker = worker_pids(rtd.pid)[0]
            load(port, 2_000)
            before = memory(worker)
            connections = connect_many(port, IDLE, HELLO)
            read_answers(connections, body)
            each = (memory(worker) - before) / IDLE
            for connection in connections:
                connection.close()
    return each


def sockets(pid):
    """Connected sockets of a process, by its descriptors."""
    return sum(os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
               for fd in os.listdir(f"/proc/{pid}/fd"))


def shares(port, workers):
    """The share of the connections that each worker takes."""
    before = [sockets(pid) for pid in workers]
    connections = connect_many(port, CLIENTS, HELLO.replace(b"/hello", PATH.encode()))
    read_answers(connections, b"waited\n")
    taken = [sockets(pid) - rest for pid, rest in zip(workers, before)]
    for connection in connections:
        connection.close()
    return [count / CLIENTS for count in taken]


def cost(child, port):
    before = cpu_seconds(child.pid)
    load(port, REQUESTS, CLIENTS, PATH)
    return (cpu_seconds(child.pid) - before) / REQUESTS


def waiter_command(folder, port, workers):
    return rtd_command(folder, port, workers, [f"{PROGRAMS}/waiter.so"], "waiter")


def two_against_one():
    with tempfile.TemporaryDirectory() as one_folder, tempfile.TemporaryDirectory() as two_folder:
        one_port = free_port()
        with server(waiter_command(one_folder, one_port, 1), one_port) as (one, _, _):
            two_port = free_port()
            with server(waiter_command(two_folder, two_port, 2), two_port) as (two, _, _):
                cost(one, one_port), cost(two, two_port)
                ratios = [cost(two, two_port) / cost(one, one_port) for _ in range(PAIRS)]
                taken = [shares(two_port, worker_pids(two.pid)) for _ in range(PAIRS)]
    return ratios, [max(pair) for pair in taken]


def main():
    raise_descriptor_limit()
    each = memory_of_idle()
    print(f"{IDLE} idle kept connections: {each:.0f} bytes each (difference of Pss)")
    verdict("idle connection", each / 1024, 1, "KiB")
    ratios, larger = two_against_one()
    print(f"two workers against one: CPU a request {spread(ratios, 'of one')}, the larger share of "
          f"{CLIENTS} connections {spread(larger, '')}")
    verdict("CPU a request of two workers", quartiles(ratios)[1], 1.05, "of one")
    verdict("the larger share", quartiles(larger)[1], 0.6, "of the connections")


if __name__ == "__main__":
    main()
