"""Certificates and keys that do not go together, or are none."""

import os
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
openssl("req", "-x509", "-nodes", "-days", "9", "-subj", "/CN=a", *EC, "-keyout", "server.key", "-out", "server.pem")
openssl("req", "-x509", "-nodes", "-days", "9", "-subj", "/CN=b", *EC, "-keyout", "other.key", "-out", "other.pem")
openssl("req", "-x509", "-nodes", "-days", "9", "-subj", "/CN=c", "-newkey", "rsa:1024", "-keyout", "weak.key",
        "-out", "weak.pem")
openssl("pkey", "-in", "server.key", "-aes256", "-passout", "pass:secret", "-out", "locked.key")
with open("garbage.pem", "w", encoding="ascii") as file:
    file.write("this is no certificate\n")
for name in ("server.key", "other.key", "weak.key", "locked.key", "garbage.pem"):
    os.chmod(name, 0o600)
