"""Links between accelerators: how long a transfer takes and what it burns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

import tomllib

from hwexplore.errors import InputError, unknown

__all__ = ["Link", "link", "links"]


@dataclass(frozen=True, kw_only=True)
class Link:
    """A link: bandwidth of one direction in B/s, energy in pJ/bit, latency of one transfer in s.

    ``sources`` has a text for each figure of a published one. InputError for figures that no link has.
    """

    name: str
    bandwidth_bytes_per_s: float
    energy_pj_per_bit: float
    latency_s: float
    sources: Mapping[str, str] = field(default_factory=dict, compare=False)

    def __post_init__(self) -> None:
        if not self.bandwidth_bytes_per_s > 0:
            raise InputError(f"bandwidth_bytes_per_s of {self.name} is {self.bandwidth_bytes_per_s}; expected above 0")
        for name in ("energy_pj_per_bit", "latency_s"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} of {self.name} is {getattr(self, name)}; expected 0 or more")

    def time_s(self, moved_bytes: float, transfers: float = 1) -> float:
        """Of ``transfers`` that move ``moved_bytes`` together, one after the other."""
        return moved_bytes / self.bandwidth_bytes_per_s + transfers * self.latency_s

    def energy_j(self, moved_bytes: float) -> float:
        """Of moving so many bytes."""
        return 8e-12 * moved_bytes * self.energy_pj_per_bit


@cache
def links() -> tuple[Link, ...]:
    """The links that ship with hwexplore, by name."""
    tables = tomllib.loads((files("hwexplore.models") / "links.toml").read_text("utf-8"))
    return tuple(Link(name=name, **figures) for name, figures in sorted(tables.items()))


def link(name: str) -> Link:
    """The link called ``name``; InputError if there is none."""
    known = {link.name: link for link in links()}
    if name not in known:
        raise unknown("link", name, known)
    return known[name]
