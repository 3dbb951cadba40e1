"""A server that is a tree of processes: started, paused, killed, and found by process id alone."""

import contextlib
import glob
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time

LIMIT = 60.0  # seconds that anything may take on a busy machine
ATTEMPTS = 5  # at a port that nobody takes between the probe and the start


class Missing(Exception):
    """A program that is not installed; says the package that has it."""


def program(name, package, folders=()):
    path = shutil.which(name, path=os.pathsep.join([*folders, os.environ.get("PATH", os.defpath),
                                                    "/usr/sbin"]))
    if not path:
        raise Missing(f"`{name}` is not installed; Debian has it in the package `{package}`")
    return path


def free_port():
    """A port of 127.0.0.1 that nobody has, below the range the kernel gives out."""
    for _ in range(200):
        port = random.randint(18000, 32000)
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
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
        time.sleep(0.005)


def read(path):
    with contextlib.suppress(FileNotFoundError), open(path, encoding="utf-8",
                                                      errors="replace") as file:
        return file.read()
    return ""


def write(path, text, mode=0o644):
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w",
              encoding="utf-8") as file:
        file.write(text)
    return path


def parents():
    """{process id: id of its parent} of all that live."""
    found = {}
    for folder in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError), open(f"{folder}/stat", encoding="utf-8",
                                                errors="replace") as file:
            state, parent = file.read().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                found[int(os.path.basename(folder))] = int(parent)
    return found


def tree(root):
    """The process and all that descend from it, the root first."""
    alive = parents()
    found = [root] if root in alive else []
    for parent in found:  # grows while it is walked
        found += [child for child, its in alive.items() if its == parent]
    return found


def stands(process):
    """Whether it runs no more: a signal that stops takes a moment to arrive."""
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] in "TtZX"
    except OSError:
        return True


def send(processes, number):
    for process in processes:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process, number)


def account(name):
    """The account that a server is given when we are root: its own, or nobody's."""
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(name)
    return pwd.getpwnam("nobody")


class Server:
    """A context manager; what a kind of server does differently is in its class."""

    NAME = "server"
    ACCOUNT = None  # whom it runs as when we are root; None: as root
    DEATH = signal.SIGKILL  # what it gets when the thread that started it ends
    END = signal.SIGTERM

    def __init__(self, port=None):
        self.folder = tempfile.mkdtemp(prefix=f"rt-{self.NAME[:5]}-")
        os.chmod(self.folder, 0o755)  # its socket is for all, what is private is so by itself
        self.owner = account(self.ACCOUNT) if self.ACCOUNT else None
        self.fixed_port = port is not None
        self.port = port or free_port()
        self.child = None
        self.log_path = self.path("log")
        self.start_of_log = 0

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def environment(self):
        """Of the server itself; TEST_PROGRAM tells whose test left it running, if one does."""
        kept = {name: value for name, value in os.environ.items() if name in ("PATH", "TEST_PROGRAM")}
        return {**kept, "HOME": self.folder, "LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def own(self, path):
        if self.owner:
            os.chown(path, self.owner.pw_uid, self.owner.pw_gid)
        return path

    def as_owner(self, *command):
        if not self.owner:
            return list(command)
        return ["setpriv", f"--reuid={self.owner.pw_uid}", f"--regid={self.owner.pw_gid}",
                "--init-groups", "--", *command]

    def run(self, *command, owner=True, **options):
        """A program that ends, as the server's account; its output, or an error with that."""
        done = subprocess.run(self.as_owner(*command) if owner else command, cwd=self.folder,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              timeout=LIMIT, check=False,
                              **{"env": self.environment(), "stdin": subprocess.DEVNULL, **options})
        if done.returncode != 0:
            raise RuntimeError(f"{os.path.basename(command[0])}: {done.stderr or done.stdout}")
        return done.stdout

    def command(self):
        raise NotImplementedError

    def ready(self):
        raise NotImplementedError

    @property
    def log(self):
        return read(self.log_path)

    @property
    def recent_log(self):
        """Since the last start."""
        return self.log[self.start_of_log:]

    def spawn(self):
        self.start_of_log = len(self.log)
        command = self.as_owner("setpriv", f"--pdeathsig={self.DEATH.name[3:]}", "--",
                                *self.command())
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(command, cwd=self.folder, env=self.environment(),
                                          stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                          start_new_session=True)

    def started(self):
        """True as soon as it answers; False if it ended because somebody else has its port."""
        def settled():
            return self.child.poll() is not None or self.ready()
        wait_for(settled, f"{self.NAME} on port {self.port}")
        if self.child.poll() is None:
            return True
        if "Address already in use" in self.recent_log:
            return False
        raise AssertionError(f"{self.NAME} ended with {self.child.returncode}:\n{self.recent_log}")

    def start(self):
        for _ in range(ATTEMPTS):
            self.spawn()
            if self.started():
                return self
            if not self.fixed_port:
                self.port = free_port()
        raise AssertionError(f"{self.NAME}: its port {self.port} is taken:\n{self.recent_log}")

    @property
    def pid(self):
        return self.child.pid

    @property
    def running(self):
        return self.child is not None and self.child.poll() is None

    def processes(self):
        return tree(self.child.pid) if self.child else []

    def freeze(self):
        """Stops all its processes, those too that appear meanwhile; gives their ids."""
        stopped = []
        while found := [process for process in self.processes() if process not in stopped]:
            send(found, signal.SIGSTOP)
            wait_for(lambda: all(stands(process) for process in found), "processes that stand still")
            stopped += found
        return stopped

    def pause(self):
        """None of its processes runs until `resume`; its connections stay open."""
        self.freeze()

    def resume(self):
        send(self.processes(), signal.SIGCONT)

    def kill(self):
        """All its processes at once, as a machine that loses its power does."""
        victims = self.freeze()
        send(victims, signal.SIGKILL)
        self.gone(victims)

    def gone(self, processes):
        if self.child:
            self.child.wait(LIMIT)
        wait_for(lambda: not set(processes) & set(parents()), f"the end of {self.NAME}")

    def end(self, number=None):
        """Ends in good order, or by force when it does not within the limit."""
        if not self.running:
            return
        processes = self.processes()
        self.resume()
        self.child.send_signal(number or self.END)
        try:
            self.child.wait(LIMIT)
        except subprocess.TimeoutExpired:
            self.kill()
        self.gone(processes)

    def restart(self):
        """Ends it if it runs, and starts it again with the same data and port."""
        self.end()
        self.fixed_port = True  # clients have it
        return self.start()

    def close(self):
        if self.running:
            self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()
