"""``hwexplore quality model``."""

from __future__ import annotations

from typing import Annotated

import typer

from hwexplore.cli.console import output, print_json, print_table
from hwexplore.quality.networks import METHODS, NETWORKS, load, sweep

__all__ = ["model"]

FORMATS = "int8,e4m3,mxint8,mxfp8,int6,e2m3,mxfp6,int4,e2m1,mxint4,mxfp4,nvint4,nvfp4"
COLUMNS = ["format", "method", "bits/char", "delta", "+-", "KL in nats", "agreement", "s"]


def model(
    name: Annotated[str, typer.Argument(help="; ".join(f"{key}: {what}" for key, what in NETWORKS.items()))],
    formats: Annotated[
        str,
        typer.Option(
            help="With commas between: a format for weights and activations, or weights/activations/KV cache."
        ),
    ] = FORMATS,
    method: Annotated[
        str, typer.Option(help=f"With commas between: {', '.join(METHODS)}; together as in hadamard+gptq.")
    ] = "rtn",
    recent: Annotated[int, typer.Option(help="Last tokens of the KV cache that stay in FP32.")] = 0,
    windows: Annotated[int | None, typer.Option(help="Windows of held-out text to predict, all by default.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure what formats do to a network's predictions of text that it was not trained on.

    Formats without scales get one per output channel of the weights and per token of the activations.

    Example: hwexplore quality model charlm --formats int4/int8/fp16,mxfp4,nvint4 --method rtn,hadamard+gptq
    """
    benchmark = load(name)
    frame = sweep(benchmark, formats.split(","), method.split(","), recent, windows)
    if json:
        print_json(frame.to_dict("records"))
        return
    digits = (4, 4, 4, 5, 4, 1)
    rows = [
        [*names, *(f"{value:.{places}f}" for value, places in zip(values, digits, strict=True))]
        for *names, values in ([row[0], row[1], row[2:]] for row in frame.itertuples(index=False))
    ]
    reference = (frame.bits_per_character - frame.delta).iloc[0]
    print_table(
        f"{name}: FP32 has {reference:.4f} bits per character; delta and its standard error over windows", COLUMNS, rows
    )
    output.print(NETWORKS[name], style="dim")
