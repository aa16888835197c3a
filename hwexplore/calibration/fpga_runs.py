"""Many FPGA syntheses: in parallel, cached by content, resumable."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import joblib
import pandas as pd
import pyarrow as pa

from hwexplore.calibration.fpga import Run
from hwexplore.calibration.population import is_held_out
from hwexplore.errors import InputError
from hwexplore.writing import write_whole

__all__ = ["COLUMNS", "read", "synthesise"]

COLUMNS = {
    "pe": "text of the processing element",
    "family": "its family",
    "device": "FPGA device",
    "dsp_allowed": "whether Yosys may use DSP blocks",
    "recipe": "how multipliers are made of LUTs",
    "held_out": "whether no fit may see it",
    "lut": "LUTs, those with a single input included; on the ECP5 as placed, carry logic included",
    "ff": "flip-flops, without the operand registers of the ECP5's harness",
    "dsp": "DSP48E2 or MULT18X18D",
    "carry": "CARRY4 or CCU2C",
    "wide_mux": "MUXF7 and MUXF8, or PFUMX",
    "fmax_mhz": "from operand registers to sums, placed and routed; missing where it is not",
    "seconds": "that synthesis took, with place and route where there is one",
}


def synthesise(
    runs: Sequence[Run], cache: Path, jobs: int = 1, progress: Callable[[str], None] | None = None
) -> tuple[pd.DataFrame, dict[Run, str]]:
    """A row per run that succeeds, of `COLUMNS`, and why each of the others failed; ``cache`` keeps what succeeds.

    ``progress`` is called with the text of a PE when it is done. What is in the cache is not run again, so a broken
    off calibration goes on where it was.
    """
    if jobs == 0:
        raise InputError("jobs = 0 synthesises nothing; give a number of syntheses at a time, or -1 for all cores")
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"cache {cache} cannot be a folder: {error.strerror}") from None
    calls = (joblib.delayed(_cached)(run, cache) for run in runs)
    rows, failures = [], {}
    for run, outcome in zip(runs, joblib.Parallel(n_jobs=jobs, return_as="generator")(calls), strict=True):
        if isinstance(outcome, str):
            failures[run] = outcome
        else:
            rows.append({**_identity(run), **outcome})
        if progress is not None:
            progress(str(run.pe))
    return pd.DataFrame(rows, columns=list(COLUMNS)), failures


def read(path: Path) -> pd.DataFrame:
    """The table at ``path``; InputError if it has other than `COLUMNS`."""
    try:
        table = pd.read_parquet(path)
    except (OSError, pa.ArrowInvalid) as error:
        raise InputError(f"{path} is not a readable Parquet file: {error}") from None
    if missing := [name for name in COLUMNS if name not in table]:
        raise InputError(f"{path} has no column {', '.join(missing)}; hwexplore calibrate fpga run writes one")
    return table


def _identity(run: Run) -> dict[str, Any]:
    return {
        "pe": str(run.pe),
        "family": run.pe.family,
        "device": run.device,
        "dsp_allowed": run.dsp,
        "recipe": run.recipe,
        "held_out": is_held_out(run.pe),
    }


def _cached(run: Run, cache: Path) -> dict[str, float] | str:
    """The counts of a run and its time in seconds, or what went wrong."""
    try:
        file = cache / f"{run.key}.json"
        if file.exists():
            return dict(json.loads(file.read_text("utf-8")))
        start = time.perf_counter()
        counts = {**run.counts(), "seconds": round(time.perf_counter() - start, 2)}
    except RuntimeError as error:
        return str(error)
    write_whole(file, json.dumps(counts))
    return counts
