"""How scripts are put together."""

import pytest

from lanes.errors import ScriptError
from lanes.queue.store import LaneStore, connect
from lanes.storage import scripts


def test_a_script_is_read_from_disk_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scripts.load_all("some-prefix:")

    def no_files(package: str) -> None:
        raise OSError(24, f"Too many open files: {package}")

    monkeypatch.setattr(scripts, "files", no_files)
    assert scripts.load("retry", "some-prefix:").sha
    assert LaneStore(connect("redis://127.0.0.1:1/0"), "some-prefix:").script("retry").sha  # as a worker asks for it
    with pytest.raises(OSError, match="Too many open files"):
        scripts.load("retry", "another-prefix:")


def test_a_missing_script_is_named() -> None:
    with pytest.raises(ScriptError, match=r"no such script: .*nothing\.lua"):
        scripts.load("nothing", "lanes:")
