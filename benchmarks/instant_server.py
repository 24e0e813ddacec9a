"""A server that costs next to nothing, so that the client is measured: `... -m benchmarks.instant_server PORT SECONDS`.

HTTP/1.1 with kept connections. Every POST gets the same 201, at once or after a latency; every GET the tally of the
POSTs so far.
"""

import asyncio
import json
import re
import sys
import time
import urllib.error
import urllib.request
from dataclasses import asdict, dataclass

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
# As long as a real one, without the fields that a worker holds against its upsert: the answer is the same to each.
_OPPORTUNITY = {
    "new": True,
    "opportunity": {
        "id": "yWQobCRIhRguQtD2llvk",
        "name": "Deal of the spring campaign",
        "source": "VDm7RPYC2GLUvdpKmBfC",
        "pipelineStageId": "e93ba61a7b3e43b4a3b1",
        "status": "open",
        "assignedTo": "mTkSCb1UBjb5tk4OvB69",
        "lostReasonId": "ve9EPM428h8vShlRW1KT",
        "monetaryValue": 1200,
        "createdAt": "2026-08-03T04:55:17.000Z",
        "updatedAt": "2026-08-03T04:55:17.000Z",
    },
    "traceId": "0c52e980-41f6-4be7-8c4c-1b2c1a2f9a3f",
}
_LIMITS = {
    "X-RateLimit-Max": 1_000_000,
    "X-RateLimit-Remaining": 999_999,
    "X-RateLimit-Interval-Milliseconds": 10_000,
    "X-RateLimit-Limit-Daily": 1_000_000_000,
    "X-RateLimit-Daily-Remaining": 999_999_999,
    "X-RateLimit-Daily-Reset": 86_000_000,
}


def _answer(status: str, content: object, headers: dict[str, int]) -> bytes:
    body = json.dumps(content, separators=(",", ":")).encode()
    lines = [f"HTTP/1.1 {status}", "Content-Type: application/json; charset=utf-8", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


CREATED = _answer("201 Created", _OPPORTUNITY, _LIMITS)


@dataclass
class Tally:
    """How many upserts came, and when the first and the last one did, in seconds."""

    count: int = 0
    first: float = 0.0
    last: float = 0.0

    def note(self) -> None:
        """One more."""
        self.last = time.monotonic()
        self.first = self.first or self.last
        self.count += 1

    def answer(self) -> bytes:
        """Return it as a response."""
        return _answer("200 OK", asdict(self), {})

    @property
    def rate(self) -> float:
        """Upserts a second, from the first to the last."""
        return self.count / (self.last - self.first)


def read_tally(url: str) -> Tally | None:
    """Return what the server at this URL saw so far, None while it does not answer."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return Tally(**json.load(answer))
    except (urllib.error.URLError, OSError):
        return None


class InstantProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(self, tally: Tally, latency: float) -> None:
        self._tally = tally
        self._latency = latency
        self._buffer = b""
        self._needed = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each request that is complete."""
        self._buffer += data
        while len(self._buffer) > self._needed:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return
            length = _LENGTH.search(self._buffer, 0, end)
            size = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < size:
                self._needed = size - 1
                return
            self._respond()
            self._buffer = self._buffer[size:]
            self._needed = 0

    def _respond(self) -> None:
        if self._buffer.startswith(b"POST "):
            self._tally.note()
            if self._latency:
                asyncio.get_running_loop().call_later(self._latency, self._transport.write, CREATED)
            else:
                self._transport.write(CREATED)
        else:
            self._transport.write(self._tally.answer())


async def serve(port: int, latency: float) -> None:
    """Serve this machine until the process is ended; each upsert takes `latency` seconds."""
    tally = Tally()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: InstantProtocol(tally, latency), "127.0.0.1", port, backlog=1024)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2])))
