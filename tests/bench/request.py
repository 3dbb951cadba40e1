"""CPU time a request: rt beside nginx, one worker each, pinned, over kept connections."""

import tempfile

from common import cpu_seconds, free_port, load, nginx_command, rtd_command, server, spread, verdict
from common import quartiles

PAIRS = 15
REQUESTS = 40_000


def cost(child, port):
    before = cpu_seconds(child.pid)
    load(port, REQUESTS)
    return (cpu_seconds(child.pid) - before) / REQUESTS


def content_type(head):
    for line in head.split("\r\n"):
        if line.lower().startswith("content-type:"):
            return line.partition(":")[2].partition(";")[0].strip()
    return "text/plain"


def main():
    with tempfile.TemporaryDirectory() as ours, tempfile.TemporaryDirectory() as theirs:
        port = free_port()
        with server(rtd_command(ours, port), port) as (rtd, head, body):
            other = free_port()
            command = nginx_command(theirs, other, body, content_type(head))
            with server(command, other) as (nginx, _, same):
                assert same == body, "nginx is not set up to answer the same"
                cost(rtd, port), cost(nginx, other)
                pairs = [(cost(rtd, port), cost(nginx, other)) for _ in range(PAIRS)]
    ours, theirs = zip(*pairs)
    ratios = [a / b for a, b in pairs]
    print(f"GET /hello, {len(body)} bytes, 32 kept connections, {PAIRS} interleaved pairs of "
          f"{REQUESTS} requests; median [quartiles]")
    print(f"  rt     {spread(ours, 'µs a request', 1e6)}")
    print(f"  nginx  {spread(theirs, 'µs a request', 1e6)}")
    print(f"  ratio  {spread(ratios, 'of nginx')}")
    verdict("CPU a request", quartiles(ratios)[1], 1.0, "of nginx")


if __name__ == "__main__":
    main()
