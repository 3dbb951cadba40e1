"""transfer/1: libcurl on the worker's loop."""

import concurrent.futures
import http.server
import shutil
import tempfile
import threading
import time
import unittest
import urllib.parse

from running import Runtime, free_port, wait_for


class Origin(http.server.BaseHTTPRequestHandler):
    """Answers /bytes/N with N bytes and /wait/N after N milliseconds."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        _, kind, number = self.path.split("/")
        if kind == "wait":
            self.server.waiting += 1
            self.server.stopping.wait(int(number) / 1000)
        body = b"x" * (int(number) if kind == "bytes" else 2)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Transfer(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp()
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", free_port()), Origin)
        server.daemon_threads = True
        server.handle_error = lambda *_: None
        server.waiting = 0
        cls.server = server
        server.stopping = threading.Event()
        threading.Thread(target=server.serve_forever, daemon=True).start()
        cls.addClassCleanup(server.server_close)
        cls.addClassCleanup(server.shutdown)
        cls.addClassCleanup(server.stopping.set)
        cls.origin = f"http://127.0.0.1:{server.server_port}"

    def setUp(self):
        self.runtime = self.start()

    def start(self, extra=""):
        runtime = Runtime(self.folder, ["probe-transfer"], extra)
        self.addCleanup(self.stop_cleanly, runtime)
        return runtime

    def stop_cleanly(self, runtime):
        self.assertEqual(runtime.stop(), 0, runtime.log)
        self.assertNotIn("Sanitizer", runtime.log)

    def fetch(self, url, runtime=None, **options):
        query = urllib.parse.urlencode({"url": url, **options})
        status, results = (runtime or self.runtime).get(f"/transfer?{query}")
        self.assertEqual(status, 200, results)
        return results

    def test_body(self):
        """bodies of any size arrive whole"""
        for size in (0, 1, 10_000_000):
            result, = self.fetch(f"{self.origin}/bytes/{size}")
            self.assertEqual((result["result"], result["curl"], result["status"], result["bytes"]),
                             ("OK", 0, 200, size))

    def test_reuse(self):
        """the second transfer to a host uses the first one's connection"""
        results = self.fetch(f"{self.origin}/bytes/5", times=3)
        self.assertEqual([result["connections"] for result in results], [1, 0, 0])

    def test_refused(self):
        """a refused connection and an unknown host are curl's errors"""
        result, = self.fetch(f"http://127.0.0.1:{free_port()}/")
        self.assertEqual((result["result"], result["curl"]), ("OK", 7))
        result, = self.fetch("http://no-such-host.invalid/")
        self.assertEqual((result["result"], result["curl"]), ("OK", 6))

    def test_deadline(self):
        """a transfer ends at its deadline, and its connection is not used again"""
        began = time.monotonic()
        result, = self.fetch(f"{self.origin}/wait/20000", timeout_ms=200)
        self.assertEqual(result["result"], "DEADLINE_EXCEEDED")
        self.assertLess(time.monotonic() - began, 5)
        result, = self.fetch(f"{self.origin}/bytes/5")
        self.assertEqual((result["curl"], result["connections"]), (0, 1))

    def test_queued(self):
        """transfers beyond the limit wait for a connection and all are served"""
        runtime = self.start("transfer-curl: { max_connections = 2; max_host_connections = 2; };")
        with concurrent.futures.ThreadPoolExecutor(20) as pool:
            calls = [pool.submit(self.fetch, f"{self.origin}/wait/50", runtime) for _ in range(20)]
            results = [result for call in calls for result in call.result()]
        self.assertEqual({(result["result"], result["curl"]) for result in results}, {("OK", 0)})
        self.assertLessEqual(sum(result["connections"] for result in results), 2)

    def test_cut_short(self):
        """deadlines that hit queued and running transfers leave the others alone"""
        runtime = self.start("transfer-curl: { max_connections = 4; };")
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            slow = [pool.submit(self.fetch, f"{self.origin}/wait/20000", runtime, timeout_ms=300)
                    for _ in range(12)]
            fast = [pool.submit(self.fetch, f"{self.origin}/bytes/100", runtime) for _ in range(12)]
            self.assertEqual({call.result()[0]["result"] for call in slow}, {"DEADLINE_EXCEEDED"})
            self.assertEqual({call.result()[0]["bytes"] for call in fast}, {100})

    def test_stop(self):
        """a stop ends while connections are kept and transfers run"""
        runtime = self.start('drain_timeout = "200 ms";')
        before = self.server.waiting
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            self.fetch(f"{self.origin}/bytes/5", runtime)
            call = pool.submit(runtime.request, "GET", "/transfer?url=" +
                               urllib.parse.quote(f"{self.origin}/wait/20000", safe=""))
            wait_for(lambda: self.server.waiting > before, "the transfer runs")
            began = time.monotonic()
            runtime.stop()
            self.assertLess(time.monotonic() - began, 10)
            call.exception(10)


if __name__ == "__main__":
    unittest.main()
