"""TLS: versions, certificates by name, resumption, and peers that do not keep to the protocol."""

import contextlib
import os
import shutil
import signal
import socket
import ssl
import struct
import subprocess
import tempfile
import unittest

from deployment import LIMIT, deployment, free_port, wait_for

NAMES = {"first": "DNS:first.test,DNS:localhost", "second": "DNS:second.test",
         "wild": "DNS:*.wild.test,DNS:exact.wild.test"}


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def make_certificate(folder, name, names):
    openssl("req", "-x509", "-nodes", "-days", "20", "-subj", f"/CN={name}",
            "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", f"{folder}/{name}.key",
            "-out", f"{folder}/{name}.pem", "-addext", f"subjectAltName={names}")
    os.chmod(f"{folder}/{name}.key", 0o600)


def make_old_certificate(folder, name):
    """One that expired in 2020: only `openssl ca` takes dates."""
    with open(f"{folder}/ca.conf", "w", encoding="utf-8") as file:
        file.write(f"[ca]\ndefault_ca=a\n[a]\nnew_certs_dir={folder}\ndatabase={folder}/index\nrand_serial=1\n"
                   "default_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n")
    with open(f"{folder}/index", "w", encoding="utf-8"):
        pass
    openssl("req", "-new", "-nodes", "-subj", f"/CN={name}", "-newkey", "ec", "-pkeyopt",
            "ec_paramgen_curve:P-256", "-keyout", f"{folder}/{name}.key", "-out", f"{folder}/{name}.csr")
    openssl("ca", "-batch", "-notext", "-selfsign", "-config", f"{folder}/ca.conf", "-keyfile",
            f"{folder}/{name}.key", "-in", f"{folder}/{name}.csr", "-out", f"{folder}/{name}.pem",
            "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
    os.chmod(f"{folder}/{name}.key", 0o600)


def pair(folder, name):
    return f'certificate = "{folder}/{name}.pem"; key = "{folder}/{name}.key";'


class Served(unittest.TestCase):
    """rtd on a port with TLS and one without, with three certificates."""

    settings = ()
    workers = None

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="rt-test-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        for name, names in NAMES.items():
            make_certificate(cls.folder, name, names)
        more = ", ".join(f"{{ {pair(cls.folder, name)} }}" for name in ("second", "wild"))
        cls.made = cls.enterClassContext(deployment(["wire"]))
        cls.port = free_port()
        head = (f'plugins = ["plugins"];\nadmin: {{ listen = []; }};\nhttp: {{ listen = ["127.0.0.1:{cls.made.port}", '
                f'"127.0.0.1:{cls.port} tls"];\n  tls: {{ {pair(cls.folder, "first")} '
                f'certificates = ( {more} ); }}; }};\n')
        with open(cls.made.config, "w", encoding="utf-8") as file:
            file.write(head)
        cls.made.start_ready(*[word for setting in cls.settings for word in ("--set", setting)])

    def context(self, **options):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        for name in NAMES:
            context.load_verify_locations(f"{self.folder}/{name}.pem")
        for name, value in options.items():
            setattr(context, name, value)
        return context

    @contextlib.contextmanager
    def connect(self, name="first.test", context=None, alpn=None, session=None):
        context = context or self.context()
        if alpn:
            context.set_alpn_protocols(alpn)
        with socket.create_connection(("127.0.0.1", self.port), LIMIT) as plain:
            with context.wrap_socket(plain, server_hostname=name, session=session) as secured:
                yield secured

    def exchange(self, secured, request=b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"):
        secured.sendall(request)
        answer = b""
        while part := secured.recv(65536):
            answer += part
        return answer

    def raw(self):
        return socket.create_connection(("127.0.0.1", self.port), LIMIT)

    def others_go_on(self):
        with self.connect() as secured:
            self.assertIn(b" 200 OK\r\n", self.exchange(secured))


def served_name(secured):
    return dict(field[0] for field in secured.getpeercert()["subject"])["commonName"]


def drain(connection):
    """All that comes until the end, in order or by a reset."""
    received = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(65536):
            received += part
    return received


def unsent(port):
    """Whether bytes wait to be read by who is connected to the port."""
    with open("/proc/net/tcp", encoding="ascii") as file:
        rows = [line.split() for line in file][1:]
    return any(row[1].endswith(f":{port:04X}") and int(row[4].split(":")[0], 16) for row in rows)


class Handshakes(Served):
    def test_a_request_is_answered(self):
        with self.connect() as secured:
            answer = self.exchange(secured)
        self.assertTrue(answer.startswith(b"HTTP/1.1 200 OK\r\n") and answer.endswith(b"\r\n\r\nhello\n"), answer)

    def test_the_log_names_the_address_as_https(self):
        self.assertIn(f"https://127.0.0.1:{self.port}", self.made.log())

    def test_versions_1_2_and_1_3_are_spoken_and_no_others(self):
        for version, spoken in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"), (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
            with self.connect(context=self.context(minimum_version=version, maximum_version=version)) as secured:
                self.assertEqual(secured.version(), spoken)
                self.assertIn(b"hello\n", self.exchange(secured))
        for version in ("-tls1", "-tls1_1"):
            tried = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", version,
                                    "-cipher", "ALL:@SECLEVEL=0"], stdin=subprocess.DEVNULL, text=True,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
            self.assertIn("alert protocol version", tried.stdout)

    def test_nothing_weak_is_offered(self):
        scan = subprocess.run(["sslscan", "--no-colour", f"127.0.0.1:{self.port}"], check=True, text=True,
                              stdout=subprocess.PIPE, timeout=LIMIT).stdout
        for line in ("SSLv2     disabled", "SSLv3     disabled", "TLSv1.0   disabled", "TLSv1.1   disabled",
                     "TLSv1.2   enabled", "TLSv1.3   enabled", "Session renegotiation not supported"):
            self.assertIn(line, scan)
        ciphers = [line.split()[4] for line in scan.splitlines() if line.startswith(("Preferred", "Accepted"))]
        self.assertGreaterEqual(len(ciphers), 6)
        for cipher in ciphers:
            self.assertRegex(cipher, r"^TLS_(AES|CHACHA20)|^ECDHE-ECDSA-(AES\d+-GCM|CHACHA20)")
        self.assertNotIn("ffdhe", scan)

    def test_the_certificate_is_chosen_by_name(self):
        for asked, served in (("first.test", "first"), ("second.test", "second"), ("SECOND.test", "second"),
                              ("a.wild.test", "wild"), ("exact.wild.test", "wild"), ("a.b.wild.test", "first"),
                              ("wild.test", "first"), ("unknown.test", "first"), (None, "first")):
            with self.connect(asked) as secured:
                self.assertEqual(served_name(secured), served, asked)
                self.assertIn(b"hello\n", self.exchange(secured))

    def test_alpn_chooses_the_protocol(self):
        for offered, chosen in ((["h2", "http/1.1"], "h2"), (["http/1.1", "h2"], "h2"), (["http/1.1"], "http/1.1"),
                                (None, None)):
            for name in ("first.test", "second.test"):
                with self.connect(name, alpn=offered) as secured:
                    self.assertEqual(secured.selected_alpn_protocol(), chosen)

    def test_a_protocol_that_nobody_speaks_is_refused(self):
        with self.assertRaises(ssl.SSLError) as caught, self.connect(alpn=["smtp"]):
            pass
        self.assertIn("NO APPLICATION PROTOCOL", str(caught.exception).replace("_", " ").upper())

    def test_curl_speaks_both_protocols_over_it(self):
        url = f"https://first.test:{self.port}/big/200000"
        for flag, version in (("--http2", "2"), ("--http1.1", "1.1")):
            got = subprocess.run(["curl", "-sS", flag, "--cacert", f"{self.folder}/first.pem", "--resolve",
                                  f"first.test:{self.port}:127.0.0.1", "-o", "/dev/null",
                                  "-w", "%{http_version} %{size_download} %{ssl_verify_result}", url],
                                 check=True, text=True, stdout=subprocess.PIPE, timeout=LIMIT)
            self.assertEqual(got.stdout, f"{version} 200000 0")

    def test_http_2_over_it_needs_alpn(self):
        with self.connect() as secured:
            answer = self.exchange(secured, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 505"), answer)

    def test_requests_cut_into_records_and_many_in_one_are_answered(self):
        with self.connect() as secured:
            for byte in b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n":
                secured.sendall(bytes([byte]))
            self.assertIn(b"hello\n", secured.recv(4096))
            many = b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n" * 999
            answer = self.exchange(secured, many + b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertEqual(answer.count(b"HTTP/1.1 200 OK"), 1000)

    def test_large_bodies_pass_in_both_directions(self):
        body = os.urandom(900_000)
        with self.connect() as secured:
            answer = self.exchange(secured, b"POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                            b"Content-Length: 900000\r\n\r\n" + body)
        self.assertTrue(answer.endswith(body))
        with self.connect() as secured:
            answer = self.exchange(secured, b"GET /big/20000000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        self.assertEqual(len(answer.partition(b"\r\n\r\n")[2]), 20_000_000)

    def test_a_stream_that_is_read_while_it_comes_is_held_up_and_goes_on(self):
        with self.connect() as secured:
            answer = self.exchange(secured, b"POST /count HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                                            b"Content-Length: 3000000\r\n\r\n" + b"x" * 3_000_000)
        self.assertTrue(answer.endswith(b"\r\n\r\n3000000"), answer[-200:])

    def test_a_body_is_read_while_the_answer_waits_for_its_reader(self):
        with self.connect() as secured:
            secured.sendall(b"POST /both HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n")
            wait_for(lambda: unsent(self.port), "the answer to wait")
            secured.sendall(b"0\r\n\r\n")
            self.made.wait_for_log("the body was read to its end")

    def test_the_end_is_told_by_close_notify(self):
        with self.connect() as secured:
            self.exchange(secured)  # suppress_ragged_eofs would hide it: see the next line
        context = self.context()
        with self.raw() as plain, context.wrap_socket(plain, server_hostname="first.test",
                                                      suppress_ragged_eofs=False) as secured:
            self.assertIn(b"hello\n", self.exchange(secured))

    def test_who_only_ends_his_side_gets_the_answer(self):
        with self.connect() as secured:
            secured.sendall(b"GET /wait/200 HTTP/1.1\r\nHost: a\r\n\r\n")
            plain = socket.socket(fileno=os.dup(secured.fileno()))
            plain.shutdown(socket.SHUT_WR)
            plain.close()
            self.assertIn(b"waited", drain(secured))

    def test_renegotiation_is_refused(self):
        tried = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-tls1_2"],
                               input=b"R\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT,
                               check=False)
        self.assertIn(b"RENEGOTIATING", tried.stdout)
        self.assertIn(b"no renegotiation", tried.stdout)

    def test_no_early_data_is_taken(self):
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-tls1_3",
                                "-ign_eof"],
                               input=b"GET /hello HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        self.assertIn(b"Max Early Data: 0", shown.stdout)


class BadPeers(Served):
    settings = ("http.header_timeout=1 s", "http.idle_timeout=2 s", "http.hsts=1 d")

    def tearDown(self):
        self.others_go_on()

    def test_plain_http_is_told_so_in_plain_http(self):
        for request in (b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n", b"POST /echo HTTP/1.1\r\n\r\n" + b"x" * 100_000):
            with self.raw() as plain:
                plain.sendall(request)
                answer = drain(plain)
            self.assertTrue(answer.startswith(b"HTTP/1.1 400 Bad Request\r\n"), answer)
            self.assertIn(b"a plain HTTP request was sent to a port of TLS", answer)
            self.assertIn(b"Connection: close\r\n", answer)
            self.assertNotIn(b"Strict-Transport-Security", answer)

    def test_garbage_ends_the_connection(self):
        for garbage in (b"\0" * 100, b"\xff" * 1000, b"\x16\x03\x01\xff\xff" + b"x" * 100, os.urandom(5000),
                        b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00", b"\x80\x2e\x01\x00\x02", b"SSH-2.0-x\r\n",
                        b"\x15\x03\x01\x00\x02\x02\x28", b"\x17\x03\x03\x00\x05hello"):
            with self.raw() as plain:
                plain.sendall(garbage)
                plain.shutdown(socket.SHUT_WR)
                self.assertNotIn(b"HTTP", drain(plain))

    def test_a_record_that_was_tampered_with_ends_the_connection(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self.context().wrap_bio(incoming, outgoing, server_hostname="first.test")
        with self.raw() as plain:
            while True:
                with contextlib.suppress(ssl.SSLWantReadError):
                    session.do_handshake()
                    break
                plain.sendall(outgoing.read())
                incoming.write(plain.recv(65536))
            plain.sendall(outgoing.read())
            session.write(b"GET /hello HTTP/1.1\r\nHost: a\r\n\r\n")
            record = bytearray(outgoing.read())
            record[-1] ^= 1
            plain.sendall(record)
            incoming.write(drain(plain))
        with self.assertRaises(ssl.SSLError) as caught:
            while session.read(4096):
                pass
        self.assertIn("BAD_RECORD_MAC", str(caught.exception).upper())

    def test_a_handshake_that_does_not_go_on_is_given_up(self):
        hello = self.client_hello()
        for sent in (b"", hello[:1], hello[:50], hello):
            with self.raw() as plain:
                plain.sendall(sent)
                drain(plain)  # ends by itself

    def client_hello(self):
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = self.context().wrap_bio(incoming, outgoing, server_hostname="first.test")
        with contextlib.suppress(ssl.SSLWantReadError):
            session.do_handshake()
        return outgoing.read()

    def test_a_handshake_byte_by_byte_has_no_more_time(self):
        hello = self.client_hello()
        with self.raw() as plain:
            plain.settimeout(0.05)
            ended = False
            for byte in hello:
                try:
                    plain.sendall(bytes([byte]))
                    ended = plain.recv(1) == b""
                except TimeoutError:
                    continue
                except ConnectionError:
                    ended = True
                if ended:
                    break
        self.assertTrue(ended)

    def test_nothing_after_the_handshake_is_not_waited_for_without_end(self):
        for protocols in (["h2"], ["http/1.1"]):
            with self.connect(alpn=protocols) as secured:
                drain(secured)

    def test_many_handshakes_that_are_broken_off_hurt_nobody(self):
        hello = self.client_hello()
        open_ones = [self.raw() for _ in range(200)]
        for number, plain in enumerate(open_ones):
            with contextlib.suppress(ConnectionError):
                plain.sendall(hello[:number + 1])
        self.others_go_on()
        for plain in open_ones:
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            plain.close()

    def sockets(self):
        worker = subprocess.run(["pgrep", "-P", str(self.made.process.pid)], check=True, text=True,
                                stdout=subprocess.PIPE).stdout.split()[0]
        return len(os.listdir(f"/proc/{worker}/fd"))

    def test_a_peer_that_does_not_read_its_answer_is_given_up(self):
        self.others_go_on()
        before = self.sockets()
        with self.connect() as secured:
            secured.sendall(b"GET /big/50000000 HTTP/1.1\r\nHost: a\r\n\r\n")
            wait_for(lambda: self.sockets() > before, "the connection")
            wait_for(lambda: self.sockets() <= before, "its end")
            total = 0
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                while part := secured.recv(65536):
                    total += len(part)
        self.assertLess(total, 50_000_000)


class Resumption(Served):
    settings = ("environment=test", "workers=3", "log.level=info")

    def pid(self, secured):
        return int(self.exchange(secured, b"GET /pid HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                   .rpartition(b"\r\n\r\n")[2])

    def test_a_session_is_resumed_by_every_worker_and_by_one_that_was_replaced(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context(minimum_version=version, maximum_version=version)
            with self.connect(context=context) as secured:
                first, session = self.pid(secured), None
                session = secured.session
            seen = set()

            def resumed():
                with self.connect(context=context, session=session) as again:
                    seen.add(self.pid(again))
                    self.assertTrue(again.session_reused)
                return len(seen) == 3
            wait_for(resumed, "all workers")
            os.kill(first, 9)
            wait_for(lambda: resumed() and len(seen) > 3 or len(seen) > 3, "the new worker")

    def test_a_ticket_that_is_none_of_ours_means_a_whole_handshake(self):
        shown = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-tls1_2",
                                "-sess_out", f"{self.folder}/session"], input=b"", stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, timeout=LIMIT, check=False).stdout
        self.assertIn(b"TLS session ticket lifetime hint", shown)
        with deployment(["wire"]) as other:
            port = free_port()
            with open(self.made.config, encoding="utf-8") as file:
                text = file.read().replace(str(self.port), str(port)).replace(str(self.made.port), str(other.port))
            with open(other.config, "w", encoding="utf-8") as file:
                file.write(text)
            other.start_ready()
            again = subprocess.run(["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-tls1_2", "-sess_in",
                                    f"{self.folder}/session"], input=b"", stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, timeout=LIMIT, check=False).stdout
            self.assertIn(b"New, TLSv1.2", again)


class Reload(Served):
    """Each test reloads, and leaves rtd as it found it."""

    settings = ("environment=test", "workers=2", "log.level=info")

    def reload(self):
        before = self.made.log().count("reloaded: generation")
        self.made.process.send_signal(signal.SIGHUP)
        wait_for(lambda: self.made.log().count("reloaded: generation") > before, "the new generation")

    def test_a_renewed_certificate_is_served_after_a_reload_and_sessions_go_on(self):
        context = self.context(maximum_version=ssl.TLSVersion.TLSv1_2)
        with self.connect(context=context) as secured:
            self.exchange(secured)
            session, old = secured.session, secured.getpeercert()["serialNumber"]
        before = self.context()
        make_certificate(self.folder, "first", NAMES["first"])
        with self.connect(context=before) as secured:
            self.assertEqual(secured.getpeercert()["serialNumber"], old)
        self.reload()

        def is_new():
            # The old generation may have accepted already, and serves what it has.
            with contextlib.suppress(ssl.SSLCertVerificationError), self.connect() as again:
                return again.getpeercert()["serialNumber"] != old
        wait_for(is_new, "the new certificate")
        with self.connect(context=context, session=session) as secured:
            self.assertTrue(secured.session_reused)
            self.assertIn(b"hello\n", self.exchange(secured))

    def test_an_address_becomes_one_of_tls_by_a_reload_and_back(self):
        with open(self.made.config, encoding="utf-8") as file:
            text = file.read()
        self.addCleanup(self.reload)
        self.addCleanup(lambda: write(self.made.config, text))
        write(self.made.config, text.replace(f'"127.0.0.1:{self.made.port}"', f'"127.0.0.1:{self.made.port} tls"'))
        self.reload()
        self.assertIn(f"https://127.0.0.1:{self.made.port}", self.made.log())
        tls = self.port
        self.port = self.made.port
        with self.connect() as secured:
            self.assertIn(b"hello\n", self.exchange(secured))
        self.port = tls


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


class Settings(unittest.TestCase):
    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory(prefix="rt-test-"))
        make_certificate(self.folder, "first", NAMES["first"])

    def served(self, made, tls, *arguments, environment=None):
        self.port = free_port()
        with open(made.config, "w", encoding="utf-8") as file:
            file.write(f'plugins = ["plugins"];\nadmin: {{ listen = []; }};\nhttp: {{ listen = ["127.0.0.1:{self.port} tls"];\n'
                       f'  tls: {{ {tls} }}; }};\n')
        return made.start_ready(*arguments, environment=environment)

    def curl(self, *arguments):
        return subprocess.run(["curl", "-sS", "--cacert", f"{self.folder}/first.pem", *arguments,
                               f"https://localhost:{self.port}/hello"], text=True, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=LIMIT, check=False)

    def test_certificate_and_key_may_be_credentials(self):
        folder = os.path.join(self.folder, "credentials")
        os.mkdir(folder, 0o700)
        for name in ("first.key", "first.pem"):
            shutil.copy(f"{self.folder}/{name}", f"{folder}/{name}")
            os.chmod(f"{folder}/{name}", 0o600)
        with deployment(["wire"]) as made:
            self.served(made, 'certificate = "@credential:first.pem"; key = "@credential:first.key";',
                        environment={"CREDENTIALS_DIRECTORY": folder})
            self.assertEqual(self.curl().stdout, "hello\n")

    def test_only_1_3_is_spoken_where_that_is_asked_for(self):
        with deployment(["wire"]) as made:
            self.served(made, pair(self.folder, "first") + ' min_version = "1.3";')
            self.assertEqual(self.curl().stdout, "hello\n")
            self.assertIn("alert protocol version", self.curl("--tls-max", "1.2").stdout)

    def test_without_http_2_alpn_offers_http_1_1_alone(self):
        with deployment(["wire"]) as made:
            self.served(made, pair(self.folder, "first"), "--set", "http.http2=false")
            self.assertEqual(self.curl("--http2", "-w", "%{http_version}").stdout, "hello\n1.1")

    def test_a_key_is_shown_nowhere(self):
        with open(f"{self.folder}/first.key", encoding="ascii") as file:
            secret = file.read().splitlines()[1]
        with deployment(["wire"]) as made:
            self.served(made, pair(self.folder, "first"))
            for arguments in (("plan",), ("validate",), ("config",), ("plan", "--json")):
                self.assertNotIn(secret, made.rtctl(*arguments).stdout)
            self.assertNotIn(secret, made.log())
            for process in subprocess.run(["pgrep", "-P", str(made.process.pid)], check=True, text=True,
                                          stdout=subprocess.PIPE).stdout.split() + [str(made.process.pid)]:
                for what in ("cmdline", "environ"):
                    with open(f"/proc/{process}/{what}", "rb") as file:
                        self.assertNotIn(secret.encode(), file.read())

    def test_only_the_supervisor_needs_the_files(self):
        with deployment(["wire"]) as made:
            self.served(made, pair(self.folder, "first"))
            for name in ("first.key", "first.pem"):
                os.rename(f"{self.folder}/{name}", f"{self.folder}/gone-{name}")
            shutil.copy(f"{self.folder}/gone-first.pem", f"{self.folder}/first.pem")
            os.kill(int(self.curl().stdout == "hello\n") and self.worker(made), 9)
            wait_for(lambda: self.curl().stdout == "hello\n", "the new worker")

    def worker(self, made):
        return int(subprocess.run(["pgrep", "-P", str(made.process.pid)], check=True, text=True,
                                  stdout=subprocess.PIPE).stdout.split()[0])

    def test_a_certificate_out_of_its_time_is_warned_of_and_served(self):
        make_old_certificate(self.folder, "old")
        with deployment(["wire"]) as made:
            self.served(made, pair(self.folder, "old"))
            self.assertIn("warning[RT0607]: the certificate of `http.tls.certificate` expired on "
                          "2020-02-01 00:00:00 UTC", made.log())
            self.assertEqual(self.curl("-k").stdout, "hello\n")


if __name__ == "__main__":
    unittest.main()
