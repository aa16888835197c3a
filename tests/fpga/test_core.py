"""Cores behind AXI: products bit for bit, and what is wrong answered; see `core_testbench`."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from hwexplore.accelerator import streams
from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.formats import Format
from hwexplore.fpga.build import TOP, build
from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.packets import operand_packet, result_bytes, result_rows
from hwexplore.pe import PE
from hwexplore.pe.vector_unit import Requantizer
from hwexplore.rtl.simulator import Simulator

OVERLAYS = {
    "int8 os": Overlay(
        array=SystolicArray(
            pe=PE.parse("mac(int8, int8, acc=int32)"),
            rows=4,
            cols=4,
            dataflow="os",
            depth=8,
            bus_bits=64,
            output=Format.parse("int8"),
        )
    ),
    "e4m3 ws": Overlay(
        array=SystolicArray(
            pe=PE.parse("mac(e4m3, e4m3, acc=fp32, stages=2)"), rows=2, cols=3, dataflow="ws", depth=4, bus_bits=24
        ),
        memory_bits=64,
    ),
    "lut ws": Overlay(
        array=SystolicArray(
            pe=PE.parse("lut(int2, int8, m=2, n=2, k=4)"), rows=2, cols=2, dataflow="ws", depth=3, bus_bits=40
        ),
    ),
}
SIZES = [(1, 1, 1), (5, 8, 9), (7, 11, 20)]
"""m, n, k of the products."""


def product(overlay: Overlay, m: int, n: int, k: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A random product: its words, and the codes that it gives."""
    array = overlay.array
    weights, activations = (
        format.encode(rng.standard_normal((rows, k)) * min(4.0, format.max / 2))
        for rows, format in ((n, array.pe.weight), (m, array.pe.activation))
    )
    expected, parameters = array.pe.golden(weights, activations), None
    if isinstance(unit := array.vector_unit, Requantizer):
        parameters = unit.parameters(np.full(n, 2.0**-3), bias=rng.integers(-50, 50, n))
        expected = unit.golden(expected, parameters)
    return streams.words(array, weights, activations, parameters), expected


def filled(overlay: Overlay, words: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The packet with something random beside the words in its beats."""
    beats = operand_packet(overlay, words).reshape(len(words), -1)
    beats[:, words.shape[1] :] = rng.integers(0, 256, beats[:, words.shape[1] :].shape)
    return beats


@pytest.mark.parametrize("name", OVERLAYS)
def test_core(name: str, verilator: Simulator, tmp_path: Path) -> None:
    overlay, rng = OVERLAYS[name], np.random.default_rng(3)
    made, products, expected = build(overlay), [], []
    for m, n, k in SIZES:
        words, codes = product(overlay, m, n, k, rng)
        products.append(
            {
                "sizes": overlay.array.sizes(m, n, k),
                "packet": filled(overlay, words, rng).tobytes().hex(),
                "result_bytes": result_bytes(overlay, m, n),
                "cycles": int(overlay.array.cycles(m, n, k)),
            }
        )
        expected.append(codes)
    case = {
        **made.table,
        "pe": str(overlay.array.pe),
        "words_bits": overlay.words_bits,
        "results_bits": overlay.results_bits,
        "row_beats": -(-overlay.row_bits // overlay.results_bits),
        "lite": name == "int8 os",
        "products": products,
    }
    (tmp_path / "case.json").write_text(json.dumps(case), "utf-8")
    (tmp_path / "core.v").write_text(made.verilog, "utf-8")
    verilator.run(
        sources=[tmp_path / "core.v"],
        top=TOP,
        testbench=Path(__file__).with_name("core_testbench.py"),
        folder=tmp_path,
        seen=re.findall(r"^ +(?:input|output) (?:\[.*\] )?(\w+);", made.verilog.split(f"module {TOP}(")[1], re.M),
    )
    received = json.loads((tmp_path / "received.json").read_text("utf-8"))
    assert len(received) > 30
    for number, packet in received:
        rows = result_rows(overlay, np.frombuffer(bytes.fromhex(packet), np.uint8))
        m, n, _ = SIZES[number]
        np.testing.assert_array_equal(streams.results(overlay.array, rows, m, n), expected[number])
