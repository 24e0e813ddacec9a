"""Collects the values of the settings: from the environment, a file `.env`, and files named by `LANES_X_FILE`."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from lanes.printable import printable
from lanes.settings.env_file import EnvFile, read_env_file, read_text
from lanes.settings.environment import FILE_SUFFIX, NOT_SETTINGS, PREFIX, resembled_name, unknown_name

ENV_FILE = Path(".env")
QUOTES = "'\"`"


@dataclass(frozen=True, slots=True)
class SettingValues:
    """Variable -> value, variable -> where it stands (`.env:3: `, or ''), and a line for each problem."""

    values: Mapping[str, str]
    places: Mapping[str, str]
    problems: list[str]


def read_values(
    environ: Mapping[str, str] | None, env_file: Path | None, known: Collection[str], wanted: Collection[str]
) -> SettingValues:
    """Return the variables in `wanted`, from the environment (`os.environ` if None), else from `env_file`.

    Problems are: names that are not `known`, also in the environment; lines of the file that resemble a setting; files
    that cannot be read; quotes that became a part of a value. Variables that are known and not wanted are ignored.
    """
    environ = os.environ if environ is None else environ
    file = EnvFile(ENV_FILE) if env_file is None else read_env_file(env_file, known)
    own = {name: value for name, value in environ.items() if name.startswith(PREFIX)}
    problems = [*_misspelled(environ, known), *file.problems]
    places = {name: file.place(line) for name, line in file.lines.items() if name not in own}
    values: dict[str, str] = {}
    for name, value in (file.values | own).items():
        setting = name.removesuffix(FILE_SUFFIX)
        if setting not in known and name not in NOT_SETTINGS and (value or setting == name):
            problems.append(places.get(name, "") + unknown_name(printable(name), known))
        elif setting in wanted and (value or setting == name):
            values[name] = value
    for name in [name for name in values if name.endswith(FILE_SUFFIX)]:
        problem = _replace_by_content(values, name)
        problems += [places.get(name, "") + problem] if problem else []
    for name in [name for name, value in values.items() if len(value) > 1 and value[0] == value[-1] in QUOTES]:
        problems.append(f"{places.get(name, '')}{name}: must be without the quotes around it")
        del values[name]
    return SettingValues(values, places, problems)


def _misspelled(environ: Mapping[str, str], known: Collection[str]) -> list[str]:
    return [
        f"{printable(name)}: is not read; write it as {meant}"
        for name in environ
        if not name.startswith(PREFIX) and (meant := resembled_name(name, known))
    ]


def _replace_by_content(values: dict[str, str], name: str) -> str:
    """Replace `LANES_X_FILE` by `LANES_X` with the content of the file; return what is wrong."""
    path, setting = Path(values.pop(name)), name.removesuffix(FILE_SUFFIX)
    if values.get(setting):
        return f"{name}: {setting} is set too; keep one of the two"
    try:
        values[setting] = read_text(path).strip()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return f"{name}: {str(path)!r} cannot be read: {reason}"
    return ""
