"""Proxies that others wrote, in front of one server, and what they say that they forwarded.

Each is a program in a folder of its own on free ports. `lines()` is its access log: one Line for each
request, with the number that the recorder behind it put into the answer, if there was one.
"""

import contextlib
import os
import shutil
import socket
import subprocess
import time
import typing
import urllib.request
from urllib.parse import unquote_to_bytes

WAIT = "1000ms"  # how long a proxy waits for the rest of a request
PATIENCE = 60  # seconds


class Line(typing.NamedTuple):
    client: str     # its address
    sequence: str   # of the recorder; empty without an answer of it
    method: str
    host: bytes
    length: str     # of the body, where the proxy knows it
    target: bytes


def accepts(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Proxy:
    """`ports` are its listeners, each another way to forward."""

    name = program = None
    ways = ()

    def __init__(self, folder, backend, free_port):
        self.folder, self.backend = folder, backend
        self.ports = {way: free_port() for way in self.ways}
        self.log_path = os.path.join(folder, "access.log")
        self.children = []
        os.mkdir(folder)
        self.configure()

    @classmethod
    def is_installed(cls):
        return shutil.which(cls.program, path=os.environ.get("PATH", "") + ":/usr/sbin") is not None

    def write(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run(self, command, output):
        with open(os.path.join(self.folder, output), "ab") as log:
            child = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log,
                                     stderr=log if output != "access.log" else subprocess.DEVNULL,
                                     env={**os.environ, "PATH": os.environ["PATH"] + ":/usr/sbin"})
        self.children.append(child)
        return child

    def start(self):
        child = self.run(self.command(), self.output)
        end = time.monotonic() + PATIENCE
        while not all(accepts(port) for port in self.ports.values()):
            if child.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"{self.name} does not start:\n{self.read(self.output)}")
            time.sleep(0.01)

    output = "output"

    def read(self, name):
        with open(os.path.join(self.folder, name), "rb") as file:
            return file.read().decode("utf-8", "backslashreplace")

    def stop(self):
        for child in reversed(self.children):
            child.terminate()
        for child in self.children:
            try:
                child.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                raise

    def lines(self):
        """Those of clients, in the order in which they were written."""
        with open(self.log_path, "rb") as file:
            text = file.read()
        return [line for line in map(self.parse, text.splitlines()) if line]

    def parse(self, line):
        parts = line.split(b"|", 5)
        if len(parts) != 6:
            return None
        client, sequence, method, host, length, target = parts
        return Line(client.decode(), sequence.decode().strip("-"), method.decode("latin-1"),
                    self.unescape(host).removeprefix(b"-"), length.decode().strip("-"), self.unescape(target))

    @staticmethod
    def unescape(text):
        return text


def decode_escapes(text, mark):
    """`MARK` and two hexadecimal digits to the byte."""
    return unquote_to_bytes(text.replace(b"%", b"%25").replace(mark, b"%"))


NGINX = """
daemon off; master_process off; worker_processes 1; pid nginx.pid; error_log error.log;
{user}
events {{ worker_connections 1024; }}
http {{
    client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi; scgi_temp_path scgi;
    log_format seen '$remote_addr|$upstream_http_x_sequence|$request_method|$host|$content_length|$request_uri';
    access_log access.log seen;
    client_header_timeout {wait}; client_body_timeout {wait}; keepalive_timeout {wait};
    lingering_timeout {wait}; lingering_time {wait};
    large_client_header_buffers 4 32k; client_max_body_size 2m;
    underscores_in_headers on; ignore_invalid_headers off;
    upstream backend {{ server 127.0.0.1:{backend}; keepalive 4; }}
    proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host;
    proxy_next_upstream off; merge_slashes off;
    server {{ listen 127.0.0.1:{buffered}; location / {{ proxy_pass http://backend; }} }}
    server {{ listen 127.0.0.1:{streamed}; location / {{
        proxy_request_buffering off; proxy_buffering off; proxy_pass http://backend; }} }}
}}
"""


class Nginx(Proxy):
    name = program = "nginx"
    ways = ("buffered", "streamed")

    def configure(self):
        user = "user root;" if os.getuid() == 0 else ""
        self.write("nginx.conf", NGINX.format(user=user, wait=WAIT, backend=self.backend, **self.ports))

    def command(self):
        return ["nginx", "-p", self.folder, "-e", os.path.join(self.folder, "error.log"), "-c",
                os.path.join(self.folder, "nginx.conf")]

    @staticmethod
    def unescape(text):
        return decode_escapes(text, b"\\x")


HAPROXY = """
global
    log stdout len 32768 format raw local0
    nbthread 1
    tune.bufsize 32768
    tune.http.logurilen 16384
    maxconn 500
defaults
    mode http
    log global
    option http-keep-alive
    http-reuse always
    retries 0
    timeout connect 5s
    timeout server 5s
    timeout client {wait}
    timeout http-request {wait}
    timeout http-keep-alive {wait}
    log-format "%ci|%[var(txn.sequence)]|%HM|%[var(txn.host)]|%[var(txn.length)]|%HU"
frontend streamed
    bind 127.0.0.1:{streamed}
    http-request set-var(txn.host) req.hdr(host)
    http-response set-var(txn.sequence) res.hdr(x-sequence)
    default_backend recorder
frontend buffered
    bind 127.0.0.1:{buffered}
    http-request set-var(txn.host) req.hdr(host)
    http-request wait-for-body time {wait}
    http-request set-var(txn.length) req.body_len
    http-response set-var(txn.sequence) res.hdr(x-sequence)
    default_backend recorder
backend recorder
    server recorder 127.0.0.1:{backend}
"""


class Haproxy(Proxy):
    name = program = "haproxy"
    ways = ("buffered", "streamed")
    output = "access.log"

    def configure(self):
        self.write("haproxy.cfg", HAPROXY.format(wait=WAIT, backend=self.backend, **self.ports))

    def command(self):
        return ["haproxy", "-db", "-f", os.path.join(self.folder, "haproxy.cfg")]

    @staticmethod
    def unescape(text):
        return decode_escapes(text, b"#")


# Without cache_req_body, Varnish 7.1 ends a body that turns out to be malformed as if it were whole.
VARNISH = """
vcl 4.1;
import std;
backend default {{ .host = "127.0.0.1"; .port = "{backend}"; }}
sub vcl_recv {{ std.cache_req_body(2MB); return (pass); }}
"""


class Varnish(Proxy):
    name, program = "varnish", "varnishd"
    ways = ("piped",)

    def configure(self):
        self.write("default.vcl", VARNISH.format(backend=self.backend))

    def command(self):
        wait = int(WAIT.removesuffix("ms")) / 1000
        return ["varnishd", "-F", "-n", os.path.join(self.folder, "work"), "-a",
                f"127.0.0.1:{self.ports['piped']}", "-f", os.path.join(self.folder, "default.vcl"),
                "-s", "malloc,16m", "-j", "none", "-p", f"timeout_idle={wait}",
                "-p", f"timeout_linger={wait}", "-p", "http_req_hdr_len=20k",
                "-p", "http_req_size=40k", "-p", "workspace_client=128k", "-p", "workspace_backend=128k",
                "-p", "vsl_reclen=16000b", "-p", "thread_pool_min=20", "-p", "thread_pools=1"]

    def start(self):
        super().start()
        form = "%{VSL:ReqStart[1]}x|%{X-Sequence}o|%m|%{Host}i||%U%q"
        self.run(["varnishncsa", "-n", os.path.join(self.folder, "work"), "-F", form], "access.log")
        end = time.monotonic() + PATIENCE
        while not self.lines() and time.monotonic() < end:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"http://127.0.0.1:{self.ports['piped']}/log", timeout=5).close()
            time.sleep(0.01)


ALL = (Nginx, Haproxy, Varnish)
