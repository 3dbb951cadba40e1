"""Doubtful requests, one by one, however the network cuts them: tests/hostile has the tables."""

import collections
import contextlib
import os
import sys
import unittest

from deployment import TOP, deployment

sys.path.insert(0, os.path.join(TOP, "tests", "hostile"))

import cases
import combinations
from client import Clock, Connection, parse_answers

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


def play(port, clock, scripts, closes=False):
    """Sends the pieces of each script on a connection of its own, each read apart by the server.

    `closes`: whether the server is to end the connections, each told by script.
    """
    with contextlib.ExitStack() as stack:
        opened = [stack.enter_context(Connection(port)) for _ in scripts]
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

    @classmethod
    def setUpClass(cls):
        cls.made = cls.enterClassContext(deployment(("recorder",)))
        cls.made.start_ready(*SETTINGS)
        cls.clock = Clock(cls.made.port)
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
                        self.assertEqual(outcome(data), wanted_of(case), pieces)

    def play(self, scripts, closes):
        data = play(self.made.port, self.clock, scripts, closes)
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
                    self.assertEqual(outcome(data), expected(case))

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
        with Connection(cls.made.port) as made:
            made.send(cases.get())
            made.end()
            return int(parse_answers(made.read_to_end())[0].fields["x-sequence"])


if __name__ == "__main__":
    unittest.main()
