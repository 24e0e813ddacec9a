"""Grafana finds its dashboard, and can draw it; what its panels ask for is tested end to end."""

import itertools
import json
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "ops/grafana"
DASHBOARD = json.loads((FOLDER / "dashboards/lanes.json").read_text("utf-8"))
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]


def provisioned(path: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "provisioning" / path).read_text("utf-8"))
    return found


def test_panels_have_a_place_of_their_own() -> None:
    places = [panel["gridPos"] for panel in PANELS]
    for place in places:
        assert place["x"] + place["w"] <= 24
    for one, two in itertools.combinations(places, 2):
        beside = one["x"] + one["w"] <= two["x"] or two["x"] + two["w"] <= one["x"]
        below = one["y"] + one["h"] <= two["y"] or two["y"] + two["h"] <= one["y"]
        assert beside or below, (one, two)
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    titles = [panel["title"] for panel in PANELS if panel["type"] != "row"]
    assert len(set(titles)) == len(titles)


def test_every_panel_asks_the_source_that_is_chosen_above() -> None:
    [variable] = DASHBOARD["templating"]["list"]
    assert (variable["name"], variable["type"], variable["query"]) == ("datasource", "datasource", "prometheus")
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    for panel in PANELS:
        if panel["type"] == "row":
            continue
        assert panel["datasource"] == chosen
        assert panel["targets"]
        assert all(target["datasource"] == chosen for target in panel["targets"])
        assert len({target["refId"] for target in panel["targets"]}) == len(panel["targets"])


def test_the_source_and_the_dashboard_are_provisioned() -> None:
    [source] = provisioned("datasources/prometheus.yml")["datasources"]
    assert source["uid"] == DASHBOARD["templating"]["list"][0]["current"]["value"]
    assert (source["type"], source["access"]) == ("prometheus", "proxy")
    [provider] = provisioned("dashboards/lanes.yml")["providers"]
    assert provider["type"] == "file"
