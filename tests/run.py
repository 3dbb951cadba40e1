"""Runs what scripts/test built and adds up what passed and failed.

Every test program prints `N passed, N failed` as its last line; one that does not, that says it ran
nothing, whose exit status contradicts the line, that outlives its time, or that leaves processes
behind counts as a failure of its own.
"""

import argparse
import concurrent.futures
import contextlib
import glob
import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
COUNT = re.compile(r"(\d+) passed, (\d+) failed")
EXECUTED = re.compile(r"stat::number_of_executed_units:\s*([1-9]\d*)")
SHOWN = 40000  # characters of a failed program's output
MARK = "TEST_PROGRAM"  # variable that tells what a program started, in whatever session that runs
SANITIZERS = {
    # Where libraries with thread-local data were loaded later (libpq's are), what the sanitizer guesses of
    # it when it watches __tls_get_addr makes its search for leaks crash.
    "ASAN_OPTIONS": "abort_on_error=0:detect_stack_use_after_return=0:strict_string_checks=1:"
                    "intercept_tls_get_addr=0",
    "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1",
    "TSAN_OPTIONS": "halt_on_error=1",
}


class Program:
    """One process to run; `name` is what --only matches."""

    def __init__(self, name, command, limit, folder=TOP, extra=None, counts=True, alone=False):
        self.name, self.command, self.limit, self.folder = name, command, limit, folder
        self.environment = {**os.environ, **SANITIZERS, **(extra or {})}
        self.counts = counts  # prints a count; else the exit status decides
        self.alone = alone  # sensitive to timing: nothing runs beside it


def unit_programs(build):
    text = subprocess.run(["meson", "introspect", "--tests", build], check=True, text=True,
                          stdout=subprocess.PIPE).stdout
    for test in json.loads(text):
        suite = test["suite"][0].rpartition(":")[2] if test["suite"] else "unit"
        yield Program(f"{suite}/{test['name']}", test["cmd"], test["timeout"],
                      folder=test["workdir"] or TOP, extra=test["env"])


def thread_programs(build):
    for path in sorted(glob.glob(f"{build}/tests/unit/unit-*-test")):
        yield Program(f"threads/{os.path.basename(path)[len('unit-'):-len('-test')]}", [path], 120)


def scenario_programs():
    for path in sorted(glob.glob(f"{TOP}/tests/scenario/test_*.py")):
        name = os.path.basename(path)[len("test_"):-len(".py")]
        yield Program(f"scenario/{name}",
                      [sys.executable, "-B", f"{TOP}/tests/scenario/run.py", path], 900, alone=True)


def fuzz_programs(build, seconds):
    for path in sorted(glob.glob(f"{build}/tests/fuzz/fuzz-*")):
        if not os.path.isfile(path) or not os.access(path, os.X_OK):
            continue
        name = os.path.basename(path)[len("fuzz-"):]
        found, seeds = f"{build}/corpus/{name}", f"{TOP}/tests/fuzz/corpus/{name}"
        os.makedirs(found, exist_ok=True)
        command = [path, f"-max_total_time={seconds}", "-timeout=10", "-rss_limit_mb=4096",
                   "-print_final_stats=1", f"-artifact_prefix={build}/crash-{name}-", found]
        yield Program(f"fuzz/{name}", command + ([seeds] if os.path.isdir(seeds) else []),
                      seconds + 120, counts=False)


class Process:
    """What /proc tells of one."""

    KERNEL_THREAD = 0x200000  # PF_KTHREAD among the flags of /proc/PID/stat

    def __init__(self, folder):
        with open(f"{folder}/environ", "rb") as file:
            self.environment = file.read().split(b"\0")
        with open(f"{folder}/stat", encoding="utf-8", errors="replace") as file:
            before, _, after = file.read().rpartition(")")
        fields = after.split()
        self.id, self.name = int(os.path.basename(folder)), before[before.find("("):] + ")"
        self.is_alive = fields[0] not in "ZX"  # a zombie is only waiting to be reaped
        self.is_the_kernels = bool(int(fields[6]) & self.KERNEL_THREAD)
        self.started = int(fields[19])  # in clock ticks since the machine started

    def is_marked(self, mark):
        return self.is_alive and f"{MARK}={mark}".encode() in self.environment

    def may_be_marked(self, since):
        """Started since, and without an environment: in the middle of execve nobody shows one."""
        return (self.is_alive and not self.is_the_kernels and self.started >= since
                and not any(self.environment))


def processes():
    for folder in glob.glob("/proc/[0-9]*"):
        with contextlib.suppress(OSError):
            yield Process(folder)


def ticks():
    return int(time.clock_gettime(time.CLOCK_BOOTTIME) * os.sysconf("SC_CLK_TCK"))


def settle(mark, since, grace=3.0):
    """Waits for what a program that started at `since` left to end; kills and names what stays."""
    end = time.monotonic() + grace
    while True:
        seen = list(processes())
        left = [process for process in seen if process.is_marked(mark)]
        unclear = any(process.may_be_marked(since) for process in seen)
        if not (left or unclear) or time.monotonic() >= end:
            break
        time.sleep(0.02)
    for process in left:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.id, signal.SIGKILL)
    return [f"{process.id} {process.name}" for process in left]


def execute(program, log):
    """Runs a program; returns its exit status or None when it ran out of time, and stragglers."""
    mark, since = uuid.uuid4().hex, ticks()
    with open(log, "wb") as output:
        child = subprocess.Popen(program.command, cwd=program.folder,
                                 env={**program.environment, MARK: mark},
                                 stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                                 start_new_session=True)
        try:
            return child.wait(program.limit), settle(mark, since)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            child.wait()
            settle(mark, since, grace=0)
            return None, []


def judge(program, status, stragglers, text):
    """(passed, failed, remarks) of a program that ended."""
    remarks = []
    passed = failed = 0
    last = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
    count = COUNT.fullmatch(last)
    if status is None:
        remarks.append(f"did not end within {program.limit} s")
    elif not program.counts:
        passed = int(status == 0 and EXECUTED.search(text) is not None)
        if not passed:
            remarks.append(f"ended with status {status}")
    elif not count:
        remarks.append(f"ended with status {status} and printed no count")
    else:
        passed, failed = int(count[1]), int(count[2])
        if not passed and not failed:
            remarks.append("ran nothing")
        elif status and not failed:
            remarks.append(f"ended with status {status} though it counts no failure")
        elif not status and failed:
            remarks.append("ended with status 0 though it counts failures")
    if stragglers:
        remarks.append(f"left processes behind: {', '.join(stragglers)}")
    return passed, failed + len(remarks), remarks


def run(program, logs):
    log = f"{logs}/{program.name.replace('/', '-')}.log"
    started = time.monotonic()
    try:
        status, stragglers = execute(program, log)
    except OSError as error:
        return program, 0, 1, [f"could not be started: {error}"], "", 0.0
    with open(log, encoding="utf-8", errors="replace") as file:
        text = file.read()
    passed, failed, remarks = judge(program, status, stragglers, text)
    return program, passed, failed, remarks, text, time.monotonic() - started


def report(outcome):
    program, passed, failed, remarks, text, seconds = outcome
    if failed:
        print(text[-SHOWN:].rstrip())
    for remark in remarks:
        print(f"{program.name}: {remark}")
    print(f"{'FAILED' if failed else 'ok':<7}{program.name:<32}{passed:>5} passed {failed:>3} failed"
          f"{seconds:>8.1f} s", flush=True)
    return passed, failed


def run_all(programs, logs):
    together = [program for program in programs if not program.alone]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for outcome in pool.map(lambda program: run(program, logs), together):
            yield report(outcome)
    for program in programs:
        if program.alone:
            yield report(run(program, logs))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--threads-build", required=True,
                        help="the build folder with ThreadSanitizer")
    parser.add_argument("--fuzz-build", required=True, help="the build folder of the fuzz targets")
    parser.add_argument("--logs", required=True, help="where each program's output is kept")
    parser.add_argument("--only", default="", metavar="PATTERN", help="names that match")
    parser.add_argument("--fuzz-seconds", type=int, default=5, help="for each target")
    arguments = parser.parse_args()
    os.makedirs(arguments.logs, exist_ok=True)
    programs = [*unit_programs(os.environ["RT_BUILD"]), *thread_programs(arguments.threads_build),
                *fuzz_programs(arguments.fuzz_build, arguments.fuzz_seconds), *scenario_programs()]
    chosen = [program for program in programs if re.search(arguments.only, program.name)]
    counts = list(run_all(chosen, arguments.logs))
    passed, failed = (sum(column) for column in zip(*counts)) if counts else (0, 0)
    if not counts:
        print(f"no test program matches `{arguments.only}`", file=sys.stderr)
    print(f"{passed} passed, {failed} failed", flush=True)
    return 0 if passed and not failed else 1


if __name__ == "__main__":
    sys.exit(main())
