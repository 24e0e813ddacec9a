"""The table of services, of `lanes service` and `lanes status`."""

from collections.abc import Sequence

from lanes.services.service import Service
from ops.command.table import Column, print_table

COLUMNS = (
    Column("service"),
    Column("pending", right=True),
    Column("dead", right=True),
    Column("rate", right=True),
    Column("refused", right=True),
    Column("outcomes"),
    Column("keys", right=True),
    Column("over quota", alarm="red"),
)


def print_services(services: Sequence[Service], none: str = "") -> None:
    """Print services: what they use, and of which quota."""
    print_table(COLUMNS, [_row(service) for service in services], none)


def _row(service: Service) -> tuple[object, ...]:
    return (
        service.name,
        _used(service.pending, service.max_pending),
        _used(service.dead, service.max_dead),
        "" if service.rate is None else f"{service.rate}/s",
        service.refused,
        "on" if service.outcomes else "off",
        len(service.keys),
        " ".join(service.over),
    )


def _used(jobs: int, quota: int | None) -> str:
    return str(jobs) if quota is None else f"{jobs}/{quota}"
