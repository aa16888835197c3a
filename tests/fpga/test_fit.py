"""What a core takes of the ZCU104."""

from __future__ import annotations

import pytest

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.fpga.build import TOP, build
from hwexplore.fpga.fit import resources, too_much
from hwexplore.fpga.overlay import Overlay
from hwexplore.pe import PE


def test_counts() -> None:
    taken = resources(
        f"module {TOP}(input clk, input [7:0] a, b, output [15:0] product, output reg [31:0] sum, output late);"
        "  reg [15:0] delay;"
        "  assign product = a * b, late = delay[15];"
        "  always @(posedge clk) begin delay <= {delay[14:0], a[0]}; sum <= sum ^ {a, b, a, b}; end "
        "endmodule"
    )
    assert (taken["dsp"], taken["bram36"], taken["uram"]) == (1, 0, 0)
    assert taken["ff"] in (32, 33), "the delay may end in one"
    assert taken["lut"] == 32 + 1
    assert too_much(taken) == []


def test_margin() -> None:
    some = {"lut": 0.0, "ff": 0.0, "bram36": 0.0, "uram": 0.0}
    assert too_much({**some, "dsp": 1296.0}) == []
    assert too_much({**some, "dsp": 1297.0}) == [
        "the core takes 1297 of 1728 dsp and must leave 25%; choose a smaller array, PE or depth"
    ]


@pytest.mark.slow
def test_the_array_of_the_documentation_fits() -> None:
    array = SystolicArray(pe=PE.parse("mac(int8, int8, acc=int32)"), rows=16, cols=16, bus_bits=128)
    taken = resources(build(Overlay(array=array)).verilog)
    assert taken["dsp"] >= 256
    assert too_much(taken) == []
