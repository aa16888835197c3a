"""LUT tensor cores, bit for bit and cycle for cycle against their golden model; the lookup proven by Yosys."""

from __future__ import annotations

from pathlib import Path

import pytest
from amaranth.hdl import Cat, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from proof import PROVEN, prove
from replays import Case, Mismatches, Replayed, Wrong, varied

from hwexplore.pe import PE, Lut
from hwexplore.rtl.lookup import FixedLookup
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.table import Table
from hwexplore.rtl.vectors import EXHAUSTIVE_BITS

FIXED = [
    "lut(int2, int8, m=2, n=3)",
    "lut(uint3, uint5, m=1, n=2, k=3, acc=exact(60), stages=3)",
    "lut(bipolar4, int4, m=1, n=2, k=5, bits=2, acc=int12)",
    "lut(int4, bipolar3, m=3, n=1, k=2, bits=4, acc=int10, stages=5)",
    "lut(uint6, int8, m=1, n=1, k=4, bits=3, acc=int18, stages=8)",
    "lut(int2, uint8, m=2, n=1, k=3, table=int6, stages=4)",
    "lut(int1, int12, m=1, n=2, k=2, table=int10)",
]
FLOATING = [
    "lut(int2, fp16, m=1, n=1, k=2)",
    "lut(bipolar2, e5m2, m=1, n=2, k=2, bits=2, table=e5m2, acc=bf16, stages=3)",
    "lut(uint1, e4m3, m=1, n=1, k=3, table=int4, acc=bf16, stages=5)",
]
MORE = [
    "lut(int2, int8, m=2, n=64)",
    "lut(int1, int12, m=1, n=2, k=5, table=int10)",
    "lut(int5, int12, m=2, n=2, k=5, table=int12, acc=int40)",
    "lut(int4, fp16, m=2, n=2, bits=2)",
    "lut(int2, fp16, m=1, n=2, k=3, table=int8)",
    "lut(uint2, e4m3, m=1, n=1, k=3, acc=fp16, stages=4)",
    "lut(bipolar1, e4m3, m=1, n=4, table=float8_e4m3fn)",
    "lut(uint4, ue4m3, m=1, n=1, k=5, table=int8, stages=5)",
    "lut(int6, e3m4, m=1, n=1, bits=6, table=tf32, acc=tf32)",
    "lut(int3, e2m1, m=2, n=1, k=3, table=e3m2, acc=e4m3)",
]


def vectors(text: str, pairs: int) -> Case:
    """Random operands; then, of narrow formats, every pair of operands."""
    pe = PE.parse(text)
    return varied(text, pairs, pe.weight.element_bits + pe.activation.element_bits <= EXHAUSTIVE_BITS)


@pytest.fixture(scope="module")
def wrong(mismatches: Mismatches) -> Wrong:
    return mismatches({text: vectors(text, 20_000) for text in (*FIXED, *FLOATING)})


@pytest.fixture(scope="module")
def wrong_of_many(mismatches: Mismatches) -> Wrong:
    return mismatches({text: vectors(text, 200_000) for text in (*FIXED, *FLOATING, *MORE)})


@pytest.mark.parametrize("text", [*FIXED, *FLOATING])
def test_rtl_is_its_golden_model(text: str, wrong: Wrong) -> None:
    assert wrong[text].empty, wrong[text].head(10).to_string()


@pytest.mark.slow
@pytest.mark.parametrize("text", [*FIXED, *FLOATING, *MORE])
def test_rtl_is_its_golden_model_over_many_vectors(text: str, wrong_of_many: Wrong) -> None:
    assert wrong_of_many[text].empty, wrong_of_many[text].head(10).to_string()


def test_rtl_is_its_golden_model_on_a_second_simulator(icarus: Simulator, replayed: Replayed) -> None:
    texts = ["lut(int2, int4, m=1, n=2, acc=int12, stages=4)", "lut(int1, e2m1, m=1, n=1, k=2, table=int8, acc=fp16)"]
    for done in replayed([vectors(text, 2_000) for text in texts], icarus):
        assert done.mismatches.empty, done.mismatches.head(10).to_string()


class LookedUp(wiring.Component):
    """The sum of four activations with the signs of one-bit weights, by way of the table of ``pe``."""

    def __init__(self, pe: Lut) -> None:
        self.pe = pe
        super().__init__({"weight": In(4), "activation": In(16), "total": Out(7)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.table = table = Table(pe=self.pe)
        m.submodules.lookup = lookup = FixedLookup(pe=self.pe)
        folded = Signal(4)
        m.d.comb += [
            folded.eq(Cat(self.weight[:3] ^ (~self.weight[3]).replicate(3), self.weight[3])),
            table.activations.eq(self.activation),
            lookup.table.eq(table.table),
            lookup.weight.eq(folded),
            self.total.eq((lookup.term >> 1) + lookup.term[0]),
        ]
        return m


SUM = """\
module definition(input [3:0] weight, input [15:0] activation, output [6:0] total);
  wire signed [6:0] a0 = $signed(activation[3:0]), a1 = $signed(activation[7:4]);
  wire signed [6:0] a2 = $signed(activation[11:8]), a3 = $signed(activation[15:12]);
  assign total = (weight[0] ? a0 : -a0) + (weight[1] ? a1 : -a1) + (weight[2] ? a2 : -a2) + {last};
endmodule
"""


def proof(last: str, folder: Path) -> str:
    pe = PE.parse("lut(bipolar1, int4, m=1, n=1, k=4, acc=int8)")
    assert isinstance(pe, Lut)
    return prove(SUM.format(last=last), LookedUp(pe), folder)


def test_what_is_looked_up_is_the_sum_with_signs(tmp_path: Path) -> None:
    assert PROVEN in proof("(weight[3] ? a3 : -a3)", tmp_path)


def test_another_sum_has_no_proof(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="proof did fail"):
        proof("(weight[3] & weight[0] ? a3 : -a3)", tmp_path)
