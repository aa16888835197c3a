from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from hwexplore import workloads
from hwexplore.accelerator import REASONS
from hwexplore.accelerator.infeasible import why_infeasible
from hwexplore.search import Problem
from hwexplore.technology import Technology

CASES: list[tuple[dict[str, Any], int, str]] = [
    ({"clock_mhz": 5000}, 1, r"clock_mhz = 5000: mac\(.*\) reaches (\d+\.?\d*) at 1.1 V$"),
    ({"sram_kib": 16}, 2, r"sram_kib = 16 is split into \d+ banks of 64 bits .*; it takes ([\d.]+) KiB$"),
    (
        {"sram_kib": 32768, "rows": 1, "cols": 1, "vector_lanes": 1, "clock_mhz": "max"},
        3,
        r"sram_kib = 32768 is split into \d+ banks of 64 bits .* which take ([\d.]+) ns where a cycle has [\d.]+ ns$",
    ),
    ({"dram": "ddr4-3200"}, 4, r"channels = 1 of ddr4-3200 hold 4.295 GB, weights and KV cache take ([\d.]+) GB$"),
    ({"rows": 64, "cols": 1024, "sram_kib": 256}, 5, r"\w+ needs ([\d,.]+) KiB for .*, but sram_kib is 256$"),
]


def problem(space_of: Any, node: Technology, values: dict[str, Any]) -> Problem:
    workload = workloads.load("llama-2-7b", phase="prefill", context=512)
    return Problem(space_of(**{"voltage": 1.1, **values}), workload, node)


@pytest.mark.parametrize(("values", "code", "pattern"), CASES, ids=REASONS[1:])
def test_the_sentence_names_what_it_takes(
    values: dict[str, Any], code: int, pattern: str, space_of: Any, nangate45: Technology
) -> None:
    model = problem(space_of, nangate45, values).model
    text = why_infeasible(model, {name: np.zeros(1, np.intp) for name in model.choices.values})
    match = re.fullmatch(f"{re.escape(REASONS[code])}: {pattern}", text)
    assert match, text


@pytest.mark.parametrize(("field", "case"), [("clock_mhz", 0), ("sram_kib", 1), ("sram_kib", 4)])
def test_what_it_takes_is_enough(field: str, case: int, space_of: Any, nangate45: Technology) -> None:
    values, code, pattern = CASES[case]
    model = problem(space_of, nangate45, values).model
    text = why_infeasible(model, {name: np.zeros(1, np.intp) for name in model.choices.values})
    number = float(re.search(pattern, text)[1].replace(",", ""))  # type: ignore[index]
    rounded = number * 0.999 if field == "clock_mhz" else np.ceil(number)
    better = problem(space_of, nangate45, {**values, field: rounded})
    assert better.evaluate(np.arange(1))["reason"][0] != REASONS[code]
