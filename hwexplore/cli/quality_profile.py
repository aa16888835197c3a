"""``hwexplore quality profile``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwexplore.cli.console import output, print_table
from hwexplore.quality.networks import NETWORKS, load
from hwexplore.quality.networks.sensitivity import proxy_worth, sensitivity
from hwexplore.quality.profile import PROXIES

__all__ = ["profile"]


def profile(
    name: Annotated[str, typer.Argument(help="; ".join(f"{key}: {what}" for key, what in NETWORKS.items()))],
    out: Annotated[Path, typer.Option("-o", "--out", help="Parquet file to write.")],
    formats: Annotated[str, typer.Option(help="Formats of the weights, with commas between.")] = (
        "int2_g32,int3_g32,int4_g32,int8_g32"
    ),
    proxy: Annotated[str, typer.Option(help="; ".join(f"{key}: {what}" for key, what in PROXIES.items()))] = "fisher",
    windows: Annotated[int | None, typer.Option(help="Held-out windows to predict, all by default.")] = None,
    check: Annotated[
        int, typer.Option(min=0, help="Random assignments to measure: how well the profile ranks them.")
    ] = 0,
) -> None:
    """Write how much each format of each layer's weights adds to a network's loss, measured or predicted.

    Example: hwexplore quality profile charlm --proxy hessian --check 20 -o profile.parquet
    """
    benchmark = load(name)
    made = sensitivity(benchmark, formats.split(","), proxy, windows)
    made.write(out)
    table = made.table.pivot(index="layer", columns="format", values="loss_increase").loc[list(made.layers)]
    rows = [[layer, *(f"{value:.4f}" for value in values)] for layer, *values in table.itertuples(name=None)]
    print_table(f"{name}: {made.metric} added by the weights of each layer, {proxy}", ["layer", *table.columns], rows)
    if check:
        worth = proxy_worth(benchmark, [made], check, windows=windows)[proxy]
        output.print(f"rank correlation with the measured loss of {check} random assignments: {worth:.3f}")
    output.print(f"wrote {out}", markup=False, highlight=False, soft_wrap=True)
