"""The modules `ledger` and `tally` on a real server, and transfers between accounts, each counted."""

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import threading
import time

from deployment import BUILD, Deployment, deployment_of, free_port, wait_for

OPENING = 1000  # what an account of `ledger` begins with
BROKEN = (OSError, http.client.HTTPException)
# A failure is told at once, and nothing but readiness is told of it by the way.
HEAD = ('environment = "production";\nallow_root = true;\nhealth: { interval = "200 ms"; };\n'
        'http: { access_log: { format = "off"; }; $TIMEOUT };\nlog: { format = "pretty"; };\n')


def quoted(value):
    """As the configuration has it."""
    if isinstance(value, dict):
        return "{ " + " ".join(f"{name} = {quoted(one)};" for name, one in value.items()) + " }"
    return str(value) if isinstance(value, int) else json.dumps(str(value), ensure_ascii=False)


class Bank(Deployment):
    """rtd with `module`, whose data `provider` keeps; `settings` of that."""

    def __init__(self, module, provider, settings, workers=1, timeout="30 s"):
        self.admin = free_port()
        self.password = settings.get("password")
        if self.password:
            settings = {**settings, "password": "@env:BANK_PASSWORD"}
        lines = "".join(f"{name} = {quoted(value)}; " for name, value in settings.items())
        head = HEAD.replace("$TIMEOUT", f'request_timeout = "{timeout}";')
        super().__init__([module], head + f'workers = {workers};\nload = ["{module}"];\n'
                         f'admin: {{ listen = ["127.0.0.1:{self.admin}"]; }};\n'
                         f'{provider}: {{ {lines} }};\n')
        shutil.copy(os.path.join(BUILD, "plugins", f"{provider}.so"), self.plugins)

    def write(self, config):
        """`http` is in it once: our port joins what the configuration says of it."""
        head = 'plugins = ["plugins"];\n'
        config = config.replace("http: {", f'http: {{ listen = ["127.0.0.1:{self.port}"];', 1)
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(head + config)

    def environment(self, extra=None):
        secret = {"BANK_PASSWORD": self.password} if self.password else {}
        return super().environment({**secret, **(extra or {})})

    def ask(self, path, method="GET", port=None, timeout=60):
        """(status, text)"""
        connection = http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()

    def post(self, path, **options):
        return self.ask(path, "POST", **options)

    def sum(self):
        status, text = self.ask("/sum")
        if status != 200:
            raise AssertionError(f"/sum: {status} {text}")
        return json.loads(text)

    def readiness(self):
        """(status, verdict, reasons)"""
        status, text = self.ask("/health/ready", port=self.admin)
        answer = json.loads(text)
        return status, answer["status"], " ".join(str(reason) for reason in answer["reasons"])

    def wait_for_readiness(self, *verdicts):
        return wait_for(lambda: (found := self.readiness())[1] in verdicts and found,
                        f"readiness {verdicts}")

    def wait_for_answer(self, path, status=200):
        """Until it is answered with that; workers may be starting."""
        def answered():
            with contextlib.suppress(*BROKEN):
                return self.ask(path)[0] == status
            return False
        wait_for(answered, f"{status} for {path}")

    def workers(self):
        """The pids of those that are ready."""
        status = json.loads(self.rtctl("status", "--json").stdout)
        return [worker["pid"] for worker in status["generations"][0]["workers"]
                if worker["state"] == "ready" and worker["pid"]]

    def kill(self, workers):
        for pid in workers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_workers(self):
        self.kill(self.workers())


@contextlib.contextmanager
def bank(module, provider, settings, start=True, **options):
    """Stopped and removed at the end; its log is shown if the test fails."""
    with deployment_of(Bank(module, provider, settings, **options)) as made:
        if start:
            made.start_ready()
        yield made


class Later(threading.Thread):
    """A request that is answered while the test goes on; `outcome` is (status, text), or how it was lost."""

    def __init__(self, made, path, method="POST"):
        super().__init__(daemon=True)
        self.made, self.path, self.method, self.outcome = made, path, method, None
        self.start()

    def run(self):
        try:
            self.outcome = self.made.ask(self.path, self.method)
        except BROKEN as error:
            self.outcome = (0, repr(error))

    def get(self):
        self.join(60)
        if self.outcome is None:
            raise AssertionError(f"{self.path} was not answered")
        return self.outcome


class Transfers:
    """`count` transfers between `accounts` by clients that each keep a connection.

    With `again` one is sent under the same id until it is known to be booked: `ledger` books an id once.
    Without, what became of one that was not answered with 200 is not known.
    """

    def __init__(self, made, route, accounts, count, clients=8, again=True):
        self.made, self.route, self.accounts, self.count = made, route, accounts, count
        self.again = again
        self.lock = threading.Lock()
        self.begun = 0
        self.booked, self.unknown = {}, {}  # id → (payer, payee, amount)
        self.failures = {}  # what was answered in place of 200 → how often
        self.problems = []
        self.over = False
        self.threads = [threading.Thread(target=self.client, daemon=True) for _ in range(clients)]

    def next(self):
        with self.lock:
            if self.begun >= self.count or self.problems or self.over:
                return None
            self.begun += 1
            payer, payee = random.sample(range(self.accounts), 2)
            return f"t{self.begun}", (payer, payee, random.randint(1, 9))

    def client(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.made.port, timeout=60)
        while transfer := self.next():
            number, what = transfer
            end = time.monotonic() + 120
            while not (known := self.send(connection, number, what)) and self.again:
                if time.monotonic() > end:
                    self.problems.append(f"{number} was not booked within 120 s")
                    break
                time.sleep(0.02)
            (self.booked if known else self.unknown)[number] = what
        connection.close()

    def send(self, connection, number, what):
        """Whether it is known to be booked."""
        path = f"/{self.route}/{number}/{'/'.join(str(part) for part in what)}"
        try:
            connection.request("POST", path)
            answer = connection.getresponse()
            status, text = answer.status, answer.read().decode()
        except BROKEN as error:
            connection.close()
            status, text = type(error).__name__, ""
        code = json.loads(text)["code"] if text.startswith("{") else ""
        if status == 200 or code == "ALREADY_EXISTS":
            return True
        with self.lock:
            key = f"{status} {code}".strip()
            self.failures[key] = self.failures.get(key, 0) + 1
            if status == 500:
                self.problems.append(f"{number}: {text}")
        return False

    def done(self):
        return len(self.booked) + len(self.unknown)

    def wait_for(self, count):
        """Until so many have been dealt with."""
        wait_for(lambda: self.done() >= min(count, self.count) or self.problems,
                 f"{count} transfers", limit=300)

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over = kind is not None
        for thread in self.threads:
            thread.join(600)


def balances(transfers, opening=0):
    """{account: balance} after these (payer, payee, amount)."""
    found = {}
    for payer, payee, amount in transfers:
        found[payer] = found.get(payer, opening) - amount
        found[payee] = found.get(payee, opening) + amount
    return found
