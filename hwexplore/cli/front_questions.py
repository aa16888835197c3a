"""``hwexplore front``: questions about finished explorations."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pandas as pd
import typer

from hwexplore.accelerator import METRICS
from hwexplore.cli.console import print_json, print_line, print_table
from hwexplore.cli.frames import print_frame, records
from hwexplore.cli.front import print_designs
from hwexplore.search import MAXIMISED, Run, iso_error
from hwexplore.search import diff as front_diff
from hwexplore.search import knee as front_knee

__all__ = ["app"]

app = typer.Typer(help="Ask what a finished exploration found, see docs/questions.md.", no_args_is_help=True)

FEW = 5
"""Designs gone and new that are printed."""

Folder = Annotated[Path, typer.Argument(help="Folder of designs, from 'hwexplore explore --out FOLDER.parquet'.")]
Objectives = Annotated[
    list[str], typer.Option("--objective", help="Metric of the front, if not those of the run; repeat for several.")
]
Constraints = Annotated[
    list[str], typer.Option("--constraint", help="Besides those of the run, as in 'area_mm2 < 50'; repeat for several.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command()
def best(
    folder: Folder,
    objective: Annotated[str | None, typer.Option(help="Metric; the first of the run unless given.")] = None,
    constraint: Constraints = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Print the best design under a budget.

    Example: hwexplore front best designs.parquet --objective energy_j --constraint "area_mm2 < 50"
    """
    run = Run.read(folder)
    objective = run.objectives[0] if objective is None else objective
    design = run.front([objective], constraint)
    if json:
        print_json(records(design)[0])
        return
    limits = " and ".join(map(str, run.space.restricted(constraint).constraints))
    value, unit = design[objective].item(), METRICS[objective][0]
    print_designs(f"{_most(objective)} {objective}{limits and f' with {limits}'}: {value:.4g} {unit}", design)


@app.command()
def knee(
    folder: Folder,
    objective: Objectives = [],  # noqa: B006
    constraint: Constraints = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Print the knee of the front: the design that gives up least in sum, each objective from its best to its worst.

    Example: hwexplore front knee designs.parquet --constraint "error < 0.01"
    """
    run = Run.read(folder)
    names = objective or run.objectives
    front = run.front(names, constraint)
    design = front.iloc[[front_knee(front, names)]]
    if json:
        print_json(records(design)[0])
        return
    print_designs(f"knee of {len(front)} designs on the front of {', '.join(names)}", design)
    rows = []
    for name in names:
        low, high, value = front[name].min(), front[name].max(), design[name].item()
        ends = (high, low) if name in MAXIMISED else (low, high)
        factor = f"{max(value, ends[0]) / min(value, ends[0]):.3g}" if low > 0 else ""
        rows.append([name, METRICS[name][0], *(f"{v:.4g}" for v in (ends[0], value, ends[1])), factor])
    print_table(
        "what it gives up", ["objective", "unit", "best on the front", "knee", "worst", "factor from the best"], rows
    )


@app.command()
def formats(
    folder: Folder,
    error: Annotated[float, typer.Option(help="Most error that is allowed.")],
    by: Annotated[str, typer.Option(help="What is compared: policy, weights, activations, kv_cache or pe.")] = "policy",
    constraint: Constraints = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Compare formats at equal error: the best that each does within a bound.

    Example: hwexplore front formats designs.parquet --error 0.01 --by weights
    """
    run = Run.read(folder)
    table = iso_error(run, error, by, constraint).reset_index()
    if json:
        print_json(records(table))
        return
    beyond = table[[name for name in table if name not in (by, "error")]].isna().all(axis=1)
    within = table[~beyond].rename(columns={"error": "least error"})
    print_frame(f"best of each {by} with error <= {error:g}, and the id of its design", within)
    for row in table[beyond].to_dict("records"):
        print_line(f"{row[by]} stays above: its least error is {row['error']:.4g}")


@app.command()
def diff(
    a: Folder,
    b: Folder,
    objective: Objectives = [],  # noqa: B006
    constraint: Constraints = [],  # noqa: B006
    json: Json = False,
) -> None:
    """Print what is different between two fronts: designs gone, new and moved, and how much each front dominates.

    Example: hwexplore front diff before.parquet after.parquet
    """
    found = front_diff(Run.read(a), Run.read(b), objective, constraint)
    if json:
        tables = {name: records(getattr(found, name)) for name in ("gone", "new", "kept")}
        told = {name: getattr(found, name) for name in ("objectives", "setting", "hypervolume")}
        print_json({**told, **tables})
        return
    print_line(
        f"{len(found.kept)} designs on both fronts of {', '.join(found.objectives)}, {found.moved.sum()} of them "
        f"moved; {len(found.gone)} gone, {len(found.new)} new"
    )
    for name, (first, second) in found.setting.items():
        print_line(f"{name}: {first} -> {second}")
    before, after = found.hypervolume
    print_line(f"hypervolume, as a share of the box of both: {before:.4g} -> {after:.4g} ({after / before - 1:+.2%})")
    if found.moved.any():
        _print_factors(found.kept[found.moved], found.objectives)
    for name, designs in (("gone", found.gone), ("new", found.new)):
        for why, some in designs.groupby("other"):
            shown = f", the first {FEW}" if len(some) > FEW else ""
            place = b if name == "gone" else a
            print_designs(f"{name}: {len(some)} designs, in {place} {why}{shown}", some.head(FEW))


def _print_factors(moved: pd.DataFrame, objectives: tuple[str, ...]) -> None:
    """How the objectives of designs on both fronts changed."""
    rows = []
    for name in objectives:
        factor = moved[f"{name}_b"] / moved[f"{name}_a"]
        rows.append([name, *(f"{value:.4g}" for value in (factor.min(), factor.median(), factor.max()))])
    print_table("moved: second over first", ["objective", "least", "median", "most"], rows)


def _most(objective: str) -> str:
    return "highest" if objective in MAXIMISED else "lowest"
