"""`lanes status --watch` on a terminal: the screen is refreshed until Ctrl-C."""

import time
from collections.abc import Callable

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from ops.command.table import Column, draw

OTHER_LINES = 10  # of the screen, beside the lanes


def watch(
    columns: tuple[Column, ...],
    read: Callable[[int], tuple[str, list[tuple[object, ...]], str]],
    interval: float,
) -> None:
    """Show what `read` returns, every `interval` seconds: lines above the table, its rows, lines below it.

    It is called with the number of rows that fit.
    """
    console = Console()
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while True:
            above, rows, below = read(max(1, console.height - OTHER_LINES))
            live.update(Group(Text(above), draw(columns, rows), Text(below)), refresh=True)
            time.sleep(interval)
