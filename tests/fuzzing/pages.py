"""The dashboard's own pages, with addresses and forms that none of our pages sends."""

import contextlib
import functools
import json
import re
from collections.abc import Callable, Sequence
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from tornado.web import url

from tests.fuzzing.pieces import MARK, NASTY, Pieces
from tests.fuzzing.seeded_redis import SECRET, State, seeded_redis
from tests.fuzzing.site import LOGIN, PREFIX, USUAL, Answer, Asked, site, token
from worker.dashboard.dead_letters.list_page import QUERY_PARAMETERS
from worker.dashboard.page import Change, Page
from worker.dashboard.routes import handlers

# How it may look in HTML: neither the beginning of the mark nor its quotes as they are.
RAW_MARKS = (b"<xss", b"xss\"'")
# Whoever has no token sends no cookie either: who can set one for us is no stranger.
HEADERS = ("Authorization", "Host", "Origin", "Sec-Fetch-Site", "Content-Type", "X-Forwarded-For", "Accept-Language")
HEADER_VALUES = (LOGIN, "Basic /w==", "Basic !", "same-origin", "cross-site", "null", "[::1")
METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS")
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
# What pages read out of their addresses, by their names.
TABLE = ("search", "show", "sort", "direction", "page", "rows")
READ = {
    "dead_letters": QUERY_PARAMETERS,
    "dead_letters_data": QUERY_PARAMETERS,
    "lanes": TABLE,
    "lanes_data": TABLE,
    "job_by_id": ("id",),
    "audit_log_data": ("who", "what", "before"),
    "lane_data": ("location", "ready", "delayed"),
    "lanes_held": ("held_by", "cause", "reason"),
    "job_data": ("id",),
    "lane_series": ("location",),
}
TIMES = ("2026-05-01T07:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "1969-12-31", "9999-12-31")
NUMBERS = ("5", "0", "-1", "²", "1e9", "9" * 5000, "9" * 9, "18446744073709551616")
KINDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(("from", "to"), TIMES),
    **dict.fromkeys(("status", "page", "size", "rows", "ready", "delayed", "burst", "daily", "weight"), NUMBERS),
    "before": ("1-1", "18446744073709551616-1", "99999999999999999999-0", f"{'9' * 5000}-1", "1-²"),
}
NAMES = (
    *dict.fromkeys(
        (*QUERY_PARAMETERS, *TABLE, "id", "ids", "query", "held_at", "burst", "daily", "weight", "verb", "of")
    ),
    *("force", "format", "given", "read", "cells", "text", "check", "replay", "v", "name", "_xsrf", "since"),
)
BROKEN = ("[" * 100_000, '{"a":' * 5000, "9" * 5000, "NaN", "[]", "", '{"id": 1e999}', '"\\ud800"', '{"given": ')
BODY = '{"pipelineId": "pipe", "locationId": "loc", "contactId": "contact0", "name": "new"}'
# What a page of ours would send, by the name of its address; from there it goes wrong.
SENT: dict[str, dict[str, Any]] = {
    "lane_hold": {"location": "loc", "reason": "why"},
    "lanes_hold_all": {"reason": "why"},
    "lane_limit": {"location": "loc", "burst": "5"},
    "lanes_resume_held": {"lanes": [{"location": "held", "held_at": 1.5}]},
    "job_reveal": {"id": "letter0"},
    "job_cancel": {"id": "letter0"},
    "dead_letter_runs": {"verb": "purge", "query": {"location": "loc", "to": "2026-05-01T07:00"}},
    "dead_letters_export": {"format": "csv", "ids": ["letter0"]},
    "dead_letter_change": {"text": BODY, "check": True},
}
TEXTS = ("422", "refused", "failed_at", "up", "15m", "csv", "jsonl", "2026-05-01T07:00", "held", "1-1", "5")
VALUES = (*TEXTS, BODY, *NASTY)


@functools.cache
def routes() -> tuple[url, ...]:
    """Return our pages; Flower's API is not ours and asks for no token."""
    return tuple(route for route in handlers() if issubclass(route.handler_class, Page))


class Asking:
    """Makes requests of bytes; remembers what was answered, for the next one."""

    def __init__(self, pieces: Pieces) -> None:
        self._pieces = pieces
        self._told: list[str] = []

    def remember(self, answer: Answer) -> None:
        """Keep the texts of an answer in JSON: ids of runs, digests, when a lane was held."""
        with contextlib.suppress(ValueError, RecursionError):
            found = json.loads(answer.body)
            if isinstance(found, dict):
                self._told += [found[name] for name in ("id", "read") if isinstance(found.get(name), str)]

    def request(self) -> Asked:
        """Return the next request."""
        pieces = self._pieces
        route = pieces.one_of(routes())
        path = re.sub(r"\([^)]*\)", lambda _: self._quoted(self._one()), route.regex.pattern.rstrip("$"))
        if pieces.number(8) == 0:
            path += self._quoted(self.text())
        names = pieces.one_of((READ.get(route.name or "", NAMES), NAMES))
        query = [self._named(names) for _ in range(pieces.number(4))]
        asked = Asked("POST" if issubclass(route.handler_class, Change) else "GET", PREFIX + path, dict(USUAL))
        if pieces.number(8) == 0:
            asked.method = pieces.one_of(METHODS)
        if query:
            asked.path += "?" + urlencode(query, errors="surrogatepass")
        asked.allowed = bool(pieces.number(4))
        if asked.allowed:
            asked.headers |= token()
        if asked.method not in ("GET", "HEAD"):
            asked.headers["Content-Type"], asked.body = self._content(route)
        if pieces.number(8) == 0:
            asked.headers[pieces.one_of(HEADERS)] = self._header_value()
        return asked

    def text(self) -> str:
        """Return a text, known or not."""
        kind = self._pieces.number(8)
        if kind < 2:
            return (MARK if kind else "") + self._pieces.some().decode("utf-8", "replace")
        return self._pieces.one_of([*seeded_redis().known, *VALUES, *self._told[-4:]])

    def _quoted(self, text: str) -> str:
        """Return a text as a part of a path; slashes and dots are left, and now and then all that is no control."""
        if self._pieces.number(8) == 0:
            return re.sub(r"[\s\x00-\x20]", "_", text).encode("utf-8", "replace").decode()
        return quote(text, safe="/", errors="surrogatepass")

    def _header_value(self) -> str:
        if self._pieces.number(2):
            return self._pieces.one_of(HEADER_VALUES)
        return re.sub(r"[\x00-\x1f\x7f]", "_", self.text())

    def _named(self, names: Sequence[str]) -> tuple[str, str]:
        """Return a name and a value that may be meant for it."""
        name = self._pieces.one_of(names)
        return name, self._pieces.one_of(KINDS[name]) if name in KINDS and self._pieces.number(4) else self.text()

    def _one(self) -> str:
        """Return what may be the name of something: mostly, it is."""
        return self._pieces.one_of(seeded_redis().known) if self._pieces.number(4) else self.text()

    def _content(self, route: url) -> tuple[str, bytes]:
        kind = self._pieces.number(8)
        if kind == 0:
            return JSON, self._pieces.some()
        if kind == 1:
            return JSON, self._pieces.one_of(BROKEN).encode()
        values = dict(SENT.get(route.name or "", {}))
        for _ in range(self._pieces.number(4)):
            names = self._pieces.one_of((list(values) or NAMES, NAMES))
            values[self._pieces.one_of(names)] = self._value()
        given = json.dumps(values)
        as_form = (route.name == "letters_export") is (kind > 2)
        return (FORM, urlencode({"given": given}).encode()) if as_form else (JSON, given.encode())

    def _value(self) -> Any:
        """Return a value of JSON."""
        makers: tuple[Callable[[], Any], ...] = (
            self.text,
            self.text,
            self.text,
            lambda: self._pieces.number(256),
            lambda: self._pieces.one_of((None, True, False, 1e308, float("nan"), 2**64, -0.0)),
            lambda: [self.text() for _ in range(self._pieces.number(4))],
            lambda: dict(self._named(QUERY_PARAMETERS) for _ in range(self._pieces.number(4))),
            dict,
        )
        return makers[self._pieces.number(len(makers))]()


def pages(data: bytes) -> None:
    """Up to three requests, one after the other."""
    pieces = Pieces(data)
    asking = Asking(pieces)
    with site().behaving(password=pieces.number(4) == 0):
        try:
            for _ in range(1 + pieces.number(3)):
                before = seeded_redis().state()
                asked = asking.request()
                answer = site().ask(asked)
                check(asked, answer, before, seeded_redis().state())
                if answer is not None:
                    asking.remember(answer)
        finally:
            site().noted.records.clear()
            seeded_redis().put_back()


def check(asked: Asked, answer: Answer | None, before: State, after: State) -> None:
    """See that an answer is what may be answered."""
    reported = f"{asked} -> {answer}"
    assert site().noted.records == [], f"{reported}\n{site().noted.records}"
    if not asked.allowed or asked.method != "POST":
        assert before == after, f"{reported} changed something"
    if answer is None:
        return
    assert answer.status < 500, reported
    assert SECRET.encode() not in answer.body, reported
    names = {name.lower() for name, _ in answer.headers}
    assert "x-split" not in names, reported
    where = urlsplit(answer.header("Location"))
    assert not where.netloc, reported
    assert answer.header("Location").lstrip()[:1] in ("", "/"), reported
    kind = answer.header("Content-Type")
    if kind.startswith("text/html"):
        for mark in RAW_MARKS:
            assert mark not in answer.body, reported
    elif kind.startswith(JSON):
        assert answer.header("X-Content-Type-Options") == "nosniff", reported
        json.loads(answer.body or b"null", parse_constant=not_json)


def not_json(name: str) -> None:
    """Refuse what is in no JSON that a browser reads."""
    raise AssertionError(name)
