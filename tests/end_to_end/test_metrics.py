"""After a run with every outcome the metrics are what `lanes status` and the sandbox counted, a real Prometheus scrapes
them, and Grafana's panels, the alerts and the documentation speak of these metrics and of no others.
"""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from lanes.queue.job import State
from ops.embedded.redis_server import free_port
from ops.embedded.stack import TOKEN
from tests.end_to_end.monitored_run import PROMETHEUS, SECRET, MonitoredRun, start_monitored_run
from tests.end_to_end.prometheus_server import grouping_labels, selectors
from tests.helpers import until
from worker.metrics.catalogue import (
    ALL,
    CELL_METRICS,
    GATEWAY_METRICS,
    OF_LOOPS,
    WORKER_METRICS,
    MetricKind,
    MetricSpec,
)

ROOT = Path(__file__).parents[2]

# Stock Flower, with the collector in the registry that it serves.
FLOWER = """
import sys
from celery.__main__ import main
from lanes.queue.connecting import connect
from lanes.queue.store import LaneStore
from worker.app import load_settings
from worker.metrics import register

settings = load_settings()
register(LaneStore(connect(settings.redis_url), settings.prefix), settings)
sys.argv[0] = "celery"
sys.exit(main())
"""


@pytest.fixture(scope="module")
def monitored_run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MonitoredRun]:
    with start_monitored_run(tmp_path_factory.mktemp("metrics")) as monitored_run:
        yield monitored_run


def value(monitored_run: MonitoredRun, selector: str) -> float:
    """Return the one value that Prometheus has of a metric."""
    [found] = monitored_run.prometheus.series(selector)
    return float(found["value"][1])


def test_the_metrics_are_what_lanes_status_says(monitored_run: MonitoredRun) -> None:
    status = monitored_run.status()
    for state in State:
        assert value(monitored_run, f'lanes_jobs{{state="{state}"}}') == status[state]
    for event in ("accepted", "merged", "delivered", "cancelled", "expired"):
        assert value(monitored_run, f"lanes_jobs_{event}_total") == status[event] > 0
    for event in ("retried", "throttled", "reclaimed"):
        assert value(monitored_run, f"lanes_attempts_{event}_total") == status[event] > 0
    assert value(monitored_run, "sum(lanes_jobs_buried_total)") == status["dead"] == 5
    assert value(monitored_run, "sum(lanes_jobs)") == status["accepted"]
    for lane in status["locations"]:
        for name in ("pending", "in_flight", "dead", "day_used"):
            assert value(monitored_run, f'lanes_lane_{name}{{location="{lane["location_id"]}"}}') == lane[name]
    assert (
        value(monitored_run, 'lanes_held{by="authorization"}')
        == sum(bool(lane["hold"]) for lane in status["locations"])
        == 1
    )
    assert value(monitored_run, "lanes_outage") == (status["outage"] is not None) == 0


def test_the_metrics_are_what_the_sandbox_counted(monitored_run: MonitoredRun) -> None:
    seen = Counter(request["status"] for request in monitored_run.sandbox.requests())
    buried = {
        reason: value(monitored_run, f'lanes_jobs_buried_total{{reason="{reason}"}}')
        for reason in ("refused", "exhausted", "unauthorized")
    }
    assert buried == {"refused": seen[400], "exhausted": 1, "unauthorized": seen[401]}
    assert value(monitored_run, "lanes_jobs_delivered_total") == seen[200] + seen[201]
    assert value(monitored_run, "lanes_attempts_throttled_total") == seen[429]
    assert value(monitored_run, "lanes_attempts_retried_total") == seen[500] - buried["exhausted"]
    assert value(monitored_run, "lanes_attempt_seconds_count") == sum(seen.values())
    assert value(monitored_run, "lanes_delivery_seconds_count") == seen[200] + seen[201]


def test_dashboard_and_worker_report_the_same(monitored_run: MonitoredRun) -> None:
    def reported(text: str) -> dict[str, str]:
        return dict(
            re.findall(r"^(lanes_jobs\S*|lanes_attempts\S*|lanes_\w+_seconds_count) (\S+)$", text, re.MULTILINE)
        )

    assert reported(monitored_run.dashboard()) == reported(monitored_run.worker())
    assert len(reported(monitored_run.dashboard())) > 20
    assert "lanes_jobs" not in monitored_run.worker("/metrics/worker")
    assert value(monitored_run, "lanes_workers") == 1
    assert "flower_events_total" in monitored_run.dashboard()
    assert value(monitored_run, "lanes_worker_shifts_started_total") > 0


def test_stock_flower_serves_what_is_registered(monitored_run: MonitoredRun) -> None:
    (monitored_run.stack.folder / "flower_with_metrics.py").write_text(FLOWER)
    url = f"http://127.0.0.1:{(port := free_port())}"
    options = ["--address=127.0.0.1", f"--port={port}"]
    flower = monitored_run.stack.start("flower", ["flower_with_metrics", "-A", "worker", "flower", *options])
    monitored_run.stack.until(lambda: answers(url), flower)
    until(lambda: "lanes_scrape_success 1.0" in requests.get(f"{url}/metrics", timeout=30).text, "the first look")
    flower.stop()


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/healthcheck", timeout=30).ok
    except requests.ConnectionError:
        return False


def test_the_dashboards_metrics_need_its_password(monitored_run: MonitoredRun) -> None:
    for auth in (None, (PROMETHEUS[0], "another")):
        answer = requests.get(f"{monitored_run.stack.flower_url}/metrics", auth=auth, timeout=30)
        assert answer.status_code in (401, 403)
        assert "lanes_jobs" not in answer.text


def test_no_metric_holds_content_or_a_token(monitored_run: MonitoredRun) -> None:
    contacts = {request["contact_id"] for request in monitored_run.sandbox.requests()}
    opportunities = {record["id"] for record in monitored_run.sandbox.records()}
    assert len(contacts) > 5
    assert opportunities
    for text in (monitored_run.dashboard(), monitored_run.worker(), monitored_run.worker("/metrics/worker")):
        ours = "\n".join(line for line in text.splitlines() if line.startswith("lanes_"))
        for secret in (SECRET, TOKEN, *contacts, *opportunities):
            assert secret not in ours
        assert SECRET not in text
        assert TOKEN not in text


def panels() -> list[dict[str, Any]]:
    dashboard = json.loads((ROOT / "ops/grafana/dashboards/lanes.json").read_text("utf-8"))
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def panel_expressions() -> list[str]:
    """Return every expression of Grafana's panels, with what Grafana puts in for its variables."""
    found = [target["expr"] for panel in panels() for target in panel["targets"]]
    return [expression.replace("$__rate_interval", "1m") for expression in found]


def alert_rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((ROOT / "ops/prometheus/alerts.yml").read_text("utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def alert_expressions() -> list[str]:
    return [rule["expr"] for rule in alert_rules()]


def test_what_panels_and_alerts_ask_for_is_there(monitored_run: MonitoredRun) -> None:
    now = time.time()
    labels: set[str] = set()
    for expression in {*panel_expressions(), *alert_expressions()}:
        assert "$" not in expression
        monitored_run.prometheus.get("query_range", query=expression, start=now - 10, end=now, step=1)
        for selector in selectors(expression):
            found = monitored_run.prometheus.series(selector)
            assert found, f"{selector} of {expression} is nowhere"
            labels |= {name for series in found for name in series["metric"]}
        assert grouping_labels(expression) <= labels, expression


def test_what_legends_and_alerts_name_are_labels_of_what_they_show(monitored_run: MonitoredRun) -> None:
    for panel in panels():
        for target in panel["targets"]:
            wanted = set(re.findall(r"\{\{\s*(\w+)\s*\}\}", target["legendFormat"]))
            expression = target["expr"].replace("$__rate_interval", "1m")
            shown = [
                set(series["metric"])
                for selector in selectors(expression)
                for series in monitored_run.prometheus.series(selector)
            ]
            assert all(wanted <= names for names in shown), (panel["title"], expression)


def test_every_metric_is_shown_or_watched() -> None:
    used = {
        each.partition("{")[0]
        for expression in panel_expressions() + alert_expressions()
        for each in selectors(expression)
    }
    ours = {re.sub(r"_(bucket|sum|count)$", "", name) for name in used if name.startswith("lanes_")}
    assert ours == {metric.name for metric in ALL + GATEWAY_METRICS}


def test_the_alerts_that_should_fire_do_and_no_others(monitored_run: MonitoredRun) -> None:
    """A rule holds for its time before it fires; that it waits for that is seen at once."""

    def alerts() -> set[str]:
        return {found["labels"]["alertname"] for found in monitored_run.prometheus.get("alerts")["alerts"]}

    until(lambda: "LaneHeldByAuthorization" in alerts(), "the alert of the held lane")
    [group] = monitored_run.prometheus.get("rules")["groups"]
    assert {rule["name"]: rule["health"] for rule in group["rules"]} == {rule["alert"]: "ok" for rule in alert_rules()}
    assert alerts() <= {"LaneHeldByAuthorization", "ThrottledTooOften", "DeadLettersRise"}


def test_the_documentation_has_each_metric_as_it_is_exposed(monitored_run: MonitoredRun) -> None:
    def spec(text: str) -> dict[str, tuple[str, str]]:
        kinds = dict(re.findall(r"^# TYPE (lanes_\S+) (\S+)$", text, re.MULTILINE))
        return {
            name: (kinds[name], description)
            for name, description in re.findall(r"^# HELP (lanes_\S+) (.*)$", text, re.MULTILINE)
        }

    exposed = spec(monitored_run.worker())
    assert exposed == {metric.name: (metric.kind.value, metric.description) for metric in ALL}
    of_dashboard = {metric.name: (metric.kind.value, metric.description) for metric in CELL_METRICS + OF_LOOPS}
    assert spec(monitored_run.dashboard()) == of_dashboard

    def has_its_labels(metric: MetricSpec) -> bool:
        selector = metric.name + ("_bucket" if metric.kind is MetricKind.HISTOGRAM else "")
        found = {label for series in monitored_run.prometheus.series(selector) for label in series["metric"]}
        return found - {"__name__", "job", "instance", "le"} == set(metric.labels)

    for metric in ALL:
        until(partial(has_its_labels, metric), f"the labels of {metric.name}")


def test_the_documentation_is_that_of_the_catalogue() -> None:
    text = (ROOT / "docs/metrics.md").read_text("utf-8")
    for metrics in (CELL_METRICS, WORKER_METRICS, OF_LOOPS, GATEWAY_METRICS):
        lines = ["| metric | kind | labels | what it tells |", "|---|---|---|---|"]
        for metric in metrics:
            labels = ", ".join(f"`{label}`" for label in metric.labels)
            lines.append(f"| `{metric.name}` | {metric.kind} | {labels} | {metric.description} |")
        assert "\n".join(lines) in text, "\n".join(lines)
