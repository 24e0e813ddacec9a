"""Files that are compressed, or are no rows: recognized by their first bytes."""

import gzip
import io
import tracemalloc
import zipfile

import pytest

from producers.files.rows import Format, read_rows
from tests.producers.files.row_files import GOOD, HEADER, TABLE, reported


def archive(*names: str) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as file:
        for name in names:
            file.writestr(name, "application/vnd.oasis.opendocument.spreadsheet" if name == "mimetype" else TABLE)
    return packed.getvalue()


FILES = {
    "xlsx": (archive("[Content_Types].xml", "_rels/.rels", "xl/workbook.xml"), "is a workbook (xlsx or ods): save it"),
    "ods": (archive("mimetype", "content.xml"), "is a workbook (xlsx or ods): save it as CSV UTF-8"),
    "zip": (archive("deals.csv"), "is a ZIP archive: unpack it"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(500), "is an Excel workbook: save it as CSV UTF-8"),
    "utf-16": (TABLE.encode("utf-16"), "is UTF-16: save it as CSV UTF-8, or convert it with iconv -f UTF-16"),
    "utf-16-le": (TABLE.encode("utf-16-le"), "is UTF-16: save it as CSV UTF-8"),
    "utf-16-be": (f"\n{GOOD}".encode("utf-16-be"), "is UTF-16: save it as CSV UTF-8"),
    "utf-32": (TABLE.encode("utf-32"), "is UTF-16: save it as CSV UTF-8"),
    "html": (
        b"\xef\xbb\xbf\r\n<!DOCTYPE html>\n<title>Log in",
        "is a page (HTML or XML), no rows: is it a login or error",
    ),
    "pdf": (b"%PDF-1.7\n", "is a PDF: export the table"),
    "bz2": (b"BZh91AY&SY", "is compressed by bzip2: unpack it with bzcat"),
    "xz": (b"\xfd7zXZ\0\0", "is compressed by xz: unpack it with xzcat"),
    "zst": (b"\x28\xb5\x2f\xfd\x04", "is compressed by zstd: unpack it with zstdcat"),
    "gzip twice": (gzip.compress(gzip.compress(TABLE.encode())), "is gzip within gzip: unpack it with zcat"),
    "packed utf-16": (gzip.compress(TABLE.encode("utf-16")), "is UTF-16: save it as CSV UTF-8"),
}


@pytest.mark.parametrize(("content", "wanted"), FILES.values(), ids=FILES)
@pytest.mark.parametrize("form", ["jsonl", "csv"])
def test_a_file_that_is_no_rows_is_one_error(content: bytes, form: Format, wanted: str) -> None:
    (line,) = reported(content, form)
    assert line.startswith(f"1 {wanted}")


@pytest.mark.parametrize(
    ("text", "form"), [(f"{GOOD}\n" * 3, "jsonl"), (f"[{GOOD},\n{GOOD}]", "jsonl"), (HEADER + "p,l,c,\n" * 3, "csv")]
)
def test_gzip_is_read(text: str, form: Format) -> None:
    content = text.encode()
    assert reported(gzip.compress(content, mtime=0), form) == reported(content, form)
    halves = gzip.compress(content[:20], mtime=0) + gzip.compress(b"") + gzip.compress(content[20:]) + bytes(512)
    assert reported(halves, form) == reported(content, form)


ROWS = "".join(f'{{"n":{n * 7919 % 10_007}}}\n' for n in range(10_000))


@pytest.mark.parametrize("form", ["lines", "array", "csv"])
@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda packed: packed[: len(packed) // 2], "the gzip file ends too early; the rows before were read"),
        (lambda packed: packed[:-1], "the gzip file ends too early"),
        (lambda packed: packed[:-8] + bytes(8), "the gzip file is damaged; the rows before were read"),
        (lambda packed: packed + b"garbage", "the gzip file is damaged"),
        (lambda packed: packed[:5], "the gzip file ends too early"),
        (lambda packed: packed[:10] + b"\xff" * 100, "the gzip file is damaged"),
    ],
)
def test_a_damaged_gzip_is_one_error_behind_its_rows(form: str, damage: object, problem: str) -> None:
    text = {"lines": ROWS, "array": f"[{ROWS.replace(chr(10), ',')}{{}}]", "csv": "contactId\n" + "c\n" * 10_000}[form]
    assert callable(damage)
    content = damage(gzip.compress(text.encode()))
    *rows, last = read_rows(io.BytesIO(content), "csv" if form == "csv" else "jsonl")
    assert [row.field_errors for row in rows if row.field_errors] == []
    assert (str(last.field_errors[0])[: len(problem)], last.unreadable) == (problem, True)
    assert last.number == (rows[-1].number + 1 if rows else 1)


@pytest.mark.parametrize(
    ("beginning", "filler", "form"),
    [(b"{", b"x", "jsonl"), (b"[{", b"x", "jsonl"), (b"[", b" ", "jsonl"), (b"contactId\n", b"x", "csv")],
)
def test_a_gzip_bomb_is_given_up_in_little_memory(beginning: bytes, filler: bytes, form: Format) -> None:
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="w", compresslevel=1) as file:
        file.write(beginning)
        for _ in range(80):
            file.write(filler * (1 << 20))
    packed.seek(0)
    tracemalloc.start()
    *_, last = read_rows(packed, form)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert last.unreadable
    assert peak < 4 * 1024 * 1024


def test_the_position_in_the_file_is_that_of_compressed_bytes() -> None:
    """The progress bar shows it, out of the size of the file."""
    file = io.BytesIO(gzip.compress(ROWS.encode()))
    for row in read_rows(file, "jsonl"):
        assert row.last_line < 5000 or file.tell() > 1000
    assert file.tell() == len(file.getvalue())
