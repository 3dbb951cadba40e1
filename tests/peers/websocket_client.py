"""A WebSocket client for tests: python3 websocket_client.py URL [wait]

Sends messages of many sizes to a server that echoes, and prints what came of it as one object of
JSON. With `wait` it says `open` and waits to be closed.
"""

import asyncio
import json
import sys

import websockets
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

SIZES = (0, 1, 63, 125, 126, 127, 4096, 65535, 65536, 200000, 900000)
KINDS = (
    {"compression": None},
    {"compression": "deflate"},
    {"compression": None, "extensions": [ClientPerMessageDeflateFactory(
        server_no_context_takeover=True, client_no_context_takeover=True)]},
    {"compression": None, "extensions": [ClientPerMessageDeflateFactory(
        server_max_window_bits=9, client_max_window_bits=9)]},
)


async def echoes(socket):
    equal = 0
    for size in SIZES:
        data = bytes(97 + i * i % 23 for i in range(size))
        for message in (data, data.decode()):
            await socket.send(message)
            equal += await socket.recv() == message
    return equal


async def fragments(socket):
    await socket.send(part for part in ("é", "ü", "x"))
    return await socket.recv()


async def run(url, kind):
    async with websockets.connect(url, subprotocols=["echo"], **kind) as socket:
        equal, joined = await echoes(socket), await fragments(socket)
        await asyncio.wait_for(await socket.ping(b"here?"), 30)
        await socket.close(4001, "enough")
        return {"equal": equal, "joined": joined, "code": socket.close_code,
                "protocol": socket.subprotocol}


async def wait(url):
    async with websockets.connect(url) as socket:
        print("open", flush=True)
        try:
            await socket.recv()
        except websockets.ConnectionClosed as closed:
            return {"code": closed.code}


async def main():
    url = sys.argv[1]
    if len(sys.argv) > 2:
        return await wait(url)
    return {"expected": len(SIZES) * 2, "results": [await run(url, kind) for kind in KINDS]}


print(json.dumps(asyncio.run(main())))
