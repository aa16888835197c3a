"""The SRAM law: a fit over a CACTI sweep.

`python -m hwexplore.calibration.memories tests/data/cacti7_sram.csv` prints the `[sram]` tables of
`models/technologies/nangate45.toml`.
"""

from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pandas as pd

from hwexplore.errors import InputError
from hwexplore.technology.memory import SramLaw

__all__ = ["DEVICES", "fit_sram", "sweep"]

DEVICES = {"sram": "lop"}
"""TOML table to transistor type: low operating power, whose leakage is neither most of a chip's power (high
performance: 1.2 W/MiB at 45 nm and 350 K) nor nothing (low standby power)."""

_COLUMNS = {
    "tech_nm",
    "device",
    "size_bytes",
    "word_bits",
    "read_pJ",
    "write_pJ",
    "leak_mW",
    "gate_leak_mW",
    "area_mm2",
    "access_ns",
}


def sweep(frame: pd.DataFrame, node_nm: int, device: str) -> pd.DataFrame:
    """The rows of one node and transistor type of a CACTI sweep, in the law's quantities and units.

    Columns: size_bytes, word_bits, read_pj, write_pj, leakage_mw (subthreshold and gate), area_um2, access_ns.
    """
    missing = sorted(_COLUMNS.difference(frame.columns))
    if missing:
        raise InputError(f"SRAM sweep has no column {', '.join(missing)}")
    rows = frame[(frame["tech_nm"] == node_nm) & (frame["device"] == device)]
    if rows.empty:
        known = sorted(set(zip(frame["tech_nm"].tolist(), frame["device"].tolist(), strict=True)))
        raise InputError(f"SRAM sweep has no rows of {node_nm} nm {device}; known: {known}")
    return pd.DataFrame(
        {
            "size_bytes": rows["size_bytes"].astype(float),
            "word_bits": rows["word_bits"].astype(float),
            "read_pj": rows["read_pJ"],
            "write_pj": rows["write_pJ"],
            "leakage_mw": rows["leak_mW"] + rows["gate_leak_mW"],
            "area_um2": rows["area_mm2"] * 1e6,
            "access_ns": rows["access_ns"],
        }
    )


def fit_sram(frame: pd.DataFrame, node_nm: int = 45, device: str = "lop") -> SramLaw:
    """Least-squares fit of log2 of each quantity to 1, s, s^2, w, s w; s = log2(size_bytes), w = log2(word_bits).

    The residual of a quantity is the relative error of the law over the fitted rows, root mean square and worst, in
    per cent.
    """
    rows = sweep(frame, node_nm, device)
    size, word = rows.pop("size_bytes"), rows.pop("word_bits")
    s, w = np.log2(size.to_numpy()), np.log2(word.to_numpy())
    terms = np.stack([np.ones_like(s), s, s**2, w, s * w], axis=1)
    solution = np.linalg.lstsq(terms, np.log2(rows.to_numpy()))[0].T
    law = SramLaw(
        coefficients={name: tuple(row) for name, row in zip(rows.columns, solution.round(6).tolist(), strict=True)},
        size_bytes=(size.min(), size.max()),
        word_bits=(word.min(), word.max()),
        residual={},
        source="cacti",
    )
    error = {name: 100 * (law(name, size, word) / rows[name].to_numpy() - 1) for name in rows.columns}
    return replace(
        law,
        residual={
            name: {
                "rms_percent": round(float(np.sqrt(np.mean(percent**2))), 1),
                "worst_percent": round(float(np.abs(percent).max()), 1),
            }
            for name, percent in error.items()
        },
    )


def main(path: str) -> None:
    """Print the SRAM tables of nangate45 as TOML, fitted to the sweep in `path`."""
    frame = pd.read_csv(path)
    for table, device in DEVICES.items():
        law = fit_sram(frame, device=device)
        print(f'[{table}]\nsource = "{law.source}"\ndevice = "{device}"')
        print(f"size_bytes = {[int(end) for end in law.size_bytes]}\nword_bits = {[int(end) for end in law.word_bits]}")
        for name, coefficients in law.coefficients.items():
            print(f"log2_{name} = {list(coefficients)}")
        print(f"\n[{table}.residual]")
        for name, percent in law.residual.items():
            print(f"{name} = {{ {', '.join(f'{key} = {value}' for key, value in percent.items())} }}")
        print()


if __name__ == "__main__":
    main(sys.argv[1])
