"""Which columns `lanes enqueue` takes: `--location`, `--preset`, `--map`, `--ignore-other-columns`, `--numbers`."""

from collections.abc import Mapping, Sequence
from typing import Any

import click

from lanes.settings import ProducerSettings
from lanes.versions import ApiVersion
from ops.command.console import LocationId, options
from producers.files import highlevel_export
from producers.files.mapping import OPTION_COLUMNS, FieldMapping
from producers.files.rows import Format
from producers.model import suggest
from producers.model_versions import names_of, required_by

CSV_OPTIONS = ("preset", "map", "ignore_other_columns", "numbers")

mapping_options = options(
    click.option("--location", type=LocationId(), metavar="ID", help="The locationId of each row that has none."),
    click.option(
        "--preset",
        type=click.Choice(["highlevel-export"]),
        help="Take HighLevel's own export of opportunities, and ignore its other columns.",
    ),
    click.option(
        "--map", multiple=True, metavar="COLUMN=FIELD", help="The field of a CSV column with another name. Repeatable."
    ),
    click.option("--ignore-other-columns", is_flag=True, help="Ignore CSV columns that are not fields."),
    click.option(
        "--numbers",
        type=click.Choice(["en", "de"]),
        help="How CSV numbers are written: $1,200.50 (en) or 1.200,50 € (de).",
    ),
)


def make_mapping(given: Mapping[str, Any], form: Format, settings: ProducerSettings) -> FieldMapping:
    """Return how the columns of a file become fields.

    Raises:
        click.UsageError: the options do not fit the format, each other, or the API version.
    """
    for name in CSV_OPTIONS:
        if given[name] and form != "csv":
            raise click.UsageError(f"--{name.replace('_', '-')} is for CSV; if the file is CSV, add --format csv")
    location, preset = given["location"], given["preset"]
    versions = _versions(settings, location)
    known = names_of(versions) | OPTION_COLUMNS
    mapped = _read_map(given["map"], known)
    if preset and not location and "locationId" not in mapped.values():
        raise click.UsageError(f"--preset {preset} needs --location ID: the export does not name the location")
    columns, defaults = {}, {}
    if preset:
        version = settings.version_of(location or "")
        taken = set(mapped.values())
        columns = {column: name for column, name in highlevel_export.columns_of(version).items() if name not in taken}
        defaults = dict(highlevel_export.defaults_of(version))
    return FieldMapping(
        known=known,
        required=required_by(versions),
        columns={**columns, **mapped},
        must_exist=tuple(mapped),
        ignore_others=bool(given["ignore_other_columns"] or preset),
        numbers=given["numbers"],
        defaults={**defaults, **({"locationId": location} if location else {})},
        lower_case={"status": highlevel_export.STATUSES} if preset else {},
        for_enqueue=True,
    )


def _versions(settings: ProducerSettings, location: str | None) -> list[ApiVersion]:
    """Return the API versions that rows may have."""
    if location:
        return [settings.version_of(location)]
    return list(dict.fromkeys([settings.api_version, *(settings.api_versions or {}).values()]))


def _read_map(given: Sequence[str], known: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        column, equals, name = (part.strip() for part in each.rpartition("="))
        if not equals or not column:
            raise click.UsageError(f"--map {each!r}: must be COLUMN=FIELD, like 'Lead Value=monetaryValue'")
        if name not in known:
            hint = suggest(name, dict.fromkeys(known.values()))
            raise click.UsageError(f"--map {each!r}: {name!r} is no field; {hint}")
        if column in found or known[name] in found.values():
            raise click.UsageError(f"--map {each!r}: the column and the field must be given only once")
        found[column] = known[name]
    return found
