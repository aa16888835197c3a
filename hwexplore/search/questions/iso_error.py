"""Formats compared at equal error."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd

from hwexplore.errors import InputError, unknown
from hwexplore.search.pareto import to_minimise
from hwexplore.search.questions.run import Run
from hwexplore.workloads import Policy

__all__ = ["GROUPS", "iso_error"]

GROUPS: dict[str, tuple[str, Callable[[str], str]]] = {
    "policy": ("policy", str),
    "weights": ("policy", lambda policy: str(Policy.parse(policy).weights)),
    "activations": ("policy", lambda policy: str(Policy.parse(policy).activations)),
    "kv_cache": ("policy", lambda policy: str(Policy.parse(policy).kv_cache)),
    "pe": ("pe", str),
}
"""What is compared: the parameter that it comes from, and how. Of mixed policies, the formats of most layers."""


def iso_error(run: Run, error: float, by: str = "policy", constraints: Sequence[str] = ()) -> pd.DataFrame:
    """The best that each format does within an ``error``: a row per policy, format of one operand, or PE (``by``).

    Columns: ``error``, the least that it reaches, then for each objective of the run the best value and, as
    ``NAME_id``, its design. Every objective is best by itself, on a design of its own. Best of the first objective
    first; formats that stay above ``error`` come last, with nothing in these columns. InputError if all do.
    """
    if by not in GROUPS:
        raise unknown("comparison by", by, GROUPS)
    if not error >= 0:
        raise InputError(f"error is {error}; expected a bound of 0 or more")
    parameter, label = GROUPS[by]
    objectives = [name for name in run.objectives if name != "error"]
    if not objectives:
        raise InputError(f"{run.path} has error as its only objective; formats are compared by others")
    labels = {str(value): label(str(value)) for value in run.space.choices.values[parameter]}
    parts = []
    for columns in run.chunks(["error", *objectives, parameter], constraints):
        group = pd.Series(columns[parameter], dtype=object).map(labels)
        costs = pd.DataFrame(to_minimise(columns, ["error", *objectives]), columns=["error", *objectives])
        costs.loc[costs["error"] > error, objectives] = np.inf
        for name in costs:
            first = costs[name].groupby(group).idxmin()
            parts.append(
                pd.DataFrame(
                    {
                        "format": first.index,
                        "of": name,
                        "cost": costs[name].to_numpy()[first],
                        "value": columns[str(name)][first],
                        "id": columns["id"][first],
                    }
                )
            )
    found = pd.concat(parts, ignore_index=True)
    if found.empty:
        raise run.none_meets(constraints)
    found = found.loc[found.groupby(["format", "of"])["cost"].idxmin()].set_index(["format", "of"])
    reached = found[np.isfinite(found["cost"])]
    if set(reached.index.get_level_values("of")) == {"error"}:
        least = reached["value"].min()
        raise InputError(f"error is {error:g}; no design in {run.path} stays within it, the least is {least:.4g}")
    values, ids = reached["value"].unstack(), reached["id"].unstack().astype("Int64")
    table: pd.DataFrame = values[["error", *objectives]].rename_axis(index=by, columns=None)
    for number, name in enumerate(objectives):
        table.insert(2 * number + 2, f"{name}_id", ids[name])
    order = to_minimise({name: table[name] for name in objectives}, objectives[:1])[:, 0]
    return table.iloc[np.lexsort((table["error"], order))]
