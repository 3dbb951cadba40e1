"""Databases that are gone, killed, held, slow, full, or other than they say: what becomes of requests.

The module `ledger` books transfers in `sql/1`, each in one transaction; `tally` in `redis/1`.
"""

import contextlib
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import unittest

from bank import OPENING, Later, Transfers, balances, bank
from databases import Authority, Postgres, Proxy, Redis
from deployment import TOP, free_port, wait_for

ACCOUNTS = 20
UNAVAILABLE = 69  # exit status of a start that failed
TRANSFER = "/transfer/{}/0/1/5"
# What a server might say that is none: to each protocol the beginning of something, and then not.
GARBAGE = {
    "nothing it knows": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "zeros": bytes(64),
    "a huge length": b"R\x7f\xff\xff\xff\0\0\0\0",
    "an endless array": b"*2147483647\r\n$5\r\n",
    "random": bytes((7919 * i * i + 31 * i) % 251 for i in range(500)),
}


def backends(server):
    """What the server's sessions of ours do: one word each."""
    return server.psql("SELECT coalesce(state, 'none') FROM pg_stat_activity WHERE backend_type = "
                       "'client backend' AND pid <> pg_backend_pid()").split("\n")


def locks(server):
    """Of tables and rows that somebody holds or waits for."""
    return int(server.psql("SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation "
                           "WHERE c.relname LIKE 'ledger%'"))


class Case(unittest.TestCase):
    def expect(self, got, *statuses):
        self.assertIn(got[0], statuses, got[1])
        return got[1]

    def expect_no_start(self, made, *words):
        """It gives up by itself, and the log says why."""
        made.start()
        return self.expect_given_up(made, *words)

    def expect_given_up(self, made, *words):
        self.assertEqual(made.wait(), UNAVAILABLE, made.log())
        for word in words:
            self.assertIn(word, made.log())
        return made.log()

    def spoil(self, made, proxy, data, requests):
        """Answers each request with garbage; all is well afterwards."""
        for method, path in requests:
            # A connection that is opened only now has its own answers: the garbage waits for another.
            statuses = []
            for _ in range(5):
                proxy.garbage(data, new=False)
                statuses.append(made.ask(path, method)[0])
                proxy.heal()
                made.wait_for_answer("/read/0")
            self.assertNotEqual(set(statuses), {200})
            self.assertLessEqual(set(statuses), {200, 429, 500, 503, 504})

    def check_books(self, made, transfers=None):
        found = made.sum()
        self.assertEqual(found["sum"], ACCOUNTS * OPENING)
        self.assertEqual(found["accounts"], ACCOUNTS)
        self.assertEqual(found["unexplained"], 0)
        if transfers is not None:
            self.assertEqual(found["transfers"], transfers)


class AtStart(Case):
    """What keeps a provider from its server is said with what to change, and rtd does not run."""

    def refused(self, module, provider, settings, *words):
        with bank(module, provider, settings, start=False) as made:
            return self.expect_no_start(made, *words)

    def test_a_postgres_that_is_not_there_is_tried_three_times_and_named(self):
        port = free_port()
        self.refused("ledger", "postgres", {"url": f"postgresql://ann@127.0.0.1:{port}/shop"},
                     f"127.0.0.1:{port}", "ann", "shop", "refused", "postgres")

    def test_each_attempt_reaches_out_anew(self):
        with Proxy(free_port()) as proxy:  # which takes connections and drops them
            self.refused("ledger", "postgres", {"url": f"postgresql://ann@127.0.0.1:{proxy.port}/shop"})
            self.assertEqual(proxy.accepted, 3)
        with Proxy(free_port()) as proxy:
            self.refused("tally", "redis", {"url": f"redis://127.0.0.1:{proxy.port}"})
            self.assertEqual(proxy.accepted, 3)

    def test_a_postgres_that_comes_up_meanwhile_is_found(self):
        with Postgres() as server:
            server.kill()
            with bank("ledger", "postgres", {"url": server.url}, start=False) as made:
                made.start()
                server.restart()
                wait_for(lambda: "ready: " in made.log() or made.process.poll() is not None, "ready")
                made.wait_for_answer("/plain")

    def test_a_redis_that_is_not_there_is_named(self):
        port = free_port()
        self.refused("tally", "redis", {"url": f"redis://127.0.0.1:{port}"}, f"127.0.0.1:{port}",
                     "refused", "redis")

    def test_wrong_passwords_and_databases_are_told_without_the_password(self):
        with Postgres(password="right one") as server:
            log = self.refused("ledger", "postgres", {"url": server.url, "password": "wrong one"},
                               "password authentication failed", f"127.0.0.1:{server.port}")
            self.assertNotIn("wrong one", log)
            self.refused("ledger", "postgres",
                         {"url": server.url.rpartition("/")[0] + "/nowhere", "password": "right one"},
                         'database "nowhere" does not exist')
        with Redis(password="right one") as server:
            log = self.refused("tally", "redis", {"url": server.url, "password": "wrong one"},
                               "WRONGPASS", f"127.0.0.1:{server.port}")
            self.assertNotIn("wrong one", log)
            self.refused("tally", "redis", {"url": server.url}, "NOAUTH")

    def test_certificates_of_others_of_another_name_and_of_another_time_are_refused(self):
        with Authority() as ours, Authority("another") as theirs:
            for certificate in (theirs.issue(), ours.issue(names="DNS:elsewhere.example"),
                                ours.issue(expired=True)):
                with self.subTest(certificate=certificate.certificate):
                    with Postgres(tls=certificate) as server:
                        self.refused("ledger", "postgres",
                                     {"url": server.url, "tls": "verify-full", "ca": ours.certificate},
                                     "certificate")
                    with Redis(tls=certificate) as server:
                        self.refused("tally", "redis",
                                     {"url": server.url, "tls": {"ca": ours.certificate}},
                                     "certificate")

    def test_with_the_right_certificate_and_password_it_runs(self):
        with Authority() as ours:
            with Postgres(password="p@ss", tls=ours.issue()) as server, \
                    bank("ledger", "postgres", {"url": server.url, "password": "p@ss",
                                                "tls": "verify-full", "ca": ours.certificate}) as made:
                self.expect(made.post(f"/setup/{ACCOUNTS}"), 200)
                self.expect(made.ask("/read/0"), 200)
            with Redis(password="p@ss", tls=ours.issue()) as server, \
                    bank("tally", "redis", {"url": server.url, "password": "p@ss",
                                            "tls": {"ca": ours.certificate}}) as made:
                self.expect(made.ask("/read/0"), 200)

    def expect_no_start_on_garbage(self, server, module, provider, url):
        """One start for each kind, all at once: they wait most of their time."""
        with contextlib.ExitStack() as held:
            starts = {}
            for name, data in GARBAGE.items():
                proxy = held.enter_context(Proxy(server.port))
                proxy.garbage(data)
                starts[name] = held.enter_context(
                    bank(module, provider, {"url": url.format(port=proxy.port),
                                            "connect_timeout": "2 s"}, start=False))
                starts[name].start()
            for name, made in starts.items():
                with self.subTest(garbage=name):
                    self.expect_given_up(made, provider)

    def test_a_postgres_that_answers_garbage_is_not_started_with(self):
        with Postgres() as server:
            self.expect_no_start_on_garbage(server, "ledger", "postgres",
                                            "postgresql://postgres@127.0.0.1:{port}/postgres")

    def test_a_redis_that_answers_garbage_is_not_started_with(self):
        with Redis() as server:
            self.expect_no_start_on_garbage(server, "tally", "redis", "redis://127.0.0.1:{port}")


class PostgresLater(Case):
    """The server goes while rtd serves: requests fail as they should, and all is well afterwards."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Postgres(settings={"deadlock_timeout": "50ms"}))

    @contextlib.contextmanager
    def serving(self, port=None, module="ledger", workers=1, timeout="30 s", **settings):
        if not self.server.running:
            self.server.restart()
        url = f"postgresql://postgres@127.0.0.1:{port or self.server.port}/postgres"
        with bank(module, "postgres", {"url": url, **settings}, workers=workers, timeout=timeout) as made:
            self.expect(made.post(f"/setup/{ACCOUNTS}"), 200)
            yield made

    def half_done(self, made, name, pause=60_000, payer=0):
        """A transfer to the account after `payer` that is in the middle of its transaction."""
        later = Later(made, f"/hold/{name}/{payer}/{payer + 1}/5/{pause}")
        made.wait_for_log(f"transfer `{name}` is half done")
        return later

    def test_it_is_killed_and_comes_back(self):
        with self.serving() as made:
            made.wait_for_readiness("ready")
            worker = made.workers()
            self.server.kill()
            for path in ("/read/0", "/sum"):
                self.assertIn("UNAVAILABLE", self.expect(made.ask(path), 503))
            self.expect(made.post(TRANSFER.format("gone")), 503)
            self.expect(made.ask("/plain"), 200)
            status, verdict, reasons = made.wait_for_readiness("unavailable", "degraded")
            self.assertIn("postgres", reasons, (status, verdict))
            self.server.restart()
            made.wait_for_answer("/read/0")
            self.expect(made.post(TRANSFER.format("back")), 200)
            made.wait_for_readiness("ready")
            self.assertEqual(made.workers(), worker)
            self.check_books(made, 1)

    def test_it_is_killed_in_the_middle_of_a_transaction(self):
        with self.serving() as made:
            held = self.half_done(made, "half", pause=1500)
            self.server.kill()
            self.server.restart()
            self.assertNotEqual(held.get()[0], 200)
            made.wait_for_answer("/sum")
            self.check_books(made, 0)

    def test_a_session_that_is_ended_by_the_administrator_is_replaced(self):
        with self.serving() as made:
            held = self.half_done(made, "half", pause=1500)
            self.server.psql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                             "WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
            self.expect(held.get(), 503)
            made.wait_for_answer("/read/0")
            self.check_books(made, 0)

    def test_workers_that_are_killed_in_a_transaction_leave_nothing(self):
        with self.serving(workers=2) as made:
            held = [self.half_done(made, f"half{turn}", payer=2 * turn) for turn in range(3)]
            self.assertIn("idle in transaction", backends(self.server))
            made.kill_workers()
            for one in held:
                self.assertEqual(one.get()[0], 0)
            wait_for(lambda: "idle in transaction" not in backends(self.server) and
                     locks(self.server) == 0, "the server to let go")
            made.wait_for_answer("/sum")
            self.check_books(made, 0)

    def test_a_client_that_goes_away_ends_its_transaction(self):
        with self.serving() as made:
            with socket.create_connection(("127.0.0.1", made.port), 20) as client:
                client.sendall(b"POST /hold/half/0/1/5/60000 HTTP/1.1\r\nHost: a\r\n\r\n")
                made.wait_for_log("transfer `half` is half done")
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            wait_for(lambda: "idle in transaction" not in backends(self.server) and
                     locks(self.server) == 0, "the server to let go")
            self.check_books(made, 0)

    def test_it_is_held_and_deadlines_hold_all_the_same(self):
        with self.serving(timeout="1 s") as made:
            self.server.pause()
            try:
                waiting = [Later(made, path, "GET") for path in ("/read/0", "/sum", "/wait/1")]
                self.expect(made.ask("/plain"), 200)
                for one in waiting:
                    self.expect(one.get(), 503, 504)
                self.expect(made.ask("/plain"), 200)
            finally:
                self.server.resume()
            made.wait_for_answer("/read/0")
            self.check_books(made, 0)

    def test_a_long_statement_ends_at_its_deadline_on_the_server_too(self):
        with self.serving(timeout="500 ms") as made:
            self.expect(made.ask("/wait/60000"), 504)
            wait_for(lambda: "active" not in backends(self.server), "the server to give it up")
            self.expect(made.ask("/read/0"), 200)

    def test_slow_lines_and_cut_ones(self):
        with Proxy(self.server.port) as proxy, self.serving(proxy.port) as made:
            proxy.delay(0.1)
            self.expect(made.post(TRANSFER.format("slow")), 200)
            held = self.half_done(made, "cut", pause=500)
            proxy.cut()
            self.expect(held.get(), 503)
            proxy.heal()
            made.wait_for_answer("/read/0")
            self.check_books(made, 1)

    def test_connections_that_are_cut_anywhere_in_an_answer(self):
        with Proxy(self.server.port) as proxy, self.serving(proxy.port) as made:
            for after in (0, 1, 4, 5, 9, 30, 100, 300):
                proxy.cut(after=after)
                for path in ("/read/0", "/sum"):
                    self.expect(made.ask(path), 200, 503)
                proxy.heal()
                made.wait_for_answer("/sum")
            self.check_books(made, 0)

    def test_a_stalled_line_and_a_refused_one(self):
        with Proxy(self.server.port) as proxy, self.serving(proxy.port, timeout="1 s") as made:
            proxy.stall()
            self.expect(made.ask("/read/0"), 503, 504)
            self.expect(made.ask("/plain"), 200)
            proxy.heal()
            made.wait_for_answer("/read/0")
            proxy.refuse()
            self.expect(made.ask("/read/0"), 503)
            made.wait_for_readiness("unavailable", "degraded")
            proxy.heal()
            made.wait_for_answer("/read/0")
            made.wait_for_readiness("ready")

    def test_garbage_in_place_of_an_answer_ends_that_connection_alone(self):
        with Proxy(self.server.port) as proxy, self.serving(proxy.port, timeout="5 s") as made:
            for name, data in GARBAGE.items():
                with self.subTest(garbage=name):
                    self.spoil(made, proxy, data, (("GET", "/read/0"), ("GET", "/sum")))
            self.assertEqual(made.log().count("was ended by signal"), 0)
            self.check_books(made, 0)

    def test_more_connections_than_the_server_takes(self):
        with Postgres(settings={"max_connections": 6, "superuser_reserved_connections": 0}) as server, \
                bank("ledger", "postgres", {"url": server.url, "pool": 10}) as made:
            self.expect(made.post(f"/setup/{ACCOUNTS}"), 200)
            held = [Later(made, f"/hold/h{turn}/{turn}/{turn + 10}/1/300") for turn in range(10)]
            answers = [one.get() for one in held]
            self.assertEqual({status for status, _ in answers} - {200, 429, 503}, set(), answers)
            booked = [status for status, _ in answers].count(200)
            self.assertGreater(booked, 0)
            made.wait_for_answer("/read/0")
            self.check_books(made, booked)

    def test_a_pool_that_is_used_up_says_so_and_goes_on(self):
        with self.serving(pool=2, pool_timeout="200 ms") as made:
            held = [self.half_done(made, f"h{turn}", 1500, payer=2 * turn) for turn in range(2)]
            self.assertIn("pool", self.expect(made.post("/transfer/third/8/9/5"), 429))
            for one in held:
                self.expect(one.get(), 200)
            self.expect(made.post(TRANSFER.format("fourth")), 200)
            self.check_books(made, 3)

    def test_a_balance_that_no_transfer_explains_is_found(self):
        with self.serving() as made:
            self.expect(made.post(TRANSFER.format("one")), 200)
            self.server.psql("UPDATE ledger_accounts SET balance = balance + 1 WHERE id = 1;"
                             "UPDATE ledger_accounts SET balance = balance - 1 WHERE id = 2")
            self.assertEqual(made.sum(), {"accounts": ACCOUNTS, "sum": ACCOUNTS * OPENING,
                                          "transfers": 1, "unexplained": 2})

    def test_money_is_right_while_workers_and_the_server_are_killed(self):
        with self.serving(workers=2) as made:
            with Transfers(made, "transfer", ACCOUNTS, 600) as transfers:
                for turn in range(4):
                    transfers.wait_for(100 * (turn + 1))
                    if turn % 2:
                        made.kill_workers()
                    else:
                        self.server.kill()
                        self.server.restart()
            self.assertEqual(transfers.problems, [])
            self.assertEqual(len(transfers.booked), 600)
            made.wait_for_answer("/sum")
            self.check_books(made, 600)
            self.assertEqual(sorted(made.ask("/transfers")[1].split()), sorted(transfers.booked))


class FullDisk(Case):
    """A server without room for what is written."""

    def shim(self):
        """A library by which writes below a folder fail once a file named `full` lies there."""
        folder = tempfile.mkdtemp(prefix="rt-shim-")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", f"{folder}/full_disk.so",
                        f"{TOP}/tests/programs/full_disk.c", "-ldl"], check=True)
        os.chmod(f"{folder}/full_disk.so", 0o755)
        return f"{folder}/full_disk.so", f"{folder}/full"

    def test_postgres_says_so_and_loses_nothing(self):
        library, mark = self.shim()
        with Postgres(preload=library) as server, \
                bank("ledger", "postgres", {"url": server.url}) as made:
            self.expect(made.post(f"/setup/{ACCOUNTS}"), 200)
            self.expect(made.post(TRANSFER.format("before")), 200)
            with open(mark, "w", encoding="utf-8"):
                pass
            self.assertIn("RESOURCE_EXHAUSTED", self.expect(made.post("/bulk/3000"), 429))
            self.expect(made.ask("/read/0"), 200)
            os.unlink(mark)
            self.expect(made.post("/bulk/10"), 200)
            self.assertEqual(made.ask("/bulk"), (200, "10"))
            self.check_books(made, 1)


class RedisLater(Case):
    """The same of `redis/1`: what moved stands in a list, so that counters can be checked."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Redis(durable=True))

    @contextlib.contextmanager
    def serving(self, port=None, workers=1, timeout="30 s", **settings):
        if not self.server.running:
            self.server.restart()
        self.server.cli("FLUSHALL")
        url = f"redis://127.0.0.1:{port or self.server.port}"
        with bank("tally", "redis", {"url": url, **settings}, workers=workers, timeout=timeout) as made:
            yield made

    def moves(self):
        lines = self.server.cli("LRANGE", "tally:moves", 0, -1).split("\n")
        return {line.split()[0]: tuple(int(word) for word in line.split()[1:])
                for line in lines if line}

    def check_counters(self):
        """What moved, by id; the counters are as it says."""
        moves = self.moves()
        for counter, points in balances(moves.values()).items():
            self.assertEqual(int(self.server.cli("GET", f"tally:{counter}") or 0), points, counter)
        return moves

    def test_it_is_killed_and_comes_back(self):
        with self.serving() as made:
            made.wait_for_readiness("ready")
            worker = made.workers()
            self.expect(made.post("/script/first/0/1/5"), 200)
            self.server.kill()
            self.assertIn("UNAVAILABLE", self.expect(made.ask("/read/0"), 503))
            self.expect(made.post("/atomic/gone/0/1/5"), 503)
            self.expect(made.ask("/plain"), 200)
            self.assertIn("redis", made.wait_for_readiness("unavailable", "degraded")[2])
            self.server.restart()
            made.wait_for_answer("/read/0")
            self.expect(made.post("/script/back/0/1/5"), 200)
            made.wait_for_readiness("ready")
            self.assertEqual(made.workers(), worker)
            self.assertEqual(set(self.check_counters()), {"first", "back"})

    def test_it_is_held_and_deadlines_hold_all_the_same(self):
        with self.serving(timeout="1 s") as made:
            self.server.pause()
            try:
                waiting = [Later(made, path, "GET") for path in ("/read/0", "/read/1", "/wait/5")]
                self.expect(made.ask("/plain"), 200)
                for one in waiting:
                    self.expect(one.get(), 503, 504)
            finally:
                self.server.resume()
            made.wait_for_answer("/read/0")

    def test_a_blocking_command_ends_at_its_deadline_on_the_server_too(self):
        with self.serving(timeout="500 ms") as made:
            self.expect(made.ask("/wait/60"), 504)
            wait_for(lambda: "blocked_clients:0" in self.server.cli("INFO", "clients"),
                     "the server to give it up")
            self.expect(made.ask("/read/0"), 200)

    def test_slow_lines_and_lines_that_are_cut_anywhere(self):
        with Proxy(self.server.port) as proxy, self.serving(proxy.port) as made:
            proxy.delay(0.1)
            self.expect(made.post("/script/slow/0/1/5"), 200)
            proxy.heal()
            for after in (0, 1, 2, 3, 5):
                proxy.cut(after=after)
                self.expect(made.post(f"/atomic/cut{after}/0/1/5"), 200, 503)
                self.expect(made.ask("/read/0"), 200, 503)
                proxy.heal()
                made.wait_for_answer("/read/0")
            self.assertIn("slow", self.check_counters())

    def test_a_stalled_line_and_a_refused_one(self):
        with Proxy(self.server.port) as proxy, self.serving(proxy.port, timeout="1 s") as made:
            proxy.stall()
            self.expect(made.ask("/read/0"), 503, 504)
            self.expect(made.ask("/plain"), 200)
            proxy.heal()
            made.wait_for_answer("/read/0")
            proxy.refuse()
            self.expect(made.ask("/read/0"), 503)
            made.wait_for_readiness("unavailable", "degraded")
            proxy.heal()
            made.wait_for_answer("/read/0")
            made.wait_for_readiness("ready")

    def test_garbage_in_place_of_a_reply_ends_that_connection_alone(self):
        with Proxy(self.server.port) as proxy, self.serving(proxy.port, timeout="5 s") as made:
            for name, data in GARBAGE.items():
                with self.subTest(garbage=name):
                    self.spoil(made, proxy, data, (("POST", "/script/a/0/1/5"),
                                                   ("POST", "/atomic/a/0/1/5")))
            self.assertEqual(made.log().count("was ended by signal"), 0)

    def test_more_clients_than_the_server_takes(self):
        with self.serving() as made, \
                socket.create_connection(("127.0.0.1", self.server.port), 20) as only:
            try:
                self.command(only, "CONFIG SET maxclients 1")
                self.command(only, "CLIENT KILL TYPE normal SKIPME yes")
                self.assertIn("UNAVAILABLE", self.expect(made.ask("/read/0"), 503))
                made.wait_for_log("max number of clients reached")
            finally:
                self.command(only, "CONFIG SET maxclients 10000")
            made.wait_for_answer("/read/0")

    def command(self, connection, text):
        connection.sendall(f"{text}\r\n".encode())
        self.assertIn(connection.recv(100)[:1], (b"+", b":"), text)

    def test_points_are_right_while_workers_and_the_server_are_killed(self):
        for route in ("script", "atomic"):
            with self.subTest(route=route), self.serving(workers=2) as made:
                with Transfers(made, route, ACCOUNTS, 600, again=False) as transfers:
                    for turn in range(4):
                        transfers.wait_for(100 * (turn + 1))
                        if turn % 2:
                            made.kill_workers()
                        else:
                            self.server.kill()
                            self.server.restart()
                self.assertEqual(transfers.problems, [])
                made.wait_for_answer("/read/0")
                moves = self.check_counters()
                self.assertEqual({number: moves.get(number) for number in transfers.booked},
                                 transfers.booked)
                self.assertLessEqual(set(moves), {**transfers.booked, **transfers.unknown}.keys())


class SqliteKilled(Case):
    """No server there, but a file that outlives the worker."""

    def test_workers_that_are_killed_leave_nothing_half_written(self):
        folder = tempfile.mkdtemp(prefix="rt-sqlite-")
        self.addCleanup(shutil.rmtree, folder)
        with bank("ledger", "sqlite", {"path": f"{folder}/ledger.db"}, workers=2) as made:
            self.expect(made.post(f"/setup/{ACCOUNTS}"), 200)
            held = Later(made, "/hold/half/0/1/5/60000")
            made.wait_for_log("transfer `half` is half done")
            made.kill_workers()
            self.assertEqual(held.get()[0], 0)
            made.wait_for_answer("/sum")
            self.check_books(made, 0)
            with Transfers(made, "transfer", ACCOUNTS, 300) as transfers:
                for turn in range(2):
                    transfers.wait_for(100 * (turn + 1))
                    made.kill_workers()
            self.assertEqual(transfers.problems, [])
            made.wait_for_answer("/sum")
            self.check_books(made, 300)


if __name__ == "__main__":
    unittest.main()
