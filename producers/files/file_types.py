"""Recognizes files that are not rows by how they begin, and says what to do with each."""

GZIP = b"\x1f\x8b"
ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")
_SAVE = "save it as CSV UTF-8"
_UTF16 = f"is UTF-16: {_SAVE}, or convert it with iconv -f UTF-16 -t UTF-8"
_FILE_TYPES = (
    ((b"\xff\xfe", b"\xfe\xff"), _UTF16),
    ((b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1",), f"is an Excel workbook: {_SAVE}"),
    ((GZIP,), "is gzip within gzip: unpack it with zcat"),
    ((b"BZh",), "is compressed by bzip2: unpack it with bzcat"),
    ((b"\xfd7zXZ\0",), "is compressed by xz: unpack it with xzcat"),
    ((b"\x28\xb5\x2f\xfd",), "is compressed by zstd: unpack it with zstdcat"),
    ((b"%PDF-",), f"is a PDF: export the table it was made of, and {_SAVE}"),
    ((b"PAR1",), "is Parquet: export it as CSV or JSON Lines"),
    ((b"SQLite format 3\0",), "is an SQLite database: export the table as CSV"),
    ((b"<",), "is a page (HTML or XML), no rows: is it a login or error page? Download the file again"),
)
_WORKBOOKS = (b"[Content_Types].xml", b"_rels/", b"xl/", b"docProps/", b"opendocument.spreadsheet")


def recognize(beginning: bytes) -> str | None:
    """Return what is wrong with a file that begins with these bytes, None if it may be rows in UTF-8."""
    start = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start.startswith(ZIP):
        workbook = any(name in beginning for name in _WORKBOOKS)
        return f"is a workbook (xlsx or ods): {_SAVE}" if workbook else "is a ZIP archive: unpack it"
    for starts, problem in _FILE_TYPES:
        if start.startswith(starts):
            return problem
    if (beginning[:1] == b"\0") != (beginning[1:2] == b"\0"):
        return _UTF16  # UTF-16 without a byte order mark
    return None
