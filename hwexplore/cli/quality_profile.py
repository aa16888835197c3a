"""``hwexplore quality profile``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hwexplore.cli.console import output, print_table
from hwexplore.errors import InputError, unknown
from hwexplore.quality.networks import NETWORKS, load
from hwexplore.quality.networks.sensitivity import proxy_worth, sensitivity
from hwexplore.quality.profile import PROXIES, Profile
from hwexplore.workloads.policy import OPERANDS

__all__ = ["profile"]

FORMATS = {
    "weights": "int2_g128,int3_g128,int4_g128,int4_channel,int6_channel,int8_channel",
    "activations": "int4,int6,int8",
    "kv_cache": "int3,int4,int8",
}


def profile(
    name: Annotated[str, typer.Argument(help="; ".join(f"{key}: {what}" for key, what in NETWORKS.items()))],
    out: Annotated[Path, typer.Option("-o", "--out", help="Parquet file to write.")],
    operands: Annotated[str, typer.Option(help=f"Of {', '.join(OPERANDS)}, with commas between.")] = "weights",
    formats: Annotated[
        str | None,
        typer.Option(
            help="With commas between; with slashes between those of several operands. By default "
            + "; ".join(f"{operand}: {texts}" for operand, texts in FORMATS.items())
        ),
    ] = None,
    proxy: Annotated[str, typer.Option(help="; ".join(f"{key}: {what}" for key, what in PROXIES.items()))] = "fisher",
    windows: Annotated[int | None, typer.Option(help="Windows of data to use, all by default.")] = None,
    check: Annotated[
        int, typer.Option(min=0, help="Random assignments to measure: how well the profile ranks them.")
    ] = 0,
) -> None:
    """Write how much each format of each operand of each layer adds to a network's loss, measured or predicted.

    Example: hwexplore quality profile charlm --operands weights,kv_cache --formats int4_g128,int8_channel/int4,int8
    --check 20 -o profile.parquet
    """
    benchmark = load(name)
    made = sensitivity(benchmark, _formats(operands, formats), proxy, windows)
    made.write(out)
    print_profile(made)
    if check:
        worth = proxy_worth(benchmark, [made], check, windows=windows)[proxy]
        output.print(f"rank correlation with the measured loss of {check} random assignments: {worth:.3f}")
    output.print(f"wrote {out}", markup=False, highlight=False, soft_wrap=True)


def print_profile(made: Profile) -> None:
    """A table for each operand, with a row per layer and a column per format."""
    for operand, rows in made.table.groupby("operand", sort=False):
        table = rows.pivot_table(index="layer", columns="format", values="loss_increase", sort=False)
        texts = [[layer, *(f"{value:.2e}" for value in values)] for layer, *values in table.itertuples(name=None)]
        title = f"{made.network}: {made.metric} added by the {operand} of each layer, {made.proxy}"
        print_table(title, ["layer", *table.columns], texts)


def _formats(operands: str, formats: str | None) -> dict[str, list[str]]:
    names = operands.split(",")
    for operand in names:
        if operand not in OPERANDS:
            raise unknown("operand", operand, OPERANDS)
    lists = [FORMATS[operand] for operand in names] if formats is None else formats.split("/")
    if len(lists) != len(names):
        raise InputError(f"formats {formats!r} are {len(lists)} lists for {len(names)} operands, {operands}")
    return {operand: texts.split(",") for operand, texts in zip(names, lists, strict=True)}
