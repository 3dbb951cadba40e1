"""User instructions (callgrind) and system calls (strace) a request, rt beside nginx.

rtd executes itself for each worker, through a path at which valgrind finds only itself, so what is
counted for rt is the program http-hello: the same HTTP server, router and fibers in one process.
System calls are counted of rtd and its worker.

Two loads of different length are measured and their difference is taken, so that start and stop
do not count.
"""

import glob
import os
import re
import tempfile

from common import HTTP_HELLO, free_port, load, nginx_command, rtd_command, server, verdict

SHORT, LONG = 2_000, 6_000


def callgrind(folder):
    return ["valgrind", "--quiet", "--tool=callgrind", "--trace-children=yes",
            f"--callgrind-out-file={folder}/callgrind.%p"]


def instructions(folder):
    total = 0
    for path in glob.glob(f"{folder}/callgrind.*"):
        with open(path, encoding="utf-8", errors="replace") as file:
            total += sum(int(match[1]) for match in re.finditer(r"^totals: (\d+)", file.read(), re.M))
        os.remove(path)
    return total


def strace(folder):
    return ["strace", "-f", "-q", "-c", "-S", "calls", "-U", "calls,name", "-o", f"{folder}/strace"]


def system_calls(folder):
    with open(f"{folder}/strace", encoding="utf-8") as file:
        counts = {match[2]: int(match[1])
                  for match in re.finditer(r"^\s*(\d+)\s+(\w+)\s*$", file.read(), re.M)}
    counts.pop("total", None)
    return counts


def measured(make_command, wrapper, read, requests):
    """What `read` finds after a server under `wrapper` answered so many requests and stopped."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        with server(make_command(folder, port), port, wrapper(folder), 300, f"{folder}/log"):
            load(port, requests)
        return read(folder)


def instructions_a_request(make_command):
    short, long = (measured(make_command, callgrind, instructions, n) for n in (SHORT, LONG))
    return (long - short) / (LONG - SHORT)


def calls_a_request(make_command):
    short, long = (measured(make_command, strace, system_calls, n) for n in (SHORT, LONG))
    return {name: (long[name] - short.get(name, 0)) / (LONG - SHORT) for name in long}


def hello_command(_folder, port):
    return [HTTP_HELLO, str(port)]


def main():
    ours, theirs = instructions_a_request(hello_command), instructions_a_request(nginx_command)
    print(f"user instructions a request: rt (http-hello) {ours:.0f}, nginx {theirs:.0f}, "
          f"ratio {ours / theirs:.2f}", flush=True)
    verdict("instructions a request", ours, 4000, "instructions")
    for name, make_command in (("rt", rtd_command), ("nginx", nginx_command)):
        calls = {call: n for call, n in calls_a_request(make_command).items() if n >= 0.005}
        listed = ", ".join(f"{call} {n:.2f}" for call, n in
                           sorted(calls.items(), key=lambda item: -item[1]))
        print(f"system calls a request: {name} {sum(calls.values()):.2f} ({listed})", flush=True)
        if name == "rt":
            verdict("system calls a request", sum(calls.values()), 3, "calls")


if __name__ == "__main__":
    main()
