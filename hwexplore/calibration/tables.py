"""The tables of calibrations: those that ship with hwexplore, and new ones."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Literal

import pandas as pd

from hwexplore.errors import InputError

__all__ = ["shipped", "write"]


def shipped(name: Literal["asic", "fpga"]) -> pd.DataFrame:
    """The measurements that the shipped coefficients were fitted on; docs/calibration.md has their columns."""
    with (files("hwexplore.models") / "calibration" / f"{name}.parquet").open("rb") as file:
        return pd.read_parquet(file)


def write(table: pd.DataFrame, path: Path) -> None:
    """Write ``table`` as Parquet; InputError where that cannot be."""
    try:
        table.to_parquet(path, index=False)
    except OSError as error:
        raise InputError(f"output {path} cannot be written: {error.strerror}") from None
