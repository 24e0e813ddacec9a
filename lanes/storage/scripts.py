"""Assembles the scripts: keys and constants, includes, then the script."""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from hashlib import sha1
from importlib.resources import files

from lanes.errors import ScriptError
from lanes.storage.keys import KEYS, SCHEMA, lua_prelude
from lanes.versions import NEVER_MERGED_FIELDS

Argument = str | bytes | int

_INCLUDE = re.compile(r"^-- @include ([\w/]+)$")
_KEY = re.compile(r"\bkey\.(\w+)")
_LINE_IN_ERROR = re.compile(r"user_script:(\d+):")
# Constants that the scripts share with Python; each script gets those that it names.
_CONSTANTS = {
    "SCHEMA": SCHEMA,
    "NEVER_MERGED_FIELDS": "{ " + ", ".join(f"{name} = true" for name in sorted(NEVER_MERGED_FIELDS)) + " }",
}
# The Redis types of keys of all lanes, of a lane and of a job.
for _constant, _fields in {"GLOBAL_KEYS": (), "LANE_KEYS": ("location",), "JOB_KEYS": ("id",)}.items():
    _typed = (f"{name} = '{key.kind}'" for name, key in KEYS.items() if key.fields == _fields and key.kind != "channel")
    _CONSTANTS[_constant] = "{ " + ", ".join(_typed) + " }"
_TEST_CLOCK = "local now = tonumber(redis.call('GET', '{prefix}test-clock'))"


@dataclass(frozen=True)
class Script:
    """An assembled script, and the origin of each line."""

    name: str
    text: str
    origins: tuple[str, ...]

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


def load_all(prefix: str) -> None:
    """Load every script, so that a process needs no file descriptor for it later."""
    for name in names():
        load(name, prefix)


def load(name: str, prefix: str, *, test_clock: bool = False) -> Script:
    """Return the script `name` for the keys under `prefix`; its files are read once.

    With `test_clock` the time is that in the key `<prefix>test-clock`, not the clock of Redis.
    """
    return _load(name, prefix, test_clock)


@lru_cache(maxsize=256)  # it caches keyword and positional calls separately, so `load` makes them equal
def _load(name: str, prefix: str, test_clock: bool) -> Script:
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
                    lines.append(_TEST_CLOCK.format(prefix=prefix))
                    origins.append("test clock")
                else:
                    append(f"include/{include[1]}")

    try:
        append(name)
    except FileNotFoundError as error:
        message = f"no such script: {error.filename}"
        raise ScriptError(message) from error
    text = "\n".join(lines)
    used = set(_KEY.findall(text))
    if unknown := used - KEYS.keys():
        message = f"{name}: no such key: {', '.join(sorted(unknown))}; lanes/storage/keys.py has them all"
        raise ScriptError(message)
    prelude = lua_prelude(prefix, [key for key in KEYS if key in used]).splitlines()
    prelude += [f"local {constant} = {value}" for constant, value in _CONSTANTS.items() if constant in text]
    origins[:0] = [f"prelude:{number}" for number in range(1, len(prelude) + 1)]
    return Script(name, "\n".join([*prelude, *lines]) + "\n", tuple(origins))
