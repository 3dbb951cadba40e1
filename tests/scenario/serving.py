"""rtd with the plugin `mirror`, its `http` settings as a test wants them, and raw requests to it."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import unittest

from deployment import LIMIT, Deployment, deployment_of


class Serving(unittest.TestCase):
    """Each test starts what it needs by `serve`; all of it ends with the test."""

    def serve(self, http="", listen=None, config="", start=True, arguments=(), **options):
        made = self.enterContext(deployment_of(Mirror(http, listen, config)))
        if start:
            made.start_ready(*arguments, **options)
        return made

    def enterContext(self, manager):  # unittest has it from Python 3.11 on
        value = manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)
        return value

    def program(self, name):
        path = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
        self.assertIsNotNone(path, f"{name} is not installed (scripts/setup test)")
        return path


class Mirror(Deployment):
    def __init__(self, http="", listen=None, config=""):
        self.http = http
        self.listen = listen
        super().__init__(["mirror"], config)

    def socket_path(self, name="http.sock"):
        return self.path(name)

    def write(self, config):
        listen = self.listen(self) if callable(self.listen) else self.listen
        entries = ", ".join(f'"{entry}"' for entry in listen or [f"127.0.0.1:{self.port}"])
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(f'plugins = ["plugins"];\n'
                       f'http: {{ listen = [{entries}]; {self.http} }};\n{config}')

    def request(self, path, headers=None, method="GET", body=None):
        """(status, headers, body as bytes), undecoded; `headers` may be pairs."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        with contextlib.closing(connection):
            pairs = list(headers.items() if isinstance(headers, dict) else headers or ())
            named = any(name.lower() == "host" for name, _ in pairs)
            connection.putrequest(method, path, skip_host=named, skip_accept_encoding=True)
            for name, value in pairs:
                connection.putheader(name, value)
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()

    def text(self, path, headers=None):
        return self.request(path, headers)[2].decode()

    def raw(self, data, until_end=True):
        """What comes back until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.port), LIMIT) as peer:
            peer.sendall(data)
            received = b""
            while until_end:
                try:
                    piece = peer.recv(65536)
                except ConnectionResetError:
                    break
                if not piece:
                    break
                received += piece
            return received


def curl(*arguments):
    return subprocess.run(["curl", "--silent", "--show-error", "--max-time", str(int(LIMIT)),
                           *arguments], check=True, stdout=subprocess.PIPE,
                          env={"PATH": os.environ["PATH"]}).stdout
