"""Writes `docs/settings.md` from the settings models: `make docs`."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from lanes.settings import (
    CommandSettings,
    DashboardSettings,
    NotificationSettings,
    ProducerSettings,
    RateLimitSettings,
    RedisSettings,
    WorkerSettings,
)
from lanes.settings.environment import variable

PAGE = Path(__file__).parents[1] / "docs" / "settings.md"
HEAD = """# Settings
<!-- Written by `make docs` from lanes/settings/__init__.py. -->
A setting is an environment variable or a line `NAME=value` of a file `.env` in the working directory. The environment
wins. `LANES_X_FILE` names a file that holds the value of `LANES_X`, for example a secret of a container.

A process ignores the settings that only others read. It refuses to start, and lists every error, when one of its own is
wrong, when a name beginning with `LANES_` is unknown, or when a name resembles a setting (`lanes_redis_url`).

`.env` is read by the rules of python-dotenv, as UTF-8 with or without a byte order mark. It may have quotes, `export`,
and a comment after ` #`; `${X}` is not replaced. Lines of other programs are skipped. A line that resembles a setting
and cannot be read (`LANES_REDIS_URL: x`) is an error with its number. For Docker's `--env-file` and systemd's
`EnvironmentFile`, a comment after a value is a part of it.
"""
READERS: Mapping[str, type[BaseModel]] = {
    "producers": ProducerSettings,
    "commands": CommandSettings,
    "`lanes notify test`": NotificationSettings,
    "the dashboard": DashboardSettings,
    "workers": WorkerSettings,
}
SECTIONS: Mapping[str, type[BaseModel]] = {
    "Redis": RedisSettings,
    "Enqueueing": ProducerSettings,
    "Rate limits": RateLimitSettings,
    "Leases and stored tokens": CommandSettings,
    "Dashboard, metrics and logs": DashboardSettings,
    "Notifications": NotificationSettings,
    "Workers": WorkerSettings,
}


def page() -> str:
    """Return the page."""
    return HEAD + "".join(f"\n## {title}\n{section(role)}" for title, role in SECTIONS.items())


def section(role: type[BaseModel]) -> str:
    """Return the own settings of a model as a table, after the line that names the processes that read them."""
    names = [name for name in role.model_fields if name in role.__annotations__]
    readers = [reader for reader, model in READERS.items() if model.model_fields.keys() >= set(names)]
    head = [f"Read by {_listed(readers)}.", "", "| setting | default | values | meaning |", "|---|---|---|---|"]
    return "\n".join([*head, *(_row(role, name) for name in names), ""])


def _listed(words: list[str]) -> str:
    return " and ".join(filter(None, [", ".join(words[:-1]), words[-1]]))


def _row(role: type[BaseModel], name: str) -> str:
    field = role.model_fields[name]
    text = str(field.default).lower() if isinstance(field.default, bool) else str(field.default)
    default = "" if field.default is None else f"`{text}`"
    schema = role.model_json_schema()
    values = ", ".join(_values(name, schema["properties"][name], schema.get("$defs", {})))
    return f"| `{variable(name)}` | {default} | {values} | {field.description} |"


def _values(name: str, schema: Mapping[str, Any], types: Mapping[str, Any]) -> Iterator[str]:
    """Yield the unit or kind, the bounds and the choices of a setting."""
    schema = {**schema, **schema.get("anyOf", [{}])[0]}  # the second one is null
    schema = {**schema, **types.get(str(schema.get("$ref")).rpartition("/")[2], {})}
    if name.endswith("_seconds"):
        yield "seconds"
    if schema.get("format") == "password":
        yield "secret"
    if schema.get("type") == "boolean":
        yield "`true` or `false`"
    if "enum" in schema:
        yield from (f"`{choice}`" for choice in schema["enum"])
    if "minLength" in schema:
        yield f"at least {schema['minLength']} characters" if schema["minLength"] > 1 else "not empty"
    minimum = schema["exclusiveMinimum"] + 1 if "exclusiveMinimum" in schema else schema.get("minimum")
    if minimum is not None:
        yield f"{minimum} to {schema['maximum']}" if "maximum" in schema else f"{minimum} or more"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
