"""A proxy to the API that can send an answer twice."""

import asyncio

from tests.proxy import Proxy

ANSWER = b"HTTP/1."


class DuplicatingProxy(Proxy):
    """A proxy that, with `duplicate` set, sends the first chunk of every answer twice."""

    duplicate = False

    async def _hand_on(self, sink: asyncio.StreamWriter, data: bytes) -> None:
        await super()._hand_on(sink, 2 * data if self.duplicate and data.startswith(ANSWER) else data)
