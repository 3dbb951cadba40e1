"""Who the client is behind proxies: the PROXY protocol, Forwarded and X-Forwarded fields."""

import contextlib
import http.client
import os
import socket
import struct
import subprocess
import unittest

from deployment import LIMIT, free_port, wait_for
from serving import Serving, curl

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
GET = b"GET /origin HTTP/1.0\r\nHost: a\r\n\r\n"


def version_2(command, family, content):
    return SIGNATURE + struct.pack("!BBH", command, family, len(content)) + content


def tcp4(source, extras=b""):
    return version_2(0x21, 0x11, socket.inet_aton(source) + socket.inet_aton("127.0.0.1") +
                     struct.pack("!HH", 1234, 80) + extras)


def proxied(made):
    return [f"127.0.0.1:{made.port} proxy_protocol"]


def body(answer):
    return answer.partition(b"\r\n\r\n")[2].decode()


class ProxyProtocol(Serving):
    def test_the_header_names_the_client_in_both_versions(self):
        made = self.serve(listen=proxied)
        six = socket.inet_pton(socket.AF_INET6, "2001:db8::1") * 2 + struct.pack("!HH", 1, 2)
        for header, peer in {
                b"PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n": "192.0.2.1|http",
                b"PROXY TCP6 2001:db8::9 ::1 1 2\r\n": "2001:db8::9|http",
                b"PROXY TCP6 ::ffff:192.0.2.3 ::1 1 2\r\n": "192.0.2.3|http",
                b"PROXY UNKNOWN\r\n": "127.0.0.1|http",
                b"PROXY UNKNOWN ffff::1 ffff::2 1 2\r\n": "127.0.0.1|http",
                tcp4("192.0.2.4"): "192.0.2.4|http",
                tcp4("192.0.2.5", b"\x20\0\5\1\0\0\0\0"): "192.0.2.5|https",
                tcp4("192.0.2.6", b"\x20\0\5\0\0\0\0\0" + b"\xea\0\3abc"): "192.0.2.6|http",
                tcp4("192.0.2.7", b"\4" + struct.pack("!H", 4000) + bytes(4000)): "192.0.2.7|http",
                version_2(0x21, 0x21, six): "2001:db8::1|http",
                version_2(0x20, 0, b"whatever"): "127.0.0.1|http",
                version_2(0x21, 0, b"whatever"): "127.0.0.1|http",
                version_2(0x21, 0x31, bytes(216)): "127.0.0.1|http"}.items():
            with self.subTest(header=header[:60]):
                self.assertEqual(body(made.raw(header + GET)), f"{peer}|a")

    def test_what_is_malformed_or_missing_ends_the_connection_without_an_answer(self):
        made = self.serve(listen=proxied)
        for header in (
                b"", b"PROXY\r\n", b"PROXY TCP4\r\n", b"proxy UNKNOWN\r\n", b"PROXY UNKNOWNX\r\n",
                b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2\n", b"PROXY TCP4  192.0.2.1 10.0.0.1 1 2\r\n",
                b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2 \r\n", b"PROXY TCP4 192.0.2.1 10.0.0.1 1\r\n",
                b"PROXY TCP4 192.0.2.1 10.0.0.1 1 65536\r\n", b"PROXY TCP4 ::1 ::1 1 2\r\n",
                b"PROXY TCP4 192.0.2.1 10.0.0.1 01 2\r\n", b"PROXY TCP6 192.0.2.1 10.0.0.1 1 2\r\n",
                b"PROXY TCP4 192.0.2.256 10.0.0.1 1 2\r\n", b"PROXY UDP4 192.0.2.1 1.1.1.1 1 2\r\n",
                b"PROXY UNKNOWN " + b"a" * 200 + b"\r\n",
                tcp4("192.0.2.1", b"\4\0\5a"), tcp4("192.0.2.1", b"\4\0"),
                version_2(0x31, 0x11, bytes(12)), version_2(0x22, 0x11, bytes(12)),
                version_2(0x21, 0x12, bytes(12)), version_2(0x21, 0x11, bytes(11)),
                version_2(0x21, 0x21, bytes(35)), version_2(0x20, 0, bytes(65535)),
                b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60)):
            with self.subTest(header=header[:60]):
                self.assertEqual(made.raw(header + GET), b"")
        self.assertEqual(body(made.raw(tcp4("192.0.2.4") + GET)), "192.0.2.4|http|a")

    def test_a_header_in_single_bytes_is_the_same_header(self):
        made = self.serve(listen=proxied)
        for header in (b"PROXY TCP4 192.0.2.1 10.0.0.1 56324 443\r\n", tcp4("192.0.2.1")):
            with socket.create_connection(("127.0.0.1", made.port), LIMIT) as peer:
                peer.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for byte in header + GET:
                    peer.sendall(bytes([byte]))
                answer = b"".join(iter(lambda: peer.recv(4096), b""))
            self.assertEqual(body(answer), "192.0.2.1|http|a")

    def test_a_header_that_does_not_come_is_not_waited_for_longer_than_a_request(self):
        made = self.serve("header_timeout = \"200 ms\"; idle_timeout = \"1 h\";", listen=proxied)
        for start in (b"", b"PROXY TCP4", tcp4("192.0.2.1")[:20]):
            self.assertEqual(made.raw(start), b"")

    def test_all_requests_of_the_connection_have_its_client(self):
        made = self.serve(listen=proxied)
        answer = made.raw(b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n" +
                          b"GET /origin HTTP/1.1\r\nHost: a\r\n\r\n" * 2 + GET)
        self.assertEqual(answer.count(b"192.0.2.1|http|a"), 3)

    def test_without_the_word_the_header_is_no_request(self):
        made = self.serve()
        self.assertIn(b" 400 ", made.raw(b"PROXY TCP4 192.0.2.1 10.0.0.1 1 2\r\n" + GET))

    def test_curl_sends_a_header_that_is_understood(self):
        made = self.serve(listen=proxied)
        text = curl("--haproxy-protocol", f"http://127.0.0.1:{made.port}/origin").decode()
        self.assertEqual(text, f"127.0.0.1|http|127.0.0.1:{made.port}")


class Forwarded(Serving):
    def ask(self, made, *fields):
        return made.text("/origin", [("Host", "a"), *fields])

    def serve_trusting(self, *proxies):
        quoted = ", ".join(f'"{proxy}"' for proxy in proxies)
        return self.serve(f"trusted_proxies = [ {quoted} ];")

    def test_fields_of_strangers_do_not_count_and_stay_visible(self):
        made = self.serve()
        self.assertEqual(self.ask(made, ("Forwarded", "for=1.2.3.4;proto=https;host=b"),
                                  ("X-Forwarded-For", "1.2.3.4")), "127.0.0.1|http|a")

    def test_the_first_address_from_the_right_that_is_not_trusted_is_the_client(self):
        made = self.serve_trusting("127.0.0.1", "10.0.0.0/8", "2001:db8::/32")
        for value, answer in {
                "for=192.0.2.1": "192.0.2.1|http|a",
                "for=192.0.2.1;proto=https;host=shop.example": "192.0.2.1|https|shop.example",
                "For=\"192.0.2.1:4711\";Proto=HTTPS": "192.0.2.1|https|a",
                "for=\"[2001:db9::1]:4711\"": "2001:db9::1|http|a",
                "for=\"[::ffff:192.0.2.8]\"": "192.0.2.8|http|a",
                "for=9.9.9.9, for=192.0.2.1": "192.0.2.1|http|a",
                "for=9.9.9.9;host=evil, for=192.0.2.1, for=10.1.2.3": "192.0.2.1|http|a",
                "for=192.0.2.1;proto=https, for=10.1.2.3;proto=http": "192.0.2.1|https|a",
                "for=192.0.2.1, for=\"[2001:db8::5]\";host=\"b:8080\"": "192.0.2.1|http|b:8080",
                "for=10.0.0.1": "10.0.0.1|http|a",
                "for=192.0.2.1, for=unknown": "127.0.0.1|http|a",
                "for=192.0.2.1, for=_hidden;proto=https": "127.0.0.1|https|a",
                "for=192.0.2.1;ext=\"a, for=8.8.8.8; \\\" b\"": "192.0.2.1|http|a",
                "for=192.0.2.1; proto=https": "192.0.2.1|https|a",
                "for=192.0.2.1;proto=gopher": "192.0.2.1|http|a",
                "for=192.0.2.1;host=\"a b\"": "192.0.2.1|http|a",
                ", for=192.0.2.1 ,, ": "192.0.2.1|http|a",
                "": "127.0.0.1|http|a"}.items():
            with self.subTest(value=value):
                self.assertEqual(self.ask(made, ("Forwarded", value)), answer)

    def test_a_malformed_field_counts_as_none(self):
        made = self.serve_trusting("127.0.0.1")
        for value in ("for", "for=", "for=\"192.0.2.1", "for=192.0.2.1;for=192.0.2.2", "=1",
                      "for=192.0.2.1 proto=https", "for=[2001:db9::1]", "for=\"a\\", "\"",
                      "for=192.0.2.1, \"", "for=\"192.0.2.1\"x"):
            with self.subTest(value=value):
                self.assertEqual(self.ask(made, ("Forwarded", value), ("X-Forwarded-For", "1.1.1.1")),
                                 "127.0.0.1|http|a")

    def test_several_fields_are_one_list(self):
        made = self.serve_trusting("127.0.0.1", "10.0.0.0/8")
        self.assertEqual(self.ask(made, ("Forwarded", "for=192.0.2.1"), ("Forwarded", "for=10.0.0.1")),
                         "192.0.2.1|http|a")

    def test_the_older_fields_count_where_forwarded_is_absent(self):
        made = self.serve_trusting("127.0.0.1", "10.0.0.0/8")
        for fields, answer in (
                ({"X-Forwarded-For": "192.0.2.1"}, "192.0.2.1|http|a"),
                ({"X-Forwarded-For": "9.9.9.9, 192.0.2.1,10.0.0.1"}, "192.0.2.1|http|a"),
                ({"X-Forwarded-For": "192.0.2.1:80"}, "192.0.2.1|http|a"),
                ({"X-Forwarded-For": "2001:db9::1"}, "2001:db9::1|http|a"),
                ({"X-Forwarded-For": "[2001:db9::1]:80"}, "2001:db9::1|http|a"),
                ({"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https",
                  "X-Forwarded-Host": "shop.example"}, "192.0.2.1|https|shop.example"),
                ({"X-Forwarded-Proto": "https"}, "127.0.0.1|https|a"),
                ({"X-Forwarded-For": "9.9.9.9, 192.0.2.1, 10.0.0.1",
                  "X-Forwarded-Proto": "http, https, http"}, "192.0.2.1|https|a"),
                ({"X-Forwarded-For": "9.9.9.9, 192.0.2.1", "X-Forwarded-Proto": "https"},
                 "192.0.2.1|https|a"),
                ({"X-Forwarded-For": "9.9.9.9, 192.0.2.1", "X-Forwarded-Host": "e, e, b"},
                 "192.0.2.1|http|b"),
                ({"X-Forwarded-For": "what, ever"}, "127.0.0.1|http|a"),
                ({"X-Forwarded-For": "1.2.3.4,,"}, "127.0.0.1|http|a"),
                ({"Forwarded": "", "X-Forwarded-For": "1.2.3.4"}, "127.0.0.1|http|a")):
            with self.subTest(fields=fields):
                self.assertEqual(self.ask(made, *fields.items()), answer)

    def test_thousands_of_hops_are_as_good_as_some(self):
        made = self.serve("trusted_proxies = [ \"127.0.0.1\" ]; max_header = \"1 MiB\";")
        hops = "for=127.0.0.1, " * 20000 + "for=127.0.0.1"
        self.assertEqual(self.ask(made, ("Forwarded", hops)), "127.0.0.1|http|a")
        self.assertEqual(self.ask(made, ("Forwarded", f"for=1.1.1.1, {hops}")), "127.0.0.1|http|a")
        self.assertEqual(self.ask(made, ("Forwarded", "a=\"" + "\\\"" * 100000 + "\"")),
                         "127.0.0.1|http|a")
        self.assertEqual(self.ask(made, ("X-Forwarded-For", "1.1.1.1, " * 50000 + "2.2.2.2")),
                         "2.2.2.2|http|a")

    def test_peers_of_unix_sockets_are_trusted_by_a_word_of_their_own(self):
        for trusted, answer in (("unix:", "192.0.2.1|https|a"), ("127.0.0.1", "|http|a")):
            made = self.serve(f'trusted_proxies = [ "{trusted}" ];',
                              listen=lambda own: [f"unix:{own.socket_path()}"])
            text = curl("--unix-socket", made.socket_path(), "-H", "Host: a",
                        "-H", "Forwarded: for=192.0.2.1;proto=https", "http://a/origin").decode()
            self.assertEqual(text, answer)

    def test_what_the_proxy_header_says_is_trusted_or_not_as_any_address(self):
        made = self.serve('trusted_proxies = [ "192.0.2.0/24" ];', listen=proxied)
        fields = b"GET /origin HTTP/1.0\r\nHost: a\r\nForwarded: for=198.51.100.1\r\n\r\n"
        for source, peer in (("192.0.2.1", "198.51.100.1"), ("192.0.3.1", "192.0.3.1")):
            self.assertEqual(body(made.raw(tcp4(source) + fields)), f"{peer}|http|a")

    def test_networks_that_are_none_are_explained(self):
        for text, words in {"10.0.0.1/8": "bits set beyond the prefix", "10.0.0.0/33": "0 to 32",
                            "::1/129": "0 to 128", "localhost": "neither an IP address",
                            "::ffff:10.0.0.0/8": "at least 96", "10.0.0.0/": "0 to 32"}.items():
            made = self.serve(f'trusted_proxies = [ "{text}" ];', start=False)
            outcome = made.rtctl("validate")
            self.assertEqual(outcome.returncode, 1)
            self.assertIn(words, outcome.stdout)


HAPROXY = """
defaults
    mode {mode}
    timeout connect 10s
    timeout client 60s
    timeout server 60s
listen front
    bind 127.0.0.1:{port}
    {extra}
    server rt 127.0.0.1:{target} {words}
"""

NGINX = """
daemon off;
worker_processes 1;
error_log stderr;
pid {folder}/nginx.pid;
{load}
events {{}}
{block}
"""


class RealProxies(Serving):
    def run_program(self, command, port):
        log = open(os.devnull, "wb")
        self.addCleanup(log.close)
        child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

        def stop():
            child.terminate()
            child.wait(LIMIT)
        self.addCleanup(stop)

        def accepts():
            self.assertIsNone(child.poll(), command)
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                return True
            return False
        wait_for(accepts, command[0])

    def haproxy(self, made, words, mode="tcp", extra=""):
        port = free_port()
        config = made.path(f"haproxy-{port}.cfg")
        with open(config, "w", encoding="utf-8") as file:
            file.write(HAPROXY.format(mode=mode, port=port, target=made.port, words=words,
                                      extra=extra))
        self.run_program([self.program("haproxy"), "-db", "-f", config], port)
        return port

    def ask(self, port, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT,
                                                source_address=("127.0.0.9", 0))
        with contextlib.closing(connection):
            connection.request("GET", "/origin", headers={"Host": "a", **(headers or {})})
            return connection.getresponse().read().decode()

    def test_haproxy_tells_the_client_by_either_version(self):
        made = self.serve(listen=proxied)
        for words in ("send-proxy", "send-proxy-v2", "send-proxy-v2-ssl-cn"):
            with self.subTest(words=words):
                self.assertEqual(self.ask(self.haproxy(made, words)), "127.0.0.9|http|a")

    def test_haproxy_asks_for_health_without_naming_a_client(self):
        made = self.serve(listen=proxied)
        port = self.haproxy(made, "send-proxy-v2 check inter 100ms")
        self.assertEqual(self.ask(port), "127.0.0.9|http|a")

    def test_haproxy_forwards_by_fields(self):
        made = self.serve('trusted_proxies = [ "127.0.0.1" ];')
        for extra in ("option forwardfor",
                      "http-request set-header Forwarded for=%[src];proto=http;host=%[req.hdr(host)]"):
            with self.subTest(extra=extra):
                port = self.haproxy(made, "", "http", extra)
                self.assertEqual(self.ask(port), "127.0.0.9|http|a")

    def test_nginx_forwards_by_fields(self):
        made = self.serve('trusted_proxies = [ "127.0.0.1" ];')
        port = free_port()
        block = (f"http {{ access_log off; server {{ listen 127.0.0.1:{port}; location / {{"
                 f" proxy_pass http://127.0.0.1:{made.port};"
                 " proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;"
                 " proxy_set_header X-Forwarded-Proto https;"
                 " proxy_set_header X-Forwarded-Host $http_host; } } }")
        self.nginx(made, port, block)
        self.assertEqual(self.ask(port, {"X-Forwarded-For": "9.9.9.9"}), "127.0.0.9|https|a")

    def test_nginx_tells_the_client_by_the_first_version(self):
        module = "/usr/lib/nginx/modules/ngx_stream_module.so"
        if not os.path.exists(module):
            self.skipTest("nginx has no stream module here")
        made = self.serve(listen=proxied)
        port = free_port()
        self.nginx(made, port, f"stream {{ server {{ listen 127.0.0.1:{port};"
                   f" proxy_pass 127.0.0.1:{made.port}; proxy_protocol on; }} }}",
                   f"load_module {module};")
        self.assertEqual(self.ask(port), "127.0.0.9|http|a")

    def nginx(self, made, port, block, load=""):
        config = made.path(f"nginx-{port}.conf")
        with open(config, "w", encoding="utf-8") as file:
            file.write(NGINX.format(folder=made.folder, block=block, load=load))
        self.run_program([self.program("nginx"), "-p", made.folder, "-c", config, "-e", "stderr"],
                         port)


if __name__ == "__main__":
    unittest.main()
