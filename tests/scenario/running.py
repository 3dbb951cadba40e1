"""A real rtd on a temporary configuration, and the peers beside it, for scenario tests."""

import contextlib
import http.client
import json
import os
import socket
import subprocess
import tempfile

from deployment import free_port, wait_for

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PREFIX = os.environ["RT_PREFIX"]
PROBES = os.path.join(os.environ["RT_BUILD"], "tests", "conformance")
PATIENCE = 30  # seconds


def accepts(port):
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False


class Process:
    """A program of its own that is stopped by its id; its output goes to a file."""

    def __init__(self, command, folder, name, environment=None):
        self.log_path = os.path.join(folder, name + ".log")
        with open(self.log_path, "ab") as log:
            self.child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log,
                                          stderr=subprocess.STDOUT, env=environment)

    @property
    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def wait_until_ready(self, condition):
        def ready():
            if self.child.poll() is not None:
                raise AssertionError(f"it ended with {self.child.returncode}:\n{self.log}")
            return condition()
        wait_for(ready, self.log_path)

    def stop(self):
        if self.child.poll() is None:
            self.child.terminate()
        try:
            return self.child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
            raise AssertionError(f"it did not stop:\n{self.log}") from None


class Runtime(Process):
    """rtd serving `roots`, with further lines of configuration, and some for the group `http`."""

    def __init__(self, folder, roots, extra="", environment="development", http=""):
        self.port = free_port()
        path = os.path.join(folder, f"runtime-{self.port}.conf")
        quoted = ", ".join(f'"{root}"' for root in roots)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f'environment = "{environment}";\n'
                       f'plugins = [ "{PREFIX}/lib/rt/plugins", "{PROBES}" ];\n'
                       f'load = [ {quoted} ];\n'
                       f'http: {{ listen = [ "127.0.0.1:{self.port}" ]; {http} }};\n'
                       f'admin: {{ listen = []; }};\n'
                       f'{extra}\n')
        super().__init__([f"{PREFIX}/bin/rtd", "--config", path], folder, f"rtd-{self.port}")
        self.wait_until_ready(lambda: accepts(self.port))

    def request(self, method, path, body=None, headers=None, timeout=90):
        """(status, headers, body)"""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def get(self, path):
        status, _, body = self.request("GET", path)
        return status, json.loads(body)


class SmtpPeer(Process):
    """A server that others wrote; tests/peers/smtp.mjs says what it refuses."""

    def __init__(self, folder, mode, certificates):
        self.folder = tempfile.mkdtemp(dir=folder)
        for name in ("key.pem", "cert.pem"):
            os.symlink(os.path.join(certificates, name), os.path.join(self.folder, name))
        self.port = free_port()
        script = os.path.join(TOP, "tests", "peers", "smtp.mjs")
        super().__init__(["node", script, self.folder, str(self.port), mode], self.folder, "smtp")
        self.wait_until_ready(lambda: "ready" in self.log)

    def lines(self, name):
        path = os.path.join(self.folder, name)
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file.read().splitlines()]

    def mails(self):
        return self.lines("mail.jsonl")

    def connections(self):
        """How many have been opened."""
        return len(self.lines("connections.log"))


def make_certificates(folder, host="127.0.0.1"):
    """A self-signed key.pem and cert.pem for the address."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
                    "-keyout", f"{folder}/key.pem", "-out", f"{folder}/cert.pem",
                    "-subj", "/CN=peer", "-addext", f"subjectAltName=IP:{host},DNS:localhost"],
                   check=True, capture_output=True)
    return folder
