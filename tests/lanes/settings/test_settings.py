"""Settings that contradict each other are one clear line."""

from pathlib import Path

import pytest

from lanes.errors import SettingsError
from lanes.settings import (
    CommandSettings,
    DashboardSettings,
    NotificationSettings,
    ProducerSettings,
    RateLimitSettings,
    RedisSettings,
    WorkerSettings,
)


@pytest.mark.parametrize(
    ("given", "reported"),
    [
        (
            {"LANES_RETENTION_SECONDS": "44", "LANES_LEASE_SECONDS": "45"},
            (
                "LANES_RETENTION_SECONDS (44) must not be shorter than LANES_LEASE_SECONDS (45): "
                "a late report must find its job, even if another attempt delivered it"
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


@pytest.mark.parametrize("value", ["10", "nonsense"])
def test_a_role_ignores_what_only_others_read(value: str) -> None:
    given = {"LANES_LEASE_SECONDS": value, "LANES_SECRET_KEY": "x", "LANES_METRICS_PORT_FILE": "nowhere"}
    for role in (RedisSettings, ProducerSettings, RateLimitSettings, NotificationSettings):
        assert role.load(given, env_file=None) == role()
    assert DashboardSettings.load({"LANES_LEASE_SECONDS": "10"}, env_file=None).lease_seconds == 10
    with pytest.raises(SettingsError, match=r"^LANES_METRICS_PORT_FILE: 'nowhere' cannot be read"):
        WorkerSettings.load(given, env_file=None)


@pytest.mark.parametrize("role", [RedisSettings, ProducerSettings, CommandSettings, DashboardSettings, WorkerSettings])
def test_every_role_refuses_a_name_that_none_reads(role: type[RedisSettings]) -> None:
    for name in ("LANES_LEASE_SECOND", "LANES_LEASE_SECONDS_FILES"):
        with pytest.raises(SettingsError, match=f"^{name}: no such setting; did you mean LANES_LEASE_SECONDS"):
            role.load({name: "1"}, env_file=None)


@pytest.mark.parametrize("value", ["nonsense", "1.5", "-1", "nan", "1e999", "9" * 5000, "\udcff", "é é"])
def test_a_wrong_value_is_told_in_our_words_and_at_once(value: str) -> None:
    given = {f"LANES_{name.upper()}": value for name in WorkerSettings.model_fields}
    with pytest.raises(SettingsError) as failed:
        WorkerSettings.load(given, env_file=None)
    lines = str(failed.value).splitlines()
    assert {"LANES_REDIS_URL", "LANES_API_BASE_URL", "LANES_MERGE", "LANES_MAX_ATTEMPTS", "LANES_LOG_LEVEL"} <= {
        line.partition(": ")[0] for line in lines
    }
    for line in lines:
        name, _, reason = line.partition(": ")
        assert reason.startswith(("must be ", "must have ", "must begin ", "must name ", "each key must be ")), line
        assert "nput should" not in line
        secret = name.endswith(("TOKEN", "KEY", "URL", "SECRET", "CLIENT_ID"))
        assert secret == (not reason.endswith(f" (it is {value[:100]!r})")), line


def test_all_contradictions_are_told_at_once() -> None:
    given = {
        "LANES_LEASE_SECONDS": "5",
        "LANES_RETENTION_SECONDS": "4",
        "LANES_OUTAGE_PROBE_SECONDS": "2",
        "LANES_OUTAGE_PROBE_MAX_SECONDS": "1",
        "LANES_NOTIFY_URL": "https://example.com",
    }
    with pytest.raises(SettingsError) as failed:
        WorkerSettings.load(given, env_file=None)
    begins = [line.split(" ")[0] for line in str(failed.value).splitlines()]
    assert begins == [
        "LANES_NOTIFY_URL",
        "LANES_LEASE_SECONDS",
        "LANES_RETENTION_SECONDS",
        "LANES_OUTAGE_PROBE_MAX_SECONDS",
    ]


def test_workers_read_every_setting() -> None:
    for role in (ProducerSettings, RateLimitSettings, NotificationSettings, CommandSettings, DashboardSettings):
        assert role.model_fields.keys() <= WorkerSettings.model_fields.keys()


def test_a_value_comes_from_its_file(tmp_path: Path) -> None:
    file, env = tmp_path / "url", tmp_path / ".env"
    file.write_text("redis://one/0\n", "utf-8")
    env.write_text(f"export LANES_REDIS_URL_FILE='{file}'\nLANES_SERVICE_FILE=\n", "utf-8")
    assert RedisSettings.load({}, env).redis_url == "redis://one/0"
    with pytest.raises(SettingsError, match=r"/\.env:1: LANES_REDIS_URL_FILE: LANES_REDIS_URL is set too"):
        RedisSettings.load({"LANES_REDIS_URL": "redis://two/0"}, env)
