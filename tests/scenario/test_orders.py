"""orders: the example application, from outside."""

import concurrent.futures
import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
import urllib.parse

from databases import Postgres
from running import PATIENCE, PREFIX, Runtime, free_port

ORDER = {"sku": "tea", "quantity": 2, "email": "ann@example.org"}


class Orders(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.folder)

    def start(self, extra="", environment="development"):
        self.runtime = runtime = Runtime(self.folder, ["orders"], extra, environment)
        self.addCleanup(self.stop)

    def stop(self):
        self.assertEqual(self.runtime.stop(), 0, self.runtime.log)

    def restart(self, extra, environment):
        self.stop()
        self.runtime = Runtime(self.folder, ["orders"], extra, environment)

    def place(self, order):
        body = order if isinstance(order, bytes) else json.dumps(order)
        status, headers, answer = self.runtime.request("POST", "/orders", body,
                                                       {"Content-Type": "application/json"})
        return status, headers, json.loads(answer)

    def test_hello(self):
        """hello says hello"""
        self.start()
        self.assertEqual(self.runtime.get("/hello"), (200, {"message": "hello"}))

    def test_placed(self):
        """an order is kept, found at its location, and its receipt is mailed"""
        self.start(environment="test")
        status, headers, order = self.place(ORDER)
        self.assertEqual(status, 201)
        self.assertRegex(order["id"], r"^ord_[0-9a-z]{26}$")
        self.assertEqual(headers["Location"], "/orders/" + order["id"])
        self.assertEqual({**order, "id": ""},
                         {**ORDER, "id": "", "createdAt": "2024-01-01T00:00:00.000Z",
                          "receipt": "sent"})
        self.assertEqual(self.runtime.get(headers["Location"]), (200, order))

    def test_receipt_fails(self):
        """a receipt that cannot be sent does not lose the order"""
        self.start()
        for recipient in ("reject@example.org", "greylist@example.org", "a@not an address"):
            status, headers, order = self.place({**ORDER, "email": recipient})
            if " " in recipient:
                self.assertEqual(status, 422)
                continue
            self.assertEqual((status, order["receipt"]), (201, "failed"))
            self.assertEqual(self.runtime.get(headers["Location"]), (200, order))
        self.assertIn("the receipt could not be sent", self.runtime.log)

    def test_mail_server_down(self):
        """a mail server that is down does not lose the order either"""
        self.start(f'email-smtp: {{ host = "127.0.0.1"; port = {free_port()}; }};')
        status, _, order = self.place(ORDER)
        self.assertEqual((status, order["receipt"]), (201, "failed"))

    def test_wrong_fields(self):
        """every wrong field is named at once"""
        self.start("orders: { max_items = 5; };")
        for order, fields in (
                ({}, ["sku", "quantity", "email"]),
                ({**ORDER, "quantity": 6}, ["quantity"]),
                ({**ORDER, "quantity": 0}, ["quantity"]),
                ({**ORDER, "quantity": 1.5}, ["quantity"]),
                ({**ORDER, "quantity": "2"}, ["quantity"]),
                ({**ORDER, "sku": "x" * 65}, ["sku"]),
                ({**ORDER, "sku": ""}, ["sku"]),
                ({**ORDER, "email": "ann@example.org\r\nBcc: victim@example.org"}, ["email"]),
                ({**ORDER, "email": "x" * 250 + "@example.org"}, ["email"]),
                ([], ["sku", "quantity", "email"]), ("text", ["sku", "quantity", "email"])):
            status, headers, problem = self.place(order)
            self.assertEqual(status, 422, order)
            self.assertEqual(headers["Content-Type"], "application/problem+json")
            self.assertEqual([error["field"] for error in problem["errors"]], fields)
        self.assertEqual(self.runtime.get("/orders"), (200, []))

    def test_no_json(self):
        """a body that is no JSON is 400"""
        self.start()
        for body in (b"", b"{", b"\xff", b'{"sku":"a","sku":"b"}', b"[" * 100):
            self.assertEqual(self.place(body)[0], 400, body)

    def test_unknown(self):
        """an unknown order is 404"""
        self.start()
        self.assertEqual(self.runtime.get("/orders/ord_0")[0], 404)
        self.assertEqual(self.runtime.get("/orders/%00")[0] // 100, 4)

    def test_list(self):
        """the list has the newest first and as many as asked for"""
        self.start()
        ids = [self.place({**ORDER, "sku": f"tea-{i}"})[2]["id"] for i in range(25)]
        newest = list(reversed(ids))
        self.assertEqual([order["id"] for order in self.runtime.get("/orders")[1]], newest[:20])
        self.assertEqual([order["id"] for order in self.runtime.get("/orders?limit=3")[1]],
                         newest[:3])
        for limit in ("0", "101", "-1", "x", "", "99999999999999999999"):
            self.assertEqual(self.runtime.get(f"/orders?limit={limit}")[0], 400, limit)

    def pages(self, path):
        """The ids of each page, from link to link; the rest is read while orders come in."""
        while path:
            status, headers, body = self.runtime.request("GET", path)
            self.assertEqual(status, 200, body)
            yield [order["id"] for order in json.loads(body)]
            link = re.fullmatch(r'<([^>]*)>; rel="next"', headers.get("Link") or "")
            path = link and link[1]

    def test_pages(self):
        """links lead through all orders, each once, also while new ones are placed"""
        self.start()
        ids = [self.place(ORDER)[2]["id"] for _ in range(10)]
        read = []
        for page in self.pages("/orders?limit=4"):
            self.assertLessEqual(len(page), 4)
            read += page
            self.place(ORDER)
        self.assertEqual(read, list(reversed(ids)))
        for cursor in ("x", "", "%00", "AAAA", "' OR 1=1"):
            self.assertEqual(self.runtime.request(
                "GET", "/orders?after=" + urllib.parse.quote(cursor, safe="%"))[0], 400, cursor)

    def test_many(self):
        """concurrent orders all get ids of their own"""
        self.start()
        with concurrent.futures.ThreadPoolExecutor(10) as pool:
            placed = list(pool.map(lambda i: self.place({**ORDER, "quantity": i + 1}), range(60)))
        self.assertEqual({status for status, _, _ in placed}, {201})
        self.assertEqual(len({order["id"] for _, _, order in placed}), 60)
        self.assertEqual(len(self.runtime.get("/orders?limit=100")[1]), 60)

    def kept(self, settings):
        """Orders outlive the server; two workers of another one share them."""
        self.start(settings)
        _, headers, order = self.place(ORDER)
        self.restart(serious(settings), "staging")
        self.assertEqual(self.runtime.get(headers["Location"]), (200, order))
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            placed = list(pool.map(lambda _: self.place(ORDER), range(40)))
        self.assertEqual({status for status, _, _ in placed}, {201})
        everything = {order["id"], *(order["id"] for _, _, order in placed)}
        self.assertEqual({order["id"] for order in self.runtime.get("/orders?limit=100")[1]},
                         everything)

    def in_file(self):
        return f'sqlite: {{ path = "{os.path.join(self.folder, "orders.db")}"; }};'

    def refused(self, extra):
        """What a server says that does not start; its port may take connections for a moment."""
        try:
            runtime = Runtime(self.folder, ["orders"], extra, "staging")
        except AssertionError as error:
            return str(error)
        self.addCleanup(runtime.stop)
        self.assertNotEqual(runtime.child.wait(PATIENCE), 0)
        return runtime.log

    def test_file(self):
        """orders in a file outlive the server, and several workers share them"""
        self.kept(self.in_file())

    def test_postgres(self):
        """three lines bring the orders to postgres"""
        with Postgres() as server:
            self.kept(f'postgres: {{\n    url = "{server.url}";\n}};')
            self.stop()

    def test_memory(self):
        """orders in memory are for development and one worker, and refused elsewhere"""
        said = self.refused(serious(""))
        self.assertIn("development-only module `sqlite` would run in staging", said)
        self.assertIn("`sqlite` keeps its state in one process", said)

    def test_migrated_ahead(self):
        """where people are served, the table is made by rtctl migrate before the start"""
        self.assertIn("rtctl migrate up", self.refused(serious(self.in_file())))
        config, = glob.glob(os.path.join(self.folder, "runtime-*.conf"))
        subprocess.run([f"{PREFIX}/bin/rtctl", "migrate", "up", "--config", config], check=True,
                       capture_output=True)
        self.start(serious(self.in_file()), "staging")
        self.assertEqual(self.place(ORDER)[0], 201)


def serious(settings):
    """What several workers need besides, with a mail server that is down."""
    return (f'workers = 2; allow_root = true; {settings}\n'
            f'email-smtp: {{ host = "127.0.0.1"; port = {free_port()}; }};')


if __name__ == "__main__":
    unittest.main()
