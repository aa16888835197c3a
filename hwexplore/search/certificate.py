"""Why a front that branch and bound found is exact: boxes, and what keeps each off the front."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import moocore
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.search.boxed_problem import INFEASIBLE, NOTHING, OUTSIDE, BoxedProblem
from hwexplore.search.boxes import BoxTree
from hwexplore.search.front import Problem
from hwexplore.search.staircase import excludes

__all__ = ["Certificate"]

Ids = NDArray[np.int64]

AT_A_TIME = 2**15
KEY = b"hwexplore certificate"


@dataclass(frozen=True)
class Certificate:
    """Boxes that make up a space, and what keeps the members of each off the front.

    Box i begins with design ``first[i]`` in the numbering of `BoxTree` and fixes ``depth[i]`` parameters. ``by[i]`` is
    the number in the space of a design that dominates all members (or equals them and comes first), ``NOTHING`` for a
    box of one design that was evaluated, ``OUTSIDE`` if a constraint excludes all, ``INFEASIBLE - r`` if they are
    infeasible for the reason r. ``opened`` is how many boxes were looked at.
    """

    first: Ids
    depth: NDArray[np.int8]
    by: Ids
    opened: int

    def __len__(self) -> int:
        return len(self.first)

    def designs(self, problem: Problem) -> dict[str, int]:
        """How many designs were evaluated, dominated, outside the constraints and infeasible."""
        sizes = BoxTree(problem.space).sizes[self.depth]
        cases = {
            "evaluated": self.by == NOTHING,
            "dominated": self.by >= 0,
            "outside": self.by == OUTSIDE,
            "infeasible": self.by < INFEASIBLE,
        }
        return {case: int(sizes[where].sum()) for case, where in cases.items()}

    def check(self, boxed: BoxedProblem, ids: Ids) -> None:
        """Raise InputError unless this proves that the designs ``ids`` are the front.

        All bounds are computed again, and all designs that were evaluated or dominate a box are evaluated again.
        """
        tree = BoxTree(boxed.problem.space)
        _, least = tree.roots()
        if not ((least <= self.depth) & (self.depth <= tree.depth)).all():
            raise InputError(f"the certificate has boxes of a depth other than {least} to {tree.depth}")
        sizes = tree.sizes[self.depth]
        if not np.array_equal(np.append(self.first, tree.space.size), np.append(0, self.first + sizes)):
            raise InputError("the certificate's boxes leave out designs of the space, or take some twice")
        if (self.first % sizes).any():
            raise InputError("the certificate has a box that does not begin where the parameters that it fixes do")
        known, points = boxed.points(np.unique(self.by[(self.by >= 0) & (self.by < tree.space.size)]))
        for depth in np.unique(self.depth):
            (boxes,) = np.nonzero(self.depth == depth)
            for part in np.array_split(boxes, -(-boxes.size // AT_A_TIME)):
                first, by = self.first[part], self.by[part]
                bounds, off = boxed.bounds(tree.index(first, int(depth)))
                proved = np.where(by == NOTHING, depth == tree.depth, by == off)
                (named,) = np.nonzero(np.isin(by, known))
                dominators = np.searchsorted(known, by[named])
                proved[named] = excludes(points[dominators], by[named], bounds[named], tree.ids(first[named]))
                for box in part[~proved][:1]:
                    raise InputError(
                        f"the certificate does not prove that its box {box}, of {sizes[box]:,} designs, has none on "
                        f"the front: by = {self.by[box]}"
                    )
        evaluated, points = boxed.points(np.sort(tree.ids(self.first[self.by == NOTHING])))
        front = evaluated[moocore.is_nondominated(points)] if len(points) else evaluated
        if not np.array_equal(front, np.sort(ids)):
            raise InputError(f"the certificate's designs have a front of {len(front)}, which is not that of {len(ids)}")

    def write(self, path: str | Path) -> None:
        """Write a Parquet file with a row for each box."""
        table = pa.table({"first": self.first, "depth": self.depth, "by": self.by})
        try:
            pq.write_table(table.replace_schema_metadata({KEY: json.dumps({"opened": self.opened})}), path)
        except OSError as error:
            raise InputError(f"certificate {path} cannot be written: {error.strerror}") from None

    @classmethod
    def read(cls, path: str | Path) -> Certificate:
        """From a file that `write` wrote."""
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowInvalid) as error:
            raise InputError(f"{path} is not a readable Parquet file: {error}") from None
        metadata = table.schema.metadata or {}
        if KEY not in metadata:
            raise InputError(f"{path} is no certificate of an exact search")
        first, depth, by = (table[name].to_numpy() for name in ("first", "depth", "by"))
        return cls(first, depth, by, json.loads(metadata[KEY])["opened"])
