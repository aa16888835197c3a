"""Systolic arrays: products of any size bit for bit as the golden models have them, in exactly the model's cycles."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

import hwexplore
from hwexplore.accelerator import cycles, streams
from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.formats import Encoded, Format
from hwexplore.pe import PE
from hwexplore.pe.codes import Codes
from hwexplore.pe.vector_unit import Requantizer, Rescaler
from hwexplore.rtl import gemm_replay
from hwexplore.rtl.gemm import gemm_modules
from hwexplore.rtl.gemm_replay import Done, Product, multiply
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.vectors import first_terms, random_operands

PRODUCTS = 8
"""Random products for each array, of which the last two meet pauses on both streams."""


def described(
    pe: str, rows: int, cols: int, dataflow: str, depth: int, bus_bits: int, output: str | None = None
) -> SystolicArray:
    format = None if output is None else Format.parse(output)
    return SystolicArray(
        pe=PE.parse(pe), rows=rows, cols=cols, dataflow=dataflow, depth=depth, bus_bits=bus_bits, output=format
    )


ARRAYS = {
    "int8 os": described("mac(int8, int8, acc=int32)", 4, 4, "os", 64, 64, "int8"),
    "int8 ws": described("mac(int8, int8, acc=int32)", 4, 4, "ws", 16, 32, "uint8"),
    "int8 sat ws": described("mac(int8, int8, acc=int16 sat, stages=3)", 3, 5, "ws", 6, 16),
    "fp8 ws": described("mac(e4m3, int4, acc=fp16, stages=2)", 2, 3, "ws", 5, 64, "e4m3"),
    "fp8 os": described("mac(e5m2, e4m3, acc=fp16)", 8, 1, "os", 7, 256),
    "dot ws": described("dot(mxfp4, mxfp4, lanes=16, acc=fp16, stages=2)", 2, 2, "ws", 3, 96),
    "dot os": described("dot(int4, int8, lanes=8)", 2, 3, "os", 3, 48, "int8"),
    "shift_add ws": described("shift_add(uint4, int8, group=4, acc=fp16)", 3, 2, "ws", 4, 32, "fp16"),
    "shift_add os": described("shift_add(int4, int8, group=8, acc=fp16, stages=3)", 2, 2, "os", 2, 64),
    "lut ws": described("lut(int2, int8, m=2, n=2, k=4)", 2, 3, "ws", 4, 64, "int8"),
    "lut fp16 ws": described("lut(int2, fp16, m=1, n=1, k=2, acc=fp16)", 2, 1, "ws", 2, 64, "fp16"),
    "bit_serial ws": described("bit_serial(int2, int3, lanes=8, stages=2)", 4, 2, "ws", 3, 8),
    "bit_serial os": described("bit_serial(uint2, int2, lanes=4)", 1, 4, "os", 5, 40),
    "lut os": described("lut(uint1, int4, m=2, n=1, k=2, acc=int12)", 2, 1, "os", 3, 16),
    "multi os": described("multi(int4, uint4, acc=int16, stages=2)", 2, 1, "os", 4, 16),
    "multi ws": described("multi(int4, int4, acc=int16, mode=4x2)", 1, 1, "ws", 2, 16),
}


@dataclass(frozen=True)
class Case:
    """A product, and the codes [m, n] that it has to give."""

    product: Product
    expected: Codes


def case(
    array: SystolicArray,
    weights: Codes | Encoded,
    activations: Codes | Encoded,
    parameters: dict[str, Codes] | None = None,
) -> Case:
    expected = array.pe.golden(weights, activations)
    if parameters is not None:
        assert array.vector_unit is not None
        expected = array.vector_unit.golden(expected, parameters)
    (m, n), k = expected.shape, (activations.codes if isinstance(activations, Encoded) else activations).shape[1]
    words = streams.words(array, weights, activations, parameters)
    return Case(Product(sizes=array.sizes(m, n, k), words=words), expected)


def random_parameters(array: SystolicArray, n: int, rng: np.random.Generator) -> dict[str, Codes] | None:
    unit = array.vector_unit
    if isinstance(unit, Requantizer):
        least, most = unit.output.min_value, unit.output.max_value
        ends = np.sort(rng.integers(least, most + 1, (3, n)), axis=0)
        return unit.parameters(
            2.0 ** rng.uniform(-12, -4, n),
            bias=rng.integers(-500, 500, n),
            zero_point=ends[1],
            low=np.where(rng.random(n) < 0.5, ends[0], least),
            high=np.where(rng.random(n) < 0.5, ends[2], most),
        )
    if isinstance(unit, Rescaler):
        scale, bias = 2.0 ** rng.uniform(-6, 2, n), rng.standard_normal(n)
        return unit.parameters(scale, bias=bias, low=np.where(rng.random(n) < 0.5, 0.0, -100.0))
    return None


def random_cases(array: SystolicArray, rng: np.random.Generator) -> list[Case]:
    pe, cases = array.pe, []
    for number in range(PRODUCTS):
        m, n, k = (
            int(rng.integers(1, 3 * limit * tile + 1))
            for limit, tile in zip(array.limits.values(), pe.tile, strict=False)
        )
        weights, activations = random_operands(pe, max(m, n) ** 2 * max(k, 32), rng)
        terms = min(k, weights.codes.shape[1] if isinstance(weights, Encoded) else weights.shape[1])
        weights, activations = (
            first_rows(first_terms(operand, format, terms), count)
            for operand, format, count in ((weights, pe.weight, n), (activations, pe.activation, m))
        )
        one = case(array, weights, activations, random_parameters(array, n, rng))
        if number >= PRODUCTS - 2:
            one = replace(one, product=replace(one.product, producer=160, consumer=100))
        cases.append(one)
    # Broken off in its middle, then once more.
    m, n, k = (size * tile for size, tile in zip(cases[0].product.sizes, pe.tile, strict=False))
    broken = replace(cases[0].product, breaks=int(array.cycles(m, n, k)) // 2)
    return [Case(broken, cases[0].expected), *cases]


def first_rows(operand: Codes | Encoded, rows: int) -> Codes | Encoded:
    if not isinstance(operand, Encoded):
        return operand[:rows]
    zero_points = None if operand.zero_points is None else operand.zero_points[:rows]
    return Encoded(operand.codes[:rows], operand.scales[:rows], operand.tensor_scale, zero_points)


def quantized(x: NDArray[np.float64], axis: int | None = None) -> tuple[Codes, NDArray[np.float64]]:
    """``x`` in int8, the largest magnitude, of all or along ``axis``, at 127: codes, and what 1 counts."""
    step = abs(x).max(axis=axis, keepdims=axis is not None) / 127
    return Format.parse("int8").encode(x / step), step


def q_proj(array: SystolicArray) -> Case:
    """16 tokens, 64 outputs and 256 inputs of the query projection of llama-2-7b, with random numbers."""
    rng = np.random.default_rng(7)
    activations, a_step = quantized(rng.standard_normal((16, 256)))
    weights, w_step = quantized(rng.standard_normal((64, 256)) / 16, axis=1)
    assert isinstance(array.vector_unit, Requantizer)
    return case(array, weights, activations, array.vector_unit.parameters(w_step[:, 0] * a_step * 127 / 4))


def convolution(array: SystolicArray) -> Case:
    """A 3x3 convolution of ResNet-18, 16 of its channels into 12 over 6 x 6 pixels, with a ReLU."""
    rng = np.random.default_rng(18)
    x, w = rng.integers(-128, 128, (16, 6, 6)), rng.integers(-128, 128, (12, 16, 3, 3))
    bias = rng.integers(-10_000, 10_000, 12)
    padded = np.pad(x, ((0, 0), (1, 1), (1, 1)))
    direct = np.zeros((12, 6, 6), int)
    for output, channel, row, column in np.ndindex(w.shape):
        direct[output] += w[output, channel, row, column] * padded[channel, row : row + 6, column : column + 6]
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    unfolded = windows.transpose(1, 2, 0, 3, 4).reshape(36, 144)
    assert isinstance(array.vector_unit, Requantizer)
    scale = np.full(12, 2.0**-11)
    parameters = array.vector_unit.parameters(scale, bias=bias, low=0)
    int8 = Format.parse("int8")
    made = case(array, int8.encode(w.reshape(12, 144)), int8.encode(unfolded), parameters)
    requantized = np.clip(np.rint((direct + bias[:, None, None]) / 2**11), 0, 127).astype(np.uint64)
    np.testing.assert_array_equal(made.expected, requantized.reshape(12, 36).T)
    return made


CASES = {
    name: random_cases(array, np.random.default_rng(number)) for number, (name, array) in enumerate(ARRAYS.items())
}
LAYERS = {"q_proj": q_proj, "convolution": convolution}
CASES["int8 os"] += [layer(ARRAYS["int8 os"]) for layer in LAYERS.values()]


@pytest.fixture(scope="module")
def done(verilator: Simulator, tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Done]]:
    """All products, simulated together."""
    products = [(array, [one.product for one in CASES[name]]) for name, array in ARRAYS.items()]
    results, _ = multiply(products, verilator, tmp_path_factory.mktemp("arrays"))
    return dict(zip(ARRAYS, results, strict=True))


def check(array: SystolicArray, cases: Sequence[Case], done: Sequence[Done]) -> None:
    assert len(done) == len(cases)
    for one, its in zip(cases, done, strict=True):
        m, n = one.expected.shape
        sizes = np.array(one.product.sizes) * array.pe.tile[:3]
        if one.product.breaks:
            assert its.cycles == one.product.breaks < array.cycles(*sizes)
            continue
        np.testing.assert_array_equal(streams.results(array, its.words, m, n), one.expected, f"{m} x {n}")
        if one.product.producer == Product.producer:
            assert its.cycles == array.cycles(*sizes), one.product.sizes
        else:
            assert its.cycles > array.cycles(*sizes)


@pytest.mark.parametrize("name", ARRAYS)
def test_results_and_cycles(name: str, done: dict[str, list[Done]]) -> None:
    check(ARRAYS[name], CASES[name], done[name])


def test_a_second_simulator(icarus: Simulator, tmp_path: Path) -> None:
    names = ["int8 ws", "shift_add os"]
    done, _ = multiply([(ARRAYS[name], [one.product for one in CASES[name]]) for name in names], icarus, tmp_path)
    for name, its in zip(names, done, strict=True):
        check(ARRAYS[name], CASES[name], its)


def test_a_product_without_operands_is_stuck(
    icarus: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gemm_replay, "PATIENCE", 1000)
    array, [_, one, *_] = ARRAYS["int8 ws"], CASES["int8 ws"]
    short = replace(one.product, words=one.product.words[:-1])
    with pytest.raises(RuntimeError, match=r"^product 1 on SystolicArray.* is not done after 1000 cycles"):
        multiply([(array, [one.product, short])], icarus, tmp_path)


def test_there_are_enough_cases() -> None:
    exact = [one for cases in CASES.values() for one in cases if one.product.producer == Product.producer]
    assert len(exact) >= 50
    assert len({(array.pe.family, array.dataflow) for array in ARRAYS.values()}) == 2 * len(PE.families())


def test_an_array_that_never_waits_takes_as_long_as_the_model_says(done: dict[str, list[Done]]) -> None:
    """Behind the load of the first step, and before the pipeline behind the array: the textbook's count."""
    array = ARRAYS["fp8 os"]
    for one, its in zip(CASES["fp8 os"], done["fp8 os"], strict=True):
        if one.product.breaks or one.product.producer < Product.producer:
            continue
        m, n, k = one.product.sizes
        alone = its.cycles - min(k, array.depth) - array.pipeline_cycles
        assert alone == cycles(m, n, k, rows=array.rows, cols=array.cols, dataflow="os")
        folds = -(-m // array.rows) * -(-n // array.cols)
        scalesim = cycles(m, n, k, rows=array.rows, cols=array.cols, dataflow="os", compat="scalesim")
        assert alone == scalesim + folds * array.rows + 1


def test_arrays_wait_for_operands_or_do_not() -> None:
    """Some products take as long as their stream, some much longer."""
    share = [
        len(one.product.words) / array.cycles(*(np.array(one.product.sizes) * array.pe.tile[:3]))
        for name, array in ARRAYS.items()
        for one in CASES[name]
    ]
    assert min(share) < 0.6
    assert max(share) > 0.95


@pytest.mark.parametrize("name", ["int8 os", "fp8 ws", "lut ws", "bit_serial os"])
def test_lint_finds_nothing(name: str, verilator: Simulator, tmp_path: Path) -> None:
    waivers = Path(hwexplore.__file__).parent / "rtl" / "lint.vlt"
    (tmp_path / "array.v").write_text("".join(gemm_modules(ARRAYS[name], "gemm").values()), "utf-8")
    command = ["verilator", "--lint-only", "-Wall", "--top-module", "gemm", str(waivers), "array.v"]
    environment = {**os.environ, **verilator.environment}
    assert subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True).stderr == ""


@pytest.mark.slow
@pytest.mark.parametrize("dataflow", ["os", "ws"])
def test_an_array_of_256_pes(dataflow: str, verilator: Simulator, tmp_path: Path) -> None:
    array = described("mac(int8, int8, acc=int32)", 16, 16, dataflow, 128, 256, "int8")
    cases = [*random_cases(array, np.random.default_rng(0)), q_proj(array), convolution(array)]
    [done], _ = multiply([(array, [one.product for one in cases])], verilator, tmp_path)
    check(array, cases, done)
