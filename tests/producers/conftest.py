"""What the tests of the producers share."""

from typing import Any

import pytest
from pydantic import BaseModel

from producers import InvalidJobError
from producers.model import check

OK: dict[str, Any] = {"pipelineId": "pipe", "locationId": "loc", "contactId": "contact"}


def problems_of(model: type[BaseModel], values: object, path: str = "") -> list[str]:
    with pytest.raises(InvalidJobError) as caught:
        check(model, values, path)
    told = [str(problem) for problem in caught.value.problems]
    assert str(caught.value) == "; ".join(told)
    assert all(line.isprintable() for line in told)
    return told
