"""RTL that is what the models say passes; RTL, or a model, that is not, does not."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from hwexplore.accelerator import SystolicArray
from hwexplore.calibration import rtl_checks
from hwexplore.calibration.rtl_checks import check_arrays, check_cores
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.rtl import gemm_replay, replay
from hwexplore.rtl.gemm import gemm_modules
from hwexplore.rtl.simulator import Simulator, find
from hwexplore.rtl.verilog import pe_verilog

PES = [PE.parse("mac(int2, int2, acc=int8)"), PE.parse("mac(uint2, int3, acc=int8 sat)")]


@pytest.fixture(scope="module")
def simulator() -> Simulator:
    """A machine without Icarus skips, continuous integration fails."""
    try:
        return find("icarus")
    except InputError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(str(error))


def broken(*_: object, **__: object) -> None:
    raise AssertionError("simulated again")


def test_cores_hold_and_are_not_simulated_twice(
    simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = check_cores(PES[:1], 50, simulator, tmp_path)
    both = check_cores(PES, 50, simulator, tmp_path)
    assert all(check.holds and check.cycles > 50 for check in both)
    monkeypatch.setattr(rtl_checks, "replay", broken)
    assert check_cores(PES[::-1], 50, simulator, tmp_path) == both[::-1]
    assert both[:1] == first
    with pytest.raises(AssertionError, match="simulated again"):
        check_cores(PES[:1], 500, simulator, tmp_path)


def test_a_wrong_core_is_found(simulator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = pe_verilog(PES[0])
    assert " * " in text
    monkeypatch.setattr(replay, "pe_verilog", lambda pe: text.replace(" * ", " + "))
    (check,) = check_cores(PES[:1], 50, simulator, tmp_path)
    assert check.mismatches > 10
    assert not check.holds


@pytest.fixture(scope="module")
def arrays() -> list[SystolicArray]:
    os_array = SystolicArray(pe=PES[0], rows=2, cols=3, dataflow="os", depth=4)
    return [os_array, replace(os_array, dataflow="ws", rows=1)]


def test_arrays_hold_in_the_cycles_of_the_model(
    simulator: Simulator, arrays: list[SystolicArray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    checks = check_arrays(arrays, simulator, tmp_path)
    assert all(check.holds for check in checks)
    for check, array in zip(checks, arrays, strict=True):
        assert (check.dataflow, check.rows, check.cols) == (array.dataflow, array.rows, array.cols)
        assert check.m > array.rows
        assert check.n > array.cols
        assert check.cycles * array.rows * array.cols >= check.m * check.n * check.k
    monkeypatch.setattr(rtl_checks, "multiply", broken)
    assert check_arrays(arrays, simulator, tmp_path) == checks


def test_a_wrong_array_and_a_wrong_count_are_found(
    simulator: Simulator, arrays: list[SystolicArray], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(array: SystolicArray, name: str) -> dict[str, str]:
        modules = gemm_modules(array, name)
        assert any(" * " in text for text in modules.values())
        return {module: text.replace(" * ", " + ") for module, text in modules.items()}

    monkeypatch.setattr(gemm_replay, "gemm_modules", wrong)
    model = SystolicArray.cycles
    monkeypatch.setattr(SystolicArray, "cycles", lambda *sizes: model(*sizes) + 1)
    (check,) = check_arrays(arrays[:1], simulator, tmp_path)
    assert check.different > 10
    assert check.model_cycles == check.cycles + 1
    assert not replace(check, different=0).holds
    assert not replace(check, cycles=check.model_cycles).holds
