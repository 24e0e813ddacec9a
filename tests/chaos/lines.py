"""The line to the API, which can hand on an answer twice."""

import asyncio

from tests.proxy import Proxy

ANSWER = b"HTTP/1."


class TwiceProxy(Proxy):
    """A proxy that, with `twice` set, hands on every piece that begins an answer two times over."""

    twice = False

    async def _hand_on(self, sink: asyncio.StreamWriter, data: bytes) -> None:
        await super()._hand_on(sink, 2 * data if self.twice and data.startswith(ANSWER) else data)
