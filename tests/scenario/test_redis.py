"""redis/1 on real servers: one suite for every way to reach one, losses, Sentinel, garbage."""

import concurrent.futures
import contextlib
import http.client
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

from collector import attributes, collector
from databases import Authority, Proxy, Redis, Sentinel
from deployment import deployment, free_port, wait_for
from running import PREFIX, PROBES, Runtime

SUITE = "/conformance/redis"
PASSWORD = "correct-horse-battery"


def ask(port, method, path, content=None):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, json.dumps(content) if content else None)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)

    def server(self, **options):
        return self.enterContext(Redis(**options))

    def proxy(self, server):
        return self.enterContext(Proxy(server.port))

    def runtime(self, url, settings=""):
        runtime = Runtime(self.folder, ("conformance-redis",),
                          f'redis: {{ url = "{url}"; {settings} }};')
        self.addCleanup(self.stop_cleanly, runtime)
        return runtime

    def stop_cleanly(self, runtime):
        self.assertEqual(runtime.stop(), 0, runtime.log)
        for word in ("AddressSanitizer", "LeakSanitizer", "runtime error:", PASSWORD):
            self.assertNotIn(word, runtime.log)

    def behind_proxy(self, settings="", **options):
        """(server, proxy, rtd that reaches the one through the other)"""
        server = self.server(**options)
        proxy = self.proxy(server)
        runtime = self.runtime(f"redis://127.0.0.1:{proxy.port}", settings)
        self.assert_reply(self.command(runtime, "PING"), "+PONG")
        return server, proxy, runtime

    def suite(self, runtime):
        status, _, body = runtime.request("GET", SUITE)
        lines = body.decode().splitlines()
        self.assertEqual(status, 200, body)
        self.assertRegex(lines[0], r"^1\.\.[1-9]\d+$")
        self.assertEqual(len([line for line in lines if line.startswith("ok ")]),
                         int(lines[0].removeprefix("1..")), "\n".join(lines))

    def command(self, runtime, *words, **options):
        body = json.dumps({"words": [str(word) for word in words], **options})
        status, _, answer = runtime.request("POST", f"{SUITE}/command", body)
        self.assertEqual(status, 200, answer)
        return json.loads(answer)

    def begin(self, runtime, *words, **options):
        """The same while the test goes on; its `result()`."""
        pool = self.enterContext(concurrent.futures.ThreadPoolExecutor(1))
        return pool.submit(self.command, runtime, *words, **options)

    def assert_reply(self, answer, reply):
        self.assertEqual((answer["code"], answer["reply"]), ("OK", reply), answer)

    def assert_fails(self, answer, code, retryable, *words):
        self.assertEqual((answer["code"], answer["retryable"]), (code, retryable), answer)
        for word in words:
            self.assertIn(word, json.dumps(answer))

    def recovers(self, runtime, *words, reply="+OK"):
        wait_for(lambda: self.command(runtime, *words)["reply"] == reply, f"{words} to work")

    def refused(self, url, *words, settings="", environment=None):
        """rtd does not start, and says these words; its log."""
        path = os.path.join(self.folder, f"refused-{free_port()}.conf")
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'plugins = ["{PREFIX}/lib/rt/plugins", "{PROBES}"];\n'
                       f'load = ["conformance-redis"];\nadmin: {{ listen = []; }};\n'
                       f'http: {{ listen = ["127.0.0.1:{free_port()}"]; }};\n'
                       f'redis: {{ url = "{url}"; {settings} }};\n')
        done = subprocess.run([f"{PREFIX}/bin/rtd", "--config", path], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              env=environment, timeout=60, check=False)
        self.assertNotEqual(done.returncode, 0, done.stdout)
        for word in words:
            self.assertIn(word, done.stdout)
        self.assertNotIn(PASSWORD, done.stdout)
        self.assertNotIn("AddressSanitizer", done.stdout)
        return done.stdout


class Conformance(Case):
    def test_plain(self):
        """a server on a port passes the conformance suite, twice"""
        runtime = self.runtime(self.server().url)
        self.suite(runtime)
        self.suite(runtime)

    def test_password(self):
        """a server with a password passes the conformance suite"""
        server = self.server(password=PASSWORD)
        self.suite(self.runtime(server.url, f'password = "{PASSWORD}";'))

    def test_acl(self):
        """a user of an access list passes the conformance suite, named as we are"""
        server = self.server(acl=["user default off", f"user app on >{PASSWORD} ~* &* +@all"])
        runtime = self.runtime(server.url, f'user = "app"; password = "{PASSWORD}"; '
                                           'client_name = "orders"; connections = 1;')
        self.suite(runtime)
        self.assert_reply(self.command(runtime, "CLIENT", "GETNAME"), "'orders'")

    def test_tls(self):
        """a server with TLS passes the conformance suite"""
        server = self.server(tls=True)
        self.suite(self.runtime(server.url, f'tls: {{ ca = "{server.ca}"; }};'))

    def test_tls_clients(self):
        """a server that demands certificates of clients passes the conformance suite"""
        server = self.server(tls=True, clients="yes")
        ours = server.client_certificate
        self.suite(self.runtime(server.url, f'tls: {{ ca = "{server.ca}"; key = "{ours.key}"; '
                                            f'certificate = "{ours.certificate}"; }};'))

    def test_unix(self):
        """a server on a unix socket passes the conformance suite"""
        self.suite(self.runtime(f"unix:{self.server().socket}"))

    def test_database(self):
        """another database than the first passes the conformance suite, and is the one that is used"""
        server = self.server()
        runtime = self.runtime(f"{server.url}/3", "connections = 5;")
        self.suite(runtime)
        self.assertEqual(server.cli("DBSIZE"), "0")
        self.assertNotEqual(server.cli("-n", 3, "DBSIZE"), "0")

    def test_one_connection(self):
        """one connection passes the conformance suite"""
        self.suite(self.runtime(self.server().url, "connections = 1; blocking = 1;"))

    def test_slow(self):
        """a server that is some milliseconds away and answers in small pieces passes as well"""
        _, proxy, runtime = self.behind_proxy()
        proxy.delay(0.002)
        self.suite(runtime)


class Start(Case):
    def test_nobody(self):
        """where nobody listens rtd tries three times and then says what to do"""
        port = free_port()
        log = self.refused(f"redis://127.0.0.1:{port}", f"cannot connect to `redis://127.0.0.1:{port}`",
                           "Connection refused", "start the server, or change `url`")
        self.assertEqual(log.count("; trying again"), 2, log)

    def test_later(self):
        """a server that comes up while rtd tries is taken"""
        server = Redis(port=free_port())
        self.addCleanup(server.close)
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            starting = pool.submit(self.runtime, server.url)
            wait_for(lambda: any("trying again" in open(os.path.join(self.folder, name)).read()
                                 for name in os.listdir(self.folder) if name.endswith(".log")),
                     "an attempt")
            server.start()
            self.assert_reply(self.command(starting.result(), "PING"), "+PONG")

    def test_password(self):
        """a wrong password, or none, is told with the user's name and without the password"""
        server = self.server(password="another")
        log = self.refused(server.url, "user `default` was refused by", "WRONGPASS",
                           "check `user` and `password`", settings=f'password = "{PASSWORD}";')
        self.assertNotIn("trying again", log)
        self.refused(server.url, "user `ann` was refused by", "check `user` and `password`",
                     settings=f'user = "ann"; password = "{PASSWORD}";')
        self.refused(server.url, "a password is demanded by", "set `password`")

    def test_database(self):
        """a database that the server does not have is told"""
        self.refused(f"{self.server().url}/99", "database 99 was refused by", "out of range")

    def test_settings(self):
        """settings that make no sense are refused before anything is opened"""
        for url, settings, words in (
                ("http://127.0.0.1", "", "it begins with none of"),
                ("redis://", "", "it has no host"),
                ("redis://h:0", "", "its port is no number"),
                ("redis://h:70000", "", "its port is no number"),
                ("redis://h/x", "", "its database is no number"),
                ("redis://h/1?timeout=3", "", "it has parameters"),
                ("redis://ann@h", "", "it has a user"),
                ("redis://[::1", "", "has no `]`"),
                ("unix:run/redis.sock", "", "does not begin with `/`"),
                ("unix:/" + "x" * 120, "", "is too long"),
                ("redis://h/1", "database = 2;", "name two databases"),
                ("redis://h", 'tls: { server_name = "x"; };', "is not `rediss://"),
                ("rediss://h", 'tls: { key = "/dev/null"; };', "one is set"),
                ("redis://h", 'sentinel: { master = "m"; };', "`sentinel.addresses` is not set"),
                ("redis://h", 'client_name = "a b";', "`client_name` has a character")):
            with self.subTest(url=url, settings=settings):
                self.refused(url, words, settings=settings)

    def test_url_password(self):
        """a password in the url is refused and shown nowhere"""
        self.refused("@env:ADDRESS", "`user` and `password` are options of their own",
                     environment={**os.environ, "ADDRESS": f"redis://ann:{PASSWORD}@127.0.0.1"})

    def test_certificate(self):
        """a certificate of another authority, of another name or out of date is refused"""
        with Authority() as other:
            server = self.server(tls=True)
            self.refused(server.url, "no TLS with", "certificate: ",
                         settings=f'tls: {{ ca = "{other.certificate}"; }}; {QUICK}')
            self.refused(server.url, "no TLS with", "certificate: ", settings=QUICK)
            self.refused(server.url, "no TLS with", "hostname mismatch",
                         settings=f'tls: {{ ca = "{server.ca}"; server_name = "example.org"; }}; {QUICK}')
            old = self.server(tls=other.issue(expired=True))
            self.refused(old.url, "no TLS with", "certificate has expired",
                         settings=f'tls: {{ ca = "{other.certificate}"; }}; {QUICK}')

    def test_mixed(self):
        """TLS where there is none, and none where there is, are told"""
        plain, encrypted = self.server(), self.server(tls=True)
        self.refused(f"rediss://127.0.0.1:{plain.port}", "no TLS with", settings=QUICK)
        self.refused(f"redis://127.0.0.1:{encrypted.port}", "no redis at", settings=QUICK)

    def test_client_certificate(self):
        """a server that demands our certificate and gets none is told"""
        server = self.server(tls=True, clients="yes")
        self.refused(server.url, "no redis at", "set `tls.certificate` and `tls.key`",
                     settings=f'tls: {{ ca = "{server.ca}"; }};')

    def test_full(self):
        """a server that takes no more clients is told in its words"""
        server = self.server(settings={"maxclients": 1})
        with socket.create_connection(("127.0.0.1", server.port)) as first:
            first.sendall(b"PING\r\n")
            self.assertEqual(first.recv(7), b"+PONG\r\n")
            self.refused(server.url, "refused by", "max number of clients reached")

    def test_no_redis(self):
        """a server that speaks something else, or nothing, is told"""
        server = self.server()
        proxy = self.proxy(server)
        url = f"redis://127.0.0.1:{proxy.port}"
        proxy.garbage(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.refused(url, "no redis at", "Protocol error", "check that `url` leads to a Redis")
        proxy.heal()
        proxy.stall()
        self.refused(url, "no redis at", "no answer in `connect_timeout`", settings=QUICK)


QUICK = 'connect_timeout = "300 ms";'
HASTY = 'connect_timeout = "500 ms"; timeout = "300 ms";'


def blocked(server):
    """`id=7` of each client that waits in a blocking command."""
    lines = [line.split() for line in server.cli("CLIENT", "LIST").split("\n") if line]
    return {words[0] for words in lines if "flags=b" in words}


class Losses(Case):
    def test_restart(self):
        """a server that is killed is told at once, and used again when it is back"""
        server = self.server()
        runtime = self.runtime(server.url)
        self.assert_reply(self.command(runtime, "PING"), "+PONG")
        server.kill()
        wait_for(lambda: "was lost" in runtime.log, "the loss")
        for _ in range(3):
            answer = self.command(runtime, "PING")
            self.assert_fails(answer, "UNAVAILABLE", True, "Connection refused")
        server.restart()
        self.recovers(runtime, "PING", reply="+PONG")
        self.assertIn("connected to `redis://127.0.0.1:", runtime.log)
        self.suite(runtime)

    def test_carried_out(self):
        """a command whose reply is lost fails as one that may have been carried out"""
        server, proxy, runtime = self.behind_proxy()
        proxy.delay(1)
        waiting = self.begin(runtime, "INCR", "lost")
        wait_for(lambda: server.cli("GET", "lost") == "1", "the command to arrive")
        proxy.cut()
        proxy.heal()
        self.assert_fails(waiting.result(), "UNAVAILABLE", False, "was lost",
                          "may have been carried out")
        self.assert_reply(self.command(runtime, "GET", "lost"), "'1'")

    def test_idempotent(self):
        """one that is idempotent is sent again, and its caller notices nothing"""
        server, proxy, runtime = self.behind_proxy()
        proxy.delay(1)
        waiting = self.begin(runtime, "SET", "again", "1", idempotent=True)
        wait_for(lambda: server.cli("DEL", "again") == "1", "the command to arrive")
        proxy.cut()
        proxy.heal()
        self.assert_reply(waiting.result(), "+OK")
        self.assertEqual(server.cli("GET", "again"), "1")

    def test_blocked(self):
        """a blocked command fails when its connection is lost, or goes on if it is idempotent"""
        server, proxy, runtime = self.behind_proxy()
        for idempotent in (False, True):
            waiting = self.begin(runtime, "BLPOP", "queue", "0", blocks=True, idempotent=idempotent)
            wait_for(lambda: blocked(server), "it to block")
            before = server.cli("CLIENT", "LIST")
            proxy.cut()
            if idempotent:
                wait_for(lambda: blocked(server) - {line.split()[0] for line in before.split("\n")},
                         "it to block again")
                server.cli("RPUSH", "queue", "x")
                self.assert_reply(waiting.result(), "['queue', 'x']")
                continue
            self.assert_fails(waiting.result(), "UNAVAILABLE", False, "was lost",
                              "may have been carried out")
            wait_for(lambda: not blocked(server), "it to end")

    def test_given_up(self):
        """a command that is given up while it blocks ends on the server too"""
        server = self.server()
        runtime = self.runtime(server.url)
        answer = self.command(runtime, "BLPOP", "queue", "0", blocks=True, milliseconds=50)
        self.assertEqual(answer["code"], "DEADLINE_EXCEEDED")
        wait_for(lambda: "blocked_clients:0" in server.cli("INFO", "clients"), "it to end")

    def test_pause(self):
        """a server that stands still costs its callers their time, and no more once it goes on"""
        server = self.server()
        runtime = self.runtime(server.url, HASTY)
        self.assert_reply(self.command(runtime, "PING"), "+PONG")
        server.pause()
        answer = self.command(runtime, "PING", milliseconds=50)
        self.assertEqual(answer["code"], "DEADLINE_EXCEEDED")
        answer = self.command(runtime, "PING")
        self.assertIn(answer["code"], ("DEADLINE_EXCEEDED", "UNAVAILABLE"), answer)
        wait_for(lambda: self.command(runtime, "PING")["code"] == "UNAVAILABLE",
                 "the connection to be given up")
        server.resume()
        self.recovers(runtime, "PING", reply="+PONG")

    def test_pause_while_sending(self):
        """a server that stands still in the middle of a large command holds nobody for ever"""
        for options in ({}, {"tls": True}):
            with self.subTest(options=options):
                server = self.server(**options)
                trust = f'tls: {{ ca = "{server.ca}"; }};' if options else ""
                runtime = self.runtime(server.url, f"{HASTY} connections = 1; {trust}")
                self.assert_reply(self.command(runtime, "PING"), "+PONG")
                server.pause()
                waiting = self.begin(runtime, "SET", "big", bytes=32 << 20)
                self.assertIn(self.command(runtime, "PING")["code"],
                              ("DEADLINE_EXCEEDED", "UNAVAILABLE"))
                self.assertIn(waiting.result()["code"], ("DEADLINE_EXCEEDED", "UNAVAILABLE"))
                wait_for(lambda: "was lost: no reply in `timeout`" in runtime.log, "the loss")
                server.resume()
                self.recovers(runtime, "PING", reply="+PONG")
                self.assert_reply(self.command(runtime, "EXISTS", "big"), "0")
                self.assert_reply(self.command(runtime, "SET", "big", bytes=8 << 20), "+OK")

    def test_tls_restart(self):
        """the same holds with TLS: a loss is told, and the connection comes back"""
        server = self.server(tls=True)
        runtime = self.runtime(server.url, f'tls: {{ ca = "{server.ca}"; }};')
        self.assert_reply(self.command(runtime, "BLPOP", "q", "0.01", blocks=True), "null")
        server.kill()
        wait_for(lambda: "was lost" in runtime.log, "the loss")
        self.assert_fails(self.command(runtime, "PING"), "UNAVAILABLE", True, "Connection refused")
        server.restart()
        self.recovers(runtime, "PING", reply="+PONG")
        self.suite(runtime)

    def test_proxy(self):
        """cuts in the middle of replies lose no more than the commands that were under way"""
        _, proxy, runtime = self.behind_proxy()
        self.assert_reply(self.command(runtime, "SET", "big", "x" * 100000), "+OK")
        for bytes_left in (1, 5, 1000, 65537):
            proxy.cut(after=bytes_left)
            self.assert_fails(self.command(runtime, "GET", "big"), "UNAVAILABLE", False, "was lost")
            proxy.heal()
            self.assert_reply(self.command(runtime, "STRLEN", "big"), "100000")

    def test_health(self):
        """the module is unhealthy while the server is away, and healthy again without a restart"""
        server, port = self.server(), free_port()
        with deployment((), f'admin: {{ listen = ["127.0.0.1:{port}"]; }};\n'
                            'health: { interval = "100 ms"; timeout = "1 s"; };\n'
                            'load = ["conformance-redis"];\n'
                            f'redis: {{ url = "{server.url}"; }};\n') as made:
            made.add("redis", f"{PREFIX}/lib/rt/plugins")
            made.add("conformance-redis", PROBES)
            made.start_ready()

            def says(status):
                got = ask(port, "GET", "/health/ready")
                return got[0] == status and got[1]
            wait_for(lambda: says(200), "a healthy start")
            server.kill()
            answer = wait_for(lambda: says(503), "the loss to be noticed")
            self.assertIn("module `redis` is unhealthy", answer["reasons"][0])
            self.assertIn(f"redis://127.0.0.1:{server.port}", answer["reasons"][0])
            server.restart()
            wait_for(lambda: says(200), "recovery")
            self.assertEqual(made.stop(), 0)


class Limits(Case):
    def test_large(self):
        """a reply beyond max_reply is refused without being read, and the next command goes on"""
        server = self.server()
        runtime = self.runtime(server.url, 'max_reply = "64 KiB";')
        self.assert_reply(self.command(runtime, "SET", "big", "x" * 70000), "+OK")
        for words in (("GET", "big"), ("EVAL", "local t = {} for i = 1, 5000 do t[i] = i end return t", 0)):
            self.assert_fails(self.command(runtime, *words), "RESOURCE_EXHAUSTED", False,
                              "larger than `max_reply`")
            self.recovers(runtime, "PING", reply="+PONG")

    def test_transactions(self):
        """a user who may not use MULTI is told so, and nothing of the transaction is carried out"""
        server = self.server(acl=["user default on nopass ~* &* +@all",
                                  f"user app on >{PASSWORD} ~* &* +@all -multi -client"])
        runtime = self.runtime(server.url, f'user = "app"; password = "{PASSWORD}";')
        answer = self.command(runtime, "SET", "written", "1", atomic=True)
        self.assert_fails(answer, "INTERNAL", False, "NOPERM", "+multi +exec")
        self.assertEqual(server.cli("EXISTS", "written"), "0")
        self.assert_fails(self.command(runtime, "CLIENT", "LIST"), "INTERNAL", False, "NOPERM")

    def test_refusing(self):
        """a server out of memory, a replica and one without its master say so, in a transaction too"""
        server = self.server(settings={"maxmemory": "1mb", "maxmemory-policy": "noeviction"})
        runtime = self.runtime(server.url)
        replica = self.server(settings={"replicaof": f"127.0.0.1 {server.port}"})
        other = self.runtime(replica.url)
        for atomic in (False, True):
            self.assert_fails(self.command(runtime, "SET", "a", "x", atomic=atomic),
                              "RESOURCE_EXHAUSTED", True, "OOM")
            self.assert_fails(self.command(other, "SET", "a", "x", atomic=atomic), "UNAVAILABLE",
                              True, "READONLY")
        replica.cli("CONFIG", "SET", "replica-serve-stale-data", "no")
        replica.cli("REPLICAOF", "127.0.0.1", 1)
        for atomic in (False, True):
            self.assert_fails(self.command(other, "GET", "a", atomic=atomic), "UNAVAILABLE", True,
                              "MASTERDOWN")

    def test_loading(self):
        """a server that loads is one that is not there yet, in a transaction too"""
        server = self.server(settings={"enable-debug-command": "yes", "key-load-delay": 10000,
                                       "loading-process-events-interval-bytes": 1024})
        runtime = self.runtime(server.url)
        server.cli("DEBUG", "POPULATE", 150, "key", 2048)
        loading = threading.Thread(target=server.cli, args=("DEBUG", "RELOAD"))
        loading.start()
        self.addCleanup(loading.join)
        for atomic in (True, False):
            answer = wait_for(lambda: failed(self.command(runtime, "SET", "a", "x", atomic=atomic)),
                              "the server to load")
            self.assert_fails(answer, "UNAVAILABLE", True, "LOADING")
        self.recovers(runtime, "SET", "a", "x")

    def test_discarded(self):
        """why EXEC discarded a transaction is its error where the server says so"""
        _, proxy, runtime = self.behind_proxy("connections = 1;")
        discarded = b"-EXECABORT Transaction discarded because of: "
        for reason, code, retryable in ((b"OOM command not allowed", "RESOURCE_EXHAUSTED", True),
                                        (b"READONLY You can't write", "UNAVAILABLE", True),
                                        (b"previous errors.", "FAILED_PRECONDITION", False)):
            with self.subTest(reason=reason):
                proxy.garbage(b"+OK\r\n+QUEUED\r\n" + discarded + reason + b"\r\n", new=False)
                answer = self.command(runtime, "SET", "a", "x", atomic=True)
                self.assert_fails(answer, code, retryable)


def failed(answer):
    return answer if answer["code"] != "OK" else None


class Trickling(contextlib.ExitStack):
    """A server that begins well and then says `x` for ever, some hundred times a second."""

    def __enter__(self):
        self.listener = self.enter_context(socket.create_server(("127.0.0.1", free_port())))
        self.port = self.listener.getsockname()[1]
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=self.listen)]
        self.threads[0].start()
        return self

    def listen(self):
        with contextlib.suppress(OSError):
            while not self.ended.is_set():
                connection, _ = self.listener.accept()
                self.threads.append(threading.Thread(target=self.talk, args=(connection,)))
                self.threads[-1].start()

    def talk(self, connection):
        with contextlib.suppress(OSError), connection:
            while b"EXEC" not in connection.recv(4096):
                pass
            connection.sendall(b"+OK\r\n+OK\r\n*0\r\n")  # CLIENT SETNAME, MULTI, EXEC
            while b"PING" in connection.recv(4096):  # the host asks how we are
                connection.sendall(b"+PONG\r\n")
            connection.sendall(b"$1000000\r\n")
            while not self.ended.wait(0.005):
                connection.sendall(b"x")

    def __exit__(self, *details):
        self.ended.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        super().__exit__(*details)
        for thread in self.threads:
            thread.join()


class Garbage(Case):
    """What comes in place of a reply; each ends the connection and nothing else."""

    CASES = (
        (b"HTTP/1.1 200 OK\r\n\r\n", "INTERNAL", "Protocol error"),
        (b"\x00\x01\x02\x03", "INTERNAL", "Protocol error"),
        (b"$x\r\nabc\r\n", "INTERNAL", "Bad bulk string length"),
        (b"$-7\r\n", "INTERNAL", "out of range"),
        (b"$3\r\nabcde\r\n", "INTERNAL", "does not end where it should"),
        (b"$99999999999999999\r\n", "RESOURCE_EXHAUSTED", "larger than `max_reply`"),
        (b"$9223372036854775807\r\n", "RESOURCE_EXHAUSTED", "larger than `max_reply`"),
        (b"$" + b"1" * 100, "INTERNAL", "no number"),
        (b"*2147483647\r\n", "RESOURCE_EXHAUSTED", "larger than `max_reply`"),
        (b"*99999999999\r\n", "INTERNAL", "out of range"),
        (b"*-2\r\n", "INTERNAL", "out of range"),
        (b"*1\r\n" * 50, "INTERNAL", "nested"),
        (b":12x\r\n", "INTERNAL", "Bad integer value"),
        (b"+" + b"x" * 70000, "INTERNAL", "a line without an end"),
        (b">2\r\n+a\r\n+b\r\n", "INTERNAL", "Protocol error"),
    )

    def test_garbage(self):
        """what is no reply ends the connection with a clear error, and the next command works"""
        _, proxy, runtime = self.behind_proxy("connections = 1;")
        for data, code, words in self.CASES:
            with self.subTest(data=data[:30]):
                proxy.garbage(data, new=False)
                answer = self.command(runtime, "PING")
                self.assertEqual(answer["code"], code, answer)
                self.assertIn(words, json.dumps(answer))
                self.recovers(runtime, "PING", reply="+PONG")

    def test_truncated(self):
        """a reply that never ends costs the time of its caller alone"""
        _, proxy, runtime = self.behind_proxy(HASTY + "connections = 1;")
        for data in (b"$100\r\nabc", b"*3\r\n:1\r\n", b"+O", b"$"):
            with self.subTest(data=data):
                proxy.garbage(data, new=False)
                self.assert_fails(self.command(runtime, "PING"), "DEADLINE_EXCEEDED", True,
                                  "in `timeout`")
                self.recovers(runtime, "PING", reply="+PONG")

    def test_trickle(self):
        """a reply that comes byte by byte costs its callers their time, and is given up"""
        with Trickling() as server:
            runtime = self.runtime(f"redis://127.0.0.1:{server.port}", HASTY + "connections = 1;")
            answer = self.command(runtime, "GET", "a", milliseconds=20000)
            self.assert_fails(answer, "DEADLINE_EXCEEDED", True, "no reply from", "in `timeout`")
            wait_for(lambda: "was lost: no reply in `timeout`" in runtime.log, "the end of the reply")

    def test_unasked(self):
        """a reply that nobody asked for ends the connection before it is another's"""
        _, proxy, runtime = self.behind_proxy("connections = 1;")
        for data in (b"+PONG\r\n+EXTRA\r\n", b"+PONG\r\n+EX", b"+PONG\r\n\r\n"):
            with self.subTest(data=data):
                before = runtime.log.count("was lost")
                proxy.garbage(data, new=False)
                self.assert_reply(self.command(runtime, "PING"), "+PONG")
                wait_for(lambda: runtime.log.count("was lost") > before, "the end of the connection")
                self.assert_reply(self.command(runtime, "ECHO", "own"), "'own'")

    def test_blocking(self):
        """the same holds for the connections of commands that block"""
        _, proxy, runtime = self.behind_proxy("blocking = 1;")
        self.command(runtime, "RPUSH", "queue", *range(9))
        for data, code, words in self.CASES:
            with self.subTest(data=data[:30]):
                self.command(runtime, "BLPOP", "queue", "1", blocks=True)
                self.command(runtime, "RPUSH", "queue", "x")
                proxy.garbage(data, new=False)
                answer = self.command(runtime, "BLPOP", "queue", "1", blocks=True)
                self.assertEqual(answer["code"], code, answer)
                self.assertIn(words, json.dumps(answer))
                proxy.heal()


class Masters(Case):
    """Sentinel."""

    def watched(self, settings="", **options):
        """(master, replica, sentinel, rtd)"""
        master = self.server(**options)
        replica = self.server(settings={"replicaof": f"127.0.0.1 {master.port}"}, **options)
        sentinel = self.enterContext(Sentinel({"main": master}))
        wait_for(lambda: str(replica.port) in sentinel.cli("SENTINEL", "replicas", "main"),
                 "the Sentinel to see the replica")
        wait_for(lambda: "master_link_status:up" in replica.cli("INFO", "replication"),
                 "the replica to follow")
        runtime = self.runtime("redis://main", f'sentinel: {{ addresses = ["127.0.0.1:{free_port()}", '
                               f'"127.0.0.1:{sentinel.port}"]; }}; {settings}')
        return master, replica, sentinel, runtime

    def test_suite(self):
        """the master that a Sentinel names passes the conformance suite, with a password too"""
        self.suite(self.watched(f'password = "{PASSWORD}";', password=PASSWORD)[3])

    def test_failover(self):
        """when the master dies its replica is found and used"""
        master, replica, _, runtime = self.watched()
        self.assert_reply(self.command(runtime, "SET", "a", "before"), "+OK")
        wait_for(lambda: replica.cli("GET", "a") == "before", "the replica to have it")
        master.kill()
        self.recovers(runtime, "SET", "a", "after")
        self.assertEqual(replica.cli("GET", "a"), "after")

    def test_demoted(self):
        """a master that becomes a replica is left for the new one"""
        _, replica, sentinel, runtime = self.watched()
        self.assert_reply(self.command(runtime, "SET", "a", "before"), "+OK")
        self.assert_reply(self.command(runtime, "BLPOP", "queue", "0.01", blocks=True), "null")
        sentinel.cli("SENTINEL", "failover", "main")
        wait_for(lambda: sentinel.master("main") == replica.port, "the failover")
        wait_for(lambda: self.command(runtime, "SET", "a", "after")["code"] == "OK" and
                 replica.cli("GET", "a") == "after", "the new master to be used")
        self.command(runtime, "RPUSH", "queue", "x")
        wait_for(lambda: self.command(runtime, "BLPOP", "queue", "0.01", blocks=True)["code"] == "OK",
                 "the blocking connection to follow")

    def test_unknown(self):
        """a master that no Sentinel knows, and Sentinels that are away, are told"""
        server = self.server()
        sentinel = self.enterContext(Sentinel({"main": server}))
        self.refused("redis://other", "no Sentinel of 1 leads to master `other`", "is unknown to",
                     settings=f'sentinel: {{ addresses = ["127.0.0.1:{sentinel.port}"]; }};')
        self.refused("redis://x", "leads to master `main`", "Connection refused", settings=QUICK +
                     f'sentinel: {{ master = "main"; addresses = ["127.0.0.1:{free_port()}"]; }};')


class Telemetry(Case):
    def test_spans(self):
        """each command is a client span that names it and shows no value"""
        server = self.server()
        with collector() as peer, deployment(
                (), f'telemetry: {{ endpoint = "{peer.url}"; traces: {{ delay = "20 ms"; }}; '
                    'metrics: { interval = "200 ms"; }; };\nload = ["conformance-redis"];\n'
                    f'redis: {{ url = "{server.url}/2"; }};\n') as made:
            made.add("redis", f"{PREFIX}/lib/rt/plugins")
            made.add("conformance-redis", PROBES)
            made.start_ready()
            ask(made.port, "POST", f"{SUITE}/command", {"words": ["set", "key", PASSWORD]})
            ask(made.port, "POST", f"{SUITE}/command", {"words": ["LPUSH", "key", "x"]})

            def found(name):
                return [span for _, _, span in peer.spans() if span["name"] == name]
            span, = wait_for(lambda: found("SET"), "the span")
            failed, = wait_for(lambda: found("LPUSH"), "the span of the one that failed")
            wait_for(lambda: "redis.connections" in peer.metrics(), "the metric")
            with open(peer.path("out"), encoding="utf-8") as file:
                self.assertNotIn(PASSWORD, file.read())
            self.assertLessEqual({
                "db.system": "redis", "db.namespace": "2", "db.operation.name": "SET",
                "server.address": "127.0.0.1", "server.port": server.port}.items(),
                attributes(span).items())
            self.assertIn(span["kind"], (3, "SPAN_KIND_CLIENT"))
            self.assertEqual(attributes(failed)["error.type"], "FAILED_PRECONDITION")
            self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
