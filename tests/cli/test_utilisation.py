"""``hwexplore utilisation``, and FPGAs among the technologies."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from hwexplore.accelerator.utilisation import utilisation

Run = Callable[..., tuple[int, str, str]]
PE, ARRAY = "mac(int8, int8, acc=int32)", ("--rows", 16, "--cols", 16)


def test_prints_what_the_model_counts(run: Run) -> None:
    code, out, _ = run("utilisation", PE, *ARRAY, "--vector-lanes", 16, "--json")
    table = utilisation(PE, rows=16, cols=16, sram_bytes=2**18, vector_lanes=16).to_frame()
    assert code == 0
    assert json.loads(out) == table.to_dict("records")
    assert "not Vivado" in run("utilisation", PE, *ARRAY)[1]


def test_refuses_what_does_not_fit(run: Run) -> None:
    code, _, err = run("utilisation", "mac(e4m3, e4m3, acc=fp32)", "--rows", 32, "--cols", 32)
    assert code == 2
    assert "does not fit zcu104" in err
    assert "lut" in err


@pytest.mark.parametrize("device", ["zcu104", "ecp5_85f"])
def test_an_fpga_is_shown_but_has_no_price_in_um2_and_pj(run: Run, device: str) -> None:
    names = {row["name"] for row in json.loads(run("technology", "show", device, "--json")[1])}
    assert {"resources.lut", "luts.full_adder", "lut.sigma", "dsp.wide"} <= names
    code, _, err = run("pe", "show", PE, "--technology", device)
    assert code == 2
    assert "no source of energy" in err
