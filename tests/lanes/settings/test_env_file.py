"""A line of `.env` that resembles a setting is read, or is an error with its line. Other lines are skipped."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from lanes.errors import SettingsError
from lanes.settings import ProducerSettings, WorkerSettings

URL = "redis://one/0"
NOTHING: Mapping[str, str] = {}
READ = {
    "plain": b"LANES_REDIS_URL=redis://one/0",
    "a byte order mark": b"\xef\xbb\xbfLANES_REDIS_URL=redis://one/0",
    "a comment": b"LANES_REDIS_URL=redis://one/0 # note",
    "quotes and a comment": b"LANES_REDIS_URL='redis://one/0' # note",
    "export": b"export LANES_REDIS_URL=redis://one/0",
    "spaces": b"  LANES_REDIS_URL = redis://one/0  ",
    "no-break spaces": "\u00a0LANES_REDIS_URL\u00a0=\u00a0redis://one/0\u00a0".encode(),
    "line ends of Windows": b"A=1\r\nLANES_REDIS_URL=redis://one/0\r\nB=2\r\n",
    "a comment above": b"# LANES_REDIS_URL=redis://two/0\n#LANES-X: y\n; lanes_x=y\nLANES_REDIS_URL=redis://one/0",
    "text of others in Latin-1": b"NAME=\xe9\nLANES_REDIS_URL=redis://one/0",
    "lines of others": b"\nPLANES_REDIS_URL=x\nlane=1\nLANE_WIDTH=3\nA: b\nB='\nC D\nLANES_REDIS_URL=redis://one/0\n",
    "a name of others with ours in its value": b"A=LANES_REDIS_URL=x # LANES_PREFIX: y\nLANES_REDIS_URL=redis://one/0",
}
REPORTED = {
    "a colon": (b"A=1\nLANES_REDIS_URL: x", ".env:2: is not understood; write it as LANES_REDIS_URL=value"),
    "a colon without a space": (
        b"LANES_REDIS_URL:redis://h?db=1",
        ".env:1: is not understood; write it as LANES_REDIS",
    ),
    "a space": (b"A=1\r\n\r\nLANES_REDIS_URL x", ".env:3: is not understood; write it as LANES_REDIS_URL=value"),
    "no value": (b"LANES_REDIS_URL", ".env:1: is not understood"),
    "lower case": (b"lanes_redis_url=x", ".env:1: is not understood; write it as LANES_REDIS_URL=value"),
    "dashes": (b"LANES-REDIS-URL=x", ".env:1: is not understood; write it as LANES_REDIS_URL=value"),
    "dots": (b"lanes.redis.url=x", ".env:1: is not understood; write it as LANES_REDIS_URL=value"),
    "spaces in the name": (b"Lanes Redis URL = x", ".env:1: is not understood; write it as LANES_REDIS_URL=value"),
    "one letter less": (b"LANE_REDIS_URL=x", ".env:1: is not understood; write it as LANES_REDIS_URL=value"),
    "one bar less": (
        b"LANES_REDISURL_FILE=x",
        ".env:1: LANES_REDISURL_FILE: no such setting; did you mean LANES_REDIS",
    ),
    "a name not known": (b"lanes-colour=x", ".env:1: is not understood; write it as LANES_...=value"),
    "no name": (b"LANES_=x", ".env:1: is not understood; write it as LANES_...=value"),
    "a wrong name": (b"A=1\nLANES_COLOUR=x", ".env:2: LANES_COLOUR: no such setting"),
    "another shell": (b"set LANES_REDIS_URL=x", ".env:1: is not understood; write it as LANES_REDIS_URL=value"),
    "PowerShell": (b'$env:LANES_REDIS_URL="x"', ".env:1: is not understood; write it as LANES_REDIS_URL=value"),
    "bash": (b"declare -x LANES_REDIS_URL=x", ".env:1: is not understood; write it as LANES_REDIS_URL=value"),
    "YAML": (b"- LANES_REDIS_URL=x", ".env:1: is not understood; write it as LANES_REDIS_URL=value"),
    "JSON": (b'{"LANES_REDIS_URL": "x"}', ".env:1: is not understood; write it as LANES_REDIS_URL=value"),
    "an invisible space": (
        "\u200bLANES_REDIS_URL=x".encode(),
        ".env:1: is not understood; write it as LANES_REDIS_URL",
    ),
    "wide letters": (
        "\uff2c\uff21\uff2e\uff25\uff33_REDIS_URL=x".encode(),
        ".env:1: is not understood; write it as LANES_REDIS_URL=value",
    ),
    "a quote not closed": (
        b"LANES_SERVICE='a\nA=1",
        ".env:1: is not understood; write it as LANES_SERVICE=value, and close every quote",
    ),
    "quotes over a line of ours": (
        b"LANES_SERVICE='a\nLANES_REDIS_URL=x\nB='",
        ".env:1: LANES_SERVICE: must be on one line; close its quotes",
    ),
    "quotes of others over a line of ours": (
        b"B='a\nLANES_REDIS_URL=x\nC=1'",
        ".env:2: is inside the quotes of line 1; write it as LANES_REDIS_URL=value, and close every quote",
    ),
    "quotes over a line of others": (b"LANES_SERVICE='a\nB=1'", ".env:1: LANES_SERVICE: must be on one line"),
    "twice": (b"LANES_PREFIX=a\nA=1\nLANES_PREFIX=a", ".env:3: LANES_PREFIX: is also in line 1; keep one of the two"),
    "interpolation": (
        b"LANES_REDIS_URL=redis://${HOST}",
        ".env:1: LANES_REDIS_URL: must be the value itself: ${...} is",
    ),
    "quotes in quotes": (b"""LANES_SERVICE="'a'" """, ".env:1: LANES_SERVICE: must be without the quotes around it"),
    "a line end of another kind": (
        "A=1\u2028LANES_REDIS_URL=x".encode(),
        ".env:2: is inside the quotes of line 1; write it as LANES_REDIS_URL=value",
    ),
    "Latin-1": (b"LANES_SERVICE=\xe9", ".env:1: LANES_SERVICE: must be UTF-8"),
    "a wrong value": (b"A=1\nLANES_MERGE=perhaps", ".env:2: LANES_MERGE: must be true or false (it is 'perhaps')"),
    "UTF-16": (
        "LANES_REDIS_URL=x".encode("utf-16"),
        ".env: '.env' cannot be read: it is UTF-16 or no text; save it as",
    ),
    "UTF-16 without a mark": ("LANES_X=x".encode("utf-16-le"), ".env: '.env' cannot be read: it is UTF-16 or no text"),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def load(content: bytes = b"", environ: Mapping[str, str] = NOTHING) -> ProducerSettings:
    if content:
        Path(".env").write_bytes(content)
    return ProducerSettings.load(environ)


@pytest.mark.parametrize("content", READ.values(), ids=READ)
def test_a_line_is_read(content: bytes) -> None:
    assert load(content).redis_url == URL


@pytest.mark.parametrize(("content", "reported"), REPORTED.values(), ids=REPORTED)
def test_a_line_that_is_not_read_is_an_error_with_its_number(content: bytes, reported: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(content)
    assert str(error.value).startswith(reported)
    assert len(str(error.value).splitlines()) == 1
    assert "'x'" not in str(error.value)


def test_an_empty_value_is_the_default() -> None:
    assert load(b"LANES_REDIS_URL=\nLANES_SERVICE=''\nLANES_MERGE= # no\n") == ProducerSettings()


def test_the_image_of_docker_compose_is_no_setting() -> None:
    assert load(b"LANES_IMAGE_TAG=1.2\n") == ProducerSettings()


def test_a_folder_is_an_error_unless_it_is_a_virtual_environment() -> None:
    Path(".env").mkdir()
    with pytest.raises(SettingsError, match=r"^\.env: '\.env' cannot be read: Is a directory$"):
        load()
    Path(".env/pyvenv.cfg").touch()
    assert load() == ProducerSettings()


def test_a_link_to_nothing_is_an_error() -> None:
    Path(".env").symlink_to("gone")
    with pytest.raises(SettingsError, match=r"^\.env: '\.env' cannot be read: No such file or directory$"):
        load()


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("lanes_redis_url", "LANES_REDIS_URL"),
        ("LANE_API_TOKEN_FILE", "LANES_API_TOKEN_FILE"),
        ("LANES-REDIS-URL", "LANES_REDIS_URL"),
        ("LANESREDISURL", "LANES_REDIS_URL"),
        ("Lanes_Colour", "LANES_..."),
    ],
)
def test_a_variable_of_the_environment_that_resembles_a_setting(name: str, meant: str) -> None:
    with pytest.raises(SettingsError) as error:
        load(b"", {name: "secret", "PLANES_X": "1", "LANE": "2", "AIRLANES_REDIS_URL": "3"})
    assert str(error.value) == f"{name}: is not read; write it as {meant}"


@pytest.mark.parametrize("quotes", ["''", '""', "``"])
def test_quotes_that_another_reader_kept(quotes: str) -> None:
    reported = "^LANES_REDIS_URL: must be without the quotes around it"
    Path("url").write_text(f"{quotes[0]}{URL}{quotes[1]}\n", "utf-8")
    for environ in ({"LANES_REDIS_URL": quotes[0] + URL + quotes[1]}, {"LANES_REDIS_URL_FILE": "url"}):
        with pytest.raises(SettingsError, match=reported):
            load(b"", environ)


def test_a_value_file_has_a_mark_or_is_utf_16() -> None:
    Path("url").write_bytes(b"\xef\xbb\xbfredis://one/0\r\n")
    assert load(b"", {"LANES_REDIS_URL_FILE": "url"}).redis_url == URL
    Path("url").write_bytes(URL.encode("utf-16"))
    with pytest.raises(SettingsError, match=r"^LANES_REDIS_URL_FILE: 'url' cannot be read: it is UTF-16 or no text"):
        load(b"", {"LANES_REDIS_URL_FILE": "url"})


def test_everything_wrong_is_told_at_once() -> None:
    Path(".env").write_bytes(b"LANES_REDIS_URL: x\nLANES_COLOUR=1\nLANES_MAX_ATTEMPTS=many\nLANES_LOG_LEVEL=loud\n")
    environ = {
        "lanes_prefix": "x",
        "LANES_SECRET_KEY_FILE": "gone",
        "LANES_LEASE_SECONDS": "-1",
        "LANES_API_TOKEN": "<t>",
    }
    with pytest.raises(SettingsError) as error:
        WorkerSettings.load(environ)
    assert sorted(str(error.value).splitlines()) == sorted(
        [
            "lanes_prefix: is not read; write it as LANES_PREFIX",
            ".env:1: is not understood; write it as LANES_REDIS_URL=value",
            next(line for line in str(error.value).splitlines() if line.startswith(".env:2: LANES_COLOUR: no such")),
            "LANES_SECRET_KEY_FILE: 'gone' cannot be read: No such file or directory",
            ".env:3: LANES_MAX_ATTEMPTS: must be a whole number (it is 'many')",
            ".env:4: LANES_LOG_LEVEL: must be debug, info, warning or error (it is 'loud')",
            "LANES_LEASE_SECONDS: must be 0.001 or more (it is '-1')",
            "LANES_API_TOKEN: must be a real value, not a placeholder: copy it from HighLevel",
        ]
    )
