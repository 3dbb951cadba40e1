"""What a run comes to: each lost request with its reason, and whether it was to be lost."""

# Why a request was lost.
RUNNING = "running"  # its worker had begun it and was brought down
UNSEEN = "unseen"  # it had come to a worker that was brought down, which had not begun it
UNDELIVERED = "undelivered"  # the worker had ended it, and was brought down before the answer left
ENDING = "at the end"  # nobody had begun it when rtd as a whole ended
OTHER = "unexplained"

BROUGHT_DOWN = {RUNNING, UNSEEN, UNDELIVERED}


def reason(run, request):
    begun, ended, _ = run.journal
    worker = begun.get(request.number) or request.worker
    if worker in run.killed:
        if request.number in ended:
            return UNDELIVERED
        return RUNNING if request.number in begun else UNSEEN
    if request.number not in begun and any(0 <= request.at - at < 1.0 for at in run.ended):
        return ENDING
    # A new connection says nothing of its worker: it fits if one was brought down at that moment.
    recent = any(-0.5 < request.at - at < 2.0 for at in run.killed.values())
    if not request.kept and request.number not in begun and recent:
        return UNSEEN
    return OTHER


def lost_by_reason(run):
    found = {}
    for request in run.load.lost:
        why = reason(run, request)
        found[why] = found.get(why, 0) + 1
    return found


def judge(run):
    """Adds to the run's problems what no fault may bring."""
    lost = lost_by_reason(run)
    for why, count in lost.items():
        if why not in run.allowed:
            first = next(request for request in run.load.lost if reason(run, request) == why)
            run.check(False, f"{count} lost, {why}; the first: {first}")
    _, ended, twice = run.journal
    run.check(not twice, f"run twice: {twice[:5]}")
    for what in ("unasked", "another's answer"):
        run.check(not run.load.counts.get(what), f"{what}: {run.load.counts.get(what)}")
    others = {status: count for status, count in run.load.statuses.items() if status not in (200, 503)}
    run.check(not others, f"statuses {others}")
    run.check(run.load.answered_so_far() > 0, "nothing was answered")
    run.check(len(ended) > 0, "nothing stands in the journal")
    accounted = sum(run.load.statuses.values()) + len(run.load.lost)
    run.check(run.load.counts.get("sent", 0) <= accounted, "requests are unaccounted for")
    return lost
