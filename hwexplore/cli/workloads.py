"""``hwexplore workloads``."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from hwexplore import workloads
from hwexplore.cli.console import output, print_json, print_table
from hwexplore.cli.options import (
    Batch,
    Context,
    Dims,
    ExpertSkew,
    Fuse,
    OwnPolicy,
    Phase,
    load_network,
    load_policy,
    parse_dims,
)
from hwexplore.errors import InputError
from hwexplore.workloads import Policy, Workload

__all__ = ["app"]

app = typer.Typer(help="List the workloads, or show one.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
BYTES = ("weight_bytes", "activation_bytes", "output_bytes", "kv_bytes")


@app.command("list")
def list_workloads(json: Json = False) -> None:
    """List the workloads of the catalogue. Example: hwexplore workloads list"""
    loaded = [workloads.load(name) for name in workloads.names()]
    rows = [{"name": w.name, "parameters": w.parameters, "active": w.active_parameters} for w in loaded]
    if json:
        print_json(rows)
    else:
        print_table("workloads", list(rows[0]), [[str(value) for value in row.values()] for row in rows])


@app.command("show")
def show_workload(
    name: Annotated[str, typer.Argument(help="Catalogue name, a config.json or a graph.onnx.")],
    phase: Phase = "decode",
    batch: Batch = 1,
    context: Context = 2048,
    dim: Dims = [],  # noqa: B006
    fuse: Fuse = [],  # noqa: B006
    expert_skew: ExpertSkew = 0,
    policy: OwnPolicy = None,
    strict: Annotated[bool, typer.Option("--strict", help="Refuse graphs with nodes that are not modelled.")] = False,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print the operators as CSV.")] = False,
) -> None:
    """Show the operators of a workload: MACs, bytes under a policy, arithmetic intensity.

    Example: hwexplore workloads show llama-2-7b --policy int4_g128/int8/int8
    """
    if json and csv:
        raise InputError("--json and --csv exclude each other; expected one of them.")
    workload = load_network(name, phase, batch, context, parse_dims(dim), fuse, expert_skew)
    if strict and workload.unmodelled:
        first = workload.unmodelled[0]
        raise InputError(
            f"{name} has {len(workload.unmodelled)} nodes that are not modelled, the first {first.op_type} "
            f"{first.name!r}: {first.reason}."
        )
    formats = load_policy(policy, workload)
    table = workload.to_frame(formats).assign(intensity=_intensity)
    if csv:
        typer.echo(table.to_csv(index=False), nl=False)
    elif json:
        print_json(_facts(workload, formats, table))
    else:
        _print(workload, formats, table)


def _intensity(table: pd.DataFrame) -> pd.Series[float]:
    """Operations per byte, two per MAC; 0 where nothing is moved."""
    moved = table[list(BYTES)].sum(axis=1)
    return ((2 * table["macs"] + table["vector_ops"]) / moved.where(moved > 0)).fillna(0.0)


def _facts(workload: Workload, policy: Policy, table: pd.DataFrame) -> dict[str, Any]:
    return {
        "workload": workload.name,
        "phase": workload.phase,
        "batch": workload.batch,
        "context": workload.context,
        "parameters": workload.parameters,
        "policy": str(policy),
        "operators": table.to_dict("records"),
        "totals": _totals(table),
        "not_modelled": _not_modelled(workload, policy, table),
    }


def _totals(table: pd.DataFrame) -> dict[str, float]:
    """Sums over all of 'count', and the intensity of the whole."""
    sums = {name: float(np.dot(table["count"], table[name])) for name in ("macs", "vector_ops", *BYTES)}
    moved = sum(sums[name] for name in BYTES)
    return {**sums, "bytes": moved, "intensity": (2 * sums["macs"] + sums["vector_ops"]) / moved if moved else 0.0}


def _not_modelled(workload: Workload, policy: Policy, table: pd.DataFrame) -> list[dict[str, Any]]:
    """The nodes without operators, with their shares of all MACs and bytes; None where they are not known."""
    width = policy.activations.storage.packed_bits() / 8
    known_bytes = sum(node.elements or 0 for node in workload.unmodelled) * width
    known_macs = sum(node.macs or 0 for node in workload.unmodelled)
    totals = _totals(table)
    macs, moved = totals["macs"] + known_macs, totals["bytes"] + known_bytes
    return [
        {
            "name": node.name,
            "op_type": node.op_type,
            "macs": node.macs,
            "macs_share": None if node.macs is None else node.macs / max(macs, 1),
            "bytes": None if node.elements is None else node.elements * width,
            "bytes_share": None if node.elements is None else node.elements * width / max(moved, 1),
            "reason": node.reason,
        }
        for node in workload.unmodelled
    ]


def _print(workload: Workload, policy: Policy, table: pd.DataFrame) -> None:
    counted = f"{workload.parameters:,} parameters; a row per operator, of which there are 'count'"
    rows = [[_text(value) for value in row] for row in table.itertuples(index=False)]
    print_table(f"{workload.setting}, {policy}: {counted}", list(table.columns), rows)
    totals = _totals(table)
    line = ", ".join(f"{value:,.6g} {name}" for name, value in totals.items())
    output.print(f"all of them: {line}", markup=False, highlight=False, soft_wrap=True)
    missed = _not_modelled(workload, policy, table)
    if missed:
        heads = {
            "name": "name",
            "op_type": "type",
            "macs_share": "MACs %",
            "bytes_share": "bytes %",
            "reason": "reason",
        }
        shares = ("macs_share", "bytes_share")
        lines = [[_share(node[key]) if key in shares else node[key] for key in heads] for node in missed]
        print_table(f"not modelled: {len(missed)} nodes, and their shares", list(heads.values()), lines)


def _text(value: Any) -> str:
    return f"{value:,.10g}" if isinstance(value, float) else str(value)


def _share(value: float | None) -> str:
    return "unknown" if value is None else f"{100 * value:.3g}"
