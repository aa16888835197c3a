"""The text of a PE, taken apart."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from hwexplore.errors import InputError, unknown

__all__ = ["Arguments"]


@dataclass(frozen=True)
class Arguments:
    """``family(weight, activation, option=value)``: its family, its two operands, its options, as texts."""

    text: str
    family: str
    operands: tuple[str, str]
    options: Mapping[str, str]

    @classmethod
    def parse(cls, text: str, known: Mapping[str, Collection[str]]) -> Arguments:
        """Take ``text`` apart; ``known`` has the options of each family. InputError if it is malformed."""
        match = re.fullmatch(r"\s*(\w+)\s*\((.*)\)\s*", str(text))
        if not match:
            raise InputError(f"PE {text!r} is not of the form family(weight, activation, option=value)")
        family, arguments = match.groups()
        if family not in known:
            raise unknown("PE family", family, known)
        operands: list[str] = []
        options: dict[str, str] = {}
        for argument in re.split(r",\s*(?![^(]*\))", arguments):
            name, separator, value = (part.strip() for part in argument.partition("="))
            if not separator:
                operands.append(name)
            elif name not in known[family]:
                raise unknown(f"option of {family}", name, known[family])
            elif name in options:
                raise InputError(f"PE {text!r} gives {name} twice")
            else:
                options[name] = value
        if len(operands) != 2:
            raise InputError(
                f"PE {text!r} needs two operand formats, weight and activation, as in {family}(int8, int8)"
            )
        return cls(str(text), family, (operands[0], operands[1]), options)

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        """The option ``name``, a whole number from ``low`` to ``high``."""
        value = self.options.get(name, str(default))
        if not value.isdecimal() or not low <= int(value) <= high:
            raise InputError(f"PE {self.text!r}: {name} = {value} must be a whole number from {low} to {high}")
        return int(value)
