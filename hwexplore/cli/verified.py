"""What a verification found, as tables and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from hwexplore.cli.console import print_line, print_table

if TYPE_CHECKING:
    from hwexplore.calibration.rtl_checks import ArrayCheck, CoreCheck
    from hwexplore.calibration.verify import Candidate, Ranking, Synthesised

__all__ = ["Checked", "print_verified", "record"]

NETLIST = ("period_ps", "shortest_ps", "area_um2", "leakage_uw", "mapping")
OF_CANDIDATE = ("number", "candidate", "pe", "period_ps")


class Checked(NamedTuple):
    """A candidate with what simulation said of its core and of its arrays, by name; None where there is no RTL."""

    candidate: Candidate
    core: CoreCheck
    arrays: dict[str, ArrayCheck | None]

    @property
    def holds(self) -> bool:
        """Whether all RTL does what the models say."""
        return self.core.holds and all(array is None or array.holds for array in self.arrays.values())


def record(
    taken: str,
    checked: Sequence[Checked],
    done: Sequence[Synthesised],
    compared: pd.DataFrame,
    rankings: Sequence[Ranking],
) -> dict[str, Any]:
    """All that was found, as values that JSON can hold."""
    synthesised = {one.number: one for one in done}
    pes = []
    for number, (candidate, core, arrays) in enumerate(checked):
        result = synthesised.get(number)
        netlist: dict[str, Any] | None = None
        if result is not None and result.chosen is not None:
            netlist = {name: getattr(result.chosen, name) for name in NETLIST} | dict(result.figures or {})
        rows = compared[compared["number"] == number] if len(compared) else compared
        pes.append(
            {
                "pe": str(candidate.pe),
                "period_ps": candidate.period_ps,
                "designs": list(candidate.designs),
                "core": asdict(core),
                "arrays": {name: None if array is None else asdict(array) for name, array in arrays.items()},
                "netlist": netlist,
                "failure": None if result is None else result.failure or None,
                "compared": rows.drop(columns=list(OF_CANDIDATE), errors="ignore").to_dict("records"),
            }
        )
    return {"taken": taken, "pes": pes, "rankings": [asdict(ranking) for ranking in rankings]}


def print_verified(
    taken: str,
    checked: Sequence[Checked],
    done: Sequence[Synthesised],
    compared: pd.DataFrame,
    rankings: Sequence[Ranking],
) -> None:
    rows = []
    for candidate, core, arrays in checked:
        wrong = f"{core.mismatches} differ" if core.mismatches else "bit exact"
        products = "\n".join(f"{name}: {_product(array)}" for name, array in arrays.items())
        rows.append([candidate.label, ", ".join(map(str, candidate.designs)), f"{core.cycles:,}: {wrong}", products])
    print_table(taken, ["PE at the period of its clock", "designs", "cycles of the core", "products on arrays"], rows)

    netlists = {one.number: one.chosen for one in done if one.chosen is not None}
    if netlists:
        table = []
        for number, chosen in sorted(netlists.items()):
            candidate = checked[number].candidate
            metrics = compared[compared["number"] == number]
            figures = [
                f"{chosen.area_um2:.5g}",
                f"{chosen.period_ps:.0f}{_late(chosen.period_ps, candidate.period_ps)}",
            ]
            for row in metrics.itertuples():
                mark = "" if row.inside else " (outside)"
                figures += [f"{row.mid:.4g} [{row.low:.4g} .. {row.high:.4g}]", f"{row.measured:.4g}{mark}"]
            table.append([candidate.label, *figures])
        metrics = compared.drop_duplicates("metric")
        headings = [heading for row in metrics.itertuples() for heading in (f"{row.metric}\n{row.unit}", "measured")]
        print_table(
            "predicted [90 % interval] beside synthesised; the period is the shortest",
            ["PE at the period of its clock", "um2", "netlist's ps", *headings],
            table,
        )
    for ranking in rankings:
        tau = "no order to compare" if ranking.tau is None else f"Kendall's tau {ranking.tau:.2f}"
        print_line(f"ranking by {ranking.metric}: {tau} over {ranking.count}, {len(ranking.swapped)} pairs swapped")
        for first, second, predicted, measured in ranking.swapped:
            print_line(f"  {first} : {second}, predicted {predicted:.3f}, measured {measured:.3f}")


def _product(check: ArrayCheck | None) -> str:
    if check is None:
        return "no RTL for operands of two formats"
    wrong = f"{check.different} differ" if check.different else "bit exact"
    model = "as in the model" if check.cycles == check.model_cycles else f"{check.model_cycles:,} in the model"
    return f"{check.m} x {check.n} x {check.k} {wrong}, {check.cycles:,} cycles, {model}"


def _late(period_ps: float, wanted_ps: float) -> str:
    return f" (late by {100 * (period_ps / wanted_ps - 1):.0f} %)" if period_ps > wanted_ps else ""
