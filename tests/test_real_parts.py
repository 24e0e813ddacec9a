"""A missing part is a skip that says why, and in CI a failure."""

from collections.abc import Callable

import pytest

from tests import real_parts

PARTS = [
    real_parts.chromium,
    real_parts.prometheus,
    real_parts.promtool,
    real_parts.systemd_analyze,
    real_parts.node,
]


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_what_is_missing_is_named(
    part: Callable[[], str], monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path_factory.mktemp("nothing")))
    monkeypatch.delenv("LANES_REQUIRE_REAL_PARTS", raising=False)
    name = part.__name__.replace("_", "-")
    with pytest.raises(pytest.skip.Exception, match=f"no {name} on the PATH; ops/install_real_parts"):
        part()
    monkeypatch.setenv("LANES_REQUIRE_REAL_PARTS", "1")
    with pytest.raises(pytest.fail.Exception, match=f"no {name} on the PATH; ops/install_real_parts"):
        part()


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_what_is_there_is_found(part: Callable[[], str]) -> None:
    assert part().startswith("/")
