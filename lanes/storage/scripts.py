"""Puts the scripts together: keys and constants, the shared steps that a script includes, then the script itself."""

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
# What the scripts share with Python; each gets those that it names.
_CONSTANTS = {
    "SCHEMA": SCHEMA,
    "NEVER_MERGED_FIELDS": "{ " + ", ".join(f"{name} = true" for name in sorted(NEVER_MERGED_FIELDS)) + " }",
}
_TEST_CLOCK = "local now = tonumber(redis.call('GET', '{prefix}test-clock'))"


@dataclass(frozen=True)
class Script:
    """One transition as Redis gets it, and where each of its lines came from."""

    name: str
    text: str
    origins: tuple[str, ...]

    @cached_property
    def sha(self) -> str:
        """The name under which Redis knows the script."""
        return sha1(self.text.encode(), usedforsecurity=False).hexdigest()

    def explain(self, message: str) -> str:
        """Return the error message of Redis with the file and line of the script instead of a line of the sum."""
        found = _LINE_IN_ERROR.search(message)
        if found is None:
            return message
        return f"{self.origins[int(found[1]) - 1]}: {message}"


def read(name: str) -> list[str]:
    """Return the lines of a script as it stands in its file."""
    return (files("lanes") / "scripts" / f"{name}.lua").read_text("utf-8").splitlines()


def names() -> list[str]:
    """Return the names of all scripts."""
    scripts = (files("lanes") / "scripts").iterdir()
    return sorted(script.name.removesuffix(".lua") for script in scripts if script.name.endswith(".lua"))


def load_all(prefix: str) -> None:
    """Read every script, so that a process that cannot open files any more has all that it may need."""
    for name in names():
        load(name, prefix)


def load(name: str, prefix: str, *, test_clock: bool = False) -> Script:
    """Return the transition `name` for the keys under `prefix`; its files are read once.

    With `test_clock` the time is what the key `<prefix>test-clock` says, and not the clock of Redis.
    """
    return _load(name, prefix, test_clock)


@lru_cache(maxsize=256)  # it takes another spelling of the same call for another call
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
