"""A finished exploration, read from the folder of its designs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hwexplore.accelerator import METRICS, PARAMETERS
from hwexplore.errors import InputError
from hwexplore.search.pareto import FrontBuilder, check_objectives, to_minimise
from hwexplore.search.space import Space
from hwexplore.search.store import PART, checksum, read_metadata

__all__ = ["Run"]

Ids = NDArray[np.int64]

OUTCOME = ("space", "objectives", "front", "complete", "heuristic", "evaluated", "feasible", "seconds")


@dataclass(frozen=True)
class Run:
    """Every design of an exploration, in the ``parts`` of the folder ``path``.

    ``space`` has the constraints of the run; ``front_ids`` number the designs on its front of ``objectives``, best
    first objective first. ``setting`` is what else the run says of itself: workload, phase, batch, constraints, ...
    """

    path: Path
    space: Space
    objectives: tuple[str, ...]
    front_ids: Ids
    parts: tuple[Path, ...]
    setting: Mapping[str, Any]

    @classmethod
    def read(cls, path: str | Path) -> Run:
        """The run in a folder that ``hwexplore explore --out FOLDER.parquet`` wrote.

        InputError unless all its designs are there, each part as it was written.
        """
        path = Path(path)
        metadata = read_metadata(path)
        space = Space.parse(metadata["space"])
        parts = tuple(sorted(file for file in path.iterdir() if PART.fullmatch(file.name)))
        for part in parts:
            if checksum(part.read_bytes()) != part.stem.partition("-")[2]:
                raise InputError(f"{part} is damaged; hwexplore explore --resume evaluates its designs again")
        found = sum(pq.read_metadata(part).num_rows for part in parts)
        if found != space.permitted and found == len(metadata["front"]):
            raise InputError(
                f"{path} holds the {found:,} designs of a front alone; questions take those of an exhaustive search"
            )
        if found != space.permitted:
            raise InputError(
                f"{path} holds {found:,} of {space.permitted:,} designs; hwexplore explore --resume evaluates the rest"
            )
        setting = {name: value for name, value in metadata.items() if name not in OUTCOME}
        front = np.array(metadata["front"], np.int64)
        return cls(path, space, tuple(metadata["objectives"]), front, parts, setting)

    def chunks(self, names: Sequence[str], constraints: Sequence[str] = ()) -> Iterator[dict[str, NDArray[Any]]]:
        """The feasible designs that meet the run's constraints and further ones: ``id`` and the columns ``names``."""
        space = self.space.restricted(constraints)
        needed = {*names, *(name for constraint in space.constraints for name in constraint.names)}
        for part in self.parts:
            table = _read(part, ["reason", *(name for name in METRICS if name in needed)])
            table = table.filter(pc.equal(table["reason"], 0))
            columns = {name: table[name].to_numpy() for name in table.column_names}
            parameters = [name for name in PARAMETERS if name in needed]
            columns |= space.columns(space.indices(columns["id"]), parameters)
            held = [constraint.holds(columns) for constraint in space.constraints]
            keep = np.logical_and.reduce([np.ones(len(columns["id"]), bool), *held])
            yield {name: columns[name][keep] for name in dict.fromkeys(["id", *names])}

    def designs(self, ids: Ids) -> pd.DataFrame:
        """A row per design of ``ids``: id, parameters, metrics."""
        firsts = [int(part.name.partition("-")[0]) for part in self.parts]
        place = np.searchsorted(firsts, ids, side="right") - 1
        tables = []
        for number in np.unique(place):
            table = _read(self.parts[number], list(METRICS))
            tables.append(table.filter(pc.is_in(table["id"], pa.array(ids[place == number]))))
        metrics = pa.concat_tables(tables).to_pandas().set_index("id").loc[ids]
        return pd.DataFrame(
            {"id": ids, **self.space.values(ids), **{name: metrics[name].to_numpy() for name in METRICS}}
        )

    def front(self, objectives: Sequence[str] = (), constraints: Sequence[str] = ()) -> pd.DataFrame:
        """The designs on the front, best first objective first: id, parameters, metrics.

        Other objectives and further constraints than the run's give another front, exact too; that of one objective is
        the best design. InputError if no design meets the constraints.
        """
        objectives = check_objectives(list(objectives or self.objectives))
        if tuple(objectives) == self.objectives and not constraints:
            return self.designs(self.front_ids)
        builder = FrontBuilder(objectives)
        for columns in self.chunks(objectives, constraints):
            builder.add(columns)
        ids = builder.columns["id"]
        if not len(ids):
            raise self.none_meets(constraints)
        return self.designs(ids[np.lexsort((ids, to_minimise(builder.columns, objectives[:1])[:, 0]))])

    def none_meets(self, constraints: Sequence[str]) -> InputError:
        """The error for ``constraints`` that no design meets, with the ranges of the metrics that they name."""
        named = {name for limit in self.space.restricted(constraints).constraints for name in limit.names}
        names = [name for name in METRICS if name in named]
        values = [{name: columns[name] for name in names} for columns in self.chunks(names)]
        least = pd.DataFrame([{n: c.min(initial=np.inf) for n, c in columns.items()} for columns in values])
        most = pd.DataFrame([{n: c.max(initial=-np.inf) for n, c in columns.items()} for columns in values])
        ranges = ", ".join(f"{name} ranges from {least[name].min():.4g} to {most[name].max():.4g}" for name in names)
        return InputError(f"no design in {self.path} meets {' and '.join(constraints)}{ranges and f': {ranges}'}")


def _read(part: Path, names: list[str]) -> pa.Table:
    return pq.ParquetFile(part).read(columns=["id", *names])
