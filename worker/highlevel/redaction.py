"""Removes secrets from answers that repeat what they were sent. Pure."""

import json
import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache

from worker.highlevel.outcomes import Answer

HIDDEN = "[secret]"
_ESCAPE = re.compile(r"\\+u([0-9a-f]{4})|%([0-9a-f]{2})|\\+([^u%])", re.IGNORECASE)


def redact_answer(answer: Answer, secrets: Iterable[str]) -> Answer:
    """Return an answer without these secrets (ASCII) in its body and headers.

    They are found in the raw answer: in any letter case, with JSON escapes (also of JSON within JSON) or percent
    encoding, in UTF-8 or UTF-16.
    """
    for secret in filter(None, secrets):
        if not _may_contain(answer, secret):
            continue
        body = _redact_body(answer.body, secret)
        headers = {name: redact(value, secret) for name, value in answer.headers.items()}
        if body != answer.body or headers != answer.headers:
            answer = replace(answer, body=body, headers=headers)
    return answer


def _may_contain(answer: Answer, secret: str) -> bool:
    """Return whether an answer has to be searched part by part. Most have neither the secret nor anything encoded."""
    parts = [*answer.headers.values(), answer.body.decode("latin-1")]
    text = "\n".join(parts)
    return "\0" in text or "\\" in text or "%" in text or secret.lower() in text.lower()


def _redact_body(body: bytes, secret: str) -> bytes:
    if b"\0" in body:
        wide = body.decode(json.detect_encoding(body), "replace")
        redacted = redact(wide, secret)
        return body if redacted == wide else redacted.encode("utf-8", "replace")
    text = body.decode("latin-1")  # a character for each byte, so that broken UTF-8 stays as it is
    redacted = redact(text, secret)
    return body if redacted is text else redacted.encode("latin-1")


def redact(text: str, secret: str) -> str:
    """Return a text without a secret in any spelling."""
    if secret.lower() not in text.lower():
        if "\\" not in text and "%" not in text:
            return text
        unescaped = _ESCAPE.sub(_unescape, text).replace("\\", "")
        if secret.lower().replace("\\", "") not in unescaped.lower():
            return text
    return _spellings(secret).sub(HIDDEN, text)


def _unescape(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2]
    return chr(int(code, 16)) if code else escape[3]


@lru_cache(maxsize=64)
def _spellings(secret: str) -> re.Pattern[str]:
    def spell(character: str) -> str:
        cases = {ord(character.lower()), ord(character.upper())}
        codes = "|".join(rf"\\+u{code:04x}|\\*%{code:02x}" for code in sorted(cases))
        return rf"(?:\\*{re.escape(character)}|{codes})"

    # Begins at the first of several backslashes, so that a long row of them is scanned once.
    return re.compile(r"(?<!\\)" + "".join(map(spell, secret)), re.IGNORECASE)
