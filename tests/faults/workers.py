"""Workers and the supervisor that are brought down or held."""

import http.client
import os
import random
import signal
import time

from deployment import wait_for
from verdict import BROUGHT_DOWN, ENDING


def kill(run):
    """A worker is killed (SIGKILL) every second."""
    run.allowed = BROUGHT_DOWN
    with run.serving() as site:
        for _ in run.every(1.0):
            ready = site.workers()
            if not ready:
                run.did("times nobody was there")
                continue
            run.bring_down(random.choice(ready), lambda pid: os.kill(pid, signal.SIGKILL))
            run.did("kills")


def request_crash(run, number):
    """Whoever takes the request goes; the journal says who that was."""
    connection = http.client.HTTPConnection("127.0.0.1", run.site.port, timeout=60)
    try:
        connection.request("GET", f"/crash/{number}")
        connection.getresponse()
        run.check(False, "a crash was answered")
    except (OSError, http.client.HTTPException):
        at = time.monotonic()
        wait_for(lambda: number in run.site.journal()[0], f"{number} in the journal")
        run.killed[run.site.journal()[0][number]] = at
        run.did("crashes")
    finally:
        connection.close()


def crash(run):
    """A route brings its worker down (SIGSEGV) every second."""
    run.allowed = BROUGHT_DOWN
    with run.serving() as site:
        for turn in run.every(1.0):
            if site.workers():
                request_crash(run, f"c{turn}")
            else:
                run.did("times nobody was there")


def hang(run):
    """A worker is stopped (SIGSTOP) for three seconds out of five."""
    period = min(5.0, run.seconds / 2)
    with run.serving() as site:
        for _ in run.every(period):
            worker = random.choice(site.workers())
            before = run.load.answered_so_far()
            os.kill(worker, signal.SIGSTOP)
            try:
                time.sleep(period * 0.6)
            finally:
                os.kill(worker, signal.SIGCONT)
            run.did("stops")
            run.check(run.load.answered_so_far() > before, "the other worker answered nothing")


def is_gone(pid):
    """Whether it has ended; nobody may have waited for it yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def supervisor(run):
    """The supervisor is killed (SIGKILL) every three seconds and started again at once.

    Between the last look into the accept queue and the close of the socket there are some microseconds,
    and a kept connection that is closed may meet a request: hence a few, never many, are lost.
    """
    run.allowed = {ENDING}
    with run.serving() as site:
        for _ in run.every(min(3.0, run.seconds / 2)):
            old = site.workers()
            run.ended.append(time.monotonic())
            site.process.kill()
            site.process.wait()
            before = site.log().count("ready: ")
            site.start()
            wait_for(lambda: site.log().count("ready: ") > before or site.process.poll() is not None,
                     "the next start")
            run.check(site.process.poll() is None, f"no new start: {site.last_line()}")
            if site.process.poll() is not None:
                break
            wait_for(lambda: all(is_gone(pid) for pid in old), "the end of the old workers")
            run.did("kills")
        folders = os.listdir(site.temporary)
        run.check(len(folders) <= 1, f"leftovers: {folders}")
    run.check(len(run.load.lost) <= 2 * len(run.ended), "too many were lost at the ends")


FAULTS = {"kill": kill, "crash": crash, "hang": hang, "supervisor": supervisor}
