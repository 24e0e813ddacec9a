"""Makes external text safe to print."""


def printable(text: object) -> str:
    """Return text with control characters escaped, including those for the direction of writing."""
    shown = text if isinstance(text, str) else str(text)
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def printable_lines(text: str) -> str:
    """Return text with each line made printable; tabs become spaces."""
    return "\n".join(printable(line) for line in text.expandtabs(4).split("\n"))
