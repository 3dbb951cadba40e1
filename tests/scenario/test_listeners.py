"""Where rtd listens: unix sockets beside ports, their files, and what may not be replaced."""

import os
import signal
import socket
import stat
import unittest

from deployment import LIMIT, wait_for
from serving import Mirror, Serving, curl


def unix(words=""):
    """The listener of a socket in the deployment's folder."""
    return lambda made: [f"unix:{made.socket_path()}{words}", f"127.0.0.1:{made.port}"]


def ask(path, target="/origin"):
    return curl("--unix-socket", path, f"http://shop.example{target}").decode()


class UnixSockets(Serving):
    def test_a_unix_socket_serves_beside_a_port_and_its_clients_have_no_address(self):
        made = self.serve(listen=unix())
        self.assertEqual(ask(made.socket_path()), "|http|shop.example")
        self.assertEqual(made.text("/origin"), f"127.0.0.1|http|127.0.0.1:{made.port}")
        self.assertIn(f"unix:{made.socket_path()}", made.log())

    def test_the_file_has_the_mode_that_the_word_says(self):
        for words, mode in (("", 0o660), (" mode=0606", 0o606)):
            made = self.serve(listen=unix(words))
            self.assertEqual(stat.S_IMODE(os.stat(made.socket_path()).st_mode), mode)

    def test_the_file_goes_with_the_server(self):
        made = self.serve(listen=unix())
        self.assertEqual(made.stop(), 0)
        self.assertFalse(os.path.exists(made.socket_path()))

    def test_a_file_that_a_dead_server_left_is_replaced(self):
        made = self.serve(listen=unix(), start=False)
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(made.socket_path())
        self.assertTrue(os.path.exists(made.socket_path()))
        made.start_ready()
        self.assertEqual(ask(made.socket_path()), "|http|shop.example")

    def test_a_server_that_lives_keeps_its_file(self):
        first = self.serve(listen=unix())
        second = self.serve(listen=lambda made: [f"unix:{first.socket_path()}"], start=False)
        second.start()
        self.assertEqual(second.wait(), 69)
        self.assertIn("another server listens there", second.log())
        self.assertEqual(ask(first.socket_path()), "|http|shop.example")

    def test_what_is_no_socket_is_not_replaced(self):
        made = self.serve(listen=unix(), start=False)
        with open(made.socket_path(), "w", encoding="utf-8") as file:
            file.write("precious")
        made.start()
        self.assertEqual(made.wait(), 69)
        self.assertIn("a file that is no socket is there", made.log())
        with open(made.socket_path(), encoding="utf-8") as file:
            self.assertEqual(file.read(), "precious")

    def test_a_file_that_another_server_has_taken_over_stays(self):
        first = self.serve(listen=unix())
        os.rename(first.socket_path(), first.path("moved.sock"))
        second = self.serve(listen=lambda made: [f"unix:{first.socket_path()}"])
        self.assertEqual(first.stop(), 0)
        self.assertEqual(ask(first.socket_path()), "|http|shop.example")
        self.assertEqual(second.stop(), 0)

    def test_a_start_that_fails_leaves_no_file(self):
        busy = self.serve()
        made = self.serve(
            listen=lambda own: [f"unix:{own.socket_path()}", f"127.0.0.1:{busy.port}"],
            start=False)
        made.start()
        self.assertEqual(made.wait(), 69)
        self.assertFalse(os.path.exists(made.socket_path()))


class Words(Serving):
    def test_a_path_of_the_greatest_length_serves(self):
        holder = self.serve(start=False)
        path = os.path.join(holder.folder, "s" * (106 - len(holder.folder)))
        self.assertEqual(len(path), 107)
        self.serve(listen=[f"unix:{path}"])
        self.assertEqual(ask(path), "|http|shop.example")

    def test_words_may_stand_in_any_order_with_any_spaces(self):
        made = self.serve(listen=unix("   proxy_protocol    mode=0600  "))
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(LIMIT)
            peer.connect(made.socket_path())
            peer.sendall(b"PROXY TCP4 192.0.2.7 192.0.2.1 1 80\r\n"
                         b"GET /origin HTTP/1.0\r\nHost: a\r\n\r\n")
            answer = b"".join(iter(lambda: peer.recv(4096), b""))
        self.assertTrue(answer.endswith(b"192.0.2.7|http|a"), answer)


class Reload(Serving):
    def test_other_words_behind_an_address_need_no_other_socket(self):
        made = self.serve()
        made.listen = [f"127.0.0.1:{made.port} proxy_protocol"]
        made.write("")
        made.process.send_signal(signal.SIGHUP)
        request = b"PROXY TCP4 192.0.2.7 192.0.2.1 1 80\r\nGET /origin HTTP/1.0\r\nHost: a\r\n\r\n"
        wait_for(lambda: made.raw(request).endswith(b"192.0.2.7|http|a"), "the new generation")

    def test_the_file_of_a_socket_outlives_a_reload_and_not_the_server(self):
        made = self.serve(listen=unix())
        number = os.stat(made.socket_path()).st_ino
        made.process.send_signal(signal.SIGHUP)
        made.wait_for_log("reload")
        self.assertEqual(ask(made.socket_path()), "|http|shop.example")
        self.assertEqual(os.stat(made.socket_path()).st_ino, number)
        self.assertEqual(made.stop(), 0)
        self.assertFalse(os.path.exists(made.socket_path()))

    def reload(self, made, words):
        made.listen = unix(words)
        made.write("")
        outcome = made.rtctl("reload", "--wait")
        self.assertEqual(outcome.returncode, 0, outcome.stdout)
        return stat.S_IMODE(os.stat(made.socket_path()).st_mode)

    def test_another_mode_is_given_to_the_file_by_the_reload_that_brings_it(self):
        made = self.serve(listen=unix(" mode=0600"))
        number = os.stat(made.socket_path()).st_ino
        self.assertEqual(self.reload(made, " mode=0606"), 0o606)
        self.assertEqual(self.reload(made, ""), 0o660)
        self.assertEqual(os.stat(made.socket_path()).st_ino, number)
        self.assertEqual(ask(made.socket_path()), "|http|shop.example")

    def test_a_mode_that_was_given_by_hand_stays_while_the_words_do(self):
        made = self.serve(listen=unix(" mode=0600"))
        os.chmod(made.socket_path(), 0o640)
        self.assertEqual(self.reload(made, " mode=0600"), 0o640)

    def test_a_file_that_took_the_sockets_place_keeps_its_mode(self):
        made = self.serve(listen=unix(" mode=0600"))
        os.rename(made.socket_path(), made.path("moved.sock"))
        with open(made.path("precious"), "w", encoding="utf-8"):
            os.chmod(made.path("precious"), 0o600)
        os.symlink(made.path("precious"), made.socket_path())
        self.assertEqual(self.reload(made, " mode=0666"), 0o600)


class Judgement(Serving):
    def complaints(self, entry):
        made = Mirror(listen=entry if isinstance(entry, list) else [entry])
        self.addCleanup(made.close)
        outcome = made.rtctl("validate")
        self.assertEqual(outcome.returncode, 1, outcome.stdout)
        return outcome.stdout

    def test_doubtful_entries_are_explained_before_anything_starts(self):
        for entry, words in {
                "127.0.0.1:80 tsl": "did you mean `tls`?",
                "127.0.0.1:80 proxy_protocoll": "did you mean `proxy_protocol`?",
                "127.0.0.1:80 http2": "stand only `tls`, `proxy_protocol` and `mode=`",
                "127.0.0.1:80 tls tls": "`tls` stands twice",
                "127.0.0.1:80 mode=0600": "`mode` is for unix sockets",
                "unix:/tmp/a mode=8": "the mode is not octal",
                "unix:/tmp/a mode=07777": "the mode is not octal",
                "unix:tmp/a": "is absolute",
                "unix:": "is absolute",
                "unix:/" + "a" * 107: "at most 107 bytes",
                "127.0.0.1:80 " + "x" * 100: "stand only",
                "a" * 400 + ":80": "it is too long",
                "127.0.0.1 tls": "it has no `:port`"}.items():
            with self.subTest(entry=entry):
                self.assertIn(words, self.complaints(entry))

    def test_the_admin_listener_takes_no_words_that_it_does_not_serve(self):
        made = Mirror()
        self.addCleanup(made.close)
        for words, expected in ((" tls", 1), (" proxy_protocol", 1), ("", 0)):
            outcome = made.rtctl("validate", "--set", f'admin.listen=["127.0.0.1:81{words}"]')
            self.assertEqual(outcome.returncode, expected, outcome.stdout)
            self.assertEqual("this listener speaks plain HTTP" in outcome.stdout, bool(expected))

    def test_an_address_stands_once_whatever_words_follow(self):
        self.assertIn("error[RT0408]", self.complaints(["127.0.0.1:81", "127.0.0.1:81 tls"]))
        self.assertIn("error[RT0408]", self.complaints(["unix:/tmp/a", "unix:/tmp/a mode=0600"]))

    def test_a_unix_socket_is_local_in_development(self):
        made = Mirror(listen=["unix:/tmp/rt-never.sock"])
        self.addCleanup(made.close)
        self.assertEqual(made.rtctl("validate").returncode, 0)


if __name__ == "__main__":
    unittest.main()
