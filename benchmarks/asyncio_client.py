"""The least that sending costs: `python -m benchmarks.asyncio_client URL COUNT LOCATIONS SLOTS`, with no queue at all.

One asyncio loop keeps a connection for each slot and sends one upsert after the other on it. Its last line is the user
and system time of the sending in seconds.
"""

import asyncio
import json
import os
import ssl
import sys
import time
from collections.abc import Iterator
from urllib.parse import urlsplit

from benchmarks.bodies import Body, make_bodies
from benchmarks.upsert import CERTIFICATE, HEADERS, PATH

CREATED = b" 201 "


async def send_all(url: str, bodies: list[Body], slots: int) -> None:
    """Send them all, at most `slots` at a time."""
    waiting, certificate = iter(bodies), os.environ.get(CERTIFICATE)
    context = ssl.create_default_context(cafile=certificate) if certificate else None
    await asyncio.gather(*(_slot(url, context, waiting) for _ in range(min(slots, len(bodies)))))


async def _slot(url: str, context: ssl.SSLContext | None, waiting: Iterator[Body]) -> None:
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, ssl=context)
    head = [f"POST {PATH} HTTP/1.1", f"Host: {address.netloc}", "Content-Type: application/json"]
    head += [f"{name}: {value}" for name, value in HEADERS.items()]
    for body in waiting:
        content = json.dumps(body, separators=(",", ":")).encode()
        writer.write("\r\n".join([*head, f"Content-Length: {len(content)}", "", ""]).encode() + content)
        await _read_answer(reader)
    writer.close()


async def _read_answer(reader: asyncio.StreamReader) -> None:
    """Read one answer as a client must: status, headers, JSON.

    Raises:
        ValueError: it is no success.
    """
    status, *lines = (await reader.readuntil(b"\r\n\r\n")).split(b"\r\n")
    if CREATED not in status:
        raise ValueError(status)
    headers = dict(line.lower().split(b": ", 1) for line in lines if line)
    json.loads(await reader.readexactly(int(headers[b"content-length"])))


def main() -> None:
    """Send them all."""
    url, count, locations, slots = sys.argv[1:]
    bodies = make_bodies(int(count), int(locations))
    started = time.process_time()
    asyncio.run(send_all(url, bodies, int(slots)))
    print(time.process_time() - started)


if __name__ == "__main__":
    main()
