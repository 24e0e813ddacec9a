"""Text from elsewhere, made fit to be shown."""


def printable(text: object) -> str:
    """Return text without anything that a terminal or a page would obey: control characters are escaped.

    So are the marks that turn the direction of writing.
    """
    shown = text if isinstance(text, str) else str(text)
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
