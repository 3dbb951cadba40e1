"""Requests put together from doubtful parts by a seeded generator: the same ones in each run."""

import random
import typing

from cases import message

SEED = 20261121

METHODS = (b"POST", b"POST", b"PUT", b"GET", b"DELETE", b"OPTIONS", b"PATCH", b"HEAD")
VERSIONS = (b"HTTP/1.1",) * 9 + (b"HTTP/1.0",)
TARGETS = (b"/%s", b"/%s", b"/%s?q=%%41", b"/%s/b", b"/%s%%2Fb", b"/%s;x", b"http://a/%s", b"http://b/%s")
ENDED = b"0\r\n\r\n"

LENGTHS = (b"Content-Length: %d", b"Content-Length:%d", b"Content-Length: \t%d", b"Content-Length: 0%d",
           b"Content-Length: +%d", b"Content-Length: %d, %d", b"Content-Length: %d,",
           b"Content-Length : %d", b"content-length: %d", b" Content-Length: %d",
           b"X: y\nContent-Length: %d", b"X: y\rContent-Length: %d", b"Content-Length: %d\0",
           b"Content-Length: 0x%x", b"Content_Length: %d", b"Content-Length:\r\n %d",
           b"Content-Length\x0b: %d", b"Content-Length: %d\x0b", b"Content-Length: 0\r\nContent-Length: %d",
           b"Content-Length: %d\r\nContent-Length: 0", b"Content-Length: 1844674407370955%d")
CODINGS = (b"Transfer-Encoding: chunked", b"Transfer-Encoding:chunked", b"transfer-encoding: CHUNKED",
           b"Transfer-Encoding:\tchunked", b"Transfer-Encoding: chunked ", b"Transfer-Encoding : chunked",
           b"Transfer-Encoding: xchunked", b"Transfer-Encoding: x, chunked",
           b"Transfer-Encoding: chunked, x", b"Transfer-Encoding: identity",
           b"Transfer-Encoding:\x0bchunked", b"Transfer-Encoding: chunked\0",
           b"Transfer-Encoding:\r\n chunked", b"Transfer-Encoding:\n chunked",
           b"X: y\nTransfer-Encoding: chunked", b"X: y\rTransfer-Encoding: chunked",
           b"Transfer_Encoding: chunked", b"Transfer-Encoding: chunked\r\nTransfer-Encoding: x",
           b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked", b"Transfer-Encoding: \"chunked\"",
           b"Transfer-Encoding: , chunked", b"Transfer-Encoding: chunked,", b"TE: chunked",
           b" Transfer-Encoding: chunked", b"Transfer-Encoding\x0b: chunked")
OTHERS = (b"X: y", b"Connection: close", b"Connection: keep-alive", b"Connection: Content-Length",
          b"Connection: Transfer-Encoding", b"Connection: Host", b"Expect: 100-continue",
          b"Upgrade: h2c\r\nConnection: Upgrade", b"X: \xff", b"X_Y: z", b"Host: b", b"X:y\r\n z",
          b"X-HTTP-Method-Override: DELETE", b"Forwarded: for=b;host=b", b"X-Original-URL: /b")


class Combination(typing.NamedTuple):
    name: str
    sends: bytes


def hidden(name):
    """A request that nobody means to send, for it is in the body of another one."""
    return message(b"GET /hidden/%s HTTP/1.1" % name, b"Host: a", b"Connection: keep-alive")


def chunks(dice, content):
    size = dice.choice((b"%x", b"%X", b"0%x", b"%x;a=b", b"%x;\n", b"%x ", b"0x%x", b"%x\n"))
    end = dice.choice((b"\r\n", b"\r\n", b"\r\n", b"\n", b"\r", b"XX", b""))
    last = dice.choice((ENDED, ENDED, ENDED, b"00\r\n\r\n", b"0\r\nX: y\r\n\r\n", b"0\n\n",
                        b"0\r\nContent-Length: 5\r\n\r\n", b"0\r\nX: y\nZ: z\r\n\r\n", b"0\r\n\n"))
    return size % len(content) + b"\r\n" + content + end + last


def body(dice, name):
    content = dice.choice((b"hello", b"", hidden(name), ENDED + hidden(name)))
    return chunks(dice, content) if dice.random() < 0.5 and content else content


def length_field(dice, content):
    length = dice.choice((len(content), len(content), len(content), 0, 5, max(len(content) - 3, 0)))
    form = dice.choice(LENGTHS) if dice.random() < 0.6 else LENGTHS[0]
    return form % ((length,) * form.count(b"%"))


def coding_field(dice):
    return dice.choice(CODINGS) if dice.random() < 0.7 else CODINGS[0]


def fields(dice, content):
    which = dice.choice(("length", "coding", "both", "coding", "length", "both", "none"))
    made = [b"Host: a"]
    if which in ("length", "both"):
        made.append(length_field(dice, content))
    if which in ("coding", "both"):
        made.append(coding_field(dice))
    made += dice.sample(OTHERS, dice.choice((0, 0, 0, 1, 1, 2)))
    if dice.random() < 0.5:
        made[1:] = dice.sample(made[1:], len(made) - 1)
    return made


def make(count, seed=SEED):
    """Each has targets of its own, two requests, and maybe a third one in the body of the first."""
    dice = random.Random(seed)
    made = []
    for number in range(count):
        name = b"c%d" % number
        content = body(dice, name)
        first = b"%s %s %s" % (dice.choice(METHODS), dice.choice(TARGETS) % name, dice.choice(VERSIONS))
        next_one = message(b"GET /%s/next HTTP/1.1" % name, b"Host: a")
        made.append(Combination(name.decode(),
                                message(first, *fields(dice, content), body=content) + next_one))
    return made
