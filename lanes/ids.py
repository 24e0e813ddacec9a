"""The ids of the API, of locations, pipelines, contacts and opportunities, and the names of services."""

import re

ID = r"[A-Za-z0-9_-]{1,64}"
is_id = re.compile(ID).fullmatch
SERVICE = r"[!-~]{1,64}"
is_service = re.compile(SERVICE).fullmatch
