"""The soak in small: everything is sampled and accounted for; too short to judge what is flat."""

from pathlib import Path

import pytest

from tests.chaos.soak import plot, soak


@pytest.mark.timeout(300)
def test_everything_is_sampled_and_accounted_for(tmp_path: Path) -> None:
    came = soak(tmp_path / "environment", seed=3, seconds=1, workers=["w1"], rate=15, calm=1)
    assert not came.wrong, "\n".join(came.wrong[:20])
    assert came.counts["accepted"] > 20
    assert set(came.series) == {
        *(f"{part} {what}" for part in ("w1", "flower", "redis") for what in ("memory (MB)", "descriptors")),
        "latency (s), median",
    }
    assert all(min(values) > 0 for name, (_, values) in came.series.items() if name != "redis descriptors")
    assert {verdict.name for verdict in came.verdicts} == set(came.series)
    drawn = plot(came, tmp_path)
    assert drawn is not None
    assert drawn.stat().st_size > 10_000
