"""The streams of systolic arrays: operands into words, and words into results."""

from __future__ import annotations

from collections.abc import Mapping
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.geometry import Geometry
from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format, Scaled
from hwexplore.pe.codes import Codes

__all__ = ["results", "words"]

Bits = NDArray[np.uint8]
"""Bits along the last axis, the lowest first."""


def words(
    array: Geometry,
    weights: Codes | Encoded,
    activations: Codes | Encoded,
    parameters: Mapping[str, Codes] | None = None,
) -> NDArray[np.uint8]:
    """What streams in for encoded weights [n, k] and activations [m, k]: bytes [words, bus_bits / 8], low first.

    ``parameters`` [n] are codes for the vector unit, as it makes them; arrays with one need them. Ragged tiles are
    filled up with zeros. InputError if the operands do not fit together, or there is no zero.
    """
    _check(array, weights, activations, parameters)
    pe, (n, k), m = array.pe, _codes_of(weights).shape, len(_codes_of(activations))
    tiles_m, tiles_n, tiles_k = array.sizes(m, n, k)
    w = pe.weight_beats(_padded(weights, pe.weight, tiles_n * pe.tile.n, tiles_k * pe.tile.k))
    a = pe.activation_beats(_padded(activations, pe.activation, tiles_m * pe.tile.m, tiles_k * pe.tile.k))
    # Bits [tile, tile of k, cycle, bit].
    stationary, moving = (
        _bits(codes, ports).reshape(tiles, tiles_k, pe.tile.cycles, -1)
        for codes, ports, tiles in ((w, array.weight_ports, tiles_n), (a, array.activation_ports, tiles_m))
    )
    of_columns = None
    if array.vector_unit is not None and parameters is not None:
        lanes = _filled(_bits(parameters, array.vector_unit.fields), 0, tiles_n * pe.tile.n)
        of_columns = lanes.reshape(tiles_n, -1)
    parts = []
    for step in array.steps(tiles_m, tiles_n, tiles_k):
        tiles_of_k = slice(step.k.start, step.k.stop)
        of_weights = stationary[step.n.start : step.n.stop, tiles_of_k]
        of_activations = moving[step.m.start : step.m.stop, tiles_of_k]
        if array.dataflow == "ws":
            # A beat has all of k, and the weights of the lowest row enter first.
            of_weights = _filled(of_weights, 1, array.rows)[:, ::-1]
            of_activations = of_activations.swapaxes(0, 1)
        beats = [_beats(_filled(of_weights, 0, array.cols)), _beats(_filled(of_activations, 0, array.rows))]
        parts += [np.concatenate(beats[::-1], axis=1)] if array.dataflow == "os" else beats
        if step.last and of_columns is not None:
            parts.append(_filled(of_columns[step.n.start : step.n.stop], 0, array.cols).reshape(1, -1))
    return np.concatenate([_in_words(part, array.bus_bits) for part in parts])


def results(array: Geometry, words: NDArray[np.uint8], m: int, n: int) -> Codes:
    """What streamed out, bytes [words, ceil(cols * result_bits / 8)], as codes [m, n].

    They are those of ``array.output``, or accumulator codes as `PE.golden` gives them.
    """
    tiles_m, tiles_n, _ = array.sizes(m, n, 1)
    bits = np.unpackbits(words, axis=1, bitorder="little")[:, : array.cols * array.result_bits]
    folds = bits.reshape(ceil(tiles_n / array.cols), tiles_m, array.cols, array.result_bits)
    of_tiles = folds.swapaxes(0, 1).reshape(tiles_m, -1, array.result_bits)[:, :tiles_n]
    rows, cols, *_ = array.pe.tile
    width = array.pe.accumulator_bits if array.output is None else array.output.element_bits
    codes = of_tiles[..., : rows * cols * width].reshape(tiles_m, tiles_n, rows, cols, width)
    if (beside := of_tiles[..., rows * cols * width :]).size:
        sums_of_row = beside.reshape(tiles_m, tiles_n, rows, 1, width)
        codes = np.concatenate([codes, np.broadcast_to(sums_of_row, codes.shape)], axis=-1)
    return _numbers(codes.swapaxes(1, 2).reshape(tiles_m * rows, tiles_n * cols, -1)[:m, :n])


def _check(
    array: Geometry,
    weights: Codes | Encoded,
    activations: Codes | Encoded,
    parameters: Mapping[str, Codes] | None,
) -> None:
    w, a = _codes_of(weights), _codes_of(activations)
    if w.ndim != 2 or a.ndim != 2 or w.shape[1] != a.shape[1]:
        raise InputError(f"weights {w.shape} and activations {a.shape} must be [n, k] and [m, k] with one k")
    needed = [] if array.vector_unit is None else list(array.vector_unit.fields)
    if list(parameters or {}) != needed or any(len(codes) != len(w) for codes in (parameters or {}).values()):
        shapes = {name: np.shape(codes) for name, codes in (parameters or {}).items()}
        raise InputError(f"parameters {shapes} must be {needed or 'left out'} for each of the {len(w)} outputs")


def _codes_of(operand: Codes | Encoded) -> Codes:
    return operand.codes if isinstance(operand, Encoded) else operand


def _padded(operand: Codes | Encoded, format: Format, rows: int, terms: int) -> Codes | Encoded:
    """``operand`` [..., k] with zeros behind its rows and terms; InputError if the format has no zero for terms."""
    codes = _codes_of(operand)
    element = format.element if isinstance(format, Scaled) else format
    zero = element.encode(0.0)
    if terms > codes.shape[1] and element.decode(zero) != 0:
        raise InputError(f"k = {codes.shape[1]} is ragged, and {format} has no zero to fill a tile up to {terms}")

    def filled(part: NDArray[Any], width: int, value: Any) -> NDArray[Any]:
        padding = (0, rows - len(part)), (0, max(width - part.shape[1], 0))
        return np.pad(part, padding, constant_values=value)

    if not isinstance(operand, Encoded):
        return filled(codes, terms, zero)
    assert isinstance(format, Scaled)
    blocks = ceil(terms / (format.block or terms))
    zero_points = None if operand.zero_points is None else filled(operand.zero_points, blocks, 0)
    return Encoded(filled(codes, terms, zero), filled(operand.scales, blocks, 1.0), operand.tensor_scale, zero_points)


def _bits(codes: Mapping[str, Codes], fields: Mapping[str, int]) -> Bits:
    """The bits [..., bit] of ``fields`` side by side, the first lowest."""
    return np.concatenate([_unpacked(codes[name], width) for name, width in fields.items()], axis=-1)


def _unpacked(codes: Codes, width: int) -> Bits:
    places = np.arange(width).astype(codes.dtype)
    return np.asarray(codes[..., np.newaxis] >> places & np.array(1, codes.dtype), np.uint8)


def _numbers(bits: Bits) -> Codes:
    dtype = np.uint64 if bits.shape[-1] <= 64 else object
    return np.asarray(bits.astype(dtype) @ (np.ones(1, dtype) << np.arange(bits.shape[-1]).astype(dtype)), dtype)


def _beats(operand: Bits) -> Bits:
    """Bits [lane, tile, cycle, bit] of lanes side by side: [beat, bit]."""
    lanes, tiles, cycles, bits = operand.shape
    return operand.transpose(1, 2, 0, 3).reshape(tiles * cycles, lanes * bits)


def _filled(array: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    """``array`` with zeros behind, ``size`` long along ``axis``."""
    padding = [(0, 0)] * array.ndim
    padding[axis] = (0, size - array.shape[axis])
    return np.pad(array, padding)


def _in_words(beats: Bits, bus_bits: int) -> NDArray[np.uint8]:
    """Each of ``beats`` [beat, bit] in whole words of the bus: bytes [word, byte]."""
    words = _filled(beats, 1, ceil(beats.shape[1] / bus_bits) * bus_bits).reshape(-1, bus_bits)
    return np.packbits(words, axis=1, bitorder="little")
