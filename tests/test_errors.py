from __future__ import annotations

import pytest

from hwexplore.errors import InputError, unknown


@pytest.mark.parametrize(
    ("name", "known", "sentence"),
    [
        ("nangate", ["nangate45", "asap7"], "unknown thing 'nangate'; did you mean nangate45?"),
        ("int9", ["int4", "int8", "zz"], "unknown thing 'int9'; did you mean int8 or int4?"),
        ("xyz", ["b", "a"], "unknown thing 'xyz'; known: a, b."),
        (7, ["a"], "unknown thing 7; known: a."),
        (None, {"a": 1}, "unknown thing None; known: a."),
    ],
)
def test_unknown_names_the_nearest_or_all(name: object, known: list[str], sentence: str) -> None:
    error = unknown("thing", name, known)
    assert isinstance(error, InputError)
    assert str(error) == sentence


def test_at_most_three_suggestions() -> None:
    assert str(unknown("format", "int", (f"int{i}" for i in range(9)))).count(" or ") == 2


def test_input_error_is_a_value_error() -> None:
    assert issubclass(InputError, ValueError)
