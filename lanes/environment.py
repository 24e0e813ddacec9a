"""Reads the `LANES_` variables of the environment and of a file `.env`, and explains those that are wrong."""

import os
import re
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from lanes.errors import SettingsError

PREFIX = "LANES_"
ENV_FILE = Path(".env")
_ENV_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$")
# Read by the tests. Not a setting.
_NOT_SETTINGS = frozenset({"LANES_REQUIRE_REAL_PARTS"})
_SECRETS = ("TOKEN", "KEY", "URL", "SECRET")


def variable(field: str) -> str:
    """Return the environment variable of a setting's field."""
    return PREFIX + field.upper()


def read_variables(
    environ: Mapping[str, str] | None, env_file: Path | None, known: Collection[str], wanted: Collection[str]
) -> dict[str, str]:
    """Return the variables in `wanted`, from the environment (`os.environ` if None), else from `env_file`.

    `LANES_X_FILE` names a file that holds the value of `LANES_X`. Variables that are known and not wanted are ignored.

    Raises:
        SettingsError: a variable is not `known`, or a file cannot be read.
    """
    environ = os.environ if environ is None else environ
    found = _read_env_file(env_file) if env_file is not None and env_file.is_file() else {}
    found |= {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    found = {name: value for name, value in found.items() if value or not name.endswith("_FILE")}
    unknown = [name for name in found if name.removesuffix("_FILE") not in known and name not in _NOT_SETTINGS]
    if unknown:
        raise SettingsError("\n".join(_unknown(name, known) for name in unknown))
    found = {name: value for name, value in found.items() if name.removesuffix("_FILE") in wanted}
    return _read_value_files(found)


def explain(problem: Mapping[str, Any], values: Mapping[str, str]) -> str:
    """Return one of pydantic's errors as a line. It shows no secret."""
    message = str(problem["msg"]).removeprefix("Value error, ")
    if not problem["loc"]:
        return message
    name = variable(str(problem["loc"][0]))
    return f"{name}: {message}" + ("" if name.endswith(_SECRETS) else f" (it is {values.get(name, '')!r})")


def _unknown(name: str, known: Collection[str]) -> str:
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
    return f"{name}: no such setting; {hint}"


def _read_value_files(found: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with each `LANES_X_FILE` replaced by `LANES_X`."""
    values = {name: value for name, value in found.items() if not name.endswith("_FILE")}
    for name, path in found.items():
        setting = name.removesuffix("_FILE")
        if setting == name:
            continue
        if values.get(setting):
            message = f"{name}: {setting} is set too; keep one of the two"
            raise SettingsError(message)
        values[setting] = _read_text(name, Path(path)).strip()
    return values


def _read_text(name: str, path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{name}: {str(path)!r} cannot be read: {getattr(error, 'strerror', None) or 'it is not UTF-8'}"
        raise SettingsError(message) from None


def _read_env_file(path: Path) -> dict[str, str]:
    found = {}
    for line in _read_text(".env", path).splitlines():
        match = _ENV_LINE.match(line)
        if match and match[1].startswith(PREFIX):
            value = match[2]
            if len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
                value = value[1:-1]
            found[match[1]] = value
    return found
