"""PostgreSQL in a temporary folder."""

import atexit
import glob
import os
import shutil
import signal
import subprocess

from .certificates import Authority
from .processes import LIMIT, Server, program, read, write

PACKAGE = "postgresql"
USER = DATABASE = "postgres"
# A process that is killed loses nothing that it wrote, and no test pulls the plug; what a commit
# wrote must have been written, though: synchronous_commit stays on.
SETTINGS = {
    "fsync": "off", "full_page_writes": "off", "shared_buffers": "32MB", "max_wal_size": "256MB",
    "listen_addresses": "127.0.0.1", "dynamic_shared_memory_type": "mmap", "log_timezone": "UTC",
}


class Template:
    """A data folder as initdb makes it, made once a process and copied for each server."""

    folder = None

    @classmethod
    def get(cls, server):
        if not cls.folder:
            cls.folder = server.folder + ".template"
            os.mkdir(cls.folder, 0o700)
            server.own(cls.folder)
            atexit.register(shutil.rmtree, cls.folder, ignore_errors=True)
            server.run(server.program("initdb"), "-D", cls.folder, "-U", USER, "-A", "trust", "-E",
                       "UTF8", "--locale=C.UTF-8", "--no-sync", "--no-instructions")
        return cls.folder


def newest(folders):
    return sorted(folders, key=lambda path: [int(part) for part in path.split("/")[4].split(".")],
                  reverse=True)


class Postgres(Server):
    """`password`: SCRAM for all, else trust. `tls`: True, or a Certificate of an Authority; other
    connections than TLS are refused then, but for the unix socket. `settings`: of postgresql.conf.
    `hba`: lines of pg_hba.conf in place of ours. `preload`: a library for LD_PRELOAD."""

    NAME = "postgres"
    ACCOUNT = "postgres"
    DEATH = signal.SIGQUIT  # its immediate shutdown, which takes the other processes along
    END = signal.SIGINT

    def __init__(self, password=None, tls=False, settings=None, hba=None, port=None, preload=None):
        super().__init__(port)
        self.password, self.preload = password, preload
        self.settings = {**SETTINGS, **(settings or {})}
        self.data, self.socket_folder = self.path("d"), self.path("s")
        self.authority = Authority() if tls is True else None
        self.certificate = self.authority.issue() if self.authority else tls or None
        self.lines = hba or self.access()
        try:
            self.prepare()
        except BaseException:
            self.close()
            raise

    def program(self, name):
        return program(name, PACKAGE, newest(glob.glob("/usr/lib/postgresql/*/bin")))

    def access(self):
        method = "scram-sha-256" if self.password else "trust"
        host = "hostssl" if self.certificate else "host"
        return [f"local all all {method}", f"{host} all all 127.0.0.1/32 {method}"]

    def prepare(self):
        os.mkdir(self.socket_folder)
        self.own(self.socket_folder)
        template = Template.get(self)
        self.run("cp", "-a", "--reflink=auto", template, self.data, owner=False)
        self.write("pg_hba.conf", "".join(f"{line}\n" for line in self.lines))
        if self.certificate:
            for name, path in (("server.pem", self.certificate.certificate),
                               ("server.key", self.certificate.key),
                               ("ca.pem", self.certificate.authority)):
                self.write(name, read(path))
            self.settings = {"ssl": "on", "ssl_cert_file": "server.pem", "ssl_key_file": "server.key",
                             "ssl_ca_file": "ca.pem", **self.settings}
        if self.password:
            self.single(f"ALTER ROLE {USER} PASSWORD '{quoted(self.password)}'")

    def write(self, name, text):
        self.own(write(os.path.join(self.data, name), text, 0o600))

    def single(self, statement):
        """Runs a statement while the server does not."""
        self.run(self.program("postgres"), "--single", "-D", self.data, DATABASE, stdin=None,
                 input=statement + "\n")

    def environment(self):
        return {**super().environment(), **({"LD_PRELOAD": self.preload} if self.preload else {})}

    def command(self):
        settings = {**self.settings, "unix_socket_directories": self.socket_folder,
                    "port": self.port}
        options = [f"--{name}={value}" for name, value in settings.items()]
        return [self.program("postgres"), "-D", self.data, *options]

    def pid_file(self):
        return read(os.path.join(self.data, "postmaster.pid")).split("\n")

    def ready(self):
        lines = self.pid_file()
        return len(lines) > 7 and lines[0] == str(self.child.pid) and lines[7].strip() == "ready"

    def kill(self):
        lines = self.pid_file()
        super().kill()
        if len(lines) > 6 and lines[6].split():  # else its lock outlives it: key and id
            subprocess.run(["ipcrm", "-m", lines[6].split()[1]], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        super().close()
        if self.authority:
            self.authority.close()

    @property
    def ca(self):
        """Path of the certificate that its own is checked by."""
        return self.certificate.authority

    @property
    def url(self):
        """Without the password, which belongs into a setting of its own."""
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{DATABASE}"

    @property
    def socket_url(self):
        return f"postgresql:///{DATABASE}?host={self.socket_folder}&port={self.port}&user={USER}"

    def client_environment(self):
        """What psql, pgbench and libpq need to reach it by its unix socket."""
        found = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return {**found, "PGHOST": self.socket_folder, "PGPORT": str(self.port), "PGUSER": USER,
                "PGDATABASE": DATABASE, "PGPASSWORD": self.password or "", "LC_ALL": "C.UTF-8",
                "PGCONNECT_TIMEOUT": "20"}

    def psql(self, text):
        """Rows as lines with `|` between columns; an error raises."""
        return self.run(self.program("psql"), "-XqAt", "-v", "ON_ERROR_STOP=1", "-f", "-",
                        owner=False, env=self.client_environment(), stdin=None, input=text).strip()

    def client(self, name, *arguments, timeout=LIMIT, **options):
        """Starts another of its client programs, such as pgbench."""
        return subprocess.run([self.program(name), *arguments], env=self.client_environment(),
                              text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=timeout, check=False, **options)


def quoted(text):
    return text.replace("'", "''")
