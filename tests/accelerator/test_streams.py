"""What streams in and out of an array, taken apart again."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwexplore.accelerator import streams
from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format
from hwexplore.pe import PE
from hwexplore.pe.vector_unit import Requantizer

INT8 = Format.parse("int8")


def described(pe: str = "mac(int8, int8, acc=int32)", **fields: Any) -> SystolicArray:
    return SystolicArray(**{"pe": PE.parse(pe), "rows": 2, "cols": 3, "depth": 4, "bus_bits": 16, **fields})


def test_output_stationary_stream() -> None:
    """Two steps along k: beats of two activations, then three weights, in three words; columns beyond n are zero."""
    weights, activations = np.array([[1, 2, 3, 4, 5], [6, 7, 8, 9, 10]]), np.array([[11, 12, 13, 14, 15]])
    stream = streams.words(described(), weights.astype(np.uint64), activations.astype(np.uint64))
    beats = [[11 + k, 0, 1 + k, 6 + k, 0, 0] for k in range(5)]
    np.testing.assert_array_equal(stream, np.reshape(beats, (-1, 2)))


def test_weight_stationary_stream() -> None:
    """Weights of the lowest row first, then tokens; a second step has what is left of k."""
    weights, activations = np.array([[1, 2, 3], [4, 5, 6]], np.uint64), np.array([[7, 8, 9], [10, 11, 12]], np.uint64)
    stream = streams.words(described(dataflow="ws"), weights, activations)
    first = [2, 5, 0, 0, 1, 4, 0, 0, 7, 8, 10, 11]
    second = [0, 0, 0, 0, 3, 6, 0, 0, 9, 0, 12, 0]
    np.testing.assert_array_equal(stream, np.reshape([*first, *second], (-1, 2)))


def test_parameters_follow_the_operands_that_complete_sums() -> None:
    array = described(output=INT8, depth=2)
    unit = array.vector_unit
    assert isinstance(unit, Requantizer)
    parameters = unit.parameters([1.0, 1.0], bias=[-1, 2], zero_point=3)
    stream = streams.words(array, np.ones((2, 3), np.uint64), np.ones((1, 3), np.uint64), parameters)
    bits = np.unpackbits(stream, axis=None, bitorder="little")
    of_operands = 3 * 3 * 16
    fields = unit.fields
    assert array.parameter_bits == 3 * sum(fields.values())
    assert len(stream) == 9 + -(-array.parameter_bits // 16)
    column = bits[of_operands:][: sum(fields.values())]
    bias, rest = column[: fields["bias"]], column[fields["bias"] :]
    assert bias.all()
    assert int(rest[: fields["multiplier"]] @ (1 << np.arange(16))) == parameters["multiplier"][0]
    assert column[-24:-16].tolist() == [1, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize("output", [None, "int8"])
@pytest.mark.parametrize(
    "pe",
    [
        "mac(int8, int8, acc=int20)",
        "lut(int2, int8, m=2, n=3, k=4)",
        "lut(bipolar2, int8, m=2, n=2, k=4)",
        "mac(e5m2, e5m2, acc=exact(4096))",
    ],
)
def test_results_are_what_the_columns_gave(pe: str, output: str | None) -> None:
    array = described(pe, output=None if output is None else Format.parse(output))
    rng = np.random.default_rng(0)
    m, n = 7, 11
    tiles_m, tiles_n, _ = array.sizes(m, n, 1)
    rows, cols = tiles_m * array.pe.tile.m, -(-tiles_n // array.cols) * array.cols * array.pe.tile.n
    if output is None:
        format = array.pe.weight, array.pe.activation
        weights, activations = (
            f.encode(rng.integers(-1, 2, (count, 8))) for f, count in zip(format, (cols, rows), strict=True)
        )
        codes = array.pe.golden(weights, activations)
        shown = array.pe.shown(codes)
        word = sum(shown[name].astype(object) << place for name, place in zip(shown, places(array), strict=True))
    else:
        codes = rng.integers(0, 256, (rows, cols)).astype(np.uint64)
        tile_m, tile_n, *_ = array.pe.tile
        tiles = codes.reshape(tiles_m, tile_m, -1, tile_n).swapaxes(1, 2).reshape(tiles_m, -1, tile_m * tile_n)
        word = (tiles.astype(object) << 8 * np.arange(tile_m * tile_n).astype(object)).sum(axis=2)
    folds = word.reshape(tiles_m, -1, array.cols).swapaxes(0, 1).reshape(-1, array.cols)
    lines = (folds << array.result_bits * np.arange(array.cols).astype(object)).sum(axis=1)
    width = -(-array.cols * array.result_bits // 8)
    words = np.array([list(int(line).to_bytes(width, "little")) for line in lines], np.uint8)
    np.testing.assert_array_equal(streams.results(array, words, m, n), codes[:m, :n])


def places(array: SystolicArray) -> list[int]:
    return np.cumsum([0, *array.pe.outputs.values()])[:-1].tolist()


def test_ragged_blocks_are_filled_up() -> None:
    array = described("dot(mxfp4, mxfp4, lanes=4)", rows=1, cols=1)
    x = np.random.default_rng(0).standard_normal((1, 40))
    encoded = array.pe.weight.encode(x)
    assert isinstance(encoded, Encoded)
    whole = array.pe.weight.encode(np.pad(x, ((0, 0), (0, 24))))
    np.testing.assert_array_equal(
        streams.words(array, encoded, encoded)[:, 0], streams.words(array, whole, whole)[:, 0]
    )


def test_products_that_there_are_not() -> None:
    array = described("bit_serial(bipolar2, int2, lanes=4)")
    with pytest.raises(InputError, match="k = 3 is ragged, and bipolar2 has no zero to fill a tile up to 4"):
        streams.words(array, np.zeros((1, 3), np.uint64), np.zeros((1, 3), np.uint64))
    with pytest.raises(InputError, match=r"weights \(1, 3\) and activations \(1, 4\) must be \[n, k\] and \[m, k\]"):
        streams.words(array, np.zeros((1, 3), np.uint64), np.zeros((1, 4), np.uint64))


def test_parameters_that_do_not_fit() -> None:
    array, operand = described(output=INT8), np.zeros((2, 3), np.uint64)
    unit = array.vector_unit
    assert isinstance(unit, Requantizer)
    with pytest.raises(InputError, match=r"^parameters \{\} must be \['bias', .* for each of the 2 outputs"):
        streams.words(array, operand, operand)
    with pytest.raises(InputError, match=r"^parameters \{'bias': \(3,\), .* for each of the 2 outputs"):
        streams.words(array, operand, operand, unit.parameters(np.ones(3)))
    with pytest.raises(InputError, match="must be left out for each of the 2 outputs"):
        streams.words(described(), operand, operand, unit.parameters(np.ones(2)))
