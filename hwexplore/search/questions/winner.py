"""What changes the winner: the best design in each of several settings, and where another takes over."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise, product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from hwexplore import technology as technologies
from hwexplore import workloads
from hwexplore.accelerator import PARAMETERS, Fidelity
from hwexplore.errors import InputError, unknown
from hwexplore.search.exhaustive import feasible_designs
from hwexplore.search.front import Problem
from hwexplore.search.pareto import check_objectives, to_minimise
from hwexplore.search.space import Space
from hwexplore.search.store import Chunk

__all__ = ["SETTINGS", "flips", "winner"]

SETTINGS: dict[str, Any] = {"phase": "decode", "batch": 1, "context": 2048, "technology": "nangate45"}
"""What can be varied besides the parameters of designs, and what it is unless given."""


def winner(
    workload: str | Path,
    space: Space,
    vary: Mapping[str, Sequence[Any]],
    objective: str = "edp_js",
    constraints: Sequence[str] = (),
    setting: Mapping[str, Any] | None = None,
    fidelity: Fidelity = "tile",
    jobs: int = 1,
    progress: Callable[[int], None] | None = None,
) -> pd.DataFrame:
    """The best design in every combination of the values in ``vary``, a row each, the last name varying fastest.

    Names are those of `SETTINGS`, for which ``setting`` has the values that do not vary, and parameters, whose values
    take the place of those in ``space``. Columns: the names varied, the other parameters and the metrics of the winner,
    ``runner_up``, the policy of the best design with any other policy, and ``margin``, by what factor that is worse.
    Where no design is feasible within the constraints only the names varied have values; InputError if that is so
    everywhere. ``progress`` is called with the number of combinations done.
    """
    [objective] = check_objectives([objective])
    fixed = {**SETTINGS, **(setting or {})}
    for name in (*vary, *fixed):
        if name not in SETTINGS and (name in fixed or name not in PARAMETERS):
            raise unknown("setting", name, {**SETTINGS, **PARAMETERS})
    for name, values in vary.items():
        if not len(values) or len(set(map(str, values))) < len(values):
            raise InputError(
                f"{name} varies over {', '.join(map(str, values)) or 'nothing'}; expected different values"
            )
    rows = []
    for values in product(*vary.values()):
        chosen = dict(zip(vary, values, strict=True))
        context = {**fixed, **{name: value for name, value in chosen.items() if name in SETTINGS}}
        network = workloads.load(workload, phase=context["phase"], batch=context["batch"], context=context["context"])
        designs = space.with_values(**{name: value for name, value in chosen.items() if name in PARAMETERS})
        node = technologies.load(context["technology"])
        problem = Problem(designs.restricted(constraints), network, node, fidelity)
        rows.append({**chosen, **_best(problem, objective, jobs)})
        if progress is not None:
            progress(len(rows))
    table = pd.DataFrame(rows)
    if objective not in table:
        limits = " and ".join(map(str, [*space.constraints, *constraints]))
        raise InputError(f"no design of the space is feasible{limits and f' and meets {limits}'} in any setting")
    return table


def flips(
    winners: pd.DataFrame, vary: Mapping[str, Sequence[Any]], of: Sequence[str] = ("policy", "pe")
) -> pd.DataFrame:
    """Where the winner changes along one name varied while the others stay.

    A row per change: ``name``, its values ``before`` and ``after``, ``where`` (the others), and ``loser`` and
    ``winner``: their parameters ``of``, by which winners are told apart; empty where nothing is feasible.
    """
    settings = list(product(*vary.values()))
    grid = np.arange(len(settings)).reshape(tuple(map(len, vary.values())))
    told_by = [name for name in of if name not in vary]
    held = [{name: row[name] for name in told_by if not pd.isna(row[name])} for _, row in winners.iterrows()]
    rows = []
    for axis, (name, values) in enumerate(vary.items()):
        for line in np.moveaxis(grid, axis, -1).reshape(-1, len(values)):
            for (old, before), (new, after) in pairwise(zip(line, values, strict=True)):
                if held[old] != held[new]:
                    where = {other: value for other, value in zip(vary, settings[old], strict=True) if other != name}
                    rows.append((name, before, after, where, held[old], held[new]))
    return pd.DataFrame(rows, columns=["name", "before", "after", "where", "loser", "winner"])


def _best(problem: Problem, objective: str, jobs: int) -> dict[str, Any]:
    """Parameters and metrics of the best design, the best other policy, and how far it is behind."""
    policies = problem.space.labels("policy")
    cost, ids = np.full(len(policies), np.inf), np.zeros(len(policies), np.int64)
    for chunk in feasible_designs(problem, partial(_best_of_policies, space=problem.space, objective=objective), jobs):
        policy, found = problem.space.indices(chunk.ids)["policy"], to_minimise(chunk.columns, [objective])[:, 0]
        better = found < cost[policy]
        cost[policy[better]], ids[policy[better]] = found[better], chunk.ids[better]
    order = np.lexsort((ids, cost))
    if not np.isfinite(cost[order[0]]):
        return {}
    design = {str(name): column.iloc[0] for name, column in problem.evaluate(ids[order[:1]]).items()}
    del design["id"], design["reason"]
    if len(order) == 1 or not np.isfinite(cost[order[1]]):
        return {**design, "runner_up": None, "margin": np.nan}
    least, second = np.abs(cost[order[:2]])
    return {**design, "runner_up": policies[order[1]], "margin": max(least, second) / min(least, second)}


def _best_of_policies(chunk: Chunk, space: Space, objective: str) -> Chunk:
    """The best design of each policy, of equal ones the first."""
    policy, cost = space.indices(chunk.ids)["policy"], to_minimise(chunk.columns, [objective])[:, 0]
    order = np.lexsort((chunk.ids, cost, policy))
    return chunk.of(order[np.diff(policy[order], prepend=-1) > 0])
