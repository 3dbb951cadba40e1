"""How long a reload of the example application takes while it is under load."""

import re
import subprocess
import tempfile
import threading

from common import RTCTL, free_port, load, quartiles, rtd_command, server, spread, verdict, wall_time

RUNS = 15


class Load:
    """Requests over kept and new connections, until told to stop; counts those that failed."""

    def __init__(self, port):
        self.port, self.over, self.sent, self.lost = port, False, 0, []
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.over:
            try:
                load(self.port, 5_000)
                self.sent += 5_000
            except (SystemExit, subprocess.SubprocessError) as error:
                self.lost.append(re.sub(r"\s+", " ", str(error))[:200])

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over = True
        self.thread.join()


def main():
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        command = rtd_command(folder, port)
        reload = [RTCTL, "reload", "--wait", "--config", command[2]]
        with server(command, port), Load(port) as under:
            wall_time(reload)
            times = [wall_time(reload) for _ in range(RUNS)]
    print(f"{RUNS} reloads under load ({under.sent} requests, {len(under.lost)} loads with a loss): "
          f"{spread(times, 'ms', 1e3, 0)} from asking to serving")
    for text in under.lost:
        print(f"  {text}")
    verdict("reload", quartiles(times)[1] * 1e3, 200, "ms")


if __name__ == "__main__":
    main()
