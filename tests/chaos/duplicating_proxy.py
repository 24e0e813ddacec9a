"""The line to the API, which can hand on an answer twice."""

import asyncio

from tests.proxy import Proxy

ANSWER = b"HTTP/1."


class DuplicatingProxy(Proxy):
    """A proxy that, with `duplicate` set, hands on every piece that begins an answer two times over."""

    duplicate = False

    async def _hand_on(self, sink: asyncio.StreamWriter, data: bytes) -> None:
        await super()._hand_on(sink, 2 * data if self.duplicate and data.startswith(ANSWER) else data)
