"""Prometheus takes its configuration; each alert fires when it should, is silent else, and says what to do."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.real_parts import promtool

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "ops/prometheus"
RULES = [rule for group in yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"] for rule in group["rules"]]
CASES = yaml.safe_load((FOLDER / "alerts_test.yml").read_text())["tests"]


@pytest.mark.parametrize(
    "arguments",
    [("check", "config", "prometheus.yml"), ("check", "rules", "alerts.yml"), ("test", "rules", "alerts_test.yml")],
)
def test_promtool_is_content(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [promtool(), *arguments], cwd=FOLDER, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stdout + done.stderr


def cases(alert: str) -> Iterator[list[Any]]:
    """Yield what each case expects of an alert."""
    for case in CASES:
        for test in case["alert_rule_test"]:
            if test["alertname"] == alert:
                yield test["exp_alerts"]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_has_a_case_in_which_it_fires_and_one_in_which_it_is_silent(rule: dict[str, Any]) -> None:
    expected = list(cases(rule["alert"]))
    assert any(expected)
    assert not all(expected)


def anchor(alert: str) -> str:
    """Return the anchor of an alert's section: its name, in lower case with dashes."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", alert).lower()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_has_a_severity_a_summary_and_a_link(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert rule["for"]
    assert rule["annotations"]["summary"].endswith(".") or rule["annotations"]["summary"].endswith("?")
    assert rule["annotations"]["runbook"] == f"docs/runbook.md#{anchor(rule['alert'])}"


def test_each_alert_has_its_section_in_the_runbook() -> None:
    headings = re.findall(r"^#+ (.*)$", (ROOT / "docs/runbook.md").read_text("utf-8"), re.MULTILINE)
    anchors = {re.sub(r"[^\w -]", "", heading).strip().lower().replace(" ", "-") for heading in headings}
    assert {anchor(rule["alert"]) for rule in RULES} - anchors == set()
