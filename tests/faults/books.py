"""Transfers between accounts while workers and the database are killed: are the books right afterwards?"""

import random
import sys
import time

from bank import OPENING, Transfers, balances, bank
from databases import Postgres, Redis

ACCOUNTS, WORKERS = 100, 4
PAUSE = (1.0, 4.0)  # seconds between two kills


def shake(made, server, transfers):
    """Kills one thing after the other until all transfers are dealt with; what was killed how often."""
    done = {"workers": 0, "server": 0}
    while any(thread.is_alive() for thread in transfers.threads):
        time.sleep(random.uniform(*PAUSE))
        if random.random() < 0.6:
            pids = made.workers()
            made.kill(random.sample(pids, random.randint(1, len(pids))) if pids else ())
            done["workers"] += len(pids) > 0
        else:
            server.kill()
            server.restart()
            done["server"] += 1
    return done


def told(transfers, done, seconds):
    lost = sum(transfers.failures.values())
    return (f"{len(transfers.booked)} booked, {len(transfers.unknown)} of unknown outcome, "
            f"in {seconds:.0f} s; workers killed {done['workers']} times, the server {done['server']} times; "
            f"{lost} requests not answered with 200: {transfers.failures}")


def differences(what, expected, found):
    return [] if expected == found else [f"{what}: {found} instead of {expected}"]


def run(made, server, route, count, again):
    begin = time.monotonic()
    with Transfers(made, route, ACCOUNTS, count, clients=16, again=again) as transfers:
        done = shake(made, server, transfers)
    print(f"  {told(transfers, done, time.monotonic() - begin)}", file=sys.stderr, flush=True)
    return transfers, list(transfers.problems)


def transfers(count):
    """Over sql/1 on PostgreSQL, each sent until it is booked: each is there once."""
    with Postgres(settings={"deadlock_timeout": "50ms"}) as server, \
            bank("ledger", "postgres", {"url": server.url}, workers=WORKERS) as made:
        made.post(f"/setup/{ACCOUNTS}")
        load, problems = run(made, server, "transfer", count, again=True)
        made.wait_for_answer("/sum")
        expected = {"accounts": ACCOUNTS, "sum": ACCOUNTS * OPENING, "transfers": count, "unexplained": 0}
        problems += differences("the books", expected, made.sum())
        if sorted(made.ask("/transfers")[1].split()) != sorted(load.booked):
            problems.append("what was answered as booked is not what is booked")
        return problems


def points(count):
    """Over redis/1, half by script and half by MULTI: what was answered is there, and nothing by halves."""
    with Redis(durable=True) as server, \
            bank("tally", "redis", {"url": server.url}, workers=WORKERS) as made:
        problems = []
        for route in ("script", "atomic"):
            server.cli("FLUSHALL")
            load, found = run(made, server, route, count // 2, again=False)
            problems += found
            made.wait_for_answer("/read/0")
            lines = [line.split() for line in server.cli("LRANGE", "tally:moves", 0, -1).split("\n")]
            moves = {line[0]: tuple(int(word) for word in line[1:]) for line in lines if line}
            counters = balances(moves.values())
            stand = {one: int(server.cli("GET", f"tally:{one}") or 0) for one in counters}
            problems += differences(f"{route}: the counters", counters, stand)
            if {number: moves.get(number) for number in load.booked} != load.booked:
                problems.append(f"{route}: what was answered is not there")
            if len(moves) != len(lines):
                problems.append(f"{route}: moved twice: {len(lines) - len(moves)}")
        return problems


BOOKS = {"transfers": transfers, "points": points}
