"""A receiver of notifications: a real HTTP server with faults on demand."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Received:
    """One request as it came; `answer` is what it got."""

    headers: Mapping[str, str]
    body: bytes
    answer: str


class Receiver:
    """Answers with the next of `answers`, and when none is left with 204.

    A number is a status; `hang` answers nothing for a long time, `drip` a header byte by byte, `cut` closes at once.
    """

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.received: list[Received] = []
        self._ended = threading.Event()
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                answer = receiver.answers.pop(0) if receiver.answers else "204"
                receiver.received.append(Received(dict(self.headers.items()), body, answer))
                receiver.answer(self, answer)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/notifications?key=secret-of-the-url"

    def answer(self, handler: BaseHTTPRequestHandler, answer: str) -> None:
        handler.close_connection = True
        if answer.isdigit():
            handler.send_response(int(answer))
            if answer.startswith("3"):
                handler.send_header("Location", self.url)
            handler.end_headers()
        elif answer == "hang":
            self._ended.wait(60)
        elif answer == "drip":
            handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
            deadline = time.monotonic() + 60
            while time.monotonic() < deadline and not self._ended.wait(0.05):
                try:
                    handler.wfile.write(b"x")
                except OSError:
                    return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
