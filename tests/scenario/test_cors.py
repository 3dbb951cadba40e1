"""Answers for pages of other origins, and the headers that browsers heed."""

import unittest

from serving import Serving

ORIGINS = 'cors: { origins = [ "https://app.example", "https://*.shop.example" ]; %s };'
ALLOWED = "Access-Control-Allow-Origin"


class Cors(Serving):
    def preflight(self, made, origin, path="/echo", method="PUT"):
        return made.request(path, {"Origin": origin, "Access-Control-Request-Method": method,
                                   "Access-Control-Request-Headers": "content-type"}, "OPTIONS")

    def test_without_origins_nothing_is_said(self):
        made = self.serve()
        _, headers, _ = made.request("/show/3", {"Origin": "https://app.example"})
        self.assertIsNone(headers[ALLOWED])
        self.assertIsNone(headers["Vary"])
        self.assertIsNone(self.preflight(made, "https://app.example")[1][ALLOWED])

    def test_an_allowed_origin_is_named_and_a_refused_one_gets_no_header(self):
        made = self.serve(ORIGINS % "")
        for origin, good in {
                "https://app.example": True, "https://APP.example": True,
                "https://a.shop.example": True, "https://a.b.shop.example": False,
                "https://shop.example": False, "https://.shop.example": False,
                "https://x/.shop.example": False, "https://ashop.example": False,
                "http://app.example": False, "https://app.example:443": False,
                "https://app.example.evil": False, "https://evil.example": False,
                "null": False, "*": False, "https://*.shop.example": True}.items():
            with self.subTest(origin=origin):
                status, headers, body = made.request("/show/3", {"Origin": origin})
                self.assertEqual((status, body), (200, b"lin"))
                self.assertEqual(headers[ALLOWED], origin if good else None)
                self.assertEqual(headers["Vary"], "Origin")
                self.assertEqual(headers["Access-Control-Expose-Headers"],
                                 "X-Correlation-Id" if good else None)

    def test_an_answer_without_an_origin_says_that_it_would_differ(self):
        made = self.serve(ORIGINS % "")
        _, headers, _ = made.request("/show/3")
        self.assertEqual((headers[ALLOWED], headers["Vary"]), (None, "Origin"))

    def test_a_preflight_is_answered_where_the_resource_has_other_methods(self):
        made = self.serve(ORIGINS % 'methods = [ "PUT", "POST" ]; headers = [ "Content-Type", "X-A" ];'
                          ' max_age = "2 min";')
        status, headers, body = self.preflight(made, "https://app.example")
        self.assertEqual((status, body), (204, b""))
        self.assertEqual(headers[ALLOWED], "https://app.example")
        self.assertEqual(headers["Access-Control-Allow-Methods"], "PUT, POST")
        self.assertEqual(headers["Access-Control-Allow-Headers"], "Content-Type, X-A")
        self.assertEqual(headers["Access-Control-Max-Age"], "120")
        self.assertEqual(headers["Vary"], "Origin")
        self.assertIsNone(headers["Access-Control-Allow-Credentials"])

    def test_a_preflight_of_a_refused_origin_or_of_nothing_allows_nothing(self):
        made = self.serve(ORIGINS % "")
        status, headers, _ = self.preflight(made, "https://evil.example")
        self.assertEqual(status, 204)
        self.assertFalse([name for name in headers if name.startswith("Access-Control")])
        self.assertEqual(self.preflight(made, "https://app.example", "/nowhere")[0], 404)

    def test_credentials_are_allowed_where_they_are_meant(self):
        made = self.serve(ORIGINS % "credentials = true;")
        for _, headers, _ in (self.preflight(made, "https://app.example"),
                              made.request("/show/3", {"Origin": "https://app.example"})):
            self.assertEqual(headers["Access-Control-Allow-Credentials"], "true")

    def test_every_origin_is_a_star_and_answers_do_not_vary(self):
        made = self.serve('cors: { origins = [ "*" ]; };')
        _, headers, _ = made.request("/show/3", {"Origin": "https://who.ever"})
        self.assertEqual((headers[ALLOWED], headers["Vary"]), ("*", None))

    def test_failures_can_be_read_too(self):
        made = self.serve(ORIGINS % "")
        for path, status in (("/fail", 404), ("/nowhere", 404), ("/echo", 405)):
            answer = made.request(path, {"Origin": "https://app.example"})
            self.assertEqual((answer[0], answer[1][ALLOWED]), (status, "https://app.example"))
            self.assertIsNone(answer[1]["X-Lost"])

    def test_a_streamed_answer_has_the_headers(self):
        made = self.serve(ORIGINS % "")
        _, headers, _ = made.request("/stream/1", {"Origin": "https://app.example"})
        self.assertEqual(headers[ALLOWED], "https://app.example")

    def test_a_handler_that_answers_for_itself_is_not_corrected(self):
        made = self.serve(ORIGINS % "")
        _, headers, _ = made.request(f"/show/3?name={ALLOWED}&value=https://own.example",
                                     {"Origin": "https://app.example"})
        self.assertEqual(headers.get_all(ALLOWED), ["https://own.example"])

    def test_a_long_origin_is_refused_like_any(self):
        made = self.serve(ORIGINS % "")
        origin = "https://" + "a" * 12000 + ".shop.example"
        self.assertEqual(made.request("/show/3", {"Origin": origin})[1][ALLOWED], origin)
        self.assertIsNone(made.request("/show/3", {"Origin": origin + "x"})[1][ALLOWED])

    def test_doubtful_settings_are_explained(self):
        for cors, words in {
                'origins = [ "*" ]; credentials = true;': "error[RT0409]",
                'origins = [ "https://app.example/" ];': "an origin has no path",
                'origins = [ "app.example" ];': "neither `*` nor `scheme://host`",
                'origins = [ "https://" ];': "neither `*` nor `scheme://host`",
                'origins = [ "https://a.*.example" ];': "only for the first label",
                'headers = [ "X A" ];': "a character that no field name has",
                'methods = [ "FETCH" ];': "must be one of"}.items():
            with self.subTest(cors=cors):
                made = self.serve(f"cors: {{ {cors} }};", start=False)
                outcome = made.rtctl("validate")
                self.assertEqual(outcome.returncode, 1)
                self.assertIn(words, outcome.stdout)


class SecurityHeaders(Serving):
    LINES = {"X-Content-Type-Options": "nosniff", "X-Frame-Options": "SAMEORIGIN",
             "Referrer-Policy": "strict-origin-when-cross-origin"}

    def test_every_answer_has_them_once(self):
        made = self.serve()
        for path in ("/show/3", "/fail", "/nowhere", "/stream/1", "/echo"):
            _, headers, _ = made.request(path)
            for name, value in self.LINES.items():
                self.assertEqual(headers.get_all(name), [value], path)
        self.assertEqual(made.raw(b"bad\r\n\r\n").count(b"nosniff"), 1)

    def test_a_handlers_own_header_wins_whatever_its_case(self):
        made = self.serve()
        _, headers, _ = made.request("/show/3?name=x-FRAME-options&value=DENY")
        self.assertEqual(headers.get_all("X-Frame-Options"), ["DENY"])
        self.assertEqual(headers.get_all("X-Content-Type-Options"), ["nosniff"])

    def test_they_can_be_left_out(self):
        made = self.serve("security_headers = false;")
        _, headers, _ = made.request("/show/3")
        self.assertFalse(set(self.LINES) & set(headers))

    def test_strict_transport_is_asked_for_over_tls_only(self):
        made = self.serve('hsts = "365 d"; trusted_proxies = [ "127.0.0.1" ];')
        name = "Strict-Transport-Security"
        self.assertIsNone(made.request("/show/3")[1][name])
        _, headers, _ = made.request("/show/3", {"X-Forwarded-Proto": "https"})
        self.assertEqual(headers.get_all(name), ["max-age=31536000"])
        _, headers, _ = made.request(f"/show/3?name={name}&value=max-age%3D1",
                                     {"X-Forwarded-Proto": "https"})
        self.assertEqual(headers.get_all(name), ["max-age=1"])


if __name__ == "__main__":
    unittest.main()
