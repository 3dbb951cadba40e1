"""What the benchmarks share: servers to start and stop, process trees to measure, and quartiles."""

import contextlib
import glob
import os
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PREFIX = os.environ.get("RT_PREFIX", f"{TOP}/build/prefix")
PROGRAMS = f"{os.environ.get('RT_BUILD', TOP + '/build/bench')}/tests/bench"
HTTP_HELLO = f"{PROGRAMS}/http-hello"
# rtd would warn of them: variables of that prefix are settings.
for variable in [name for name in os.environ if name.startswith("RT_")]:
    del os.environ[variable]
RTD, RTCTL = f"{PREFIX}/bin/rtd", f"{PREFIX}/bin/rtctl"
NGINX, APACHE = "/usr/sbin/nginx", "/usr/sbin/apache2"
SERVER_CORE, CLIENT_CORE = {0}, {max(os.sched_getaffinity(0))}


def quartiles(values):
    """(first quartile, median, third quartile)."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    return tuple(statistics.quantiles(values, n=4, method="inclusive"))


def spread(values, unit, scale=1.0, digits=2):
    low, middle, high = (value * scale for value in quartiles(values))
    return f"{middle:.{digits}f} {unit} [{low:.{digits}f}, {high:.{digits}f}]"


def verdict(name, value, limit, unit):
    """The line that says whether a target is met."""
    print(f"{name}: {value:.3g} {unit}, target {limit:g} {unit}: {'met' if value <= limit else 'MISSED'}",
          flush=True)


def slope(points):
    """Of the line through (x, y) points, by least squares, with its intercept."""
    return statistics.linear_regression(*zip(*points))


def wall_time(command, **options):
    """Seconds from starting a command until it ended; its complaint if it fails."""
    started = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                          stdin=subprocess.DEVNULL, **options)
    taken = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed with {done.returncode}:\n{done.stderr}")
    return taken


def free_port():
    """A port below the ephemeral range, free at present."""
    for port in range(18080, 32000):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    sys.exit("no free port")


def get(port, path="/hello", limit=5.0):
    """One answer over a connection of its own: (head, body)."""
    with socket.create_connection(("127.0.0.1", port), limit) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n".encode())
        answer = b""
        while part := connection.recv(65536):
            answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    return head.decode(), body


def wait_for_answer(port, child, limit=60.0, pause=0.0002):
    """Waits until a server answers; its answer."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        if child.poll() is not None:
            sys.exit(f"the server ended with {child.returncode}")
        with contextlib.suppress(OSError):
            head, body = get(port)
            if head:
                return head, body
        time.sleep(pause)
    sys.exit(f"no answer on port {port} within {limit} s")


def tree(root):
    """The pids of a process and all below it."""
    parents = {}
    for path in glob.glob("/proc/[0-9]*/stat"):
        with contextlib.suppress(OSError), open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
            parents[int(text.split(" ", 1)[0])] = int(text.rpartition(")")[2].split()[1])
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def cpu_seconds(root):
    """User and system time of a tree, all threads, to the nanosecond."""
    total = 0
    for pid in tree(root):
        for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            with contextlib.suppress(OSError), open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
    return total / 1e9


@contextlib.contextmanager
def server(command, port, wrapper=(), limit=60.0, log=None):
    """Runs a server on one core until the block ends; yields (process, head, body)."""
    with open(log or os.devnull, "wb") as output:
        child = subprocess.Popen([*wrapper, *command], stdin=subprocess.DEVNULL, stdout=output,
                                 stderr=output if log else None,
                                 preexec_fn=lambda: os.sched_setaffinity(0, SERVER_CORE))
        try:
            head, body = wait_for_answer(port, child, limit)
            yield child, head, body
        finally:
            stop(child, wrapper)
            child.wait(limit)


def stop(child, wrapper):
    """Asks the server itself to stop: strace keeps a signal that it is sent to itself."""
    if child.poll() is not None:
        return
    pids = tree(child.pid)
    os.kill(pids[1] if wrapper and wrapper[0] == "strace" and len(pids) > 1 else pids[0],
            signal.SIGTERM)


def rtd_command(folder, port, workers=1, plugins=(), only=None, more=""):
    """rtd with the example application as in production, but for root, mail and the logs;
    with `plugins`, those files beside it; with `only`, that module instead of it; `more` settings."""
    path = f"{folder}/runtime.conf"
    folders = [f"{PREFIX}/lib/rt/plugins"]
    if plugins:
        folders.append(f"{folder}/plugins")
        os.makedirs(folders[-1], exist_ok=True)
        for plugin in plugins:
            shutil.copy(plugin, folders[-1])
    listed = ", ".join(f'"{item}"' for item in folders)
    loaded = f'load = [ "{only}" ];' if only else 'acknowledge = [ "email-memory" ];'
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""environment = "production";
allow_root = true;
workers = {workers};
plugins = [ {listed} ];
{loaded}
http: {{ listen = [ "127.0.0.1:{port}" ]; access_log: {{ format = "off"; }}; }};
admin: {{ listen = []; }};
log: {{ level = "warn"; }};
{more}
""")
    return [RTD, "--config", path]


def nginx_command(folder, port, body=b"Hello\n", content_type="text/plain", modules=()):
    """nginx with one worker that returns a fixed text; access log off, connections kept."""
    path = f"{folder}/nginx.conf"
    text = body.decode().replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    user = "user root;\n" if os.getuid() == 0 else ""  # as rtd does here
    loads = "".join(f"load_module {module};\n" for module in modules)
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"""{loads}{user}worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    server {{
        listen 127.0.0.1:{port};
        location = /hello {{ default_type {content_type}; return 200 "{text}"; }}
    }}
}}
""")
    return [NGINX, "-p", folder, "-c", path]


def load(port, requests, clients=32, path="/hello", arguments=()):
    """Sends exactly so many requests over kept connections from the other core; h2load's report."""
    done = subprocess.run(
        ["h2load", "--h1", "-n", str(requests), "-c", str(clients), "-t", "1", *arguments,
         f"http://127.0.0.1:{port}{path}"], check=True, text=True, stdout=subprocess.PIPE,
        preexec_fn=lambda: os.sched_setaffinity(0, CLIENT_CORE), timeout=600)
    if f"{requests} succeeded" not in done.stdout:
        sys.exit(f"not every request was answered:\n{done.stdout}")
    return done.stdout


def rate(report):
    """Requests a second, of h2load's report."""
    return float(re.search(r"finished in [^,]+, ([\d.]+) req/s", report)[1])


def worker_pids(root):
    return [pid for pid in tree(root) if pid != root]


def memory(pid, key="Pss"):
    """Bytes of a process's memory; Pss counts what is shared in proportion."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) * 1024 for line in file if line.startswith(f"{key}:"))


def raise_descriptor_limit():
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))


def connect_many(port, count, request):
    """So many connections, each with its request sent."""
    connections = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(request)
        connections.append(connection)
    return connections


def read_answers(connections, end):
    """Reads from each until its answer ends as told."""
    for connection in connections:
        answer = b""
        while not answer.endswith(end):
            part = connection.recv(4096)
            assert part, "the connection was closed"
            answer += part
