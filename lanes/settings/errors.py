"""Says in our words what pydantic found wrong with a setting."""

from collections.abc import Mapping
from typing import Any

from lanes.settings.environment import variable

MAX_SHOWN = 100
_SECRETS = ("TOKEN", "KEY", "URL", "SECRET", "CLIENT_ID")
_WORDS = {
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "finite_number": "must be a number",
    "bool_parsing": "must be true or false",
    "string_unicode": "must be UTF-8 text",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "greater_than": "must be more than {gt}",
    "greater_than_equal": "must be {ge} or more",
    "less_than_equal": "must be {le} or less",
    "too_short": "must have {min_length} characters or more",
    "string_too_short": "must have {min_length} characters or more",
    "value_error": "{error}",
}


def explain(problem: Mapping[str, Any], values: Mapping[str, str], places: Mapping[str, str]) -> str:
    """Return one of pydantic's errors as a line, or as a line for each contradiction. It shows no secret."""
    words = _WORDS.get(str(problem["type"]), str(problem["msg"]))
    message = words.format(**{name: _shown(name, value) for name, value in problem.get("ctx", {}).items()})
    if not problem["loc"]:
        return message
    name = variable(str(problem["loc"][0]))
    value = "" if name.endswith(_SECRETS) else f" (it is {values.get(name, '')[:MAX_SHOWN]!r})"
    return f"{places.get(name, '')}{name}: {message}{value}"


def _shown(name: str, value: object) -> str:
    if name == "expected":
        return str(value).replace("'", "")
    return f"{value:.12g}" if isinstance(value, float) else str(value)
