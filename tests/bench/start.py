"""Time from executing rtd until the example application answered its first request."""

import subprocess
import tempfile
import time

from common import free_port, quartiles, rtd_command, spread, verdict, wait_for_answer

RUNS = 21


def start(command, port):
    started = time.perf_counter()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    try:
        wait_for_answer(port, child)
        return time.perf_counter() - started
    finally:
        child.terminate()
        child.wait(60)


def main():
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = rtd_command(folder, port)
        start(command, port)
        times = [start(command, port) for _ in range(RUNS)]
    print(f"from exec to the first answer, {RUNS} runs; median [quartiles]")
    print(f"  rt     {spread(times, 'ms', 1e3, 1)}, longest {max(times) * 1e3:.1f} ms")
    verdict("start", quartiles(times)[1] * 1e3, 100, "ms")


if __name__ == "__main__":
    main()
