"""Settings that contradict each other are one clear line."""

import pytest

from lanes.errors import SettingsError
from lanes.settings import Settings


@pytest.mark.parametrize(
    ("given", "told"),
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
def test_times_that_do_not_go_together(given: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError) as failed:
        Settings.load(given, env_file=None)
    assert str(failed.value) == told


def test_times_that_just_do() -> None:
    settings = Settings.load({"LANES_RETENTION_SECONDS": "45", "LANES_LEASE_SECONDS": "45"}, env_file=None)
    assert settings.retention_seconds == settings.lease_seconds
