"""WebSockets through the real rtd, with clients that others wrote."""

import json
import os
import signal
import socket
import subprocess
import unittest

from deployment import deployment

PEERS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "peers")
PATIENCE = 120  # seconds
CONFIG = 'streams: { folder = "."; };\ndrain_timeout = "10 s";\n'
CLIENTS = {"ws": ["node", os.path.join(PEERS, "websocket_client.mjs")],
           # Debian's own, which its package of the library is for.
           "websockets": ["/usr/bin/python3", "-B", os.path.join(PEERS, "websocket_client.py")]}


def start(client, made, path, *more):
    return subprocess.Popen([*CLIENTS[client], f"ws://127.0.0.1:{made.port}{path}", *more],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finish(process):
    output, errors = process.communicate(timeout=PATIENCE)
    if process.returncode:
        raise AssertionError(errors)
    return json.loads(output.splitlines()[-1])


class Peers(unittest.TestCase):
    def talk(self, client):
        with deployment(("streams",), CONFIG) as made:
            made.start_ready()
            report = finish(start(client, made, "/echo"))
            for result in report["results"]:
                self.assertEqual(result["equal"], report["expected"], result)
                self.assertIn(result["joined"], ("éü", "éüx"))
                self.assertEqual(result["code"], 4001)
                self.assertEqual(result["protocol"], "echo")
            self.assertEqual(made.stop(), 0)
            return report

    def test_ws_of_node_exchanges_messages_of_all_sizes_and_kinds(self):
        report = self.talk("ws")
        self.assertEqual(report["equal"], 20 * report["expected"])
        extensions = [result["extensions"] for result in report["results"]]
        self.assertEqual(extensions, ["", *["permessage-deflate"] * 3])

    def test_websockets_of_python_exchanges_messages_of_all_sizes_and_kinds(self):
        self.talk("websockets")


class Handshakes(unittest.TestCase):
    def shake(self, made, *fields):
        """The head of the answer."""
        lines = ["GET /echo HTTP/1.1", "Host: inner.test", "Upgrade: websocket", "Connection: Upgrade",
                 "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", *fields]
        with socket.create_connection(("127.0.0.1", made.port), PATIENCE) as peer:
            peer.sendall("\r\n".join((*lines, "", "")).encode())
            with peer.makefile("rb") as file:
                return b"".join(iter(file.readline, b"\r\n")).decode()

    def test_a_page_of_the_host_that_a_trusted_proxy_names_may_open_one(self):
        fields = ("Origin: https://shop.example", "X-Forwarded-For: 192.0.2.1",
                  "X-Forwarded-Proto: https", "X-Forwarded-Host: shop.example")
        for trusted, status in ((("--set", 'http.trusted_proxies=["127.0.0.1"]'), "101"), ((), "403")):
            with deployment(("streams",), CONFIG) as made:
                made.start_ready(*trusted)
                self.assertEqual(self.shake(made, *fields).split()[1], status)
                self.assertEqual(self.shake(made, "Origin: https://inner.test").split()[1], "101")
                self.assertEqual(made.stop(), 0)

    def test_the_answer_that_opens_one_has_the_lines_of_every_answer(self):
        with deployment(("streams",), CONFIG) as made:
            made.start_ready("--set", 'http.cors.origins=["http://inner.test"]')
            head = self.shake(made, "Origin: http://inner.test")
            self.assertTrue(head.startswith("HTTP/1.1 101 "), head)
            for line in ("X-Content-Type-Options: nosniff", "Vary: Origin",
                         "Access-Control-Allow-Origin: http://inner.test"):
                self.assertEqual(head.count(f"\r\n{line}\r\n"), 1, head)
            self.assertEqual(made.stop(), 0)


class Ends(unittest.TestCase):
    def test_a_stop_closes_with_1001(self):
        with deployment(("streams",), CONFIG) as made:
            made.start_ready()
            client = start("websockets", made, "/echo", "wait")
            self.assertEqual(client.stdout.readline(), "open\n")
            made.process.send_signal(signal.SIGTERM)
            self.assertEqual(finish(client), {"code": 1001})
            self.assertEqual(made.wait(), 0)

    def test_a_defect_closes_with_1011_and_is_logged(self):
        with deployment(("streams",), CONFIG) as made:
            made.start_ready()
            client = start("websockets", made, "/die", "wait")
            self.assertEqual(finish(client), {"code": 1011})
            made.wait_for_log("an invariant is broken")
            self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
