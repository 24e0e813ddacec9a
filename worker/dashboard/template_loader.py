"""Loads our templates and Flower's.

The items of Flower's navigation and the link on its task page are inserted at a marker when its templates are loaded.
"""

import re
from pathlib import Path

import structlog
from tornado.template import Loader, Template

log = structlog.get_logger()

FOLDER = Path(__file__).parent

# Flower's template -> the marker after which ours is inserted, and ours.
TEMPLATE_ADDITIONS = {
    "navbar.html": (re.compile(r">Broker</a>\s*</li>"), "navbar_items.html"),
    "task.html": (re.compile(r'<div class="detail-actions">'), "task_link.html"),
}


class Templates(Loader):
    """Finds our templates first, then Flower's, and inserts ours into two of Flower's."""

    def __init__(self, flowers: str) -> None:
        super().__init__(str(FOLDER / "templates"))
        self._flowers = Path(flowers)

    def _create_template(self, name: str) -> Template:
        ours = Path(self.root) / name
        if ours.is_file():
            return Template(ours.read_bytes(), name=name, loader=self)
        return Template(self._with_additions(name, (self._flowers / name).read_text("utf-8")), name=name, loader=self)

    def _with_additions(self, name: str, text: str) -> str:
        if name not in TEMPLATE_ADDITIONS:
            return text
        marker, ours = TEMPLATE_ADDITIONS[name]
        changed, times = marker.subn(lambda found: f'{found[0]}{{% include "{ours}" %}}', text)
        if times != 1:
            # The pages still work by their addresses.
            log.warning("flower_changed", template=name, marker=marker.pattern, found=times)
            return text
        return changed
