"""How scripts are put together."""

import pytest

from lanes import loader
from lanes.errors import ScriptError
from lanes.store import LaneStore, connect


def test_what_was_read_once_needs_no_file_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    loader.load_all("some-prefix:")

    def no_files(package: str) -> None:
        raise OSError(24, f"Too many open files: {package}")

    monkeypatch.setattr(loader, "files", no_files)
    assert loader.load("retry", "some-prefix:").sha
    assert LaneStore(connect("redis://127.0.0.1:1/0"), "some-prefix:").script("retry").sha  # as a worker asks for it
    with pytest.raises(OSError, match="Too many open files"):
        loader.load("retry", "another-prefix:")


def test_a_script_that_is_not_there_is_named() -> None:
    with pytest.raises(ScriptError, match=r"no such script: .*nothing\.lua"):
        loader.load("nothing", "lanes:")
