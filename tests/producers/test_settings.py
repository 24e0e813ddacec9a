"""A producer made from settings or a URL: errors are reported when it is made. Each case on both producers."""

from pathlib import Path

import pytest

from lanes.errors import SettingsError
from lanes.queue.store import LaneStore
from lanes.settings import ProducerSettings
from producers import AsyncOpportunityProducer, OpportunityProducer, UnknownJobError
from tests.helpers import until
from tests.producers.conftest import OK, MakeProducer, connections

Face = type[OpportunityProducer] | type[AsyncOpportunityProducer]
URLS = [
    ("", "must not be empty"),
    ("localhost", "must begin with redis://"),
    ("http://localhost", "must begin with redis://"),
    ("redis://localhost:99999/0", "must have a number from 1 to 65535 for its port"),
    ("redis://localhost:port/0", "must have a number from 1 to 65535 for its port"),
    ("redis://localhost/0?colour=red", "colour"),
    ("redis://localhost/0?decode_responses=true", "decode_responses"),
    ("redis://localhost/production", "must name its database by a number"),
    ("redis://localhost/0/1", "must name its database by a number"),
    ("redis://localhost/-1", "must name its database by a number"),
    ("redis://localhost..example/0", "must have the name of a host"),
    ("redis://:a#b@localhost/0", "must have %23 for # in its user or password"),
    ("redis://localhost/0?socket_timeout=soon", "socket_timeout"),
]


@pytest.fixture(params=[OpportunityProducer, AsyncOpportunityProducer], ids=["sync", "async"])
def face(request: pytest.FixtureRequest) -> Face:
    """Each of the two classes."""
    found: Face = request.param
    return found


@pytest.mark.parametrize(("url", "reported"), URLS)
def test_a_wrong_url(face: Face, url: str, reported: str) -> None:
    with pytest.raises(SettingsError, match=reported):
        face.from_url(url)


@pytest.mark.parametrize(("url", "reported"), URLS[1:])
def test_a_wrong_url_in_the_environment(face: Face, monkeypatch: pytest.MonkeyPatch, url: str, reported: str) -> None:
    monkeypatch.setenv("LANES_REDIS_URL", url)
    with pytest.raises(SettingsError, match=f"^LANES_REDIS_URL.*{reported}"):
        face.from_settings()


def test_a_wrong_url_is_reported_without_its_password(face: Face) -> None:
    for url in (
        "redis://:hunter2@localhost:99999",
        "http://:hunter2@x",
        "redis://:hunter2#@x",
        "redis://:hunter2@localhost?colour=red",
    ):
        with pytest.raises(SettingsError) as caught:
            face.from_url(url)
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value", "reported"),
    [
        ("LANES_SERVCE", "x", "LANES_SERVCE: no such setting; did you mean LANES_SERVICE?"),
        ("LANES_IDEMPOTENCY_SECONDS", "0", "LANES_IDEMPOTENCY_SECONDS: must be 0.001 or more"),
        ("LANES_PREFIX", "a b", "LANES_PREFIX: "),
        ("LANES_SERVICE", "a b", "LANES_SERVICE: must be 1 to 64 printable ASCII characters, no spaces"),
    ],
)
def test_a_wrong_setting(face: Face, monkeypatch: pytest.MonkeyPatch, name: str, value: str, reported: str) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=reported):
        face.from_settings()
    with pytest.raises(SettingsError, match=reported):
        face.from_url("redis://localhost/0")


@pytest.mark.parametrize("value", ["10", "nonsense"])
def test_what_only_a_worker_reads_stops_no_producer(
    face: Face, redis_url: str, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("LANES_LEASE_SECONDS", value)
    monkeypatch.setenv("LANES_SECRET_KEY_FILE", "nowhere")
    assert isinstance(face.from_settings(), face)
    assert isinstance(face.from_url(redis_url), face)


@pytest.mark.parametrize("setting", ["LANES_REDIS_URL", "LANES_REDIS_URL_FILE"])
def test_a_url_goes_before_the_one_of_the_environment(
    face: Face, monkeypatch: pytest.MonkeyPatch, setting: str
) -> None:
    monkeypatch.setenv(setting, "nowhere")
    with pytest.raises(SettingsError):
        face.from_settings()
    assert isinstance(face.from_url("redis://localhost/0"), face)


def test_the_settings_of_the_environment_and_of_env_files(
    redis_url: str, store: LaneStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(".env").write_text(f"LANES_REDIS_URL={redis_url}\nLANES_SERVICE=billing\nLANES_PREFIX=file:\n", "utf-8")
    monkeypatch.setenv("LANES_PREFIX", "environment:")
    with OpportunityProducer.from_settings() as producer:
        job = producer.status(producer.enqueue(OK).job_id)
    assert job.service == "billing"
    assert store.counts()["accepted"] == 0
    assert LaneStore(store.client, "environment:").job(job.id) == job


def test_producers_of_other_prefixes_do_not_see_each_others_jobs(redis_url: str, make_producer: MakeProducer) -> None:
    here, there = (
        make_producer(ProducerSettings(redis_url=redis_url, prefix=prefix)) for prefix in ("here:", "there:")
    )
    first = here.enqueue(OK, idempotency_key="k")
    assert not there.enqueue({**OK, "name": "n"}, idempotency_key="k").duplicate
    with pytest.raises(UnknownJobError):
        there.status(first.job_id)


def test_leaving_the_with_block_closes_the_producer(redis_url: str, store: LaneStore) -> None:
    others = connections(store)
    with OpportunityProducer.from_url(redis_url) as producer:
        producer.enqueue(OK)
        own = connections(store) - others
        assert own
    until(lambda: not own & connections(store), "the connection closed")
