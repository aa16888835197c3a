"""Design spaces: the values of each parameter, what links and limits them, and the grid of designs they span."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from importlib.resources import files
from math import prod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tomllib
from numpy.typing import NDArray

from hwexplore.accelerator import PARAMETERS, Choices
from hwexplore.accelerator.designs import checked
from hwexplore.errors import InputError, unknown
from hwexplore.search.constraints import Constraint, check_consistent
from hwexplore.search.links import Link, columns_of, linked, parse_links
from hwexplore.search.ranges import range_values

__all__ = ["PermittedBlock", "Space"]

AT_A_TIME = 2**18
"""Combinations of parameters for which constraints are decided at a time."""
FEW = 10
"""How many times faster designs of a grid are evaluated than picked ones, at either fidelity, at least."""
COMBINATIONS = 10**8
"""Most combinations of the parameters in constraints that a sample is drawn from."""

Index = Mapping[str, NDArray[np.intp]]


class PermittedBlock(NamedTuple):
    """Numbers of permitted designs, ascending: those at ``places`` of the designs that ``indices`` broadcast to."""

    ids: NDArray[np.int64]
    indices: dict[str, NDArray[np.intp]]
    places: slice | NDArray[np.intp]

    def __reduce__(self) -> tuple[Any, ...]:
        first, number = int(self.ids[0]), len(self.ids)
        ids = range(first, first + number) if self.ids[-1] == first + number - 1 else self.ids
        return _block, (ids, self.indices, self.places)


def _block(ids: Sequence[int], *rest: Any) -> PermittedBlock:
    return PermittedBlock(np.asarray(ids, np.int64), *rest)


class Space:
    """The grid of all combinations of parameter values, numbered from 0; the last parameter varies fastest.

    ``Space(rows=[16, 32], ...)`` takes for each parameter a value, a list of values, a range such as
    ``{"from": 16, "to": 256, "factor": 2}`` (or "step"; also within a list), or ``{"equals": "4 * rows"}``, by which it
    follows from others and adds no dimension to the grid. Those left out keep the values of the default space,
    ``Space.default()``. ``constraints`` are texts such as ``rows * cols <= 4096``: those over parameters alone rule
    designs out before they are evaluated, which keep their numbers; a search of the space applies them all. See
    ``docs/search.md``.
    """

    def __init__(self, /, constraints: str | Sequence[str | Constraint] = (), **values: Any) -> None:
        for name in values:
            if name not in PARAMETERS:
                raise unknown("parameter", name, (*PARAMETERS, "constraints"))
        declared = {name: _declared(name, value) for name, value in {**_default_values(), **values}.items()}
        self._declared = {name: declared[name] for name in PARAMETERS}
        texts = {name: value["equals"] for name, value in self._declared.items() if isinstance(value, dict)}
        free = {name: self._declared[name] if name not in texts else _default_values()[name] for name in PARAMETERS}
        choices = Choices({name: _expanded(name, entries) for name, entries in free.items()})
        self.choices, self._links = linked(choices, parse_links(texts))
        self.constraints = tuple(dict.fromkeys(map(_constraint, _texts(constraints))))
        check_consistent(self.constraints)
        for constraint in self.constraints:
            for text in constraint.condition.literals("dram"):
                if text not in self.choices.values["dram"]:
                    raise unknown(f"DRAM in constraint {str(constraint)!r}", text, self.choices.values["dram"])

    @classmethod
    def default(cls) -> Space:
        """The space that ``hwexplore explore`` searches when it is given none."""
        return cls()

    @classmethod
    def load(cls, path: str | Path) -> Space:
        """A space from a TOML file whose keys are parameters, and ``constraints``."""
        return cls.parse(_read(Path(path)), f"space file {path}")

    @classmethod
    def parse(cls, text: str, origin: str = "space") -> Space:
        """A space from TOML text; ``to_toml`` gives it back. ``origin`` names the text in errors."""
        try:
            return cls(**tomllib.loads(text))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"{origin} is not valid TOML: {error}") from None

    def to_toml(self) -> str:
        """The space as TOML text, every parameter spelled out."""
        values = "".join(f"{name} = {_toml_values(name, value)}\n" for name, value in self._declared.items())
        lines = "".join(f"    {_toml(str(constraint))},\n" for constraint in self.constraints)
        return f"{values}constraints = [\n{lines}]\n" if lines else values

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Space) and self.to_toml() == other.to_toml()

    def __hash__(self) -> int:
        return hash(self.to_toml())

    def with_values(self, **values: Any) -> Space:
        """The space with other values of some parameters, links and constraints kept."""
        return Space(self.constraints, **{**self._declared, **values})

    def restricted(self, constraints: Sequence[str | Constraint]) -> Space:
        """The space with further constraints; its designs keep their numbers."""
        return self.with_constraints((*self.constraints, *constraints))

    def with_constraints(self, constraints: Sequence[str | Constraint]) -> Space:
        """The space with these constraints in place of its own."""
        return Space(constraints, **self._declared)

    @property
    def links(self) -> Mapping[str, Link]:
        """The parameters that follow from others, and how."""
        return self._links

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each parameter; 1 for one that follows from others."""
        return tuple(1 if name in self._links else len(values) for name, values in self.choices.values.items())

    @property
    def size(self) -> int:
        """Number of designs of the grid, ruled out or not."""
        return prod(self.shape)

    @cached_property
    def permitted(self) -> int:
        """Number of designs that the constraints over parameters leave."""
        combinations = sum(int(found.size) for found in self._permitted_combinations())
        return combinations * (self.size // prod(self._constrained_shape))

    def indices(self, ids: NDArray[np.int64]) -> dict[str, NDArray[np.intp]]:
        """For each parameter the index of its value in the designs numbered ``ids`` [design]."""
        return self.follow(dict(zip(PARAMETERS, np.unravel_index(ids, self.shape), strict=True)))

    def ids(self, index: Index) -> NDArray[np.int64]:
        """The numbers of the designs at ``index`` [design]; what it says of parameters that follow is ignored."""
        free = (np.zeros_like(index[name]) if name in self._links else index[name] for name in PARAMETERS)
        return np.ravel_multi_index(tuple(free), self.shape)

    def follow(self, index: Index) -> dict[str, NDArray[np.intp]]:
        """``index`` with the indices of the parameters that follow from others; the arrays may broadcast."""
        return {**index, **{name: link(index) for name, link in self._links.items()}}

    def permits(self, index: Index) -> NDArray[np.bool_]:
        """Whether the constraints over parameters leave the designs at ``index``, whose arrays may broadcast.

        The result broadcasts, too: its axes are those of the parameters in constraints.
        """
        held = [
            constraint.holds(self.columns(index, constraint.names))
            for constraint in self.constraints
            if constraint.over_parameters
        ]
        return np.asarray(np.logical_and.reduce(np.broadcast_arrays(*held)) if held else True)

    def blocks(self, most: int) -> Iterator[tuple[NDArray[np.int64], dict[str, NDArray[np.intp]]]]:
        """The grid in blocks of at most ``most`` designs: their numbers, ascending, and indices that broadcast.

        The indices are an open mesh, so that what does not depend on a parameter is computed once for all its values.
        """
        for start, axes in _grid_blocks(self.shape, most):
            ids = start + np.arange(prod(axis.size for axis in axes))
            yield ids, self.follow(dict(zip(PARAMETERS, np.ix_(*axes), strict=True)))

    def permitted_blocks(self, most: int) -> Iterator[PermittedBlock]:
        """The permitted designs in blocks of at most ``most``.

        A block has the smallest grid that holds its permitted designs, unless these are few in it.
        """
        if not self._constrained:
            yield from (PermittedBlock(ids, index, slice(None)) for ids, index in self.blocks(most))
            return
        for start, axes in _grid_blocks(self.shape, most):
            mesh = self.follow(dict(zip(PARAMETERS, np.ix_(*axes), strict=True)))
            permitted = np.broadcast_to(self.permits(mesh), tuple(axis.size for axis in axes))
            found = np.nonzero(permitted)
            if not len(found[0]):
                continue
            ids = start + np.ravel_multi_index(found, permitted.shape)
            held = [np.unique(along) for along in found]
            smallest = permitted[np.ix_(*held)]
            if FEW * len(ids) < smallest.size:
                yield PermittedBlock(ids, self.indices(ids), slice(None))
                continue
            inner = np.ix_(*(axis[along] for axis, along in zip(axes, held, strict=True)))
            yield PermittedBlock(ids, self.follow(dict(zip(PARAMETERS, inner, strict=True))), np.flatnonzero(smallest))

    def sample(self, number: int, seed: int = 0) -> NDArray[np.int64]:
        """Numbers of ``number`` different permitted designs, ascending; every set of so many is equally likely."""
        shape = self._constrained_shape
        if prod(shape) > COMBINATIONS:
            raise InputError(
                f"a sample needs the constraints decided for all {prod(shape):,} combinations of their parameters; "
                f"at most {COMBINATIONS:,} are possible"
            )
        if not 0 <= number <= self.permitted:
            raise InputError(f"sample of {number} designs: the space permits {self.permitted:,}")
        combinations = np.concatenate([np.zeros(0, np.int64), *self._permitted_combinations()])
        rest = tuple(
            1 if name in self._constrained else size for name, size in zip(PARAMETERS, self.shape, strict=True)
        )
        drawn = np.random.default_rng(seed).choice(self.permitted, number, replace=False, shuffle=False)
        combination, remainder = np.divmod(drawn, prod(rest))
        constrained = np.unravel_index(combinations[combination], shape)
        others = np.unravel_index(remainder, rest)
        return np.sort(np.ravel_multi_index([a + b for a, b in zip(constrained, others, strict=True)], self.shape))

    def values(self, ids: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """For each parameter its value in the designs numbered ``ids`` [design]; PEs and policies as text."""
        return {name: self.labels(name)[index] for name, index in self.indices(ids).items()}

    def columns(self, index: Index, names: Sequence[str]) -> dict[str, NDArray[Any]]:
        """The columns of parameters that constraints take."""
        return columns_of(self.choices.values, index, names)

    def labels(self, name: str) -> NDArray[Any]:
        """The values of one parameter, PEs and policies as text."""
        values = self.choices.values[name]
        if all(isinstance(value, (int, float)) for value in values):
            return np.array(values)
        return np.array([str(value) for value in values], dtype=object)

    @cached_property
    def _constrained(self) -> set[str]:
        """The free parameters that decide whether a design is permitted."""
        names = {name for constraint in self.constraints if constraint.over_parameters for name in constraint.names}
        return {free for name in names for free in (self._links[name].inputs if name in self._links else (name,))}

    @cached_property
    def _constrained_shape(self) -> tuple[int, ...]:
        shape = zip(PARAMETERS, self.shape, strict=True)
        return tuple(size if name in self._constrained else 1 for name, size in shape)

    def _permitted_combinations(self) -> Iterator[NDArray[np.int64]]:
        """The permitted combinations of the constrained parameters, numbered in their own grid."""
        for start, axes in _grid_blocks(self._constrained_shape, AT_A_TIME):
            mesh = dict(zip(PARAMETERS, np.ix_(*axes), strict=True))
            free = {name: mesh[name] for name in self._constrained}
            follow = {name: link(free) for name, link in self._links.items() if set(link.inputs) <= self._constrained}
            permitted = np.broadcast_to(self.permits({**free, **follow}), tuple(axis.size for axis in axes))
            yield start + np.flatnonzero(permitted)


def _grid_blocks(shape: tuple[int, ...], most: int) -> Iterator[tuple[int, list[NDArray[np.intp]]]]:
    """A grid in blocks of at most ``most``: the number of the first of each block, and its indices by axis."""
    axis, inner = len(shape), 1
    while axis and inner * shape[axis - 1] <= most:
        axis -= 1
        inner *= shape[axis]
    step = most // inner
    for outer in np.ndindex(shape[: max(axis - 1, 0)]):
        for first in range(0, shape[axis - 1] if axis else 1, step):
            split = [np.arange(first, min(first + step, shape[axis - 1]))] if axis else []
            axes = [*(np.array([i]) for i in outer), *split, *(np.arange(n) for n in shape[axis:])]
            yield int(np.ravel_multi_index(tuple(int(a[0]) for a in axes), shape)), axes


def _default_values() -> dict[str, Any]:
    return tomllib.loads((files("hwexplore.models") / "spaces" / "default.toml").read_text("utf-8"))


def _declared(name: str, value: Any) -> list[Any] | dict[str, str]:
    """What was given for a parameter: a link, or a list of values and ranges."""
    if isinstance(value, Mapping) and "equals" in value:
        if len(value) > 1 or not isinstance(value["equals"], str):
            raise InputError(f'{name} = {dict(value)} is not of the form {{ equals = "EXPRESSION" }}')
        return {"equals": value["equals"]}
    return list(value) if isinstance(value, (list, tuple, range, np.ndarray)) else [value]


def _expanded(name: str, entries: Any) -> list[Any]:
    lists = [range_values(name, entry) if isinstance(entry, Mapping) else [entry] for entry in entries]
    return [value for entries in lists for value in entries]


def _texts(constraints: Any) -> Sequence[Any]:
    return constraints if isinstance(constraints, (list, tuple)) else [constraints]


def _constraint(value: Any) -> Constraint:
    if not isinstance(value, (str, Constraint)):
        raise InputError(f"constraints contain {value!r}; expected texts such as 'area_mm2 < 50'")
    return value if isinstance(value, Constraint) else Constraint.parse(value)


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"space file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"space file {path} is not UTF-8 text") from None


def _toml_values(name: str, declared: list[Any] | dict[str, str]) -> str:
    if isinstance(declared, dict):
        return _toml(declared)
    entries = [_toml(entry if isinstance(entry, Mapping) else checked(name, entry)) for entry in declared]
    return entries[0] if len(entries) == 1 and entries[0].startswith("{") else f"[{', '.join(entries)}]"


def _toml(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{key} = {_toml(entry)}' for key, entry in value.items())} }}"
    if isinstance(value, (int, float)):
        return str(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")
