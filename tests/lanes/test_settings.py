"""Settings that contradict each other are one clear line."""

import pytest

from lanes.errors import SettingsError
from lanes.settings import WorkerSettings


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        (
            {"LANES_RETENTION_SECONDS": "44", "LANES_LEASE_SECONDS": "45"},
            (
                "LANES_RETENTION_SECONDS (44) must not be shorter than LANES_LEASE_SECONDS (45): "
                "a late report must find the job, should another attempt have delivered it"
            ),
        ),
        (
            {"LANES_HTTP_TIMEOUT_SECONDS": "45"},
            (
                "LANES_LEASE_SECONDS (45) must be longer than LANES_HTTP_TIMEOUT_SECONDS (45): "
                "a job must not be taken back while its request may still run"
            ),
        ),
    ],
)
def test_times_that_do_not_go_together(given: dict[str, str], reported: str) -> None:
    with pytest.raises(SettingsError) as failed:
        WorkerSettings.load(given, env_file=None)
    assert str(failed.value) == reported


def test_times_that_just_fit() -> None:
    settings = WorkerSettings.load({"LANES_RETENTION_SECONDS": "45", "LANES_LEASE_SECONDS": "45"}, env_file=None)
    assert settings.retention_seconds == settings.lease_seconds
