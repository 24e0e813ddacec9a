"""Files of rows, and what is read from them."""

import io
import json

from producers.files.rows import FieldMapping, FileRow, Format, read_rows
from tests.producers.conftest import OK

GOOD = json.dumps(OK)
HEADER = "pipelineId,locationId,contactId,name\n"
TABLE = HEADER + "pipe,loc,contact,\n"


def rows_of(content: str | bytes, form: Format, mapping: FieldMapping | None = None) -> list[FileRow]:
    file = io.BytesIO(content.encode() if isinstance(content, str) else content)
    return list(read_rows(file, form, mapping or FieldMapping()))


def reported(content: str | bytes, form: Format, mapping: FieldMapping | None = None) -> list[str]:
    """Return one line for each row: its numbers, and its value or what is wrong with it."""
    lines = []
    for row in rows_of(content, form, mapping):
        assert (row.value is None) == bool(row.field_errors)
        number = row.where if row.number == row.last_line else f"{row.number}-{row.last_line}"
        lines.append(f"{number} {'; '.join(map(str, row.field_errors)) or json.dumps(row.value, default=str)}")
    return lines
