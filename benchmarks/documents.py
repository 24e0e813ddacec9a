"""`python -m benchmarks.documents`: write the figures of `results.json` into the documents; `make docs` calls it.

A part of a page between `<!-- figures: NAME -->` and `<!-- end of figures -->` is made from the results.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks import sizing
from benchmarks.figures import Aim, Figure, rounded
from benchmarks.measured_rows import ROWS, Row
from benchmarks.results import RESULTS, Results, load

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "docs/performance.md", "docs/runbook.md")
PART = re.compile(r"(?<=<!-- figures: )(\w+)( -->\n).*?(?=<!-- end of figures -->)", re.DOTALL)


def performance_table(results: Results) -> str:
    """Return a line for each row: ours, the others with our ratio to them, the aims."""
    full = {name: entry for name, entry in results.items() if not entry.quick}
    machines = {", ".join(f"{name} {value}" for name, value in entry.machine.items()) for entry in full.values()}
    head = f"Measured on: {'; '.join(sorted(machines))}." if machines else "Not measured yet."
    lines = [head + " Medians; `always` and `everysec` are the `appendfsync` of Redis."]
    lines += ["", "| measured | Redis | lanes | others | aim |", "|---|---|---|---|---|"]
    lines += [_line(row, sizing.find(results, row.benchmark, row.measured)) for row in ROWS]
    return "\n".join([*lines, ""])


def _line(row: Row, figure: Figure | None) -> str:
    if figure is None:
        return f"| {row.label} | | not measured | | |"
    ours, *others = figure.sides
    first = f"{rounded(figure.value(ours))}{row.unit}" + ("" if ours == "lanes" else f" ({ours})")
    rest = "; ".join(f"{side} {rounded(figure.value(side))}{row.unit}" for side in others)
    return (
        f"| {row.label} | {figure.redis} | {first} | {rest} | {'; '.join(_aim(figure, aim) for aim in figure.aims)} |"
    )


def _aim(figure: Figure, aim: Aim) -> str:
    """Return the aim and whether it is met; one beside another side with the ratio that was measured."""
    verdict = figure.verdict(aim)
    shown = f"**{verdict}**" if verdict == "missed" else verdict
    if aim.baseline is None:
        return f"{aim}: {shown}"
    ratio = figure.ratio(aim.baseline)
    return f"{aim} {aim.baseline}: {shown}{'' if ratio is None else f', {rounded(ratio)}x'}"


PARTS: Mapping[str, Callable[[Results], str]] = {
    "table": performance_table,
    "rate": sizing.rate,
    "bounds": sizing.bounds,
    "sizes": sizing.sizes,
}


def fill(text: str, results: Results) -> str:
    """Return a page with its figures of these results."""
    return PART.sub(lambda found: f"{found[1]}{found[2]}{PARTS[found[1]](results)}", text)


def main() -> None:
    """Write the pages."""
    results = load(RESULTS)
    for name in PAGES:
        page = ROOT / name
        page.write_text(fill(page.read_text("utf-8"), results), "utf-8")


if __name__ == "__main__":
    main()
