"""Progress bars on stderr, shown on a terminal only."""

from typing import BinaryIO, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.text import Text

from lanes.printable import printable_lines
from ops.command.typeable import typeable


class Steps:
    """A progress bar; `total` may be unknown. `max_rejected` is how many rejected items are printed, by default all."""

    def __init__(
        self,
        label: str,
        total: int | None,
        *,
        bytes_too: bool = False,
        hidden: bool = False,
        max_rejected: int | None = None,
    ) -> None:
        self.rejected = 0
        self._max_rejected = max_rejected
        self._console = Console(stderr=True)
        amount = DownloadColumn() if bytes_too else MofNCompleteColumn()
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), amount)
        disable = hidden or not self._console.is_terminal
        self._progress = Progress(*columns, console=self._console, transient=True, disable=disable)
        self._task = self._progress.add_task(label, total=total)

    def update(self, done: int, label: str | None = None) -> None:
        """Show the progress."""
        self._progress.update(self._task, completed=done, description=label)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        self._console.print(Text(printable_lines(typeable(line))), soft_wrap=True)

    def reject(self, line: str) -> None:
        """Count a rejected item and print why it was rejected."""
        self.rejected += 1
        if self._max_rejected is None or self.rejected <= self._max_rejected:
            self.say(line)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._progress.stop()
        unprinted = self.rejected - (self.rejected if self._max_rejected is None else self._max_rejected)
        if kind is None and unprinted > 0:
            self.say(f"... and {unprinted} more")


class BytesRead(Steps):
    """A progress bar for reading a file. `size` in bytes, None on stdin. Hidden if rows are typed on a terminal."""

    def __init__(self, source: BinaryIO, size: int | None, max_rejected: int) -> None:
        super().__init__("reading", size or None, bytes_too=True, hidden=source.isatty(), max_rejected=max_rejected)
        self._source = source
        self._seekable = size is not None and source.seekable()

    def show_bytes(self, label: str) -> None:
        """Show how much of the file was read."""
        self.update(self._source.tell() if self._seekable else 0, label)
