"""The stream wrapper, under pauses on both sides; the tests that run in the simulator are in `stream_testbench`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hwexplore.pe import PE, Mac
from hwexplore.rtl import build
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.stream import StreamWrapper
from hwexplore.rtl.vectors import random_operands
from hwexplore.rtl.verilog import convert


@pytest.mark.parametrize(
    ("text", "terms"),
    [("mac(int8, int8, acc=int32)", 5), ("mac(e4m3, int4, acc=fp16, stages=3)", 7), ("mac(int4, int4, stages=2)", 1)],
)
def test_streams(text: str, terms: int, verilator: Simulator, tmp_path: Path) -> None:
    pe = PE.parse(text)
    assert isinstance(pe, Mac)
    rng = np.random.default_rng(0)
    weights, activations = (codes[::2, :terms] for codes in random_operands(pe, 20_000, rng))
    case = {
        "weight_bits": pe.weight.element_bits,
        "activation_bits": pe.activation.element_bits,
        "latency": pe.latency_cycles,
        "runs": [list(zip(w.tolist(), a.tolist(), strict=True)) for a in activations for w in weights],
        "sums": pe.golden(weights, activations).ravel().tolist(),
    }
    (tmp_path / "case.json").write_text(json.dumps(case), "utf-8")
    (tmp_path / "wrapper.v").write_text(convert(StreamWrapper(build(pe)), "wrapper"), "utf-8")
    seconds = verilator.run(
        sources=[tmp_path / "wrapper.v"],
        top="wrapper",
        testbench=Path(__file__).with_name("stream_testbench.py"),
        folder=tmp_path,
    )
    assert seconds > 0
