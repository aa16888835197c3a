"""``hwexplore quality``."""

from __future__ import annotations

from typing import Annotated

import typer

from hwexplore.cli.console import print_json, print_table
from hwexplore.cli.quality_distributions import distributions
from hwexplore.cli.quality_model import model
from hwexplore.cli.quality_profile import profile
from hwexplore.cli.quality_tensors import tensors
from hwexplore.quality import compare_laws

__all__ = ["app"]

app = typer.Typer(help="What a format does to data.", no_args_is_help=True)
app.command()(distributions)
app.command()(tensors)
app.command()(model)
app.command()(profile)
FORMATS = [
    *("int8_channel", "int6_channel", "int4_channel", "int4_g128", "e4m3_channel", "e2m3_channel", "e2m1_channel"),
    *("mxint8", "mxfp8", "mxint6", "mxfp6", "mxint4", "mxfp4", "nvint4", "nvfp4"),
]


@app.callback()
def _group() -> None:
    pass


@app.command()
def laws(
    formats: Annotated[list[str], typer.Option("--format", help="With scales; repeat for several.")] = FORMATS,
    seed: Annotated[int, typer.Option(help="Seed of the Gaussian data.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Hold the laws of quantization noise against Monte Carlo with the real formats.

    Example: hwexplore quality laws --format mxfp4 --format nvfp4
    """
    frame = compare_laws(formats, seed)
    if json:
        print_json(frame.to_dict("records"))
        return
    rows = [[row[0], str(row[1]), *(f"{value:.2f}" for value in row[2:])] for row in frame.itertuples(index=False)]
    title = "QSNR in dB of Gaussian channels of 4096; gaps are law minus Monte Carlo"
    print_table(title, [name.replace("_", " ") for name in frame.columns], rows)
