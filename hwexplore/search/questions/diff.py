"""What is different between two fronts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import moocore
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.accelerator import METRICS, PARAMETERS
from hwexplore.errors import InputError
from hwexplore.search.questions.run import Run
from hwexplore.search.questions.scale import scaled

__all__ = ["FrontDiff", "diff"]


@dataclass(frozen=True, kw_only=True)
class FrontDiff:
    """What it takes to get from one front to another; designs are the same if all their parameters are.

    ``gone`` are the designs on the first front alone, ``new`` those on the second, each a table of id, parameters,
    metrics, and ``other``: what became of the design in the other run. ``kept`` are those on both: parameters, ``id_a``
    and ``id_b``, and every metric as ``NAME_a`` and ``NAME_b``; ``moved`` says which of them have another value of an
    objective. ``hypervolume`` is the share that each front dominates of the box between the best and the worst values
    on both, in logarithms (see `scaled`). ``setting`` has what the runs were given differently: workload, batch, ...
    """

    objectives: tuple[str, ...]
    setting: Mapping[str, tuple[Any, Any]]
    gone: pd.DataFrame
    new: pd.DataFrame
    kept: pd.DataFrame
    moved: NDArray[np.bool_]
    hypervolume: tuple[float, float]


def diff(a: Run, b: Run, objectives: Sequence[str] = (), constraints: Sequence[str] = ()) -> FrontDiff:
    """The differences between the fronts of two runs.

    InputError for runs of different objectives; ``objectives`` gives both the same, ``constraints`` further ones.
    """
    if not objectives and set(a.objectives) != set(b.objectives):
        raise InputError(
            f"{a.path} has the front of {', '.join(a.objectives)}, {b.path} that of {', '.join(b.objectives)}; "
            "name the objectives to compare them by"
        )
    names = tuple(objectives or a.objectives)
    fronts = [run.front(names, constraints) for run in (a, b)]
    keyed = [_with_texts(run, front) for run, front in zip((a, b), fronts, strict=True)]
    kept = keyed[0].merge(keyed[1], on=list(PARAMETERS), suffixes=("_a", "_b"))
    gone = fronts[0][~fronts[0]["id"].isin(kept["id_a"])].reset_index(drop=True)
    new = fronts[1][~fronts[1]["id"].isin(kept["id_b"])].reset_index(drop=True)
    moved = [(kept[f"{name}_a"] != kept[f"{name}_b"]).to_numpy() for name in names]
    both = pd.concat(fronts)
    shares = [_dominated(scaled(front, names, both)) for front in fronts]
    return FrontDiff(
        objectives=names,
        setting={
            name: (a.setting.get(name), b.setting.get(name))
            for name in {**a.setting, **b.setting}
            if a.setting.get(name) != b.setting.get(name)
        },
        gone=gone.assign(other=_whereabouts(a, gone, b, constraints)),
        new=new.assign(other=_whereabouts(b, new, a, constraints)),
        kept=kept,
        moved=np.logical_or.reduce(moved),
        hypervolume=(shares[0], shares[1]),
    )


def _with_texts(run: Run, front: pd.DataFrame) -> pd.DataFrame:
    """The front with its parameters as the texts that they have in every space."""
    index = run.space.indices(front["id"].to_numpy())
    values = run.space.choices.values
    texts = {name: np.array([*map(str, values[name])], object)[index[name]] for name in PARAMETERS}
    return pd.DataFrame({"id": front["id"], **texts, **{name: front[name] for name in METRICS}})


def _whereabouts(run: Run, designs: pd.DataFrame, other: Run, constraints: Sequence[str]) -> NDArray[np.object_]:
    """What became of the designs of ``run`` in the ``other`` run, of whose front they are not."""
    texts = _with_texts(run, designs)
    index = {}
    for name, values in other.space.choices.values.items():
        places = {str(value): place for place, value in enumerate(values)}
        index[name] = texts[name].map(places).fillna(-1).to_numpy(np.intp)
    known = np.logical_and.reduce([column >= 0 for column in index.values()])
    inside = {name: np.maximum(column, 0) for name, column in index.items()}
    followed = other.space.follow(inside)
    known &= np.logical_and.reduce([followed[name] == inside[name] for name in PARAMETERS])
    ids = other.space.ids(inside)
    possible = np.zeros(len(ids), bool)
    for chunk in other.chunks([], constraints):
        possible |= np.isin(ids, chunk["id"])
    dominated, excluded, outside = "dominated or equalled", "infeasible or beyond a constraint", "not in its space"
    return np.select([known & possible, known], np.array([dominated, excluded], object), outside)


def _dominated(points: NDArray[np.float64]) -> float:
    return float(moocore.hypervolume(points, ref=np.ones(points.shape[1])))
