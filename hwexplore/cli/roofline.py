"""``hwexplore roofline``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer

from hwexplore.accelerator.presets import preset, totals
from hwexplore.accelerator.presets import roofline as tabulate
from hwexplore.cli.console import output, print_json, print_table
from hwexplore.cli.options import (
    Batch,
    Context,
    Dims,
    ExpertSkew,
    Fuse,
    Measured,
    OwnPolicy,
    Phase,
    load_network,
    load_policy,
    parse_dims,
)
from hwexplore.report.roofline import plot_roofline
from hwexplore.report.writing import write_page

__all__ = ["roofline"]


def roofline(
    workload: Annotated[str, typer.Argument(help="Catalogue name (see 'hwexplore workloads list') or a file.")],
    accelerator: Annotated[str, typer.Option(help="Published accelerator, see 'hwexplore accelerators list'.")],
    phase: Phase = "decode",
    batch: Batch = 1,
    context: Context = 2048,
    dim: Dims = [],  # noqa: B006
    fuse: Fuse = [],  # noqa: B006
    expert_skew: ExpertSkew = 0,
    policy: OwnPolicy = None,
    measured: Measured = False,
    out: Annotated[Path | None, typer.Option(help="FILE.html for a figure.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print how fast an accelerator could run each operator, and what bounds it.

    Example: hwexplore roofline llama-2-7b --accelerator a100 --policy "int4_g128>fp16/fp16/fp16" --out roofline.html
    """
    machine = preset(accelerator)
    network = load_network(workload, phase, batch, context, parse_dims(dim), fuse, expert_skew)
    formats = load_policy(policy, network)
    operators = tabulate(network, formats, machine, measured)
    metrics = totals(operators, network.tokens)
    resident = network.resident_bytes(formats)
    if out is not None:
        write_page(plot_roofline(network, formats, machine, measured), out)
    if json:
        facts = {
            "workload": network.name,
            "phase": network.phase,
            "batch": network.batch,
            "context": network.context,
            "policy": str(formats),
            "accelerator": machine.name,
            "measured": measured,
            **metrics,
            "resident_bytes": resident,
            "memory_bytes": machine.memory_bytes,
            "operators": [_finite(row) for row in operators.to_dict("records")],
        }
        print_json(facts)
        return
    setting = f"{network.setting}, {formats} on {machine.name}"
    _print_operators(operators, f"{setting}: a row per operator, of which there are 'count'")
    lines = [
        f"latency {1e3 * metrics['latency_s']:.4g} ms, {metrics['tokens_per_s']:,.4g} tokens/s, "
        f"{100 * metrics['fraction_of_peak']:.3g} % of peak"
    ]
    fits = "" if resident <= machine.memory_bytes else ": they do not fit"
    lines.append(f"weights and KV cache: {resident / 1e9:.4g} of {machine.memory_bytes / 1e9:.4g} GB{fits}")
    if not machine.vector_ops_per_s:
        lines.append(f"vector rate: {machine.sources['vector_ops_per_s']}")
    if out is not None:
        lines.append(f"wrote {out}")
    for line in lines:
        output.print(line, markup=False, highlight=False, soft_wrap=True)


def _finite(row: dict[Any, Any]) -> dict[str, Any]:
    """``row`` with None for an infinite peak or intensity, which JSON does not have."""
    return row | {name: row[name] if np.isfinite(row[name]) else None for name in ("peak_ops_per_s", "intensity")}


def _print_operators(operators: pd.DataFrame, title: str) -> None:
    rows = [
        [
            row["name"],
            str(row["count"]),
            row["format"],
            row["runs_as"] or "",
            f"{(2 * row['macs'] + row['vector_ops']) / 1e9:.4g}",
            f"{row['bytes'] / 1e6:.4g}",
            f"{row['intensity']:.4g}",
            f"{row['peak_ops_per_s'] / 1e12:.4g}" if np.isfinite(row["peak_ops_per_s"]) else "",
            f"{row['attainable_ops_per_s'] / 1e12:.4g}",
            row["bound"],
            f"{1e6 * row['time_s']:.4g}",
            f"{100 * row['share']:.1f}",
        ]
        for row in operators.to_dict("records")
    ]
    headings = ["operator", "count", "format", "runs as", "Gop", "MB", "op/byte", "peak Top/s", "Top/s", "bound by"]
    print_table(title, [*headings, "us", "share %"], rows)
