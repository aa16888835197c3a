"""Published dies beside the nearest designs of our model: what the model's area has, and what a die has besides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
import tomllib
from numpy.typing import NDArray

from hwexplore import technology as technologies
from hwexplore.accelerator.designs import PARAMETERS, Choices
from hwexplore.accelerator.model import Model
from hwexplore.errors import unknown
from hwexplore.technology import Technology
from hwexplore.workloads import load

__all__ = ["Die", "Part", "die", "dies"]


@dataclass(frozen=True, kw_only=True)
class Part:
    """A part of a die: its published area, the shares of the model's terms that stand for it, what it has besides."""

    name: str
    area_mm2: float
    terms: Mapping[str, float]
    besides: str


@dataclass(frozen=True, kw_only=True)
class Die:
    """A die with its published area and floorplan, and the ``design`` that comes nearest to it in ``technology``."""

    name: str
    description: str
    technology: str
    area_mm2: float
    design: Mapping[str, Any]
    parts: tuple[Part, ...]
    sources: Mapping[str, str]

    def compare(self) -> pd.DataFrame:
        """A row per part, for the rest and for the whole: published ``die_mm2``, the model's ``low``, ``mid``, ``high``
        (5, 50 and 95 %, of cells and macros before placement), ``share`` of the die that ``mid`` explains, ``besides``.
        """
        choices = Choices({name: [value] for name, value in self.design.items()})
        node = technologies.load(self.technology)
        model = Model(load("llama-2-7b"), node, choices)
        index = {name: np.zeros(1, np.intp) for name in PARAMETERS}
        placed = pd.DataFrame([part.terms for part in self.parts]).fillna(0)

        def areas_mm2(priced: Technology) -> NDArray[np.float64]:
            terms = {
                name: float(area[0]) for name, area in model.with_technology(priced).hardware(index).area_mm2.items()
            }
            whole = pd.Series(terms)
            parts = placed.reindex(columns=whole.index, fill_value=0) @ whole
            return np.array([*parts, whole.sum() - parts.sum(), whole.sum()])

        interval = node.interval(areas_mm2)
        known = [part.area_mm2 for part in self.parts]
        table = pd.DataFrame(
            {
                "part": [*(part.name for part in self.parts), "rest", "die"],
                "die_mm2": [*known, self.area_mm2 - sum(known), self.area_mm2],
                "low": interval.low,
                "mid": interval.mid,
                "high": interval.high,
                "besides": [*(part.besides for part in self.parts), "", ""],
            }
        )
        table.insert(5, "share", table["mid"] / table["die_mm2"])
        return table


@cache
def dies() -> tuple[Die, ...]:
    """The dies that ship with hwexplore, by name."""
    tables = tomllib.loads((files("hwexplore.models") / "dies.toml").read_text("utf-8"))
    return tuple(
        Die(name=name, parts=tuple(Part(**part) for part in table.pop("parts")), **table)
        for name, table in sorted(tables.items())
    )


def die(name: str) -> Die:
    """The die called ``name``; InputError if there is none."""
    known = {die.name: die for die in dies()}
    if name not in known:
        raise unknown("die", name, known)
    return known[name]
