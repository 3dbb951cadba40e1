"""How long `/metrics` takes with 10,000 series in each of two workers, and what it does to others."""

import os
import re
import shutil
import sys
import tempfile
import time

from common import RTD, PROGRAMS, free_port, get, quartiles, server, spread, verdict

RUNS = 40
SERIES = 10_000
METER = os.path.join(os.path.dirname(PROGRAMS), "plugins", "meter.so")


def command(folder, port, admin):
    path = f"{folder}/runtime.conf"
    shutil.copy(METER, folder)
    with open(path, "w", encoding="utf-8") as file:
        file.write('environment = "production"; allow_root = true; workers = 2;\n'
                   f'plugins = ["{folder}"]; load = ["meter"];\n'
                   f'http: {{ listen = ["127.0.0.1:{port}"]; access_log: {{ format = "off"; }}; }};\n'
                   f'admin: {{ listen = ["127.0.0.1:{admin}"]; }};\n'
                   f'telemetry: {{ metrics: {{ max_series = {SERIES}; }}; }};\n')
    return [RTD, "--config", path]


def fill(port, admin):
    """Until each worker has all of its series, which the sum tells."""
    for _ in range(200):
        get(port, f"/fill/{SERIES}", limit=30)
        text = get(admin, "/metrics", limit=30)[1].decode()
        if re.search(rf'^meter_added_total\{{id="{SERIES - 1}"\}} (\d+)$', text, re.M):
            return text
    sys.exit("the series did not appear")


def scrape(admin):
    before = time.perf_counter()
    get(admin, "/metrics", limit=30)
    return time.perf_counter() - before


def main():
    with tempfile.TemporaryDirectory() as folder:
        port, admin = free_port(), None
        while admin is None or admin == port:
            admin = free_port() if admin is None else admin + 1
        with server(command(folder, port, admin), port):
            for _ in range(8):  # both workers, most likely
                text = fill(port, admin)
            lines = sum(1 for line in text.splitlines() if not line.startswith("#"))
            times = [scrape(admin) for _ in range(RUNS)]
    print(f"{lines} lines, {len(text) / 1e6:.1f} MB; a whole scrape, {RUNS} runs: "
          f"{spread(times, 'ms', 1e3, 1)}")
    verdict("/metrics with 10,000 series", quartiles(times)[1] * 1e3, 20, "ms")


if __name__ == "__main__":
    main()
