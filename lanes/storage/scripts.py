"""Assembles the scripts: keys and constants, includes, then the script."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha1
from importlib.resources import files

from lanes.errors import ScriptError
from lanes.storage.keys import KEYS, LUA_PREFIX, SCHEMA, lua_key
from lanes.versions import NEVER_MERGED_FIELDS

Argument = str | bytes | int

_INCLUDE = re.compile(r"^-- @include ([\w/]+)$")
_KEY = re.compile(r"\bkey\.(\w+)(?:\(([^()]*)\))?")
_LINE_IN_ERROR = re.compile(r"user_script:(\d+):")
# Constants that the scripts share with Python; each script gets those that it names.
_CONSTANTS = {
    "SCHEMA": f"'{SCHEMA}'",
    "NEVER_MERGED_FIELDS": "{ " + ", ".join(f"{name} = true" for name in sorted(NEVER_MERGED_FIELDS)) + " }",
}
# Replaced by a table where they stand: templates of the script's keys of all lanes, of a lane and of a job, with types.
_KEY_TABLES: dict[str, tuple[str, ...]] = {"GLOBAL_KEYS": (), "LANE_KEYS": ("location",), "JOB_KEYS": ("id",)}
_KEY_TABLE = re.compile(rf"\b({'|'.join(_KEY_TABLES)})\b")
_TEST_CLOCK = "local now = tonumber(redis.call('GET', prefix .. 'test-clock'))"


@dataclass(frozen=True)
class Script:
    """An assembled script, the origin of each line, and the names of its keys."""

    name: str
    text: str
    origins: tuple[str, ...]
    keys: frozenset[str]

    @cached_property
    def sha(self) -> str:
        """The SHA1 that identifies the script in Redis."""
        return sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def explain(self, message: str) -> str:
        """Return an error message of Redis, preceded by the file and line where it occurred."""
        found = _LINE_IN_ERROR.search(message)
        return message if found is None else f"{self.origins[int(found[1]) - 1]}: {message}"


def read(name: str) -> list[str]:
    """Return the lines of a script's file."""
    return (files("lanes") / "scripts" / f"{name}.lua").read_text("utf-8").splitlines()


def names() -> list[str]:
    """Return the names of all scripts."""
    scripts = (files("lanes") / "scripts").iterdir()
    return sorted(script.name.removesuffix(".lua") for script in scripts if script.name.endswith(".lua"))


def load_all() -> None:
    """Load every script, so that a process needs no file descriptor for it later."""
    for name in names():
        load(name)


def load(name: str, *, test_clock: bool = False) -> Script:
    """Return the script `name`, the same for every prefix: it takes the prefix from KEYS[1]. Its files are read once.

    With `test_clock` the time is that in the key `<prefix>test-clock`, not the clock of Redis.
    """
    return _load(name, test_clock)


@lru_cache(maxsize=256)  # it caches keyword and positional calls separately, so `load` makes them equal
def _load(name: str, test_clock: bool) -> Script:
    lines: list[str] = []
    origins: list[str] = []
    included: set[str] = set()

    def append(part: str) -> None:
        for number, line in enumerate(read(part), 1):
            include = _INCLUDE.match(line)
            if include is None:
                lines.append(line)
                origins.append(f"{part}.lua:{number}")
            elif include[1] not in included:
                included.add(include[1])
                if include[1] == "now" and test_clock:
                    lines.append(_TEST_CLOCK)
                    origins.append("test clock")
                else:
                    append(f"include/{include[1]}")

    try:
        append(name)
    except FileNotFoundError as error:
        message = f"no such script: {error.filename}"
        raise ScriptError(message) from error
    text = "\n".join(lines)
    keys = frozenset(found[1] for found in _KEY.finditer(text))
    text = _KEY.sub(_key_in_lua, text)
    text = _KEY_TABLE.sub(lambda found: _key_table(_KEY_TABLES[found[1]], keys), text)
    prelude = [LUA_PREFIX, *(f"local {each} = {value}" for each, value in _CONSTANTS.items() if each in text)]
    origins[:0] = [f"prelude:{number}" for number in range(1, len(prelude) + 1)]
    return Script(name, "\n".join([*prelude, text]) + "\n", tuple(origins), keys)


def _key_in_lua(found: re.Match[str]) -> str:
    """Return the Lua expression for `key.due` or `key.lane(location)`; an argument may have no parentheses."""
    name, arguments = found.groups()
    try:
        return lua_key(name, [] if arguments is None else arguments.split(", "))
    except (KeyError, ValueError) as error:
        message = f"no such key: {found[0]}; lanes/storage/keys.py has them all, with their braces"
        raise ScriptError(message) from error


def _key_table(fields: tuple[str, ...], names: frozenset[str]) -> str:
    keys = [KEYS[name] for name in sorted(names)]
    typed = (f"['{key.template}'] = '{key.kind}'" for key in keys if key.fields == fields and key.kind != "channel")
    return "{ " + ", ".join(typed) + " }"
