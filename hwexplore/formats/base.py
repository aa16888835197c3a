"""What every number format can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import fields, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError, unknown

if TYPE_CHECKING:
    from typing import Self

__all__ = ["Format", "Rounding", "Scalar", "as_float", "round_to_integer"]

Rounding = Literal["nearest_even", "toward_zero", "stochastic"]

_TABLE_BITS = 16


class Format(ABC):
    """A number format: which values exist, and which bits stand for them.

    Formats are immutable values: they compare, hash, and go to text and back (``Format.parse(str(f)) == f``).
    """

    rounding: Rounding
    """``nearest_even``, ``toward_zero`` or ``stochastic`` (unbiased; takes ``rng``)."""

    block: int | None
    """How many consecutive elements of the last axis share a scale; None: no scale, or one for the whole axis."""

    element: Scalar
    """The format of one element: the format itself if it has no scales."""

    @staticmethod
    def parse(text: str) -> Format:
        """The format of that name; `hwexplore.formats.notation` has the grammar.

        Raises InputError for a name that is neither in the catalogue nor in the grammar.
        """
        from hwexplore.formats.notation import parse

        return parse(text)

    @staticmethod
    def from_dict(description: dict[str, Any]) -> Format:
        """The inverse of `to_dict`; raises InputError for unknown, missing or malformed fields."""
        from hwexplore.formats.notation import from_dict

        return from_dict(description)

    def to_dict(self) -> dict[str, Any]:
        """The defining fields as a plain dict that TOML and JSON can hold: formats as text, None left out."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        plain = {name: str(v) if isinstance(v, Format) else v for name, v in values.items() if v is not None}
        return {"kind": type(self).__name__.lower(), **plain}

    def __str__(self) -> str:
        from hwexplore.formats.notation import name

        return name(self)

    @property
    @abstractmethod
    def element_bits(self) -> int:
        """Bits of one element's code."""

    @property
    def bits(self) -> float:
        """Ideal stored bits per element: scales and zero points included, no padding.

        Scales of a whole row or tensor are amortised to nothing.
        """
        return self.packed_bits(container=None)

    @abstractmethod
    def packed_bits(self, container: int | None = 32) -> float:
        """Bits per element as stored in words of ``container`` bits, scales and zero points included.

        An element does not straddle a word: 10 three-bit elements fill 32 bits, 3.2 bits each. An element wider
        than the word takes several. Ternary elements go 5 to a byte. None: elements straddle, no bit is lost.
        """

    @abstractmethod
    def with_(self, *, rounding: Rounding) -> Self:
        """The same format with another rounding."""

    @abstractmethod
    def quantize(self, x: ArrayLike, rng: np.random.Generator | None = None) -> NDArray[Any]:
        """``x`` rounded to values of the format: same shape; float32 stays float32, all else becomes float64.

        ``rng`` draws the stochastic rounding and is not used otherwise.
        """

    @abstractmethod
    def encode(self, x: ArrayLike, rng: np.random.Generator | None = None) -> Any:
        """The bit patterns of ``quantize(x, rng)``."""

    @abstractmethod
    def decode(self, codes: Any) -> NDArray[Any]:
        """The values of the bit patterns: ``decode(encode(x))`` equals ``quantize(x)`` bit for bit."""

    @abstractmethod
    def values(self) -> NDArray[np.float64]:
        """The value of every code, in code order, [2**element_bits]; InputError beyond 16 bits or with scales."""


class Scalar(Format):
    """A format whose elements stand alone."""

    block = None

    @property
    def element(self) -> Self:  # type: ignore[override]
        return self

    @property
    @abstractmethod
    def max(self) -> float:
        """The largest finite value."""

    @property
    @abstractmethod
    def signed(self) -> bool:
        """Whether there are negative values."""

    @property
    @abstractmethod
    def has_nan(self) -> bool:
        """Whether there is a code for NaN; without one, NaN in the input is an InputError."""

    @property
    def packing(self) -> tuple[int, int]:
        """(bits, elements) of the smallest unit that is stored whole."""
        return self.element_bits, 1

    def packed_bits(self, container: int | None = 32) -> float:
        bits, elements = self.packing
        if container is None:
            return bits / elements
        if container < 1:
            raise InputError(f"container is {container!r}; it must be a positive number of bits, or None")
        if bits > container:
            return -(-bits // container) * container / elements
        return container / (container // bits * elements)

    def with_(self, *, rounding: Rounding) -> Self:
        return replace(self, rounding=rounding)  # type: ignore[type-var]

    @abstractmethod
    def encode(self, x: ArrayLike, rng: np.random.Generator | None = None) -> NDArray[Any]:
        """The bit patterns of ``quantize(x, rng)``: the smallest of uint8, uint16, uint32, uint64; same shape."""

    def decode(self, codes: ArrayLike) -> NDArray[np.float64]:
        """The value of each bit pattern, float64, same shape.

        Raises InputError for codes that are not integers of ``element_bits`` bits.
        """
        codes = np.asarray(codes)
        if codes.dtype.kind not in "ui":
            raise InputError(f"codes of {self} have dtype {codes.dtype}; they must be integers")
        if codes.size and (codes.min() < 0 or int(codes.max()) >> self.element_bits):
            raise InputError(
                f"codes of {self} range from {codes.min()} to {codes.max()}; they have {self.element_bits} bits"
            )
        return _table(self)[codes] if self.element_bits <= _TABLE_BITS else self._value(codes.astype(np.uint64))

    def values(self) -> NDArray[np.float64]:
        if self.element_bits > _TABLE_BITS:
            raise InputError(f"values of {self}: {self.element_bits} bits are too many to list; at most {_TABLE_BITS}")
        return self._value(np.arange(1 << self.element_bits, dtype=np.uint64))

    @abstractmethod
    def _value(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]: ...

    @property
    def _code_dtype(self) -> np.dtype[Any]:
        return np.min_scalar_type((1 << self.element_bits) - 1)

    def _check_rounding(self) -> None:
        if self.rounding not in get_args(Rounding):
            raise unknown("rounding", self.rounding, get_args(Rounding))


@lru_cache(maxsize=256)
def _table(format: Scalar) -> NDArray[np.float64]:
    return format.values()


def as_float(x: ArrayLike) -> NDArray[Any]:
    """``x`` as an array of float32 if it is one, of float64 otherwise; InputError if it holds no real numbers."""
    array = np.asarray(x)
    if array.dtype == np.float32:
        return array
    if array.dtype.kind in "cSUMm":
        raise InputError(f"x has dtype {array.dtype}; it must hold real numbers")
    try:
        return array.astype(np.float64, copy=False)
    except (TypeError, ValueError) as error:
        raise InputError(f"x has dtype {array.dtype}; it must hold real numbers") from error


def round_to_integer(x: NDArray[Any], rounding: Rounding, rng: np.random.Generator | None) -> None:
    """Round ``x`` (float32 or float64) to integers, in place."""
    if rounding == "nearest_even":
        np.rint(x, out=x)
    elif rounding == "toward_zero":
        np.trunc(x, out=x)
    elif rng is None:
        raise InputError("rng is None; stochastic rounding takes a numpy.random.Generator")
    else:
        floor = np.floor(x)
        up = rng.random(x.shape, dtype=x.dtype.type) < x - floor
        np.add(floor, up, out=x)
