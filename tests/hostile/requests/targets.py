"""What a request is for: paths, queries, whole URLs."""

from cases import OPEN, Case, get, message


def target(text):
    return get(target=text)


def taken(name, source, text, path):
    """A target that is allowed, and what a handler sees of it."""
    return Case(name, source, target(text), [200], OPEN, (b"GET " + path + b" a ",))


CASES = [
    # dots
    Case("a path that climbs", "RFC 3986 3.3", target(b"/a/../b"), [400]),
    Case("a path that climbs above the top", "RFC 3986 3.3", target(b"/../../etc/passwd"), [400]),
    Case("a path that climbs in the end", "RFC 3986 3.3", target(b"/a/.."), [400]),
    Case("a path that stays", "RFC 3986 3.3", target(b"/./a"), [400]),
    Case("a path that climbs in code", "RFC 3986 6.2.2.2", target(b"/%2e%2e/a"), [400]),
    Case("a path that climbs half in code", "RFC 3986 6.2.2.2", target(b"/.%2E/a"), [400]),
    Case("a path that climbs through backslashes", "RFC 3986 3.3", target(b"/a\\..\\b"), [400]),
    taken("a path that climbs in twofold code", "RFC 3986 2.4", b"/%252e%252e/a", b"/%2e%2e/a"),
    taken("three dots, which climb nowhere", "RFC 3986 3.3", b"/.../a", b"/.../a"),
    taken("dots with a parameter, which climb nowhere", "RFC 3986 3.3", b"/..;/a", b"/..;/a"),
    # slashes
    Case("two slashes before a path, which is no host", "RFC 9112 3.2.1", target(b"//b/a"), [404], OPEN),
    Case("two slashes inside a path", "RFC 3986 3.3", target(b"/a//b"), [404], OPEN),
    taken("a slash in code, which stays in its segment", "RFC 3986 2.2", b"/a%2Fb", b"/a/b"),
    taken("a backslash in code", "RFC 3986 2.1", b"/a%5cb", b"/a\\b"),
    Case("a backslash", "RFC 3986 3.3", target(b"/a\\b"), [400]),
    # codes
    Case("a NUL in code", "RFC 3986 7.3", target(b"/a%00"), [400]),
    Case("a percent sign alone", "RFC 3986 2.1", target(b"/%"), [400]),
    Case("a percent sign with one digit", "RFC 3986 2.1", target(b"/%4"), [400]),
    Case("a percent sign with letters that are no digits", "RFC 3986 2.1", target(b"/%zz"), [400]),
    Case("a percent sign with a sign", "RFC 3986 2.1", target(b"/%+1"), [400]),
    Case("a code of Windows for a character", "RFC 3986 2.1", target(b"/%u002e"), [400]),
    taken("a letter in code", "RFC 3986 2.3", b"/%61", b"/a"),
    taken("a line end in code", "RFC 3986 2.1", b"/a%0d%0ab", b"/a\r\nb"),
    taken("an overlong slash, which is two bytes", "RFC 3629 3", b"/%c0%af", b"/\xc0\xaf"),
    taken("an overlong dot, which is two bytes", "RFC 3629 3", b"/%c0%ae%c0%ae", b"/\xc0\xae\xc0\xae"),
    taken("a letter beyond ASCII in code", "RFC 3986 2.5", b"/%c3%a9", b"/\xc3\xa9"),
    Case("a letter beyond ASCII", "RFC 3986 2", target(b"/\xc3\xa9"), [400]),
    Case("a byte of 8 bits", "RFC 3986 2", target(b"/\xff"), [400]),
    Case("a control character", "RFC 3986 2", target(b"/a\x01"), [400]),
    Case("a delete", "RFC 3986 2", target(b"/a\x7f"), [400]),
    Case("a quotation mark", "RFC 3986 2", target(b'/a"b'), [400]),
    Case("brackets of a tag", "RFC 3986 2", target(b"/<a>"), [400]),
    Case("braces in a path", "RFC 3986 3.3", target(b"/{a}"), [400]),
    taken("a parameter of a segment", "RFC 3986 3.3", b"/a;b=c", b"/a;b=c"),
    # queries and fragments
    Case("a fragment", "RFC 9112 3.2.1", target(b"/a#b"), [400]),
    Case("a fragment behind a query", "RFC 9112 3.2.1", target(b"/a?b#c"), [400]),
    Case("a query without a path", "RFC 9112 3.2.1", target(b"?a"), [400]),
    taken("a query with a question mark", "RFC 3986 3.4", b"/a?b?c", b"/a?b?c"),
    taken("a query that climbs, which is no path", "RFC 3986 3.4", b"/a?/../b", b"/a?/../b"),
    taken("a query that is empty", "RFC 3986 3.4", b"/a?", b"/a?"),
    Case("a query of 8 bits", "RFC 3986 3.4", target(b"/a?\xe9"), [400]),
    # forms
    Case("a target without a slash", "RFC 9112 3.2.1", target(b"a"), [400]),
    Case("an asterisk for a GET", "RFC 9112 3.2.4", target(b"*"), [400]),
    Case("an asterisk with a path", "RFC 9112 3.2.4",
         message(b"OPTIONS */a HTTP/1.1", b"Host: a"), [400]),
    Case("an asterisk for OPTIONS", "RFC 9112 3.2.4", message(b"OPTIONS * HTTP/1.1", b"Host: a"),
         [204], OPEN),
    Case("an authority for a GET", "RFC 9112 3.2.3", target(b"a:80"), [400]),
    taken("a whole URL", "RFC 9112 3.2.2", b"http://a/b?c", b"/b?c"),
    taken("a whole URL in capitals", "RFC 3986 3.1", b"HTTP://a/b", b"/b"),
    taken("a whole URL without a path", "RFC 9112 3.2.1", b"http://a", b"/"),
    Case("a whole URL with another host than Host", "RFC 9112 3.2.2", target(b"http://b:81/a"), [200],
         OPEN, (b"GET /a b:81 ",)),
    Case("a whole URL beside a Host that is none", "RFC 9112 3.2",
         message(b"GET http://a/b HTTP/1.1", b"Host: a b"), [400]),
    Case("a whole URL without Host", "RFC 9112 3.2", message(b"GET http://a/b HTTP/1.1", b"X: y"), [400]),
    Case("a whole URL with a user", "RFC 9110 4.2.4", target(b"http://user@a/b"), [400]),
    Case("a whole URL with a user and a password", "RFC 9110 4.2.4", target(b"http://u:p@a/b"), [400]),
    Case("a whole URL without a host", "RFC 9110 4.2.1", target(b"http:///a"), [400]),
    Case("a whole URL with a backslash for a slash", "RFC 3986 3.2", target(b"http://a\\b/c"), [400]),
    Case("a whole URL with a fragment", "RFC 9110 7.1", target(b"http://a/b#c"), [400]),
    Case("a whole URL that climbs", "RFC 3986 3.3", target(b"http://a/../b"), [400]),
    Case("a whole URL of one slash", "RFC 9110 4.2.1", target(b"http:/a/b"), [400]),
    Case("a whole URL of another scheme", "RFC 9110 7.4", target(b"ftp://a/b"), [400]),
    Case("a file", "RFC 9110 7.4", target(b"file:///etc/passwd"), [400]),
    Case("a scheme without a URL", "RFC 9110 4.2.1", target(b"http:"), [400]),
    Case("a whole URL with a port that is too large", "RFC 9110 4.2.1", target(b"http://a:65536/"), [400]),
    Case("a target larger than any", "RFC 9110 15.5.15", target(b"/" + b"a" * 9000), [414]),
    Case("a target as large as may be", "RFC 9112 3", target(b"/" + b"a" * 8191), [200], OPEN,
         (b"GET /" + b"a" * 8191 + b" a ",)),
    Case("a path of more segments than any pattern has", "RFC 3986 3.3", target(b"/a" * 40), [404], OPEN),
]
