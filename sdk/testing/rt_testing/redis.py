"""Redis and its Sentinel in temporary folders."""

import json
import os
import subprocess

from .certificates import Authority
from .processes import LIMIT, Server, program, read, write

PACKAGE = "redis-server"
# Written before it is answered. The default, `everysec`, puts writing off while it syncs.
DURABLE = {"appendonly": "yes", "appendfsync": "no"}


class Redis(Server):
    """`password`: of the user `default`. `acl`: lines of an ACL file, such as
    `user ann on >secret ~* +@all`. `tls`: True, or a Certificate of an Authority; its port then
    speaks TLS alone, and `clients` says whether they need certificates: no, optional or yes.
    `durable`: what was answered outlives `kill`. `settings`: of redis.conf, values as it has them; a
    list gives several lines."""

    NAME = "redis"

    def __init__(self, password=None, acl=None, tls=False, clients="no", durable=False, settings=None,
                 port=None):
        super().__init__(port)
        self.password, self.acl, self.clients = password, acl, clients
        self.settings = {**(DURABLE if durable else {}), **(settings or {})}
        self.socket = self.path("s")
        self.authority = Authority() if tls is True else None
        self.certificate = self.authority.issue() if self.authority else tls or None
        self.client_certificate = self.authority.issue("client") if self.authority else None
        if acl:
            write(self.path("acl"), "".join(f"{line}\n" for line in acl), 0o600)

    def lines(self):
        """Of its configuration: names and values."""
        given = {"bind": "127.0.0.1", "dir": self.folder, "unixsocket": self.socket, "save": '""',
                 "unixsocketperm": "777", "daemonize": "no", "port": self.port, **self.settings}
        if self.certificate:
            given |= {"port": 0, "tls-port": self.port, "tls-auth-clients": self.clients,
                      "tls-cert-file": self.certificate.certificate,
                      "tls-key-file": self.certificate.key,
                      "tls-ca-cert-file": self.certificate.authority}
        if self.acl:
            given["aclfile"] = self.path("acl")
        if self.password:
            given |= {"requirepass": quoted(self.password), "masterauth": quoted(self.password)}
        for name, value in given.items():
            for each in value if isinstance(value, list) else [value]:
                yield name, str(each)

    def configure(self):
        text = "".join(f"{name} {value}\n" for name, value in self.lines())
        return write(self.path("redis.conf"), text, 0o600)

    def command(self):
        return [program("redis-server", PACKAGE), self.configure()]

    def ready(self):
        return "Ready to accept connections" in self.recent_log

    def close(self):
        super().close()
        if self.authority:
            self.authority.close()

    @property
    def ca(self):
        return self.certificate.authority

    @property
    def url(self):
        """Without a password, which belongs into a setting of its own."""
        return f"redis{'s' if self.certificate else ''}://127.0.0.1:{self.port}"

    def cli(self, *words, user=None, password=None, timeout=LIMIT):
        """One command over its unix socket; an array's elements are lines, an error reply raises."""
        secret = password or self.password
        found = {**os.environ, **({"REDISCLI_AUTH": secret} if secret else {})}
        who = ["--user", user] if user else []
        done = subprocess.run([program("redis-cli", "redis-tools"), "-e", "-s", self.socket, *who,
                               *(str(word) for word in words)], env=found, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=timeout, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"redis-cli {words[0]}: {done.stdout.strip()}")
        return done.stdout.removesuffix("\n")


class Sentinel(Server):
    """Watches masters, {name: Redis}; a failover begins after `down` milliseconds of silence."""

    NAME = "sentinel"

    def __init__(self, masters, quorum=1, down=500, port=None):
        super().__init__(port)
        self.masters, self.quorum, self.down = masters, quorum, down

    def command(self):
        path = self.path("sentinel.conf")
        if not read(path):  # from its first start on it keeps what it knows there
            write(path, "".join(f"{line}\n" for line in self.lines()), 0o600)
        return [program("redis-server", PACKAGE), path, "--sentinel"]

    def lines(self):
        yield from (f"port {self.port}", "bind 127.0.0.1", f"dir {self.folder}", "daemonize no")
        for name, master in self.masters.items():
            yield f"sentinel monitor {name} 127.0.0.1 {master.port} {self.quorum}"
            yield f"sentinel down-after-milliseconds {name} {self.down}"
            yield f"sentinel failover-timeout {name} {10 * self.down}"
            if master.password:
                yield f"sentinel auth-pass {name} {quoted(master.password)}"

    def ready(self):
        return "Sentinel ID is" in self.recent_log or "+monitor master" in self.recent_log

    def cli(self, *words):
        done = subprocess.run([program("redis-cli", "redis-tools"), "-e", "-p", str(self.port),
                               *(str(word) for word in words)], text=True, timeout=LIMIT,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, check=True)
        return done.stdout.removesuffix("\n")

    def master(self, name):
        """The port that it tells clients."""
        return int(self.cli("SENTINEL", "get-master-addr-by-name", name).split("\n")[1])


def quoted(text):
    """As redis.conf has a word: within double quotes, with JSON's escapes."""
    return json.dumps(text, ensure_ascii=False)
