"""Many rows: counts, refusals, and bounded memory."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers.files.text import MAX_ROW_BYTES, read_lines
from producers.gateway.bodies import LineSplitter
from tests.helpers import row
from tests.producers.gateway.conftest import LINES, RunningGateway, problem


def test_lines_are_counted_and_refused_ones_are_named(gateway: RunningGateway) -> None:
    rows = [row("lines", f"c{number}") for number in range(1200)]
    keyed: list[Any] = [{**each, "_options": {"idempotency_key": each["contactId"]}} for each in rows]
    keyed[600] = {**row("lines", "x"), "monetaryValue": "1", "_options": {"service": "crm"}}
    found = gateway.enqueue_lines(keyed).json()
    assert [found[name] for name in ("accepted", "duplicates", "refused", "last_row")] == [1199, 0, 1, 1200]
    (refusal,) = found["refusals"]
    assert refusal["row"] == 601
    assert [each["field"] for each in refusal["errors"]] == ["_options.service", "monetaryValue"]
    again = gateway.enqueue_lines(keyed[:600]).json()
    assert (again["accepted"], again["duplicates"]) == (0, 600)
    assert gateway.enqueue_lines(keyed[:600], "crm").json()["accepted"] == 600


def test_a_conflict_names_the_key_of_the_row(gateway: RunningGateway) -> None:
    def rows(name: str) -> list[Any]:
        return [{**row("batch-conflict", "a", name=name), "_options": {"idempotency_key": "my-key"}}]

    gateway.enqueue_lines(rows("a"))
    (refusal,) = gateway.enqueue_lines(rows("b")).json()["refusals"]
    assert refusal["errors"][0]["value"] == "'my-key'"


def test_only_the_first_thousand_refusals_are_returned(gateway: RunningGateway) -> None:
    found = gateway.enqueue_lines([{}] * 1500).json()
    assert (found["refused"], found["last_row"], len(found["refusals"])) == (1500, 1500, 1000)
    assert found["refusals"][-1]["row"] == 1000


@pytest.mark.parametrize("named", [{"headers": {"Idempotency-Key": "k"}}, {"params": {"job_id": "k"}}])
def test_422_for_what_is_of_one_row(gateway: RunningGateway, named: dict[str, Any]) -> None:
    found = problem(gateway.send("POST", "/v1/upserts/batch", json=[row("one-row", "a")], **named), 422, "invalid")
    ((name, value),) = next(iter(named.values())).items()
    assert [(each["field"], each["value"]) for each in found["errors"]] == [(name, f"'{value}'")]
    assert not gateway.store.lane_jobs("one-row", max_count=1).ready


def test_an_array_is_read_too(gateway: RunningGateway) -> None:
    found = gateway.send("POST", "/v1/upserts/batch", json=[row("array", "a"), 3, row("array", "b")]).json()
    assert (found["accepted"], found["refused"]) == (2, 1)
    assert found["refusals"][0]["row"] == 2


def test_an_array_may_begin_with_a_byte_order_mark(gateway: RunningGateway) -> None:
    body = b"\xef\xbb\xbf" + json.dumps([row("marked", "a")]).encode()
    answer = gateway.send("POST", "/v1/upserts/batch", data=body, headers={"Content-Type": "application/json"})
    assert answer.json()["accepted"] == 1


def test_a_lane_that_cannot_be_read_is_told_as_for_one_row(gateway: RunningGateway) -> None:
    key = gateway.store.key("lane", "unreadable")
    gateway.store.client.set(key, "text")
    alone = problem(gateway.enqueue(row("unreadable", "a")), 500, "broken")["detail"]
    found = gateway.enqueue_lines([row("readable", "a"), row("unreadable", "a")]).json()
    gateway.store.client.delete(key)
    assert (found["accepted"], found["refused"]) == (1, 1)
    assert found["refusals"] == [{"row": 2, "errors": [{"field": "", "value": "", "message": alone}]}]


def test_an_array_is_bounded_and_must_be_one(gateway: RunningGateway) -> None:
    large = gateway.send("POST", "/v1/upserts/batch", json=["x" * (1 << 20)])
    problem(large, 413, "too-large")
    broken = gateway.send("POST", "/v1/upserts/batch", data=b"[1, ", headers={"Content-Type": "application/json"})
    problem(broken, 422, "invalid")
    object_ = gateway.send("POST", "/v1/upserts/batch", json=row("array", "a"))
    problem(object_, 422, "invalid")
    problem(gateway.send("POST", "/v1/upserts/batch", data={"a": "b"}), 415, "media-type")


def test_413_beyond_the_rows_of_a_batch(gateway: RunningGateway) -> None:
    def body() -> Iterator[bytes]:
        for _ in range(1001):
            yield b"3\n" * 100

    answer = gateway.send("POST", "/v1/upserts/batch", data=body(), headers={"Content-Type": LINES})
    found = problem(answer, 413, "too-large")
    assert (found["last_row"], found["refused"]) == (100_000, 100_000)


def test_a_long_batch_needs_little_memory(gateway: RunningGateway) -> None:
    def resident() -> int:
        status = Path(f"/proc/{gateway.child.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])

    def body() -> Iterator[bytes]:
        line = json.dumps({"padding": "x" * 60_000}).encode() + b"\n"
        for _ in range(1000):
            yield line

    before = resident()
    answer = gateway.send("POST", "/v1/upserts/batch", data=body(), headers={"Content-Type": LINES})
    assert answer.json()["refused"] == 1000
    assert resident() - before < 20 << 10  # of 60 MB that were sent


class Reader:
    """A file of bytes, as `read_lines` wants one."""

    def __init__(self, data: bytes) -> None:
        self._rest = data

    def readline(self, size: int) -> bytes:
        end = self._rest.find(b"\n") + 1 or len(self._rest)
        found, self._rest = self._rest[: min(end, size)], self._rest[min(end, size) :]
        return found


@given(
    st.lists(
        st.sampled_from([b"\n", b"a", b"{}", b"\xff", b"\0", b"\r", b"\xef\xbb\xbf", b"x" * (MAX_ROW_BYTES // 2)])
    ),
    st.lists(st.integers(min_value=1, max_value=MAX_ROW_BYTES)),
)
def test_pieces_become_the_lines_of_a_file(parts: list[bytes], cuts: list[int]) -> None:
    data, splitter = b"".join(parts), LineSplitter()
    found: list[Any] = []
    rest = data
    for cut in cuts:
        found += splitter.feed(rest[:cut])
        rest = rest[cut:]
    found += splitter.feed(rest)
    found += splitter.end()
    expected = list(read_lines(Reader(data), None))  # type: ignore[arg-type]
    assert found == expected


@pytest.mark.parametrize("content_type", ["application/jsonl", "application/ndjson; charset=utf-8"])
def test_lines_have_several_content_types(gateway: RunningGateway, content_type: str) -> None:
    body = json.dumps(row("types", "a")).encode()
    answer = gateway.send("POST", "/v1/upserts/batch", data=body, headers={"Content-Type": content_type})
    assert answer.json()["accepted"] == 1
