"""Runs the benchmarks, all or those named; called by scripts/bench."""

import glob
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def programs():
    """Benchmark name → command: Python here, C in the build folder."""
    found = {}
    for path in glob.glob(f"{os.environ['RT_BUILD']}/tests/bench/bench-*"):
        if os.path.isfile(path) and os.access(path, os.X_OK):
            found[os.path.basename(path)[len("bench-"):]] = [path]
    for name in ("effect", "observed", "validate", "start", "request", "instructions", "latency", "waiting", "idle", "reload",
                 "metrics", "stalled"):
        found[name] = [sys.executable, "-B", f"{HERE}/{name}.py"]
    for name in ("tls", "h2"):
        found[name] = [sys.executable, "-B", f"{HERE}/secured.py", name]
    for name in ("sql", "redis", "copy", "migrate"):
        found[name] = [sys.executable, "-B", f"{HERE}/stored.py", name]
    return found


def main():
    known = programs()
    wanted = sys.argv[1:] or list(known)
    unknown = [name for name in wanted if name not in known]
    if unknown:
        sys.exit(f"bench: no benchmark `{unknown[0]}`; there are: {' '.join(known)}")
    failed = []
    for name in wanted:
        print(f"== {name}", flush=True)
        if subprocess.run(known[name]).returncode:
            failed.append(name)
        print(flush=True)
    if failed:
        sys.exit(f"bench: failed: {' '.join(failed)}")


if __name__ == "__main__":
    main()
