"""``hwexplore explain``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer

from hwexplore import technology as technologies
from hwexplore.accelerator import METRICS
from hwexplore.cli.console import output, print_json, print_table
from hwexplore.cli.options import (
    Batch,
    Context,
    Dims,
    ExpertSkew,
    Fuse,
    OperandsOption,
    Phase,
    SpaceFile,
    TechnologyName,
    load_network,
    load_space,
    parse_dims,
)
from hwexplore.cli.stored_front import load_front
from hwexplore.errors import InputError
from hwexplore.report import describe
from hwexplore.search import Problem

__all__ = ["explain"]


def explain(
    design: Annotated[
        str, typer.Argument(help="Design id, or with --from 'row:N', row N (from 0) of that run's front.")
    ],
    workload: Annotated[str, typer.Option(help="Catalogue name or a file.")] = "llama-2-7b",
    phase: Phase = "decode",
    batch: Batch = 1,
    context: Context = 2048,
    dim: Dims = [],  # noqa: B006
    fuse: Fuse = [],  # noqa: B006
    expert_skew: ExpertSkew = 0,
    technology: TechnologyName = "nangate45",
    space: SpaceFile = None,
    operands: OperandsOption = "gaussian",
    from_file: Annotated[
        Path | None, typer.Option("--from", help="Folder of a run's designs; replaces all the other options.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Open one design: time, energy and area of every part, down to the last adder.

    Example: hwexplore explain 93818 --workload llama-2-7b --phase decode
    """
    front: list[int] = []
    if from_file is None:
        network = load_network(workload, phase, batch, context, parse_dims(dim), fuse, expert_skew)
        problem = Problem(load_space(space), network, technologies.load(technology), operands=operands)
    else:
        stored = load_front(from_file)
        problem, front = stored.problem, stored.ids.tolist()
    number = _number(design, front)
    if number >= problem.space.size:
        raise InputError(f"design {number} is not in the space, which ends at {problem.space.size - 1}")
    facts = describe(problem, [number])[0]
    if json:
        print_json(facts)
    else:
        _print(facts, problem)


def _number(design: str, front: list[int]) -> int:
    kind, _, number = design.rpartition(":")
    if kind not in ("", "row") or not number.isdecimal():
        raise InputError(f"design {design!r} is neither an id, such as 93818, nor a row of a front, such as row:0")
    if kind == "":
        return int(number)
    if not front:
        raise InputError(f"design {design!r} counts the rows of a front; name its folder of designs with --from")
    if int(number) >= len(front):
        raise InputError(f"design {design!r}: that front has {len(front)} rows, 0 to {len(front) - 1}")
    return front[int(number)]


def _print(facts: Mapping[str, Any], problem: Problem) -> None:
    print_table(
        f"design {facts['id']} on {problem.workload.setting}, {problem.technology.name}",
        ["parameter", "value"],
        [[k, str(v)] for k, v in facts["parameters"].items()],
    )
    rows = []
    for name, value in facts["metrics"].items():
        low, _, high = facts["intervals"].get(name, ("", "", ""))
        rows.append(
            [name, METRICS[name][0], *(f"{v:.5g}" if v != "" else "" for v in (value, low, high)), METRICS[name][1]]
        )
    print_table("metrics", ["metric", "unit", "value", "5 %", "95 %", "meaning"], rows)
    _print_operators(facts["operators"])
    _print_format_costs(facts)
    _print_shares("energy", "J", facts["energy_j"])
    _print_shares("area", "mm2", facts["area_mm2"])
    _print_pe(facts)


def _print_operators(operators: Mapping[str, Any]) -> None:
    columns = {
        "operator": operators["name"],
        "count": operators["count"],
        "runs on": operators["unit"],
        "bound by": operators["bound"],
        "total ms": [f"{1e3 * s:.4g}" for s in operators["total_s"]],
        "share %": [f"{100 * share:.1f}" for share in operators["share"]],
        "tile m x n x k": operators["tiling"],
        "array use %": _array_use(operators),
        **{f"{term} us": [f"{1e6 * s:.4g}" for s in values] for term, values in operators["seconds"].items()},
        "MACs": [f"{macs:.4g}" for macs in operators["macs"]],
        "DRAM bytes": [f"{moved:.4g}" for moved in operators["dram_bytes"]],
        "MAC or op/byte": ["" if i is None else f"{i:.4g}" for i in operators["intensity"]],
    }
    rows = [[str(cell) for cell in row] for row in zip(*columns.values(), strict=True)]
    print_table("operators: times of one of 'count', which run one after the other", list(columns), rows)


def _array_use(operators: Mapping[str, Any]) -> list[str]:
    """The share of the array that works, and its factors: lanes x edges x fill and drain."""
    shares = zip(*operators["array_use"].values(), strict=True)
    return [
        f"{100 * np.prod(use):.3g} = {' x '.join(f'{100 * share:.3g}' for share in use)}" if unit == "array" else ""
        for use, unit in zip(shares, operators["unit"], strict=True)
    ]


def _print_format_costs(facts: Mapping[str, Any]) -> None:
    energy_j, latency_s = sum(facts["energy_j"].values()), facts["metrics"]["latency_s"]
    rows = [
        [
            cost["term"],
            cost["unit"],
            f"{cost['operations']:.4g}" if cost["operations"] else "",
            f"{cost['dram_bytes']:.4g}" if cost["dram_bytes"] else "",
            f"{cost['energy_j']:.3g}",
            f"{100 * cost['energy_j'] / energy_j:.2f}",
            f"{1e3 * cost['busy_s']:.4g}" if cost["busy_s"] else "",
            f"{100 * cost['busy_s'] / latency_s:.2f}" if cost["busy_s"] else "",
        ]
        for cost in facts["format_costs"]
    ]
    headings = ["term", "unit", "operations", "DRAM bytes", "J", "% of energy", "busy ms", "% of latency"]
    print_table("what the formats cost beside the products; 'busy' may be hidden behind other units", headings, rows)
    if tables := facts["table_precompute"]:
        output.print(
            f"tables of activations: {tables['in_pe_j']:.3g} J in the PEs, where each is built {tables['builds']:.4g} "
            f"times and serves {tables['sums_per_table']:g} sums; {tables['fused_j']:.3g} J if the vector unit built "
            f"each once with the operator before, {tables['separate_j']:.3g} J as an operator of its own",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )


def _print_shares(noun: str, unit: str, terms: Mapping[str, float]) -> None:
    total = sum(terms.values())
    rows = [[term, f"{value:.4g}", f"{100 * value / total:.1f}"] for term, value in terms.items()]
    print_table(f"{noun} by part", ["part", unit, "%"], [*rows, ["total", f"{total:.4g}", "100"]])


def _print_pe(facts: Mapping[str, Any]) -> None:
    pe = facts["pe"]
    title = f"one of {facts['pe_instances']:,} {pe['text']}"
    bill = {
        "part": pe["bill"]["part"],
        "primitive": pe["bill"]["primitive"],
        "count": [f"{count:g}" for count in pe["bill"]["count"]],
        "toggles/cycle": [f"{activity:.3f}" for activity in pe["bill"]["activity"]],
        **{
            f"{unit}": [f"{scale * value:.4g}" for value in pe["bill"][name]]
            for name, unit, scale in (("area_um2", "um2", 1), ("dynamic_pj", "fJ", 1e3), ("clock_pj", "clock fJ", 1e3))
        },
        "why": pe["bill"]["why"],
    }
    print_table(f"{title}: bill of hardware", list(bill), list(zip(*bill.values(), strict=True)))
    path = pe["path"]
    stages = [
        [part, primitive, f"{count:g}", f"{delay:.0f}"]
        for part, primitive, count, delay in zip(*path.values(), strict=True)
    ]
    total = f"critical path: {sum(path['delay_ps']):.0f} ps of the {pe['period_ps']:.0f} ps period"
    print_table(f"{title}: {total}", ["part", "primitive", "in series", "ps"], stages)
