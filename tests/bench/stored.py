"""What sql/1 and redis/1 cost, beside the servers' own clients: `sql`, `redis`, `copy`; and `migrate`."""

import contextlib
import os
import re
import subprocess
import sys
import tempfile
import time

from common import (PROGRAMS, RTCTL, SERVER_CORE, TOP, cpu_seconds, free_port, get, load, quartiles,
                    rtd_command, server, spread, verdict, wall_time, worker_pids)

sys.path.insert(0, f"{TOP}/sdk/testing")

from rt_testing import Postgres, Redis  # noqa: E402  # the path comes first

PAIRS = 11
REQUESTS = 20_000
READS = 102_400  # without HTTP
KEYS = 100_000  # rows of pgbench's scale 1
ROWS = 1_000_000
COPIES = 5
FLAT = 8.0  # MiB that streaming may add
SETTINGS = {"max_wal_size": "8GB", "shared_buffers": "256MB"}


@contextlib.contextmanager
def serving(module, settings):
    """rtd with that module alone, on one core; (process, port)."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = rtd_command(folder, port, plugins=[f"{PROGRAMS}/{module}.so"], only=module,
                              more=settings)
        with server(command, port) as (child, _, _):
            yield child, port


def cost(child, port, path):
    """CPU seconds of all of rtd's processes a request."""
    before = cpu_seconds(child.pid)
    load(port, REQUESTS, path=path)
    return (cpu_seconds(child.pid) - before) / REQUESTS


def nanoseconds(port, path):
    """What a route says that it took."""
    head, body = get(port, path, limit=600.0)
    if " 200 " not in head.split("\r\n")[0]:
        sys.exit(f"{path}: {body.decode()}")
    return int(body)


def over_http(child, port, path, limit):
    cost(child, port, "/hello"), cost(child, port, path)
    pairs = [(cost(child, port, path), cost(child, port, "/hello")) for _ in range(PAIRS)]
    with_it, plain = zip(*pairs)
    ratios = [a / b for a, b in pairs]
    print(f"GET {path}, 32 kept connections, {PAIRS} interleaved pairs of {REQUESTS} requests; CPU of our "
          "processes, median [quartiles]")
    print(f"  with it  {spread(with_it, 'µs a request', 1e6)}")
    print(f"  without  {spread(plain, 'µs a request', 1e6)}")
    print(f"  ratio    {spread(ratios, 'of the plain request')}")
    verdict("CPU a request", quartiles(ratios)[1], limit, "of the plain request's")


def without_http(what, ours, theirs):
    """Calls of each, a second; both run on the same core, the server where it likes."""
    ours(), theirs()
    pairs = [(ours(), theirs()) for _ in range(PAIRS)]
    mine, others = zip(*pairs)
    ratios = [b / a for a, b in pairs]
    print(f"32 fibers without HTTP beside {what}, {PAIRS} interleaved pairs of {READS}; median [quartiles]")
    print(f"  rt     {spread(mine, 'a second', digits=0)}")
    print(f"  {what}  {spread(others, 'a second', digits=0)}")
    print(f"  ratio  {spread(ratios, 'of ours')}")
    verdict("throughput of the peer", quartiles(ratios)[1], 1.0, "of ours")


def on_core(core):
    return lambda: os.sched_setaffinity(0, core)


def peer(command, pattern, environment=None):
    """A number out of what a client of the server's own prints."""
    done = subprocess.run(command, env=environment, text=True, stdout=subprocess.PIPE, check=True,
                          stderr=subprocess.DEVNULL, preexec_fn=on_core(SERVER_CORE), timeout=600)
    return float(re.search(pattern, done.stdout)[1])


def sql():
    with Postgres(settings=SETTINGS) as database:
        initialized = database.client("pgbench", "-i", "-q", timeout=300)
        if initialized.returncode:
            sys.exit(initialized.stdout)
        pgbench = [database.program("pgbench"), "-h", "127.0.0.1", "-n", "-M", "prepared", "-S", "-c", "32",
                   "-j", "1", "-t", str(READS // 32)]
        with serving("reads", f'postgres: {{ url = "{database.url}"; }};') as (child, port):
            over_http(child, port, "/row/77", 2.0)
            without_http(
                "pgbench", lambda: READS / nanoseconds(port, f"/flood/{READS}/{KEYS}") * 1e9,
                lambda: peer(pgbench, r"tps = ([\d.]+)", database.client_environment()))


def redis():
    with Redis() as store:
        store.cli("SET", "key:__rand_int__", "xxx")
        command = ["redis-benchmark", "-p", str(store.port), "-t", "get", "-c", "32", "-n", str(READS),
                   "-q"]
        with serving("gets", f'redis: {{ url = "{store.url}"; }};') as (child, port):
            over_http(child, port, "/get/key:__rand_int__", 1.6)
            without_http("redis-benchmark", lambda: READS / nanoseconds(port, f"/flood/{READS}") * 1e9,
                         lambda: peer(command, r"GET: ([\d.]+) requests per second"))


def copied_by_psql(database, path):
    database.psql("TRUNCATE copied")
    begin = time.perf_counter()
    subprocess.run([database.program("psql"), "-Xq", "-h", "127.0.0.1", "-c",
                    f"\\copy copied from '{path}'"], env=database.client_environment(), check=True,
                   preexec_fn=on_core(SERVER_CORE))
    return time.perf_counter() - begin


def copied_by_us(database, port):
    database.psql("TRUNCATE copied")
    return nanoseconds(port, f"/copy/{ROWS}") / 1e9


def status(pid, key):
    """MiB, out of /proc/PID/status."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith(f"{key}:"))


def streamed(child, port):
    """(seconds, MiB that the worker's peak lies above what it had before, that)."""
    worker = max(worker_pids(child.pid), key=lambda pid: status(pid, "VmRSS"))
    with open(f"/proc/{worker}/clear_refs", "w", encoding="ascii") as file:
        file.write("5")  # the peak begins anew
    before = status(worker, "VmRSS")
    seconds = nanoseconds(port, f"/stream/{ROWS}") / 1e9
    return seconds, status(worker, "VmHWM") - before, before


def copy():
    with Postgres(settings=SETTINGS) as database, tempfile.TemporaryDirectory() as folder:
        database.psql("CREATE TABLE copied (id bigint, name text, amount bigint)")
        path = f"{folder}/rows"
        with open(path, "w", encoding="ascii") as file:
            file.writelines(f"{row}\tabcdefghijklmnopqrst\t{row % 1000}\n" for row in range(ROWS))
        with serving("reads", f'postgres: {{ url = "{database.url}"; }};') as (child, port):
            copied_by_psql(database, path)
            streams = [streamed(child, port) for _ in range(COPIES)]
            pairs = [(copied_by_us(database, port), copied_by_psql(database, path)) for _ in range(COPIES)]
    ours, theirs = zip(*pairs)
    ratios = [a / b for a, b in pairs]
    print(f"{ROWS} rows of three columns, {COPIES} interleaved pairs; median [quartiles]")
    print(f"  copy_rows    {spread(ours, 's')}")
    print(f"  psql \\copy   {spread(theirs, 's')}")
    verdict("loading", quartiles(ratios)[1], 1.2, "of psql's")
    seconds, growth, before = zip(*streams)
    print(f"  streamed in  {spread(seconds, 's')}")
    print(f"  peak memory above what the worker had  {spread(growth, 'MiB', digits=1)}, "
          f"at first {before[0]:.1f} MiB")
    verdict("memory of streaming", max(growth), FLAT, "MiB")


def migrate():
    with Postgres(settings=SETTINGS) as database, tempfile.TemporaryDirectory() as folder:
        command = rtd_command(folder, free_port(), plugins=[f"{PROGRAMS}/../plugins/notes.so"], only="notes",
                              more=f'postgres: {{ url = "{database.url}"; }};')
        config = command[1:]
        wall_time([RTCTL, "migrate", "up", *config])
        pairs = [(wall_time([RTCTL, "migrate", "up", *config]), wall_time([RTCTL, "validate", "--load", *config]))
                 for _ in range(PAIRS)]
    with_it, without = zip(*pairs)
    print(f"an up-to-date PostgreSQL, {PAIRS} interleaved pairs of whole processes; median [quartiles]")
    print(f"  rtctl migrate up       {spread(with_it, 'ms', 1e3, 1)}")
    print(f"  rtctl validate --load  {spread(without, 'ms', 1e3, 1)}")
    verdict("what migrating adds", 1e3 * quartiles([a - b for a, b in pairs])[1], 20.0, "ms")


if __name__ == "__main__":
    {"sql": sql, "redis": redis, "copy": copy, "migrate": migrate}[sys.argv[1]]()
