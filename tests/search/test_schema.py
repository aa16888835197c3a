"""The schema of space files against the files that can be read."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
import tomllib
from hypothesis import given
from hypothesis import strategies as st

from hwexplore import technology
from hwexplore.accelerator import PARAMETERS
from hwexplore.errors import InputError
from hwexplore.search import Space, space_schema

NANGATE = technology.load("nangate45")
VALIDATOR = jsonschema.Draft7Validator(space_schema())
NUMBERS = st.sampled_from([16, 16.0, 2.5, 0, -1, 2**31, True, "16", [], [[1]]])
SINGLE = st.sampled_from(
    [None, "max", "", "hbm2", "hbm9", "os", "mac(int8, int8, acc=int32)", "mc(int8)", "int8/int8/int8", "rows", {}, 3]
)
ENTRIES = NUMBERS | SINGLE
RANGES = st.dictionaries(st.sampled_from(["from", "to", "factor", "step", "by"]), st.sampled_from([16, 0, 1.0, "2"]))
LINKS = st.sampled_from([{"equals": text} for text in ("4 * channels", "", 3, "channels")] + [{"equals": "2", "by": 2}])
ANY = ENTRIES | st.lists(ENTRIES | RANGES, max_size=3) | RANGES | LINKS


def can_be_read(table: dict[str, Any]) -> bool:
    """Whether it makes a space, of DRAMs that there are."""
    try:
        drams = Space(**table).choices.values["dram"]
        return all(dram in NANGATE.drams for dram in drams)
    except InputError:
        return False


def test_the_committed_schema_is_current() -> None:
    committed = files("hwexplore.models") / "spaces" / "schema.json"
    assert json.loads(committed.read_text("utf-8")) == space_schema()
    jsonschema.Draft7Validator.check_schema(space_schema())


def test_files_of_the_catalogue_are_valid_and_name_the_schema() -> None:
    for file in (files("hwexplore.models") / "spaces").iterdir():
        if file.name.endswith(".toml"):
            text = file.read_text("utf-8")
            assert text.startswith("#:schema schema.json\n")
            VALIDATOR.validate(tomllib.loads(text))


@pytest.mark.parametrize("name", PARAMETERS)
@given(data=st.data())
def test_both_refuse_the_same_values(name: str, data: st.DataObject) -> None:
    value = data.draw(ANY)
    valid, readable = VALIDATOR.is_valid({name: value}), can_be_read({name: value})
    if valid != readable:
        assert valid, "the schema refuses what can be read"
        entries = value if isinstance(value, list) else [value]
        assert any(isinstance(entry, dict) for entry in entries), (
            "only what ranges and links come to is beyond the schema"
        )


VALID = (
    "",
    "rows = 16",
    "rows = [16.0, 32]",
    "clock_mhz = [{ from = 100, to = 800, factor = 2 }, 'max']",
    "cols = { equals = '4 * rows' }",
    "dram = 'hbm2'\nconstraints = 'rows < 4'",
    "constraints = ['rows * cols <= 4096', 'area_mm2 < 50']",
    "pe = 'mac( int8, int8 )'\npolicy = ['int8/int8/int8']",
)
INVALID = (
    "row = 16",
    "rows = []",
    "rows = [16, 16.0]",
    "rows = 0",
    "rows = 2147483648",
    "rows = 1.5",
    "rows = true",
    "rows = '16'",
    "rows = [[16]]",
    "rows = {}",
    "rows = { from = 1, to = 4 }",
    "rows = { from = 1, to = 4, factor = 1 }",
    "rows = { from = 1, to = 4, step = 1, factor = 2 }",
    "rows = { from = 0, to = 4, step = 1 }",
    "rows = { from = 1, to = 4, step = 1, by = 1 }",
    "pe = { from = 1, to = 4, step = 1 }",
    "rows = { equals = 4 }",
    "rows = { equals = '' }",
    "rows = { equals = 'cols', to = 3 }",
    "rows = [{ equals = 'cols' }]",
    "clock_mhz = 'fast'",
    "dataflow = 'so'",
    "dram = 3",
    "pe = 8",
    "pe = 'mc(int8, int8)'",
    "policy = 'int8'",
    "constraints = 3",
    "constraints = ['']",
    "constraints = [['rows < 4']]",
    "constraint = 'rows < 4'",
)


@pytest.mark.parametrize("text", VALID)
def test_valid(text: str) -> None:
    VALIDATOR.validate(tomllib.loads(text))
    Space.parse(text)


@pytest.mark.parametrize("text", INVALID)
def test_invalid(text: str) -> None:
    assert not VALIDATOR.is_valid(tomllib.loads(text))
    with pytest.raises(InputError):
        Space.parse(text)
