"""Standard-cell libraries in the Liberty format: parsing, units, and table lookup.

Liberty is three statements: `kind (arguments) { ... }` (a group), `name : value ;` (a simple attribute) and
`name (values) ;` (a complex attribute). Real files leave out semicolons, break lines inside quotes and use their own
units; this reader accepts all of that and knows nothing of cells.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import RegularGridInterpolator

from hwexplore.errors import InputError, unknown

__all__ = ["Group", "Library", "read_liberty"]

_BLANK = re.compile(r"(?:[\s;]|\\\r?\n|/\*.*?\*/|//[^\n]*)*", re.DOTALL)
_STRING = r'"(?:[^"\\]|\\.)*"'
_NAME = re.compile(r"([\w.]+)\s*([:(])")
_VALUE = re.compile(rf"[ \t]*({_STRING}|(?:(?!/\*|//)[^;\n{{}}])*)", re.DOTALL)
_ARGUMENTS = re.compile(rf'((?:{_STRING}|[^")])*)\)\s*({{?)', re.DOTALL)
_ARGUMENT = re.compile(rf"{_STRING}|[^\s,\\]+", re.DOTALL)
_UNIT = re.compile(r"\s*([\d.]+)?\s*,?\s*([a-zA-Z]+)\s*")
_EXPONENT = {"": 0, "m": -3, "u": -6, "n": -9, "p": -12, "f": -15}


@dataclass(frozen=True, kw_only=True)
class Group:
    """One `kind (arguments) { ... }` of a Liberty file.

    `attributes` keeps every simple and complex attribute in file order as (name, values).
    """

    kind: str
    arguments: tuple[str, ...]
    attributes: tuple[tuple[str, tuple[str, ...]], ...]
    groups: tuple[Group, ...]

    @property
    def name(self) -> str:
        """The first argument, or an empty string."""
        return self.arguments[0] if self.arguments else ""

    def all(self, kind: str) -> tuple[Group, ...]:
        """The direct subgroups of this kind."""
        return tuple(group for group in self.groups if group.kind == kind)

    def values(self, attribute: str) -> Iterator[tuple[str, ...]]:
        """The values of each occurrence of an attribute, in file order."""
        return (values for name, values in self.attributes if name == attribute)

    def text(self, attribute: str, default: str | None = None) -> str:
        """The value of a simple attribute; InputError when it is absent and there is no default."""
        value = next(self.values(attribute), None if default is None else (default,))
        if value is None:
            raise InputError(f"Liberty group {self.kind} ({self.name}) has no attribute {attribute!r}")
        return ", ".join(value)

    def number(self, attribute: str) -> float:
        """The value of a simple attribute as a number."""
        return _number(self.text(attribute), f"{attribute!r} of {self.kind} ({self.name})")

    def numbers(self, attribute: str) -> NDArray[np.float64]:
        """All numbers of a complex attribute such as `values`, row after row."""
        text = " ".join(row for values in self.values(attribute) for row in values)
        field = f"{attribute!r} of {self.kind} ({self.name})"
        return np.array([_number(word, field) for word in re.split(r"[\s,\\]+", text) if word])


@dataclass(frozen=True, kw_only=True)
class Library:
    """A cell library in its own units, with the factors to ours.

    `time_ps`, `load_ff`, `leakage_uw` and `energy_fj` say what one unit of the file is. Liberty gives internal power
    as an energy per transition, in units of capacitance x voltage squared.
    """

    name: str
    voltage: float
    temperature_c: float
    time_ps: float
    load_ff: float
    leakage_uw: float
    energy_fj: float
    cells: dict[str, Group]
    templates: dict[str, Group]
    wire_loads: dict[str, Group]
    default_wire_load: str

    def wire_ff(self, fanout: int) -> float:
        """Wire capacitance of a net by the library's default wire-load model, in fF; 0 without a model.

        Linear between the fanouts of the model; a fanout outside it raises InputError.
        """
        if not self.default_wire_load:
            return 0.0
        if self.default_wire_load not in self.wire_loads:
            raise unknown("wire load", self.default_wire_load, self.wire_loads)
        model = self.wire_loads[self.default_wire_load]
        points = model.numbers("fanout_length")
        fanouts, lengths = points[::2], points[1::2]
        if fanouts.size != lengths.size or not fanouts.min(initial=np.inf) <= fanout <= fanouts.max(initial=0):
            raise InputError(f"fanout {fanout} is outside wire load {model.name!r}; it has {fanouts.tolist()}")
        return model.number("capacitance") * float(np.interp(fanout, fanouts, lengths)) * self.load_ff

    def charge_fj(self, load_ff: float) -> float:
        """Energy drawn from the supply to charge a load: capacitance x voltage squared."""
        return load_ff * self.voltage**2

    def axes(self, table: Group) -> dict[str, NDArray[np.float64]]:
        """A table's axes, variable to points: capacitances in fF, transition times in ps."""
        if table.name not in self.templates:
            raise unknown("table template", table.name, self.templates)
        template = self.templates[table.name]
        axes = {}
        for number, variable in enumerate(
            (variable for name, (variable, *_) in template.attributes if name.startswith("variable_")), start=1
        ):
            points = table.numbers(f"index_{number}")
            points = points if points.size else template.numbers(f"index_{number}")
            axes[variable] = points * (self.load_ff if "capacitance" in variable else self.time_ps)
        return axes

    def lookup(self, table: Group, *, slew_ps: float, load_ff: float) -> float:
        """A table's value at an input slew and an output load, in the file's unit.

        Linear along each axis between the table's points; a point outside the table raises InputError, it is never
        extrapolated. Axes of capacitance take the load, all others (input, related and constrained pin) the slew.
        """
        values = table.numbers("values")
        if values.size == 1:
            return float(values.item())
        axes = self.axes(table)
        name = f"Liberty table {table.kind} ({table.name})"
        try:
            grid = RegularGridInterpolator(tuple(axes.values()), values.reshape([axis.size for axis in axes.values()]))
        except ValueError as error:
            raise InputError(f"{name} is not a grid of ascending axes and one value per point: {error}") from None
        point = [load_ff if "capacitance" in variable else slew_ps for variable in axes]
        for at, (variable, axis) in zip(point, axes.items(), strict=True):
            if not axis[0] <= at <= axis[-1]:
                raise InputError(
                    f"{name}: {variable} {at:g} is outside the table; accepted is {axis[0]:g} to {axis[-1]:g}"
                )
        return float(grid(point).item())


def read_liberty(*paths: str | Path) -> Library:
    """Read a library from one or several files (plain or .gz) that together hold its cells.

    The files must agree on units and supply voltage. A malformed file raises InputError with file and line.
    """
    if not paths:
        raise InputError("a Liberty library needs at least one file")
    parts = [_library(_parse(_read(Path(path)), Path(path))) for path in paths]
    first = parts[0]
    for path, part in zip(paths[1:], parts[1:], strict=True):
        for name in ("voltage", "temperature_c", "time_ps", "load_ff", "leakage_uw", "energy_fj"):
            if getattr(part, name) != getattr(first, name):
                raise InputError(
                    f"{path}: {name} is {getattr(part, name):g}, but {getattr(first, name):g} in {paths[0]}"
                )
        first.cells.update(part.cells)
        first.templates.update(part.templates)
        first.wire_loads.update(part.wire_loads)
    return first


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
        return (gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data).decode("utf-8", "replace")
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path}: cannot be read as a Liberty file: {error}") from None


def _parse(text: str, path: Path) -> Group:
    """The one group of a Liberty text: its library."""

    def fail(position: int, problem: str) -> InputError:
        return InputError(f"{path}, line {text.count(chr(10), 0, position) + 1}: {problem}")

    file = _Open(start=0, kind="file", arguments=())
    groups = [file]
    position = _skip(text, 0)
    while position < len(text):
        inner = groups[-1]
        if text[position] == "}":
            if inner is file:
                raise fail(position, "a closing brace without a group")
            groups.pop()
            groups[-1].groups.append(inner.close())
            position = _skip(text, position + 1)
            continue
        head = _NAME.match(text, position)
        if head is None:
            found = text[position : position + 40].split("\n", 1)[0]
            raise fail(position, f"expected an attribute or a group, found {found!r}")
        if head[2] == ":":
            value = _VALUE.match(text, head.end())
            if value is None or not value[1].strip():
                raise fail(position, f"attribute {head[1]!r} has no value")
            inner.attributes.append((head[1], (_unquote(value[1]),)))
            end = value.end()
        else:
            inside = _ARGUMENTS.match(text, head.end())
            if inside is None:
                raise fail(position, f"the arguments of {head[1]!r} are never closed")
            values = tuple(_unquote(value) for value in _ARGUMENT.findall(inside[1]))
            if inside[2]:
                groups.append(_Open(start=position, kind=head[1], arguments=values))
            else:
                inner.attributes.append((head[1], values))
            end = inside.end()
        position = _skip(text, end)
    if groups[-1] is not file:
        raise fail(groups[-1].start, f"group {groups[-1].kind} ({', '.join(groups[-1].arguments)}) is never closed")
    if file.attributes or [group.kind for group in file.groups] != ["library"]:
        raise fail(0, "expected one group library (name) { ... } and nothing else")
    return file.groups[0]


@dataclass(frozen=True, kw_only=True)
class _Open:
    """A group whose closing brace is still to come."""

    start: int
    kind: str
    arguments: tuple[str, ...]
    attributes: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)

    def close(self) -> Group:
        return Group(
            kind=self.kind, arguments=self.arguments, attributes=tuple(self.attributes), groups=tuple(self.groups)
        )


def _skip(text: str, position: int) -> int:
    """The position after blanks, comments and semicolons."""
    match = _BLANK.match(text, position)
    return match.end() if match else position


def _unquote(value: str) -> str:
    return re.sub(r"\\\r?\n", "", value[1:-1]) if value.startswith('"') else value.strip()


def _number(text: str, field: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"Liberty {field} is {text!r}; a finite number is needed")
    return number


def _unit(library: Group, attribute: str, base: str, exponent: int) -> float:
    """One unit of the file (`1ns`, or `1, ff` for loads) in units of 10**exponent of the base unit."""
    text = library.text(attribute)
    match = _UNIT.fullmatch(text.lower())
    prefix = match[2].removesuffix(base.lower()) if match else None
    if match is None or prefix not in _EXPONENT:
        raise InputError(
            f"library {library.name}: {attribute} is {text!r}; accepted is a number and a unit, like 1n{base}"
        )
    return float(match[1] or 1) * 10.0 ** (_EXPONENT[prefix] - exponent)


def _library(group: Group) -> Library:
    load_ff = _unit(group, "capacitive_load_unit", "F", -15)
    return Library(
        name=group.name,
        voltage=group.number("nom_voltage"),
        temperature_c=group.number("nom_temperature"),
        time_ps=_unit(group, "time_unit", "s", -12),
        load_ff=load_ff,
        leakage_uw=_unit(group, "leakage_power_unit", "W", -6),
        energy_fj=load_ff * _unit(group, "voltage_unit", "V", 0) ** 2,
        cells={cell.name: cell for cell in group.all("cell")},
        templates={
            template.name: template
            for kind in ("lu_table_template", "power_lut_template")
            for template in group.all(kind)
        },
        wire_loads={model.name: model for model in group.all("wire_load")},
        default_wire_load=group.text("default_wire_load", ""),
    )
