"""The ids of the API: of locations, pipelines, contacts and opportunities."""

import re

ID = r"[A-Za-z0-9_-]{1,64}"
is_id = re.compile(ID).fullmatch
