"""Runs faults under load, all or those named, and prints what became of the requests.

    scripts/faults [NAME…] [--seconds N] [--transfers N] [--without-wrk] [--markdown]
"""

import argparse
import platform
import shutil
import sys
import time

import books
import changes
import resources
import workers
from site_of_faults import Run, Unfit
from verdict import judge

FAULTS = {**workers.FAULTS, **changes.FAULTS, **resources.FAULTS}
COLUMNS = ("fault", "done", "sent", "answered", "503", "refused", "lost", "of them", "longest", "wrk")


def execute(name, seconds, wrk):
    """(run, lost by reason), or the reason why it cannot be shown here."""
    run = Run(name, seconds, wrk)
    try:
        FAULTS[name](run)
    except Unfit as unfit:
        return None, str(unfit)
    return run, judge(run)


def are_wrong(name, count):
    """The books after so many transfers; says what is not as it should be."""
    problems = books.BOOKS[name](count)
    for problem in problems:
        print(f"  FAILED: {problem}", file=sys.stderr, flush=True)
    return problems


def listed(counts):
    return ", ".join(f"{count} {what}" for what, count in counts.items()) or "-"


def row(run, lost):
    load = run.load
    requests, errors, others = run.pressure.summary()
    return (run.name, listed(run.done), load.counts.get("sent", 0), load.answered_so_far(),
            load.statuses.get(503, 0), load.counts.get("refused", 0), len(load.lost), listed(lost),
            f"{load.longest:.2f} s", f"{requests} ({errors} errors, {others} not 200)" if requests else "-")


def show(rows, markdown):
    rows = [COLUMNS, *[tuple(str(cell) for cell in one) for one in rows]]
    widths = [max(len(one[i]) for one in rows) for i in range(len(COLUMNS))]
    for number, one in enumerate(rows):
        cells = [cell.ljust(width) for cell, width in zip(one, widths)]
        print("| " + " | ".join(one) + " |" if markdown else "  ".join(cells).rstrip())
        if markdown and number == 0:
            print("|" + " --- |" * len(COLUMNS))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0], prog="scripts/faults")
    parser.add_argument("names", nargs="*", metavar="NAME", help="; ".join([*FAULTS, *books.BOOKS]))
    parser.add_argument("--seconds", type=float, default=30.0, help="of load a fault")
    parser.add_argument("--transfers", type=int, default=100_000, help="between accounts a database")
    parser.add_argument("--without-wrk", action="store_true", help="no load but the one that counts")
    parser.add_argument("--markdown", action="store_true", help="the table as README.md has it")
    arguments = parser.parse_args()
    known = [*FAULTS, *books.BOOKS]
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        sys.exit(f"faults: no fault `{unknown[0]}`; there are: {' '.join(known)}")
    wrk = not arguments.without_wrk and shutil.which("wrk") is not None
    rows, failed, right = [], [], []
    for name in arguments.names or known:
        print(f"faults: {name}", file=sys.stderr, flush=True)
        if name in books.BOOKS:
            (failed if are_wrong(name, arguments.transfers) else right).append(name)
            continue
        run, outcome = execute(name, arguments.seconds, wrk)
        if not run:
            print(f"  skipped: {outcome}", file=sys.stderr, flush=True)
            continue
        rows.append(row(run, outcome))
        for note in run.notes:
            print(f"  {note}", file=sys.stderr, flush=True)
        for problem in run.problems:
            print(f"  FAILED: {problem}", file=sys.stderr, flush=True)
        failed += [name] if run.problems else []
    print(f"{platform.platform()}, {time.strftime('%Y-%m-%d')}, {arguments.seconds:g} s each")
    if rows:
        show(rows, arguments.markdown)
    for name in right:
        print(f"{name}: the books are right")
    if failed or not (rows or right):
        sys.exit(f"faults: failed: {' '.join(failed) or 'nothing ran'}")


if __name__ == "__main__":
    main()
