"""What a doubtful request is, for the tables in `requests` and for those who send them."""

import importlib
import os
import pkgutil
import typing

# How a connection ends when all bytes of a case were sent and its answers came.
CLOSES = "closes"  # the server ends it, and nothing behind the request is taken for another one
OPEN = "open"      # the next request on it gets its own answer
WAITS = "waits"    # the request is incomplete: nothing more comes until the client ends it


class Case(typing.NamedTuple):
    """Bytes and what must come of them.

    `sees` has a line for each request that a handler may see, as `METHOD path[?query] host body`:
    one for each 200, for only handlers answer so.
    """

    name: str
    source: str
    sends: bytes
    answers: list
    ends: str = CLOSES
    sees: tuple = ()


def message(line, *fields, body=b""):
    """A request of these lines."""
    return b"\r\n".join((line, *fields, b"", body))


def get(*fields, target=b"/a", body=b""):
    return message(b"GET " + target + b" HTTP/1.1", b"Host: a", *fields, body=body)


def post(*fields, body=b"", target=b"/a"):
    return message(b"POST " + target + b" HTTP/1.1", b"Host: a", *fields, body=body)


def chunked(body, *fields):
    return post(b"Transfer-Encoding: chunked", *fields, body=body)


SMUGGLED = get(target=b"/smuggled")


def load():
    """All cases, by the name of their table."""
    folder = os.path.join(os.path.dirname(os.path.abspath(__file__)), "requests")
    names = sorted(module.name for module in pkgutil.iter_modules([folder]))
    return {name: importlib.import_module(f"requests.{name}").CASES for name in names}


def check(tables):
    """What is wrong with the tables themselves."""
    cases = [case for table in tables.values() for case in table]
    names = [case.name for case in cases]
    wrong = [f"`{name}` twice" for name in set(names) if names.count(name) > 1]
    for case in cases:
        if case.answers.count(200) != len(case.sees):
            wrong.append(f"`{case.name}` has no line for each 200")
        if not case.source or case.ends not in (CLOSES, OPEN, WAITS):
            wrong.append(f"`{case.name}` lacks its source or its end")
    return wrong
