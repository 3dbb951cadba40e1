"""A certificate authority for one test, made by openssl."""

import os
import shutil
import subprocess
import tempfile

from .processes import program, write

# `openssl ca` is the only command of OpenSSL 3.0 that takes dates.
CONFIG = """
[ca]
default_ca = here
[here]
database = {folder}/index.txt
serial = {folder}/serial
new_certs_dir = {folder}
certificate = {folder}/ca.pem
private_key = {folder}/ca.key
default_md = sha256
policy = any
unique_subject = no
[any]
commonName = supplied
[extensions]
subjectAltName = {names}
"""
DATES = {False: ("20200101000000Z", "20491231000000Z"), True: ("20200101000000Z", "20200201000000Z")}


class Certificate:
    """Paths of a certificate, its key, and the authority's certificate that it is checked by."""

    def __init__(self, certificate, key, authority):
        self.certificate, self.key, self.authority = certificate, key, authority


class Authority:
    """Issues certificates for `names`, as subjectAltName has them, until it is closed."""

    def __init__(self, name="test authority"):
        self.folder = tempfile.mkdtemp(prefix="rt-ca-")
        self.openssl = program("openssl", "openssl")
        self.count = 0
        write(self.path("index.txt"), "")
        write(self.path("serial"), "1000\n")
        self.request(name, self.path("ca.key"), self.path("ca.pem"), "-x509", "-days", "7300")
        self.certificate = self.path("ca.pem")

    def path(self, name):
        return os.path.join(self.folder, name)

    def run(self, *arguments):
        done = subprocess.run([self.openssl, *arguments], stdin=subprocess.DEVNULL, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"openssl {arguments[0]}: {done.stdout}")

    def request(self, name, key, out, *more):
        self.run("req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                 "-subj", f"/CN={name}", "-keyout", key, "-out", out, *more)
        os.chmod(key, 0o600)

    def issue(self, name="server", names="IP:127.0.0.1,DNS:localhost", expired=False):
        self.count += 1
        key, certificate = self.path(f"{self.count}.key"), self.path(f"{self.count}.pem")
        config = write(self.path("config"), CONFIG.format(folder=self.folder, names=names))
        self.request(name, key, self.path("request"))
        first, last = DATES[expired]
        self.run("ca", "-batch", "-notext", "-config", config, "-extensions", "extensions",
                 "-in", self.path("request"), "-out", certificate,
                 "-startdate", first, "-enddate", last)
        return Certificate(certificate, key, self.certificate)

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
