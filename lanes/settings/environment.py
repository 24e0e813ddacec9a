"""The names of the environment variables that are settings, and what resembles one."""

import re
import unicodedata
from collections.abc import Collection
from difflib import get_close_matches

PREFIX = "LANES_"
FILE_SUFFIX = "_FILE"
# Not settings: the first is read by the tests, the second by docker-compose.yml.
NOT_SETTINGS = frozenset({"LANES_REQUIRE_REAL_PARTS", "LANES_IMAGE_TAG"})
# What may stand before a name: commands of shells and of Dockerfiles, quotes, the dash of a list. Not a comment's sign.
_BEFORE_NAME = re.compile(r"(?:(?:export|set|setx|setenv|declare|typeset|readonly|env|arg)\b|-[a-z]{1,2}\b|[^\w#;])*")


def variable(field: str) -> str:
    """Return the environment variable of a setting's field."""
    return PREFIX + field.upper()


def resembled_name(text: str, known: Collection[str]) -> str | None:
    """Return the known variable that a name or a line means, whatever its case, dashes, dots and invisible characters.

    Return `LANES_...` if it is one of ours but not known, None if it is another program's.
    """
    if "lane" not in (folded := _fold(text)):
        return None
    rest = _BEFORE_NAME.sub("", folded, count=1)
    if rest.startswith(("#", ";")):
        return None
    names = {
        _letters(prefix + name.removeprefix(PREFIX) + suffix): name + suffix
        for name in known
        for suffix in ("", FILE_SUFFIX)
        for prefix in (PREFIX, "LANE_")
    }
    for end in (r"[=:]", r"[\s=:]"):
        if name := names.get(_letters(re.split(end, rest, maxsplit=1)[0])):
            return name
    return f"{PREFIX}..." if re.match(r"lanes[_-]", rest) else None


def unknown_name(name: str, known: Collection[str]) -> str:
    """Return the error about a variable that is no setting."""
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(sorted(known))}"
    return f"{name}: no such setting; {hint}"


def _fold(text: str) -> str:
    """Return lower case without invisible characters; wide letters and spaces become plain."""
    plain = unicodedata.normalize("NFKC", text).casefold()
    return "".join(letter for letter in plain if unicodedata.category(letter) != "Cf")


def _letters(name: str) -> str:
    return re.sub(r"[\W_]", "", name).casefold()
