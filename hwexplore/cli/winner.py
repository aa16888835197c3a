"""``hwexplore winner``."""

from __future__ import annotations

import re
from math import prod
from typing import Annotated, Any

import typer

from hwexplore.accelerator import PARAMETERS
from hwexplore.cli.console import print_json, print_line, progress_bar
from hwexplore.cli.frames import cell, print_frame, records
from hwexplore.cli.options import Batch, Context, FidelityOption, Phase, SpaceFile, TechnologyName, load_space
from hwexplore.errors import InputError, unknown
from hwexplore.search import flips
from hwexplore.search import winner as winners
from hwexplore.search.questions.winner import SETTINGS

__all__ = ["winner"]

COMMA = re.compile(r",\s*(?![^(]*\))")
"""A comma that is not between brackets, as those of PEs and scenarios are."""


def winner(
    workload: Annotated[str, typer.Argument(help="Catalogue name (see 'hwexplore workloads list') or a file.")],
    vary: Annotated[
        list[str],
        typer.Option(help="phase, batch, context, technology or a parameter, as in batch=1,8,64; repeat for several."),
    ],
    phase: Phase = SETTINGS["phase"],
    batch: Batch = SETTINGS["batch"],
    context: Context = SETTINGS["context"],
    technology: TechnologyName = SETTINGS["technology"],
    space: SpaceFile = None,
    objective: Annotated[str, typer.Option(help="Metric that decides.")] = "edp_js",
    constraint: Annotated[list[str], typer.Option(help="As in 'error < 0.01'; repeat for several.")] = [],  # noqa: B006
    fidelity: FidelityOption = "tile",
    jobs: Annotated[int, typer.Option(help="Chunks evaluated at a time; -1 for all cores.")] = -1,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print what changes the winner: the best design in every setting, and where another takes over.

    Example: hwexplore winner llama-2-7b --space small.toml --vary batch=1,8,64 --vary dram=ddr4-3200,hbm2
    """
    varied = _parse(vary)
    setting = {"phase": phase, "batch": batch, "context": context, "technology": technology}
    with progress_bar() as bar:
        task = bar.add_task("settings", total=prod(map(len, varied.values())))
        table = winners(
            workload,
            load_space(space),
            varied,
            objective,
            constraint,
            setting,
            fidelity,
            jobs,
            progress=lambda done: bar.update(task, completed=done),
        )
    changes = flips(table, varied)
    if json:
        print_json({"settings": records(table), "flips": records(changes)})
        return
    parameters = [name for name in PARAMETERS if name not in varied]
    changing = [name for name in parameters if table[name].astype(str).nunique() > 1]
    columns = dict.fromkeys([*varied, *changing, objective, "error", "margin", "runner_up"])
    shown = table[list(columns)].rename(columns={"runner_up": "over policy"})
    print_frame(f"winner by {objective} on {workload}", shown)
    always = {name: table[name].dropna().iloc[0] for name in parameters if name not in changing}
    print_line("always " + ", ".join(f"{name} {cell(value)}" for name, value in always.items()))
    for change in changes.to_dict("records"):
        where = ", ".join(f"{name} {value}" for name, value in change["where"].items())
        loser, successor = change["loser"], change["winner"]
        turns = (
            f"{parameter} {loser.get(parameter, 'none')} -> {successor.get(parameter, 'none')}"
            for parameter in {**loser, **successor}
            if loser.get(parameter) != successor.get(parameter)
        )
        print_line(
            f"{change['name']} {change['before']} -> {change['after']}{where and f' with {where}'}: {', '.join(turns)}"
        )
    if changes.empty:
        print_line("the same policy and PE win everywhere")


def _parse(texts: list[str]) -> dict[str, list[Any]]:
    """The values of each name, numbers as numbers."""
    varied: dict[str, list[Any]] = {}
    for text in texts:
        name, separator, values = text.partition("=")
        if not separator or not values:
            raise InputError(f"--vary {text!r} is not of the form NAME=VALUE,VALUE, as in batch=1,8,64")
        if name not in SETTINGS and name not in PARAMETERS:
            raise unknown("setting", name, {**SETTINGS, **PARAMETERS})
        if name in varied:
            raise InputError(f"{name} is varied twice; give all its values at once, as in {name}={values},...")
        varied[name] = [_value(value) for value in COMMA.split(values)]
    return varied


def _value(text: str) -> Any:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
