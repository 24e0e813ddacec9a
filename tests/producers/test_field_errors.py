"""Errors about invalid jobs: short, on one printable line, for any value."""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from producers import EnqueueOptions, FieldError, InvalidJobError, UpsertOpportunity
from producers.model import check, shorten
from tests.producers.conftest import OK, problems_of


class Other(BaseModel):
    """A model that is no opportunity."""

    contact_id: str = "c"


def test_problems_carry_field_value_and_what_is_right_apart() -> None:
    with pytest.raises(InvalidJobError) as caught:
        check(UpsertOpportunity, {**OK, "status": "opened"})
    assert caught.value.field_errors == (
        FieldError("status", "'opened'", "should be 'open', 'won', 'lost', 'abandoned' or 'all'"),
    )


@pytest.mark.parametrize("values", [None, 7, "contactId", b"{}", [], [("contactId", "c")], {"c"}, Other(), object])
def test_what_has_no_named_fields_is_refused(values: object) -> None:
    for model in (UpsertOpportunity, EnqueueOptions):
        (reported,) = problems_of(model, values)
        assert reported.startswith("must be an object of named fields (it is ")


@pytest.mark.parametrize(
    ("field", "shown"),
    [
        ("", "''"),
        (" ", "' '"),
        ("a\x1b[31mb", r"'a\x1b[31mb'"),
        ("x" * 200, f"'{'x' * 58}…"),
        (7, "7"),
        (None, "None"),
        (b"contactId", "b'contactId'"),
    ],
    ids=lambda value: shorten(value)[:20],
)
def test_a_name_that_is_no_name_is_shown_harmlessly(field: Any, shown: str) -> None:
    (reported,) = problems_of(UpsertOpportunity, {**OK, field: "x"})
    assert reported.startswith(f"{shown}: ")


def test_a_field_whose_name_is_no_text_at_all_is_refused() -> None:
    (reported,) = problems_of(UpsertOpportunity, {**OK, "\ud800": "x"})
    assert r"(it is '\ud800')" in reported


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", "''"),
        ("text", "'text'"),
        ("it's\n", '"it\'s\\n"'),
        (b"\xff", r"b'\xff'"),
        (None, "None"),
        (7, "7"),
        (["a", None], "['a', None]"),
        ("x" * 58, f"'{'x' * 58}'"),
        ("x" * 59, f"'{'x' * 58}…"),
        (10**5000, "int too large to show"),
        (Fraction(1, 3), "1/3"),
        (Exception("two\nlines\x1b"), "two?lines?"),
    ],
    ids=lambda value: str(type(value).__name__),
)
def test_a_value_is_shown_as_one_short_printable_line(value: object, shown: str) -> None:
    assert shorten(value) == shown
    assert len(shown) <= 60


def test_a_value_nested_too_deeply_is_shown_as_its_type() -> None:
    deep: list[Any] = []
    for _ in range(100_000):
        deep = [deep]
    assert shorten(deep) == "list too large to show"
    (reported,) = problems_of(UpsertOpportunity, {**OK, "name": deep})
    assert reported == "name: should be a valid string (it is list too large to show)"


ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(categories=None))
    | st.binary()
    | st.datetimes(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(categories=None)) | st.integers(), inner),
    max_leaves=5,
)
NAMES = st.sampled_from(
    [name for python, field in UpsertOpportunity.model_fields.items() for name in (python, field.alias or python)]
)


@contextmanager
def noting_problems() -> Iterator[list[FieldError]]:
    """Let the block be refused; what for is in the list then, which stays empty when it is not."""
    problems: list[FieldError] = []
    try:
        yield problems
    except InvalidJobError as error:
        problems += error.field_errors
        assert problems, "a refusal has a reason"


@given(ANYTHING | st.dictionaries(NAMES, ANYTHING | st.just("x"), max_size=10))
def test_whatever_is_given_is_a_body_or_problems_in_short_printable_lines(values: object) -> None:
    for model in (UpsertOpportunity, EnqueueOptions):
        with noting_problems() as refused:
            check(model, values)
        assert all(problem.message for problem in refused)
        assert all(str(problem).isprintable() for problem in refused)
        assert all(len(problem.value) <= 60 and len(problem.field) <= 60 for problem in refused)
