"""Family ``lut``: dot products looked up in tables of sums of activations."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format, Integer, Minifloat
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.arguments import Arguments
from hwexplore.pe.arithmetic import signed
from hwexplore.pe.base import PE, Tile
from hwexplore.pe.codes import Codes, matrices, pack, plain
from hwexplore.pe.lut_arithmetic import fixed_sums, floating_sums, folded_planes, grouped
from hwexplore.pe.lut_circuit import lut_bill
from hwexplore.pe.operand import Operand
from hwexplore.technology import Bill

__all__ = ["Lut"]


@dataclass(frozen=True, kw_only=True)
class Lut(PE):
    """A LUT tensor core: ``m`` x ``n`` sums, to each of which a tile adds ``k`` products, by bit planes of the weights.

    A weight q of b bits is read as the odd number q' = sum over its planes p of +-2^p: 2q + 1 if it is signed,
    2q - (2^b - 1) if it is unsigned, q itself if it is bipolar. What a plane adds is a sum of the k activations with
    signs; those in which the last sign is + are the 2^(k-1) entries of a table, the others are their negatives. A tile
    begins with the tables of m groups of activations; each of its cycles looks up ``bits`` planes, lowest first, for
    all m x n sums. Weights are folded offline: where the last weight's bit is 0, the others of the plane are inverted.

    So the sums are those of q'a. With integer weights the unit also sums the activations, m numbers, for the sums that
    were asked for: (q'a - a) / 2 if the weights are signed, (q'a + (2^b - 1) a) / 2 if they are unsigned. That is left
    to where scales are applied. An accumulator code then holds both sums, that of a above that of q'a.

    ``table`` is the format of the entries:

    - None: exact, in fixed point; for integer activations
    - a floating-point format, for floating-point activations: the exact sum, rounded once to nearest even
    - an integer format: round(entry / 2^e) in a symmetric range, -127 to 127 for int8, ties to even. Each table has the
      smallest e >= 0 with which no entry exceeds the range, counting in the activations' smallest steps. If a
      floating-point activation is infinite or NaN, all entries are NaN.

    For integer activations the accumulator is fixed point; for floating-point ones it rounds each addition, of one
    plane's entry or of a tile's activations, once to nearest even.

    Of ``stages`` pipeline stages the last adds to the accumulators; the one before it looks up, if there are three; the
    others make the tables.

    Source: LUT Tensor Core, ISCA 2025, arXiv 2408.06003.
    """

    family: ClassVar[str] = "lut"
    options: ClassVar[tuple[str, ...]] = ("m", "n", "k", "bits", "table", "acc", "stages")

    weight_port: Operand
    activation_port: Operand
    m: int = 2
    n: int = 64
    k: int = 4
    bits: int = 1
    table: Integer | Minifloat | None
    accumulator: Accumulator
    stages: int = 2

    @classmethod
    def from_arguments(cls, arguments: Arguments) -> Lut:
        weight, activation = (Operand.parse(name, arguments.text) for name in arguments.operands)
        table = arguments.options.get("table", "fp16" if activation.is_float else None)
        return cls(
            weight_port=weight,
            activation_port=activation,
            m=arguments.whole("m", 2, 1, MAX_SIDE),
            n=arguments.whole("n", 64, 1, MAX_SIDE),
            k=arguments.whole("k", 4, 2, MAX_K),
            bits=arguments.whole("bits", 1, 1, MAX_PLANES),
            table=None if table is None else _table_format(table),
            accumulator=Accumulator.parse(arguments.options.get("acc", "fp32" if activation.is_float else "int32")),
            stages=arguments.whole("stages", 2, 2, MAX_STAGES),
        )

    def __post_init__(self) -> None:
        weight, activation = self.weight_port.format, self.activation_port.format
        if not isinstance(weight, Integer) or weight.coding not in CODINGS or weight.width > MAX_PLANES:
            raise InputError(
                f"weight {weight} is not made of 1 to {MAX_PLANES} bit planes; lut takes int1 to int{MAX_PLANES}, "
                f"uint1 to uint{MAX_PLANES} and bipolar1 to bipolar{MAX_PLANES}"
            )
        if weight.width % self.bits:
            raise InputError(f"bits = {self.bits} does not divide the {weight.width} bits of weight {weight}")
        if self.sum_bits > MAX_SUM_BITS:
            raise InputError(
                f"activation {activation} takes {self.sum_bits} bits to add {self.k} numbers exactly; "
                f"the tables of lut are summed in up to {MAX_SUM_BITS}, enough for fp16, FP8 and integers"
            )
        if self.accumulator.format is None:
            self._check_fixed()
        else:
            self._check_floating(self.accumulator.format)

    def _check_fixed(self) -> None:
        if self.activation_port.is_float or self.accumulator.kind == "saturate":
            raise InputError(
                f"accumulator {self.accumulator} does not go with activation {self.activation}: lut sums integers in "
                "int32 (any width, wrapping) or exact(n), floating point in floating point, such as fp32"
            )
        if isinstance(self.table, Minifloat):
            raise InputError(f"table {self.table}: integer activations take int4 to int12, or no table for exact sums")
        is_exact = self.accumulator.kind == "exact"
        if self.accumulator.size < self.k if is_exact else not self.accumulator.holds(self.k, self.largest_product):
            needed = Accumulator("exact", self.k).bits(self.largest_product)
            raise InputError(
                f"accumulator {self.accumulator} is too narrow for the {self.k} products of {self.weight} x "
                f"{self.activation} that a tile adds; it takes int{needed} or exact({self.k})"
            )

    def _check_floating(self, accumulator: Minifloat) -> None:
        activation = self.activation_port.format
        if isinstance(activation, Integer):
            raise InputError(
                f"accumulator {accumulator}: lut sums integer activations in int32 (any width) or exact(n)"
            )
        if self.table is None:
            raise InputError(f"activation {activation} takes a table of a format, such as fp16 or int8")
        for source, target in ((activation, self.table), (self.table, accumulator), (activation, accumulator)):
            if source.has_nan and isinstance(target, Minifloat) and not target.has_nan:
                raise InputError(f"{target} has no NaN for those of {source}; it takes a format with NaN, such as fp16")

    def __str__(self) -> str:
        size = f"m={self.m}, n={self.n}, k={self.k}"
        bits = f", bits={self.bits}" if self.bits > 1 else ""
        table = "" if self.table is None else f", table={self.table}"
        stages = f", stages={self.stages}" if self.stages > 2 else ""
        return f"lut({self.weight}, {self.activation}, {size}{bits}{table}, acc={self.accumulator}{stages})"

    @property
    def planes(self) -> int:
        """Bit planes of the weights."""
        return self.weight.element_bits

    @property
    def tile(self) -> Tile:
        return Tile(self.m, self.n, self.k, self.planes // self.bits)

    @property
    def latency_cycles(self) -> int:
        return self.stages

    @property
    def table_stages(self) -> int:
        """Pipeline stages that make the tables."""
        return max(self.stages - 2, 1)

    @property
    def lookup_stages(self) -> int:
        """Pipeline stages of the lookup alone: 0 if it shares that of the accumulators."""
        return self.stages - 1 - self.table_stages

    @property
    def entries(self) -> int:
        """Entries of a table."""
        return 1 << self.k - 1

    @property
    def entry_bits(self) -> int:
        """Bits of an entry."""
        return self.sum_bits if self.table is None else self.table.element_bits

    @cached_property
    def sum_bits(self) -> int:
        """Bits of an exact entry, in two's complement."""
        format, largest = self.activation_port.format, self.activation_port.largest
        least, most = -largest if format.signed else 0, largest
        if isinstance(format, Integer):
            least, most = format.min_value, format.max_value
        others = (self.k - 1) * largest
        return max((others - least - 1).bit_length(), (others + most).bit_length()) + 1

    @cached_property
    def max_scale(self) -> int:
        """The largest e of a table, 0 if its entries have no scale."""
        if not isinstance(self.table, Integer):
            return 0
        return ((self.k * self.activation_port.largest - 1) // self.table.max_value).bit_length()

    @cached_property
    def largest_product(self) -> int:
        """The largest magnitude that one product adds to a sum of q'a, in steps of the activation."""
        entry = self.k * self.activation_port.largest
        if self.max_scale:
            entry = round(entry / 2**self.max_scale) << self.max_scale
        return ((1 << self.planes) - 1) * -(-entry // self.k)

    @property
    def accumulator_bits(self) -> int:
        return self.accumulator.bits(self.largest_product)

    @property
    def offset(self) -> int | None:
        """The number c in q = (q' + c) / 2; None for bipolar weights, whose q is q'."""
        format = self.weight_port.format
        if not isinstance(format, Integer) or format.coding == "bipolar":
            return None
        return -1 if format.signed else (1 << self.planes) - 1

    def odd(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """The odd numbers q' that ``weights`` are read as."""
        return weights if self.offset is None else 2 * weights - self.offset

    def is_exact(self, weight: Format, activation: Format, terms: int) -> bool:
        if self.accumulator.kind == "float" or not isinstance(weight, Integer):
            return False
        steps = self.activation_port.steps(activation)
        if isinstance(self.table, Integer) and self.k * steps > self.table.max_value:
            return False
        largest = abs(self.odd(np.array([weight.min_value, weight.max_value], float))).max()
        return terms * int(largest) * steps >> (self.accumulator_bits - 1) == 0

    def golden(self, weights: Codes | Encoded, activations: Codes | Encoded) -> Codes:
        weights, activations = matrices(weights, activations)
        terms = weights.shape[1]
        self.accumulator.check(terms)
        if self.accumulator.format is None:
            sums, activation_sums = fixed_sums(self, weights, activations)
        else:
            sums, activation_sums = floating_sums(self, weights, activations, self.accumulator.format)
        if self.offset is None:
            return sums
        return pack(np.stack(np.broadcast_arrays(sums, activation_sums), axis=-1), self.accumulator_bits)

    @property
    def ports(self) -> dict[str, int]:
        return {"weight": self.n * self.bits * self.k, "activation": self.m * self.k * self.activation.element_bits}

    @property
    def meanings(self) -> dict[str, str]:
        sums = f"{self.m} sums of activations, {self.accumulator}"
        return {
            **super().meanings,
            "weight": f"{self.n} x {self.bits} bit planes of {self.k} {self.weight}, folded",
            "activation": f"{self.m} x {self.k} {self.activation}, in the first cycle of a tile",
            "activation_sum": f"{sums}, lowest first",
        }

    def weight_beats(self, weights: Codes | Encoded) -> dict[str, Codes]:
        """Folded bits: of each row, of each plane of the cycle, of each weight; the last one says whether to add."""
        folded = folded_planes(self, plain(weights))
        beats = folded.reshape(len(folded), -1, self.bits * self.k)
        return {"weight": pack(_side_by_side(beats, self.n), 1)}

    def activation_beats(self, activations: Codes | Encoded) -> dict[str, Codes]:
        groups = _side_by_side(grouped(plain(activations), self.k), self.m)
        first = pack(groups, self.activation.element_bits)[..., np.newaxis]
        beats = np.pad(first, ((0, 0), (0, 0), (0, self.tile.cycles - 1)))
        return {"activation": beats.reshape(len(beats), -1)}

    @property
    def outputs(self) -> dict[str, int]:
        sums = {} if self.offset is None else {"activation_sum": self.m * self.accumulator_bits}
        return {**super().outputs, **sums}

    def shown(self, codes: Codes) -> dict[str, Codes]:
        sums, activation_sums = self._split(codes)
        shown = super().shown(sums)
        if self.offset is not None:
            of_tiles = activation_sums[:, :: self.n, np.newaxis]
            shown["activation_sum"] = pack(_side_by_side(of_tiles, self.m), self.accumulator_bits)
        return shown

    def _split(self, codes: Codes) -> tuple[Codes, Codes]:
        """The codes of the sums of q'a, and those above them."""
        bits = self.accumulator_bits
        dtype = np.uint64 if bits <= 64 else object
        return (codes & (1 << bits) - 1).astype(dtype), (codes >> bits).astype(dtype)

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        format, bits = self.accumulator.format, self.accumulator_bits
        sums, activation_sums = (
            signed(part, bits).astype(float) if format is None else format.decode(part) for part in self._split(codes)
        )
        if self.offset is None:
            return sums
        with np.errstate(invalid="ignore"):
            return np.asarray((sums + self.offset * activation_sums) / 2)

    def bill(self, operands: str) -> Bill:
        return lut_bill(self, operands)


def _side_by_side(rows: NDArray[Any], at_a_time: int) -> NDArray[Any]:
    """Words [row, beat, word] of ``at_a_time`` rows in one beat: [row / at_a_time, beat, word of all of them]."""
    _, beats, words = rows.shape
    return rows.reshape(-1, at_a_time, beats, words).swapaxes(1, 2).reshape(-1, beats, at_a_time * words)


def _table_format(text: str) -> Integer | Minifloat:
    format = Format.parse(text)
    if isinstance(format, Integer) and format.coding == "twos_complement" and 4 <= format.width <= 12:
        return format
    if isinstance(format, Minifloat) and format.signed and format.rounding == "nearest_even":
        return format
    raise InputError(f"table = {text} must be int4 to int12, or a signed floating-point format such as fp16")


CODINGS = ("twos_complement", "unsigned", "bipolar")
MAX_PLANES = 6
MAX_SIDE = 256
MAX_K = 5
MAX_STAGES = 8
MAX_SUM_BITS = 48
"""Exact entries stay well within float64's 53 bits."""
