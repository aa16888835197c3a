"""SRAM laws: fits over a CACTI sweep and over real macros.

`python -m hwexplore.calibration.memories tests/data/cacti7_sram.csv tests/data/ihp130_sram_macros.csv` prints the
`[law]` and `[residual]` tables of `models/memories/sram_*.toml` that are fitted.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable

import numpy as np
import pandas as pd

from hwexplore.errors import InputError
from hwexplore.technology.memory import SramLaw

__all__ = ["COOLING", "MACRO_LEAKAGE_NW_PER_BIT", "fit_sram", "fitted_laws", "macros", "sweep"]

COOLING = {
    (45, "lop"): (4.03e-9 / 1.08e-8, 3.24e-8 / 8.38e-8),
    (32, "lop"): (5.94e-8 / 1.43e-7, 1.0),
    (22, "lop"): (1.31e-8 / 3.99e-7, 1.0),
    (45, "hp"): (2.8e-7 / 5.69e-7, 1.0),
    (32, "hp"): (1.52e-7 / 2.69e-7, 1.0),
    (22, "hp"): (1.216e-7 / 2.152e-7, 1.0),
}
"""What is left of the sweep's subthreshold and gate leakage (350 K) at 300 K, by node and transistor type.

Ratios of I_off_n and I_g_on_n in CACTI's own transistor tables (tech_params/45nm.dat, 32nm.dat, 22nm.dat), which begin
at 300 K, 2 K above the 25 C of the cell libraries. Low-standby-power transistors leak next to nothing and are left out.
"""

MACRO_LEAKAGE_NW_PER_BIT = 0.0120859
"""Leakage of the real macros at 25 C: IHP's 256x64, 1024x8, 1024x64 and 2048x64 all give cell_leakage_power so."""


def sweep(frame: pd.DataFrame, node_nm: int, device: str) -> pd.DataFrame:
    """The rows of one node and transistor type of a CACTI sweep, in the law's quantities and units, leakage at 300 K.

    Columns: size_bytes, word_bits, read_pj, write_pj, leakage_mw (subthreshold and gate), area_um2, access_ns.
    """
    _require(
        frame,
        *("tech_nm", "device", "size_bytes", "word_bits", "read_pJ", "write_pJ"),
        *("leak_mW", "gate_leak_mW", "area_mm2", "access_ns"),
    )
    if (node_nm, device) not in COOLING:
        raise InputError(f"SRAM sweep: no leakage at 300 K is known of {node_nm} nm {device}; known: {sorted(COOLING)}")
    rows = frame[(frame["tech_nm"] == node_nm) & (frame["device"] == device)]
    if rows.empty:
        known = sorted(set(zip(frame["tech_nm"].tolist(), frame["device"].tolist(), strict=True)))
        raise InputError(f"SRAM sweep has no rows of {node_nm} nm {device}; known: {known}")
    subthreshold, gate = COOLING[node_nm, device]
    return pd.DataFrame(
        {
            "size_bytes": rows["size_bytes"].astype(float),
            "word_bits": rows["word_bits"].astype(float),
            "read_pj": rows["read_pJ"],
            "write_pj": rows["write_pJ"],
            "leakage_mw": rows["leak_mW"] * subthreshold + rows["gate_leak_mW"] * gate,
            "area_um2": rows["area_mm2"] * 1e6,
            "access_ns": rows["access_ns"],
        }
    )


def macros(frame: pd.DataFrame) -> pd.DataFrame:
    """The single-port macros of a table of real ones, with the columns of `sweep`.

    Columns of ``frame``: bits (of a word), bytes, ports, area_um2, clk2q_max_ns (the access), read_pJ, write_pJ.
    """
    _require(frame, "bits", "bytes", "ports", "area_um2", "clk2q_max_ns", "read_pJ", "write_pJ")
    rows = frame[frame["ports"] == 1]
    return pd.DataFrame(
        {
            "size_bytes": rows["bytes"].astype(float),
            "word_bits": rows["bits"].astype(float),
            "read_pj": rows["read_pJ"],
            "write_pj": rows["write_pJ"],
            "leakage_mw": rows["bytes"] * (8e-6 * MACRO_LEAKAGE_NW_PER_BIT),
            "area_um2": rows["area_um2"],
            "access_ns": rows["clk2q_max_ns"],
        }
    )


def fit_sram(rows: pd.DataFrame) -> SramLaw:
    """Least-squares fit of log2 of each quantity to 1, s, s^2, w, s w; s = log2(size_bytes), w = log2(word_bits).

    The residual of a quantity is the relative error of the law over the fitted rows, root mean square and worst, in
    per cent.
    """
    quantities = rows.drop(columns=["size_bytes", "word_bits"])
    size, word = rows["size_bytes"], rows["word_bits"]
    s, w = np.log2(size.to_numpy()), np.log2(word.to_numpy())
    terms = np.stack([np.ones_like(s), s, s**2, w, s * w], axis=1)
    solution = np.linalg.lstsq(terms, np.log2(quantities.to_numpy()))[0].T.round(6)
    residual = {}
    for name, row in zip(quantities.columns, solution, strict=True):
        percent = 100 * (np.exp2(terms @ row) / quantities[name].to_numpy() - 1)
        residual[name] = {
            "rms_percent": round(float(np.sqrt(np.mean(percent**2))), 1),
            "worst_percent": round(float(np.abs(percent).max()), 1),
        }
    return SramLaw(
        coefficients={name: tuple(row) for name, row in zip(quantities.columns, solution.tolist(), strict=True)},
        size_bytes=(size.min(), size.max()),
        word_bits=(word.min(), word.max()),
        residual=residual,
        source="",
    )


def fitted_laws(cacti: pd.DataFrame, real: pd.DataFrame) -> dict[str, SramLaw]:
    """The laws that are fitted, by name.

    CACTI's transistors are low operating power, whose leakage is neither most of a chip's power (high performance) nor
    nothing (low standby power); at 22 nm they leak more than high-performance ones, so that the leakage of 32 nm stands
    in.
    """
    rows = {node_nm: sweep(cacti, node_nm, "lop") for node_nm in (45, 32, 22)}
    rows[22] = rows[22].assign(leakage_mw=rows[32]["leakage_mw"].to_numpy())
    return {f"cacti{node_nm}": fit_sram(at_node) for node_nm, at_node in rows.items()} | {
        "ihp130": fit_sram(macros(real))
    }


def _require(frame: pd.DataFrame, *columns: str) -> None:
    missing = sorted(set(columns).difference(frame.columns))
    if missing:
        raise InputError(f"table of SRAM macros has no column {', '.join(missing)}")


def main(paths: Iterable[str]) -> None:
    """Print the fitted tables as TOML, from the CACTI sweep and the real macros at `paths`."""
    for law_name, law in fitted_laws(*map(pd.read_csv, paths)).items():
        print(f"[{law_name}.law]\nsize_bytes = {[int(end) for end in law.size_bytes]}")
        print(f"word_bits = {[int(end) for end in law.word_bits]}")
        for name, coefficients in law.coefficients.items():
            print(f"log2_{name} = {list(coefficients)}")
        print(f"\n[{law_name}.residual]")
        for name, percent in law.residual.items():
            print(f"{name} = {{ {', '.join(f'{key} = {value}' for key, value in percent.items())} }}")
        print()


if __name__ == "__main__":
    main(sys.argv[1:])
