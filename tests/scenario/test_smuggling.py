"""Behind proxies that others wrote: what they forward and what a handler sees are the same."""

import collections
import concurrent.futures
import contextlib
import os
import select
import sys
import typing
import unittest
from urllib.parse import unquote_to_bytes

from deployment import TOP, deployment, free_port, wait_for

sys.path.insert(0, os.path.join(TOP, "tests", "hostile"))

import cases
import combinations
import proxies
from abuse import Witness
from client import Connection, connect, parse_answers, request_once, unchunk

COMBINATIONS = 500
OURS = (b"/worker", b"/log")  # what the test itself asks for
SHORT = 0.05     # seconds that an answer may take before the next client asks
AT_ONCE = 200  # connections of clients
TAIL = cases.get(b"Connection: close", target=b"/tail")
FNV = (0xcbf29ce484222325, 0x100000001b3)  # start and prime


class Record(typing.NamedTuple):
    """A request as a handler saw it."""

    method: str
    path: bytes
    query: bytes
    host: bytes
    length: int
    digest: str


def from_hexadecimal(text):
    return b"" if text == "-" else bytes.fromhex(text)


def read_records(path):
    """By sequence number."""
    records = {}
    with open(path, encoding="ascii") as file:
        for line in file:
            number, method, path, query, host, length, digest, _, _ = line.split()
            assert number not in records
            records[number] = Record(method, from_hexadecimal(path), from_hexadecimal(query),
                                     from_hexadecimal(host), int(length), digest)
    return records


def digest(data):
    total, prime = FNV
    for byte in data:
        total = (total ^ byte) * prime % 2**64
    return f"{total:016x}"


def possible_digests(data, length):
    """Of all parts of that length, and of all chunks of the first request."""
    parts = [data[at:at + length] for at in range(len(data) - length + 1)] if length else [b""]
    with contextlib.suppress(ValueError):
        parts.append(unchunk(data.partition(b"\r\n\r\n")[2])[0])
    return {digest(part) for part in parts}


def split_target(target):
    """(decoded path, query) of what stands in a request line."""
    if target[:1] != b"/" and b"://" in target:
        rest = target.partition(b"://")[2]
        start = min([place for place in (rest.find(b"/"), rest.find(b"?")) if place >= 0], default=len(rest))
        target = rest[start:]
        if target[:1] != b"/":
            target = b"/" + target
    path, _, query = target.partition(b"?")
    return unquote_to_bytes(path), query


class Sent(typing.NamedTuple):
    """One connection of a client, and what came back on it."""

    name: str
    sends: bytes
    client: str  # its address
    received: bytes


def address(way, number):
    """Of this machine, and of one client alone."""
    return f"127.{way + 1}.{number // 250}.{number % 250 + 1}"


def send_all(port, way, named):
    """Sends each from an address of its own, a number of them at once, and reads to the end."""
    sent = []
    for at in range(0, len(named), AT_ONCE):
        with contextlib.ExitStack() as stack:
            opened = []
            for number, (name, data) in enumerate(named[at:at + AT_ONCE], at):
                made = Connection(port, lambda port: connect(port, address(way, number)))
                opened.append((name, data, address(way, number), stack.enter_context(made)))
                made.send(data)
            sent += [Sent(name, data, client, made.read_to_end())
                     for name, data, client, made in opened]
    return sent


def send_in_turn(port, way, first, named, witness):
    """One after the other, each followed by the witness, who gets the connection to the server that
    was used last, unless the proxy gave that up."""
    with contextlib.ExitStack() as stack:
        opened = []
        for number, (name, data) in enumerate(named, first):
            made = Connection(port, lambda port: connect(port, address(way, number)))
            opened.append((name, data, address(way, number), stack.enter_context(made)))
            made.send(data)
            select.select([made.socket], [], [], SHORT)
            witness.ask()
            witness.ask()
        return [Sent(name, data, client, made.read_to_end()) for name, data, client, made in opened]


def framings():
    """What may make two readers disagree about the end of a request, and a request behind it."""
    tables = cases.load()
    return [(case.name, case.sends + TAIL)
            for table in ("framing", "chunks") for case in tables[table]]


def inputs():
    """Every doubtful request, followed by one that ends the connection."""
    named = [(case.name, case.sends + TAIL) for rows in cases.load().values() for case in rows]
    return named + [(made.name, made.sends + TAIL) for made in combinations.make(COMBINATIONS)]


class Behind(unittest.TestCase):
    def compare(self, kind):
        with contextlib.ExitStack() as stack:
            made = stack.enter_context(deployment(("recorder",)))
            path = made.path("records")
            made.start_ready("--set", f'recorder.file="{path}"', "--set", 'http.request_timeout="2 s"')
            worker = self.worker(made.port)
            proxy = kind(made.path(kind.name), made.port, free_port)
            stack.callback(proxy.stop)
            proxy.start()
            sent = self.exchange(proxy)
            self.assertEqual(self.worker(made.port), worker)
            self.judge(proxy, sent, path)
            self.assertEqual(made.stop(), 0)

    @staticmethod
    def worker(port):
        return request_once(port, b"/worker").fields["x-worker"]

    def exchange(self, proxy):
        """Through all ways at once."""
        def through(number):
            port = proxy.ports[proxy.ways[number]]
            everything = inputs()
            with Witness(port) as witness:
                sent = send_all(port, number, everything)
            self.assertGreater(witness.count, 20)
            return sent + send_in_turn(port, number, len(everything), framings(), witness), witness

        sent = []
        with concurrent.futures.ThreadPoolExecutor() as pool:
            for each, witness in pool.map(through, range(len(proxy.ways))):
                self.assertEqual(witness.wrong, [])
                sent += each
        return sent

    def judge(self, proxy, sent, path):
        records = read_records(path)
        ours = {number for number, record in records.items() if record.path in OURS}
        wanted = set(records) - ours
        with contextlib.suppress(AssertionError):  # what is missing is named below
            wait_for(lambda: wanted <= {line.sequence for line in proxy.lines()}, "the log", 10)
        lines = proxy.lines()
        self.nothing_is_seen_twice_or_unknown(lines, records, ours)
        self.both_saw_the_same(lines, records)
        self.clients_got_their_own(lines, records, sent)
        # Enough got through for this to say something.
        self.assertGreater(len(records), len(sent) // 2)

    def nothing_is_seen_twice_or_unknown(self, lines, records, ours):
        logged = collections.Counter(line.sequence for line in lines if line.sequence)
        self.assertEqual([number for number, times in logged.items() if times > 1], [])
        self.assertEqual({number: records[number] for number in set(records) - ours - set(logged)}, {})
        self.assertEqual(set(logged) - set(records), set())

    def both_saw_the_same(self, lines, records):
        for line in lines:
            if line.sequence:
                record = records[line.sequence]
                with self.subTest(line=line, record=record):
                    self.assertEqual("GET" if line.method == "HEAD" else line.method,
                                     "GET" if record.method == "HEAD" else record.method)
                    self.assertEqual((record.path, record.query), split_target(line.target))
                    if line.host:  # without one a proxy names itself
                        self.assertEqual(record.host, line.host)
                    if line.length:
                        self.assertEqual(record.length, int(line.length))

    def clients_got_their_own(self, lines, records, sent):
        by_client = collections.defaultdict(list)
        for line in lines:
            if line.sequence:
                by_client[line.client].append(line)
        for each in sent:
            with self.subTest(name=each.name, sends=each.sends[:2000]):
                self.only_what_was_sent(each, [records[line.sequence] for line in by_client[each.client]],
                                        by_client[each.client])

    def only_what_was_sent(self, each, seen, lines):
        for record, line in zip(seen, lines):
            self.assertIn(line.method.encode() + b" ", each.sends)
            self.assertIn(line.target, each.sends)
            self.assertIn(record.digest, possible_digests(each.sends, record.length))
        if b"HEAD " not in each.sends and each.received.startswith(b"HTTP/1."):
            answers = [answer for answer in parse_answers(each.received) if "x-sequence" in answer.fields]
            self.assertEqual([answer.fields["x-sequence"] for answer in answers],
                             [line.sequence for line in lines][:len(answers)])

    def test_nginx_and_the_runtime_see_the_same_requests(self):
        self.compare(proxies.Nginx)

    def test_haproxy_and_the_runtime_see_the_same_requests(self):
        self.compare(proxies.Haproxy)

    def test_varnish_and_the_runtime_see_the_same_requests(self):
        self.compare(proxies.Varnish)


if __name__ == "__main__":
    unittest.main()
