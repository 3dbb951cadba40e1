"""What a capability call costs with its telemetry, beside a call in Effect's withSpan."""

import json
import subprocess
import sys

import common

LEAST_RATIO = 50


def main():
    ours = subprocess.run([f"{common.PROGRAMS}/instrumented"], text=True, stdout=subprocess.PIPE)
    *said, nanoseconds = ours.stdout.splitlines()
    print("\n".join(said))
    peer = subprocess.run(["node", f"{common.TOP}/tests/bench/peers/with_span.mjs"], check=True,
                          text=True, stdout=subprocess.PIPE)
    peers = json.loads(peer.stdout)
    for name, value in peers.items():
        print(f"Effect's withSpan, {name}: {value:.0f} ns, {value / float(nanoseconds):.0f} of ours")
    ratio = min(peers.values()) / float(nanoseconds)
    met = ratio >= LEAST_RATIO
    print(f"faster than withSpan: {ratio:.0f} times, target {LEAST_RATIO}: {'met' if met else 'MISSED'}")
    return 0 if met and not ours.returncode else 1


if __name__ == "__main__":
    sys.exit(main())
