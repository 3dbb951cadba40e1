"""rtd with the plugin `target` and load on it, for the time of one fault."""

import contextlib
import json
import os
import socket
import subprocess
import time

import deployment
from deployment import LIMIT, wait_for
from load import Load

PREFIX = os.environ["RT_PREFIX"]
HEAD = 'environment = "production";\nallow_root = true;\nworkers = 2;\nload = ["target"];\n'


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Unfit(Exception):
    """Why this machine cannot show a fault."""


class Site(deployment.Deployment):
    def __init__(self, more=""):
        self.settings = more
        self.journal_file = None
        super().__init__(["target"])
        self.program = f"{PREFIX}/bin/rtd"
        self.wrapper = []  # what rtd is started by, in its stead
        self.sets = ['http.access_log.format="off"']

    def command(self, *arguments):
        sets = [word for setting in self.sets for word in ("--set", setting)]
        return self.wrapper + super().command(*sets, *arguments)

    def write(self, config):
        self.journal_file = self.path("journal")
        super().write(f'{HEAD}{self.settings}{config}\ntarget: {{ journal = "{self.journal_file}"; }};\n')

    def rtctl(self, *arguments, environment=None):
        return subprocess.run([f"{PREFIX}/bin/rtctl", *arguments, "--config", self.config],
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=LIMIT, env=self.environment(environment), check=False)

    def ask(self, request):
        """The reply of the control socket: (status, text)."""
        [name] = os.listdir(self.runtime)
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(LIMIT)
            connection.connect(os.path.join(self.runtime, name))
            connection.sendall(request.encode() + b"\n")
            lines = b"".join(iter(lambda: connection.recv(65536), b"")).decode().splitlines()
        texts = [line.partition(" ")[2] for line in lines]
        return int(texts[-1]), "\n".join(texts[:-1])

    def workers(self, state="ready"):
        """The pids of the workers of the generation that serves."""
        serving = json.loads(self.ask("status json")[1])["generations"][0]
        return [worker["pid"] for worker in serving["workers"]
                if worker["state"] == state and worker["pid"]]

    def wait_for_workers(self, count=2):
        return wait_for(lambda: len(found := self.workers()) == count and found,
                        f"{count} workers that serve")

    def journal(self):
        """Request → the worker that began it, or that ended it; and those that were begun twice."""
        begun, ended, twice = {}, {}, []
        with contextlib.suppress(FileNotFoundError), open(self.journal_file, encoding="ascii") as file:
            for line in file:
                what, number, pid = line.split()
                if number == "wrk":
                    continue
                known = begun if what == "b" else ended
                if number in known:
                    twice.append(number)
                known[number] = int(pid)
        return begun, ended, twice


def cpu_seconds(pids):
    """User and system time that these processes took so far."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            fields = file.read().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / os.sysconf("SC_CLK_TCK")


class Run:
    """What one fault was done with, and what came of it."""

    def __init__(self, name, seconds, wrk):
        self.name, self.seconds, self.wrk = name, seconds, wrk
        self.site = None
        self.load = None
        self.done = {}  # what was done → how often
        self.killed = {}  # pid of a worker that was brought down → when
        self.ended = []  # when rtd was ended with nobody beside it
        self.notes = []
        self.problems = []
        self.allowed = set()  # kinds of loss that belong to the fault

    def bring_down(self, worker, how):
        self.killed[worker] = time.monotonic()
        how(worker)

    def follow_workers(self, known):
        """Adds those of `known` that are there no more to the killed; the ones that are there."""
        present = set(self.site.workers())
        for worker in known - present:
            self.killed[worker] = time.monotonic()
            self.did("workers ended")
        return present

    def did(self, what, times=1):
        self.done[what] = self.done.get(what, 0) + times

    def check(self, condition, text):
        if not condition:
            self.problems.append(text)

    @contextlib.contextmanager
    def serving(self, more="", prepare=None, silent=False, wrk=True, **options):
        """rtd with load on it; both end with the block. A silent one has its log elsewhere."""
        made = Site(more)
        self.site = made
        with deployment.deployment_of(made):
            if prepare:
                prepare(made)
            if silent:
                made.start(**options)
                wait_for(lambda: accepts(made.port), "somebody who listens")
            else:
                made.start_ready(**options)
            with Load(made.port) as load, \
                    Pressure(made.port, self.seconds if self.wrk and wrk else 0) as pressure:
                self.load = load
                wait_for(lambda: load.answered_so_far() >= 20, "the first answers")
                yield made
            self.pressure = pressure
            self.journal = made.journal()
            if made.process.poll() is None:
                self.status = made.stop()
            self.log = made.log()

    def every(self, period):
        """Turns until the time is over, each beginning so much after the one before."""
        begin = time.monotonic()
        turn = 0
        while (at := (turn + 0.5) * period) < self.seconds:
            time.sleep(max(0.0, begin + at - time.monotonic()))
            yield turn
            turn += 1
        time.sleep(max(0.0, begin + self.seconds - time.monotonic()))


class Pressure:
    """wrk with few connections beside the load that counts; 0 seconds: none."""

    def __init__(self, port, seconds):
        self.text = ""
        self.child = None
        self.command = ["nice", "wrk", "-t1", "-c8", f"-d{max(1, int(seconds))}", "--timeout", "60",
                        f"http://127.0.0.1:{port}/work/wrk/0"] if seconds else None

    def __enter__(self):
        if self.command:
            self.child = subprocess.Popen(self.command, stdout=subprocess.PIPE, text=True,
                                          stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
        return self

    def __exit__(self, *_):
        if self.child:
            self.text = self.child.communicate()[0]

    def summary(self):
        """(requests, socket errors, answers that were not 200)"""
        requests = errors = others = 0
        for line in self.text.splitlines():
            words = line.replace(",", "").split()
            if "requests in" in line:
                requests = int(words[0])
            elif "Socket errors" in line:
                errors = sum(int(word) for word in words if word.isdigit())
            elif "Non-2xx" in line:
                others = int(words[-1])
        return requests, errors, others
