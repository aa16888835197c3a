"""``hwexplore quality distributions``."""

from __future__ import annotations

from typing import Annotated

import typer

from hwexplore.cli.console import print_json, print_table
from hwexplore.quality import compare_distributions

__all__ = ["distributions"]

FORMATS = [
    *("int8_channel", "e4m3_channel", "int4_channel", "e2m1_channel", "int4_g128", "e2m1_g128"),
    *("mxint8", "mxfp8", "mxint4", "mxfp4", "nvint4", "nvfp4", "e2m1_g16_e4m3", "e2m1_g16_ue5m3"),
]
DISTRIBUTIONS = ["gaussian", "laplace", "student_t(5)", "outliers(0.01, 20)"]


def distributions(
    formats: Annotated[list[str], typer.Option("--format", help="With scales; repeat for several.")] = FORMATS,
    names: Annotated[
        list[str],
        typer.Option(
            "--distribution",
            help="gaussian, laplace, student_t(degrees of freedom) or outliers(share of channels, times as large); "
            "repeat for several.",
        ),
    ] = DISTRIBUTIONS,
    sigma: Annotated[float, typer.Option(help="Standard deviation, which scales of small range do not reach.")] = 1.0,
    channel: Annotated[int, typer.Option(help="Elements of a row, which share the scale of a _channel format.")] = 4096,
    seed: Annotated[int, typer.Option(help="Seed of the random data.")] = 0,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Expected noise of formats on tensors of a distribution, held against Monte Carlo with the real formats.

    Example: hwexplore quality distributions --format e2m1_g16_e4m3 --format e2m1_g16_ue5m3 --sigma 0.005
    """
    frame = compare_distributions(formats, names, sigma=sigma, channel=channel, seed=seed)
    if json:
        print_json(frame.to_dict("records"))
        return
    rows = [[*row[:2], f"{row[2]:g}", *(f"{value:.2f}" for value in row[3:])] for row in frame.itertuples(index=False)]
    title = "QSNR in dB of random tensors; the gap is theory minus Monte Carlo"
    print_table(title, [name.replace("_", " ") for name in frame.columns], rows)
