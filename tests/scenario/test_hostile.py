"""Doubtful requests, one by one, however the network cuts them: tests/hostile has the tables."""

import collections
import contextlib
import os
import re
import resource
import socket
import ssl
import subprocess
import sys
import unittest

from deployment import TOP, deployment, wait_for
from test_tls import make_certificate

HOSTILE = os.path.join(TOP, "tests", "hostile")
sys.path.insert(0, HOSTILE)

import abuse
import cases
import combinations
from client import PATIENCE, Clock, Connection, connect, parse_answers, request_once

RELEASE = os.environ.get("RT_RELEASE_PREFIX") or os.environ["RT_PREFIX"]

SETTINGS = ("--set", 'http.header_timeout="20 s"')
SECOND = cases.get(target=b"/second")
SECOND_SEEN = b"GET /second a "
CUT_BEHIND = b"\r\n:;, \t\0\x0b="
MOST_CUTS = 24     # of one request
MOST_PIECES = 400  # into which one is split
COMBINATIONS = 300

Outcome = collections.namedtuple("Outcome", "statuses sees closes")


def outcome(data):
    """What came of one connection: texts that differ from run to run are left out."""
    answers = parse_answers(data)
    return Outcome([each.status for each in answers],
                   [each.body for each in answers if each.status == 200],
                   bool(answers) and answers[-1].fields.get("connection") == "close")


def expected(case):
    again = case.ends == cases.OPEN
    return Outcome(case.answers + [200] * again, [*case.sees] + [SECOND_SEEN] * again,
                   case.ends == cases.CLOSES)


def alone(case):
    """Without the request behind it."""
    return Outcome(case.answers, [*case.sees], case.ends == cases.CLOSES)


def stream(case):
    return case.sends if case.ends == cases.WAITS else case.sends + SECOND


def spread(places, most):
    """So many of them, evenly."""
    return places if len(places) <= most else [places[i * len(places) // most] for i in range(most)]


def cuts(data):
    """In two, before and behind each byte that means something."""
    places = {place + side for place, byte in enumerate(data) if byte in CUT_BEHIND for side in (0, 1)}
    inside = sorted(place for place in places if 0 < place < len(data))
    return [[data[:place], data[place:]] for place in spread(inside, MOST_CUTS)]


def byte_by_byte(data):
    step = -(-len(data) // MOST_PIECES)
    return [data[at:at + step] for at in range(0, len(data), step)]


def play(port, clock, scripts, closes=False, opener=connect):
    """Sends the pieces of each script on a connection of its own, each read apart by the server.

    `closes`: whether the server is to end the connections, each told by script.
    """
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(Connection(port, opener)) for _ in scripts]
        for turn in range(max(map(len, scripts))):
            for made, pieces in zip(opened, scripts):
                if turn < len(pieces):
                    made.send(pieces[turn])
            clock.tick()
        if not closes:
            for made in opened:
                made.end()
        return [made.read_to_end() for made in opened]


class Judged(unittest.TestCase):
    """Of one server, which answers all of the tables."""

    settings = ()
    opener = staticmethod(connect)

    @staticmethod
    def adapted(wanted, _):
        return wanted

    @classmethod
    def prepare(cls):
        """What the settings need."""

    @classmethod
    def setUpClass(cls):
        cls.made = cls.enterClassContext(deployment(("recorder",)))
        cls.prepare()
        cls.made.start_ready(*SETTINGS, *cls.settings)
        cls.clock = Clock(cls.made.port, cls.opener)
        cls.addClassCleanup(cls.clock.close)
        cls.tables = cases.load()
        cls.handled = 0  # answers of the recorder

    def each(self, scripts_of, wanted_of=expected):
        """Sends every case as `scripts_of` says and compares what comes of each script."""
        for table, rows in self.tables.items():
            for case in rows:
                with self.subTest(table=table, case=case.name, source=case.source):
                    scripts = scripts_of(case)
                    for pieces, data in zip(scripts, self.play(scripts, case.ends == cases.CLOSES)):
                        wanted = self.adapted(wanted_of(case), case)
                        self.assertEqual(outcome(data), wanted, pieces)

    def play(self, scripts, closes):
        data = play(self.made.port, self.clock, scripts, closes, self.opener)
        type(self).handled += sum(len(outcome(each).sees) for each in data)
        return data

    def test_the_tables_are_whole(self):
        self.assertEqual(cases.check(self.tables), [])
        refused = [case for rows in self.tables.values() for case in rows
                   if any(status >= 400 for status in case.answers)]
        self.assertGreaterEqual(len(refused), 60)

    def test_each_request_alone_gets_its_answer(self):
        self.each(lambda case: [[case.sends]], alone)

    def test_each_request_gets_its_answer_and_so_does_only_a_request_behind_it(self):
        self.each(lambda case: [[stream(case)]])

    def test_a_cut_anywhere_changes_nothing(self):
        self.each(lambda case: cuts(stream(case)))

    def test_byte_by_byte_changes_nothing(self):
        for ends in (cases.CLOSES, cases.OPEN, cases.WAITS):
            some = [case for rows in self.tables.values() for case in rows if case.ends == ends]
            scripts = [byte_by_byte(stream(case)) for case in some]
            for case, data in zip(some, self.play(scripts, ends == cases.CLOSES)):
                with self.subTest(case=case.name):
                    self.assertEqual(outcome(data), self.adapted(expected(case), case))

    def test_combinations_give_the_same_answers_however_they_are_cut(self):
        several = 0
        for made in combinations.make(COMBINATIONS):
            with self.subTest(name=made.name, sends=made.sends):
                scripts = [[made.sends], *spread(cuts(made.sends), 4)]
                data = self.heads(scripts) if made.sends.startswith(b"HEAD") else self.play(scripts, False)
                whole = outcome(data[0])
                several += len(whole.statuses) > 1
                self.assertEqual([outcome(each) for each in data[1:]], [whole] * (len(data) - 1))
        self.assertGreater(several, COMBINATIONS // 10)

    def heads(self, scripts):
        """The first answer of each has no body, whatever length it says."""
        return self.play([[pieces[0].replace(b"HEAD", b"GET", 1), *pieces[1:]] for pieces in scripts],
                         False)

    @classmethod
    def tearDownClass(cls):
        last = cls.last_sequence()
        status = cls.made.stop()
        if status != 0 or last != cls.handled + cls.clock.ticks + 1:
            raise AssertionError(f"status {status}; handlers saw {last} requests, answers tell of "
                                 f"{cls.handled + cls.clock.ticks + 1}:\n{cls.made.log()}")

    @classmethod
    def last_sequence(cls):
        with Connection(cls.made.port, cls.opener) as made:
            made.send(cases.get())
            made.end()
            return int(parse_answers(made.read_to_end())[0].fields["x-sequence"])


class Secured(ssl.SSLSocket):
    """Ends its side as a plain socket does, still reads what is sent to it, and fails alike."""

    def sendall(self, data, flags=0):
        try:
            super().sendall(data, flags)
        except ssl.SSLEOFError as error:
            raise BrokenPipeError from error

    def shutdown(self, how):
        socket.socket.shutdown(self, how)


def connect_secured(port):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.sslsocket_class = Secured
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), PATIENCE))


class JudgedOverTls(Judged):
    """In records of TLS; their cuts are not told apart from those of TCP, and are tried there."""

    settings = ("--set", "http.tls.certificate=first.pem", "--set", "http.tls.key=first.key")
    opener = staticmethod(connect_secured)
    test_a_cut_anywhere_changes_nothing = None
    test_combinations_give_the_same_answers_however_they_are_cut = None

    @classmethod
    def prepare(cls):
        make_certificate(cls.made.folder, "first", "DNS:localhost")
        cls.settings = (*cls.settings, "--set", f'http.listen=["127.0.0.1:{cls.made.port} tls"]')


class JudgedAsTheyCome(Judged):
    """By handlers that start before the body is there and read it in pieces."""

    settings = ("--set", "recorder.streams=true")

    @staticmethod
    def adapted(wanted, case):
        """Such a handler is told of a body that is cut, and can answer."""
        is_cut = case.ends == cases.WAITS and b"\r\n\r\n" in case.sends
        return Outcome([400], [], True) if is_cut else wanted


GROWTH = 16 * 1024 * 1024  # bytes that a worker with sanitizers may grow by under one attack
LIMITS = ("http.header_timeout=\"2 s\"", "http.request_timeout=\"2 s\"", "http.idle_timeout=\"2 s\"")
HEAD = b"GET /a HTTP/1.1\r\nHost: a\r\n"
CHUNKED = b"POST /a HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
# What is sent first, what without end, and how that is refused.
FLOODS = {
    "fields": (HEAD, b"X: y\r\n", 431),
    "one field": (HEAD + b"X: ", b"y" * 64, 431),
    "one name": (HEAD, b"y" * 64, 431),
    "a method": (b"", b"M" * 64, 501),
    "a target": (b"GET /", b"a" * 64, 414),
    "empty lines": (b"", b"\r\n", 400),
    "a body beyond its limit": (b"POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n",
                                b"b" * 64, 413),
    "large chunks": (CHUNKED, b"1000\r\n" + b"b" * 4096 + b"\r\n", 413),
    "chunks of one byte": (CHUNKED, b"1\r\nb\r\n", 413),
    "an extension": (CHUNKED + b"1;", b"x" * 64, 400),
    "extensions": (CHUNKED, b"1;xxxxxxxxxxxxx\r\nb\r\n", 400),
    "digits of a size": (CHUNKED, b"0" * 64, 400),
    "trailers": (CHUNKED + b"0\r\n", b"X: y\r\n", 431),
    "one trailer": (CHUNKED + b"0\r\nX: ", b"y" * 64, 431),
}
# For how many seconds; the first three end before, when the server has ended all of them.
SLOW = {
    "headers": ("-H", "-l", "30"),
    "bodies": ("-B", "-l", "30"),
    "ranges": ("-R", "-l", "30"),
    "reading": ("-X", "-l", "3", "-w", "10", "-y", "20", "-n", "1", "-z", "5"),
}


class Abused(unittest.TestCase):
    """Each attack leaves the worker as it was, and nobody else notices."""

    @classmethod
    def setUpClass(cls):
        cls.made = cls.enterClassContext(deployment(("recorder",)))
        options = os.environ.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=4"
        cls.made.start_ready(*(word for limit in LIMITS for word in ("--set", limit)),
                             environment={"ASAN_OPTIONS": options.strip(":")})
        cls.port = cls.made.port
        cls.worker = cls.ask_worker()

    @classmethod
    def tearDownClass(cls):
        if cls.made.stop() != 0:
            raise AssertionError(cls.made.log())

    @classmethod
    def ask_worker(cls):
        return int(request_once(cls.port, b"/worker").fields["x-worker"])

    @contextlib.contextmanager
    def attack(self):
        """Others go on, memory stays bounded, all connections end, the worker is the same."""
        before, opened = abuse.memory(self.worker), abuse.descriptors(self.worker)
        with abuse.Witness(self.port) as witness:
            yield witness
            least = witness.count + 10
            wait_for(lambda: witness.count >= least, "answers to the witness")
        self.assertEqual(witness.wrong, [])
        self.assertLess(abuse.memory(self.worker) - before, GROWTH)
        wait_for(lambda: abuse.descriptors(self.worker) <= opened, "the end of all connections")
        self.assertEqual(self.ask_worker(), self.worker)

    def test_endless_requests_are_refused_at_their_limits(self):
        for name, (head, piece, status) in FLOODS.items():
            with self.subTest(name=name), self.attack():
                answers = parse_answers(abuse.flood(self.port, head, piece))
                self.assertEqual([answer.status for answer in answers], [status])

    def test_pipelining_without_reading_is_held_back(self):
        for target in (b"/a", b"/large"):
            with self.subTest(target=target), self.attack() as witness:
                taken = abuse.pipeline_unread(self.port, cases.get(target=target), witness.ask)
                self.assertLess(taken, abuse.MOST_UNREAD // 2)

    def test_slow_clients_are_ended(self):
        for name, words in SLOW.items():
            with self.subTest(name=name), self.attack():
                target = "large" if name == "reading" else "a"
                outcome = subprocess.run(
                    ["slowhttptest", *words, "-c", "200", "-r", "400", "-i", "1", "-p", "5",
                     "-u", f"http://127.0.0.1:{self.port}/{target}"], cwd=self.made.folder,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=60, check=True)
                text = re.sub("\x1b\\[[0-9;]*m", "", outcome.stdout)
                self.assertNotRegex(text, r"service available: +NO")
                # Whoever reads a few bytes now and then is served: README of host/http.
                if name != "reading":
                    self.assertIn("No open connections left", text)

    def test_a_hello_of_tls_is_refused(self):
        with self.attack():
            self.assertIsNotNone(abuse.handshake(self.port))

    def test_random_bytes_are_never_a_request(self):
        with self.attack():
            answers = [parse_answers(data) for data in abuse.garbage(self.port, 200)]
            statuses = {answer.status for each in answers for answer in each}
            self.assertEqual(max(map(len, answers)), 1)
            self.assertLessEqual(statuses, {400, 501})
            self.assertIn(400, statuses)


IDLE = 10000
IDLE_BYTES = 4096  # of a kept connection
HOLD = "import sys; sys.path.insert(0, sys.argv[1]); import abuse; abuse.hold(*map(int, sys.argv[2:]))"


def raise_descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def only_child(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return int(file.read().split()[0])


class Idle(unittest.TestCase):
    """Of the release build, for a sanitizer's memory says nothing."""

    def test_ten_thousand_idle_connections_take_little_and_nobody_notices(self):
        self.assertGreater(resource.getrlimit(resource.RLIMIT_NOFILE)[1], IDLE + 500,
                           "raise the hard limit of open files")
        with contextlib.ExitStack() as stack:
            made = stack.enter_context(deployment(("orders",), folder=f"{RELEASE}/lib/rt/plugins"))
            for name in ("clock-system", "email-memory", "sqlite"):
                made.add(name, f"{RELEASE}/lib/rt/plugins")
            made.command = lambda *words: [f"{RELEASE}/bin/rtd", "--config", made.config, *words]
            made.start_ready()
            worker = only_child(made.process.pid)
            witness = stack.enter_context(abuse.Witness(made.port, b"/nowhere", 404))
            wait_for(lambda: witness.count > 50, "answers to the witness")
            before = abuse.memory(worker, "Pss")
            holder = self.hold(stack, made.port)
            self.assertEqual(holder.stdout.readline(), "ready\n")
            self.assertGreaterEqual(abuse.descriptors(worker), IDLE)
            self.assertLess((abuse.memory(worker, "Pss") - before) / IDLE, IDLE_BYTES)
            least = witness.count + 100
            wait_for(lambda: witness.count >= least, "answers to the witness")
            self.assertEqual(holder.communicate("\n", 60)[0], f"{IDLE}\n")
            self.assertEqual((witness.wrong, only_child(made.process.pid)), ([], worker))

    @staticmethod
    def hold(stack, port):
        return stack.enter_context(subprocess.Popen(
            [sys.executable, "-B", "-c", HOLD, HOSTILE, str(port), str(IDLE)], text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, preexec_fn=raise_descriptors))


if __name__ == "__main__":
    unittest.main()
