"""Files through the real rtd, as curl asks for them."""

import os
import re
import subprocess
import unittest

from deployment import deployment

PATIENCE = 60  # seconds
DATA = bytes(i * 31 >> 8 & 0xff for i in range(5_000_000))


class Files(unittest.TestCase):
    def start(self, made):
        self.files = made.path("files")
        os.mkdir(self.files)
        self.put("large.bin", DATA)
        self.put("page.html", b"<p>hello</p>")
        made.start_ready()
        self.url = f"http://127.0.0.1:{made.port}/files/"
        self.folder = made.folder

    def put(self, name, data):
        with open(os.path.join(self.files, name), "wb") as file:
            file.write(data)

    def curl(self, *arguments):
        """(status, head, body)"""
        body = os.path.join(self.folder, "body")
        head = subprocess.run(["curl", "-sS", "--path-as-is", "--max-time", str(PATIENCE), "-D", "-",
                               "-o", body, *arguments], capture_output=True, text=True,
                              timeout=PATIENCE, check=False)
        with open(body, "rb") as file:
            return int(head.stdout.split()[1]), head.stdout, file.read()

    def deployed(self):
        return deployment(("streams",), 'streams: { folder = "files"; };\n')

    def test_a_file_is_served_whole_and_in_ranges(self):
        with self.deployed() as made:
            self.start(made)
            url = self.url + "large.bin"
            self.assertEqual(self.curl(url)[::2], (200, DATA))
            for text, piece in (("0-0", DATA[:1]), ("100-199", DATA[100:200]),
                                ("4000000-", DATA[4000000:]), ("-7", DATA[-7:])):
                status, head, body = self.curl("-r", text, url)
                self.assertEqual((status, body), (206, piece))
                self.assertIn(f"/{len(DATA)}", head)
            status, head, body = self.curl("-r", "0-9,1000000-2999999", url)
            self.assertEqual(status, 206)
            boundary = re.search('multipart/byteranges; boundary="([^"]+)"', head)[1].encode()
            parts = body.split(b"--" + boundary)
            self.assertEqual(len(parts), 4)
            self.assertEqual(parts[1].partition(b"\r\n\r\n")[2], DATA[:10] + b"\r\n")
            self.assertEqual(parts[2].partition(b"\r\n\r\n")[2], DATA[1000000:3000000] + b"\r\n")
            self.assertEqual(self.curl("-r", "9999999-", url)[0], 416)
            self.assertEqual(made.stop(), 0)

    def test_what_the_client_has_is_not_sent_again(self):
        with self.deployed() as made:
            self.start(made)
            url = self.url + "page.html"
            status, head, body = self.curl(url)
            self.assertEqual((status, body), (200, b"<p>hello</p>"))
            self.assertIn("Content-Type: text/html; charset=utf-8", head)
            tag = re.search('ETag: (".*")', head)[1]
            since = re.search("Last-Modified: (.*)\r?\n", head)[1].strip()
            self.assertEqual(self.curl("-H", f"If-None-Match: {tag}", url)[0], 304)
            self.assertEqual(self.curl("-H", f"If-Modified-Since: {since}", url)[0], 304)
            self.assertEqual(self.curl("-H", 'If-Match: "other"', url)[0], 412)
            self.put("page.html", b"<p>changed</p>")
            self.assertEqual(self.curl("-H", f"If-None-Match: {tag}", url)[::2],
                             (200, b"<p>changed</p>"))
            status, _, body = self.curl("-r", "0-1", "-H", f"If-Range: {tag}", url)
            self.assertEqual((status, body), (200, b"<p>changed</p>"))
            self.assertEqual(made.stop(), 0)

    def test_head_and_304_have_what_the_coded_answer_has(self):
        with self.deployed() as made:
            self.start(made)
            self.put("text.txt", b"a line of it\n" * 1000)
            url, coded = self.url + "text.txt", ("-H", "Accept-Encoding: gzip")

            def fields(head):
                return {line for line in head.splitlines() if re.match("ETag|Vary|Content-", line)}
            _, whole, body = self.curl(*coded, url)
            self.assertIn("Content-Encoding: gzip", fields(whole))
            self.assertIn(f"Content-Length: {len(body)}", fields(whole))
            self.assertEqual(fields(self.curl(*coded, "-I", url)[1]), fields(whole))
            tag = re.search('ETag: (W/".*")', whole)[1]
            status, head, _ = self.curl(*coded, "-H", f"If-None-Match: {tag}", url)
            self.assertEqual((status, fields(head)), (304, {f"ETag: {tag}", "Vary: Accept-Encoding"}))
            plain = self.curl("-H", f"If-None-Match: {tag}", url)[1]
            self.assertEqual(fields(plain), {f"ETag: {tag[2:]}", "Vary: Accept-Encoding"})
            self.assertEqual(self.curl("-r", "0-1", "-H", f"If-Range: {tag}", *coded, url)[0], 200)
            self.assertEqual(made.stop(), 0)

    def test_nothing_outside_of_the_folder_is_served(self):
        with self.deployed() as made:
            self.start(made)
            os.symlink("/etc/hostname", os.path.join(self.files, "link"))
            os.symlink("..", os.path.join(self.files, "up"))
            for path in ("link", "up/runtime.conf", "..%2fruntime.conf", "%2e%2e%2fruntime.conf",
                         "%2fetc%2fhostname", "a/..%2f..%2fruntime.conf", "..", "../runtime.conf"):
                status, _, body = self.curl(self.url + path)
                self.assertIn(status, (400, 404), path)
                self.assertNotIn(b"plugins", body)
            self.assertEqual(made.stop(), 0)

    def test_a_file_that_shrinks_cuts_its_answer_and_hangs_nobody(self):
        with self.deployed() as made:
            self.start(made)
            url = self.url + "large.bin"
            client = subprocess.Popen(["curl", "-sS", "--limit-rate", "1M", "--max-time",
                                       str(PATIENCE), url], stdout=subprocess.PIPE,
                                      stderr=subprocess.PIPE)
            self.assertEqual(len(client.stdout.read(1000)), 1000)
            os.truncate(os.path.join(self.files, "large.bin"), 1000)
            client.stdout.read()
            client.communicate(timeout=PATIENCE)
            self.assertIn(client.returncode, (18, 56))
            self.assertEqual(self.curl(url)[0], 200)
            self.assertEqual(made.stop(), 0)


if __name__ == "__main__":
    unittest.main()
