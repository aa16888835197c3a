"""``hwexplore quality tensors``."""

from __future__ import annotations

from math import isfinite
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
import typer

from hwexplore.cli.console import output, print_json, print_table, progress_bar
from hwexplore.quality.tensors import measure_tensors

__all__ = ["tensors"]

FORMATS = "mxint8,mxfp8,mxint4,mxfp4,nvint4,nvfp4"


def tensors(
    file: Annotated[Path, typer.Argument(help=".safetensors, .npz, .gguf or .onnx, of any size.")],
    formats: Annotated[str, typer.Option(help="Formats, separated by commas.")] = FORMATS,
    out: Annotated[
        Path | None, typer.Option(help="Parquet file; one that an interrupted run left is gone on with.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print JSON; null for what is unknown or infinite.")] = False,
) -> None:
    """SQNR of formats on every tensor of a file, with crest factor, distribution and the winner of each width.

    Tensors with NaN or infinity, empty ones and those of other than floating-point types are skipped, with the reason.

    Example: hwexplore quality tensors model.safetensors --formats mxfp4,nvfp4,nvint4 --out tensors.parquet
    """
    with progress_bar() as bar:
        task = bar.add_task("tensors", total=None)
        frame = measure_tensors(
            file,
            [name.strip() for name in formats.split(",")],
            out,
            lambda done, of: bar.update(task, completed=done, total=of),
        )
    if json:
        print_json([{key: _plain(value) for key, value in row.items()} for row in frame.to_dict("records")])
    else:
        _print(frame)


def _print(frame: pd.DataFrame) -> None:
    measured = frame[frame.skipped == ""].drop(columns=["elements", "std", "skipped"])
    rows = [[_text(value) for value in row] for row in measured.itertuples(index=False)]
    print_table("SQNR in dB", [name.replace("_", " ") for name in measured.columns], rows)
    for column in measured.columns[measured.columns.str.startswith("winner_")]:
        counts = measured[column][measured[column] != ""].value_counts(normalize=True)
        shares = ", ".join(f"{name} {share:.0%}" for name, share in counts.items())
        _say(f"{column.replace('_', ' ')}: {shares or 'none'}")
    for row in frame[frame.skipped != ""].itertuples():
        _say(f"skipped {row.name} {row.dtype} [{row.shape}]: {row.skipped}")


def _say(text: str) -> None:
    output.print(text, markup=False, highlight=False, soft_wrap=True)


def _text(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.2f}" if isfinite(value) else "exact" if value > 0 else ""
    return str(value)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value
