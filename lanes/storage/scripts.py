"""Assembles the scripts: the prefix and the time, then one function of the script with its includes.

Names of keys are filled in where they stand. So are constants: `local TRIM = 16`, a number or text named in capitals.
As locals, each call would make them, and each function that uses one would hold it. Lua finds a local of an outer
function at once, but one of its own function by a search, for each function made there that uses it. So what nearly all
use stands outside.

`-- @include queue/lane` puts the text of a file there, once. A call of a script makes all functions in its text anew.
So what is rarely needed is named by `-- @lazy breaker/brake` instead, and called as `brake().end_brake(...)`. The texts
of such files are parts of one function, which comes behind the includes of the script and sees them. `brake()` makes
the functions of that file, and of what only that file includes, at each use.
"""

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
_LAZY = re.compile(r"^-- @lazy ([\w/]+)$")
_LAZY_CALL = re.compile(r"\b(\w+)\(\)\.")
_FUNCTION = re.compile(r"^local function (\w+)", re.MULTILINE)
_KEY = re.compile(r"\bkey\.(\w+)(?:\(([^()]*)\))?")
_LINE_IN_ERROR = re.compile(r"user_script:(\d+):")
# Constants that the scripts share with Python, replaced by their values where they stand.
_CONSTANTS = {
    "SCHEMA": f"'{SCHEMA}'",
    "NEVER_MERGED_FIELDS": "{ " + ", ".join(f"{name} = true" for name in sorted(NEVER_MERGED_FIELDS)) + " }",
}
_CONSTANT = re.compile(rf"\b({'|'.join(_CONSTANTS)})\b")
# A constant of a file: numbers and operators, or a text.
_OWN_CONSTANT = re.compile(r"^local ([A-Z][A-Z_]+) = ([\d.][\d. +*/]*?|'[^']*')(?: +--.*)?$", re.MULTILINE)
_CAPITALS = re.compile(r"(?<![\w.'])[A-Z][A-Z_]+(?![\w'])(?! = )")
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
    body = _Text()
    try:
        body.append_script(name)
    except FileNotFoundError as error:
        message = f"no such script: {error.filename}"
        raise ScriptError(message) from error
    text = "\n".join(body.lines)
    lazy = {_last_name(part): part for part in body.lazy}
    text = _LAZY_CALL.sub(lambda found: f"lazy('{lazy[found[1]]}')." if found[1] in lazy else found[0], text)
    keys = frozenset(found[1] for found in _KEY.finditer(text))
    text = _KEY.sub(_key_in_lua, text)
    text = _KEY_TABLE.sub(lambda found: _key_table(_KEY_TABLES[found[1]], keys), text)
    text = _CONSTANT.sub(lambda found: _CONSTANTS[found[1]], text)
    text = _fill_in_constants(name, text)
    prelude = [LUA_PREFIX]
    if body.lazy:
        prelude.append("local lazy")
    if body.has_time:
        prelude += [_TEST_CLOCK] if test_clock else read("include/now")
    lines = [*prelude, "return (function()", text, "end)()"]
    origins = [*(f"prelude:{number}" for number in range(1, len(prelude) + 2)), *body.origins, "end"]
    return Script(name, "\n".join(lines) + "\n", tuple(origins), keys)


class _Text:
    """The lines of a script with its includes, and where each line is from."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.origins: list[str] = []
        self.lazy: list[str] = []
        self.has_time = False

    def append_script(self, name: str) -> None:
        """Append a script; its lazy parts come behind its last include, where they see all of them."""
        script, included = read(name), set[str]()
        head = max((at for at, line in enumerate(script, 1) if _INCLUDE.match(line) or _LAZY.match(line)), default=0)
        self._append(name, script[:head], included)
        if self.lazy:
            self._add("function lazy(part)", "lazy parts")
            for part in self.lazy:  # grows: a part may name others
                self._append_lazy(part, {*included})
            self._add("end", "lazy parts")
        self._append(name, script[head:], included, first=head + 1)

    def _append_lazy(self, part: str, included: set[str]) -> None:
        self._add(f"if part == '{part}' then", "lazy parts")
        self._include(part, included)
        functions = _FUNCTION.findall("\n".join(read(f"include/{part}")))
        self._add(f"return {{ {', '.join(f'{each} = {each}' for each in functions)} }} end", "lazy parts")

    def _append(self, name: str, lines: list[str], included: set[str], first: int = 1) -> None:
        for number, line in enumerate(lines, first):
            if include := _INCLUDE.match(line):
                self._include(include[1], included)
            elif lazy := _LAZY.match(line):
                if lazy[1] not in self.lazy:
                    self.lazy.append(lazy[1])
            else:
                self._add(line, f"{name}.lua:{number}")

    def _include(self, part: str, included: set[str]) -> None:
        if part in included:
            return
        included.add(part)
        if part == "now":
            self.has_time = True
        else:
            self._append(f"include/{part}", read(f"include/{part}"), included)

    def _add(self, line: str, origin: str) -> None:
        self.lines.append(line)
        self.origins.append(origin)


def _fill_in_constants(name: str, text: str) -> str:
    constants: dict[str, str] = {}
    for constant, value in _OWN_CONSTANT.findall(text):
        if constants.setdefault(constant, value) != value:
            message = f"{name}: {constant} has two values"
            raise ScriptError(message)
    text = _OWN_CONSTANT.sub("", text)  # the line stays, for `origins`
    return _CAPITALS.sub(lambda found: f"({constants[found[0]]})" if found[0] in constants else found[0], text)


def _last_name(part: str) -> str:
    return part.rpartition("/")[2]


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
