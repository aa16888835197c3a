"""Vector units: what becomes of sums behind an array of PEs, before they leave as numbers of an output format."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Format, Integer, Minifloat
from hwexplore.pe.arithmetic import rounded_sum, signed, wrap
from hwexplore.pe.codes import Codes

if TYPE_CHECKING:
    from hwexplore.pe.base import PE

__all__ = ["MULTIPLIER_BITS", "SHIFT_BITS", "Requantizer", "Rescaler", "VectorUnit"]

MULTIPLIER_BITS = 16
SHIFT_BITS = 6


@dataclass(frozen=True, kw_only=True)
class VectorUnit(ABC):
    """What turns accumulator codes of ``pe`` into codes of the ``output`` format, with parameters per output column.

    PEs of family ``lut`` that also sum activations hand over twice their sums, q'a + c a: parameters count in halves.
    """

    pe: PE
    output: Format

    @staticmethod
    def of(pe: PE, output: Format) -> VectorUnit:
        """The unit for the accumulator of ``pe``; InputError if there is none that gives ``output``."""
        if pe.accumulator.format is None:
            return Requantizer(pe=pe, output=cast(Integer, output))
        return Rescaler(pe=pe, output=cast(Minifloat, output))

    @property
    def stages(self) -> int:
        """Clock edges from sums to outputs."""
        return 2

    @property
    def factors(self) -> tuple[int, ...]:
        """What a sum counts, and the sum of activations beside it if the PE has one."""
        offset = getattr(self.pe, "offset", None)
        return (1,) if offset is None else (1, offset)

    @property
    @abstractmethod
    def fields(self) -> dict[str, int]:
        """Bits of the parameters of a column, the lowest first."""

    @abstractmethod
    def golden(self, sums: Codes, parameters: Mapping[str, Codes]) -> Codes:
        """Output codes [m, n] of accumulator codes [m, n], as `PE.golden` gives them; ``parameters`` are codes [n]."""

    def _parts(self, codes: Codes) -> list[Codes]:
        """The codes of the sums, and of the sums of activations above them if there are any."""
        bits = self.pe.accumulator_bits
        return [(codes >> bits * part) & (1 << bits) - 1 for part in range(len(self.factors))]


@dataclass(frozen=True, kw_only=True)
class Requantizer(VectorUnit):
    """For fixed-point sums: ``clamp(round((sum + bias) * multiplier / 2**shift) + zero_point)``, ties to even.

    All steps are exact but the rounding. ``bias`` is a number like the sums, ``multiplier`` unsigned; ``low`` and
    ``high``, between which it clamps, and ``zero_point`` are numbers of ``output``, an integer format.

    Source: Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only
    Inference", CVPR 2018, equation 5.
    """

    output: Integer

    def __post_init__(self) -> None:
        format = self.output
        if not isinstance(format, Integer) or format.coding not in ("twos_complement", "unsigned"):
            raise InputError(f"output {format}: sums in {self.pe.accumulator} are requantized to intN or uintN")

    @property
    def fields(self) -> dict[str, int]:
        bits = self.output.element_bits
        return {
            "bias": self.pe.accumulator_bits,
            "multiplier": MULTIPLIER_BITS,
            "shift": SHIFT_BITS,
            "zero_point": bits,
            "low": bits,
            "high": bits,
        }

    def parameters(
        self,
        scale: ArrayLike,
        *,
        bias: ArrayLike = 0,
        zero_point: ArrayLike = 0,
        low: ArrayLike | None = None,
        high: ArrayLike | None = None,
    ) -> dict[str, Codes]:
        """Codes [n] for outputs of about ``(sum + bias) * scale + zero_point``; the others are integers, or None.

        ``scale`` [n] is rounded to 16 significant bits. InputError if it is not from 2^-48 to 2^16 - 1, or if another
        one does not fit its field.
        """
        scale = np.asarray(scale, float)
        if scale.ndim != 1 or not np.all((scale >= 2.0**-48) & (scale <= 2.0**16 - 1)):
            raise InputError(f"scale = {scale} must be a vector of numbers from 2^-48 to 2^16 - 1, one per column")
        shift = MULTIPLIER_BITS - np.frexp(scale)[1]
        multiplier = np.rint(np.ldexp(scale, shift))
        over = multiplier == 1 << MULTIPLIER_BITS
        shift, multiplier = shift - over, np.where(over, multiplier / 2, multiplier)
        numbers = {
            "bias": bias,
            "multiplier": multiplier,
            "shift": shift,
            "zero_point": zero_point,
            "low": self.output.min_value if low is None else low,
            "high": self.output.max_value if high is None else high,
        }
        return {name: self._code(name, np.broadcast_to(numbers[name], scale.shape)) for name in self.fields}

    def _code(self, name: str, numbers: NDArray[np.float64]) -> Codes:
        codes = wrap(numbers.astype(np.int64), self.fields[name])
        wrong = numbers[self._number(name, codes) != numbers]
        if wrong.size:
            raise InputError(f"{name} = {wrong[0]} must be an integer that its {self.fields[name]} bits hold")
        return codes

    def golden(self, sums: Codes, parameters: Mapping[str, Codes]) -> Codes:
        number = {name: self._number(name, codes) for name, codes in parameters.items()}
        total = number["bias"]
        for part, factor in zip(self._parts(sums), self.factors, strict=True):
            total = total + signed(part, self.pe.accumulator_bits).astype(object) * factor
        twice = (total * number["multiplier"] << 1) >> number["shift"]
        lost = (total * number["multiplier"] << 1) != twice << number["shift"]
        up = twice & 1 & (lost | twice >> 1)
        shifted = (twice >> 1) + up + number["zero_point"]
        return wrap(np.clip(shifted, number["low"], number["high"]), self.output.element_bits)

    def _number(self, name: str, codes: Codes) -> NDArray[np.object_]:
        is_signed = name == "bias" or (name in ("zero_point", "low", "high") and self.output.signed)
        return np.asarray((signed(codes, self.fields[name]) if is_signed else codes).astype(object))


@dataclass(frozen=True, kw_only=True)
class Rescaler(VectorUnit):
    """For floating-point sums: ``clamp(sum * scale + bias)``, rounded to nearest even.

    ``scale`` and ``bias`` are numbers of the accumulator's format, and the product is exact: it is rounded to that
    format as the bias is added, and then to ``output``, between whose numbers ``low`` and ``high`` it is clamped; NaN
    passes. A sum of activations is added to the sum beside it before, with a rounding of its own.
    """

    output: Minifloat

    def __post_init__(self) -> None:
        format = self.output
        if not isinstance(format, Minifloat) or not format.signed or format.rounding != "nearest_even":
            raise InputError(f"output {format}: sums in {self.pe.accumulator} are rounded to a signed floating point")
        if self.accumulator.has_nan and not format.has_nan:
            raise InputError(f"output {format} has no NaN for those of {self.pe.accumulator}; fp16 and e4m3 have")

    @property
    def accumulator(self) -> Minifloat:
        """The format of the sums."""
        assert self.pe.accumulator.format is not None
        return self.pe.accumulator.format

    @property
    def fields(self) -> dict[str, int]:
        wide, narrow = self.accumulator.element_bits, self.output.element_bits
        return {"scale": wide, "bias": wide, "low": narrow, "high": narrow}

    def parameters(
        self,
        scale: ArrayLike,
        *,
        bias: ArrayLike = 0.0,
        low: ArrayLike | None = None,
        high: ArrayLike | None = None,
    ) -> dict[str, Codes]:
        """Codes [n] of these numbers, ``scale`` [n]; by default, clamps to what ``output`` holds."""
        scale = np.asarray(scale, float)
        numbers = {
            "scale": (self.accumulator, scale),
            "bias": (self.accumulator, bias),
            "low": (self.output, -self._largest if low is None else low),
            "high": (self.output, self._largest if high is None else high),
        }
        return {
            name: np.asarray(format.encode(np.broadcast_to(np.asarray(number, float), scale.shape)))
            for name, (format, number) in numbers.items()
        }

    @property
    def _largest(self) -> float:
        return np.inf if self.output.has_inf else self.output.max

    def golden(self, sums: Codes, parameters: Mapping[str, Codes]) -> Codes:
        wide, narrow = self.accumulator, self.output
        scale, bias = (wide.decode(parameters[name]) for name in ("scale", "bias"))
        total, *others = (
            wide.decode(part) * factor for part, factor in zip(self._parts(sums), self.factors, strict=True)
        )
        with np.errstate(invalid="ignore"):
            for other in others:
                total = rounded_sum(total, other, wide)
            exact = rounded_sum(np.zeros(1), rounded_sum(bias, total * scale, wide), narrow)
            low, high = (narrow.decode(parameters[name]) for name in ("low", "high"))
            clamped = np.where(exact < low, low, np.where(exact > high, high, exact))
        return np.asarray(narrow.encode(np.where(np.isnan(clamped), np.nan, clamped)))
