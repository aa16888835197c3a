"""Design spaces: the values of each parameter, and the grid of designs they span."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from importlib.resources import files
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import tomllib
from numpy.typing import NDArray

from hwexplore.accelerator import PARAMETERS, Choices
from hwexplore.errors import InputError

__all__ = ["Space"]


class Space:
    """The grid of all combinations of parameter values, numbered from 0; the last parameter varies fastest.

    ``Space(rows=[16, 32], ...)`` takes a list of values (or one value) for each parameter; those left out keep the
    values of the default space, ``Space.default()``.
    """

    def __init__(self, /, **values: Any) -> None:
        own = {name: _listed(value) for name, value in values.items()}
        self.choices = Choices({**_default_values(), **own})

    @classmethod
    def default(cls) -> Space:
        """The space that ``hwexplore explore`` searches when it is given none."""
        return cls()

    @classmethod
    def load(cls, path: str | Path) -> Space:
        """A space from a TOML file with one list of values per parameter."""
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
        return "".join(f"{name} = [{', '.join(map(_toml, values))}]\n" for name, values in self.choices.values.items())

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each parameter."""
        return tuple(len(self.choices.values[name]) for name in PARAMETERS)

    @property
    def size(self) -> int:
        """Number of designs."""
        return prod(self.shape)

    def indices(self, ids: NDArray[np.int64]) -> dict[str, NDArray[np.intp]]:
        """For each parameter the index of its value in the designs numbered ``ids`` [design]."""
        return dict(zip(PARAMETERS, np.unravel_index(ids, self.shape), strict=True))

    def blocks(self, most: int) -> Iterator[tuple[NDArray[np.int64], dict[str, NDArray[np.intp]]]]:
        """The space in blocks of at most ``most`` designs: their numbers, ascending, and an open mesh of indices."""
        shape = self.shape
        axis, inner = len(shape), 1
        while axis and inner * shape[axis - 1] <= most:
            axis -= 1
            inner *= shape[axis]
        step = most // inner
        for outer in np.ndindex(shape[: max(axis - 1, 0)]):
            for first in range(0, shape[axis - 1] if axis else 1, step):
                split = [np.arange(first, min(first + step, shape[axis - 1]))] if axis else []
                axes = [*(np.array([i]) for i in outer), *split, *(np.arange(n) for n in shape[axis:])]
                start = np.ravel_multi_index(tuple(int(a[0]) for a in axes), shape)
                ids = start + np.arange(prod(a.size for a in axes))
                yield ids, dict(zip(PARAMETERS, np.ix_(*axes), strict=True))

    def values(self, ids: NDArray[np.int64]) -> dict[str, NDArray[Any]]:
        """For each parameter its value in the designs numbered ``ids`` [design]; PEs and policies as text."""
        return {name: self.labels(name)[index] for name, index in self.indices(ids).items()}

    def labels(self, name: str) -> NDArray[Any]:
        """The values of one parameter, PEs and policies as text."""
        values = self.choices.values[name]
        if all(isinstance(value, (int, float)) for value in values):
            return np.array(values)
        return np.array([str(value) for value in values], dtype=object)


def _default_values() -> dict[str, Any]:
    return tomllib.loads((files("hwexplore.models") / "spaces" / "default.toml").read_text("utf-8"))


def _listed(value: Any) -> Sequence[Any]:
    if isinstance(value, dict):
        raise InputError(f"a parameter takes a value or a list of values, got {value}")
    return list(value) if isinstance(value, (list, tuple, range, np.ndarray)) else [value]


def _read(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"space file {path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InputError(f"space file {path} is not UTF-8 text") from None


def _toml(value: Any) -> str:
    return str(value) if isinstance(value, (int, float)) else f'"{value}"'
