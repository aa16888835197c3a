from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwexplore.accelerator import PARAMETERS, Choices
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.workloads import Policy

VALUES: dict[str, Any] = {
    "pe": ["mac(int8, int8, acc=int32)"],
    "rows": [16, 32],
    "cols": [16],
    "dataflow": ["os"],
    "clock_mhz": [250, 312.5, "max"],
    "voltage": [0.8, 1.1],
    "vector_lanes": [16],
    "sram_kib": [128],
    "dram": ["hbm2"],
    "channels": [1],
    "policy": ["int8/int8/int8"],
}


def test_texts_are_parsed() -> None:
    choices = Choices({**VALUES, "rows": [16.0, np.int64(8)]})
    assert tuple(choices.values) == tuple(PARAMETERS)
    assert choices.values["pe"] == (PE.parse(VALUES["pe"][0]),)
    assert choices.values["policy"] == (Policy.parse("int8/int8/int8"),)
    assert choices.values["clock_mhz"] == (250, 312.5, "max")
    assert choices.numbers("rows").tolist() == [16.0, 8.0]
    assert [type(value) for value in choices.values["rows"]] == [int, int]
    assert Choices(choices.values).values == choices.values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"row": [1]}, "unknown parameter 'row'; did you mean rows"),
        ({"rows": []}, "parameter rows has an empty list of values"),
        ({"rows": [0]}, "rows = 0 must be positive and below 2\\*\\*31"),
        ({"rows": [-4]}, "rows = -4 must be positive"),
        ({"sram_kib": [float("nan")]}, "sram_kib = nan must be positive"),
        ({"clock_mhz": [float("inf")]}, "clock_mhz = inf must be positive"),
        ({"cols": [10**400]}, "must be positive and below"),
        ({"rows": [1.5]}, "rows = 1.5 must be a whole number"),
        ({"channels": [True]}, "channels = True must be a whole number"),
        ({"sram_kib": ["128"]}, "sram_kib = '128' must be a number"),
        ({"clock_mhz": ["fast"]}, "clock_mhz = 'fast' must be a number"),
        ({"vector_lanes": [[16]]}, "must be a whole number"),
        ({"rows": [16, 16.0]}, "parameter rows lists a value twice: 16, 16"),
        ({"policy": ["int8/int8/int8", "int8 / int8 / int8"]}, "parameter policy lists a value twice"),
        ({"dataflow": ["ows"]}, "unknown dataflow 'ows'; did you mean ws or os or is"),
        ({"pe": ["mac(int8)"]}, "needs two operand formats"),
        ({"pe": [8]}, "PE '8' is not of the form"),
        ({"policy": ["int8"]}, "has 1 operands"),
    ],
)
def test_bad_values(values: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Choices({**VALUES, **values})


@pytest.mark.parametrize("name", PARAMETERS)
def test_missing_parameter(name: str) -> None:
    with pytest.raises(InputError, match=f"parameter {name} .* has no values"):
        Choices({key: value for key, value in VALUES.items() if key != name})
