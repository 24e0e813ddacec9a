"""The page of settings is made from the models, and has all of them."""

import re

from lanes.settings import WorkerSettings
from lanes.settings.environment import variable
from ops.settings_page import PAGE, page


def test_the_page_is_that_of_the_models() -> None:
    assert PAGE.read_text("utf-8") == page(), "run: make docs"


def test_every_setting_stands_on_it_once() -> None:
    listed = re.findall(r"^\| `(LANES_\w+)` \|", page(), re.MULTILINE)
    assert sorted(listed) == sorted(map(variable, WorkerSettings.model_fields))


def test_it_tells_who_reads_what() -> None:
    sections = {re.sub(r"\n.*", "", part, flags=re.DOTALL): part for part in page().split("\n## ")[1:]}
    assert "Read by producers, commands, the dashboard and workers." in sections["Redis"]
    assert "Read by `lanes notify test` and workers." in sections["Notifications"]
    assert "Read by workers." in sections["Workers"]
    assert "| `LANES_LEASE_SECONDS` | `45` | seconds, 0.001 to " in sections["Leases and stored tokens"]
