"""Accumulators: what a PE's running sum can hold and what happens when a sum does not fit."""

from __future__ import annotations

import re
from dataclasses import dataclass

from hwexplore.errors import InputError
from hwexplore.formats import Format, Minifloat

__all__ = ["Accumulator"]

MAX_BITS = 1024


@dataclass(frozen=True)
class Accumulator:
    """The running sum of a PE.

    ``kind`` is ``wrap`` (fixed point, two's complement of ``size`` bits), ``saturate`` (the same, clipping after every
    addition), ``exact`` (fixed point, as wide as ``size`` products of the PE's operands can need, so that it never
    overflows; a Kulisch accumulator where the operands are floating point) or ``float`` (``format``, of ``size`` bits).
    A fixed-point accumulator counts in units of the product of the operands' smallest steps.
    """

    kind: str
    size: int
    format: Minifloat | None = None

    @classmethod
    def parse(cls, text: str) -> Accumulator:
        """``int32``, ``int32 sat``, ``exact(4096)``, ``fp16``, ``fp32`` or another floating-point format."""
        text = text.strip()
        if match := re.fullmatch(r"int(\d+)( sat)?", text):
            size = int(match[1])
            if not 2 <= size <= MAX_BITS:
                raise InputError(f"accumulator {text!r} has {size} bits; 2 to {MAX_BITS} are supported")
            return cls("saturate" if match[2] else "wrap", size)
        if match := re.fullmatch(r"exact\((\d+)\)", text):
            size = int(match[1])
            if not 1 <= size < 2**32:
                raise InputError(f"accumulator {text!r} sums {size} products; exact(n) takes n from 1 to 2^32 - 1")
            return cls("exact", size)
        try:
            format = Format.parse(text)
        except InputError:
            format = None
        if not isinstance(format, Minifloat) or not format.signed:
            raise InputError(
                f"unknown accumulator {text!r}; known: int32 and 'int32 sat' (any width), exact(4096) (any n), "
                "and floating-point formats, such as fp16 and fp32"
            )
        return cls("float", format.element_bits, format)

    def __str__(self) -> str:
        match self.kind:
            case "float":
                return str(self.format)
            case "exact":
                return f"exact({self.size})"
        return f"int{self.size}" + (" sat" if self.kind == "saturate" else "")

    def bits(self, largest_product: int) -> int:
        """Width in bits when one product is at most ``largest_product`` units in magnitude."""
        if self.kind != "exact":
            return self.size
        return (self.size * largest_product).bit_length() + 1

    def takes(self, terms: int) -> bool:
        """Whether it is meant for sums of so many products."""
        return self.kind != "exact" or terms <= self.size

    def check(self, terms: int) -> None:
        """InputError if it is not meant for sums of so many products."""
        if not self.takes(terms):
            raise InputError(f"accumulator {self} sums at most {self.size} products, but k = {terms}")

    def holds(self, terms: int, largest_product: int) -> bool:
        """Whether no sum of ``terms`` products can overflow or round, whatever the operands."""
        return self.kind != "float" and terms * largest_product >> (self.bits(largest_product) - 1) == 0
