"""email/1: one conformance suite for every provider, and what an SMTP server received."""

import base64
import contextlib
import email
import email.header
import email.policy
import email.utils
import json
import re
import shutil
import socket
import tempfile
import threading
import time
import unittest
from random import Random as Randomness

from running import Runtime, SmtpPeer, free_port, make_certificates, wait_for

SUITE = "/conformance/email"


def sample_bytes(length):
    return bytes((i * 7 + (i >> 8)) & 255 for i in range(length))


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.certificates = make_certificates(cls.folder)

    def peer(self, mode):
        peer = SmtpPeer(self.folder, mode, self.certificates)
        self.addCleanup(peer.stop)
        return peer

    def runtime(self, extra="", environment="development", roots=("conformance-email",)):
        runtime = Runtime(self.folder, roots, extra, environment)
        self.addCleanup(self.stop_cleanly, runtime)
        return runtime

    def stop_cleanly(self, runtime):
        self.assertEqual(runtime.stop(), 0, runtime.log)
        self.assertNotIn("AddressSanitizer", runtime.log)
        self.assertNotIn("runtime error:", runtime.log)

    def smtp(self, port, settings="", trust=True):
        ca_file = f'ca_file = "{self.certificates}/cert.pem";' if trust else ""
        return self.runtime(f'email-smtp: {{ host = "127.0.0.1"; port = {port}; {ca_file} '
                            f'hostname = "client.example.org"; {settings} }};')

    def suite(self, runtime):
        status, _, body = runtime.request("GET", SUITE)
        lines = body.decode().splitlines()
        self.assertEqual(status, 200, body)
        self.assertRegex(lines[0], r"^1\.\.[1-9]\d+$")
        self.assertEqual(len([line for line in lines if line.startswith("ok ")]),
                         int(lines[0].removeprefix("1..")), "\n".join(lines))

    def send(self, runtime, to="ann@example.org", **message):
        body = json.dumps({"to": to, **message})
        status, _, answer = runtime.request("POST", f"{SUITE}/send", body)
        self.assertEqual(status, 200, answer)
        return json.loads(answer)

    def assert_fails(self, result, code, retryable):
        self.assertEqual((result["code"], result["retryable"]), (code, retryable), result)


LOGIN = 'user = "u"; password = "p";'


class Conformance(Case):
    def test_memory(self):
        """the provider that keeps mails passes the conformance suite"""
        self.suite(self.runtime())

    def test_double(self):
        """the test double passes the conformance suite"""
        self.suite(self.runtime(environment="test"))

    def test_starttls(self):
        """SMTP with STARTTLS and AUTH passes the conformance suite, twice"""
        peer = self.peer("starttls")
        runtime = self.smtp(peer.port, LOGIN)
        self.suite(runtime)
        self.suite(runtime)
        self.assertTrue(all(mail["secure"] and mail["user"] == "PLAIN u" for mail in peer.mails()))

    def test_implicit(self):
        """SMTP with TLS from the start passes the conformance suite"""
        peer = self.peer("implicit")
        self.suite(self.smtp(peer.port, 'tls = "implicit";' + LOGIN))

    def test_plain(self):
        """SMTP without encryption passes the conformance suite where it is asked for"""
        peer = self.peer("plain")
        self.suite(self.smtp(peer.port, 'tls = "none";', trust=False))
        self.assertFalse(any(mail["secure"] for mail in peer.mails()))


class Received(Case):
    """What the server got from one run of the suite."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        peer = SmtpPeer(cls.folder, "starttls", cls.certificates)
        cls.addClassCleanup(peer.stop)
        runtime = Runtime(cls.folder, ["conformance-email"],
                          f'email-smtp: {{ host = "127.0.0.1"; port = {peer.port}; {LOGIN} '
                          f'ca_file = "{cls.certificates}/cert.pem"; }};')
        cls.addClassCleanup(runtime.stop)
        runtime.request("GET", SUITE)
        cls.mails = {}
        cls.all = peer.mails()
        for envelope in cls.all:
            raw = base64.b64decode(envelope["raw"])
            mail = email.message_from_bytes(raw, policy=email.policy.default)
            cls.mails[str(mail["Subject"])] = (envelope, mail, raw)

    def find(self, subject):
        self.assertIn(subject, self.mails)
        return self.mails[subject]

    def lines_of(self, part):
        return part.get_payload(decode=True).decode().replace("\r\n", "\n")

    def test_nothing_forbidden(self):
        """none of the refused mails arrived, and no blind recipient is named"""
        self.assertGreater(len(self.all), 30)
        for subject, (_, mail, raw) in self.mails.items():
            self.assertNotIn("must never arrive", subject)
            self.assertNotIn(b"victim@", raw)
            self.assertNotIn("Bcc", mail)

    def test_lines(self):
        """every mail is 7-bit, in lines of at most 998 bytes that end in CRLF, headers folded"""
        for _, mail, raw in self.mails.values():
            self.assertNotRegex(raw, rb"(?<!\r)\n|\r(?!\n)|[\x80-\xff\0]")
            self.assertLessEqual(max(map(len, raw.split(b"\r\n"))), 998)
            self.assertEqual(mail.defects, [])
            for name in ("From", "Subject", "Date", "Message-ID", "MIME-Version"):
                self.assertEqual(len(mail.get_all(name, [])), 1, name)

    def test_folding(self):
        """header lines with white space in them are folded at 78"""
        for name in ("UTF-8", "further", "recipients"):
            for subject, (_, _, raw) in self.mails.items():
                if name not in subject:
                    continue
                head = raw.partition(b"\r\n\r\n")[0]
                self.assertLessEqual(max(map(len, head.split(b"\r\n"))), 78, head)

    def test_date(self):
        """the date is now and the id is the sender's"""
        _, mail, _ = self.find("conformance: plain text")
        sent = email.utils.parsedate_to_datetime(mail["Date"]).timestamp()
        self.assertLess(abs(sent - time.time()), 600)
        self.assertRegex(mail["Message-ID"], r"^<[0-9a-f]{32}@example\.org>$")
        ids = [str(mail["Message-ID"]) for _, mail, _ in self.mails.values()]
        self.assertEqual(len(ids), len(set(ids)))

    def test_text(self):
        """a text arrives as it was, and is the only part"""
        _, mail, _ = self.find("conformance: plain text")
        self.assertEqual(mail.get_content_type(), "text/plain")
        self.assertEqual(self.lines_of(mail), "Thank you.\n")

    def test_alternative(self):
        """html and text are alternatives, the text first"""
        _, mail, _ = self.find("conformance: html and text")
        self.assertEqual(mail.get_content_type(), "multipart/alternative")
        parts = [(part.get_content_type(), self.lines_of(part)) for part in mail.iter_parts()]
        self.assertEqual(parts, [("text/plain", "Thank you.\n"),
                                 ("text/html", "<p>Thank <b>you</b> \u2713</p>\n")])
        _, mail, _ = self.find("conformance: html alone")
        self.assertEqual(mail.get_content_type(), "text/html")

    def test_difficult_lines(self):
        """dots, long lines, blanks at line ends and UTF-8 arrive unchanged"""
        _, mail, _ = self.find("conformance: difficult lines")
        self.assertEqual(self.lines_of(mail),
                         ".\n..\n.hidden\n\nFrom here\n= =3D\ntrailing \t\n\u20ac\n.\n" +
                         "x" * 4000 + "\n.\nlast line without an end\n")

    def test_utf8(self):
        """subjects and names of any script are read as they were written"""
        subject = ("conformance: Grüße \u20ac \U0001F600 and a subject that is so long that it has "
                   "to be folded more than once, üüüüüüü")
        _, mail, _ = self.find(subject)
        self.assertEqual([(a.display_name, a.addr_spec) for a in mail["To"].addresses],
                         [("Jürgen Müller", "jurgen@example.org"),
                          ('Last, First "Q"', "last@example.org")])
        self.assertEqual(mail["From"].addresses[0].display_name, "Café")

    def test_long_subject(self):
        """a subject longer than a line may be arrives whole"""
        self.find("conformance: long subject" + " several words" * 40 + " " + "y" * 1500)

    def test_recipients(self):
        """the envelope has everyone once, the headers all but the blind"""
        envelope, mail, _ = self.find("conformance: recipients")
        self.assertEqual(envelope["from"], "shop@example.org")
        self.assertEqual(envelope["to"],
                         ["ann@example.org", "carl@example.org", "blind@example.org"])
        self.assertEqual(str(mail["Reply-To"]), "Desk <desk@example.org>")
        self.assertEqual(str(mail["Cc"]), "Carl <carl@example.org>, ANN@example.org")
        envelope, mail, raw = self.find("conformance: blind alone")
        self.assertEqual(envelope["to"], ["blind@example.org"])
        self.assertNotIn(b"blind@example.org", raw)
        self.assertIn("To", mail)

    def test_headers(self):
        """further headers arrive"""
        _, mail, _ = self.find("conformance: further headers")
        self.assertEqual((mail["X-Campaign"], mail["List-Unsubscribe"], mail["X-Note"]),
                         ("spring", "<https://example.org/u?id=1>", "naïve"))

    def test_attachments(self):
        """attachments keep name, type and bytes"""
        _, mail, _ = self.find("conformance: attachments")
        self.assertEqual(mail.get_content_type(), "multipart/mixed")
        files = [(part.get_filename(), part.get_content_type(), part.get_payload(decode=True))
                 for part in mail.iter_attachments()]
        self.assertEqual(files, [
            ("bytes.bin", "application/octet-stream", sample_bytes(1000)),
            ("Übersicht \u20ac.txt", "text/plain", b"hello\n"),
            ("empty.txt", "text/plain", b""),
            ('a "quoted" name.pdf', "application/pdf", b"%PDF")])
        self.assertEqual(self.lines_of(mail.get_body(("html",))), "<p>see attachments</p>")
        _, mail, _ = self.find("conformance: large attachment")
        self.assertEqual(next(mail.iter_attachments()).get_payload(decode=True),
                         sample_bytes(1000000))

    def test_batch(self):
        """of a batch the sound mails arrive, and all of twenty concurrent ones"""
        for subject in ("batch 0", "batch 3", *(f"concurrent {i}" for i in range(20))):
            self.find("conformance: " + subject)


class Random(Case):
    """Mails of random pieces arrive as they were written."""

    PIECES = ["\n", "\r\n", ".", "=", " ", "\t", "a", "F", "From ", "\u00e9", "\u20ac", "\U0001F600", "=?",
              "?=", "-", "--", "word ", "x" * 70, "x" * 75, "x" * 76, "x" * 77, "\u00fc" * 30, '"', "\\",
              ",", "<", ";", ":", "(", "\x0b", "\x00"]

    def pieces(self, random, forbidden, most):
        allowed = [piece for piece in self.PIECES if not set(piece) & set(forbidden)]
        return "".join(random.choice(allowed) for _ in range(random.randrange(most)))

    def test_round_trip(self):
        """texts, subjects and names of random pieces arrive as they were written"""
        random = Randomness(20240101)
        peer = self.peer("plain")
        runtime = self.smtp(peer.port, 'tls = "none";')
        sent = []
        for _ in range(300):
            mail = {"text": self.pieces(random, "\0", 60), "html": self.pieces(random, "\0", 9),
                    "subject": self.pieces(random, "\0\n\r\t\x0b", 40)}
            name = self.pieces(random, '\0\n\r\t\x0b"\\', 6)[:100]
            result = self.send(runtime, f'"{name}" <ann@example.org>', **mail)
            self.assertEqual(result["code"], "OK", (mail, name, result))
            sent.append((mail, name))
        received = peer.mails()
        self.assertEqual(len(received), len(sent))
        for (mail, name), envelope in zip(sent, received):
            self.compare(mail, name, base64.b64decode(envelope["raw"]))

    def compare(self, mail, name, raw):
        self.assertNotRegex(raw, rb"(?<!\r)\n|\r(?!\n)|[\x80-\xff\0]")
        self.assertLessEqual(max(map(len, raw.split(b"\r\n"))), 998)
        parsed = email.message_from_bytes(raw)
        text, html = (part.get_payload(decode=True).decode() for part in parsed.get_payload())
        for got, wanted in ((text, mail["text"]), (html, mail["html"])):
            self.assertEqual(got, wanted.replace("\r\n", "\n").replace("\n", "\r\n"))
        # a folded line begins with the white space that it was folded at
        self.assertEqual(decoded(parsed["Subject"]), mail["subject"])
        (got, address), = email.utils.getaddresses([parsed["To"].replace("\r\n", "")])
        self.assertEqual((decoded(got).strip(), address), (name.strip(), "ann@example.org"))


def decoded(value):
    return str(email.header.make_header(email.header.decode_header(re.sub("\r?\n", "", value))))


class Server(Case):
    """How the SMTP provider meets servers that are wrong, slow or gone."""

    def test_reuse(self):
        """mails one after the other use one connection, and the limit holds"""
        peer = self.peer("starttls")
        runtime = self.smtp(peer.port, LOGIN + "max_connections = 3;")
        for _ in range(5):
            result = self.send(runtime)
            self.assertEqual(result["code"], "OK", result)
        self.assertEqual(result["providerMessageId"], "Q5")
        self.assertEqual(peer.connections(), 1)
        self.suite(runtime)
        self.assertLessEqual(peer.connections(), 3)

    def test_idle(self):
        """a connection that was idle too long is closed, and the next mail opens another"""
        peer = self.peer("starttls")
        runtime = self.smtp(peer.port, LOGIN + 'idle_timeout = "100 ms";')
        self.assertEqual(self.send(runtime)["code"], "OK")
        wait_for(lambda: peer.lines("closed.log"), "the connection is closed")
        self.assertEqual(self.send(runtime)["code"], "OK")
        self.assertEqual(peer.connections(), 2)

    def test_restarted_server(self):
        """a kept connection that died costs no mail"""
        peer = self.peer("plain")
        runtime = self.smtp(peer.port, 'tls = "none";')
        self.assertEqual(self.send(runtime)["code"], "OK")
        self.assertEqual(self.send(runtime, "hangup@example.org")["code"], "UNAVAILABLE")
        self.assertEqual(self.send(runtime)["code"], "OK")

    def test_wrong_password(self):
        """a wrong password is UNAUTHENTICATED and stands neither in the answer nor in the log"""
        for mode in ("starttls", "login"):
            peer = self.peer(mode)
            runtime = self.smtp(peer.port, 'user = "u"; password = "wr0ng-s3cret";')
            result = self.send(runtime)
            self.assert_fails(result, "UNAUTHENTICATED", False)
            for text in (json.dumps(result), runtime.log):
                self.assertNotIn("wr0ng-s3cret", text)
                self.assertNotIn(base64.b64encode(b"wr0ng-s3cret").decode(), text)
                self.assertNotIn(base64.b64encode(b"\0u\0wr0ng-s3cret").decode(), text)

    def test_login(self):
        """a server that knows AUTH LOGIN alone is used with it"""
        peer = self.peer("login")
        self.assertEqual(self.send(self.smtp(peer.port, LOGIN))["code"], "OK")
        self.assertEqual(peer.mails()[0]["user"], "LOGIN u")

    def test_no_starttls(self):
        """where STARTTLS is required and not offered, nothing is sent"""
        peer = self.peer("plain")
        result = self.send(self.smtp(peer.port))
        self.assert_fails(result, "FAILED_PRECONDITION", False)
        self.assertIn("STARTTLS", result["message"])
        self.assertEqual(peer.mails(), [])

    def test_no_auth(self):
        """where a user is set and AUTH is not offered, nothing is sent"""
        peer = self.peer("plain")
        result = self.send(self.smtp(peer.port, 'tls = "none";' + LOGIN))
        self.assert_fails(result, "UNAUTHENTICATED", False)
        self.assertEqual(peer.mails(), [])

    def test_untrusted(self):
        """a certificate that nobody trusts, or of another name, is refused"""
        peer = self.peer("implicit")
        result = self.send(self.smtp(peer.port, 'tls = "implicit";' + LOGIN, trust=False))
        self.assert_fails(result, "UNAVAILABLE", True)
        self.assertIn("certificate", result["detail"])
        other = tempfile.mkdtemp(dir=self.folder)
        make_certificates(other, "127.0.0.2")
        peer = SmtpPeer(self.folder, "starttls", other)
        self.addCleanup(peer.stop)
        runtime = self.runtime(f'email-smtp: {{ host = "127.0.0.1"; port = {peer.port}; {LOGIN} '
                               f'ca_file = "{other}/cert.pem"; }};')
        self.assertIn("mismatch", self.send(runtime)["detail"])
        self.assertEqual(peer.mails(), [])

    def test_down(self):
        """a server that is down is UNAVAILABLE and worth another try"""
        result = self.send(self.smtp(free_port()))
        self.assert_fails(result, "UNAVAILABLE", True)
        self.assertIn("refused", result["detail"])

    def test_unknown_host(self):
        """a name that does not resolve is UNAVAILABLE"""
        runtime = self.runtime('email-smtp: { host = "no-such-host.invalid"; };')
        self.assert_fails(self.send(runtime), "UNAVAILABLE", True)

    def test_slow(self):
        """a server that does not answer in time is DEADLINE_EXCEEDED, and the worker goes on"""
        peer = self.peer("plain")
        runtime = self.smtp(peer.port, 'tls = "none"; timeout = "1 s"; max_connections = 1;')
        results = []
        thread = threading.Thread(
            target=lambda: results.append(self.send(runtime, "slow@example.org")))
        thread.start()
        wait_for(peer.mails, "the mail is on its way")
        began = time.monotonic()
        self.assertEqual(runtime.request("GET", "/nothing")[0], 404)
        self.assertLess(time.monotonic() - began, 0.5)
        thread.join()
        self.assert_fails(results[0], "DEADLINE_EXCEEDED", True)
        self.assertLess(results[0]["milliseconds"], 2500)
        self.assertEqual(self.send(runtime)["code"], "OK")

    def test_cut_body(self):
        """a mail that runs out of time in its middle is not ended, so that half of it is delivered"""
        server = Scripted(b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n",
                          b"354 go\r\n", pause=2)
        runtime = self.smtp(server.port, 'tls = "none"; timeout = "1 s";')
        self.assert_fails(self.send(runtime, bytes=30_000_000), "DEADLINE_EXCEEDED", True)
        server.join(30)
        body = b"".join(server.heard[4:])
        self.assertGreater(len(body), 10000)
        self.assertNotIn(b"\r\n.\r\n", body)
        self.assertNotIn(b"QUIT", body)

    def test_told(self):
        """the refusal of the server is told: code, text and who"""
        peer = self.peer("starttls")
        result = self.send(self.smtp(peer.port, LOGIN), "reject@example.org")
        self.assertEqual(result["domain"], "550")
        self.assertEqual(result["detail"], "550 5.1.1 no such user")
        self.assertIn("`reject@example.org`", result["message"])


class Scripted(threading.Thread):
    """A server that says what it is told, for what no honest one would say."""

    def __init__(self, *replies, pause=0):
        super().__init__(daemon=True)
        self.replies = replies
        self.pause = pause  # before the rest is read
        self.heard = []
        self.socket = socket.create_server(("127.0.0.1", free_port()))
        self.port = self.socket.getsockname()[1]
        self.start()

    def run(self):
        connection, _ = self.socket.accept()
        with contextlib.suppress(OSError), connection, self.socket:
            for reply in self.replies:
                connection.sendall(reply)
                line = connection.recv(65536)
                if not line:
                    return
                self.heard.append(line)
            time.sleep(self.pause)
            while self.pause and (rest := connection.recv(65536)):
                self.heard.append(rest)


class Hostile(Case):
    def answer(self, *replies, settings=""):
        server = Scripted(*replies)
        runtime = self.smtp(server.port, 'tls = "none"; timeout = "2 s"; connect_timeout = "2 s";' +
                            settings)
        result = self.send(runtime)
        self.assertEqual(runtime.request("GET", "/nothing")[0], 404)
        return result, server

    def test_garbage(self):
        """a server that does not speak SMTP is UNAVAILABLE"""
        for greeting in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\0\xff\r\n", b"999 no\r\n", b"2\r\n",
                         b"220-a\r\n" * 200, b"\r\n"):
            result, _ = self.answer(greeting)
            self.assertEqual(result["code"], "UNAVAILABLE", result)

    def test_endless_line(self):
        """a line without end is cut off"""
        result, _ = self.answer(b"220 " + b"x" * 200000 + b"\r\n")
        self.assertEqual(result["code"], "UNAVAILABLE", result)

    def test_silence(self):
        """a server that accepts and says nothing is DEADLINE_EXCEEDED"""
        result, _ = self.answer(b"22")
        self.assertEqual(result["code"], "DEADLINE_EXCEEDED", result)

    def test_echoed_password(self):
        """a server that repeats our password in its refusal does not get it into the error"""
        secret = base64.b64encode(b"\0u\0s3cret-word")
        result, server = self.answer(b"220 hi\r\n", b"250-hi\r\n250 AUTH PLAIN\r\n",
                                     b"535 " + secret + b" s3cret-word\r\n",
                                     settings='user = "u"; password = "s3cret-word";')
        self.assertIn(b"AUTH PLAIN " + secret, server.heard[1])
        self.assert_fails(result, "UNAUTHENTICATED", False)
        self.assertNotIn("s3cret-word", json.dumps(result))
        self.assertNotIn(secret.decode(), json.dumps(result))

    def test_injected_plaintext(self):
        """what was sent in the clear behind the STARTTLS answer is not taken as encrypted"""
        server = Scripted(b"220 hi\r\n", b"250 STARTTLS\r\n", b"220 go\r\n250 AUTH PLAIN\r\n")
        result = self.send(self.smtp(server.port, LOGIN))
        self.assert_fails(result, "UNAVAILABLE", True)
        self.assertIn("before TLS", result["message"])
        self.assertNotIn(b"AUTH", b"".join(server.heard))

    def test_lost_answer(self):
        """when the last answer is lost the error warns of a second delivery"""
        result, _ = self.answer(b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n",
                                b"354 go\r\n")
        self.assert_fails(result, "UNAVAILABLE", False)
        self.assertIn("twice", result["hint"])

    def test_multiline(self):
        """a refusal of several lines is told whole, without its control characters"""
        result, _ = self.answer(b"220 hi\r\n", b"250 hi\r\n", b"250 ok\r\n",
                                b"452-too\x1b[31m many\r\n452 mails\r\n", b"250 reset\r\n")
        self.assert_fails(result, "UNAVAILABLE", True)
        self.assertEqual(result["detail"], "452 too?[31m many mails")


if __name__ == "__main__":
    unittest.main()
