from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import tomllib

from hwexplore.calibration import memories
from hwexplore.calibration.memories import DEVICES, fit_sram, sweep
from hwexplore.errors import InputError

SWEEP = Path(__file__).parents[1] / "data" / "cacti7_sram.csv"
QUANTITIES = ("read_pj", "write_pj", "leakage_mw", "area_um2", "access_ns")


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    return pd.read_csv(SWEEP)


@pytest.fixture(scope="module")
def committed() -> dict[str, Any]:
    return tomllib.loads((files("hwexplore.models") / "technologies" / "nangate45.toml").read_text("utf-8"))


def test_sweep_converts_units(frame: pd.DataFrame) -> None:
    row = sweep(frame, 45, "hp").iloc[0]
    assert row["leakage_mw"] == pytest.approx(1.07094 + 0.0499196)
    assert row["area_um2"] == pytest.approx(3600.9556263)
    assert (row["size_bytes"], row["word_bits"], row["read_pj"], row["access_ns"]) == (1024, 64, 1.43371, 0.208247)


@pytest.mark.parametrize("table", DEVICES)
def test_committed_law_is_the_fit(frame: pd.DataFrame, committed: dict[str, Any], table: str) -> None:
    law, record = fit_sram(frame, device=DEVICES[table]), committed[table]
    assert (record["device"], record["source"]) == (DEVICES[table], law.source)
    assert (tuple(record["size_bytes"]), tuple(record["word_bits"])) == (law.size_bytes, law.word_bits)
    assert record["residual"] == law.residual
    for quantity in QUANTITIES:
        assert record[f"log2_{quantity}"] == pytest.approx(law.coefficients[quantity], abs=1e-5)


@pytest.mark.parametrize("table", DEVICES)
def test_committed_law_meets_the_sweep_within_its_residual(
    frame: pd.DataFrame, committed: dict[str, Any], table: str
) -> None:
    rows, record = sweep(frame, 45, DEVICES[table]), committed[table]
    s, w = np.log2(rows["size_bytes"]), np.log2(rows["word_bits"])
    for quantity in QUANTITIES:
        one, size, size2, word, cross = record[f"log2_{quantity}"]
        error = 100 * (2 ** (one + size * s + size2 * s * s + word * w + cross * s * w) / rows[quantity] - 1)
        residual = record["residual"][quantity]
        assert abs(error).max() == pytest.approx(residual["worst_percent"], abs=0.1)
        assert np.sqrt((error**2).mean()) == pytest.approx(residual["rms_percent"], abs=0.1)
        assert residual["worst_percent"] < 45


@pytest.mark.parametrize("device", DEVICES.values())
def test_law_is_monotone(frame: pd.DataFrame, device: str) -> None:
    law = fit_sram(frame, device=device)
    size = np.geomspace(*law.size_bytes, 200)[:, None]
    word = np.geomspace(*law.word_bits, 50)
    for quantity in QUANTITIES:
        assert (np.diff(law(quantity, size, word), axis=0) > 0).all(), quantity
    for quantity in ("read_pj", "write_pj"):
        assert (np.diff(law(quantity, size, word), axis=1) > 0).all(), quantity


def test_fit_recovers_a_law_without_noise() -> None:
    size, word = (grid.ravel() for grid in np.meshgrid(2.0 ** np.arange(10, 20), [32.0, 64.0, 128.0]))
    truth = {
        "read_pJ": size**0.5 * word**0.75,
        "write_pJ": 2.0 * size**0.25 * word,
        "area_mm2": 1e-6 * size,
        "access_ns": np.exp2(0.01 * np.log2(size) ** 2 - 0.02 * np.log2(size) * np.log2(word)),
    }
    leak = {"leak_mW": 3 * size, "gate_leak_mW": size}
    frame = pd.DataFrame({"tech_nm": 7, "device": "x", "size_bytes": size, "word_bits": word} | truth | leak)
    law = fit_sram(frame, node_nm=7, device="x")
    assert law.coefficients["read_pj"] == pytest.approx((0, 0.5, 0, 0.75, 0), abs=1e-5)
    assert law.coefficients["write_pj"] == pytest.approx((1, 0.25, 0, 1, 0), abs=1e-5)
    assert law.coefficients["leakage_mw"] == pytest.approx((2, 1, 0, 0, 0), abs=1e-5)
    assert law.coefficients["area_um2"] == pytest.approx((0, 1, 0, 0, 0), abs=1e-5)
    assert law.coefficients["access_ns"] == pytest.approx((0, 0, 0.01, 0, -0.02), abs=1e-5)
    assert law.size_bytes == (1024, 2**19)
    assert law.word_bits == (32, 128)
    assert law.residual["read_pj"] == {"rms_percent": 0, "worst_percent": 0}


def test_refusals(frame: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="SRAM sweep has no column access_ns, read_pJ"):
        fit_sram(frame.drop(columns=["read_pJ", "access_ns"]))
    with pytest.raises(InputError, match=r"no rows of 28 nm lop; known: \[\(22, 'hp'\)"):
        fit_sram(frame, node_nm=28)


def test_the_command_prints_the_committed_tables(committed: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    memories.main(str(SWEEP))
    assert tomllib.loads(capsys.readouterr().out) == {
        table: {name: value for name, value in committed[table].items() if name != "anchor"} for table in DEVICES
    }
