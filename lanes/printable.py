"""Text from elsewhere, made fit to be shown."""


def printable(text: object) -> str:
    """Return text without anything that a terminal or a page would obey: control characters are escaped.

    So are the marks that turn the direction of writing.
    """
    shown = text if isinstance(text, str) else str(text)
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)


def printable_lines(text: str) -> str:
    """Return text of any number of lines, each made printable; tabs become spaces."""
    return "\n".join(printable(line) for line in text.expandtabs(4).split("\n"))
