"""What telemetry costs a request: access log, metrics and spans sampled at 10 %, beside none of it."""

import contextlib
import tempfile

from common import cpu_seconds, free_port, load, quartiles, rtd_command, server, spread, tree, verdict
from stalled import Collector

PAIRS = 15
REQUESTS = 40_000
OFF = """telemetry: { traces: { enabled = false; }; metrics: { enabled = false; };
             logs: { enabled = false; }; };
"""


def worker_of(root):
    for pid in tree(root):
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", encoding="utf-8") as file:
            if "--role=worker" in file.read():
                return pid
    raise AssertionError("no worker runs")


@contextlib.contextmanager
def serving(collector):
    """rtd with all of it, told to the collector, or with none."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = rtd_command(folder, port)
        path = f"{folder}/runtime.conf"
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if collector:
            text = text.replace(' access_log: { format = "off"; };',
                                f' access_log: {{ format = "json"; file = "{folder}/access.log"; }};')
            text += (f'telemetry: {{ endpoint = "http://127.0.0.1:{collector.port}"; '
                     "traces: { sampling = 0.1; }; };\n")
        else:
            text += OFF
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        with server(command, port) as (child, _, _):
            load(port, REQUESTS)
            yield port, child.pid, worker_of(child.pid)


def cost(port, root, worker):
    """CPU seconds a request: of the worker, and of all processes."""
    alone, together = cpu_seconds(worker), cpu_seconds(root)
    load(port, REQUESTS)
    return (cpu_seconds(worker) - alone) / REQUESTS, (cpu_seconds(root) - together) / REQUESTS


def main():
    with serving(None) as off, serving(Collector(True)) as all_of_it:
        pairs = [(cost(*off), cost(*all_of_it)) for _ in range(PAIRS)]
    print(f"GET /hello, 32 kept connections, {PAIRS} interleaved pairs of {REQUESTS} requests; "
          "median [quartiles]")
    for index, name in enumerate(("worker", "all processes")):
        without, with_it = zip(*((a[index], b[index]) for a, b in pairs))
        print(f"  {name}: {spread(without, 'µs a request', 1e6)} without telemetry, "
              f"{spread(with_it, 'µs', 1e6)} with it, "
              f"{spread([b / a for a, b in zip(without, with_it)], 'of that')}")
    ratio = quartiles([b[0] / a[0] for a, b in pairs])[1]
    verdict("access log, metrics and spans", ratio, 1.15, "of a request without")


if __name__ == "__main__":
    main()
