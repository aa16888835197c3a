from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hwexplore.calibration.stimulus import TERMS, stimulus
from hwexplore.errors import InputError
from hwexplore.pe import PE

FAMILIES = (
    "mac(int8, int8, acc=int32)",
    "mac(uint4, int8, acc=exact(64), stages=3)",
    "mac(e4m3, e4m3, acc=fp16)",
    "dot(nvfp4, nvfp4, lanes=4, acc=fp16)",
    "shift_add(uint4, int8, group=128)",
    "lut(int2, int8, m=2, n=4, k=4)",
    "bit_serial(bipolar3, bipolar4)",
    "multi(int8, int8, acc=int32)",
)


def words(bits: np.ndarray) -> np.ndarray:
    """Integers [..., stream] of bits [..., bit, stream]."""
    return (bits.astype(object) << np.arange(bits.shape[-2])[:, np.newaxis]).sum(axis=-2)


@pytest.mark.parametrize("text", FAMILIES)
@pytest.mark.parametrize("operands", ["gaussian", "uniform"])
def test_every_port_and_output_has_its_bits_and_sums_are_finite(text: str, operands: str) -> None:
    pe = PE.parse(text)
    found = stimulus(pe, operands, streams=20, seed=1)
    beats = found.ports["clear"][1:, 0, 0].nonzero()[0]
    cycles = len(found.ports["rst"])
    assert {name: bits.shape for name, bits in found.ports.items()} == {
        name: (cycles, width, 20) for name, width in {"rst": 1, "enable": 1, "clear": 1, **pe.ports}.items()
    }
    assert {name: bits.shape for name, bits in found.expected.items()} == {
        name: (width, 20) for name, width in pe.outputs.items()
    }
    assert found.ports["rst"][0].all()
    assert not found.ports["rst"][1:].any()
    length = cycles - 1 - pe.latency_cycles
    terms = length // pe.tile.cycles * pe.tile.k
    assert terms == (64 if "exact" in text else TERMS)
    assert (beats % length == 0).all()
    assert found.observed.min() >= pe.latency_cycles
    assert found.observed.max() <= cycles - 2
    assert np.ptp(found.observed) > 0.85 * length
    if pe.accumulator.format is not None and pe.tile.m * pe.tile.n == 1:
        assert np.isfinite(pe.accumulator.format.decode(words(found.expected["accumulator"]).astype(np.uint64))).all()


def test_the_sum_of_the_products_is_expected() -> None:
    pe = PE.parse("mac(int8, int8, acc=int32)")
    found = stimulus(pe, streams=9)
    w, a = (((words(found.ports[port]) + 128) % 256 - 128)[1 : TERMS + 1] for port in ("weight", "activation"))
    np.testing.assert_array_equal((w * a).sum(axis=0) % 2**32, words(found.expected["accumulator"]))
    assert not (w[:, 0] == w[:, 1]).all()


def test_the_same_seed_gives_the_same_bits() -> None:
    pe = PE.parse(FAMILIES[0])
    first, again, other = (stimulus(pe, streams=4, seed=seed).ports["weight"] for seed in (3, 3, 4))
    assert (first == again).all()
    assert not (first == other).all()


def traced(path: Path, **arrays: object) -> Path:
    np.savez(path / "trace.npz", **arrays)  # type: ignore[arg-type]
    return path / "trace.npz"


def test_a_trace_is_scaled_to_the_range_of_integers(tmp_path: Path) -> None:
    weights, activations = np.array([[0.5, -1.0, 0.25]]), np.array([[3.0, 0.0, -1.5], [0.0, 0.0, 0.0]])
    path = traced(tmp_path, weights=weights, activations=activations)
    found = stimulus(PE.parse("mac(int8, uint4, acc=int32)"), path, streams=2)
    assert words(found.ports["weight"])[1:4, 0].tolist() == [64, 256 - 127, 32]
    assert words(found.ports["activation"])[1:4].T.tolist() == [[15, 0, 0], [0, 0, 0]]
    assert words(found.expected["accumulator"]).tolist() == [64 * 15, 0]


def test_a_trace_of_blocks_is_quantized_as_the_format_does(tmp_path: Path) -> None:
    pe = PE.parse("dot(mxfp4, mxfp4, lanes=8)")
    weights, activations = np.random.default_rng(0).standard_normal((2, 3, 64))
    found = stimulus(pe, str(traced(tmp_path, weights=weights, activations=activations)), streams=9)
    golden = pe.golden(pe.weight.encode(weights), pe.activation.encode(activations))
    assert words(found.expected["accumulator"]).tolist() == golden.ravel().tolist()


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"weights": np.ones((1, 4))}, "activations"),
        ({"weights": np.ones(4), "activations": np.ones((1, 4))}, r"weights \(4,\)"),
        ({"weights": np.ones((1, 4)), "activations": np.full((1, 4), np.nan)}, "finite"),
        ({"weights": np.ones((1, 4)), "activations": np.ones((1, 5))}, "one k"),
    ],
)
def test_a_trace_that_does_not_fit_is_an_error(tmp_path: Path, arrays: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        stimulus(PE.parse(FAMILIES[0]), traced(tmp_path, **arrays))


def test_a_missing_trace_an_unknown_distribution_and_no_streams_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.npz must be a \.npz file"):
        stimulus(PE.parse(FAMILIES[0]), tmp_path / "none.npz")
    for text in (FAMILIES[0], "dot(mxfp4, mxfp4, lanes=8)"):
        with pytest.raises(InputError, match="operand distribution 'normal'"):
            stimulus(PE.parse(text), "normal")
    with pytest.raises(InputError, match="streams = 0"):
        stimulus(PE.parse(FAMILIES[0]), streams=0)
