from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

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
        ("[rows]\nfrom = 1", "range of rows has from; expected { from = 16, to = 256, factor = 2 }"),
        ("rows = { from = 1.5, to = 4, step = 1 }", "rows = 1.5 must be a whole number"),
        ("rows = [1, { from = 1, to = 4, step = 1 }]", "parameter rows lists a value twice: 1, 1, 2, 3, 4"),
        ("constraints = 3", "constraints contain 3; expected texts such as 'area_mm2 < 50'"),
        ("constraints = ['rows < 4', 'rows > 4']", "constraints rows < 4 and rows > 4 contradict each other"),
        ("constraints = ['rows <']", "constraint 'rows <', column"),
        (
            "constraints = [\"dram == 'hbm9'\"]",
            "unknown DRAM in constraint \"dram == 'hbm9'\" 'hbm9'; did you mean hbm2",
        ),
        ("constraint = 'rows < 4'", "unknown parameter 'constraint'; did you mean constraints"),
        ("rows = { equals = 3 }", "rows = {'equals': 3} is not of the form { equals = \"EXPRESSION\" }"),
        ("rows = { equals = 'cols', step = 1 }", "is not of the form { equals"),
        ("rows = [{ equals = 'cols' }]", "unknown key of the range of rows 'equals'"),
        ("rows = { equals = '16' }", "rows = '16' names no parameter; a value of its own stands without equals"),
        ("rows = { equals = 'latency_s' }", "rows = 'latency_s', at 'latency_s' in column 1: unknown parameter"),
        ("rows = { equals = 'cols < 1' }", "rows = 'cols < 1' is a condition; expected a number"),
        ("dram = { equals = 'cols' }", "dram = 'cols' is a number; expected a text"),
        ("rows = { equals = 'cols' }\ncols = { equals = 'rows' }", "parameters follow from each other in a circle: "),
        ("rows = { equals = 'rows' }", "parameters follow from each other in a circle: rows from rows"),
        (
            "cols = [64, 96]\nrows = { equals = 'cols / 64' }",
            "1.5 must be a whole number; it is cols / 64 where cols = 96",
        ),
        (
            "cols = [1, 2]\nchannels = [1, 2]\nrows = { equals = 'cols / (2 - channels)' }",
            "rows = inf must be positive and below 2**31; it is cols / (2 - channels) where cols = 1, channels = 2",
        ),
        (
            "cols = [1]\nrows = { equals = '2 * cols' }\nchannels = { equals = 'rows / 4' }",
            "channels = 0.5 must be a whole number; it is rows / 4 where cols = 1",
        ),
        (
            "rows = { from = 1, to = 2000, step = 1 }\nsram_kib = { from = 1, to = 2000, step = 1 }\n"
            "cols = { equals = 'rows * sram_kib' }",
            "cols = 'rows * sram_kib' follows from 4,000,000 combinations of rows and sram_kib; at most 1,000,000",
        ),
        ("rows = [1979-05-27]", "must be a whole number"),
    ],
)
def test_bad_texts(text: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        Space.parse(text)
    assert message in str(raised.value)


LINKS = {
    "cols": ["2 * rows", "rows", "max(rows, channels) + sram_kib"],
    "vector_lanes": ["16 * channels", "cols"],
    "dram": ["'hbm2' if rows > 2 else 'ddr4-3200'"],
    "clock_mhz": ["'max' if rows > 2 else 250 * channels"],
    "voltage": ["0.8 + 0.1 * channels"],
}
CONSTRAINTS = (
    "rows * channels <= 6",
    "cols > 2 or sram_kib < 3",
    "dram == 'hbm2' and 1 <= channels < 4",
    "rows in (1, 3)",
    "clock_mhz != 'max'",
    "area_mm2 < 50",
)
VALUES = st.lists(st.integers(1, 4), min_size=1, max_size=4, unique=True)
RANGES = st.builds(lambda first, more: {"from": first, "to": first + more, "step": 1}, *[st.integers(1, 2)] * 2)


@st.composite
def spaces(draw: st.DrawFn) -> Space:
    """Small spaces with lists, ranges, links and constraints."""
    free = {name: draw(VALUES | RANGES) for name in ("rows", "cols", "sram_kib", "channels")}
    links = {name: {"equals": draw(st.sampled_from(texts))} for name, texts in LINKS.items() if draw(st.booleans())}
    own = {**SHORT, "dram": ["ddr4-3200", "hbm2"], **free, **links}
    constraints = [text for text in CONSTRAINTS if draw(st.integers(0, 2)) == 0]
    if isinstance(own["dram"], dict):
        constraints = [text for text in constraints if "dram" not in text]
    return Space(constraints, **own)


@given(spaces())
def test_toml_round_trip_of_any_space(space: Space) -> None:
    again = Space.parse(space.to_toml())
    assert again == space
    assert hash(again) == hash(space)
    assert (again.choices.values, again.constraints, again.shape) == (
        space.choices.values,
        space.constraints,
        space.shape,
    )
    np.testing.assert_equal(again.values(np.arange(again.size)), space.values(np.arange(space.size)))


def python(expression: str, design: dict[str, Any]) -> Any:
    return eval(expression, {"__builtins__": {"max": max}}, design)


def by_hand(space: Space) -> list[dict[str, Any]]:
    """The designs of the grid in order, parameter by parameter."""
    links = {name: value["equals"] for name, value in space._declared.items() if isinstance(value, dict)}
    free = {name: values for name, values in space.choices.values.items() if name not in links}
    designs = [dict(zip(free, values, strict=True)) for values in product(*free.values())]
    for design in designs:
        for name in sorted(links, key=lambda name: "cols" in links[name]):
            design[name] = python(links[name], design)
    return designs


@given(spaces())
def test_linked_parameters_follow(space: Space) -> None:
    designs = by_hand(space)
    assert space.size == len(designs)
    values = space.values(np.arange(space.size))
    for name in (*NUMBERS, "voltage"):
        np.testing.assert_allclose(values[name], [design[name] for design in designs], rtol=1e-12)
    assert values["dram"].tolist() == [design["dram"] for design in designs]
    assert [str(clock) for clock in values["clock_mhz"]] == [str(design["clock_mhz"]) for design in designs]
    np.testing.assert_array_equal(space.ids(space.indices(np.arange(space.size))), np.arange(space.size))


def permitted_by_hand(space: Space) -> list[int]:
    texts = [str(constraint) for constraint in space.constraints if "area" not in str(constraint)]
    designs = by_hand(space)
    return [number for number, design in enumerate(designs) if all(python(text, design) for text in texts)]


@given(spaces(), st.integers(1, 100))
def test_blocks_are_the_permitted_designs(space: Space, most: int) -> None:
    expected = permitted_by_hand(space)
    assert space.permitted == len(expected)
    covered = [np.zeros(0, np.int64)]
    for ids, index, places in space.permitted_blocks(most):
        assert 1 <= len(ids) <= most
        shape = np.broadcast_shapes(*(axis.shape for axis in index.values()))
        assert np.prod(shape) <= min(most, 10 * len(ids))
        for name, column in space.indices(ids).items():
            np.testing.assert_array_equal(np.broadcast_to(index[name], shape).ravel()[places], column)
        assert np.broadcast_to(space.permits(index), shape).ravel()[places].all()
        covered.append(ids)
    assert np.concatenate(covered).tolist() == expected


@given(spaces(), st.data())
def test_samples_are_permitted(space: Space, data: st.DataObject) -> None:
    permitted = permitted_by_hand(space)
    number, seed = data.draw(st.integers(0, len(permitted))), data.draw(st.integers(0, 9))
    sample = space.sample(number, seed)
    assert len(sample) == number
    assert (np.diff(sample) > 0).all()
    assert set(sample.tolist()) <= set(permitted)
    np.testing.assert_array_equal(space.sample(number, seed), sample)
    assert space.sample(len(permitted)).tolist() == permitted
    with pytest.raises(
        InputError, match=f"sample of {len(permitted) + 1} designs: the space permits {len(permitted)}$"
    ):
        space.sample(len(permitted) + 1)


def test_samples_are_uniform() -> None:
    space = Space(["rows * channels <= 6", "sram_kib >= rows"], **{**SHORT, **dict.fromkeys(NUMBERS, range(1, 5))})
    drawn = np.concatenate([space.sample(50, seed) for seed in range(200)])
    counts = np.unique(drawn, return_counts=True)[1]
    assert len(counts) == space.permitted == (4 * 4 + 3 * 3 + 2 * 2 + 1) * 16
    assert chisquare(counts).pvalue > 1e-3
    pairs = np.concatenate([space.sample(2, seed) for seed in range(4000)])
    assert chisquare(np.unique(pairs, return_counts=True)[1]).pvalue > 1e-3


def test_samples_of_a_large_space() -> None:
    sizes = {name: {"from": 1, "to": 1000, "step": 1} for name in ("rows", "cols", "sram_kib")}
    space = Space("rows + cols < 500", **{**SHORT, **sizes})
    values = space.values(space.sample(1000))
    assert (values["rows"] + values["cols"]).max() < 500
    assert space.permitted == 1000 * 499 * 498 // 2
    with pytest.raises(InputError, match="decided for all 1,000,000,000 combinations of their parameters; at most"):
        space.restricted(["rows < cols * sram_kib"]).sample(1)


def test_values_and_constraints_can_be_changed() -> None:
    space = Space(["rows < cols"], rows=[1, 2], cols={"equals": "2 * rows"})
    other = space.with_values(rows=[3]).restricted(["channels > 1", "rows < cols"])
    assert other == Space(["rows < cols", "channels > 1"], rows=[3], cols={"equals": "2 * rows"})
    assert other.choices.values["cols"] == (6,)
    assert space != other


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
