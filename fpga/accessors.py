"""Registers by name: what a driver reads and writes through.

Nothing here but the standard library and our error: it goes onto the board.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from hwexplore.errors import InputError, unknown
from hwexplore.fpga.registers import Register, from_json

__all__ = ["Accessors"]

IDENTITY = ("id", "version", "build")
"""What has to be right before anything else means something, in this order."""


class Accessors:
    """The registers of a core from its ``table``, `hwexplore.fpga.build.Build.table`.

    ``read`` gives the word of 32 bits at a byte offset, ``write`` sets it; the words of a wide register are read one
    after the other.
    """

    def __init__(
        self, table: Mapping[str, Any], read: Callable[[int], int], write: Callable[[int, int], object]
    ) -> None:
        self.registers = {register.name: register for register in from_json(table["registers"])}
        self._read, self._write = read, write

    def get(self, name: str) -> int:
        """The value of a register."""
        return sum(self._read(4 * word) << 32 * number for number, word in enumerate(self._register(name).words))

    def set(self, name: str, value: int) -> None:
        """Give a setting a value; InputError if it is none, or the value does not fit."""
        register = self._register(name)
        if register.access != "setting":
            raise InputError(f"register {name!r} is a {register.access}; settings can be written")
        if not 0 <= value < 1 << register.bits:
            raise InputError(f"{name} = {value} must be from 0 to {(1 << register.bits) - 1}")
        self._write(register.offset, value)

    def pulse(self, name: str, field: str) -> None:
        """Have a field of a pulse register act."""
        self._write(self._register(name).offset, 1 << self._place(name, field))

    def fields(self, name: str) -> dict[str, int]:
        """The values of a register's fields."""
        register, value = self._register(name), self.get(name)
        return {field.name: value >> register.places[field.name] & (1 << field.bits) - 1 for field in register.fields}

    def text(self, name: str) -> str:
        """What a register says in ASCII."""
        return self.get(name).to_bytes(self._register(name).bits // 8, "little").rstrip(b"\0").decode("ascii")

    def check(self) -> None:
        """InputError unless the core is the one of the table."""
        for name in IDENTITY:
            found, expected = self.get(name), self._register(name).reset
            if found != expected:
                raise InputError(
                    f"{name} of the core is {found:#x} and its table says {expected:#x}; "
                    "load the bitstream and the table of the same build"
                )

    def _register(self, name: str) -> Register:
        if name not in self.registers:
            raise unknown("register", name, self.registers)
        return self.registers[name]

    def _place(self, name: str, field: str) -> int:
        places = self._register(name).places
        if field not in places:
            raise unknown(f"field of {name}", field, places)
        return places[field]
