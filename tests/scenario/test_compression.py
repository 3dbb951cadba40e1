"""Which answers are compressed, for whom, and that they come out as they went in."""

import gzip
import socket
import threading
import unittest
import zlib

from deployment import LIMIT, wait_for
from serving import Serving, curl


class Negotiation(Serving):
    def test_the_client_has_what_it_likes_best(self):
        made = self.serve()
        for accepted, coding in {
                "gzip": "gzip", "br": "br", "gzip, deflate, br": "br", "GZIP": "gzip",
                "x-gzip": "gzip", "br;q=0.5, gzip;q=0.8": "gzip", "gzip;q=1.0, br;q=1": "br",
                "*": "br", "*;q=0.1, br;q=0": "gzip", "gzip;q=0": None, "deflate, zstd": None,
                "": None, "identity": None, "identity, gzip;q=0.5": None,
                "identity;q=0.5, gzip": "gzip", "identity;q=0": None, "identity;q=0, gzip": "gzip",
                "*;q=0": None, "gzip;q=0.001": "gzip", "gzip;q=1.1": None, "gzip;q=x": None,
                "gzip;level=9": None, "gzip ; q=0.4 , br ; q=0.2": "gzip", ",,gzip,,": "gzip",
                "gzip;q=": None, "gzipp": None, "br;q=0.0001": None, ";;;": None}.items():
            with self.subTest(accepted=accepted):
                status, headers, _ = made.request("/show/5000", {"Accept-Encoding": accepted})
                self.assertEqual((status, headers["Content-Encoding"]), (200, coding))
                self.assertEqual(headers["Vary"], "Accept-Encoding")

    def test_without_the_field_nothing_is_compressed_and_caches_are_told(self):
        made = self.serve()
        _, headers, _ = made.request("/show/5000")
        self.assertEqual((headers["Content-Encoding"], headers["Vary"]), (None, "Accept-Encoding"))

    def test_several_fields_are_one_list(self):
        made = self.serve()
        fields = [("Accept-Encoding", "gzip;q=0.1"), ("accept-encoding", "br;q=0.2")]
        self.assertEqual(made.request("/show/5000", fields)[1]["Content-Encoding"], "br")

    def test_a_field_of_64_kib_is_read_like_any(self):
        made = self.serve('max_header = "1 MiB";')
        long = ", ".join(["a;q=0.5"] * 7000)
        for accepted, coding in {f"{long}, gzip": "gzip", long: None, "," * 65000 + "br": "br",
                                 ";" * 65000: None}.items():
            _, headers, _ = made.request("/show/5000", {"Accept-Encoding": accepted})
            self.assertEqual(headers["Content-Encoding"], coding)

    def test_the_server_offers_what_it_is_told(self):
        for setting, coding in (('algorithms = [ "gzip", "br" ];', "gzip"),
                                ('algorithms = [ "gzip" ];', "gzip"), ("algorithms = [ ];", None)):
            made = self.serve(f"compression: {{ {setting} }};")
            _, headers, body = made.request("/show/5000", {"Accept-Encoding": "br, gzip"})
            self.assertEqual(headers["Content-Encoding"], coding)
            self.assertEqual(headers["Vary"], "Accept-Encoding" if coding else None)
            if not coding:
                self.assertEqual(len(body), 5000)


class Answers(Serving):
    GZIP = {"Accept-Encoding": "gzip"}

    def test_what_is_decoded_is_what_the_handler_answered(self):
        made = self.serve()
        for size in (1024, 5000, 32768, 32769, 1000000, 8 << 20):
            plain = made.request(f"/show/{size}")[2]
            self.assertEqual(len(plain), size)
            _, headers, coded = made.request(f"/show/{size}", self.GZIP)
            self.assertEqual(int(headers["Content-Length"]), len(coded))
            self.assertLess(len(coded), size)
            self.assertEqual(gzip.decompress(coded), plain)
            url = f"http://127.0.0.1:{made.port}/show/{size}"
            self.assertEqual(curl("--compressed", "-H", "Accept-Encoding: br", url), plain)

    def test_a_head_request_learns_the_same_length(self):
        made = self.serve()
        _, whole, _ = made.request("/show/5000", self.GZIP)
        status, head, body = made.request("/show/5000", self.GZIP, "HEAD")
        self.assertEqual((status, body), (200, b""))
        for name in ("Content-Length", "Content-Encoding", "Vary"):
            self.assertEqual(head[name], whole[name])

    def assert_plain(self, made, path, headers=None):
        status, answer, body = made.request(path, headers or self.GZIP)
        self.assertIsNone(answer["Content-Encoding"], path)
        self.assertEqual(len(body), int(answer["Content-Length"]))
        return status, answer, body

    def test_what_should_stay_as_it_is_does(self):
        made = self.serve()
        for path in ("/show/1023", "/show/0", "/secret/5000", "/show/5000?type=image/png",
                     "/show/5000?type=text/event-stream", "/show/5000?type=application/jsonx",
                     "/show/5000?name=Content-Range&value=bytes%200-1/2", "/show/5000?status=206",
                     "/show/5000?name=Cache-Control&value=public,%20No-Transform", "/fail"):
            _, answer, _ = self.assert_plain(made, path)
            self.assertIsNone(answer["Vary"], path)

    def test_a_body_that_is_coded_already_is_not_coded_again(self):
        made = self.serve()
        _, answer, _ = made.request("/show/5000?name=Content-Encoding&value=zstd", self.GZIP)
        self.assertEqual(answer.get_all("Content-Encoding"), ["zstd"])

    def test_types_are_matched_without_case_and_parameters(self):
        made = self.serve()
        for media in ("text/html", "TEXT/html;charset=utf-8", "application/problem%2Bjson",
                      "application/json%20;a=b", "image/svg%2Bxml"):
            _, answer, _ = made.request(f"/show/5000?type={media}", self.GZIP)
            self.assertEqual(answer["Content-Encoding"], "gzip", media)

    def test_settings_say_what_is_worth_it(self):
        made = self.serve('compression: { min_size = "0 B"; types = [ "image/*" ]; level = 9; };')
        self.assert_plain(made, "/show/5000")
        self.assert_plain(made, "/show/0?type=image/png")
        self.assert_plain(made, "/show/3?type=image/png")  # it would grow
        _, answer, _ = made.request("/show/500?type=image/png", self.GZIP)
        self.assertEqual(answer["Content-Encoding"], "gzip")

    def test_a_strong_tag_becomes_a_weak_one(self):
        made = self.serve()
        for tag, sent in (('"v1"', 'W/"v1"'), ('W/"v1"', 'W/"v1"')):
            path = f"/show/5000?name=ETag&value={tag}"
            self.assertEqual(made.request(path.replace('"', "%22"), self.GZIP)[1]["ETag"], sent)
            self.assertEqual(made.request(path.replace('"', "%22"))[1]["ETag"], tag)

    def test_other_requests_are_answered_while_a_large_body_is_compressed(self):
        made = self.serve("compression: { level = 9; };")
        done = []
        url = f"http://127.0.0.1:{made.port}/show/{64 << 20}"

        def fetch():
            done.append(len(curl("-H", "Accept-Encoding: br", url)))
        thread = threading.Thread(target=fetch)
        answered = 0
        thread.start()
        while not done and thread.is_alive():
            made.text("/origin")
            answered += not done
        thread.join()
        self.assertTrue(done)
        # Had the loop been held, one had been answered before and one after.
        self.assertGreater(answered, 4)

    def test_a_client_that_leaves_meanwhile_ends_the_work(self):
        made = self.serve("compression: { level = 9; }; access_log: { format = \"combined\"; };")
        with socket.create_connection(("127.0.0.1", made.port), LIMIT) as peer:
            peer.sendall(b"GET /show/67108864 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: br\r\n\r\n")
            made.text("/origin")
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        wait_for(lambda: '"GET /show/67108864 HTTP/1.1" 499 0 ' in made.log(), "the line")
        self.assertEqual(made.stop(), 0)


class Streams(Serving):
    def test_each_piece_can_be_decoded_as_it_comes(self):
        made = self.serve()
        with socket.create_connection(("127.0.0.1", made.port), LIMIT) as peer:
            peer.sendall(b"GET /stream/400 HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n"
                         b"Connection: close\r\n\r\n")
            file = peer.makefile("rb")
            head = b"".join(iter(file.readline, b"\r\n"))
            self.assertIn(b"Content-Encoding: gzip\r\n", head)
            self.assertIn(b"Vary: Accept-Encoding\r\n", head)
            decoder = zlib.decompressobj(31)
            size = int(file.readline(), 16)
            self.assertEqual(decoder.decompress(file.read(size)), b"piece 0\n")
            file.close()

    def test_all_pieces_come_out_in_order_and_the_stream_ends(self):
        made = self.serve()
        expected = "".join(f"piece {i}\n" for i in range(20)).encode()
        _, headers, coded = made.request("/stream/20", {"Accept-Encoding": "gzip"})
        self.assertEqual(headers["Content-Encoding"], "gzip")
        self.assertEqual(gzip.decompress(coded), expected)
        url = f"http://127.0.0.1:{made.port}/stream/20"
        for coding in ("br", "gzip"):
            self.assertEqual(curl("--compressed", "-H", f"Accept-Encoding: {coding}", url), expected)
        self.assertEqual(made.request("/stream/20")[2], expected)

    def test_a_stream_without_pieces_is_a_whole_gzip_of_nothing(self):
        made = self.serve()
        _, headers, coded = made.request("/stream/0", {"Accept-Encoding": "gzip"})
        self.assertEqual((headers["Content-Encoding"], gzip.decompress(coded)), ("gzip", b""))


class Requests(Serving):
    def test_a_coded_body_is_refused_unless_the_handler_reads_the_bytes_itself(self):
        made = self.serve()
        coded = gzip.compress(b"hello")
        headers = {"Content-Encoding": "gzip"}
        status, answer, _ = made.request("/echo", headers, "POST", coded)
        self.assertEqual((status, answer["Accept-Encoding"]), (415, "identity"))
        status, _, body = made.request("/count", headers, "POST", coded)
        self.assertEqual((status, int(body)), (200, len(coded)))
        status, _, body = made.request("/echo", {"Content-Encoding": "identity"}, "POST", b"hello")
        self.assertEqual((status, body), (200, b"hello"))
        self.assertEqual(made.request("/show/3", headers)[0], 200)


if __name__ == "__main__":
    unittest.main()
