"""The fields of a Hugging Face `config.json`, typed and bounded."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hwexplore.errors import InputError

__all__ = ["MAX_LAYERS", "MAX_SIZE", "Config"]

MAX_SIZE = 2**31 - 1
MAX_LAYERS = 4096
SHOWN = 80
"""Characters of a bad value that an error repeats."""


@dataclass(frozen=True, kw_only=True)
class Config:
    """A config.json with typed access; a null field is a missing one; every error names the source and the field."""

    source: str
    values: Mapping[str, Any]

    def has(self, name: str) -> bool:
        """Whether the field is there."""
        return self.values.get(name) is not None

    def index(self, name: str, default: int | None = None, *, least: int = 0, limit: int = MAX_SIZE) -> int:
        """An integer from `least` to `limit`; a missing field takes the default, if there is one."""
        value = self.values.get(name)
        value = default if value is None else value
        kind = "a positive integer" if least else "an integer from 0"
        if value is None:
            raise InputError(f"{self.source}: field {name!r} is missing; expected {kind}.")
        if type(value) is not int or not least <= value <= limit:
            raise self.error(name, f"{kind} {'below 2**31' if limit == MAX_SIZE else f'up to {limit}'}")
        return value

    def size(self, name: str, default: int | None = None, *, limit: int = MAX_SIZE) -> int:
        """A positive integer."""
        return self.index(name, default, least=1, limit=limit)

    def layers(self, name: str) -> int:
        """A number of layers."""
        return self.size(name, limit=MAX_LAYERS)

    def part(self, name: str, whole: str, default: int | None = None) -> int:
        """A size that divides the size `whole`."""
        value, total = self.size(name, default), self.size(whole)
        if total % value:
            raise self.error(name, f"a divisor of {whole}, which is {total}")
        return value

    def at_most(self, name: str, whole: str) -> int:
        """A size not above the size `whole`."""
        value, total = self.size(name), self.size(whole)
        if value > total:
            raise self.error(name, f"at most {whole}, which is {total}")
        return value

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.values.get(name)
        value = default if value is None else value
        if type(value) is not bool:
            raise self.error(name, "true or false")
        return value

    def number(self, name: str, default: float) -> float | None:
        """A positive number; here null is None, and only a field that is not there takes the default."""
        value = self.values.get(name, default)
        if value is None:
            return None
        if type(value) not in (int, float) or not 0 < value <= MAX_SIZE:
            raise self.error(name, "a positive number below 2**31 or null")
        return float(value)

    def fraction(self, name: str, default: float) -> float:
        """A number above 0 and up to 1."""
        value = self.number(name, default) or default
        if value > 1:
            raise self.error(name, "a number above 0 and up to 1")
        return value

    def indices(self, name: str) -> frozenset[int]:
        """A list of integers from 0; none if the field is missing."""
        value = self.values.get(name) or []
        if not isinstance(value, list) or any(type(index) is not int or index < 0 for index in value):
            raise self.error(name, "a list of integers from 0")
        return frozenset(value)

    def sliding_layers(self, by_index: Callable[[int], bool]) -> tuple[bool, ...]:
        """Which layers attend a sliding window: as `layer_types` lists them, otherwise `by_index`, counted from 0."""
        layers = self.layers("num_hidden_layers")
        types = self.values.get("layer_types")
        if types is None:
            return tuple(by_index(index) for index in range(layers))
        kinds = ("sliding_attention", "full_attention")
        if not isinstance(types, list) or len(types) != layers or any(kind not in kinds for kind in types):
            raise self.error("layer_types", f"{layers} times {' or '.join(kinds)}, one per layer")
        return tuple(kind == "sliding_attention" for kind in types)

    def nested(self, name: str) -> Config:
        """The fields of the object `name`."""
        value = self.values.get(name)
        if not isinstance(value, dict):
            raise self.error(name, "an object with the fields of a model")
        return Config(source=f"{self.source}: {name}", values=value)

    def defaulting(self, **defaults: Any) -> Config:
        """With `defaults` for the fields that are not there."""
        return Config(source=self.source, values={**defaults, **self.values})

    def error(self, name: str, expected: str) -> InputError:
        """The error for a field with a value that is not what was `expected`."""
        value = repr(self.values.get(name))
        shown = value if len(value) <= SHOWN else value[:SHOWN] + "..."
        return InputError(f"{self.source}: {name} is {shown}; expected {expected}.")
