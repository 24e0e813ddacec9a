"""Whose limit is in force: a person's cap, the API's own, or the default."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lanes.credentials import CredentialStore
from lanes.queue.notification import Notification
from lanes.queue.transitions import AttemptReport, DefaultLimits, RateLimitInfo
from lanes.settings import WorkerSettings
from tests.lanes.conftest import START, ClockedStore
from tests.lanes.rate_limit.simulation import Server, start
from tests.lanes.simulated_workers import deliver, fill, release_due, release_job

UNSET = DefaultLimits(burst=None, window=10, daily=None)
WINDOW = 10.0


def limits_of(store: ClockedStore, limits: DefaultLimits = UNSET) -> tuple[int, int]:
    """Return the limits in force as a person is shown them."""
    lane = store.lanes()[0]
    return lane.burst_in_force(limits.burst).requests, lane.daily_in_force(limits.daily).requests


def deliver_with(store: ClockedStore, rate_limits: RateLimitInfo, jobs: int = 1, limits: DefaultLimits = UNSET) -> None:
    """Let as many requests go out, and be answered so, one after the other."""
    for _ in range(jobs):
        fill(store, "loc", 1)
        deliver(store, release_job(store, limits), limits, rate_limits)


def notifications(store: ClockedStore) -> list[Notification]:
    """Take all notifications that are due."""
    found = []
    while notification := store.claim_notification(30, None):
        found.append(notification)
        store.ack_notification(notification)
    return found


def test_the_default_holds_until_the_api_reports_a_limit(store: ClockedStore) -> None:
    fill(store, "loc", 300)
    assert len(release_due(store, UNSET)) == 100
    assert limits_of(store) == (100, 200_000)


@pytest.mark.parametrize("burst", [1, 40, 99])
def test_a_lower_limit_holds_at_once(store: ClockedStore, burst: int) -> None:
    deliver_with(store, RateLimitInfo(burst=burst))
    fill(store, "loc", 300)
    assert 1 + len(release_due(store, UNSET)) == burst
    assert limits_of(store)[0] == burst


def test_a_higher_limit_holds_after_two_answers_and_is_the_lower_of_the_two(store: ClockedStore) -> None:
    deliver_with(store, RateLimitInfo(burst=250))
    assert limits_of(store)[0] == 100
    deliver_with(store, RateLimitInfo(burst=240))
    assert limits_of(store)[0] == 240
    fill(store, "loc", 300)
    assert 2 + len(release_due(store, UNSET)) == 240


def test_the_day_is_followed_both_ways(store: ClockedStore) -> None:
    deliver_with(store, RateLimitInfo(daily=5))
    assert limits_of(store)[1] == 5
    deliver_with(store, RateLimitInfo(daily=300_000), 2)
    assert limits_of(store) == (100, 300_000)


def test_two_in_a_row_means_in_a_row(store: ClockedStore) -> None:
    for burst in (250, 100, 250, 90, 250):
        deliver_with(store, RateLimitInfo(burst=burst))
        assert limits_of(store)[0] <= 100
    deliver_with(store, RateLimitInfo(burst=250))
    assert limits_of(store)[0] == 250


def test_only_requests_newer_than_the_last_report_count(store: ClockedStore) -> None:
    fill(store, "loc", 4)
    first, second, third, fourth = (release_job(store, UNSET) for _ in range(4))
    deliver(store, second, UNSET, RateLimitInfo(burst=100))
    deliver(store, first, UNSET, RateLimitInfo(burst=7))
    assert limits_of(store)[0] == 100
    deliver(store, fourth, UNSET, RateLimitInfo(burst=250))
    deliver(store, third, UNSET, RateLimitInfo(burst=250))
    assert limits_of(store)[0] == 100


def test_requests_out_when_a_limit_was_lowered_do_not_raise_it_again(store: ClockedStore) -> None:
    deliver_with(store, RateLimitInfo(burst=250), 2)
    fill(store, "loc", 10)
    lowers, *others = [release_job(store, UNSET) for _ in range(6)]
    deliver(store, lowers, UNSET, RateLimitInfo(burst=40))
    for job in others:
        deliver(store, job, UNSET, RateLimitInfo(burst=250))
    assert limits_of(store)[0] == 40


def test_while_the_budget_is_shared_it_is_raised_only_after_a_whole_window(store: ClockedStore) -> None:
    deliver_with(store, RateLimitInfo(burst=100, left=40, window=WINDOW))
    store.pass_time(1)
    for _ in range(5):
        deliver_with(store, RateLimitInfo(burst=250, left=230, window=WINDOW))
        store.pass_time(1.9)
        assert limits_of(store)[0] == 100
    store.pass_time(0.6)
    deliver_with(store, RateLimitInfo(burst=250, left=230, window=WINDOW))
    assert limits_of(store)[0] == 250


@pytest.mark.parametrize(
    ("own", "setting", "rate_limits", "holds"),
    [
        (None, None, None, 100),
        (None, None, 250, 250),
        (None, None, 40, 40),
        (None, 60, None, 60),
        (None, 60, 250, 60),
        (None, 60, 40, 40),
        (None, 200, 250, 200),
        (80, 60, 250, 80),
        (80, 60, 70, 70),
        (300, None, None, 300),
        (300, None, 250, 250),
        (300, 50, 280, 280),
    ],
)
def test_an_operators_limit_is_a_cap(
    store: ClockedStore, own: int | None, setting: int | None, rate_limits: int | None, holds: int
) -> None:
    limits = DefaultLimits(setting, WINDOW, None)
    store.limit("loc", own, None, None)
    deliver_with(store, RateLimitInfo(burst=rate_limits), 2, limits)
    fill(store, "loc", 400)
    assert store.count_due(1000, limits).due == holds - 2
    assert 2 + len(release_due(store, limits)) == holds == limits_of(store, limits)[0]


def test_without_the_cap_the_apis_limit_holds_again(store: ClockedStore) -> None:
    store.limit("loc", 30, None, None)
    deliver_with(store, RateLimitInfo(burst=250), 2)
    store.limit("loc", None, None, None)
    assert limits_of(store)[0] == 250


@pytest.mark.parametrize("name", ["burst", "daily"])
def test_each_change_sends_one_notification(store: ClockedStore, name: str) -> None:
    for value in (50, 50, 50, 90, 90, 90, 20):
        deliver_with(store, RateLimitInfo(**{name: value}))
    found = [(notification.event, notification.facts) for notification in notifications(store)]
    default = 100 if name == "burst" else 200_000
    steps = [(default, 50), (50, 90), (90, 20)]
    assert found == [
        ("limit_changed", {"location": "loc", "limit": name, "before": before, "now": now}) for before, now in steps
    ]


def test_a_limit_above_the_cap_sends_no_notification(store: ClockedStore) -> None:
    store.limit("loc", 30, None, None)
    for value in (250, 250, 90, 100, 100):
        deliver_with(store, RateLimitInfo(burst=value))
    assert notifications(store) == []


def put(tokens: CredentialStore) -> None:
    tokens.store_credential("loc", b"another")


def remove(tokens: CredentialStore) -> None:
    assert tokens.remove_credential("loc")


def renew(tokens: CredentialStore) -> None:
    assert tokens.store_credential("loc", b"renewed", replaces=tokens.read("loc").version)


def encrypt(tokens: CredentialStore) -> None:
    assert tokens.store_credential("loc", b"encrypted", replaces=tokens.read("loc").version, keep=True)


@pytest.mark.parametrize(
    ("change", "forgotten"), [(put, True), (remove, True), (renew, False), (encrypt, False)], ids=lambda v: str(v)[:12]
)
def test_reported_limits_are_reset_when_the_token_is_replaced(
    store: ClockedStore, change: Callable[[CredentialStore], None], forgotten: bool
) -> None:
    tokens = CredentialStore(store)
    tokens.store_credential("loc", b"first")
    deliver_with(store, RateLimitInfo(burst=3, daily=4))
    fill(store, "loc", 200)
    assert len(release_due(store, UNSET)) == 2
    change(tokens)
    assert limits_of(store) == ((100, 200_000) if forgotten else (3, 4))
    assert len(release_due(store, UNSET)) == (97 if forgotten else 0)


def test_a_request_out_when_the_token_changed_reports_the_old_tokens_limits(store: ClockedStore) -> None:
    fill(store, "loc", 2)
    job = release_job(store, UNSET)
    CredentialStore(store).store_credential("loc", b"another")
    deliver(store, job, UNSET, RateLimitInfo(burst=3))
    assert limits_of(store)[0] == 100


@pytest.mark.parametrize(("change", "over"), [(put, True), (renew, False)], ids=["put", "renewed"])
def test_the_pause_of_a_429_belongs_to_the_token(
    store: ClockedStore, change: Callable[[CredentialStore], None], over: bool
) -> None:
    """A day that one app has used up is not that of another; the same grant renewed has the same day."""
    CredentialStore(store).store_credential("loc", b"first")
    fill(store, "loc", 2)
    job = release_job(store, UNSET)
    store.throttle(AttemptReport(job.id, job.attempt, "{}", UNSET, RateLimitInfo()), wait=80_000)
    store.pass_time(20)
    change(CredentialStore(store))
    assert bool(release_due(store, UNSET)) is over


def test_an_agency_token_creates_no_lane(store: ClockedStore) -> None:
    CredentialStore(store).store_credential("agency:comp", b"sealed")
    assert not list(store.client.scan_iter(match="test:lane:*"))


def test_a_429_after_a_lowered_limit_proves_no_other_client(store: ClockedStore) -> None:
    deliver_with(store, RateLimitInfo(burst=100, left=99, window=WINDOW))
    fill(store, "loc", 60)
    jobs = [release_job(store, UNSET) for _ in range(50)]
    report = AttemptReport(jobs[0].id, jobs[0].attempt, "{}", UNSET, RateLimitInfo(burst=40, left=0, window=WINDOW))
    store.throttle(report, wait=1)
    for job in jobs[1:]:
        deliver(store, job, UNSET, RateLimitInfo(burst=40, left=0, window=WINDOW))
    fill(store, "loc", 60)
    store.pass_time(20)
    assert len(release_due(store, UNSET)) == 40


def test_a_429_of_the_day_proves_no_other_client_in_the_window(store: ClockedStore) -> None:
    fill(store, "loc", 200)
    job = release_job(store, UNSET)
    rate_limits = RateLimitInfo(burst=100, left=99, window=WINDOW, daily=200_000, day_left=0, day_resets_in=5)
    store.throttle(AttemptReport(job.id, job.attempt, "{}", UNSET, rate_limits), wait=1)
    store.pass_time(6)
    assert len(release_due(store, UNSET)) == 99


def test_a_setting_is_a_cap_when_it_was_set() -> None:
    assert (WorkerSettings().burst_cap, WorkerSettings().daily_cap) == (None, None)
    same = WorkerSettings.load({"LANES_BURST_LIMIT": "100", "LANES_DAILY_LIMIT": "200000"}, None)
    assert (same.burst_cap, same.daily_cap) == (100, 200_000)
    unset = WorkerSettings.load({"LANES_BURST_LIMIT": "", "LANES_DAILY_LIMIT": ""}, None)
    assert (unset.burst_cap, unset.daily_cap) == (None, None)


# In virtual time.

CHANGES = st.lists(st.sampled_from((8, 30, 60, 120)), min_size=2, max_size=3)
EACH = 70.0
SETTLED = 15.0


@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    seed=st.integers(0, 10**6), limits=CHANGES, fixed=st.booleans(), latency=st.sampled_from(((0.05, 0.5), (0.01, 2.0)))
)
def test_limits_that_change_are_used_in_full_and_cost_the_429s_of_one_window(
    store: ClockedStore, seed: int, limits: list[int], fixed: bool, latency: tuple[float, float]
) -> None:
    store.client.flushall()
    server = Server(fixed, burst=limits[0])
    simulation = start(store, seed, latency=latency, consumers=60, server=server, limits=UNSET)
    simulation.enqueue(sum(limits) * 8 + 200)
    lowered = []
    for number, limit in enumerate(limits):
        if limit < (limits[number - 1] if number else 100):
            lowered.append(simulation.now)
        server.burst = limit
        simulation.run(EACH)
    for at, who, half_open_limit in server.arrivals:
        assert (
            half_open_limit or who != "lanes" or any(begin <= at <= begin + WINDOW + latency[1] for begin in lowered)
        ), at - START
    windows = (EACH - SETTLED) / (WINDOW + sum(latency) / 2)
    for number, limit in enumerate(limits):
        begin = START + number * EACH
        taken = sum(
            1 for at, _, half_open_limit in server.arrivals if half_open_limit and begin + SETTLED <= at < begin + EACH
        )
        assert taken >= (windows - 1.2) * limit  # one may be cut at either end
