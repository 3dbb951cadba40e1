"""The provider sqlite: what only it does. What sql/1 demands of every provider is test_sql.py's."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import tempfile
import unittest

from deployment import free_port, wait_for
from running import PATIENCE, PREFIX, PROBES, Process, Runtime, accepts

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) "
ORDERS = ("CREATE TABLE orders (id bigint PRIMARY KEY, sku text NOT NULL UNIQUE, "
          "quantity integer CHECK (quantity > 0), price double precision, paid boolean, "
          "placed timestamptz DEFAULT (now()), token uuid DEFAULT (gen_random_uuid()), "
          "extra jsonb, shop bigint REFERENCES shops, CONSTRAINT dear CHECK (price < 1000))")
SHOPS = "CREATE TABLE shops (id bigint PRIMARY KEY)"
# Each double has this capability: which one a module means, it is told.
DOUBLE = 'probe-sql: { use: { test-double = "sql-test"; }; };'
UUID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"


class Case(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "shop.db")

    def runtime(self, more="", extra="", environment="development"):
        extra += f'\nsqlite: {{ path = "{self.path}"; {more} }};' if self.path else ""
        runtime = Runtime(self.folder, ["probe-sql"], extra, environment)
        self.addCleanup(self.stop_cleanly, runtime)
        return runtime

    def stop_cleanly(self, runtime):
        self.assertEqual(runtime.stop(), 0, runtime.log)
        for trouble in ("AddressSanitizer", "runtime error:"):
            self.assertNotIn(trouble, runtime.log)

    def ask(self, runtime, *steps, **options):
        body = json.dumps({"do": steps, **options})
        status, _, answer = runtime.request("POST", "/sql", body,
                                            {"Content-Type": "application/json"})
        self.assertEqual(status, 200, answer)
        return json.loads(answer)

    def done(self, runtime, *steps, **options):
        """What the last step answers, of which none may fail."""
        answers = self.ask(runtime, *steps, **options)
        self.assertFalse([a for a in answers if "error" in a], answers)
        return answers[-1]

    def value(self, runtime, text, *parameters):
        return self.done(runtime, {"query": text, "with": parameters})["rows"][0][0]

    def refused(self, runtime, *steps, **options):
        answer = self.ask(runtime, *steps, **options)[-1]
        self.assertIn("error", answer)
        return answer["error"]

    def held(self, runtime, *steps, **options):
        """Sends steps of which the last holds; gives the connection once it does."""
        body = json.dumps({"do": [*steps, {"hold": "yes"}], **options}).encode()
        peer = socket.create_connection(("127.0.0.1", runtime.port))
        peer.sendall(b"POST /sql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                     b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        wait_for(lambda: runtime.get("/holding")[1] > 0, "the statement is held")
        return peer

    def reset(self, peer):
        """Closes so that the other side is told at once."""
        peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        peer.close()


class Watched(Runtime):
    """An rtd with an admin listener, which may end before it listens."""

    def __init__(self, folder, path, extra="", more=""):
        self.port, self.admin = free_port(), free_port()
        config = os.path.join(folder, f"runtime-{self.port}.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'plugins = [ "{PREFIX}/lib/rt/plugins", "{PROBES}" ];\n'
                       f'load = [ "probe-sql" ];\n'
                       f'admin: {{ listen = [ "127.0.0.1:{self.admin}" ]; }};\n'
                       f'health: {{ interval = "100 ms"; }};\n'
                       f'http: {{ listen = [ "127.0.0.1:{self.port}" ]; }};\n'
                       f'sqlite: {{ path = "{path}"; {more} }};\n{extra}\n')
        Process.__init__(self, [f"{PREFIX}/bin/rtd", "--config", config], folder,
                         f"rtd-{self.port}")

    def asked(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.admin, timeout=60)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().read().decode()

    def wait_for_health(self, status, reason):
        def so():
            modules = [module for worker in json.loads(self.asked("/health/ready"))["workers"]
                       for module in worker["modules"] if module["name"] == "sqlite"]
            return modules and modules[0]["status"] == status and \
                reason in (modules[0].get("reason") or "")
        wait_for(so, f"sqlite is {status}: {reason}")


class Values(Case):
    def test_types(self):
        """columns have the types that they are declared with, also what RETURNING gives"""
        runtime = self.runtime()
        self.done(runtime, {"exec": SHOPS}, {"exec": ORDERS})
        columns = "id, sku, quantity, price, paid, placed, token, extra"
        types = ["int", "text", "int", "double", "bool", "time", "uuid", "json"]
        row = [1, "tea", 2, 3.0, True, 1700000000000001, UUID, '{"a": [1]}']
        answer = self.done(runtime, {
            "query": f"INSERT INTO orders ({columns}) VALUES ($1, $2, $3, $4, $5, $6, $7, $8) "
                     f"RETURNING {columns}",
            "with": [*row[:5], {"time": row[5]}, {"uuid": UUID.upper()}, {"json": row[7]}]})
        self.assertEqual(answer, {"types": types, "rows": [row]})
        answer = self.done(runtime, {"query": f"SELECT {columns} FROM orders WHERE id = $1",
                                     "with": [1]})
        self.assertEqual(answer, {"types": types, "rows": [row]})

    def test_functions(self):
        """now() stands still in a transaction, gen_random_uuid() does not"""
        runtime = self.runtime()
        rows = [answer["rows"][0] for answer in self.ask(
            runtime, {"query": "SELECT now(), gen_random_uuid()"},
            {"query": "SELECT now(), gen_random_uuid()"}, transaction={})]
        self.assertEqual(rows[0][0], rows[1][0])
        self.assertNotEqual(rows[0][1], rows[1][1])
        self.assertRegex(rows[0][1], r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab]")

    def test_wrong_storage(self):
        """what is kept otherwise than its column says is an error when it is read"""
        runtime = self.runtime()
        self.done(runtime, {"exec": "CREATE TABLE t (at timestamptz, u uuid, b bytea)"},
                  {"exec": "INSERT INTO t VALUES (CURRENT_TIMESTAMP, 7, 'text')"})
        for column in ("at", "u", "b"):
            error = self.refused(runtime, {"query": f"SELECT {column} FROM t"})
            self.assertEqual(error["domain"], "DATATYPE_MISMATCH")
            self.assertIn(f"`{column}`", error["message"])

    def test_json(self):
        """what is no JSON is refused when it is written"""
        runtime = self.runtime()
        self.done(runtime, {"exec": "CREATE TABLE t (j jsonb)"})
        error = self.refused(runtime, {"exec": "INSERT INTO t VALUES ($1)",
                                       "with": [{"json": "{a: 1}"}]})
        self.assertEqual((error["code"], error["domain"]),
                         ("INVALID_ARGUMENT", "INVALID_TEXT_REPRESENTATION"))


class Errors(Case):
    def test_constraints(self):
        """violations name constraint, table and column as PostgreSQL does"""
        runtime = self.runtime()
        self.done(runtime, {"exec": SHOPS}, {"exec": ORDERS},
                  {"exec": "CREATE TABLE pairs (a bigint, b bigint, c text, UNIQUE (a, b))"},
                  {"exec": "CREATE UNIQUE INDEX pairs_by_c ON pairs (c)"},
                  {"exec": "INSERT INTO pairs VALUES (1, 2, 'x')"},
                  {"exec": "INSERT INTO orders (id, sku) VALUES (1, 'tea')"})
        for text, domain, constraint, table, column in (
                ("INSERT INTO orders (id, sku) VALUES (1, 'b')",
                 "UNIQUE_VIOLATION", "orders_pkey", "orders", "id"),
                ("INSERT INTO orders (id, sku) VALUES (2, 'tea')",
                 "UNIQUE_VIOLATION", "orders_sku_key", "orders", "sku"),
                ("INSERT INTO pairs VALUES (1, 2, 'y')",
                 "UNIQUE_VIOLATION", "pairs_a_b_key", "pairs", None),
                ("INSERT INTO pairs VALUES (3, 2, 'x')",
                 "UNIQUE_VIOLATION", "pairs_by_c", "pairs", "c"),
                ("INSERT INTO orders (id) VALUES (3)",
                 "NOT_NULL_VIOLATION", None, "orders", "sku"),
                ("INSERT INTO orders (id, sku, quantity) VALUES (3, 'c', 0)",
                 "CHECK_VIOLATION", "orders_quantity_check", "orders", "quantity"),
                ("INSERT INTO orders (id, sku, price) VALUES (3, 'c', 5000)",
                 "CHECK_VIOLATION", "dear", "orders", None),
                ("UPDATE orders SET shop = 9",
                 "FOREIGN_KEY_VIOLATION", "orders_shop_fkey", "orders", None)):
            error = self.refused(runtime, {"exec": text})
            self.assertEqual((error["domain"], error.get("constraint"), error.get("table"),
                              error.get("column"), error["statement"]),
                             (domain, constraint, table, column, text))

    def test_wrong_statements(self):
        """wrong statements have the condition that PostgreSQL gives them"""
        runtime = self.runtime()
        self.done(runtime, {"exec": "CREATE TABLE t (a bigint)"})
        for text, domain in (("SELECT * FROM missing", "UNDEFINED_TABLE"),
                             ("SELECT missing FROM t", "UNDEFINED_COLUMN"),
                             ('SELECT "missing" FROM t', "UNDEFINED_COLUMN"),
                             ("INSERT INTO t (missing) VALUES (1)", "UNDEFINED_COLUMN"),
                             ("SELECT missing(1)", "UNDEFINED_FUNCTION"),
                             ("SELEKT 1", "SYNTAX_ERROR"),
                             ("SELECT 1; SELECT 2", "SYNTAX_ERROR"),
                             ("CREATE TABLE t (a bigint)", "DUPLICATE_TABLE")):
            error = self.refused(runtime, {"query": text})
            self.assertEqual((text, error["code"], error["domain"]), (text, "INTERNAL", domain))

    def test_not_for_statements(self):
        """statements neither end transactions, nor open other files, nor change the connection"""
        runtime = self.runtime()
        other = os.path.join(self.folder, "other.db")
        for text in ("BEGIN", "COMMIT", "SAVEPOINT a", f"ATTACH '{other}' AS other",
                     "PRAGMA foreign_keys = OFF", "PRAGMA query_only = OFF",
                     "PRAGMA writable_schema = ON", f"VACUUM INTO '{other}'", "SELECT load_extension('x')"):
            for steps in ([{"exec": text}], [{"script": text}]):
                self.assertEqual(self.refused(runtime, *steps)["domain"],
                                 "INSUFFICIENT_PRIVILEGE", text)
        self.assertFalse(os.path.exists(other))
        self.assertEqual(self.value(runtime, "PRAGMA foreign_keys"), 1)
        self.done(runtime, {"exec": "CREATE TABLE t (a bigint)"}, {"exec": "VACUUM"})

    def test_spoiled(self):
        """a statement that fails spoils its transaction, as it does on PostgreSQL"""
        runtime = self.runtime()
        self.done(runtime, {"exec": "CREATE TABLE t (a bigint PRIMARY KEY)"})
        error = self.refused(runtime, {"exec": "INSERT INTO t VALUES (1)"},
                             {"exec": "INSERT INTO t VALUES (1)"}, transaction={})
        self.assertEqual(error["domain"], "UNIQUE_VIOLATION")
        self.assertEqual(self.value(runtime, "SELECT count(*) FROM t"), 0)

    def test_read_only(self):
        """a read-only transaction writes nothing, and writes go on after it"""
        for path in (self.path, None):
            self.path = path
            runtime = self.runtime()
            self.done(runtime, {"exec": "CREATE TABLE t (a bigint)"})
            error = self.refused(runtime, {"exec": "INSERT INTO t VALUES (1)"},
                                 transaction={"read_only": True})
            self.assertEqual((error["code"], error["domain"]),
                             ("FAILED_PRECONDITION", "READ_ONLY_SQL_TRANSACTION"))
            self.done(runtime, {"exec": "INSERT INTO t VALUES (1)"})

    def test_many_texts(self):
        """more texts than are kept prepared are answered, twice"""
        runtime = self.runtime()
        for _ in range(2):
            answers = self.ask(runtime, *[{"query": f"SELECT {n} + $1", "with": [n]}
                                          for n in range(300)])
            self.assertEqual([answer["rows"] for answer in answers],
                             [[[2 * n]] for n in range(300)])

    def test_scripts(self):
        """a script is done whole or not at all"""
        runtime = self.runtime()
        error = self.refused(runtime, {"script": "CREATE TABLE a (x bigint); CREATE TABLE a (x)"})
        self.assertEqual(error["domain"], "DUPLICATE_TABLE")
        self.done(runtime, {"script": "CREATE TABLE a (x bigint); -- and\nCREATE TABLE b (x);"})
        self.assertEqual(self.value(runtime, "SELECT count(*) FROM sqlite_schema"), 2)


class Together(Case):
    def test_two_workers(self):
        """two workers write one file at once, and no increment is lost"""
        runtime = self.runtime(extra="workers = 2; allow_root = true;", environment="staging")
        self.done(runtime, {"exec": "CREATE TABLE t (n bigint)"},
                  {"exec": "INSERT INTO t VALUES (0)"})

        def both():
            with concurrent.futures.ThreadPoolExecutor(8) as some:
                return len(set(some.map(lambda _: runtime.get("/worker")[1], range(32)))) == 2
        wait_for(both, "both workers answer")

        def add(_):
            return self.ask(runtime, {"query": "SELECT n FROM t"},
                            {"exec": "UPDATE t SET n = n + 1"}, transaction={"attempts": 50})
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(add, range(200)))
        self.assertFalse([a for a in answers if "error" in a[-1]])
        self.assertEqual(self.value(runtime, "SELECT n FROM t"), 200)
        self.assertEqual(sorted(answer[0]["rows"][0][0] for answer in answers), list(range(200)))

    def test_reader_beside_a_writer(self):
        """who reads while a transaction writes sees what was committed, and does not wait"""
        runtime = self.runtime()
        self.done(runtime, {"exec": "CREATE TABLE t (n bigint)"},
                  {"exec": "INSERT INTO t VALUES (1)"})
        writer = self.held(runtime, {"exec": "UPDATE t SET n = 2"}, transaction={})
        self.assertEqual(self.value(runtime, "SELECT n FROM t"), 1)
        self.reset(writer)
        wait_for(lambda: runtime.get("/holding")[1] == 0, "the transaction ends")
        self.done(runtime, {"exec": "UPDATE t SET n = n + 10"})
        self.assertEqual(self.value(runtime, "SELECT n FROM t"), 11)

    def test_lock_of_another(self):
        """the lock of another program is waited for, then the error can be tried again"""
        runtime = self.runtime("busy_timeout = \"200 ms\";")
        self.done(runtime, {"exec": "CREATE TABLE t (n bigint)"})
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for options in ({}, {"transaction": {}}):
                error = self.refused(runtime, {"exec": "INSERT INTO t VALUES (1)"}, **options)
                self.assertEqual((error["code"], error["domain"], error["retryable"]),
                                 ("ABORTED", "LOCK_NOT_AVAILABLE", True))
            other.execute("ROLLBACK")
        self.done(runtime, {"exec": "INSERT INTO t VALUES (1)"})

    def test_used_up(self):
        """a connection that is not to be had in time is an error of its own"""
        runtime = self.runtime("busy_timeout = \"100 ms\";")
        self.done(runtime, {"exec": "CREATE TABLE t (n bigint)"})
        writer = self.held(runtime, {"exec": "INSERT INTO t VALUES (1)"}, transaction={})
        error = self.refused(runtime, {"exec": "INSERT INTO t VALUES (2)"})
        self.assertEqual((error["code"], error["domain"]),
                         ("RESOURCE_EXHAUSTED", "TOO_MANY_CONNECTIONS"))
        self.reset(writer)

    def test_other_schema(self):
        """a table that another program changes is seen as it is now"""
        runtime = self.runtime()
        self.done(runtime, {"exec": "CREATE TABLE t (n bigint)"},
                  {"exec": "INSERT INTO t VALUES (1)"}, {"query": "SELECT * FROM t"})
        with contextlib.closing(sqlite3.connect(self.path)) as other:
            other.execute("ALTER TABLE t ADD COLUMN at timestamptz DEFAULT 7")
        self.assertEqual(self.done(runtime, {"query": "SELECT * FROM t"}),
                         {"types": ["int", "time"], "rows": [[1, 7]]})


class Interrupted(Case):
    def test_deadline(self):
        """a statement without end is interrupted by the deadline, reading, writing and waiting"""
        for path in (self.path, None):
            self.path = path
            runtime = self.runtime()
            self.done(runtime, {"exec": "CREATE TABLE t (n bigint)"})
            for step in ({"query": ENDLESS + "SELECT count(*) FROM n"},
                         {"exec": "INSERT INTO t " + ENDLESS + "SELECT i FROM n"},
                         {"stream": ENDLESS + "SELECT i FROM n WHERE i < 0"}):
                for options in ({}, {"transaction": {}}):
                    error = self.refused(runtime, step, timeout=100, **options)
                    self.assertEqual((error["code"], error["domain"]),
                                     ("DEADLINE_EXCEEDED", "QUERY_CANCELED"))
            self.assertEqual(self.value(runtime, "SELECT count(*) FROM t"), 0)

    def test_waiting_for_a_lock(self):
        """the deadline also ends the wait for another program's lock"""
        runtime = self.runtime("busy_timeout = \"10 min\";")
        self.done(runtime, {"exec": "CREATE TABLE t (n bigint)"})
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            error = self.refused(runtime, {"exec": "INSERT INTO t VALUES (1)"}, timeout=100)
            self.assertEqual(error["code"], "DEADLINE_EXCEEDED")

    def test_cancelled(self):
        """a client that goes away interrupts its statement, so that the writer is free again"""
        runtime = self.runtime("busy_timeout = \"10 min\";")
        self.done(runtime, {"exec": "CREATE TABLE t (n bigint)"})
        body = json.dumps({"do": [{"exec": "INSERT INTO t " + ENDLESS + "SELECT i FROM n"}]})
        peer = socket.create_connection(("127.0.0.1", runtime.port))
        peer.sendall(f"POST /sql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                     f"Content-Length: {len(body)}\r\n\r\n{body}".encode())
        wait_for(lambda: os.path.getsize(self.path + "-wal") > 1 << 20 or
                 "cache" in runtime.log, "it writes", 60)
        self.reset(peer)
        self.done(runtime, {"exec": "INSERT INTO t VALUES (1)"})
        self.assertEqual(self.value(runtime, "SELECT count(*) FROM t"), 1)


class Pieces(Case):
    def test_stream(self):
        """a stream gives all rows in pieces, or those that were asked for"""
        for path in (self.path, None):
            self.path = path
            runtime = self.runtime()
            many = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 10000) "
            self.assertEqual(self.done(runtime, {"stream": many + "SELECT i FROM n"}),
                             {"streamed": 10000})
            self.assertEqual(self.done(runtime, {"stream": many + "SELECT i FROM n", "pieces": 2}),
                             {"streamed": 512})
            self.assertEqual(self.done(runtime, {"stream": ENDLESS + "SELECT i FROM n",
                                                 "pieces": 1}, transaction={}),
                             {"streamed": 256})

    def test_load(self):
        """a bulk load is kept whole or not at all, in a transaction and without one"""
        runtime = self.runtime()
        self.done(runtime, {"exec": "CREATE TABLE t (a bigint PRIMARY KEY, b text)"})
        load = {"load": "t", "columns": ["a", "b"], "rows": [[1, "x"], [2, None], [3, "z"]]}
        for options in ({}, {"transaction": {}}):
            self.assertEqual(self.done(runtime, load, **options), {"loaded": 3})
            self.assertEqual(self.refused(runtime, load, **options)["domain"], "UNIQUE_VIOLATION")
            self.assertEqual(self.value(runtime, "SELECT count(*) FROM t"), 3)
            self.done(runtime, {"exec": "DELETE FROM t"})
            answer = self.ask(runtime, {**load, "abandon": True}, **options)
            if options:
                self.assertEqual(answer[0]["error"]["domain"], "OBJECT_IN_USE")
            else:
                self.assertEqual(answer, [])
            self.assertEqual(self.value(runtime, "SELECT count(*) FROM t"), 0)


class Trouble(Case):
    def started(self, extra=""):
        """The log of an rtd that does not start."""
        rtd = Watched(self.folder, self.path, extra)
        self.assertNotEqual(rtd.child.wait(PATIENCE), 0)
        return rtd.log

    def watched(self, more=""):
        """One that is asked how it is."""
        runtime = Watched(self.folder, self.path, more=more)
        self.addCleanup(self.stop_cleanly, runtime)
        runtime.wait_until_ready(lambda: accepts(runtime.port) and accepts(runtime.admin))
        return runtime

    def test_full(self):
        """a file that is full refuses rows, says so, and takes some once there is room"""
        runtime = self.watched("max_size = \"256 KiB\";")
        runtime.wait_for_health("healthy", "")
        self.done(runtime, {"exec": "CREATE TABLE t (b text)"})
        error = self.refused(runtime, *[{"exec": "INSERT INTO t VALUES (hex(zeroblob(10000)))"}] * 50,
                             transaction={})
        self.assertEqual((error["code"], error["domain"]), ("RESOURCE_EXHAUSTED", "DISK_FULL"))
        self.assertEqual(self.value(runtime, "SELECT count(*) FROM t"), 0)
        runtime.wait_for_health("degraded", "no room is left")
        self.done(runtime, {"exec": "INSERT INTO t VALUES ('small')"})
        runtime.wait_for_health("healthy", "")

    def test_metrics(self):
        """connections in use and idle are counted"""
        runtime = self.watched("readers = 3;")
        self.done(runtime, {"query": "SELECT 1"})
        wait_for(lambda: re.search(r'db_client_connection\{[^}]*pool_name="sqlite"[^}]*'
                                   r'state="idle"[^}]*\} 3', runtime.asked("/metrics")),
                 "three readers are idle")

    def test_read_only_folder(self):
        """a file that may be written, in a folder that may not, is refused with a hint"""
        inner = os.path.join(self.folder, "inner")
        os.mkdir(inner)
        self.path = os.path.join(inner, "shop.db")
        with contextlib.closing(sqlite3.connect(self.path)) as made:
            made.execute("CREATE TABLE t (n bigint)")
        os.chmod(self.path, 0o666)
        os.chmod(inner, 0o555)
        os.chmod(self.folder, 0o755)
        self.addCleanup(os.chmod, inner, 0o755)
        said = self.started('user = "nobody";' if os.getuid() == 0 else "")
        self.assertIn(f"cannot open the database `{self.path}`", said)
        self.assertIn("journals lie beside it", said)

    def test_no_database(self):
        """a file that is no database is left as it is, and said so"""
        with open(self.path, "w", encoding="utf-8") as file:
            file.write("these are notes of mine\n" * 100)
        before = os.path.getsize(self.path)
        said = self.started()
        self.assertIn(f"cannot open the database `{self.path}`", said)
        self.assertIn("not a database", said)
        self.assertEqual(os.path.getsize(self.path), before)

    def test_missing_folder(self):
        """a file in a folder that is not there is refused before anything runs"""
        self.path = os.path.join(self.folder, "missing", "shop.db")
        self.assertIn("its folder does not exist", self.started())

    def test_damaged(self):
        """a damaged file is an error of its own, and the module is unhealthy"""
        runtime = self.runtime("readers = 1;")
        self.done(runtime, {"exec": "CREATE TABLE t (b text)"},
                  {"exec": ENDLESS.replace("FROM n)", "FROM n LIMIT 400)") +
                   "INSERT INTO t SELECT hex(zeroblob(1000)) FROM n"})
        self.assertEqual(runtime.stop(), 0)
        size = os.path.getsize(self.path)
        with open(self.path, "r+b") as file:
            file.seek(4096)
            file.write(b"\xee" * (size - 4096))
        runtime = self.watched("readers = 1;")
        error = self.refused(runtime, {"query": "SELECT count(*) FROM t WHERE b > 'a'"})
        self.assertEqual((error["code"], error["domain"]), ("DATA_LOSS", "DATA_CORRUPTED"))
        runtime.wait_for_health("unhealthy", "is corrupt")

    def test_killed(self):
        """a worker that is killed inside of a transaction leaves nothing of it"""
        runtime = self.runtime()
        self.done(runtime, {"exec": "CREATE TABLE t (n bigint)"},
                  {"exec": "INSERT INTO t VALUES (1)"})
        peer = self.held(runtime, {"exec": "UPDATE t SET n = 2"},
                         {"exec": "INSERT INTO t VALUES (3)"}, transaction={})
        children = subprocess.run(["pgrep", "-P", str(runtime.child.pid)], check=True,
                                  capture_output=True, text=True).stdout.split()
        for child in children:
            with open(f"/proc/{child}/maps", encoding="utf-8", errors="replace") as maps:
                if "sqlite" in maps.read():
                    os.kill(int(child), signal.SIGKILL)
        peer.close()
        wait_for(lambda: accepts(runtime.port) and "killed" in runtime.log.lower() or
                 "signal 9" in runtime.log, "the worker is missed")

        def answered():
            with contextlib.suppress(OSError, AssertionError, ValueError):
                return self.done(runtime, {"query": "SELECT n FROM t"})
        self.assertEqual(wait_for(answered, "another worker answers")["rows"], [[1]])
        self.assertEqual(self.value(runtime, "PRAGMA integrity_check"), "ok")
        self.done(runtime, {"exec": "INSERT INTO t VALUES (4)"})

    def test_stop(self):
        """after a stop all is in the one file"""
        runtime = self.runtime()
        self.done(runtime, {"exec": "CREATE TABLE t (n bigint)"},
                  {"exec": "INSERT INTO t VALUES (1)"})
        runtime.stop()
        self.assertEqual(sorted(os.listdir(self.folder)).count("shop.db-wal"), 0)
        with contextlib.closing(sqlite3.connect(self.path)) as other:
            self.assertEqual(other.execute("SELECT n FROM t").fetchall(), [(1,)])


class Plan(Case):
    def explain(self, text):
        path = os.path.join(self.folder, "runtime.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'plugins = [ "{PREFIX}/lib/rt/plugins", '
                       f'"{PROBES}" ];\n'
                       f'load = [ "probe-sql" ];\nadmin: {{ listen = []; }};\n{text}\n')
        clean = {name: value for name, value in os.environ.items() if not name.startswith("RT_")}
        ended = subprocess.run([f"{PREFIX}/bin/rtctl", "validate", "--config", path],
                               capture_output=True, text=True, env=clean, check=False)
        return ended.returncode, ended.stdout + ended.stderr

    def test_production(self):
        """a database in memory is refused in production, one in a file is not"""
        code, said = self.explain('environment = "production";')
        self.assertEqual(code, 1, said)
        self.assertIn("RT0401", said)
        self.assertIn('`path` is ":memory:"', said)
        _, said = self.explain(f'environment = "production"; sqlite: {{ path = "{self.path}"; }};')
        self.assertNotIn("RT0401", said)

    def test_workers(self):
        """a database in memory is one worker's alone, one in a file is not"""
        code, said = self.explain('environment = "staging"; workers = 2; allow_root = true; '
                                  'acknowledge = [ "sqlite" ];')
        self.assertEqual(code, 1, said)
        self.assertIn("`sqlite`", said)
        self.assertIn("workers = 1", said)
        _, said = self.explain('environment = "staging"; workers = 2; allow_root = true; '
                               f'sqlite: {{ path = "{self.path}"; }};')
        self.assertNotIn("workers = 1", said)


class Double(Case):
    def setUp(self):
        super().setUp()
        self.path = None

    def script(self, runtime, **answer):
        status, _, body = runtime.request("POST", "/script", json.dumps(answer),
                                          {"Content-Type": "application/json"})
        return status, json.loads(body)

    def test_scripted(self):
        """the double answers rows and errors as a test has written, and does the rest itself"""
        runtime = self.runtime(extra=DOUBLE, environment="test")
        self.done(runtime, {"exec": "CREATE TABLE orders (id bigint)"})
        self.script(runtime, fragment="FROM orders", row="scripted", times=2)
        self.script(runtime, fragment="INSERT INTO orders", fail="UNIQUE_VIOLATION",
                    constraint="orders_sku_key", times=1)
        query = {"query": "SELECT id FROM orders"}
        self.assertEqual(self.done(runtime, query), {"types": ["text"], "rows": [["scripted"]]})
        self.assertEqual(self.done(runtime, {"stream": "SELECT id FROM orders"}), {"streamed": 1})
        self.assertEqual(self.done(runtime, query), {"types": ["int"], "rows": []})
        insert = {"exec": "INSERT INTO orders VALUES ($1)", "with": [7]}
        error = self.refused(runtime, insert)
        self.assertEqual((error["code"], error["domain"], error["constraint"]),
                         ("ALREADY_EXISTS", "UNIQUE_VIOLATION", "orders_sku_key"))
        self.assertEqual(runtime.get("/call")[1], {
            "method": "exec", "code": -6,
            "arguments": {"statement": "INSERT INTO orders VALUES ($1)", "parameters": [7]}})
        self.done(runtime, insert)
        self.assertEqual(self.value(runtime, "SELECT id FROM orders"), 7)

    def test_spoils(self):
        """an error that a test has written spoils the transaction it comes in"""
        runtime = self.runtime(extra=DOUBLE, environment="test")
        self.done(runtime, {"exec": "CREATE TABLE t (id bigint)"})
        self.script(runtime, fragment="UPDATE t", fail="SERIALIZATION_FAILURE", times=1)
        self.done(runtime, {"exec": "INSERT INTO t VALUES (1)"}, {"exec": "UPDATE t SET id = 2"},
                  transaction={"attempts": 2})
        self.assertEqual(self.value(runtime, "SELECT count(*) FROM t WHERE id = 2"), 1)

    def test_wrong(self):
        """answers without a fragment, and conditions that there are none of, are refused"""
        runtime = self.runtime(extra=DOUBLE, environment="test")
        self.assertEqual(self.script(runtime, fragment="", fail="UNIQUE_VIOLATION")[0], 400)
        self.assertEqual(self.script(runtime, fragment="x", fail="NO_SUCH_CONDITION")[0], 400)


if __name__ == "__main__":
    unittest.main()
