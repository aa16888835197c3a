"""The stream wrapper, under pauses on both sides; the tests that run in the simulator are in `stream_testbench`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from hwexplore.pe import PE
from hwexplore.pe.codes import Codes
from hwexplore.rtl import build
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.stream import StreamWrapper
from hwexplore.rtl.vectors import first_terms, random_operands
from hwexplore.rtl.verilog import convert


def words(fields: dict[str, Codes], bits: dict[str, int]) -> np.ndarray:
    """Fields of these widths side by side, the first lowest."""
    word, place = np.asarray(0, object), 0
    for name, width in bits.items():
        word = word | fields[name].astype(object) << place
        place += width
    return np.asarray(word)


@pytest.mark.parametrize(
    ("text", "tiles"),
    [
        ("mac(int8, int8, acc=int32)", 5),
        ("mac(e4m3, int4, acc=fp16, stages=3)", 7),
        ("mac(int4, int4, stages=2)", 1),
        ("dot(nvfp4, nvfp4, lanes=4, stages=2)", 2),
        ("lut(int2, int8, m=2, n=3, k=4)", 3),
    ],
)
def test_streams(text: str, tiles: int, verilator: Simulator, tmp_path: Path) -> None:
    pe = PE.parse(text)
    weights, activations = (
        first_terms(operand, format, tiles * pe.tile.k)
        for operand, format in zip(
            random_operands(pe, 20_000, np.random.default_rng(0)), (pe.weight, pe.activation), strict=True
        )
    )
    stationary, moving = pe.weight_beats(weights), pe.activation_beats(activations)
    rows, columns = (len(next(iter(codes.values()))) for codes in (moving, stationary))
    beats = []
    for m, n in np.ndindex(rows, columns):
        of_weights = {name: codes[n] for name, codes in stationary.items()}
        of_activations = {name: codes[m] for name, codes in moving.items()}
        beats.append(words({**of_weights, **of_activations}, pe.ports))
    chosen = slice(None, None, max(len(beats) // 300, 1))
    case = {
        "bits": sum(pe.ports.values()),
        "latency": pe.latency_cycles,
        "runs": [run.tolist() for run in beats[chosen]],
        "sums": words(pe.shown(pe.golden(weights, activations)), pe.outputs).ravel()[chosen].tolist(),
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
