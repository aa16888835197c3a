"""``hwexplore quality model``."""

from __future__ import annotations

from typing import Annotated

import typer

from hwexplore.cli.console import output, print_json, print_table
from hwexplore.quality.networks import METHODS, NETWORKS, load, sweep

__all__ = ["model"]

FORMATS = "int8,e4m3,mxint8,mxfp8,int6,e2m3,mxfp6,int4,e2m1,mxint4,mxfp4,nvint4,nvfp4"


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
    windows: Annotated[int | None, typer.Option(help="Held-out windows to predict, all by default.")] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Measure what formats do to a network's predictions of data that it was not trained on.

    Formats without scales get one per output channel of the weights and per token or image of the activations.

    Example: hwexplore quality model charlm --formats int4/int8/fp16,mxfp4,nvint4 --method rtn,hadamard+gptq
    """
    benchmark = load(name)
    records = sweep(benchmark, formats.split(","), method.split(","), recent, windows).to_dict("records")
    if json:
        print_json(records)
        return
    metric = benchmark.metric
    columns = ["format", "method", metric.name, "delta", "+-", "KL in nats", "agreement", "s"]
    digits = {"value": 4, "delta": 4, "delta_error": 4, "kl_nats": 5, "agreement": 4, "seconds": 1}
    rows = [
        [row["format"], row["method"], *(f"{row[name]:.{places}f}" for name, places in digits.items())]
        for row in records
    ]
    reference = records[0]["value"] - records[0]["delta"]
    fp32 = f"{reference:.4f} {metric.name}"
    if metric.perplexity:
        columns.append("perplexity")
        rows = [[*cells, f"{2 ** row['value']:.2f}"] for cells, row in zip(rows, records, strict=True)]
        fp32 += f", perplexity {2**reference:.2f}"
    print_table(f"{name}: FP32 has {fp32}; delta and its standard error over windows", columns, rows)
    output.print(" ".join(filter(None, [f"{NETWORKS[name]}.", benchmark.remark])), style="dim", highlight=False)
