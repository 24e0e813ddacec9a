"""A real Prometheus with the configuration that is shipped, and what it answers."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import requests
import yaml

from ops.embedded.processes import Child
from ops.embedded.redis_server import free_port
from tests.real_parts import prometheus

ROOT = Path(__file__).parents[2]
CONFIGURATION = ROOT / "ops/prometheus/prometheus.yml"


class Prometheus:
    """Scrapes some addresses a few times a second, under the names of the jobs that are shipped.

    Args:
        folder: its data.
        targets: job -> address and port, for each job of the configuration.
        password: what the password file of the configuration holds.
    """

    def __init__(self, folder: Path, targets: Mapping[str, str], password: str) -> None:
        folder.mkdir()
        config = yaml.safe_load(CONFIGURATION.read_text("utf-8"))
        config["global"] = {"scrape_interval": "250ms", "scrape_timeout": "250ms", "evaluation_interval": "250ms"}
        config["rule_files"] = [str(CONFIGURATION.with_name(name)) for name in config["rule_files"]]
        (folder / "password").write_text(password)
        for job in config["scrape_configs"]:
            job.pop("dns_sd_configs", None)
            job["static_configs"] = [{"targets": [targets[job["job_name"]]]}]
            if "basic_auth" in job:
                job["basic_auth"]["password_file"] = str(folder / "password")
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self.url = f"http://127.0.0.1:{(port := free_port())}"
        command = [
            prometheus(),
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        ]
        self.child = Child("prometheus", command, folder / "prometheus.log", folder=folder)

    def get(self, path: str, **parameters: str | float) -> Any:
        """Ask its API; None while it does not answer yet."""
        try:
            answer = requests.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30)
        except requests.ConnectionError:
            return None
        if answer.status_code == 503:  # it is starting
            return None
        body = answer.json()
        assert body["status"] == "success", (parameters, body)
        return body["data"]

    def series(self, expression: str) -> list[dict[str, Any]]:
        """Return what an expression comes to now: each with `metric` (its labels) and `value`."""
        found = self.get("query", query=expression)
        return list(found["result"]) if found else []


# What an expression is made of, beside metrics and labels.
WORDS = frozenset(
    {"absent", "and", "by", "deriv", "histogram_quantile", "increase", "or", "rate", "sum", "unless", "without"}
)
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")
_SELECTOR = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(?:\{[^}]*\})?")
_DURATION = re.compile(r"\[[^\]]*\]")


def selectors(expression: str) -> set[str]:
    """Return the metrics of an expression, each with its matchers."""
    bare = _DURATION.sub("", _GROUPING.sub("", expression))
    return {found for found in _SELECTOR.findall(bare) if found not in WORDS}


def grouping_labels(expression: str) -> set[str]:
    """Return the labels by which an expression groups."""
    return {label.strip() for group in _GROUPING.findall(expression) for label in group.split(",")}
