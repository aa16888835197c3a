from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.workloads.config import MAX_LAYERS, Config

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def config(**values: object) -> Config:
    return Config(source="here", values=values)


@pytest.mark.parametrize("value", [0, -4, 4096.0, float("nan"), float("inf"), "64", True, [64], 2**31])
def test_impossible_sizes_are_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"^here: width is .*; expected a positive integer below 2\*\*31\.$"):
        config(width=value).size("width")


def test_a_missing_size_is_named() -> None:
    for empty in (config(), config(width=None)):
        assert empty.size("width", 7) == 7
        with pytest.raises(InputError, match=r"^here: field 'width' is missing; expected a positive integer\.$"):
            empty.size("width")


def test_indices_start_at_zero() -> None:
    assert config(first=0).index("first") == 0
    assert config().index("first", 3) == 3
    with pytest.raises(InputError, match="here: first is -1; expected an integer from 0 below"):
        config(first=-1).index("first")
    with pytest.raises(InputError, match="field 'first' is missing; expected an integer from 0"):
        config().index("first")


def test_layers_are_bounded() -> None:
    assert config(depth=MAX_LAYERS).layers("depth") == MAX_LAYERS
    with pytest.raises(InputError, match="depth is 4097; expected a positive integer up to 4096"):
        config(depth=MAX_LAYERS + 1).layers("depth")


def test_parts_divide_and_are_at_most_the_whole() -> None:
    assert config(part=3, whole=12).part("part", "whole") == config(part=3, whole=12).at_most("part", "whole") == 3
    with pytest.raises(InputError, match="part is 5; expected a divisor of whole, which is 12"):
        config(part=5, whole=12).part("part", "whole")
    with pytest.raises(InputError, match="part is 13; expected at most whole, which is 12"):
        config(part=13, whole=12).at_most("part", "whole")


def test_flags_are_booleans() -> None:
    assert config(tied=False).flag("tied", True) is False
    assert config().flag("tied", True) is config(tied=None).flag("tied", True) is True
    with pytest.raises(InputError, match="tied is 1; expected true or false"):
        config(tied=1).flag("tied", True)


def test_a_number_may_be_switched_off_by_null() -> None:
    assert config(cap=30).number("cap", 50.0) == 30
    assert config().number("cap", 50.0) == 50
    assert config(cap=None).number("cap", 50.0) is None


@pytest.mark.parametrize("value", [0, -1.0, float("nan"), float("inf"), 10**400, True, "1"])
def test_impossible_numbers_are_refused(value: object) -> None:
    with pytest.raises(InputError, match=r"cap is .*; expected a positive number below 2\*\*31 or null"):
        config(cap=value).number("cap", 1.0)


def test_fractions() -> None:
    assert config(part=0.5).fraction("part", 0.25) == 0.5
    assert config(part=None).fraction("part", 0.25) == config().fraction("part", 0.25) == 0.25
    with pytest.raises(InputError, match=r"part is 1\.5; expected a number above 0 and up to 1"):
        config(part=1.5).fraction("part", 0.25)


def test_lists_of_indices() -> None:
    assert config(dense=[2, 0, 2]).indices("dense") == {0, 2}
    assert config(dense=None).indices("dense") == config().indices("dense") == frozenset()
    for value in ("02", [1.0], [-1], {"0": 1}, [True]):
        with pytest.raises(InputError, match=r"dense is .*; expected a list of integers from 0"):
            config(dense=value).indices("dense")


def test_sliding_layers_are_listed_or_follow_a_rule() -> None:
    listed = config(num_hidden_layers=2, layer_types=["full_attention", "sliding_attention"])
    assert listed.sliding_layers(lambda index: index == 0) == (False, True)
    assert config(num_hidden_layers=3).sliding_layers(lambda index: index == 0) == (True, False, False)
    for value in ("full_attention", [], ["full_attention"], ["full_attention", "mamba"], [["full_attention"], 1]):
        with pytest.raises(
            InputError, match=r"layer_types is .*; expected 2 times sliding_attention or full_attention"
        ):
            config(num_hidden_layers=2, layer_types=value).sliding_layers(lambda _: False)


def test_nested_fields_are_named_with_their_object() -> None:
    with pytest.raises(InputError, match="here: text_config: field 'width' is missing"):
        config(text_config={}).nested("text_config").size("width")
    with pytest.raises(InputError, match="here: text_config is None; expected an object"):
        config().nested("text_config")


def test_defaults_yield_to_values() -> None:
    filled = config(a=1).defaulting(a=2, b=3)
    assert (filled.size("a"), filled.size("b")) == (1, 3)


def test_errors_show_the_beginning_of_long_values() -> None:
    with pytest.raises(InputError) as caught:
        config(width="9" * 10**6).size("width")
    assert len(str(caught.value)) < 200


@given(JSON)
def test_whatever_the_value_errors_are_input_errors(value: object) -> None:
    fields = config(x=value, whole=12, num_hidden_layers=2, layer_types=value)
    readers = (
        *(lambda: fields.size("x"), lambda: fields.index("x", 1), lambda: fields.layers("x")),
        *(lambda: fields.part("x", "whole"), lambda: fields.at_most("x", "whole"), lambda: fields.flag("x", True)),
        *(lambda: fields.number("x", 1.0), lambda: fields.fraction("x", 1.0), lambda: fields.indices("x")),
        *(lambda: fields.nested("x"), lambda: fields.sliding_layers(lambda _: True)),
    )
    for reader in readers:
        with suppress(InputError):
            reader()
