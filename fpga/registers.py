"""The registers of a core: one table, from which its register file, its driver, `.hwh` and documents are made.

Nothing here but the standard library and our error: the table goes onto the board.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from itertools import accumulate
from typing import Any
from xml.etree import ElementTree

from hwexplore.errors import InputError

__all__ = [
    "ADDRESS_BITS",
    "MAGIC",
    "REGISTERS",
    "TEXT_BYTES",
    "VERSION",
    "Field",
    "Register",
    "as_json",
    "from_json",
    "hwh",
    "markdown",
    "text_number",
    "with_resets",
]

ADDRESS_BITS = 12
"""Of the core: the 4 KiB that Vivado assigns at least."""
MAGIC = int.from_bytes(b"hwxG", "big")
VERSION = 1
"""Of the registers and of what the core does with its packets: raised by every change that a driver has to know of."""
TEXT_BYTES = 128
ACCESS = {
    "constant": "read-only",
    "status": "read-only",
    "setting": "read-write",
    "pulse": "read-write",
}
"""What Vivado calls the kinds of access.

A constant is its ``reset`` value, a status comes from the core, a setting from the driver; a pulse acts when 1 is
written and reads as 0.
"""


@dataclass(frozen=True, kw_only=True)
class Field:
    """Bits of a register, from the lowest that the fields before it leave."""

    name: str
    bits: int = 1
    meaning: str


@dataclass(frozen=True, kw_only=True)
class Register:
    """A register at byte ``offset``: as many words of 32 bits as it has ``bits`` for, the lowest first."""

    name: str
    offset: int
    bits: int = 32
    access: str
    reset: int = 0
    meaning: str
    fields: tuple[Field, ...] = ()

    @property
    def words(self) -> range:
        """Numbers of the words that it takes."""
        return range(self.offset // 4, self.offset // 4 + (self.bits + 31) // 32)

    @property
    def places(self) -> dict[str, int]:
        """The lowest bit of each field."""
        ends = list(accumulate((field.bits for field in self.fields), initial=0))
        return {field.name: lowest for field, lowest in zip(self.fields, ends, strict=False)}


def _constant(name: str, offset: int, meaning: str, bits: int = 32) -> Register:
    return Register(name=name, offset=offset, bits=bits, access="constant", meaning=meaning)


def _size(name: str, offset: int, meaning: str) -> Register:
    return Register(name=name, offset=offset, bits=16, access="setting", meaning=meaning)


def _status(name: str, offset: int, bits: int, meaning: str) -> Register:
    return Register(name=name, offset=offset, bits=bits, access="status", meaning=meaning)


REGISTERS = (
    replace(_constant("id", 0x000, "says that this is such a core"), reset=MAGIC),
    replace(_constant("version", 0x004, "of the registers"), reset=VERSION),
    _status("build", 0x008, 64, "first 64 bits of the SHA-256 of the description and of all other Verilog"),
    _constant("rows", 0x010, "rows of PEs"),
    _constant("cols", 0x014, "columns of PEs"),
    _constant("depth", 0x018, "tiles of the streaming dimension in half of the operand memory"),
    _constant("bus_bits", 0x01C, "bits of a word of operands"),
    _constant("words_bits", 0x020, "bits of a beat of s_axis: a word and what fills it up"),
    _constant("row_bits", 0x024, "bits of a row of results"),
    _constant("results_bits", 0x028, "bits of a beat of m_axis"),
    _constant("dataflow", 0x02C, "0: output-stationary, 1: weight-stationary"),
    _size("m", 0x040, "rows of activations, in tiles of the PE"),
    _size("n", 0x044, "outputs, in tiles of the PE"),
    _size("k", 0x048, "inputs of an output, in tiles of the PE"),
    Register(
        name="control",
        offset=0x050,
        bits=2,
        access="pulse",
        meaning="what to do",
        fields=(
            Field(name="start", meaning="begin with a product of m, n and k, unless busy"),
            Field(name="reset", meaning="forget the product and both packets; goes with a reset of the DMA"),
        ),
    ),
    Register(
        name="status",
        offset=0x054,
        bits=6,
        access="status",
        meaning="of the product; start clears all but busy",
        fields=(
            Field(name="busy", meaning="it is under way"),
            Field(name="done", meaning="it has ended, well or not"),
            Field(name="size_error", meaning="m, n or k was 0, and nothing was done"),
            Field(name="short_error", meaning="the packet of operands was too short; a row of zeros ends the results"),
            Field(name="long_error", meaning="the packet of operands was too long; the rest was thrown away"),
            Field(name="keep_error", meaning="a beat of operands came in part"),
        ),
    ),
    Register(
        name="interrupt",
        offset=0x058,
        bits=1,
        access="setting",
        meaning="when to interrupt",
        fields=(Field(name="on_done", meaning="as long as done is 1"),),
    ),
    _status("cycles", 0x060, 64, "for which the array was busy with the product"),
    _status("words_in", 0x068, 32, "beats of s_axis taken for it"),
    _status("words_out", 0x06C, 32, "beats of m_axis given for it"),
    _constant("pe", 0x100, "the PE, in ASCII, zeros behind it", bits=8 * TEXT_BYTES),
    _constant("output", 0x180, "format of the results, likewise; empty: those of the sums", bits=8 * 32),
)
"""The registers of a core; those that depend on it are 0 until `with_resets`."""


def with_resets(values: Mapping[str, int]) -> tuple[Register, ...]:
    """`REGISTERS` with these reset values; InputError for one that does not fit."""
    for register in REGISTERS:
        value = values.get(register.name, 0)
        if value >> register.bits:
            raise InputError(f"{register.name} = {value} does not fit into a register of {register.bits} bits")
    return tuple(replace(register, reset=values.get(register.name, register.reset)) for register in REGISTERS)


def text_number(text: str, name: str) -> int:
    """The value of the register ``name`` that carries ``text``; InputError if it is too long."""
    [register] = [register for register in REGISTERS if register.name == name]
    code = text.encode("ascii")
    if 8 * len(code) > register.bits:
        raise InputError(f"{name} {text!r} has {len(code)} characters; its register has room for {register.bits // 8}")
    return int.from_bytes(code, "little")


def as_json(registers: Iterable[Register]) -> list[dict[str, Any]]:
    """Registers as values of JSON."""
    return [asdict(register) for register in registers]


def from_json(entries: Iterable[Mapping[str, Any]]) -> tuple[Register, ...]:
    """Registers from what `as_json` made of them."""
    return tuple(
        Register(**{**entry, "fields": tuple(Field(**field) for field in entry["fields"])}) for entry in entries
    )


def hwh(registers: Iterable[Register]) -> ElementTree.Element:
    """``REGISTERS`` of an ``ADDRESSBLOCK``, as in the `.hwh` that Vivado writes of a packaged core.

    A register of several words is several of these, called ``NAME_0``, ``NAME_1``, ...
    """
    element = ElementTree.Element("REGISTERS")
    for register in registers:
        for number, word in enumerate(register.words):
            name = register.name if len(register.words) == 1 else f"{register.name}_{number}"
            one = ElementTree.SubElement(element, "REGISTER", NAME=name)
            access = ACCESS[register.access]
            _properties(
                one,
                DESCRIPTION=register.meaning,
                ADDRESS_OFFSET=4 * word,
                SIZE=min(register.bits - 32 * number, 32),
                ACCESS=access,
                IS_ENABLED="true",
                RESET_VALUE=f"{register.reset >> 32 * number & 0xFFFF_FFFF:#x}",
            )
            fields = ElementTree.SubElement(one, "FIELDS")
            for field in register.fields:
                _properties(
                    ElementTree.SubElement(fields, "FIELD", NAME=field.name),
                    DESCRIPTION=field.meaning,
                    ACCESS=access,
                    BIT_OFFSET=register.places[field.name],
                    BIT_WIDTH=field.bits,
                )
    return element


def markdown() -> str:
    """The table of the documentation."""
    lines = ["| offset | register | bits | access | |", "|---|---|---|---|---|"]
    for register in REGISTERS:
        lines.append(
            f"| 0x{register.offset:03X} | `{register.name}` | {register.bits} | {register.access} "
            f"| {register.meaning} |"
        )
        lines += [
            f"| | `{field.name}`, bit {register.places[field.name]} | {field.bits} | | {field.meaning} |"
            for field in register.fields
        ]
    return "\n".join(lines) + "\n"


def _properties(element: ElementTree.Element, **properties: object) -> None:
    for name, value in properties.items():
        ElementTree.SubElement(element, "PROPERTY", NAME=name, VALUE=str(value))
