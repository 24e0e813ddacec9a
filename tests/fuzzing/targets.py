"""What is fed with bytes: each target reads them as one parser of ours does, and fails on what must never be.

A parser may refuse; how it may is said here. Hypothesis feeds them in `test_targets.py`, atheris in `python -m
tests.fuzzing`.
"""

import contextlib
import gzip
import json
import tempfile
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from urllib.parse import parse_qsl

from lanes.errors import RedisUnavailableError, SettingsError, StoredJobError
from lanes.queue.job import Attempt, Job
from lanes.queue.notification import Notification
from lanes.settings import ProducerSettings, WorkerSettings
from lanes.settings.bare_secret import check_secret
from lanes.settings.redis_url import check_redis_url
from lanes.storage.durability import Durability
from lanes.urls import check_api_url, check_url
from lanes.versions import ApiVersion
from ops import redis_backup
from producers.errors import InvalidJobError
from producers.files.dead_letters import read_dead_letter
from producers.files.rows import FieldMapping, FileRow, Format, read_rows
from producers.gateway.bodies import LineSplitter
from producers.gateway.long_polls import MAX_SECONDS, preferred_wait
from producers.gateway.problems import problem_of
from producers.gateway.rows import check_service, read_row, with_key
from producers.new_job import make_new_job
from producers.receipt import FieldError
from tests.fuzzing.command_line import command_line
from tests.fuzzing.pages import pages
from tests.fuzzing.stored_state import stored_state
from worker.dashboard.dead_letters.query import DeadLetterQuery
from worker.dashboard.lanes.table import LaneTableQuery
from worker.highlevel.envelope import MAX_MESSAGE
from worker.highlevel.outcomes import Answer, OutcomeKind, classify
from worker.highlevel.rate_limits import MAX_NUMBER, read_rate_limits
from worker.highlevel.redaction import redact_answer
from worker.tokens.credential import Credential, CredentialError, read_credential
from worker.tokens.oauth import Grant, classify_grant

MAPPING = FieldMapping(
    columns={"Deal": "name", "Value": "monetaryValue"}, numbers="de", defaults={"locationId": "loc"}, for_enqueue=True
)
GOOD_LINES = b'{"pipelineId":"p","locationId":"l","contactId":"c"}\n' * 20
GATEWAY_SETTINGS = ProducerSettings(service="billing")
NOW = 1_800_000_000.0


def check_message(problem: FieldError) -> None:
    """The report about a row is one printable line of bounded length."""
    line = str(problem)
    assert line.isprintable(), repr(line)
    assert len(line) < 4000


def take(row: FileRow) -> None:
    """Validate a row as an enqueue does: every error is reported, and a valid row gives a body for the API."""
    for problem in row.field_errors:
        check_message(problem)
    if row.field_errors:
        return
    for version in ApiVersion:
        try:
            order = make_new_job(row.value, version_of=lambda _, version=version: version)  # type: ignore[misc]
        except InvalidJobError as error:
            assert error.field_errors
            for problem in error.field_errors:
                check_message(problem)
            continue
        body = json.loads(order.body)
        assert body["locationId"] == order.location_id
        assert " " not in order.location_id + order.record


def rows(data: bytes, form: Format) -> None:
    """Rows of a file: numbered by its lines or elements, in order, each refused or taken, and kept for a copy."""
    lines = data.count(b"\n") + 1
    before = 0
    unreadable = False
    copied = bytearray()
    for row in read_rows(BytesIO(data), form, MAPPING, copied.extend):
        assert not unreadable
        assert before < row.number <= row.last_line
        assert (row.array_line or row.number) <= lines + row.unreadable
        before, unreadable = row.number, row.unreadable
        take(row)
    assert unreadable or data.lstrip(b"\xef\xbb\xbf \t\r\n\v\f").startswith(b"[") or copied == data


def array(data: bytes) -> None:
    """Rows in a JSON array, that may be broken."""
    rows(b"[" + data, "jsonl")
    rows(b"[" + data.replace(b"\n", b",") + b"]", "jsonl")


def compressed(data: bytes) -> None:
    """Rows in a gzip file, that may be damaged."""
    found = list(read_rows(BytesIO(gzip.compress(data, mtime=0)), "jsonl"))
    assert found == list(read_rows(BytesIO(data), "jsonl")) or data.startswith(b"\x1f\x8b")
    for row in read_rows(BytesIO(gzip.compress(GOOD_LINES, mtime=0)[:12] + data), "jsonl"):
        take(row)


def json_lines(data: bytes) -> None:
    """Rows in JSON Lines."""
    rows(data, "jsonl")


def comma_separated(data: bytes) -> None:
    """Rows in CSV, below a header and without one."""
    rows(data, "csv")
    rows(b"pipelineId,locationId,contactId,monetaryValue,_options.not_before,name\n" + data, "csv")
    rows(b"sep=;\nDeal;Value;pipelineId;;contactId\n" + data, "csv")


def dead_letters(data: bytes) -> None:
    """Dead letters that are restored."""
    for row in read_rows(BytesIO(data), "jsonl"):
        if not row.field_errors:
            try:
                dead_letter = read_dead_letter(row)
            except InvalidJobError as error:
                for problem in error.field_errors:
                    check_message(problem)
            else:
                for attempt in dead_letter.attempts:
                    assert Attempt.parse(attempt.line().encode()).number == attempt.number


def answers(data: bytes) -> None:
    """An answer of the API: the first byte is its status, the second says where headers end."""
    if len(data) < 2:
        return
    status = 100 + 2 * data[0]
    head, body = data[2 : 2 + data[1]], data[2 + data[1] :]
    lines = (line.partition(":") for line in head.decode("latin-1").split("\n"))
    answer = Answer(status, {name.strip().lower(): value.strip() for name, _, value in lines}, body)
    answer = redact_answer(answer, ("secret",))
    outcome = classify(answer, 10.0, data[::-1])
    assert len(outcome.message or "") <= MAX_MESSAGE + 1
    for reported in (outcome.message, outcome.code, outcome.trace_id, outcome.opportunity_id, outcome.warning):
        assert reported is None or reported.isprintable(), repr(reported)
    assert outcome.wait is None or 0 <= outcome.wait <= 90_000
    assert (outcome.kind in {OutcomeKind.DELIVERED, OutcomeKind.UNCONFIRMED}) <= (200 <= status < 300), outcome
    for reported in (outcome.message, outcome.code, outcome.trace_id, outcome.opportunity_id):
        assert "secret" not in (reported or "").replace("[secret]", "").lower(), repr(reported)
    grant = classify_grant(answer, ("secret",), pair=True)
    if isinstance(grant, Grant):
        assert 200 <= status < 300
        assert grant.access_token.isprintable()
        assert " " not in grant.access_token + grant.refresh_token


def rate_limits(data: bytes) -> None:
    """The rate limit headers."""
    names = ("max", "remaining", "interval-milliseconds", "limit-daily", "daily-remaining", "daily-reset")
    values = data.decode("latin-1").split("\n")
    limits = read_rate_limits({f"x-ratelimit-{name}": value for name, value in zip(names, values, strict=False)})
    for value in limits or ():
        assert value is None or 0 <= value <= MAX_NUMBER
    if limits is not None and limits.burst is not None and limits.left is not None:
        assert limits.left <= limits.burst


def stored(data: bytes) -> None:
    """What is read back from Redis: lines of `name value`, the body, an attempt, a notification, all the same bytes."""
    fields = dict(line.split(b" ", 1) for line in data.split(b"\n") if b" " in line)
    known = {b"state": b"pending", b"location": b"loc", b"record": b"r", b"accepted_at": b"1"}
    for read in (
        lambda: json.dumps(Job.parse("job", {**known, **fields}, None, [], None).as_json()),
        lambda: json.dumps(Job.parse("job", known, data, [data], data).as_json()),
        lambda: Attempt.parse(data).line(),
        lambda: Notification.parse(data, b"new", 1),
    ):
        try:
            read()
        except StoredJobError as error:
            assert str(error).isprintable()
            assert len(str(error)) < 500


def credentials(data: bytes) -> None:
    """A credential that a person stores."""
    try:
        credential = read_credential(data.decode("utf-8", "replace"), 1.0)
    except CredentialError as error:
        assert len(str(error)) < 500
    else:
        assert Credential.parse(credential.as_json()) == credential


def settings(data: bytes) -> None:
    """Settings of the environment, one a line, those of a file `.env`, and what they are made of."""
    text = data.decode("utf-8", "replace").replace("\0", "")
    pairs = (line.partition("=") for line in text.split("\n"))
    known = list(WorkerSettings.model_fields)
    environ = {f"LANES_{known[index % len(known)].upper()}": value for index, (_, _, value) in enumerate(pairs)}
    load_settings(environ, None)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, ".env")
        file.write_bytes(data)
        load_settings({}, file)
        # A line of ours is read or reported, whatever is around it.
        file.write_bytes(data + b"\nLANES_SERVICE=fuzzed\n" + data)
        loaded = load_settings({}, file)
        assert loaded is None or loaded.service == "fuzzed"
    for check in (Durability.parse, check_url, check_api_url, check_redis_url, check_secret):
        try:
            check(text)
        except ValueError as error:
            assert str(error).startswith("must ")
            assert len(str(error)) < 1000


def load_settings(environ: Mapping[str, str], env_file: Path | None) -> WorkerSettings | None:
    """Return the settings, or None if they are reported as wrong."""
    try:
        return WorkerSettings.load(environ, env_file=env_file)
    except SettingsError as error:
        assert str(error)
        assert "nput should" not in str(error)
        return None


def filters(data: bytes) -> None:
    """What the pages of lanes and dead letters read from a URL and write into the next one."""
    given = dict(parse_qsl(data.decode("utf-8", "replace"), max_num_fields=None))
    wanted = DeadLetterQuery.read(given)
    again = DeadLetterQuery.read(wanted.as_query())  # in whole seconds
    assert DeadLetterQuery.read(again.as_query()) == again
    assert not again.problems
    assert str(wanted).startswith("dead letters")
    assert "\n" not in wanted.url()
    assert wanted.time_range(NOW).until <= NOW
    query = LaneTableQuery.parse(given)
    assert LaneTableQuery.parse(dict(parse_qsl(query.query_string()))) == query


def backups(data: bytes) -> None:
    """Redis's reply for a backup, and the backup file; its completeness is checked without reading it all."""
    with contextlib.suppress(RedisUnavailableError):
        assert sum(map(len, redis_backup.data_of(BytesIO(data)))) < len(data)
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        with contextlib.suppress(redis_backup.BackupError):
            redis_backup.check(Path(file.name))
            assert data.startswith(redis_backup.MAGIC)


def gateway(data: bytes) -> None:
    """The headers and bodies of the gateway: a row, or lines in pieces, whatever the pieces."""
    head, _, body = data.partition(b"\n")
    header = head.decode("latin-1")
    assert 0 <= preferred_wait(header) <= MAX_SECONDS
    try:
        row = with_key(read_row(body), [header] if header else [])
        check_service(row, "billing", GATEWAY_SETTINGS)
        make_new_job(row)
    except InvalidJobError as error:
        assert error.field_errors
        for problem in error.field_errors:
            check_message(problem)
        assert json.loads(bytes(problem_of(error).response().body))["status"] == 422
    pieces, whole = LineSplitter(), LineSplitter()
    size = max(1, len(head))
    found = [line for at in range(0, len(body), size) for line in pieces.feed(body[at : at + size])]
    assert [*found, *pieces.end()] == [*whole.feed(body), *whole.end()]


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        json_lines,
        comma_separated,
        array,
        compressed,
        dead_letters,
        answers,
        rate_limits,
        stored,
        credentials,
        settings,
        filters,
        backups,
        gateway,
    )
}
# These need a Redis, which they start, and take milliseconds for each input.
WHOLE: dict[str, Callable[[bytes], None]] = {target.__name__: target for target in (command_line, pages)}
# An input takes about a second.
SLOW: dict[str, Callable[[bytes], None]] = {target.__name__: target for target in (stored_state,)}
TARGETS |= WHOLE | SLOW
