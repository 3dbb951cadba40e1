"""Latency of `GET /hello` at half of what nginx can do, rt beside nginx."""

import subprocess
import tempfile

from common import free_port, load, nginx_command, quartiles, rate, rtd_command, server, spread
from common import verdict
from request import content_type

PAIRS = 9
CLIENTS = 32
SECONDS = 3


def percentile(port, requests, a_client):
    """Microseconds below which 99 of 100 requests were answered."""
    with tempfile.NamedTemporaryFile(mode="r") as log:
        load(port, requests, CLIENTS, arguments=[f"--rps={a_client}", f"--log-file={log.name}"])
        times = sorted(int(line.split("\t")[2]) for line in log)
    return times[len(times) * 99 // 100]


def main():
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        port = free_port()
        with server(rtd_command(ours, port), port) as (_, head, body):
            other = free_port()
            command = nginx_command(theirs, other, body, content_type(head))
            with server(command, other):
                load(port, 20_000), load(other, 20_000)
                capacity = quartiles([rate(load(other, 40_000)) for _ in range(3)])[1]
                a_client = max(1, round(capacity / 2 / CLIENTS))
                requests = a_client * CLIENTS * SECONDS
                pairs = [(percentile(port, requests, a_client), percentile(other, requests, a_client))
                         for _ in range(PAIRS)]
    ours, theirs = zip(*pairs)
    ratios = [a / b for a, b in pairs]
    print(f"p99 at {a_client * CLIENTS} requests a second, half of nginx's {capacity:.0f}; "
          f"{PAIRS} interleaved pairs; median [quartiles]")
    print(f"  rt     {spread(ours, 'µs', 1, 0)}")
    print(f"  nginx  {spread(theirs, 'µs', 1, 0)}")
    print(f"  ratio  {spread(ratios, 'of nginx')}")
    verdict("p99", quartiles(ratios)[1], 1.2, "of nginx")


if __name__ == "__main__":
    main()
