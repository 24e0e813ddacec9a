import re
from typing import Any

import pytest

from benchmarks import documents, sizing
from benchmarks.commands import SLOTS
from benchmarks.documents import PAGES, PARTS, ROOT, fill
from benchmarks.figures import Aim, Figure
from benchmarks.measured_rows import ROWS
from benchmarks.results import RESULTS, Entry, load

MACHINE = {"cores": "2", "Python": "3.11"}


def entry(*figures: Figure, quick: bool = False) -> Entry:
    return Entry(MACHINE, quick, 60, figures)


def figure(benchmark: str, measured: str, value: float, *aims: Aim, **others: float) -> Figure:
    sides = {"lanes": [value]} | {name: [other] for name, other in others.items()}
    return Figure(benchmark, measured, sides, aims, "everysec")


RATE = figure("drain", "upserts/s", 2170, Aim(at_least=1.3, baseline="dramatiq"), dramatiq=1960)
RESULTS_OF_ALL = {
    "drain": entry(RATE),
    "fleet": entry(
        figure("fleet", "upserts/s, https", 1004.0),
        figure("fleet", "CPU ms per upsert, workers, https", 0.8),
    ),
    "redis": entry(
        figure("redis", "us of Redis' CPU, one upsert by a worker", 150),
        figure("redis", "us of Redis' CPU, enqueue_many, a row", 50),
    ),
    "memory": entry(figure("memory", "bytes per waiting job beside its body", 500)),
    "history": entry(figure("history", "bytes kept of a delivered job", 290)),
}


@pytest.mark.parametrize("page", PAGES)
def test_the_figures_of_a_page_are_those_of_the_results(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    assert fill(text, load(RESULTS)) == text, "run `make docs`"


def test_every_part_is_on_a_page() -> None:
    texts = [(ROOT / page).read_text("utf-8") for page in PAGES]
    assert {name for text in texts for name in re.findall(r"<!-- figures: (\w+) -->", text)} == PARTS.keys()


def test_only_the_part_is_replaced() -> None:
    page = "Before\n<!-- figures: rate -->\nold\n<!-- end of figures -->\nafter\n"
    filled = fill(page, RESULTS_OF_ALL)
    assert filled.startswith("Before\n<!-- figures: rate -->\nOn two cores one worker delivers 2,170 upserts")
    assert filled.endswith("(TLS).\n<!-- end of figures -->\nafter\n")
    assert fill(filled, RESULTS_OF_ALL) == filled
    assert fill(page, {}) == page.replace("old\n", "")


def test_a_missed_aim_is_shown_as_missed() -> None:
    lines = documents.performance_table(RESULTS_OF_ALL).splitlines()
    (line,) = [line for line in lines if line.startswith("| drained")]
    assert line == (
        "| drained, API without latency | everysec | 2,170/s | dramatiq 1,960/s | >= 1.3x dramatiq: **missed**, 1.11x |"
    )
    assert "Python 3.11" in lines[0]


@pytest.mark.parametrize(("ours", "shown"), [(300.0, "met, 3.00x"), (303.0, "**missed**, 3.03x")])
@pytest.mark.parametrize("size", ["one by one", "in bulk"])
def test_the_table_shows_what_the_gateway_costs(size: str, ours: float, shown: str) -> None:
    cost = figure("gateway", f"us of CPU for a row, {size}", ours, Aim(at_most=3, baseline="producer"), producer=100)
    (line,) = [line for line in documents.performance_table({"gateway": entry(cost)}).splitlines() if shown in line]
    assert line.endswith(f"| {ours:.0f} us | producer 100 us | <= 3x producer: {shown} |")


@pytest.mark.parametrize(("ours", "shown"), [(125.0, "met, 1.25x"), (126.0, "**missed**, 1.26x")])
def test_the_table_shows_what_quota_and_outcomes_cost(ours: float, shown: str) -> None:
    aim = Aim(at_most=1.25, baseline="neither")
    cost = figure("redis", "us of Redis' CPU, an upsert of a service", ours, aim, neither=100)
    (line,) = [line for line in documents.performance_table({"redis": entry(cost)}).splitlines() if shown in line]
    assert line.endswith(f"| {ours:.0f} us | neither 100 us | <= 1.25x neither: {shown} |")


@pytest.mark.parametrize("results", [{}, {"drain": entry(RATE, quick=True)}], ids=["none", "a quick run"])
def test_what_was_not_measured_has_no_figure(results: Any) -> None:
    table = documents.performance_table(results)
    assert table.count("not measured |") == len(ROWS)
    assert "2,170" not in table
    assert sizing.rate(results) == ""
    assert "| ? |" in sizing.bounds(results)


def test_a_machine_carries_what_its_senders_and_its_cores_allow() -> None:
    lines = sizing.bounds(RESULTS_OF_ALL).splitlines()
    assert f"| 100 ms | 2,500/s | {SLOTS * 10:,}/s | 2,500/s |" in lines
    assert any(line.startswith("| 1,000 ms | 2,500/s |") and line.endswith(f"| {SLOTS}/s |") for line in lines)
    assert "carries 5,000 upserts a second" in lines[-1]
    assert "100 a second: 8.6 million, 2.51 GB" in sizing.sizes(RESULTS_OF_ALL)
