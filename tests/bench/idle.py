"""What an idle kept connection costs in memory, and how two workers share connections and CPU."""

import contextlib
import os
import socket
import ssl
import subprocess
import tempfile

from common import PROGRAMS, connect_many, cpu_seconds, free_port, load, memory, quartiles
from common import raise_descriptor_limit, read_answers, rtd_command, server, spread, verdict
from common import worker_pids

IDLE = 10_000
PAIRS = 7
REQUESTS = 40_000
CLIENTS = 200
PATH = "/wait/0"  # orders has mail and a database that are one worker's alone without settings
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


def tls_command(folder, port, secured):
    """rtd on a port more, of TLS."""
    command = rtd_command(folder, port)
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "9", "-subj", "/CN=bench", "-newkey", "ec",
                    "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", f"{folder}/key.pem", "-out",
                    f"{folder}/cert.pem"], check=True, capture_output=True)
    os.chmod(f"{folder}/key.pem", 0o600)
    return [*command, "--set", f'http.listen=["127.0.0.1:{port}", "127.0.0.1:{secured} tls"]',
            "--set", "http.tls.certificate=cert.pem", "--set", "http.tls.key=key.pem"]


def connect_secured(port, body):
    """Connections that had one answer by TLS 1.3. What this side knew of their sessions is let go."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    connections = []
    for _ in range(IDLE):
        secured = context.wrap_socket(socket.create_connection(("127.0.0.1", port)))
        secured.sendall(HELLO)
        read_answers([secured], body)
        connections.append(socket.socket(fileno=secured.detach()))
    return connections


def memory_of_idle_tls():
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        secured = port + 1
        with server(tls_command(folder, port, secured), port) as (rtd, _, body):
            worker = worker_pids(rtd.pid)[0]
            load(port, 2_000)
            before = memory(worker)
            connections = connect_secured(secured, body)
            each = (memory(worker) - before) / IDLE
            for connection in connections:
                connection.close()
    return each


def sockets(pid):
    """Connected sockets of a process, by its descriptors."""
    count = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(FileNotFoundError):  # it has just been closed
            count += os.readlink(f"/proc/{pid}/fd/{fd}").startswith("socket:")
    return count


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
    print(f"{IDLE} of TLS: {memory_of_idle_tls():.0f} bytes each", flush=True)
    ratios, larger = two_against_one()
    print(f"two workers against one: CPU a request {spread(ratios, 'of one')}, the larger share of "
          f"{CLIENTS} connections {spread(larger, '')}")
    verdict("CPU a request of two workers", quartiles(ratios)[1], 1.05, "of one")
    verdict("the larger share", quartiles(larger)[1], 0.6, "of the connections")


if __name__ == "__main__":
    main()
