"""Judges the tokens and client secrets that people enter: only the bare value is one."""

import re
import unicodedata

_QUOTES = frozenset("\"'`\u2018\u2019\u201c\u201d\u201e\u00ab\u00bb")
_BRACKETS = frozenset("<>{}[]$%;\\")
# `Bearer x`, `bearer:x`, `Authorization: Bearer x`, `access_token=x`, `LANES_API_TOKEN=x`, `curl -H ...`
_LABEL = re.compile(
    r"(?:curl|export|-H|--header)\b|(?:\w*authorization|bearer|basic|\w*token)(?:\s*[:=]|\s|%20)|bearer$", re.IGNORECASE
)
_PLACEHOLDER = re.compile(
    r"(?:pit-)?[x*._-]*|(?:your|my|insert|replace|paste|enter)[\w-]*(?:token|key|secret|here|me)|change[_-]?me|\w*token"
    r"|null|undefined|redacted|todo|(?-i:None)",
    re.IGNORECASE,
)


def check_secret(text: str) -> str:
    """Return a token or client secret without white space around it.

    Raises:
        ValueError: it is not one. The message says what to do and repeats nothing of it.
    """
    # With a line end in the token, the API answers 401 `Invalid Private Integration token` (observed).
    secret = text.strip()
    if message := _problem(secret):
        raise ValueError(message)
    return secret


def _problem(secret: str) -> str:
    if not secret:
        return "must not be empty"
    if secret.startswith(("{", "[")):
        return "must be the bare value, not JSON: copy the text of one field"
    bare = secret.strip("".join(_QUOTES))
    if _LABEL.match(bare):
        return "must be the bare value, without Bearer, Authorization or a name before it"
    if not _QUOTES.isdisjoint(secret):
        return "must be without quotes"
    if any(unicodedata.category(letter) in ("Cc", "Cf") for letter in secret):
        return "must be printable ASCII without spaces; it has an invisible character: copy it again, as one line"
    if not secret.isascii() or not secret.isprintable() or " " in secret:
        return "must be printable ASCII without spaces; copy it again, as one piece"
    if secret.startswith("/") or "://" in secret:
        return "must be the value itself, not where it is; a setting ending in _FILE names a file"
    if not _BRACKETS.isdisjoint(secret) or _PLACEHOLDER.fullmatch(secret):
        return "must be a real value, not a placeholder: copy it from HighLevel"
    return ""
