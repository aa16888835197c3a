from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.accelerator import PARAMETERS
from hwexplore.errors import InputError
from hwexplore.search import Space

SHORT: dict[str, Any] = {name: Space.default().choices.values[name][:1] for name in PARAMETERS}
NUMBERS = ("rows", "cols", "vector_lanes", "sram_kib", "channels")
SIZES = st.fixed_dictionaries({}, optional={name: st.integers(1, 4) for name in NUMBERS})


def space_with(sizes: dict[str, int]) -> Space:
    return Space(**{**SHORT, **{name: range(1, size + 1) for name, size in sizes.items()}})


def test_default_space() -> None:
    space = Space.default()
    assert space.size >= 100_000
    assert all(size > 1 for size in space.shape)


def test_left_out_parameters_keep_their_defaults() -> None:
    default = Space.default().choices.values
    space = Space(rows=5, dataflow=("ws", "os"), cols=np.array([8, 12]))
    assert space.choices.values == {**default, "rows": (5,), "dataflow": ("ws", "os"), "cols": (8, 12)}


@pytest.mark.parametrize(
    "space",
    [Space.default(), Space(rows=[3, 7], clock_mhz=[12.5, "max"], policy="int8/fp16>int8/int4;lm_head=fp16//")],
)
def test_toml_round_trip(space: Space, tmp_path: Path) -> None:
    assert Space.parse(space.to_toml()).choices.values == space.choices.values
    file = tmp_path / "space.toml"
    file.write_text(space.to_toml())
    assert Space.load(file).choices.values == space.choices.values


@given(SIZES, st.data())
def test_ids_number_the_grid(sizes: dict[str, int], data: st.DataObject) -> None:
    space = space_with(sizes)
    ids = np.array(data.draw(st.lists(st.integers(0, space.size - 1), min_size=1)), np.int64)
    index = space.indices(ids)
    np.testing.assert_array_equal(np.ravel_multi_index([index[name] for name in PARAMETERS], space.shape), ids)
    for name, values in space.values(ids).items():
        assert [str(space.choices.values[name][i]) for i in index[name]] == [str(value) for value in values]


def test_the_last_parameter_varies_fastest() -> None:
    space = Space(**{**SHORT, "rows": [1, 2], "channels": [1, 2]})
    values = space.values(np.arange(4))
    assert values["rows"].tolist() == [1, 1, 2, 2]
    assert values["channels"].tolist() == [1, 2, 1, 2]


@given(SIZES, st.integers(1, 300))
def test_blocks_cover_every_design_once(sizes: dict[str, int], most: int) -> None:
    space = space_with(sizes)
    covered = []
    for ids, mesh in space.blocks(most):
        assert 1 <= len(ids) <= most
        for name, column in space.indices(ids).items():
            shape = np.broadcast_shapes(*(axis.shape for axis in mesh.values()))
            np.testing.assert_array_equal(np.broadcast_to(mesh[name], shape).ravel(), column)
        covered.append(ids)
    np.testing.assert_array_equal(np.concatenate(covered), np.arange(space.size))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rows = [1", "space is not valid TOML: "),
        ("rows = []", "parameter rows has an empty list of values"),
        ("rows = [nan]", "rows = nan must be positive"),
        ("row = [1]", "unknown parameter 'row'; did you mean rows"),
        ("self = [1]", "unknown parameter 'self'"),
        ("[rows]\nfrom = 1", "a parameter takes a value or a list of values, got {'from': 1}"),
        ("rows = [1979-05-27]", "must be a whole number"),
    ],
)
def test_bad_texts(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Space.parse(text)


def test_bad_files(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"space file .*none.toml cannot be read: No such file"):
        Space.load(tmp_path / "none.toml")
    with pytest.raises(InputError, match="cannot be read: Is a directory"):
        Space.load(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"rows = [1] # \xff")
    with pytest.raises(InputError, match=r"binary.toml is not UTF-8 text"):
        Space.load(tmp_path / "binary.toml")
    (tmp_path / "bad.toml").write_text("rows = ")
    with pytest.raises(InputError, match=r"space file .*bad.toml is not valid TOML"):
        Space.load(tmp_path / "bad.toml")
