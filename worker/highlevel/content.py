"""Words of the API without the content of the opportunity that it was sent. Pure."""

import json
import re
from collections.abc import Iterator

MASK = "[content]"
MIN_CHARACTERS = 3  # shorter words tell nothing by themselves
MIN_INFIX_CHARACTERS = 6  # from this length on also within a longer word

# What the API says of a token, word for word (observed): there is no content in these.
KNOWN_WORDS = frozenset(
    {
        "Invalid JWT",
        "Invalid token: access token is invalid",
        "Invalid Private Integration token",
        "The token is not authorized for this scope.",
        "The token does not have access to this location.",
        "version header was not found.",
        "version header is invalid",
    }
)


def mask_content(message: str, sent: bytes) -> str:
    """Return a message without what stands in the body that was sent: its strings and numbers, and their single words.

    The location's id stays, and so do words of one or two characters. Another letter case hides nothing.
    """
    if message in KNOWN_WORDS:
        return message
    pieces = sorted(_pieces(sent), key=len, reverse=True)
    if not pieces:
        return message
    pattern = "|".join(
        re.escape(piece) if len(piece) >= MIN_INFIX_CHARACTERS else rf"(?<![^\W_]){re.escape(piece)}(?![^\W_])"
        for piece in pieces
    )
    return re.sub(pattern, MASK, message, flags=re.IGNORECASE)


def _pieces(sent: bytes) -> set[str]:
    try:
        body = json.loads(sent, parse_float=str, parse_int=str)  # numbers as they were written
    except (ValueError, RecursionError):
        return set()
    location = body.get("locationId") if isinstance(body, dict) else None
    pieces = set()
    for value in _values(body):
        line = "".join(character if character.isprintable() else " " for character in value).strip()
        if value != location:
            words = (word.strip(".,;:!?\"'()[]{}<>") for word in line.split())
            pieces |= {spelled for piece in (line, *words) for spelled in (piece, piece.upper(), piece.casefold())}
    return {piece for piece in pieces if len(piece) >= MIN_CHARACTERS}


def _values(value: object) -> Iterator[str]:
    """Go through the strings and numbers of a body, at any depth; names of fields are no content."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _values(part)
