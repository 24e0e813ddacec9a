"""Files of rows, and what is read from them."""

import io
import json

from producers.files.rows import FileRow, Format, read_rows
from tests.producers.conftest import OK

GOOD = json.dumps(OK)
HEADER = "pipelineId,locationId,contactId,name\n"
TABLE = HEADER + "pipe,loc,contact,\n"


def rows_of(content: str | bytes, form: Format) -> list[FileRow]:
    return list(read_rows(io.BytesIO(content.encode() if isinstance(content, str) else content), form))


def reported(content: str | bytes, form: Format) -> list[str]:
    """Return one line for each row: its numbers, and its value or what is wrong with it."""
    lines = []
    for row in rows_of(content, form):
        assert (row.value is None) == bool(row.field_errors)
        number = f"{row.number}" if row.number == row.last_line else f"{row.number}-{row.last_line}"
        lines.append(f"{number} {'; '.join(map(str, row.field_errors)) or json.dumps(row.value, default=str)}")
    return lines
