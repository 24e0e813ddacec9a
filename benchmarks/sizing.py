"""What a worker machine and one Redis carry, computed from the results: parts of the documents."""

from benchmarks import commands
from benchmarks.figures import Figure, rounded
from benchmarks.results import Results

CORES = 2  # of the machine that the sentences speak of; the figures are for one core
PER_LOCATION = 10  # requests a second, the limit of the API
ANSWERS_MS = (100, 300, 1_000)
DAY_SECONDS = 86_400
UNKNOWN = "?"


def find(results: Results, benchmark: str, measured: str) -> Figure | None:
    """Return the figure with this name, or the first whose name begins so; None if it was not measured in full size."""
    entry = results.get(benchmark)
    figures = () if entry is None or entry.quick else entry.figures
    exact = [figure for figure in figures if figure.measured == measured]
    return next(iter(exact or [figure for figure in figures if figure.measured.startswith(measured)]), None)


def ours(results: Results, benchmark: str, measured: str) -> float | None:
    """Return our value of a figure."""
    figure = find(results, benchmark, measured)
    return None if figure is None else figure.value(figure.ours)


def shown(value: float | None, unit: str = "") -> str:
    """Return a value for a page."""
    return UNKNOWN if value is None else f"{rounded(value)}{unit}"


def _cpu_ms(results: Results) -> float | None:
    """Return the workers' CPU for an upsert, over TLS as in real life."""
    return ours(results, "fleet", "CPU ms per upsert, workers, https")


def _redis_us(results: Results) -> float | None:
    """Return Redis' CPU for an upsert, from enqueue to delivery."""
    parts = [
        ours(results, "redis", "us of Redis' CPU, one upsert by a worker"),
        ours(results, "redis", "us of Redis' CPU, enqueue_many, a row"),
    ]
    known = [part for part in parts if part is not None]
    return sum(known) if len(known) == len(parts) else None


def _per_second(microseconds: float | None) -> float | None:
    return None if microseconds is None else 1e6 / microseconds


def rate(results: Results) -> str:
    """Return the sentence of the README."""
    instant, slow = ours(results, "drain", "upserts/s"), ours(results, "fleet", "upserts/s, https")
    if instant is None or slow is None:
        return ""
    return (
        f"On two cores one worker delivers {rounded(instant)} upserts a second when the API answers at once, and\n"
        f"{rounded(slow)} when it takes 300-500 ms (TLS).\n"
    )


def bounds(results: Results) -> str:
    """Return what a machine of workers carries at some latencies of the API, and what one Redis carries."""
    cpu = _cpu_ms(results)
    carried = None if cpu is None else CORES * 1000 / cpu
    redis = _redis_us(results)
    cost = f"{shown(cpu, ' ms')} of a worker's CPU (TLS) and {shown(redis, ' us')} of Redis' CPU"
    lines = [
        f"An upsert takes {cost}, enqueue included.",
        "",
        f"| the API takes | {CORES} cores allow | {commands.SLOTS} senders of a worker allow | so it carries |",
        "|---|---|---|---|",
    ]
    for milliseconds in ANSWERS_MS:
        senders = commands.SLOTS * 1000 / milliseconds
        least = None if carried is None else min(carried, senders)
        cells = (f"{milliseconds:,} ms", shown(carried, "/s"), shown(senders, "/s"), shown(least, "/s"))
        lines.append(f"| {' | '.join(cells)} |")
    carries = shown(_per_second(redis), " upserts a second")
    return "\n".join([*lines, "", f"One Redis, which uses one core for its scripts, carries {carries}.", ""])


def sizes(results: Results) -> str:
    """Return the table of the runbook."""
    cpu, redis = _cpu_ms(results), _redis_us(results)
    core = None if cpu is None else 1000 / cpu
    pending = ours(results, "memory", "bytes per waiting job beside its body")
    kept = ours(results, "history", "bytes kept of a delivered job")
    day = None if kept is None else 100 * DAY_SECONDS * kept / 1e9
    million = None if pending is None else (pending + 400) * 1e6 / 1e9
    locations = None if core is None else core / PER_LOCATION
    rows = [
        (
            "CPU of workers",
            f"{shown(cpu, ' ms')} per upsert over TLS",
            f"{shown(core)} a second and core: {shown(locations)} locations at their limit",
        ),
        (
            "CPU of Redis",
            f"one core; {shown(redis, ' us')} per upsert",
            f"{shown(_per_second(redis))} a second; beyond that, a second Redis with its own workers",
        ),
        (
            "memory of Redis",
            f"{shown(pending)} bytes per pending job, plus its body",
            f"a million jobs with bodies of 400 bytes: {shown(million, ' GB')}; the same again for forks",
        ),
        (
            "delivered jobs",
            f"{shown(kept)} bytes each, without bodies, for `LANES_RETENTION_SECONDS` (a day)",
            f"at 100 a second: 8.6 million, {shown(day, ' GB')}",
        ),
    ]
    return "\n".join(["| resource | use | so |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in rows), ""])
