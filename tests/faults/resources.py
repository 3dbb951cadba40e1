"""What runs out: the disk, descriptors, memory."""

import contextlib
import http.client
import os
import resource
import socket
import subprocess
import time

from deployment import LIMIT, wait_for
from site_of_faults import Unfit, cpu_seconds
from verdict import BROUGHT_DOWN
from workers import request_crash

DISK = 4 << 20  # bytes
DESCRIPTORS = 64
IDLE = 150  # connections, more than two workers have descriptors for
KEPT = 50   # those that they have some for, beside the twenty of each for itself
MOST_USED = 0.2  # of a core, by workers that cannot accept: a loop that spins takes a whole one
MEMORY = 192 << 20  # bytes, of all that rtd runs


# --- the disk

def full_log(run):
    """Everything that is logged finds its device full: /dev/full."""
    def prepare(site):
        site.sets = ['log.file="/dev/full"', 'http.access_log.file="/dev/full"',
                     'http.access_log.format="json"']
    with run.serving(prepare=prepare, silent=True) as site:
        for _ in run.every(1.0):
            outcome = site.rtctl("reload", "--wait")
            run.check(outcome.returncode == 0, outcome.stdout)
            run.did("reloads")


def mount_small(site):
    """rtd is to see a small disk at `small`, in a mount namespace of its own."""
    small = site.path("small")
    os.mkdir(small)
    script = f'mount -t tmpfs -o size={DISK} none {small} && mkdir {small}/tmp && exec "$@"'
    wrapper = ["unshare", "--mount", "sh", "-c", script, "sh"]
    trial = subprocess.run([*wrapper, "true"], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                           text=True, check=False)
    if trial.returncode:
        raise Unfit(f"no file system can be mounted: {trial.stderr.strip()}")
    site.wrapper = wrapper
    site.temporary = f"{small}/tmp"
    site.sets = [f'log.file="{small}/log"', f'http.access_log.file="{small}/access"',
                 'http.access_log.format="json"', f'crash.folder="{small}/crashes"']


def seen_by(site, path):
    return f"/proc/{site.process.pid}/root{path}"


def fill(path):
    """Until nothing more fits; the bytes that did."""
    written = 0
    with open(path, "ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            written += file.write(bytes(1024))
    return written


def disk(run):
    """Logs, crash reports and copies of plugins are on a disk of 4 MiB, which is full for half of the time."""
    run.allowed = BROUGHT_DOWN
    with run.serving(prepare=mount_small, silent=True) as site:
        small = seen_by(site, site.path("small"))
        for turn in run.every(min(3.0, run.seconds)):
            for name in ("log", "access"):
                os.truncate(f"{small}/{name}", 0)
            outcome = site.rtctl("reload", "--wait")
            run.check(outcome.returncode == 0, f"with room: {outcome.stdout}")
            run.did("reloads with room")
            wait_for(lambda: len(os.listdir(f"{small}/tmp")) == 1, "the end of the old generation")
            fill(f"{small}/filler")
            outcome = site.rtctl("reload", "--wait")
            run.check(outcome.returncode != 0 and "No space left" in outcome.stdout,
                      f"without room: {outcome.stdout}")
            run.did("reloads refused")
            request_crash(run, f"crash{turn}")
            before = run.load.answered_so_far()
            wait_for(lambda: run.load.answered_so_far() > before + 50, "answers with a full disk")
            site.wait_for_workers()
            os.unlink(f"{small}/filler")


# --- descriptors

def limit_descriptors():
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


def connect(port, number):
    connection = socket.create_connection(("127.0.0.1", port), LIMIT)
    connection.sendall(f"GET /work/{number}/0 HTTP/1.1\r\nHost: faults\r\n\r\n".encode())
    connection.setblocking(False)
    return connection


def answered(connections):
    return sum(1 for connection in connections if has_answer(connection))


def has_answer(connection):
    with contextlib.suppress(BlockingIOError):
        return b" 200 " in connection.recv(100, socket.MSG_PEEK)
    return False


def use_without_load(run, seconds):
    """The share of a core that the workers take while nobody asks."""
    run.load.held.set()
    try:
        wait_for(lambda: not any(client.request and client.used for client in run.load.clients),
                 "answers to those who are connected")
        pids, began = run.site.workers(), time.monotonic()
        used = cpu_seconds(pids)
        time.sleep(seconds)
        return (cpu_seconds(pids) - used) / (time.monotonic() - began)
    finally:
        run.load.held.clear()


def descriptors(run):
    """Idle connections take all descriptors (a limit of 64) for a while, and go again."""
    with run.serving(preexec_fn=limit_descriptors, wrk=False) as site:
        for turn in run.every(min(5.0, run.seconds)):
            said = site.log().count("cannot accept a connection")
            with contextlib.ExitStack() as stack:
                idle = [stack.enter_context(connect(site.port, f"idle{turn}-{i}")) for i in range(IDLE)]
                wait_for(lambda: site.log().count("cannot accept a connection") >= said + 2,
                         "workers without descriptors")
                used = use_without_load(run, min(2.0, run.seconds / 3))
                run.notes.append(f"{IDLE - answered(idle)} connections wait, {used:.3f} of a core used")
                run.check(used < MOST_USED, f"{used:.2f} of a core used while nobody asks")
                run.did("times exhausted")
                for connection in idle[KEPT:]:  # the others are taken from the queue then
                    connection.close()
                rest = idle[:KEPT]
                wait_for(lambda: answered(rest) == len(rest), "an answer to each that waited")


# --- memory

def memory_group():
    """A control group of ours with little memory: its folder."""
    for parent, name in (("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
                         ("/sys/fs/cgroup", "memory.max")):
        folder = f"{parent}/rt-faults-{os.getpid()}"
        try:
            os.mkdir(folder)
        except OSError:
            continue
        try:
            for file, value in ((name, MEMORY), ("memory.swap.max", 0)):
                if os.path.exists(f"{folder}/{file}"):
                    with open(f"{folder}/{file}", "w", encoding="ascii") as setting:
                        setting.write(str(value))
            if os.path.exists(f"{folder}/{name}"):
                return folder
        except OSError:
            pass
        os.rmdir(folder)
    raise Unfit("no control group with a memory limit can be made")


def remove_group(folder):
    def gone():
        with contextlib.suppress(OSError):
            os.rmdir(folder)
        return not os.path.exists(folder)
    wait_for(gone, f"{folder} to be empty")


def eat(run, number, size):
    """A request for so many MiB, or for all there is (0), which its worker may not outlive."""
    with contextlib.suppress(OSError, http.client.HTTPException):
        status = run.site.get(f"/eat/{number}/{size}")[0]
        run.did(f"times memory was {'had' if status == 200 else 'refused'}")


def starve(run, sizes, period):
    known = set(run.site.workers())
    for turn in run.every(period):
        if len(run.site.workers()) == 2:
            eat(run, f"eat{turn}", sizes[turn % len(sizes)])
        known = run.follow_workers(known)
    run.site.wait_for_workers()
    run.follow_workers(known)


def group_memory(run):
    """A route takes memory until the system ends its worker: a control group of 192 MiB."""
    run.allowed = BROUGHT_DOWN
    folder = memory_group()
    try:
        def enter():
            with open(f"{folder}/cgroup.procs", "w", encoding="ascii") as file:
                file.write(str(os.getpid()))
        with run.serving(preexec_fn=enter):
            starve(run, (64,), 0.25)
        run.check(run.killed, "no worker was ended")
        run.check("because memory ran out" in run.log, "the log does not say why the worker ended")
    finally:
        remove_group(folder)


def memory(run):
    """A route takes memory until the worker gets no more: `limits.memory` of 192 MiB."""
    run.allowed = BROUGHT_DOWN
    with run.serving(f'limits: {{ memory = "{MEMORY >> 20} MiB"; }};\n'):
        starve(run, (32, 32, 32, 0), 0.2)
    run.check(run.killed, "no worker was ended")


FAULTS = {"full-log": full_log, "disk": disk, "descriptors": descriptors, "memory": memory,
          "group-memory": group_memory}
