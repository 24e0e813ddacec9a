"""Removes an opportunity's content from the API's messages. Pure."""

import json
import re
from collections.abc import Iterator

MASK = "[content]"
MIN_CHARACTERS = 3  # shorter words reveal nothing
MIN_INFIX_CHARACTERS = 6  # words of this length are masked within longer words, too

# The API's messages about tokens (observed). They have no content.
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
    """Return a message with the strings and numbers of the sent body, and the words in them, masked in any case.

    The location's id stays, and so do words of one or two characters.
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
    """Yield the strings and numbers of a body, at any depth. Field names are not content."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, (list, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _values(part)
