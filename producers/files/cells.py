"""The values of CSV cells: numbers, flags and lists. All other fields are text."""

import math
import re
from typing import Literal

from producers.model import UnreadableValue

# Lists are separated by ;, an empty list is ; alone.
NUMBERS = frozenset({"monetaryValue", "monetary_value", "forecastProbability", "forecast_probability"})
FLAGS = frozenset({"isRemoveAllFollowers", "is_remove_all_followers"})
LISTS = frozenset({"followers"})

NumberStyle = Literal["en", "de"]
_NUMBER = re.compile(r"[+-]?([0-9]{1,400}(\.[0-9]*)?|\.[0-9]{1,400})([eE][+-]?[0-9]+)?")
_GROUPED = {
    "en": re.compile(r"([1-9][0-9]{0,2}(,[0-9]{3}){1,130}|[0-9]{1,400})(\.[0-9]*)?|\.[0-9]{1,400}"),
    "de": re.compile(r"([1-9][0-9]{0,2}(\.[0-9]{3}){1,130}|[0-9]{1,400})(,[0-9]*)?|,[0-9]{1,400}"),
}
_EXAMPLES = {"en": "1,200.50", "de": "1.200,50"}
_CURRENCY = r"(?:[$£¥¢\u20a0-\u20cf]|[A-Z]{3})"
_MONEY = re.compile(rf"(?P<sign>[+-]?)\s?({_CURRENCY}\s?)?(?P<sign2>[+-]?)(?P<digits>[0-9.,]+)(\s?{_CURRENCY})?")


def parse_field(name: str, field: str) -> object:
    """Return the value of a cell. Invalid text is returned unchanged, and the model refuses it."""
    if name in NUMBERS:
        return number(field)
    if name in FLAGS:
        return {"true": True, "false": False}.get(field.strip().lower(), field)
    if name in LISTS:
        return [part.strip() for part in field.split(";") if part.strip()]
    return field


def number(field: str) -> float | int | str:
    """Return the number in a cell, or the cell itself, and the model refuses it."""
    text = field.strip()
    if not _NUMBER.fullmatch(text):
        return field
    value = float(text)
    if not math.isfinite(value):
        return field
    return int(text) if text.lstrip("+-").isdigit() else value


def local_number(field: str, style: NumberStyle) -> float | int | str:
    """Return the number in a cell as a country writes it, with a currency or without, or the cell itself.

    `en` is 1,200.50 and `de` is 1.200,50. Groups have three digits, so no other use of the separator is a number.
    """
    found = _MONEY.fullmatch(field.strip())
    if not found or (found["sign"] and found["sign2"]) or not _GROUPED[style].fullmatch(found["digits"]):
        return field
    group, point = ",." if style == "en" else ".,"
    plain = found["digits"].replace(group, "").replace(point, ".")
    value = number(found["sign"] + found["sign2"] + plain)
    return field if isinstance(value, str) else value


def number_cell(field: str, style: NumberStyle | None) -> float | int | UnreadableValue:
    """Return the number in a cell; if it is none, the error names the style (`--numbers`) in which it is one."""
    value = number(field) if style is None else local_number(field, style)
    if not isinstance(value, str):
        return value
    if style is not None:
        return UnreadableValue(field, f"must be a number like {_EXAMPLES[style]} (--numbers {style})")
    styles: tuple[NumberStyle, ...] = ("en", "de")
    readings = {each: local_number(field, each) for each in styles}
    hints = [f"--numbers {each} to read it as {_shown(value)}" for each, value in readings.items() if value != field]
    problem = "should be a valid number" + (f"; add {' or '.join(hints)}" if hints else "")
    return UnreadableValue(field, problem)


def _shown(value: float | str) -> str:
    return str(int(value) if isinstance(value, float) and value.is_integer() else value)
