"""Every way in which a real Redis can fail: a bounded wait, and an error that names the cause.

Each case on both producers.
"""

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lanes.settings import ProducerSettings
from ops.embedded.redis_server import free_port
from producers import EnqueueFailedError, EnqueueInterruptedError, RedisUnavailableError, Trouble
from tests.producers.conftest import OK, MakeProducer
from tests.producers.redis_failures import (
    Case,
    busy,
    certificate_of_another,
    cluster_with_all_slots,
    cluster_with_half_the_slots,
    cluster_without_slots,
    failing_disk,
    full,
    loading,
    lost_replica,
    no_keys,
    no_password,
    no_redis,
    no_rights,
    no_rights_in_scripts,
    no_such_database,
    no_tls,
    nobody_answers,
    nothing_listens,
    only_tls,
    other_schema,
    replica,
    sentinel,
    too_few_replicas,
    unknown_certificate,
    wrong_password,
)

# Bounded waits are what is tested: a call that hangs ends its test here.
pytestmark = pytest.mark.timeout(60)

PATIENCE = 0.6
AWAY = r"^Redis cannot be reached: .*[^.]; is it running, and is LANES_REDIS_URL right\?"
TLS = r"^Redis cannot be reached: .*; does it use TLS, and is its certificate \(ssl_ca_certs\) right\?"
RIGHTS = r"^Redis refuses: .*; give its user the permissions in docs/threat-model.md"
UNFIT = r"^Redis refuses: .*; LANES_REDIS_URL must name a primary that is not in a cluster, and a database that it has"
CLUSTER = r"^this Redis cannot hold the lanes: it is a node of a cluster, .*: name one outside a cluster"
CASES: dict[Case, tuple[Trouble, str]] = {
    nothing_listens: (Trouble.AWAY, AWAY),
    nobody_answers: (Trouble.AWAY, AWAY),
    no_redis: (Trouble.AWAY, AWAY),
    loading: (Trouble.LOADING, r"^Redis refuses: .*; it is starting: wait"),
    replica: (Trouble.READ_ONLY, r"^Redis refuses: .*; it is a replica: is LANES_REDIS_URL that of the primary\?"),
    lost_replica: (Trouble.READ_ONLY, r"^Redis refuses: .*; it is a replica"),
    busy: (Trouble.BUSY, r"^Redis refuses: BUSY .*; it is running a script that does not end: see docs/runbook.md"),
    full: (
        Trouble.FULL,
        r"^Redis refuses: .*; its memory is full: give it more, or wait until workers have delivered jobs",
    ),
    failing_disk: (Trouble.DISK, r"^Redis refuses: .*; it cannot write to its disk: see its log, and free disk space"),
    too_few_replicas: (Trouble.REPLICAS, r"^Redis refuses: .*; it has fewer replicas than its min-replicas-to-write"),
    no_password: (Trouble.PASSWORD, r"^Redis refused the password or user of LANES_REDIS_URL: "),
    wrong_password: (Trouble.PASSWORD, r"^Redis refused the password or user of LANES_REDIS_URL: "),
    no_rights: (Trouble.PERMISSIONS, RIGHTS),
    no_rights_in_scripts: (Trouble.PERMISSIONS, RIGHTS),
    no_keys: (Trouble.PERMISSIONS, RIGHTS),
    cluster_with_all_slots: (Trouble.UNFIT, CLUSTER),
    cluster_with_half_the_slots: (Trouble.UNFIT, CLUSTER),
    cluster_without_slots: (Trouble.UNFIT, CLUSTER),
    sentinel: (
        Trouble.UNFIT,
        r"^this Redis cannot hold the lanes: it is a Sentinel: name the primary that it",
    ),
    other_schema: (Trouble.SCHEMA, r"^the data in Redis have schema .*, and this version reads schema \d"),
    no_such_database: (Trouble.UNFIT, UNFIT),
    unknown_certificate: (Trouble.TLS, TLS),
    certificate_of_another: (Trouble.TLS, TLS),
    no_tls: (Trouble.AWAY, AWAY),
    only_tls: (Trouble.AWAY, AWAY),
}
READABLE = {replica, full, failing_disk, too_few_replicas}


def rejected(call: Callable[[], object]) -> RedisUnavailableError:
    """Return how a call is refused, well within the time that a hang would take."""
    began = time.monotonic()
    with pytest.raises(RedisUnavailableError) as caught:
        call()
    assert time.monotonic() - began < 20 * PATIENCE
    reported = str(caught.value)
    assert reported.isprintable()
    assert "hunter2" not in reported
    return caught.value


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_each_redis_failure_has_its_error_within_the_time(
    make_producer: MakeProducer, case: Case, tmp_path: Path
) -> None:
    trouble, line = CASES[case]
    with contextlib.ExitStack() as stack:
        producer = make_producer(ProducerSettings(redis_url=case(tmp_path, stack), enqueue_timeout_seconds=PATIENCE))
        one = rejected(lambda: producer.enqueue(OK))
        many = rejected(lambda: producer.enqueue_many([OK]))
        assert isinstance(one, EnqueueFailedError)
        assert isinstance(many, EnqueueInterruptedError)
        errors: list[RedisUnavailableError] = [one, many]
        if case not in READABLE:
            errors += [rejected(lambda: producer.status("job")), rejected(lambda: producer.wait("job", 60))]
            errors += [rejected(lambda: producer.cancel("job"))]
        for error in errors:
            assert re.search(line, str(error)), str(error)
            assert error.trouble is trouble


@pytest.mark.parametrize("timeout", [0, 0.05])
def test_a_wait_retries_no_longer_than_its_timeout(make_producer: MakeProducer, timeout: float) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    producer = make_producer(ProducerSettings(redis_url=url, enqueue_timeout_seconds=600))
    with pytest.raises(RedisUnavailableError, match="cannot be reached"):
        producer.wait("job", timeout)
