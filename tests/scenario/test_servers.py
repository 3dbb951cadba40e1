"""The servers and the proxy that tests of providers stand on: that they do what their names say."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import unittest

from databases import Authority, Missing, Postgres, Proxy, Redis, Sentinel
from deployment import TOP, free_port, wait_for

KIT = os.path.join(TOP, "sdk", "testing")
LEFT_ALONE = """
import os, signal, sys
sys.path.insert(0, sys.argv[1])
from rt_testing import Postgres, Redis
with Postgres() as postgres, Redis() as redis:
    print(postgres.pid, redis.pid, postgres.folder, redis.folder, flush=True)
    signal.pause()
"""


def is_gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            return file.read().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


def answers(port, request=b"PING\r\n", limit=20.0):
    """What is read after a request, once."""
    with socket.create_connection(("127.0.0.1", port), limit) as connection:
        connection.sendall(request)
        return connection.recv(65536)


class PostgresServer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Postgres(settings={"max_connections": 20}))

    def test_it_answers_and_has_its_settings(self):
        self.assertEqual(self.server.psql("SHOW max_connections; SELECT 1, 'a|b'"), "20\n1|a|b")

    def test_an_error_raises_with_the_servers_words(self):
        with self.assertRaisesRegex(RuntimeError, 'relation "nowhere" does not exist'):
            self.server.psql("SELECT * FROM nowhere")

    def test_what_was_committed_outlives_a_kill_and_what_was_not_does_not(self):
        self.server.psql("CREATE TABLE kept (id int); INSERT INTO kept VALUES (1)")
        before = self.server.processes()
        self.assertGreater(len(before), 3)
        port = self.server.port
        self.server.kill()
        self.assertEqual([pid for pid in before if not is_gone(pid)], [])
        with self.assertRaises(ConnectionRefusedError):
            answers(port)
        self.server.restart()
        self.assertEqual(self.server.port, port)
        self.assertEqual(self.server.psql("SELECT id FROM kept"), "1")
        self.server.restart()
        self.assertEqual(self.server.psql("SELECT id FROM kept"), "1")

    def test_none_of_its_processes_runs_while_it_is_paused(self):
        self.server.pause()
        try:
            states = set()
            for pid in self.server.processes():
                with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
                    states.add(file.read().rpartition(")")[2].split()[0])
            self.assertEqual(states, {"T"})
        finally:
            self.server.resume()
        self.assertEqual(self.server.psql("SELECT 1"), "1")

    def test_tls_and_a_password_are_asked_for(self):
        password = "it's \"a\" pass%word"
        with Postgres(password=password, tls=True) as server:
            def ask(**environment):
                return subprocess.run(
                    ["psql", "-XAtc", "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"],
                    env={**server.client_environment(), "PGHOST": "127.0.0.1",
                         "PGSSLMODE": "verify-full", "PGSSLROOTCERT": server.ca, **environment},
                    text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False).stdout
            self.assertEqual(ask(), "t\n")
            self.assertIn("no encryption", ask(PGSSLMODE="disable"))
            self.assertIn("password authentication failed", ask(PGPASSWORD="other"))
            self.assertEqual(server.psql("SELECT 1"), "1")
            self.assertIn("SCRAM-SHA-256$", server.psql("SELECT rolpassword FROM pg_authid "
                                                        "WHERE rolname = 'postgres'"))

    def test_certificates_can_be_of_another_name_or_expired(self):
        with Authority() as authority:
            for names, expired, words in (("DNS:elsewhere.example", False, "does not match host name"),
                                          ("IP:127.0.0.1", True, "certificate verify failed")):
                with Postgres(tls=authority.issue(names=names, expired=expired)) as server:
                    done = subprocess.run(
                        ["psql", "-XAtc", "SELECT 1"], text=True, check=False,
                        env={**server.client_environment(), "PGHOST": "localhost",
                             "PGSSLMODE": "verify-full", "PGSSLROOTCERT": server.ca},
                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                    self.assertIn(words, done.stdout)

    def test_its_folder_and_its_lock_are_gone_afterwards(self):
        with Postgres() as server:
            folder, before = server.folder, self.locks()
            server.psql("SELECT 1")
        self.assertFalse(os.path.exists(folder))
        self.assertEqual(len(self.locks()), len(before) - 1)

    def locks(self):
        with open("/proc/sysvipc/shm", encoding="ascii") as file:
            return file.read().splitlines()

    def test_a_program_that_is_not_installed_is_named_with_its_package(self):
        with self.assertRaisesRegex(Missing, "`pg_nonsense` is not installed; Debian has it in the "
                                             "package `postgresql`"):
            self.server.program("pg_nonsense")


class RedisServer(unittest.TestCase):
    def test_commands_are_answered_and_errors_raise(self):
        with Redis() as server:
            self.assertEqual(server.cli("SET", "a", "b c"), "OK")
            self.assertEqual(server.cli("GET", "a"), "b c")
            with self.assertRaisesRegex(RuntimeError, "ERR unknown command"):
                server.cli("NONSENSE")
            self.assertEqual(answers(server.port), b"+PONG\r\n")

    def test_a_log_of_changes_outlives_a_kill(self):
        with Redis(durable=True) as server:
            server.cli("SET", "a", 1)
            server.kill()
            self.assertTrue(is_gone(server.pid))
            server.restart()
            self.assertEqual(server.cli("GET", "a"), "1")

    def test_passwords_users_and_certificates_are_asked_for(self):
        with Redis(password="pass \"word") as server:
            self.assertIn(b"NOAUTH", answers(server.port))
            self.assertEqual(server.cli("PING"), "PONG")
        with Redis(acl=["user default off", "user ann on >secret ~a* +get +ping"]) as server:
            self.assertEqual(server.cli("GET", "a", user="ann", password="secret"), "")
            with self.assertRaisesRegex(RuntimeError, "NOPERM|no permissions"):
                server.cli("GET", "b", user="ann", password="secret")
        with Redis(tls=True, clients="yes") as server:
            client = server.client_certificate
            for more, word in ((["--cert", client.certificate, "--key", client.key], "PONG"),
                               ([], "rror")):
                done = subprocess.run(["redis-cli", "--tls", "-p", str(server.port), "--cacert",
                                       server.ca, *more, "PING"], text=True, check=False,
                                      stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
                self.assertIn(word, done.stdout)

    def test_a_replica_takes_over_when_sentinel_misses_the_master(self):
        with Redis() as first, Redis(settings={"replicaof": f"127.0.0.1 {first.port}"}) as second, \
                Sentinel({"shop": first}) as sentinel:
            self.assertEqual(sentinel.master("shop"), first.port)
            wait_for(lambda: str(second.port) in sentinel.cli("SENTINEL", "replicas", "shop"),
                     "a replica that Sentinel knows")
            first.kill()
            wait_for(lambda: sentinel.master("shop") == second.port, "the failover")


class Between(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Redis())

    def setUp(self):
        self.proxy = self.enterContext(Proxy(self.server.port))

    def connect(self, limit=20.0):
        connection = socket.create_connection(("127.0.0.1", self.proxy.port), limit)
        self.addCleanup(connection.close)
        return connection

    def ask(self, connection, request=b"PING\r\n"):
        connection.sendall(request)
        return connection.recv(65536)

    def test_what_comes_passes(self):
        connection = self.connect()
        text = b"x" * 300_000
        connection.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$300000\r\n" + text + b"\r\nGET a\r\n")
        got = b""
        while len(got) < len(text) + 10:
            got += connection.recv(65536)
        self.assertEqual(got, b"+OK\r\n$300000\r\n" + text + b"\r\n")
        self.assertEqual(self.proxy.accepted, 1)

    def test_delay_counts_in_each_direction_and_holds_up_nothing_behind_it(self):
        connection = self.connect()
        self.proxy.delay(0.2)
        begin = time.monotonic()
        self.assertEqual(self.ask(connection), b"+PONG\r\n")
        self.assertGreaterEqual(time.monotonic() - begin, 0.4)

    def test_garbage_comes_once_on_each_connection_until_it_is_healed(self):
        connection = self.connect()
        self.assertEqual(self.ask(connection), b"+PONG\r\n")
        self.proxy.garbage(b"\xff\0")
        self.assertEqual(self.ask(connection), b"\xff\0")
        self.assertEqual(self.ask(connection), b"+PONG\r\n")
        self.assertEqual(self.ask(self.connect()), b"\xff\0")
        self.proxy.heal()
        self.assertEqual(self.ask(self.connect()), b"+PONG\r\n")

    def test_nothing_passes_while_it_is_stalled_and_all_of_it_later(self):
        connection = self.connect(limit=0.2)
        self.proxy.stall()
        with self.assertRaises(TimeoutError):
            self.ask(connection)
        self.proxy.heal()
        connection.settimeout(20)
        self.assertEqual(connection.recv(100), b"+PONG\r\n")

    def test_a_cut_resets_connections_now_or_after_so_many_bytes(self):
        connection = self.connect()
        self.ask(connection)
        self.proxy.cut()
        with self.assertRaises(ConnectionResetError):
            self.ask(connection)
        connection = self.connect()
        self.proxy.cut(after=3)
        got = b""
        with self.assertRaises(ConnectionResetError):
            connection.sendall(b"PING\r\n")
            while piece := connection.recv(100):
                got += piece
        self.assertIn(got, (b"", b"+PO"))  # a reset may overtake what was sent
        self.proxy.heal()
        self.assertEqual(self.ask(self.connect()), b"+PONG\r\n")

    @contextlib.contextmanager
    def on_its_way(self):
        """(proxy, server, connection): taken by the proxy, whose server takes nobody yet."""
        with socket.create_server(("127.0.0.1", free_port()), backlog=0) as server:
            port = server.getsockname()[1]
            with socket.create_connection(("127.0.0.1", port)), Proxy(port) as proxy, \
                    socket.create_connection(("127.0.0.1", proxy.port), 20) as connection:
                wait_for(lambda: proxy.accepted, "the proxy to take it")
                yield proxy, server, connection

    def test_who_has_yet_to_reach_the_server_is_cut_too(self):
        with self.on_its_way() as (proxy, server, connection):
            proxy.cut()
            server.accept()[0].close()
            with self.assertRaises(ConnectionResetError):
                connection.recv(1)

    def test_a_proxy_is_closed_without_a_word_whatever_is_under_way(self):
        with self.assertNoLogs("asyncio"), self.on_its_way() as (proxy, _, _):
            proxy.close()

    def test_who_is_refused_is_let_in_again_on_the_same_port(self):
        self.proxy.refuse()
        with self.assertRaises(ConnectionRefusedError):
            self.connect()
        self.proxy.heal()
        self.assertEqual(self.ask(self.connect()), b"+PONG\r\n")

    def test_a_server_that_is_gone_closes_what_it_had(self):
        with Redis() as other, Proxy(other.port) as proxy:
            connection = socket.create_connection(("127.0.0.1", proxy.port), 20)
            with connection:
                self.ask(connection)
                other.kill()
                self.assertEqual(connection.recv(100), b"")

    def test_a_throttle_takes_its_time(self):
        connection = self.connect()
        self.proxy.throttle(200)
        begin = time.monotonic()
        self.ask(connection, b"ECHO " + b"x" * 100 + b"\r\n")
        self.assertGreaterEqual(time.monotonic() - begin, 0.5)

    def test_a_unix_socket_can_be_behind_it(self):
        with Proxy(self.server.socket) as proxy:
            self.assertEqual(answers(proxy.port), b"+PONG\r\n")


class Leftovers(unittest.TestCase):
    def test_servers_die_with_a_test_that_is_killed(self):
        test = subprocess.Popen([sys.executable, "-B", "-c", LEFT_ALONE, KIT],
                                stdout=subprocess.PIPE, text=True)
        with test.stdout:
            line = test.stdout.readline().split()
        servers = [int(word) for word in line[:2]]
        try:
            self.assertEqual([is_gone(pid) for pid in servers], [False, False])
        finally:
            test.send_signal(signal.SIGKILL)
            test.wait()
        for pid in servers:
            wait_for(lambda pid=pid: is_gone(pid), f"the end of {pid}")
        for folder in line[2:]:
            subprocess.run(["rm", "-rf", folder, f"{folder}.template"], check=True)

    @unittest.skipIf(os.geteuid() != 0, "is a plain user already")
    def test_a_plain_user_can_have_them(self):
        done = subprocess.run(
            ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", sys.executable, "-B",
             "-c", "import sys; sys.path.insert(0, sys.argv[1])\n"
             "from rt_testing import Postgres, Redis\n"
             "with Postgres(password='a', tls=True) as p, Redis() as r:\n"
             "    print(p.psql('SELECT 7'), r.cli('PING'))\n", KIT],
            text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, cwd="/")
        if "Permission denied" in done.stdout and not os.access(sys.executable, os.X_OK):
            self.skipTest("Python is where nobody may go")
        self.assertEqual(done.stdout, "7 PONG\n")


if __name__ == "__main__":
    unittest.main()
