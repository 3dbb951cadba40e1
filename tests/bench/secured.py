"""CPU time a request over TLS and HTTP/2: rt beside nginx and h2o, one worker each, pinned, kept
connections, the same certificate and cipher. Called with `tls` or `h2`."""

import contextlib
import os
import subprocess
import sys
import tempfile

from common import CLIENT_CORE, NGINX, SERVER_CORE, cpu_seconds, free_port, quartiles, spread, verdict
from common import RTD, stop, wait_for_answer

ROUNDS = 9
REQUESTS = 20_000
BODY = '{"message":"hello"}'
RTD_CONF = """environment = "production";
allow_root = true;
workers = 1;
acknowledge = [ "email-memory" ];
http: {{ listen = [ "127.0.0.1:{plain}", "127.0.0.1:{secured} tls" ];
         tls: {{ certificate = "cert.pem"; key = "key.pem"; }};
         access_log: {{ format = "off"; }}; }};
admin: {{ listen = []; }};
log: {{ level = "warn"; }};
"""
NGINX_CONF = """worker_processes 1;
daemon off;
pid nginx.pid;
error_log stderr crit;
events {{ worker_connections 1024; }}
http {{
    access_log off;
    keepalive_requests 100000000;
    http2_max_requests 100000000;
    ssl_certificate cert.pem;
    ssl_certificate_key key.pem;
    ssl_protocols TLSv1.3;
    default_type application/json;
    server {{
        listen 127.0.0.1:{plain};
        listen 127.0.0.1:{secured} ssl http2;
        location = /hello {{ return 200 '{body}'; }}
    }}
    server {{
        listen 127.0.0.1:{known} http2;
        location = /hello {{ return 200 '{body}'; }}
    }}
}}
"""
H2O_CONF = """num-threads: 1
listen: {{host: 127.0.0.1, port: {plain}}}
listen: {{host: 127.0.0.1, port: {secured}, ssl: {{certificate-file: cert.pem, key-file: key.pem, ocsp-update-interval: 0}}}}
hosts: {{default: {{paths: {{/: {{file.dir: documents}}}}}}}}
"""


class Peer:
    def __init__(self, name, text, command):
        self.name, self.text, self.command = name, text, command
        self.ports = {}  # plain, secured, known

    def url(self, secured):
        if secured:
            return f"https://127.0.0.1:{self.ports['secured']}/hello"
        # nginx speaks HTTP/2 without TLS on a port of its own.
        return f"http://127.0.0.1:{self.ports['known' if self.name == 'nginx' else 'plain']}/hello"


def prepare(folder, peer):
    subprocess.run(["openssl", "req", "-x509", "-nodes", "-days", "9", "-subj", "/CN=bench", "-newkey", "ec",
                    "-pkeyopt", "ec_paramgen_curve:P-256", "-keyout", f"{folder}/key.pem", "-out",
                    f"{folder}/cert.pem"], check=True, capture_output=True)
    os.chmod(f"{folder}/key.pem", 0o600)
    os.mkdir(f"{folder}/documents")
    with open(f"{folder}/documents/hello", "w", encoding="utf-8") as file:
        file.write(BODY)
    users = {"nginx": "user root;\n", "h2o": "user: root\n"} if os.getuid() == 0 else {}  # as rtd does here
    with open(f"{folder}/peer.conf", "w", encoding="utf-8") as file:
        file.write(users.get(peer.name, "") + peer.text.format(body=BODY, **peer.ports))


@contextlib.contextmanager
def running(peer):
    with tempfile.TemporaryDirectory() as folder:
        prepare(folder, peer)
        child = subprocess.Popen([word.format(folder=folder) for word in peer.command], cwd=folder,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                 preexec_fn=lambda: os.sched_setaffinity(0, SERVER_CORE))
        try:
            wait_for_answer(peer.ports["plain"], child)
            yield child
        finally:
            stop(child, ())
            child.wait(60)


def cost(child, peer, secured, options):
    before = cpu_seconds(child.pid)
    done = subprocess.run(["h2load", "-n", str(REQUESTS), "-c", "32", "-t", "1", *options, peer.url(secured)],
                          check=True, text=True, stdout=subprocess.PIPE, timeout=600,
                          preexec_fn=lambda: os.sched_setaffinity(0, CLIENT_CORE))
    if f"{REQUESTS} succeeded" not in done.stdout:
        sys.exit(f"not every request was answered:\n{done.stdout}")
    return (cpu_seconds(child.pid) - before) / REQUESTS


def compare(children, what, secured, options, limit_of):
    costs = {peer.name: [] for peer in children}
    for turn in range(ROUNDS + 1):
        for peer, child in children.items():
            seconds = cost(child, peer, secured, options)
            if turn:  # the first warms up
                costs[peer.name].append(seconds)
    print(f"{what}, {len(BODY)} bytes, 32 kept connections, {ROUNDS} interleaved rounds of {REQUESTS} requests; "
          "median [quartiles]")
    for name, values in costs.items():
        print(f"  {name:6} {spread(values, 'µs a request', 1e6)}")
    lowest = min(limit_of, key=lambda name: quartiles(costs[name])[1])
    ratios = [a / b for a, b in zip(costs["rt"], costs[lowest])]
    verdict(f"CPU a request, {what}", quartiles(ratios)[1], 1.0, f"of {lowest}")


def main():
    peers = [Peer("rt", RTD_CONF, [RTD, "--config", "{folder}/peer.conf"]),
             Peer("nginx", NGINX_CONF, [NGINX, "-p", "{folder}", "-c", "{folder}/peer.conf"]),
             Peer("h2o", H2O_CONF, ["/usr/bin/h2o", "-c", "peer.conf"])]
    with contextlib.ExitStack() as stack:
        children = {}
        for peer in peers:
            base = free_port()
            peer.ports = {"plain": base, "secured": base + 1, "known": base + 2}
            children[peer] = stack.enter_context(running(peer))
        if sys.argv[1] == "tls":
            compare(children, "HTTP/1.1 over TLS 1.3", True, ["--h1"], ["nginx"])
        else:
            compare(children, "HTTP/2, 1 stream", False, ["-m", "1"], ["nginx", "h2o"])
            compare(children, "HTTP/2, 10 streams", False, ["-m", "10"], ["nginx", "h2o"])
            compare(children, "HTTP/2 over TLS, 10 streams", True, ["-m", "10"], ["nginx", "h2o"])


if __name__ == "__main__":
    main()
