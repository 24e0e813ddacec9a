"""Every parser, fed with bytes: some at random, some that look right at first. `make fuzz` does it for longer."""

import json
import os

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ops.command import COMMANDS
from tests.fuzzing.command_line import LEAVES as COMMAND_LINES
from tests.fuzzing.damage import COUNTED
from tests.fuzzing.stored_state import stored_state
from tests.fuzzing.targets import SLOW, TARGETS, WHOLE

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "200"))

WORDS = [
    *("pipelineId", "locationId", "contactId", "name", "status", "monetaryValue", "followers", "_options", "_letter"),
    *("id", "event", "facts", "message", "error", "code", "statusCode", "traceId", "opportunity", "new", "succeded"),
    *("access_token", "refresh_token", "expires_in", "token", "agency", "attempts", "reason", "accepted_at", "state"),
    *("not_before", "expires_at", "event_time", "idempotency_key", "priority", "merge", "refused", "pending", "won"),
]
NUMBERS = st.one_of(st.integers(), st.floats(), st.sampled_from([2**53 + 1, 10**400, -1, 0, 1e308]))
LEAVES = st.one_of(st.none(), st.booleans(), NUMBERS, st.text(max_size=20), st.sampled_from(WORDS))
OBJECTS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.one_of(st.sampled_from(WORDS), st.text(max_size=8)), inner)
    ),
    max_leaves=12,
)
GOOD = {"pipelineId": "p", "locationId": "l", "contactId": "c"}


@st.composite
def almost_right(draw: st.DrawFn) -> bytes:
    """JSON of something, some of it with the fields of a good row, now and then with bytes knocked out."""
    value = draw(OBJECTS)
    if isinstance(value, dict):
        value = {**GOOD, **value}
    text = json.dumps(value).encode()
    if draw(st.booleans()):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.binary(max_size=3)) + text[at + 1 :]
    return text


ENV_NAMES = st.sampled_from(["LANES_REDIS_URL", "lanes_service", "LANES-MERGE", "LANE_PREFIX", "LANES_X_FILE", "OTHER"])
ENV_LINES = st.tuples(
    st.sampled_from([b"", b"export ", b"\xef\xbb\xbf", b"\xc2\xa0", b"# ", b"- ", b"set "]),
    ENV_NAMES.map(str.encode),
    st.sampled_from([b"=", b" = ", b": ", b":", b" ", b"==", b""]),
    st.sampled_from([b"'", b'"', b"redis://h", b"'a'", b"${A}", b"true # note", b"\xff", b"\\'", b"#", b""]),
    st.sampled_from([b"\n", b"\r\n", b"\r", b" ", b"\0"]),
).map(b"".join)
LINES = st.one_of(
    st.lists(st.one_of(almost_right(), st.binary(max_size=40)), max_size=4).map(b"\n".join),
    st.lists(ENV_LINES, max_size=6).map(b"".join),
)
HEADS = st.tuples(st.integers(0, 255), st.integers(0, 60)).map(bytes)
ANYTHING = st.one_of(st.binary(max_size=400), LINES, st.tuples(HEADS, LINES).map(b"".join))
DEEP = b"[" * 100_000


@pytest.mark.parametrize("target", [name for name in TARGETS if name not in WHOLE | SLOW])
@given(data=ANYTHING)
@example(data=DEEP)
@example(data=b'{"a":' * 20_000)
@example(data=b"9" * 5000)
@example(data=b"32" + DEEP)
@example(data=b'"' * 300_000)
@example(data=b"OTHER='")
@example(data=b'\x96\x00{"message": "a line\\nand\\u001b[31m another"}')
@example(data=b'{"pipelineId":"p","locationId":"l","contactId":"c","monetaryValue":1e400}')
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_a_parser_refuses_or_understands_and_nothing_else(target: str, data: bytes) -> None:
    TARGETS[target](data)


@pytest.mark.parametrize("target", WHOLE)
@given(data=st.binary(min_size=60, max_size=200))
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_command_line_or_request_is_answered_and_breaks_nothing(target: str, data: bytes) -> None:
    WHOLE[target](data)


@pytest.mark.parametrize("seed", range(int(os.environ.get("FUZZ_STATES", "8"))))
def test_whatever_is_stored_is_shown_named_and_repaired_and_the_rest_is_delivered(seed: int) -> None:
    stored_state(b"%d" % seed)
    print(dict(COUNTED))


def test_exactly_the_commands_that_end_are_run() -> None:
    names = {leaf.name for leaf in COMMAND_LINES}
    assert {"enqueue", "check", "dead replay", "dead prune", "token remove", "audit-log", "restore"} <= names
    assert COMMANDS.keys() - {name.split(" ")[0] for name in names} == {"sandbox", "dashboard", "gateway", "up", "demo"}
    assert not [each.name for leaf in COMMAND_LINES for each in leaf.options if each.name == "watch"]
