"""The documentation page: made of the OpenAPI document, one file without scripts, which loads nothing from anywhere."""

import base64
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from typing import Any

from producers.gateway import problems

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
body { color: #1c2430; background: #fff; }
code, pre { font: 14px/1.4 ui-monospace, monospace; background: #f0f2f5; }
pre { padding: .8rem; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; border-bottom: 1px solid #c9d0d9; padding: .3rem .6rem .3rem 0; }
@media (prefers-color-scheme: dark) {
  body { color: #e4e8ee; background: #14181e; }
  code, pre { background: #232a33; }
  a { color: #8ab4f8; }
}
"""
_HASH = base64.b64encode(sha256(_STYLE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def render(document: dict[str, Any]) -> str:
    """Return the page of an OpenAPI document."""
    return "".join(_page(document))


def _page(document: dict[str, Any]) -> Iterator[str]:
    info = document["info"]
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<style>{_STYLE}</style></head><body><h1>{escape(info['title'])}</h1>{_text(info['description'])}"
    yield '<p><a href="/openapi.json">OpenAPI document</a></p>'
    for path, methods in document["paths"].items():
        for method, call in methods.items():
            yield from _call(method.upper(), path, call)
    yield "<h2>Schemas</h2>"
    for name, schema in document["components"]["schemas"].items():
        yield from _schema(name, schema)
    yield "<h2>Problems</h2>"
    for kind in problems.ALL:
        yield f'<h3 id="{kind.name}">{kind.name}: {int(kind.status)}</h3><p>{escape(kind.title)}.</p>'
    yield "</body></html>"


def _call(method: str, path: str, call: dict[str, Any]) -> Iterator[str]:
    yield f"<h2><code>{method} {escape(path)}</code></h2>{_text(call.get('description', ''))}"
    if parameters := call.get("parameters"):
        rows = [(each["name"], each["in"], each.get("description", "")) for each in parameters]
        yield _table(("Parameter", "In", "Meaning"), rows)
    if body := call.get("requestBody"):
        yield _table(("Body", "Schema"), [(kind, _type(each["schema"])) for kind, each in body["content"].items()])
    answers = [
        (status, answer["description"], ", ".join(_type(each["schema"]) for each in answer.get("content", {}).values()))
        for status, answer in call["responses"].items()
    ]
    yield _table(("Status", "Meaning", "Schema"), answers)


def _schema(name: str, schema: dict[str, Any]) -> Iterator[str]:
    yield f'<h3 id="schema-{escape(name)}">{escape(name)}</h3>{_text(schema.get("description", ""))}'
    required = set(schema.get("required", ()))
    rows = [
        (field, _type(each), ("required. " if field in required else "") + each.get("description", ""))
        for field, each in schema.get("properties", {}).items()
    ]
    if rows:
        yield _table(("Field", "Type", "Meaning"), rows)


def _type(schema: dict[str, Any]) -> str:
    """Return a schema as a few words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    for joint in ("anyOf", "oneOf", "allOf"):
        if joint in schema:
            return " or ".join(map(_type, schema[joint]))
    if "enum" in schema:
        return ", ".join(str(each) for each in schema["enum"])
    kind = str(schema.get("type", "any"))
    return f"array of {_type(schema['items'])}" if kind == "array" and "items" in schema else kind


def _text(text: str) -> str:
    """Return text with words in backquotes as code."""
    parts = text.split("`")
    return (
        f"<p>{''.join(f'<code>{escape(part)}</code>' if at % 2 else escape(part) for at, part in enumerate(parts))}</p>"
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    heads = "".join(f'<th scope="col">{escape(each)}</th>' for each in head)
    lines = "".join("<tr>" + "".join(f"<td>{_text(cell)[3:-4]}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"
