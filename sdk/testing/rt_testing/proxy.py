"""A TCP proxy in front of a server that can be slow, silent, broken or gone."""

import asyncio
import contextlib
import socket
import struct
import threading

from .processes import free_port

PIECE = 65536
RESET = struct.pack("ii", 1, 0)  # SO_LINGER of none: what is closed is reset
QUEUE = 64  # pieces under way in each direction


class Faults:
    """What happens to what passes; each connection looks here at each piece."""

    def __init__(self):
        self.delay = 0.0  # seconds, in each direction
        self.rate = 0  # bytes a second and direction; 0: as fast as it goes
        self.stalled = False
        self.left = None  # bytes from the server until everything is cut; None: no end


class Connection:
    """Two directions, each a reader and a writer with a queue between, so that delay is no throttle."""

    def __init__(self, proxy, client, server):
        self.proxy, self.client, self.server = proxy, client, server
        self.garbage = proxy.every_garbage

    async def run(self):
        try:
            async with asyncio.TaskGroup() as group:
                for source, target, answers in ((self.client, self.server, False),
                                                (self.server, self.client, True)):
                    queue = asyncio.Queue(QUEUE)
                    group.create_task(self.take(source[0], queue, answers))
                    group.create_task(self.give(target[1], queue))
        except* (OSError, asyncio.IncompleteReadError):
            self.reset()
        finally:
            for _, writer in (self.client, self.server):
                writer.close()

    async def take(self, reader, queue, answers):
        loop = asyncio.get_running_loop()
        while piece := await reader.read(PIECE):
            if answers:
                piece = self.changed(piece)
            await queue.put((loop.time() + self.proxy.faults.delay, piece))
        await queue.put((0, b""))

    def changed(self, piece):
        """A piece of what the server says, as the client gets it."""
        if self.garbage is not None:
            piece, self.garbage = self.garbage, None
        faults = self.proxy.faults
        if faults.left is not None:
            piece = piece[:faults.left]
            faults.left -= len(piece)
        return piece

    async def give(self, writer, queue):
        loop = asyncio.get_running_loop()
        while True:
            due, piece = await queue.get()
            await asyncio.sleep(max(0, due - loop.time()))
            await self.proxy.passage.wait()
            if not piece:
                break
            if self.proxy.faults.rate:
                await asyncio.sleep(len(piece) / self.proxy.faults.rate)
            writer.write(piece)
            await writer.drain()
            if self.proxy.faults.left == 0:
                self.proxy.reset_all()
        writer.write_eof()

    def reset(self):
        for _, writer in (self.client, self.server):
            with contextlib.suppress(OSError):
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                                           RESET)
            writer.transport.abort()


def complain(loop, context):
    """Streams take it for an error that `close` cancels what serves them."""
    if not isinstance(context.get("exception"), asyncio.CancelledError):
        loop.default_exception_handler(context)


class Proxy:
    """Passes what comes on `port` to `target`, a port of 127.0.0.1 or a path, until told otherwise."""

    def __init__(self, target, port=None):
        self.target, self.port = target, port or free_port()
        self.faults, self.every_garbage = Faults(), None
        self.connections, self.accepted, self.cuts = set(), 0, 0
        self.listener = self.passage = None
        self.loop = asyncio.new_event_loop()
        self.loop.set_exception_handler(complain)
        self.thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def call(self, coroutine):
        """Runs it on the proxy's thread."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(60)

    def start(self):
        self.thread.start()
        self.call(self.open())
        return self

    async def open(self):
        if not self.passage:
            self.passage = asyncio.Event()
            self.passage.set()
        if not self.listener:
            self.listener = await asyncio.start_server(self.serve, "127.0.0.1", self.port)

    async def serve(self, *client):
        self.accepted += 1
        cuts = self.cuts
        try:
            server = await self.reach()
        except OSError:
            client[1].transport.abort()
            return
        connection = Connection(self, client, server)
        if cuts != self.cuts:
            connection.reset()
            return
        self.connections.add(connection)
        try:
            await connection.run()
        finally:
            self.connections.discard(connection)

    async def reach(self):
        if isinstance(self.target, str):
            return await asyncio.open_unix_connection(self.target)
        return await asyncio.open_connection("127.0.0.1", self.target)

    def reset_all(self):
        self.cuts += 1  # also for those that have yet to reach the server
        for connection in list(self.connections):
            connection.reset()

    async def change(self, **faults):
        for name, value in faults.items():
            setattr(self.faults, name, value)
        if self.faults.stalled:
            self.passage.clear()
        else:
            self.passage.set()

    def delay(self, seconds):
        """Each direction takes that much longer; the order and the throughput stay."""
        self.call(self.change(delay=seconds))

    def throttle(self, rate):
        """So many bytes a second in each direction of each connection."""
        self.call(self.change(rate=rate))

    def stall(self):
        """Connections are taken and kept, and nothing passes until `heal`."""
        self.call(self.change(stalled=True))

    def cut(self, after=None):
        """Resets all connections: now, or when the server has said so many more bytes."""
        async def now():
            self.reset_all()
        self.call(now() if after is None else self.change(left=after))

    def refuse(self):
        """Resets all, and takes no more until `heal`."""
        async def close():
            if self.listener:
                self.listener.close()
                self.listener = None
            self.reset_all()
        self.call(close())

    def garbage(self, data, new=True):
        """In place of the next that the server says, on each connection and, if `new`, on new ones."""
        async def spoil():
            self.every_garbage = data if new else None
            for connection in self.connections:
                connection.garbage = data
        self.call(spoil())

    def heal(self):
        """As at the start; connections that are open stay so."""
        async def mend():
            self.every_garbage, self.faults = None, Faults()
            for connection in self.connections:
                connection.garbage = None
            self.passage.set()
            await self.open()
        self.call(mend())

    def close(self):
        if not self.thread.is_alive():
            return
        self.refuse()
        self.call(self.drain())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(60)
        self.loop.close()

    async def drain(self):
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()
