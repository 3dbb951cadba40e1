"""A certificate that expired in 2020; only `openssl ca` takes dates. Everybody can read its key."""

import os
import subprocess


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


with open("ca.conf", "w", encoding="ascii") as file:
    file.write("[ca]\ndefault_ca=a\n[a]\nnew_certs_dir=.\ndatabase=index\nrand_serial=1\ndefault_md=sha256\n"
               "policy=p\n[p]\ncommonName=supplied\n")
with open("index", "w", encoding="ascii"):
    pass
openssl("req", "-new", "-nodes", "-subj", "/CN=old", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-keyout", "old.key", "-out", "old.csr")
openssl("ca", "-batch", "-notext", "-selfsign", "-config", "ca.conf", "-keyfile", "old.key", "-in", "old.csr",
        "-out", "old.pem", "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
os.chmod("old.key", 0o644)
