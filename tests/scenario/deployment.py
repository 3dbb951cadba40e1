"""A deployment in a temporary folder, rtd running it, and its log: for tests of rtd itself."""

import contextlib
import http.client
import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("RT_BUILD", os.path.join(TOP, "build"))
RTD = os.path.join(BUILD, "host", "rtd")
RTCTL = os.path.join(BUILD, "host", "rtctl", "rtctl")
TEST_PLUGINS = os.path.join(BUILD, "tests", "plugins")
LIMIT = 60.0  # seconds that anything may take, sanitizers and a busy machine included


def free_port():
    """A port of 127.0.0.1 that nobody has, below the range the kernel gives out."""
    for _ in range(200):
        port = random.randint(18000, 32000)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise AssertionError("no free port")


def wait_for(condition, what, limit=LIMIT):
    """Polls until the condition gives something true, and gives that."""
    end = time.monotonic() + limit
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what}: not within {limit} s")
        time.sleep(0.01)


def read(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return ""


class Deployment:
    """A folder with plugins and one configuration, and what is run from it."""

    def __init__(self, plugins=(), config="", folder=TEST_PLUGINS):
        self.folder = tempfile.mkdtemp(prefix="rt-test-")
        self.plugins = self.path("plugins")
        self.config = self.path("runtime.conf")
        self.trace_file = self.path("trace")
        self.log_file = self.path("log")
        self.temporary = self.path("tmp")
        self.runtime = self.path("run")
        self.port = free_port()
        self.ports = [self.port]
        self.process = None
        self.program = RTD
        os.mkdir(self.plugins)
        os.mkdir(self.temporary)
        os.mkdir(self.runtime)
        for name in plugins:
            self.add(name, folder)
        self.write(config)

    def path(self, name):
        return os.path.join(self.folder, name)

    def add(self, name, folder=TEST_PLUGINS):
        shutil.copy(os.path.join(folder, f"{name}.so"), self.plugins)

    def write(self, config):
        listen = ", ".join(f'"127.0.0.1:{port}"' for port in self.ports)
        head = f'plugins = ["plugins"];\nhttp: {{ listen = [{listen}]; }};\n'
        if "admin:" not in config:  # its default address is for one rtd a machine
            head += "admin: { listen = []; };\n"
        with open(self.config, "w", encoding="utf-8") as file:
            file.write((head + config).replace("$TRACE", self.trace_file))

    def environment(self, extra=None):
        """Ours without what names settings of rtd; a crash stays a signal under AddressSanitizer."""
        kept = {name: value for name, value in os.environ.items()
                if not name.startswith("RT_")
                and name not in ("RUNTIME_DIRECTORY", "STATE_DIRECTORY")}
        options = f'{os.environ.get("ASAN_OPTIONS", "")}:handle_segv=0:allow_user_segv_handler=1'
        return {**kept, "TMPDIR": self.temporary, "XDG_STATE_HOME": self.path("state"),
                "XDG_RUNTIME_DIR": self.runtime, "NO_COLOR": "1",
                "ASAN_OPTIONS": options.strip(":"), **(extra or {})}

    def command(self, *arguments):
        return [self.program, "--config", self.config, *arguments]

    def start(self, *arguments, environment=None, **options):
        """Starts rtd; its output goes to the log file."""
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen(self.command(*arguments), stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log,
                                            env=self.environment(environment),
                                            start_new_session=True, **options)
        return self.process

    def start_ready(self, *arguments, environment=None, **options):
        self.start(*arguments, environment=environment, **options)
        wait_for(lambda: "ready: " in self.log() or self.process.poll() is not None, "ready")
        if self.process.poll() is not None:
            raise AssertionError(f"rtd ended with {self.process.returncode}:\n{self.log()}")
        return self

    def log(self):
        return read(self.log_file)

    def trace(self):
        return read(self.trace_file).split("\n")[:-1]

    def last_line(self):
        lines = [line for line in self.log().splitlines() if line.strip()]
        return lines[-1] if lines else ""

    def wait_for_log(self, text):
        wait_for(lambda: text in self.log(), f"`{text}` in the log")

    def wait_for_trace(self, line):
        wait_for(lambda: line in self.trace(), f"`{line}` in the trace")

    def wait(self):
        """The exit status."""
        return self.process.wait(LIMIT)

    def stop(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def get(self, path, timeout=LIMIT):
        """(status, body) of one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()

    def rtctl(self, *arguments, environment=None):
        return subprocess.run([RTCTL, *arguments, "--config", self.config], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60,
                              env=self.environment(environment), check=False)

    def close(self):
        if self.process and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(LIMIT)
        shutil.rmtree(self.folder, ignore_errors=True)


@contextlib.contextmanager
def deployment(plugins=(), config="", folder=TEST_PLUGINS):
    """A deployment that is stopped and removed at the end; its log is shown if the test fails."""
    with deployment_of(Deployment(plugins, config, folder)) as made:
        yield made


@contextlib.contextmanager
def deployment_of(made):
    """The same for one that was made already."""
    try:
        yield made
    except BaseException:
        print(f"--- log of rtd ---\n{made.log()}------------------", flush=True)
        raise
    finally:
        made.close()
