"""A TCP proxy with faults on demand: between a producer or worker and Redis, or a worker and the API.

with Proxy(server.port) as proxy:
    producer = OpportunityProducer.from_url(f"redis://127.0.0.1:{proxy.port}/0")
    proxy.lose_reply(b"EVALSHA")  # of the next script, and cut that connection
    proxy.delay = 0.2             # seconds that each piece waits, in both directions
    proxy.rate = 64               # bytes a second, in both directions
    proxy.cut()                   # every connection, with a reset
    proxy.stall()                 # connections stay open and silent, new ones too
    proxy.refuse()                # new connections are reset at once
    proxy.heal()                  # all as usual; what was held back goes on
"""

import asyncio
import contextlib
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

PIECE = 64 * 1024
RESET_ON_CLOSE = struct.pack("ii", 1, 0)
PIECES_A_SECOND = 20  # of a throttled stream


@dataclass
class Cut:
    """A cut to come: once, when a piece of a request holds `marker`, after so many bytes of it or of its reply."""

    marker: bytes
    reply: bool
    after: int


@dataclass(eq=False)
class Link:
    """One connection: its two writers, and how many bytes of the reply may still pass before it is cut."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    reply_left: int | None = None

    def cut(self) -> None:
        """Reset both ends."""
        for writer in (self.client, self.server):
            with contextlib.suppress(OSError, AttributeError):  # it may be closed already
                connection = writer.get_extra_info("socket")
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
            writer.transport.abort()


class Proxy:
    """Hands bytes on between its `port` and that of a server on this machine. Its methods may be called by any thread.

    `delay` (seconds a piece), `rate` (bytes a second, None for as fast as it goes) and `to` (the server's port, for new
    connections) may be set at any time. `opened` counts the connections since the beginning, `lost` those
    that a marked cut ended.

    Args:
        to: the port of the server.
        certificate: a PEM file with a certificate and its key: clients then speak TLS, the server does not.
    """

    def __init__(self, to: int, certificate: Path | None = None) -> None:
        self.port = 0
        self.delay = 0.0
        self.rate: int | None = None
        self.opened = 0
        self.lost = 0
        self.to = to
        self._certificate = certificate
        self._tls: ssl.SSLContext | None = None
        self._refusing = self._closing = False
        self._flowing = asyncio.Event()
        self._cuts: list[Cut] = []
        self._links: set[Link] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)

    def lose_reply(self, marker: bytes, after: int = 0) -> None:
        """Let the next request that holds `marker` through, and cut its connection in the reply, after `after` bytes.

        The cut waits for the reply, so the server has done by then what it was asked.
        """
        self._call(lambda: self._cuts.append(Cut(marker, reply=True, after=after)))

    def lose_request(self, marker: bytes, after: int = 0) -> None:
        """Cut the connection of the next request that holds `marker`, after `after` bytes of it."""
        self._call(lambda: self._cuts.append(Cut(marker, reply=False, after=after)))

    def cut(self) -> None:
        """Reset every connection."""
        self._call(self._cut_all)

    def stall(self) -> None:
        """Hold every byte back, of new connections too: to both sides the other is there and says nothing."""
        self._call(self._flowing.clear)

    def refuse(self) -> None:
        """Reset every new connection."""
        self._refusing = True

    def heal(self) -> None:
        """Be a good proxy again."""
        self.delay, self.rate, self._refusing = 0.0, None, False
        self._call(self._cuts.clear)
        self._call(self._flowing.set)

    def __enter__(self) -> Self:
        self._thread.start()
        self._run(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(30)

    def _call(self, act: Callable[[], object]) -> None:
        """Do it in the loop, and return when it is done."""

        async def do() -> None:
            act()

        self._run(do())

    async def _listen(self) -> None:
        self._flowing.set()
        if self._certificate is not None:
            self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._tls.load_cert_chain(self._certificate)
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
        self._listener.setblocking(False)  # noqa: FBT003 - its only argument
        self.port = self._listener.getsockname()[1]
        self._accepting = asyncio.create_task(self._accept())

    async def _accept(self) -> None:
        """Take every connection. What asyncio has for this forgets one that comes in the moment in which it ends."""
        async with asyncio.TaskGroup() as serving:
            while True:
                accepted, _ = await asyncio.get_running_loop().sock_accept(self._listener)
                if self._closing:
                    accepted.close()
                    self._listener.close()
                    return
                self.opened += 1
                serving.create_task(self._serve(accepted))

    async def _close(self) -> None:
        self.delay, self.rate, self._refusing = 0.0, None, True
        self._flowing.set()
        self._closing = True
        socket.create_connection(("127.0.0.1", self.port)).close()  # wakes who accepts
        while not self._accepting.done():
            self._cut_all()
            await asyncio.wait([self._accepting], timeout=0.1)
        await asyncio.sleep(0)  # the transports close

    def _cut_all(self) -> None:
        for link in list(self._links):
            link.cut()

    async def _serve(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader()
        protocol = asyncio.StreamReaderProtocol(reader)
        try:
            transport, _ = await loop.connect_accepted_socket(lambda: protocol, accepted, ssl=self._tls)
        except OSError:
            return  # no client of TLS, or one that refused our certificate
        try:
            if not self._refusing:
                there, back = await asyncio.open_connection("127.0.0.1", self.to)
                client = asyncio.StreamWriter(transport, protocol, reader, loop)
                await self._join(Link(client, back), reader, there)
        except OSError:
            pass  # the server is away
        finally:
            transport.abort()

    async def _join(self, link: Link, reader: asyncio.StreamReader, there: asyncio.StreamReader) -> None:
        self._links.add(link)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(link, reader, link.server, self._note_request))
                pumps.create_task(self._pump(link, there, link.client, self._note_reply))
        finally:
            link.cut()
            self._links.discard(link)

    async def _pump(
        self,
        link: Link,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        note: Callable[[Link, bytes], int | None],
    ) -> None:
        """Hand on what comes from one side, until that ends or the connection is cut."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while data := await source.read(PIECE):
                await self._flowing.wait()
                most = note(link, data)
                await self._hand_on(sink, data if most is None else data[:most])
                if most is not None:
                    self.lost += 1
                    link.cut()
                    return
        sink.close()

    def _note_request(self, link: Link, data: bytes) -> int | None:
        """Return after how many bytes of the piece the connection is cut, None if it is not."""
        cut = next((cut for cut in self._cuts if cut.marker in data), None)
        if cut is None:
            return None
        self._cuts.remove(cut)
        if not cut.reply:
            return cut.after
        link.reply_left = cut.after
        return None

    def _note_reply(self, link: Link, data: bytes) -> int | None:
        if link.reply_left is None:
            return None
        if link.reply_left < len(data):
            return link.reply_left
        link.reply_left -= len(data)
        return None

    async def _hand_on(self, sink: asyncio.StreamWriter, data: bytes) -> None:
        if self.delay:
            await asyncio.sleep(self.delay)
        while data:
            rate = self.rate
            size = len(data) if rate is None else max(1, rate // PIECES_A_SECOND)
            sink.write(data[:size])
            await sink.drain()
            if rate is not None:
                await asyncio.sleep(min(size, len(data)) / rate)
            data = data[size:]
