"""What a core takes of the ZCU104."""

from __future__ import annotations

import pytest

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.fpga.build import TOP, build
from hwexplore.fpga.fit import resources, too_much
from hwexplore.fpga.overlay import Overlay
from hwexplore.pe import PE


def test_counts() -> None:
    """32 bits of sum, 4 of which go around a delay of 16: a DSP block, flip-flops, and a LUT for each delayed bit."""
    taken = resources(
        f"module {TOP}(input clk, input rst, input [7:0] a, b, output reg [31:0] sum, output [3:0] late);"
        "  reg [63:0] delay;"
        "  assign late = delay[63:60];"
        "  always @(posedge clk) begin delay <= {delay[59:0], a[3:0]}; sum <= rst ? 0 : sum ^ (a * b); end "
        "endmodule"
    )
    assert taken["dsp"] == 1
    assert 32 <= taken["ff"] <= 36
    assert taken["lut"] >= 32 + 4
    assert taken["bram36"] == taken["uram"] == 0
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
