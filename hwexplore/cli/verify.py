"""``hwexplore verify``: the PEs of a front in RTL, simulated and synthesised, beside what was predicted."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import pandas as pd
import typer
from rich.console import Console

from hwexplore.cli.calibrate import CACHE
from hwexplore.cli.console import errors, output, print_json, print_table, progress_bar
from hwexplore.cli.stored_front import load_front
from hwexplore.errors import InputError

if TYPE_CHECKING:
    from hwexplore.calibration.rtl_checks import ArrayCheck, CoreCheck
    from hwexplore.calibration.runs import Node
    from hwexplore.calibration.verify import Candidate, Ranking, Synthesised

__all__ = ["verify"]

NETLIST = ("period_ps", "shortest_ps", "area_um2", "leakage_uw", "mapping")
OF_CANDIDATE = ("number", "candidate", "pe", "period_ps")


def verify(
    front: Annotated[Path, typer.Argument(help="What 'hwexplore explore --out' wrote of its designs.")],
    top: Annotated[int, typer.Option(help="Designs of the front whose PEs are built.")] = 8,
    by: Annotated[
        str | None,
        typer.Option(help="Metric by whose best designs PEs are taken, TOP of them; else TOP that span the front."),
    ] = None,
    liberty: Annotated[
        list[Path] | None,
        typer.Option(help="Liberty file (.lib or .lib.gz) of the front's technology; repeat it. nangate45 has one."),
    ] = None,
    vectors: Annotated[int, typer.Option(min=1, help="Operand pairs that each core is simulated on.")] = 10_000,
    out: Annotated[Path | None, typer.Option("-o", "--out", help="Parquet table of the comparison.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="PEs in synthesis at a time.")] = os.cpu_count() or 1,
    cache: Annotated[Path, typer.Option(help="Where finished work is kept; a run goes on from there.")] = CACHE,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Build the PEs of a front: RTL against the golden model, synthesis against the prediction, and the ranking.

    Example: hwexplore verify designs.parquet --top 8
    """
    from hwexplore.calibration import verify as verification
    from hwexplore.calibration.rtl_checks import check_arrays, check_cores
    from hwexplore.calibration.tables import write
    from hwexplore.rtl.requirements import require
    from hwexplore.rtl.simulator import find

    stored = load_front(front)
    technology, operands = stored.problem.technology, stored.problem.operands
    verification.check_cells(technology)
    require("amaranth", "pyosys")
    simulator = find("verilator")
    node = _node(technology.name, liberty or [], cache)
    verification.check_voltage(node, technology)
    found = verification.candidates(stored, top, by)
    pes = list(dict.fromkeys(candidate.pe for candidate in found))
    arrays = list(dict.fromkeys(array for one in found for array in one.arrays.values() if array is not None))
    taken = (
        f"{sum(len(one.designs) for one in found)} of the {len(stored)} designs of the front"
        + (" that span it" if by is None else f" that are best by {by}")
        + f": {len(found)} PEs at their clocks, on {technology.name} at {technology.voltage:g} V"
    )
    done: list[Synthesised] = []
    interrupted = False
    with progress_bar() as bar:
        task = bar.add_task("RTL", total=2)
        of_pe = dict(zip(pes, check_cores(pes, vectors, simulator, cache / "rtl"), strict=True))
        bar.advance(task)
        of_array = dict(zip(arrays, check_arrays(arrays, simulator, cache / "rtl"), strict=True))
        bar.update(task, description="synthesis", completed=0, total=len(found))
        try:
            for one in verification.run(found, node, operands, jobs):
                done.append(one)
                bar.advance(task)
        except KeyboardInterrupt:
            interrupted = True

    checked = [
        Checked(one, of_pe[one.pe], {name: of_array[array] if array else None for name, array in one.arrays.items()})
        for one in found
    ]
    compared = verification.compare(found, done, technology, operands)
    rankings = verification.rank(compared) if len(compared) else []
    if out is not None:
        write(compared, out)
    if json:
        print_json(_record(taken, checked, done, compared, rankings))
    else:
        _print(taken, checked, done, compared, rankings)
    for failed in done:
        if failed.failure:
            _say(f"{found[failed.number].label}: {failed.failure}", errors)
    if interrupted:
        _say(f"interrupted: {len(done)} of {len(found)} PEs are done and kept; the same command goes on", errors)
        raise typer.Exit(130)
    if not all(one.holds for one in checked) or any(one.failure for one in done):
        raise typer.Exit(1)


class Checked(NamedTuple):
    """A candidate with what simulation said of its core and of its arrays, by name; None where there is no RTL."""

    candidate: Candidate
    core: CoreCheck
    arrays: dict[str, ArrayCheck | None]

    @property
    def holds(self) -> bool:
        """Whether all RTL does what the models say."""
        return self.core.holds and all(array is None or array.holds for array in self.arrays.values())


def _node(technology: str, liberty: list[Path], cache: Path) -> Node:
    from hwexplore.calibration.primitives import nangate45
    from hwexplore.calibration.runs import AVOIDED, Node

    if not liberty and technology != "nangate45":
        raise InputError(f"the cells of {technology} are needed: --liberty FILE (.lib or .lib.gz)")
    for path in liberty:
        if not path.is_file():
            raise InputError(f"--liberty {path}: there is no such file")
    return Node(technology, tuple(liberty or [nangate45()]), cache, AVOIDED.get(technology, ()))


def _record(
    taken: str,
    checked: Sequence[Checked],
    done: Sequence[Synthesised],
    compared: pd.DataFrame,
    rankings: Sequence[Ranking],
) -> dict[str, Any]:
    """What was found, as values that JSON can hold."""
    synthesised = {one.number: one for one in done}
    pes = []
    for number, (candidate, core, arrays) in enumerate(checked):
        result = synthesised.get(number)
        netlist = result and result.chosen and {name: getattr(result.chosen, name) for name in NETLIST}
        rows = compared[compared["number"] == number] if len(compared) else compared
        pes.append(
            {
                "pe": str(candidate.pe),
                "period_ps": candidate.period_ps,
                "designs": list(candidate.designs),
                "core": asdict(core),
                "arrays": {name: None if array is None else asdict(array) for name, array in arrays.items()},
                "netlist": netlist and {**netlist, **(result.figures or {})},
                "failure": None if result is None else result.failure or None,
                "compared": rows.drop(columns=list(OF_CANDIDATE), errors="ignore").to_dict("records"),
            }
        )
    return {"taken": taken, "pes": pes, "rankings": [asdict(ranking) for ranking in rankings]}


def _print(
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
        for number, metrics in compared.groupby("number"):
            chosen, candidate = netlists[int(number)], checked[int(number)].candidate
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
        _say(f"ranking by {ranking.metric}: {tau} over {ranking.count}, {len(ranking.swapped)} pairs swapped")
        for first, second, predicted, measured in ranking.swapped:
            _say(f"  {first} : {second}, predicted {predicted:.3f}, measured {measured:.3f}")


def _product(check: ArrayCheck | None) -> str:
    if check is None:
        return "no RTL for operands of two formats"
    wrong = f"{check.different} differ" if check.different else "bit exact"
    model = "as in the model" if check.cycles == check.model_cycles else f"{check.model_cycles:,} in the model"
    return f"{check.m} x {check.n} x {check.k} {wrong}, {check.cycles:,} cycles, {model}"


def _late(period_ps: float, wanted_ps: float) -> str:
    return f" (late by {100 * (period_ps / wanted_ps - 1):.0f} %)" if period_ps > wanted_ps else ""


def _say(text: str, console: Console = output) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
